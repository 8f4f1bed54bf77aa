use jiff::tz::TimeZone;

use super::{Doc, Query, StoredQuery, SyntaxError, limits, matches, parse};
use crate::text::address_terms;

mod page;
mod properties;

fn utc(text: &str) -> Result<Query, SyntaxError> {
    parse(text, &TimeZone::UTC)
}

/// What a query prints as shows what was understood.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, canonical) in cases {
        let query = utc(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
        assert_eq!(query.to_string(), *canonical, "{text}");
        assert_eq!(utc(canonical).as_ref(), Ok(&query), "{text}");
    }
}

/// The query, what is pointed at, the message, and a part of the help.
#[track_caller]
fn check_errors(cases: &[(&str, &str, &str, &str)]) {
    for (text, place, message, help) in cases {
        let error = utc(text).expect_err(text);
        assert_eq!(error.message, *message, "{text}");
        assert_eq!(&text[error.at..error.at + error.len], *place, "{text}");
        let found = error.help.clone().unwrap_or_default();
        assert!(found.contains(help) && help.is_empty() == found.is_empty(), "{text}: {found}");
    }
}

#[test]
fn words_and_operators() {
    check(&[
        ("merger", "merger"),
        ("Merger BID", "merger AND bid"),
        ("a AND b OR c", "a AND b OR c"),
        ("a OR b c", "a OR b AND c"),
        ("(a OR b) c", "(a OR b) AND c"),
        ("a AND (b AND (c d))", "a AND b AND c AND d"),
        ("a OR (b OR c)", "a OR b OR c"),
        ("a NOT b", "a AND NOT b"),
        ("a -b", "a AND NOT b"),
        ("NOT a", "NOT a"),
        ("-(a b)", "NOT (a AND b)"),
        ("NOT NOT a", "a"),
        ("--a", "a"),
        ("-\"a b\"", "NOT \"a b\""),
        ("and or not", "and AND or AND not"),
        ("\"AND\"", "and"),
        ("ANDY", "andy"),
        ("((((a))))", "a"),
        ("*", "*"),
        ("(a)(b)", "a AND b"),
    ]);
}

#[test]
fn phrases() {
    check(&[
        ("\"Can we talk\"", "\"can we talk\""),
        ("\"merger\"", "merger"),
        ("I'm", "\"i m\""),
        ("a-b", "\"a b\""),
        ("10:30", "\"10 30\""),
        ("\"merger?\"", "merger"),
        ("x\"a b\"y", "x AND \"a b\" AND y"),
        ("\"say \\\"hi\\\" now\"", "\"say hi now\""),
        ("“can we” talk", "\"can we\" AND talk"),
        ("„can we“ talk", "\"can we\" AND talk"),
        ("\"no “end”\"", "\"no end\""),
        ("İSTANBUL ΟΔΟΣ", "istanbul AND οδοσ"),
        ("οδος", "οδοσ"),
    ]);
}

#[test]
fn filters() {
    check(&[
        ("from:Live:Bob", "from:live:bob"),
        ("FROM:bob", "from:bob"),
        ("to:@Contoso.example", "to:@contoso.example"),
        ("participant:\" Bob  Smith \"", "participant:\"bob  smith\""),
        ("-from:bob", "NOT from:bob"),
        ("(from:bob)", "from:bob"),
        ("conversation:19:aBc@thread", "conversation:19:aBc@thread"),
        ("conversation:\"a \\\"b\\\" (c)\"", "conversation:\"a \\\"b\\\" (c)\""),
        ("from:\"*\"", "from:\"*\""),
        ("tenant:Contoso.Example network:SKYPE", "tenant:contoso.example AND network:skype"),
        ("is:quarantined OR is:OK", "is:quarantined OR is:ok"),
        ("is:GAP type:custody.gap.v1", "is:gap AND type:custody.gap"),
        ("type:im.message.sent", "type:im.message.sent"),
        ("type:federation.im.message.sent.v1", "type:im.message.sent"),
        ("type:federation.im.message.sent.v2", "type:im.message.sent.v2"),
        ("type:com.Example.other", "type:com.example.other"),
        ("type:federation.federation.a.v1.v1", "type:federation.federation.a.v1.v1"),
        ("type:call.*", "type:call.*"),
        ("type:federation.call.*", "type:call.*"),
        ("type:federation.federation.odd.*", "type:federation.federation.odd.*"),
        ("type:federation.federation.*", "type:federation.federation.*"),
        ("type:federation..v1", "type:federation..v1"),
        ("type:\"federation. x .v1\"", "type:\"federation. x .v1\""),
        ("type:\"call.*\"", "type:\"call.*\""),
        ("type:*", "*"),
    ]);
}

