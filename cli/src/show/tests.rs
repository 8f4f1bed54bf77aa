use std::sync::Arc;

use custody_index::text::Snippet;
use custody_index::{Answer, Hit, Versions};

use super::conversation::Window;
use super::*;

#[test]
fn hostile_text_is_made_visible() {
    for (text, expected) in [
        ("plain ü 😀", "plain ü 😀"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\u{202e}b", "a\\u{202e}b"),
        ("a\u{61c}\u{2028}\u{feff}b", "a\\u{61c}\\u{2028}\\u{feff}b"),
        ("👩\u{200d}💻", "👩\u{200d}💻"),
        ("a\nb\tc\0", "a\nb\\u{9}c\\u{0}"),
    ] {
        assert_eq!(clean(text), expected);
    }
}

#[test]
fn texts_fit_their_columns() {
    for (text, columns, expected) in [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("日本語", 4, "日… "),
        ("", 2, "  "),
        ("日本", 4, "日本"),
    ] {
        assert_eq!(fit(text, columns), expected);
    }
}

#[test]
fn times_in_a_zone() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    for (us, expected) in [
        (Some(1_369_818_902_123_000), "2013-05-29 11:15:02"),
        (None, "no time"),
        (Some(i64::MAX), "9223372036854775807 µs"),
    ] {
        assert_eq!(time(us, &zone, "%Y-%m-%d %H:%M:%S"), expected);
    }
}

#[test]
fn a_name_of_marks_alone_is_cut() {
    let name = "\u{301}".repeat(1_000_000);
    assert!(fit(&name, 40).chars().count() <= 40 * 5 + 1);
}

