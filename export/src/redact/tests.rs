use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fixture::{ALICE, BOB, HOSTILE, event, hostile, sample, shown};
use crate::item::with_items;

fn redaction(name: &str, what: What) -> Redaction {
    Redaction { name: name.into(), reason: "because".into(), what }
}

/// The built-in rules, and two of one's own.
static ALL: LazyLock<Rules> = LazyLock::new(|| {
    let own = |pattern: &str| What::Pattern(pattern.into());
    Rules::new(&[
        redaction("card", What::Card),
        redaction("iban", What::Iban),
        redaction("ssn", What::Ssn),
        redaction("email", What::Email),
        redaction("phone", What::Phone),
        redaction("project", own("(?i)blue\\s*bird")),
        redaction("drug", own("aspirin")),
    ])
    .unwrap()
});

/// The text with blocks, or the text itself.
fn cleaned(rules: &Rules, text: &str) -> String {
    rules.clean(text, Written::Plain, &mut [0; 7]).unwrap_or_else(|| text.to_owned())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(cleaned(&ALL, text), expected, "{text}");
}

#[test]
fn cards() {
    for (text, expected) in [
        ("pay 4111111111111111.", "pay [redacted: card]."),
        ("4111 1111 1111 1111 exp 12/26", "[redacted: card] exp 12/26"),
        ("4111-1111-1111-1111 123", "[redacted: card] 123"),
        ("1 4111 1111 1111 1111 12", "1 [redacted: card] 12"),
        ("378282246310005", "[redacted: card]"),
        ("3782 822463 10005", "[redacted: card]"),
        ("6304000000000000", "[redacted: card]"),
        ("4222222222222", "[redacted: card]"),
        ("6011000990139424x", "[redacted: card]x"),
        ("Visa4111111111111111", "Visa[redacted: card]"),
        ("6 4111 1111 1111 1111 5", "[redacted: card] 5"),
        ("4111\n1111\n1111\n1111", "[redacted: card]"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[redacted: card]"),
        ("４１１１\u{a0}1111\u{200b}1111 1111", "[redacted: card]"),
        ("\u{664}\u{661}\u{661}\u{661}111111111111", "[redacted: card]"),
        // A wrong check digit, too long, too short, within an id, with 0 or 1 at its beginning.
        ("4111111111111112", "4111111111111112"),
        ("41111111111111111111", "41111111111111111111"),
        ("411111111111", "411111111111"),
        ("b94d4111111111111111", "b94d4111111111111111"),
        ("4111111111111111e5", "4111111111111111e5"),
        ("0000000000000000", "0000000000000000"),
        ("1369818900007", "1369818900007"),
        ("4111 1111, 1111 1111", "4111 1111, 1111 1111"),
    ] {
        check(text, expected);
    }
}

#[test]
fn ibans() {
    for (text, expected) in [
        ("DE89370400440532013000", "[redacted: iban]"),
        ("to DE89 3704 0044 0532 0130 00 please", "to [redacted: iban] please"),
        ("gb29 nwbk 6016 1331 9268 19.", "[redacted: iban]."),
        ("IBAN:FR14-2004-1010-0505-0001-3M02-606", "IBAN:[redacted: iban]"),
        ("NO9386011117947", "[redacted: iban]"),
        ("MT84MALT011000012345MTLCAST001S", "[redacted: iban]"),
        ("ＤＥ89370400440532013000", "[redacted: iban]"),
        ("DE88370400440532013000", "DE88370400440532013000"),
        ("DE8937040044053201300", "DE8937040044053201300"),
        ("DE893704004405320130001", "DE893704004405320130001"),
        ("IBANDE89370400440532013000", "IBAN[redacted: iban]"),
        ("X1DE89370400440532013000", "X1DE89370400440532013000"),
        ("ZZ89370400440532013000", "ZZ89370400440532013000"),
    ] {
        check(text, expected);
    }
}

#[test]
fn social_security_numbers() {
    for (text, expected) in [
        ("SSN 123-45-6789", "SSN [redacted: ssn]"),
        ("123 45 6789, 078.05.1120", "[redacted: ssn], [redacted: ssn]"),
        ("123\u{2011}45\u{2011}6789", "[redacted: ssn]"),
        ("000-45-6789", "000-45-6789"),
        ("666-45-6789", "666-45-6789"),
        ("900-45-6789", "900-45-6789"),
        ("123-00-6789", "123-00-6789"),
        ("123-45-0000", "123-45-0000"),
        ("123456789", "123456789"),
        ("123-45-67890", "123-45-67890"),
        ("7-123-45-6789", "7-123-45-6789"),
        ("123-45-6789-7", "123-45-6789-7"),
        ("123--45-6789", "123--45-6789"),
    ] {
        check(text, expected);
    }
}

#[test]
fn email_addresses() {
    for (text, expected) in [
        ("mail bob@x.example, now", "mail [redacted: email], now"),
        ("<bob.o'neil+a@mail.x.example>", "<[redacted: email]>"),
        ("sip:bob@x.example;a=b", "sip:[redacted: email];a=b"),
        ("Jürgen@müller.example.", "[redacted: email]."),
        ("\"bob smith\"@x.example", "[redacted: email]"),
        ("bob@[192.0.2.1]", "[redacted: email]"),
        ("bob＠x.example", "[redacted: email]"),
        ("bob\u{200b}@x.example", "[redacted: email]"),
        ("bounce+bob=x.example@y.example", "[redacted: email]"),
        ("bob@localhost", "bob@localhost"),
        ("19:1f2e@thread.skype", "19:1f2e@thread.skype"),
        ("@bob @x.example", "@bob @x.example"),
    ] {
        check(text, expected);
    }
}

#[test]
fn phone_numbers() {
    for (text, expected) in [
        ("call +49 (0)30 1234-567", "call [redacted: phone]"),
        ("+442079460958", "[redacted: phone]"),
        ("tel:+1-415-555-0123;ext=2", "tel:[redacted: phone];ext=2"),
        ("0049 30 1234567", "[redacted: phone]"),
        ("00491701234567", "[redacted: phone]"),
        ("(415) 555-0123 or 415.555.0124", "[redacted: phone] or [redacted: phone]"),
        ("1-415-555-0123", "[redacted: phone]"),
        ("020 7946 0958", "[redacted: phone]"),
        ("030/1234567", "[redacted: phone]"),
        ("01 23 45 67 89", "[redacted: phone]"),
        ("＋49 30 1234567", "[redacted: phone]"),
        // Dates and times, small and filled numbers, ids, sums.
        ("01.02.2013 09:15", "01.02.2013 09:15"),
        ("01/02/13 10:20:30", "01/02/13 10:20:30"),
        ("2013-05-29T09:15:00.123456Z", "2013-05-29T09:15:00.123456Z"),
        ("2013-05-29 09:15:00", "2013-05-29 09:15:00"),
        ("0012345678", "0012345678"),
        ("tel+49 30 1234567", "tel[redacted: phone]"),
        ("12+3456789", "12+3456789"),
        ("0+49 30 1234567", "0[redacted: phone]"),
        ("id-0197-1234-5678", "id-0197-1234-5678"),
        ("4155550123", "4155550123"),
        ("+1 23", "+1 23"),
        ("192.168.100.200", "192.168.100.200"),
    ] {
        check(text, expected);
    }
}

#[test]
fn own_expressions_and_meetings_of_rules() {
    for (text, expected) in [
        ("Blue Bird and BLUEBIRD", "[redacted: project] and [redacted: project]"),
        // Where two meet, the first in the list names the block.
        ("bluebird@x.example", "[redacted: email]"),
        ("aspirin", "[redacted: drug]"),
    ] {
        check(text, expected);
    }
    // What only stands side by side once something is gone is found as well.
    let own = |name: &str, pattern: &str| redaction(name, What::Pattern(pattern.into()));
    let rules = Rules::new(&[own("X", "z+"), own("Y", r"a\[[a-zX: ]*\]b")]).unwrap();
    assert_eq!(cleaned(&rules, "1 azzb 2"), "1 [redacted: Y] 2");
    // What only matches what a tag stands for has no place of its own: the text goes as a whole.
    let rules = Rules::new(&[own("X", r"\(/plan\)")]).unwrap();
    assert_eq!(cleaned(&rules, "a <a href=/plan>link</a> b"), "[redacted: X]");
}

#[test]
fn markup_hides_nothing() {
    for (text, expected) in [
        ("<b>4111</b>1111<i>1111</i>1111 x", "<b>[redacted: card]</b><i></i> x"),
        ("4111&#49;111&nbsp;11111111", "[redacted: card]"),
        ("<p>bob<!-- c -->@<wbr>x.example</p>", "<p>[redacted: email]<!-- c --><wbr></p>"),
        ("<a href=\"mailto:bob@x.example\">Bob</a>", "<a href=\"mailto:[redacted: email]\">Bob</a>"),
        ("<a href='mailto:bob&#64;x.example'>Bob</a>", "<a href='mailto:[redacted: email]'>Bob</a>"),
        ("<!-- 123-45-6789 -->&amp;", "<!-- [redacted: ssn] -->&amp;"),
        ("<script>var a='bob&commat;x.example'</script>", "<script>var a='[redacted: email]'</script>"),
        ("<img alt='4111 1111 1111 1111' src=x>", "[redacted: card]"),
        ("a <img alt='Blue' src=x>bird", "a [redacted: project]"),
        ("<td>4111 1111</td><td>1111 1111</td>", "<td>[redacted: card]</td><td></td>"),
    ] {
        check(text, expected);
    }
}

/// A message with this JSON string as its text, of this content type.
fn message(content_type: &str, text: &str) -> String {
    event(
        "im.message.sent",
        0,
        &format!(
            r#"{{"conversation":{{"id":"c-88"}},"from":{ALICE},"message":{{"id":"m","content_type":"{content_type}","text":{text}}}}}"#
        ),
    )
}

/// What becomes of a payload, and how many blocks there are.
fn payload(rules: &Rules, payload: &[u8]) -> (Vec<u8>, u64) {
    let mut record = shown(0, "");
    record.payload = Some(payload.to_vec());
    let applied = apply(rules, &mut record);
    let count = applied.iter().map(|applied| applied.count).sum();
    assert_eq!(u64::from(record.redactions), count);
    (record.payload.unwrap(), count)
}

#[test]
fn json_stays_json_and_keeps_its_other_bytes() {
    let rules = &*ALL;
    for (json, expected, count) in [
        (r#"{"a" : "x 4111111111111111" , "b":1e5}"#, r#"{"a" : "x [redacted: card]" , "b":1e5}"#, 1),
        (r#"{"a":"caf\u00e9 \u0034\u0031111111 1111 1111\t"}"#, r#"{"a":"caf\u00e9 [redacted: card]\t"}"#, 1),
        (r#"{"a":"bob\u0040x.example\n\u003cb>"}"#, r#"{"a":"[redacted: email]\n\u003cb>"}"#, 1),
        (
            r#"{"a":"4111\u003cb\u003e1111\u003C/b>11111111"}"#,
            r#"{"a":"[redacted: card]\u003cb\u003e\u003C/b>"}"#,
            1,
        ),
        (
            r#"{"bob@x.example":{"n":[4111111111111111]}}"#,
            r#"{"[redacted: email]":{"n":["[redacted: card]"]}}"#,
            2,
        ),
        (r#"{"size":4111111111111111}"#, r#"{"size":null}"#, 1),
        (r#"["aspirin",["aspirin"]]"#, r#"["[redacted: drug]",["[redacted: drug]"]]"#, 2),
        (r#""aspirin""#, r#""[redacted: drug]""#, 1),
        ("4111111111111111", r#""[redacted: card]""#, 1),
        (r#"{"a":"\ud83d aspirin"}"#, r#"{"a":"\ud83d [redacted: drug]"}"#, 1),
        // No JSON: text, with or without its escapes.
        ("{\"a\":\"x aspirin", "{\"a\":\"x [redacted: drug]", 1),
        (r#"{"a":"bob\u0040x.example"#, r#"{"a":"[redacted: email]"#, 1),
        ("call 030/1234567 now", "call [redacted: phone] now", 1),
        ("", "", 0),
    ] {
        let (found, blocks) = payload(rules, json.as_bytes());
        assert_eq!((String::from_utf8(found).unwrap().as_str(), blocks), (expected, count), "{json}");
    }
    let (found, _) = payload(rules, b"\xff\xfe aspirin \xc3 bob@x.example\xe2\x82");
    assert_eq!(found, b"\xff\xfe [redacted: drug] \xc3 [redacted: email]\xe2\x82");
}

#[test]
fn keys_headers_and_numbers_of_blocks() {
    let rules = &*ALL;
    let mut record = shown(0, &message("text/plain", r#""aspirin, aspirin, bob@x.example""#));
    record.key = Some(b"4111111111111111".to_vec());
    record.headers = vec![
        ("x-bob@x.example".into(), Some(b"aspirin \xff".to_vec())),
        ("ce_type".into(), Some(b"federation.im.message.sent.v1".to_vec())),
        ("none".into(), None),
    ];
    let applied = apply(rules, &mut record);
    let applied: Vec<_> = applied.iter().map(|applied| (applied.rule.as_str(), applied.count)).collect();
    // The sender's address is one, too.
    assert_eq!(applied, [("card", 1), ("email", 3), ("drug", 3)]);
    assert_eq!(record.redactions, 7);
    assert_eq!(record.key.unwrap(), b"[redacted: card]");
    assert_eq!(record.headers[0], ("[redacted: email]".into(), Some(b"[redacted: drug] \xff".to_vec())));
    assert_eq!(record.headers[1].1.as_deref(), Some(&b"federation.im.message.sent.v1"[..]));
}

#[test]
fn words_of_the_contract_stay() {
    let own = |name: &str, pattern: &str| redaction(name, What::Pattern(pattern.into()));
    let rules =
        Rules::new(&[own("X", "message|direct|skype|text|conversation|2013"), own("Y", "Bob")]).unwrap();
    let mut record = shown(
        0,
        &event(
            "im.message.sent",
            0,
            &format!(
                r#"{{"conversation":{{"id":"c","kind":"direct","title":"direct"}},"from":{BOB},"message":{{"content_type":"text/plain","text":"a message of Bob in 2013"}},"message_x":1}}"#
            ),
        ),
    );
    apply(&rules, &mut record);
    let payload = String::from_utf8(record.payload.clone().unwrap()).unwrap();
    for (kept, gone) in [
        (r#""type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:00.000Z""#, r#"message_x"#),
        (r#""kind":"direct","title":"[redacted: X]""#, r#""Bob""#),
        (r#""network":"skype""#, "of Bob"),
        (
            r#""content_type":"text/plain","text":"a [redacted: X] of [redacted: Y] in [redacted: X]""#,
            "in 2013",
        ),
    ] {
        assert!(payload.contains(kept), "{kept}: {payload}");
        assert!(!payload.contains(gone), "{gone}: {payload}");
    }
    with_items(&[record], |items| assert_eq!(items[0].kind, "im.message.sent"));
}

#[test]
fn mistakes_are_told() {
    let own = |pattern: &str| What::Pattern(pattern.into());
    let refused = |redactions: &[Redaction]| Rules::new(redactions).unwrap_err().to_string();
    for name in ["", " a", "a]", "a\"", "é", &"n".repeat(65)] {
        assert!(refused(&[redaction(name, What::Card)]).contains("a name is"), "{name}");
    }
    assert!(refused(&[redaction("a", What::Card), redaction("a", What::Ssn)]).contains("two of this name"));
    let no_reason = Redaction { reason: " ".into(), ..redaction("a", What::Card) };
    assert!(refused(&[no_reason]).contains("no reason"));
    for (pattern, why) in [
        ("(", "its expression is none"),
        ("(?=a)", "its expression is none"),
        (r"\w{1000}{1000}", "its expression is none"),
        ("a*", "matches where nothing is"),
        ("", "matches where nothing is"),
        ("red", "matches \"[redacted: a]\""),
    ] {
        let refused = refused(&[redaction("a", own(pattern))]);
        assert!(refused.contains(why), "{pattern}: {refused}");
    }
    assert!(refused(&[redaction("a", own(&"x".repeat(20_000)))]).contains("is longer than"));
    assert!(refused(&[redaction("a", What::Records(vec!["chat:1".into()]))]).contains("is not a position"));
    // A name may look like what another rule redacts.
    let pair = [redaction("4111111111111111", own("zz")), redaction("card", What::Card)];
    assert!(refused(&pair).contains("redaction \"card\" matches"));
    let many: Vec<_> = (0..101).map(|n| redaction(&format!("n{n}"), What::Card)).collect();
    assert!(refused(&many).contains("more than 100"));
}

fn conversation(item: &crate::item::Item<'_>) -> Option<String> {
    Some(item.data().conversation.as_ref()?.id.as_ref()?.to_string())
}

#[test]
fn withheld_records_keep_who_when_and_which() {
    for (at, before) in sample().into_iter().enumerate() {
        let rules =
            Rules::new(&[redaction("held", What::Records(vec![before.position.to_string()]))]).unwrap();
        let mut after = before.clone();
        let applied = apply(&rules, &mut after);
        assert_eq!(applied, [Applied { rule: "held".into(), count: after.redactions.into() }]);
        let text = String::from_utf8(after.payload.clone().unwrap()).unwrap();
        for gone in [
            "merger",
            "Today",
            "Merger",
            "<b>",
            "plan.pdf",
            "Project",
            "bob@x.example",
            "Hello",
            "\"off\"",
            "disk full",
            "👍",
            "normal",
        ] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        with_items(&[before, after], |items| {
            let [before, after] = items else { panic!() };
            assert_eq!(before.kind, after.kind, "{at}");
            assert_eq!(before.time_us, after.time_us);
            assert_eq!(before.from(), after.from());
            assert_eq!(before.to(), after.to());
            assert_eq!(before.data().participant, after.data().participant);
            assert_eq!(before.message_id(), after.message_id());
            let key = if conversation(before).is_some() { "c-88" } else { "[redacted: held]" };
            assert_eq!(after.shown.key.as_deref(), Some(key.as_bytes()));
            assert_eq!(conversation(before), conversation(after));
            if let Some((_, text)) = after.body() {
                assert_eq!(text, "[redacted: held]");
            }
        });
    }
}

#[test]
fn what_a_withheld_record_says() {
    let position = shown(0, "").position.to_string();
    let rules = Rules::new(&[redaction("h", What::Records(vec![position]))]).unwrap();
    for (json, expected, count) in [
        (
            r#"{"id":"i","t\u0069me":"t","data":{"message":{"id":"m","te\u0078t":"secret","x":1},"policy":{"old":{"a":["s"]},"new":null},"file":{"size":7,"name":""}}, "secret":[{"a":1},2]}"#,
            r#"{"id":"i","t\u0069me":"t","data":{"message":{"id":"m","te\u0078t":"[redacted: h]","[redacted: h]":"[redacted: h]"},"policy":{"old":"[redacted: h]","new":null},"file":{"size":7,"name":""}}, "[redacted: h]":"[redacted: h]"}"#,
            6,
        ),
        // Members that are not what the contract has there.
        (r#"{"data":"secret"}"#, r#"{"data":"[redacted: h]"}"#, 1),
        (
            r#"{"id":{"s":"secret"},"data":{"to":["secret",{"name":"n"}]}}"#,
            r#"{"id":{"[redacted: h]":"[redacted: h]"},"data":{"to":["[redacted: h]",{"name":"n"}]}}"#,
            3,
        ),
        (
            r#"{"data":{"call":{"on_behalf_of":{"name":"n","s":1},"diagnostics":[1]}}}"#,
            r#"{"data":{"call":{"on_behalf_of":{"name":"n","[redacted: h]":"[redacted: h]"},"diagnostics":"[redacted: h]"}}}"#,
            3,
        ),
        ("{}", "{}", 0),
        // No object.
        ("[\"secret\"]", "[redacted: h]", 1),
        ("{\"id\":\"secret", "[redacted: h]", 1),
        ("", "", 0),
    ] {
        let mut record = shown(0, json);
        record.key = None;
        record.headers.clear();
        let applied = apply(&rules, &mut record);
        let found = String::from_utf8(record.payload.clone().unwrap()).unwrap();
        assert_eq!((found.as_str(), applied[0].count), (expected, count), "{json}");
        let again = apply(&rules, &mut record);
        assert_eq!(again[0].count, 0, "{json}");
    }

    // Binary mode: the payload is the data. The key is kept where it is an id.
    for (key, expected) in [("i", "i"), ("c", "c"), ("secret", "[redacted: h]")] {
        let mut record = shown(0, r#"{"conversation":{"id":"c","title":"secret"},"id":"secret"}"#);
        record.key = Some(key.into());
        record.headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "i"),
            ("Content-Type", "application/json"),
            ("ce_x", "secret"),
        ]
        .map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())))
        .to_vec();
        apply(&rules, &mut record);
        assert_eq!(record.key.unwrap(), expected.as_bytes());
        let payload = String::from_utf8(record.payload.unwrap()).unwrap();
        assert_eq!(
            payload,
            r#"{"conversation":{"id":"c","title":"[redacted: h]"},"[redacted: h]":"[redacted: h]"}"#
        );
        assert_eq!(record.headers[3], ("[redacted: h]".into(), Some(b"[redacted: h]".to_vec())));
        assert_eq!(record.headers[1].1.as_deref(), Some(&b"i"[..]));
    }
}

#[test]
fn rows_of_gaps_stay() {
    let position = shown(0, "").position.to_string();
    let rules =
        Rules::new(&[redaction("h", What::Records(vec![position])), redaction("card", What::Card)]).unwrap();
    let mut record = shown(0, r#"{"a":"4111111111111111"}"#);
    record.is_gap = true;
    let before = record.clone();
    assert_eq!(apply(&rules, &mut record), []);
    assert_eq!(record, before);
}

/// Every text of a record in every reading of it; what the contract says itself is left out.
fn readings(record: &Shown) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    all.extend(record.key.iter().map(|key| String::from_utf8_lossy(key).into_owned()));
    for (name, value) in &record.headers {
        all.push(name.clone());
        all.extend(value.iter().map(|value| String::from_utf8_lossy(value).into_owned()));
    }
    let payload = record.payload.as_deref().unwrap_or_default();
    match serde_json::from_slice::<serde_json::Value>(payload) {
        Ok(value) => values("", &value, &mut all),
        Err(_) => all.push(String::from_utf8_lossy(payload).into_owned()),
    }
    with_items(std::slice::from_ref(record), |items| {
        all.extend(items[0].text().map(|text| text.into_owned()));
        all.push(crate::describe::describe(&items[0]));
    });
    let plain: Vec<String> =
        all.iter().map(|text| custody_schemas::text::plain(Some("text/html"), text).into_owned()).collect();
    all.extend(plain);
    all
}

fn values(name: &str, value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if !contract::is_word(name, text) => all.push(text.clone()),
        serde_json::Value::Number(number) => all.push(number.to_string()),
        serde_json::Value::Array(array) => array.iter().for_each(|value| values(name, value, all)),
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                all.push(name.clone());
                values(name, value, all);
            }
        }
        _ => {}
    }
}

/// What must be gone, wherever it was.
const SECRETS: [&str; 6] = [
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "123-45-6789",
    "bob@x.example",
    "+49 30 1234567",
    "BlueBird",
];

/// A secret in a disguise.
fn disguised(secret: &str, how: u8) -> String {
    let mut chars = secret.chars();
    match how % 6 {
        0 => secret.to_owned(),
        1 => chars.map(|c| format!("&#{};", u32::from(c))).collect(),
        2 => chars.map(|c| format!("<b>{c}</b>")).collect(),
        3 => format!("<a title=\"{secret}\" href='mailto:{secret}'>x</a>"),
        4 => format!("{}<!-- -->{}", chars.next().unwrap_or_default(), chars.as_str()),
        _ => format!("<!-- {secret} -->"),
    }
}

/// A JSON string of a text, with its characters as escapes or not.
fn quoted(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).unwrap();
    }
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        (select(&SECRETS[..]), any::<u8>()).prop_map(|(secret, how)| disguised(secret, how)),
        select(&HOSTILE[..]).prop_map(str::to_owned),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.join(" "))
}

fn records() -> impl Strategy<Value = Shown> {
    let html = select(&["text/html", "text/plain"][..]);
    (proptest::collection::vec((texts(), any::<bool>()), 6), html, 0..8_usize, any::<bool>()).prop_map(
        |(texts, content_type, broken, cut)| {
            let quoted: Vec<String> = texts.iter().map(|(text, escaped)| quoted(text, *escaped)).collect();
            let [text, name, title, odd, number, key] = quoted.as_slice() else { panic!() };
            let data = format!(
                r#"{{"conversation":{{"id":"c","title":{title}}},"from":{{"name":{name}}},"message":{{"id":"m","content_type":"{content_type}","text":{text}}},{odd}:[{number}, 4111111111111111],"end":{{}}}}"#
            );
            let mut payload = event("im.message.sent", 0, &data).into_bytes();
            if broken == 0 {
                payload.truncate(payload.len() - 9);
            }
            let mut record = shown(0, "");
            record.payload = Some(payload);
            record.key = Some(key.clone().into_bytes());
            record.headers.push((texts[5].0.clone(), cut.then(|| texts[4].0.clone().into_bytes())));
            record
        },
    )
}

/// Whether a text has a secret by itself: markup may end in a digit that makes a longer number of it,
/// which is none of a rule's then.
fn has(text: &str, secret: &str) -> bool {
    let joins = |c: Option<char>| secret != "BlueBird" && c.is_some_and(char::is_alphanumeric);
    text.match_indices(secret).any(|(at, _)| {
        !joins(text[..at].chars().next_back()) && !joins(text[at + secret.len()..].chars().next())
    })
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn nothing_that_a_rule_matches_is_left(before in records()) {
        let rules = &*ALL;
        let mut after = before.clone();
        let applied = apply(rules, &mut after);
        if applied.is_empty() {
            prop_assert_eq!(&after, &before);
        }
        let json = |record: &Shown| json::is_json(record.payload.as_deref().unwrap_or_default());
        prop_assert_eq!(json(&before), json(&after));
        let readings = readings(&after);
        for text in &readings {
            let mut left = Vec::new();
            rules.matches(text, &mut |range, rule| left.push((text[range].to_owned(), rule)));
            prop_assert!(left.is_empty(), "{:?} in {:?}", left, text);
            for secret in SECRETS {
                prop_assert!(!has(text, secret), "{} in {:?}", secret, text);
            }
        }
        // A second time there is nothing to do.
        let once = after.clone();
        prop_assert_eq!(apply(rules, &mut after), []);
        prop_assert_eq!(after, once);
    }
}

#[test]
fn records_without_a_match_keep_every_byte() {
    let rules = Rules::new(&[
        redaction("card", What::Card),
        redaction("iban", What::Iban),
        redaction("ssn", What::Ssn),
    ])
    .unwrap();
    for before in sample().into_iter().chain(hostile()) {
        let mut after = before.clone();
        assert_eq!(apply(&rules, &mut after), []);
        assert_eq!(after, before);
    }
}