#[test]
fn patterns() {
    check(&[
        ("Contract*", "contract*"),
        ("colo?r", "colo?r"),
        ("*BERG", "*berg"),
        ("Žur*nál", "zur*nal"),
        ("a**b", "a*b"),
        ("recieve~", "recieve~1"),
        ("Recieve~2", "recieve~2"),
        ("running%", "running%en"),
        ("läuft%DE", "lauft%de"),
        ("=Janež", "=janež"),
        ("janež", "janez"),
        ("\"breach of contract*\"", "\"breach of contract*\""),
        ("\"breach * contract\"", "\"breach * contract\""),
        ("\"* contract *\"", "contract"),
        ("\"are you com?ng?\"", "\"are you com?ng\""),
        ("\"about ~5 or 50%\"", "\"about 5 or 50%en\""),
        ("*.pdf", "pdf"),
        ("report*.pdf", "\"report* pdf\""),
        ("o'neil*", "\"o neil*\""),
        ("\"Tel. +49 30 123456\"", "\"tel 49 30 123456\""),
        ("\"+49 30 123456\"", "4930123456"),
        ("会議*", "\"会 議\""),
        ("=会議", "=会議"),
    ]);
}

#[test]
fn proximity() {
    check(&[
        ("merger w/5 acme", "merger w/5 acme"),
        ("Merger W/5 ACME PRE/3 x", "(merger w/5 acme) pre/3 x"),
        ("a pre/3 \"b c\"", "a pre/3 \"b c\""),
        ("(a OR b*) w/5 c~1", "(a OR b*) w/5 c~1"),
        ("(a b) w/5 c", "a w/5 c AND b w/5 c"),
        ("c w/5 (a b)", "c w/5 a AND c w/5 b"),
        ("a NOT w/3 b", "a NOT w/3 b"),
        ("NOT a w/3 b c", "NOT a w/3 b AND c"),
        ("a NOT b w/2 c", "a AND NOT b w/2 c"),
        ("a w/2 (b w/3 c)", "a w/2 (b w/3 c)"),
        ("(a w/2 b OR c) w/3 d", "(a w/2 b OR c) w/3 d"),
        ("\"w/5\"", "\"w 5\""),
        ("w/o x", "\"w o\" AND x"),
    ]);
}

#[test]
fn more_filters() {
    check(&[
        ("from:(alice, \"Bob Smith\" OR carl)", "from:alice OR from:\"bob smith\" OR from:carl"),
        ("from:*@Contoso.example", "from:*@contoso.example"),
        ("between:(a,b)", "participant:a AND participant:b AND (from:a OR from:b)"),
        ("domain:Contoso.example", "participant:@contoso.example"),
        ("domain:*.example", "participant:@*.example"),
        ("via:bridge", "via:bridge"),
        ("conversation:C-*", "conversation:C-*"),
        ("network:(skype lync)", "network:skype OR network:lync"),
        ("scope:Federated", "scope:federated"),
        ("client:\"Skype/6.5 Windows\"", "client:\"skype/6.5 windows\""),
        ("file:*.PDF has:attachment has:link", "file:*.pdf AND has:file AND has:link"),
        ("media:(audio, video)", "media:audio OR media:video"),
        ("response:4*", "response:4*"),
        ("topic:federation.events", "topic:federation.events"),
        ("duration:90", "duration:90"),
        ("duration:1m30s..1h", "duration:90..3600"),
        ("duration:1m..", "duration:60.."),
        ("archived:2013-05-29", "archived:2013-05-29T00:00:00.000Z..2013-05-29T23:59:59.999Z"),
    ]);
}