#[test]
fn json_is_shown_as_it_was_sent() {
    for (text, expected) in [
        (
            r#"{"b":1.10,"a":[1,{}, [ ]],"b":12345678901234567890123}"#,
            "{\n  \"b\": 1.10,\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"b\": 12345678901234567890123\n}",
        ),
        (r#" {"a" : "x\"}{,: y" } "#, "{\n  \"a\": \"x\\\"}{,: y\"\n}"),
        ("7", "7"),
        (r#""é\\""#, r#""é\\""#),
    ] {
        assert_eq!(json::pretty(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(json::pretty("{"), None);
    // Deep nesting costs no more than its length.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(json::pretty(&deep).is_none_or(|text| text.len() < 20_000_000));
}

fn message(offset: i64, kind: &str, seconds: i64, id: &str, text: &str) -> Record {
    Record {
        position: format!("t:1:0:{offset}").parse().unwrap(),
        batch: "b".into(),
        batch_root: custody_schemas::Hash([0; 32]),
        file: "f".into(),
        leaf: custody_schemas::Hash([0; 32]),
        broker_time_ms: None,
        archived_ms: 0,
        quarantined: None,
        gap: None,
        warnings: None,
        identity: Some(offset.unsigned_abs()),
        id: format!("{offset}"),
        source: "//gw".into(),
        sequence: None,
        kind: format!("federation.{kind}.v1"),
        time_us: Some((1_369_818_900 + seconds) * 1_000_000),
        tenant: None,
        conversation: None,
        conversation_kind: None,
        title: None,
        parties: [("from", "Bob"), ("participant", "left wing")]
            .map(|(relation, name)| custody_archive::Party {
                relation: relation.into(),
                network: None,
                address: None,
                name: Some(name.into()),
                role: None,
                scope: (relation == "from").then(|| "federated".into()),
            })
            .into(),
        client: None,
        message_id: (!id.is_empty()).then(|| id.into()),
        content_type: None,
        body: kind.starts_with("im.message").then(|| text.into()),
        detail: Some(text.into()),
        call: None,
        shared_file: None,
        key: None,
        headers: Vec::new(),
        payload: Some(format!("{kind}{id}{text}").into_bytes()),
    }
}

fn records() -> Vec<Record> {
    let mut again = message(5, "im.message.sent", 1, "m1", "hello\nworld\x1b[2J");
    again.identity = Some(1);
    vec![
        message(4, "conversation.participant", 9, "", "joined left wing"),
        message(3, "im.message.deleted", 3, "m1", ""),
        message(2, "im.message.edited", 2, "m1", "hello all"),
        again,
        message(1, "im.message.sent", 1, "m1", "hello\nworld\x1b[2J"),
        message(6, "im.message.edited", 4, "elsewhere", "new"),
        message(7, "com.example.odd", 86_400, "", "odd"),
    ]
}

const WHOLE: &str = "\
── Wednesday, 29 May 2013 ──
  09:15:01  Bob (federated): hello
              world\\u{1b}[2J [replaced] ×2
            edited 09:15:02 by Bob: hello all [deleted]
            deleted 09:15:03 by Bob
  09:15:04  [im.message.edited] Bob (federated) new
  09:15:09  * left wing joined

── Thursday, 30 May 2013 ──
  09:15:00  [federation.com.example.odd.v1] Bob (federated) odd
";

#[test]
fn a_conversation_is_read_in_order() {
    let shown = conversation::conversation(&records(), &TimeZone::UTC, None, Window::Lines(20));
    assert_eq!(shown, WHOLE.replace("federation.com.example.odd.v1", "com.example.odd"));
}

/// What was done to a message in an order that cannot be, and by whom.
#[test]
fn changes_in_any_order_show_every_version() {
    let change = |offset, kind: &str, seconds, text: &str| {
        message(offset, &format!("im.message.{kind}"), seconds, "m", text)
    };
    let sent = change(1, "sent", 5, "a");
    let reaction =
        |offset, seconds, text: &str| Record { body: None, ..change(offset, "reaction", seconds, text) };
    let receipt =
        |offset, seconds, text: &str| Record { body: None, ..change(offset, "receipt", seconds, text) };
    for (changes, expected) in [
        (vec![], "  09:15:05  Bob (federated): a\n".to_owned()),
        // Before the message, as another clock says.
        (
            vec![change(2, "edited", 1, "b"), change(3, "edited", 7, "a")],
            "  09:15:05  Bob (federated): a [replaced]
            edited 09:15:01 by Bob: b [replaced]
            edited 09:15:07 by Bob: a\n"
                .to_owned(),
        ),
        (
            vec![change(4, "deleted", 8, ""), change(2, "deleted", 7, ""), change(3, "edited", 9, "b")],
            "  09:15:05  Bob (federated): a [deleted]
            deleted 09:15:07 by Bob
            deleted again 09:15:08 by Bob
            edited 09:15:09 by Bob, after it was deleted: b\n"
                .to_owned(),
        ),
        // The text stands: nothing was done to it.
        (
            vec![
                receipt(2, 6, "read"),
                reaction(3, 7, "added 👍"),
                receipt(4, 8, "delivered"),
                receipt(5, 9, "read"),
            ],
            "  09:15:05  Bob (federated): a
            added 👍 09:15:07 by Bob
            delivered 09:15:08 by Bob
            read 09:15:06 by Bob, 09:15:09 by Bob\n"
                .to_owned(),
        ),
    ] {
        let mut records = changes;
        // Archived before or after the changes, it is the same.
        for at in [0, records.len()] {
            records.insert(at, sent.clone());
            let shown = conversation::conversation(&records, &TimeZone::UTC, None, Window::Lines(20));
            assert_eq!(shown, format!("── Wednesday, 29 May 2013 ──\n{expected}"));
            records.remove(at);
        }
    }
}

#[test]
fn a_change_on_another_day_says_which() {
    let records =
        [message(1, "im.message.sent", 1, "m", "a"), message(2, "im.message.edited", 86_401, "m", "b")];
    let shown = conversation::conversation(&records, &TimeZone::UTC, None, Window::Lines(20));
    assert!(shown.contains("edited 2013-05-30 09:15:01 by Bob: b"), "{shown}");
}

fn changed_hit(record: &Record, of: &[Record], left_out: u64) -> Hit<Record> {
    let versions = Versions { records: of.iter().cloned().map(Arc::new).collect(), left_out };
    // Without a snippet the text is shown.
    let snippet = Snippet { text: String::new(), highlights: Vec::new() };
    Hit { versions, snippet, ..hit(record.clone()) }
}

#[test]
fn a_hit_shows_what_became_of_its_message() {
    let of = [
        message(2, "im.message.edited", 0, "m", "b"),
        message(1, "im.message.sent", 1, "m", "a\x1b[2J"),
        message(3, "im.message.deleted", 86_401, "m", ""),
    ];
    for (own, expected) in [
        (
            0,
            "b\n    t:1:0:2\n        sent 2013-05-29 09:15:01 by Bob: a\\u{1b}[2J [replaced]
        deleted 2013-05-30 09:15:01 by Bob\n",
        ),
        (
            1,
            "a\\u{1b}[2J\n    t:1:0:1\n        edited 2013-05-29 09:15:00 by Bob: b [deleted]
        deleted 2013-05-30 09:15:01 by Bob\n",
        ),
    ] {
        let shown = hits::table(&[changed_hit(&of[own], &of, 0)], &TimeZone::UTC, false);
        assert!(shown.ends_with(expected), "{shown}");
        let mark = [" [deleted]", " [replaced]"][own];
        assert!(shown.lines().next().unwrap().ends_with(mark), "{shown}");
    }
    let shown = hits::table(&[changed_hit(&of[1], &of, 7)], &TimeZone::UTC, false);
    assert!(shown.ends_with("and 7 versions between the first and these\n"), "{shown}");
    let long = [of[1].clone(), message(2, "im.message.edited", 2, "m", &"b".repeat(1_000))];
    let shown = hits::table(&[changed_hit(&long[0], &long, 0)], &TimeZone::UTC, false);
    assert!(shown.len() < 700 && shown.ends_with("bbb…\n"), "{shown}");
    let alone = hits::table(&[changed_hit(&of[1], &[], 0)], &TimeZone::UTC, false);
    assert!(alone.ends_with("  \n    a\\u{1b}[2J\n    t:1:0:1\n"), "{alone}");
}

#[test]
fn versions_of_a_hit_for_machines() {
    let of = [message(1, "im.message.sent", 1, "m", "a"), message(2, "im.message.edited", 2, "m", "b")];
    let answer = Answer {
        through_version: 1,
        total: 1,
        copies: 1,
        hits: vec![changed_hit(&of[1], &of, 3)],
        next: None,
        facets: None,
        splits_opened: 1,
        splits_pruned: 0,
    };
    let value: serde_json::Value = serde_json::from_str(&hits::json(&answer, None)).unwrap();
    let versions = &value["hits"][0]["versions"];
    assert_eq!(versions[0]["position"], "t:1:0:1");
    assert_eq!((&versions[0]["text"], &versions[1]["text"]), (&"a".into(), &"b".into()));
    assert_eq!(versions[1]["type"], "im.message.edited");
    assert_eq!(versions[1]["time"], "2013-05-29T09:15:02Z");
    assert_eq!(versions[1]["from"]["name"], "Bob");
    assert_eq!(value["hits"][0]["versions_left_out"], 3);
}

#[test]
fn durations_are_clocks() {
    for (ms, expected) in [
        (0, "0:00"),
        (65_999, "1:05"),
        (3_600_000, "1:00:00"),
        (-5_000, "-0:05"),
        (i64::MIN, "-2562047788015:12:55"),
    ] {
        assert_eq!(conversation::duration(ms), expected);
    }
}

#[test]
fn a_record_is_shown_with_its_key() {
    let mut record = message(1, "im.message.sent", 1, "m", "a");
    record.key = Some(b"c-88\x1b".into());
    let shown = record::record(&record, &TimeZone::UTC, false);
    assert!(shown.contains("\nkey           c-88\\u{1b}\n"), "{shown}");
}

/// Whatever part of a line is asked for, the line is marked.
#[test]
fn the_line_of_a_record_is_marked() {
    // The widest window is not too wide.
    let position = "t:1:0:4".parse().unwrap();
    let shown =
        conversation::conversation(&records(), &TimeZone::UTC, Some(&position), Window::Lines(usize::MAX));
    assert!(shown.contains("▶ 09:15:09") && !shown.contains("of 4 lines"), "{shown}");
    for (position, expected) in [
        ("t:1:0:1", "▶ 09:15:01"),
        ("t:1:0:5", "▶ 09:15:01"),
        ("t:1:0:3", "▶ 09:15:01"),
        ("t:1:0:4", "▶ 09:15:09"),
        ("t:1:0:6", "▶ 09:15:04"),
        ("t:1:0:9", "t:1:0:9 is not in this conversation"),
    ] {
        let at = Some(position.parse().unwrap());
        let shown = conversation::conversation(&records(), &TimeZone::UTC, at.as_ref(), Window::Lines(0));
        assert!(shown.contains(expected), "{position}: {shown}");
        assert_eq!(shown.contains("1 of 4 lines"), expected.starts_with('▶'), "{shown}");
    }
}

#[test]
fn minutes_around_a_line() {
    let mut records = records();
    records.push(Record { time_us: None, ..message(8, "im.message.sent", 0, "m8", "no clock") });
    for (position, seconds, lines) in [
        ("t:1:0:6", 0, vec!["▶ 09:15:04"]),
        ("t:1:0:6", 3, vec!["  09:15:01", "▶ 09:15:04"]),
        ("t:1:0:6", 4, vec!["  09:15:01", "▶ 09:15:04"]),
        ("t:1:0:6", 5, vec!["  09:15:01", "▶ 09:15:04", "  09:15:09"]),
        // Of the line: its edit came later.
        ("t:1:0:2", 3, vec!["▶ 09:15:01", "  09:15:04"]),
        ("t:1:0:7", 86_391, vec!["  09:15:09", "▶ 09:15:00"]),
        ("t:1:0:8", 86_400, vec!["▶ no time"]),
        ("t:1:0:7", i64::MAX / 1_000_000, vec!["  09:15:01", "  09:15:04", "  09:15:09", "▶ 09:15:00"]),
    ] {
        let (at, window) = (position.parse().unwrap(), Window::Time(seconds * 1_000_000));
        let shown = conversation::conversation(&records, &TimeZone::UTC, Some(&at), window);
        let is_line = |line: &&str| ["  09:", "▶ "].iter().any(|start| line.starts_with(start));
        let begun = shown.lines().filter(is_line);
        let begun: Vec<String> =
            begun.map(|line| line.chars().take(10).collect::<String>().trim_end().to_owned()).collect();
        assert_eq!(begun, lines, "{position} {seconds}\n{shown}");
    }
}

fn hit(record: Record) -> custody_index::Hit<Record> {
    let said = custody_index::text::Said {
        content_type: record.content_type.as_deref(),
        body: record.body.as_deref(),
        title: Some("all hello"),
        ..Default::default()
    };
    let query = custody_index::query::parse("hello", &TimeZone::UTC).unwrap();
    let (snippet, highlights) = custody_index::text::highlighted(&said, &query, 80);
    let versions = Versions::default();
    custody_index::Hit { record, version: 3, score: 0.0, copies: 1, versions, snippet, highlights }
}

#[test]
fn highlights_are_of_the_body_that_stands_beside_them() {
    let mut record =
        message(1, "im.message.sent", 1, "m", "<p title=hello>say <b>H&euml;llo</b> &amp; hello");
    record.content_type = Some("text/html".into());
    let value = hits::value(&hit(record));
    let body = value["body"].as_str().unwrap();
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let ranges = value["highlights"].as_array().unwrap().iter();
    let found: Vec<_> = ranges.map(|at| &body[number(&at["start"])..number(&at["end"])]).collect();
    assert_eq!(found, ["H&euml;llo", "hello"]);
    assert_eq!(value["content_type"], "text/html");
    assert_eq!(value["highlights_in"], serde_json::json!(["body", "title"]));
    assert_eq!(value["highlights_more"], false);
}

#[test]
fn groups_for_people_and_machines() {
    let group = |value: &str, count, offset| custody_index::Group {
        value: value.to_owned(),
        count,
        hit: hit(message(offset, "im.message.sent", 1, "m", "hello")),
    };
    let answer = custody_index::Grouped {
        through_version: 7,
        total: 9,
        copies: 9,
        groups_total: 3,
        ungrouped: 2,
        groups: vec![group("c-1\x1b[2J", 5, 1), group("", 2, 2)],
        next: Some("ab".to_owned().into()),
        facets: None,
        splits_opened: 1,
        splits_pruned: 0,
    };
    let shown = groups::table(&answer.groups, &TimeZone::UTC, false);
    assert!(shown.starts_with("         5  c-1\\u{1b}[2J\n2013-05-29 09:15:01  im.message.sent"), "{shown}");
    assert!(shown.contains("\n    [hello] all [hello]\n    t:1:0:1\n         2  (none)\n"), "{shown}");
    assert_eq!(
        groups::summary(&answer, 1, Some("UTC")),
        "2 of 3 groups of 9 records, 2 of them in no group; complete through version 7, 1 behind the archive; \
         times in UTC\nnext page: --cursor ab\n"
    );
    let json: serde_json::Value = serde_json::from_str(&groups::json(&answer, None)).unwrap();
    assert_eq!(
        (&json["groups"][0]["count"], &json["groups"][1]["hit"]["position"]),
        (&5.into(), &"t:1:0:2".into())
    );
    assert_eq!(
        (&json["groups_total"], &json["ungrouped"], &json["next"]),
        (&3.into(), &2.into(), &"ab".into())
    );
    assert_eq!(groups::jsonl(&answer).lines().count(), 2);
}