#[test]
fn dates_from_now() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let now = "2013-05-29T22:30:00Z".parse().unwrap();
    for (text, expected) in [
        ("date:today", "date:2013-05-29T22:00:00.000Z..2013-05-30T21:59:59.999Z"),
        ("date:yesterday", "date:2013-05-28T22:00:00.000Z..2013-05-29T21:59:59.999Z"),
        ("date:\"this week\"", "date:2013-05-26T22:00:00.000Z..2013-06-02T21:59:59.999Z"),
        ("date:last-month", "date:2013-03-31T22:00:00.000Z..2013-04-30T21:59:59.999Z"),
        ("date:\"last 30 days\"", "date:2013-04-29T22:30:00.000Z..2013-05-29T22:30:00.000Z"),
        ("date:last_1_hour", "date:2013-05-29T21:30:00.000Z..2013-05-29T22:30:00.000Z"),
        ("archived:\"last 1 year\"", "archived:2012-05-29T22:30:00.000Z..2013-05-29T22:30:00.000Z"),
    ] {
        let query = super::parse_at(text, &zone, now).unwrap_or_else(|e| panic!("{}", e.render(text)));
        assert_eq!(query.to_string(), expected, "{text}");
    }
    let error = super::parse_at("date:\"last 99999999 years\"", &zone, now).unwrap_err();
    assert!(error.message.contains("out of range"), "{error}");
}

#[test]
fn dates() {
    check(&[
        ("date:2013", "date:2013-01-01T00:00:00.000Z..2013-12-31T23:59:59.999Z"),
        ("date:2013-02", "date:2013-02-01T00:00:00.000Z..2013-02-28T23:59:59.999Z"),
        ("date:2013-05-29", "date:2013-05-29T00:00:00.000Z..2013-05-29T23:59:59.999Z"),
        ("date:2013-05-29T09:15", "date:2013-05-29T09:15:00.000Z..2013-05-29T09:15:59.999Z"),
        ("date:2013-05-29t09:15:02z", "date:2013-05-29T09:15:02.000Z..2013-05-29T09:15:02.999Z"),
        ("date:2013-05-29T09:15:02.1239+02:00", "date:2013-05-29T07:15:02.123Z..2013-05-29T07:15:02.123Z"),
        ("date:2013-05..2013-06", "date:2013-05-01T00:00:00.000Z..2013-06-30T23:59:59.999Z"),
        ("date:2013-05-29..", "date:2013-05-29T00:00:00.000Z.."),
        ("date:..2013-05-29", "date:..2013-05-29T23:59:59.999Z"),
        ("date:\"1969..1970\"", "date:1969-01-01T00:00:00.000Z..1970-12-31T23:59:59.999Z"),
        ("date:1969-12-31T23:59:59.9999Z", "date:1969-12-31T23:59:59.999Z..1969-12-31T23:59:59.999Z"),
        ("date:0001..9998", "date:0001-01-01T00:00:00.000Z..9998-12-31T23:59:59.999Z"),
    ]);
}

#[test]
fn dates_in_a_zone() {
    let cases = [
        ("Europe/Berlin", "date:2013-05-29", "date:2013-05-28T22:00:00.000Z..2013-05-29T21:59:59.999Z"),
        // The day with 25 hours, and the hour in it that comes twice.
        ("Europe/Berlin", "date:2013-10-27", "date:2013-10-26T22:00:00.000Z..2013-10-27T22:59:59.999Z"),
        ("Europe/Berlin", "date:2013-10-27T02:30", "date:2013-10-27T00:30:00.000Z..2013-10-27T01:30:59.999Z"),
        // A day that starts at one o'clock, and the day before it.
        ("America/Sao_Paulo", "date:2018-11-04", "date:2018-11-04T03:00:00.000Z..2018-11-05T01:59:59.999Z"),
        ("America/Sao_Paulo", "date:2018-11-03", "date:2018-11-03T03:00:00.000Z..2018-11-04T02:59:59.999Z"),
        ("Asia/Kolkata", "date:2013-05-29T09:15Z", "date:2013-05-29T09:15:00.000Z..2013-05-29T09:15:59.999Z"),
    ];
    for (zone, text, canonical) in cases {
        let zone = TimeZone::get(zone).unwrap();
        let query = parse(text, &zone).unwrap();
        assert_eq!(query.to_string(), canonical, "{text}");
        assert_eq!(parse(canonical, &zone), Ok(query));
    }
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let error = parse("date:2013-03-31T02:30", &berlin).unwrap_err();
    assert_eq!(error.message, "there is no `2013-03-31T02:30`");
}

#[test]
fn errors_point_at_their_place() {
    check_errors(&[
        ("", "", "the query is empty", "`*`"),
        (" \t\n", "", "the query is empty", "`*`"),
        ("a (b OR c", "(", "this parenthesis is never closed", ""),
        ("a ((b) c", "(", "this parenthesis is never closed", ""),
        ("a (", "(", "this parenthesis is never closed", ""),
        ("a) b", ")", "this closes a parenthesis that was never opened", ""),
        (")", ")", "this closes a parenthesis that was never opened", ""),
        ("a ( ) b", "( )", "there is nothing between these parentheses", ""),
        ("a \"b c", "\"", "this quotation mark is never closed", ""),
        ("a “b c\"", "“", "this quotation mark is never closed", ""),
        ("from:\"b\\", "\"", "this quotation mark is never closed", ""),
        ("a AND", "AND", "this needs something to its right", ""),
        ("(a OR)", "OR", "this needs something to its right", ""),
        ("NOT", "NOT", "this needs something to its right", ""),
        ("AND a", "AND", "`AND` needs something to its left", ""),
        ("a OR OR b", "OR", "`OR` needs something to its left", ""),
        ("a & b", "&", "`&` has no letter or digit to search for", ""),
        ("a - b", "-", "`-` has no letter or digit to search for", "`-word`"),
        ("\"\"", "\"\"", "`` has no letter or digit to search for", ""),
        ("merger?", "?", "a `?` at the end of a word is a question mark", "`colo?r`"),
        ("\"a b\"~5", "~", "a `~` has no meaning here", "`recieve~1`"),
        ("a~3", "~3", "a word has 1 to 2 edits", "`recieve~1`"),
        ("a~b", "~", "a `~` has no meaning here", "right behind"),
        ("run%xx", "%", "a `%` has no meaning here", "`lauf%de`"),
        ("a*~1", "a*~1", "`a*~1` has more than one of `=`, `*` or `?`, `~` and `%`", ""),
        ("**", "**", "this stands for every word there is", "`*` alone"),
        ("a w/0 b", "w/0", "words are 1 to 255 words apart", "`w/1`"),
        ("a w/300 b", "w/300", "words are 1 to 255 words apart", "`w/1`"),
        ("w/5 b", "w/5", "this needs something to its left", "quotation marks"),
        ("a w/5", "w/5", "this needs something to its right", ""),
        ("a w/5 from:bob", "w/5", "words and phrases stand close to each other, nothing else", "outside"),
        ("a w/5 (NOT b)", "w/5", "words and phrases stand close to each other, nothing else", "outside"),
        ("a NOT pre/5 b", "pre/5", "`NOT` goes with `w/`, not with `pre/`", "NOT w/3"),
    ]);
}

#[test]
fn errors_of_filters() {
    check_errors(&[
        ("form:bob", "form", "there is no field `form`", "`from:`"),
        ("x conv:1", "conv", "there is no field `conv`", "`conversation:`"),
        ("Sender:bob", "Sender", "there is no field `sender`", "`from:`"),
        ("http://a", "http", "there is no field `http`", "quotation marks"),
        ("sip:a@b", "sip", "there is no field `sip`", "`participant:sip:…`"),
        ("from:", "from:", "`from:` has no value", "from:alice@contoso.example"),
        ("from: bob", "from:", "`from:` has no value", "right after the colon"),
        ("from:(a OR (b))", "(", "a list holds values alone, no groups", "from:(alice"),
        ("from:(a, b", "(", "this list is never closed", ""),
        ("from:()", "from:()", "`from:` has no value", "right after the colon"),
        ("between:bob", "between:bob", "`between:` needs two people or more", "between:("),
        ("has:filee", "filee", "`has:` is never `filee`", "has:file"),
        ("scope:x", "x", "`scope:` is never `x`", "`scope:internal`"),
        ("response:busy", "busy", "`busy` is no response code", "response:486"),
        ("duration:1x", "1x", "`1x` is no duration", "1m.."),
        ("duration:2m..1m", "2m..1m", "this range ends before it starts", "1m.."),
        ("duration:..", "..", "this range has neither start nor end", "1m.."),
        ("from:\" \"", "from:\" \"", "`from:` has no value", "right after the colon"),
        ("type:call*", "call*", "a `*` stands for the last parts of a type, after a dot", "type:call.*"),
        (
            "type:federation.*",
            "federation.*",
            "a `*` stands for the last parts of a type, after a dot",
            "type:*",
        ),
        ("is:quarantine", "quarantine", "a record is never `quarantine`", "is:quarantined"),
        ("is:duplicated", "duplicated", "a record is never `duplicated`", "is:duplicate"),
        ("is:odd", "odd", "a record is never `odd`", "is:ok"),
        ("date:", "date:", "`date:` has no value", "date:2013"),
        ("date:tuesday", "tuesday", "`tuesday` is not a date", "2013-05-29"),
        ("date:2013-2-1", "2013-2-1", "`2013-2-1` is not a date", "2013-05-29"),
        ("date:2013..x", "x", "`x` is not a date", "2013-05-29"),
        ("date:2013-02-30", "2013-02-30", "there is no `2013-02-30`", "2013-05-29"),
        ("date:2013-13", "2013-13", "there is no `2013-13`", "2013-05-29"),
        ("date:2013-01-01T24:00", "2013-01-01T24:00", "there is no `2013-01-01T24:00`", "2013"),
        (
            "date:2013-01-01T00:00+99:00",
            "2013-01-01T00:00+99:00",
            "there is no `2013-01-01T00:00+99:00`",
            "2013",
        ),
        ("date:9999", "9999", "`9999` is out of range; years run from 1 to 9998", "2013"),
        ("date:0000", "0000", "`0000` is out of range; years run from 1 to 9998", "2013"),
        ("date:2014..2013", "2014..2013", "this range ends before it starts", "2013"),
        ("date:..", "..", "this range has neither start nor end", "2013"),
    ]);
}

/// Each level is an `OR` within an `AND`.
fn nested(levels: usize) -> String {
    format!("{}a{}", "b (c OR ".repeat(levels), ")".repeat(levels))
}

#[test]
fn the_deepest_query_can_be_printed_and_stored() {
    let query = utc(&nested(limits::DEPTH_MAX)).unwrap();
    assert_eq!(utc(&query.to_string()).as_ref(), Ok(&query));
    // Inside a few levels of whatever holds it.
    let json = serde_json::to_string(&[[[[StoredQuery::from(query.clone())]]]]).unwrap();
    let [[[[stored]]]]: [[[[StoredQuery; 1]; 1]; 1]; 1] = serde_json::from_str(&json).unwrap();
    assert_eq!(Query::from(stored), query);
}

#[test]
fn limits_hold() {
    let cases = [
        ("a ".repeat(limits::QUERY_BYTES_MAX / 2 + 1), "65538 bytes"),
        ("(".repeat(1_000), "nested deeper"),
        ("NOT ".repeat(10_000), "nested deeper"),
        (format!("{}a", "-".repeat(60_000)), "nested deeper"),
        (nested(limits::DEPTH_MAX + 1), "nested deeper"),
        ("a ".repeat(limits::CLAUSES_MAX + 1), "more than 1024"),
        (format!("\"{}\"", "a ".repeat(limits::CLAUSES_MAX + 1)), "more than 1024"),
        (format!("from:\"{}\" ", "a ".repeat(400)).repeat(3), "more than 1024"),
    ];
    for (text, message) in cases {
        let error = utc(&text).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert!(error.render(&text).len() < 1_000);
    }
    assert!(utc(&"a ".repeat(limits::CLAUSES_MAX)).is_ok());
}

#[test]
fn an_error_is_rendered_under_its_place() {
    let cases = [
        ("a form:b", "a form:b", "  ^^^^"),
        ("会議 form:b", "会議 form:b", "     ^^^^"),
        ("e\u{301} form:b", "e\u{301} form:b", "  ^^^^"),
        ("\u{1b}[2J\n\u{202e}x (", "\u{fffd}[2J \u{fffd}x (", "        ^"),
        ("a AND b (", "a AND b (", "        ^"),
    ];
    for (text, line, carets) in cases {
        let rendered = utc(text).unwrap_err().render(text);
        let lines: Vec<&str> = rendered.lines().collect();
        assert_eq!((lines[1], lines[2]), (&*format!("  {line}"), &*format!("  {carets}")), "{text:?}");
    }
    let long = format!("{} form:b {}", "word ".repeat(100), "word ".repeat(100));
    let rendered = utc(&long).unwrap_err().render(&long);
    let lines: Vec<&str> = rendered.lines().collect();
    let place = |line: &str, what| line.split(what).next().unwrap().chars().count();
    assert_eq!(place(lines[1], "form"), place(lines[2], '^'.to_string().as_str()));
    assert!(lines[1].starts_with("  …") && lines[1].ends_with('…') && lines[1].chars().count() <= 80);
}

#[test]
fn a_record_is_decided() {
    let mut from = Vec::new();
    address_terms("live:bob", Some("Bob O'Neil"), &mut from);
    let mut to = Vec::new();
    address_terms("sip:Alice@Contoso.example;user=phone", None, &mut to);
    let mut other = Vec::new();
    address_terms("bot.smith", Some("Relay"), &mut other);
    let networks = ["skype".to_owned(), "lync".to_owned()];
    let doc = Doc {
        text: "Can we talk about the MERGER? I'm in.",
        from_terms: &from,
        to_terms: &to,
        other_terms: &other,
        via_terms: &[],
        attributes: &[],
        archived_ms: None,
        duration_ms: None,
        conversation: Some("C-88"),
        type_short: "im.message.sent",
        tenant: Some("Contoso.example"),
        networks: &networks,
        quarantined: false,
        gap: false,
        edited: true,
        deleted: false,
        duplicate: true,
        time_ms: Some(1_369_818_902_123),
    };
    let yes = "*|merger|I'm|\"we talk\"|-bid|merger bid OR talk|from:bob|from:\"Bob O'Neil\"|from:o'neil|\
        from:LIVE:bob|to:alice@contoso.example|to:@contoso.example|to:\"sip:alice@contoso.example;user=phone\"|\
        participant:bob|participant:relay|participant:bot.smith|conversation:C-88|type:im.*|type:im.message.sent|\
        tenant:contoso.example|network:lync|is:ok|date:2013-05-29|date:2013-05-29T09:15:02.123Z|date:..2013|-is:quarantined|\
        is:edited|is:(deleted, duplicate)|-is:deleted";
    let no = "-*|merge|\"talk we\"|-merger|to:bob|from:alice@contoso.example|from:\"Bob Smith\"|participant:\"bot smith x\"|\
        participant:bo|conversation:c-88|type:call.*|type:im.message|tenant:contoso|network:teams|is:quarantined|is:gap|\
        is:deleted|-is:duplicate|date:2013-05-28|date:2014..|date:..2013-05-29T09:15:01Z";
    for (answer, queries) in [(true, yes), (false, no)] {
        for text in queries.split('|') {
            assert_eq!(matches(&utc(text).unwrap(), &doc), answer, "{text}");
        }
    }
    let gap = Doc { gap: true, ..doc };
    for (text, answer) in [("is:gap", true), ("is:ok", false), ("is:quarantined", false), ("-is:ok", true)] {
        assert_eq!(matches(&utc(text).unwrap(), &gap), answer, "{text}");
    }
    let undated = Doc { time_ms: None, tenant: None, conversation: None, ..doc };
    for text in ["date:0001..9998", "tenant:x", "conversation:x"] {
        assert!(!matches(&utc(text).unwrap(), &undated), "{text}");
    }
}

#[test]
fn a_stored_query_is_read_forever() {
    let golden = include_str!("golden/query.v1.json");
    let stored: StoredQuery = serde_json::from_str(golden).unwrap();
    let text = "merger (\"can we talk\" OR -type:call.*) from:live:bob to:@contoso.example participant:alice \
        conversation:C-88 type:im.message.sent tenant:contoso.example network:skype is:quarantined date:2013-05-29.. *";
    assert_eq!(Query::from(stored), utc(text).unwrap());
    // Its words had diacritics.
    let old: StoredQuery =
        serde_json::from_str(r#"{"version":"1","query":{"phrase":["café","会議"]}}"#).unwrap();
    assert_eq!(Query::from(old), utc("\"café 会議\"").unwrap());

    let golden = include_str!("golden/query.v2.json");
    let stored: StoredQuery = serde_json::from_str(golden).unwrap();
    let text = "contract* recieve~1 run% =janež \"breach * contract?s\" (a OR \"b c\") w/5 (d pre/2 e) \
        x NOT w/3 y from:*@contoso.example via:bridge file:*.pdf response:486 duration:1m.. archived:2013.. \
        conversation:c-* 会議";
    assert_eq!(stored, StoredQuery::from(utc(text).unwrap()));
    let again = serde_json::to_value(&stored).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(golden).unwrap());
    // States that were added to it.
    let states =
        r#"{"version":"2","query":{"and":[{"flag":"edited"},{"flag":"deleted"},{"flag":"duplicate"}]}}"#;
    let stored: StoredQuery = serde_json::from_str(states).unwrap();
    assert_eq!(stored, StoredQuery::from(utc("is:edited is:deleted is:duplicate").unwrap()));
    assert_eq!(serde_json::to_string(&stored).unwrap(), states);
    assert!(serde_json::from_str::<StoredQuery>(r#"{"version":"3","query":"all"}"#).is_err());
}
