use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::fixture::{ALICE, BOB, HOSTILE, event, hostile, sample, shown, with_document};
use crate::format::Body;
use crate::format::for_readers::{at_random, render_all, rendered};
use crate::item::Shown;

fn bytes(rendered: &Rendered) -> &[u8] {
    match &rendered.files[0].body {
        Body::Bytes(bytes) => bytes,
        Body::Copy(path) => panic!("{}", path.display()),
    }
}

fn manifest_of(records: &[Shown]) -> (Value, Vec<Exception>) {
    with_document(records, |document| {
        let (manifest, _, _, exceptions) = manifest(&document);
        (serde_json::to_value(&manifest).unwrap(), exceptions)
    })
}

/// Records of a conversation of Bob and Alice, one a second.
fn records(all: &[(&str, &str, &str)]) -> Vec<Shown> {
    let one = |(n, (kind, from, rest)): (i64, &(&str, &str, &str))| {
        let data = format!(r#"{{"conversation":{{"id":"c"}},"from":{from},{rest}}}"#);
        shown(n, &event(kind, n, &data))
    };
    (0..).zip(all).map(one).collect()
}

const SENT: (&str, &str, &str) =
    ("im.message.sent", BOB, r#""message":{"id":"m1","content_type":"text/plain","text":"one"}"#);

/// What a change of a message makes: the members of the message's event that are named, and the
/// types of all events.
fn check(changes: &[(&str, &str, &str)], expected: &Value, types: &[&str]) {
    let all: Vec<_> = [SENT].iter().chain(changes).copied().collect();
    let (manifest, _) = manifest_of(&records(&all));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&manifest["events"][0][name], value, "{name} of {changes:?}");
    }
    let found: Vec<&str> =
        manifest["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(found, types, "{changes:?}");
}

#[test]
fn changes_are_told_in_rsmfs_own_fields() {
    let edit = |text: &'static str| ("im.message.edited", BOB, text);
    let one = edit(r#""message":{"id":"m1","content_type":"text/plain","text":"two"}"#);
    let html = edit(r#""message":{"id":"m1","content_type":"text/html","text":"<b>three</b>"}"#);
    let edits = json!([
        {"participant": "P1", "timestamp": "2013-05-29T09:15:01.000Z", "previous": "one", "new": "two"},
        {"participant": "P1", "timestamp": "2013-05-29T09:15:02.000Z", "previous": "two", "new": "three"},
    ]);
    check(&[one, html], &json!({"edits": edits, "body": "three"}), &["message"]);
    // Nobody knows what it became.
    check(&[edit(r#""message":{"id":"m1"}"#)], &json!({"edits": null}), &["message", "unknown"]);
    check(&[edit(r#""message":{"id":"m9","text":"x"}"#)], &json!({"body": "one"}), &["message", "unknown"]);
    let deleted = ("im.message.deleted", BOB, r#""message":{"id":"m1"}"#);
    check(&[deleted], &json!({"deleted": true, "body": "one"}), &["message"]);
    let receipt = |status: &'static str| ("im.message.receipt", ALICE, status);
    let read = receipt(r#""message":{"id":"m1"},"receipt":{"status":"read"}"#);
    let receipts = json!([{"participant": "P2", "timestamp": "2013-05-29T09:15:01.000Z", "action": "read"}]);
    check(&[read], &json!({"read_receipts": receipts}), &["message"]);
    let odd = receipt(r#""message":{"id":"m1"},"receipt":{"status":"smelt"}"#);
    check(&[odd], &json!({"read_receipts": null}), &["message", "unknown"]);
    let file = ("file.shared", ALICE, r#""message":{"id":"m1"},"file":{"name":"a.pdf"}"#);
    check(&[file], &json!({}), &["message"]);
    check(&[("file.shared", ALICE, r#""file":{"name":"a.pdf"}"#)], &json!({}), &["message", "unknown"]);
}

#[test]
fn reactions_are_those_that_last() {
    let add =
        ("im.message.reaction", ALICE, r#""message":{"id":"m1"},"reaction":{"value":"👍","action":"added"}"#);
    let remove = (
        "im.message.reaction",
        ALICE,
        r#""message":{"id":"m1"},"reaction":{"value":"👍","action":"removed"}"#,
    );
    let by_bob = (add.0, BOB, add.2);
    let both = json!([{"value": "👍", "count": 2, "participants": ["P2", "P1"]}]);
    check(&[add, add, by_bob], &json!({"reactions": both}), &["message"]);
    let bob = json!([{"value": "👍", "count": 1, "participants": ["P1"]}]);
    check(&[add, by_bob, remove], &json!({"reactions": bob}), &["message", "unknown"]);
    check(&[add, remove], &json!({"reactions": null}), &["message", "unknown"]);
    check(&[(add.0, "null", add.2)], &json!({"reactions": null}), &["message", "unknown"]);
    for (length, types) in [(30, &["message"][..]), (31, &["message", "unknown"])] {
        let value = "x".repeat(length);
        let rest = format!(r#""message":{{"id":"m1"}},"reaction":{{"value":"{value}","action":"added"}}"#);
        let all = [SENT, ("im.message.reaction", ALICE, rest.as_str())];
        let (manifest, exceptions) = manifest_of(&records(&all));
        assert_eq!(manifest["events"].as_array().unwrap().len(), types.len(), "{length}");
        assert_eq!(exceptions.len(), types.len() - 1, "{length}");
    }
}

#[test]
fn an_answer_is_below_what_it_answers() {
    let answer = |to: &str| format!(r#""message":{{"id":"m2","text":"yes","in_reply_to":"{to}"}}"#);
    for (to, parent) in [("m1", json!("chat:1:0:0")), ("m2", Value::Null), ("m9", Value::Null)] {
        let (manifest, _) = manifest_of(&records(&[SENT, ("im.message.sent", ALICE, &answer(to))]));
        assert_eq!(manifest["events"][1]["parent"], parent, "{to}");
    }
}

#[test]
fn who_joins_is_no_member_before() {
    let join = ("conversation.participant", BOB, r#""participant":{"address":"cid@y"},"action":"joined""#);
    let leave = (join.0, BOB, r#""participant":{"address":"cid@y"},"action":"left""#);
    for (changes, members) in [(&[join, leave][..], json!(["P1"])), (&[leave, join], json!(["P1", "P2"]))] {
        let all: Vec<_> = [SENT].iter().chain(changes).copied().collect();
        let (manifest, _) = manifest_of(&records(&all));
        assert_eq!(manifest["conversations"][0]["participants"], members, "{changes:?}");
        assert_eq!(manifest["conversations"][0]["type"], "channel");
    }
}

#[test]
fn what_is_special_of_a_record_is_told() {
    let mut all = records(&[SENT]);
    (all[0].is_context, all[0].deliveries, all[0].redactions) = (true, 3, 2);
    let (manifest, _) = manifest_of(&all);
    let custom = manifest["events"][0]["custom"].as_array().unwrap();
    for (name, value) in [
        ("Position", "chat:1:0:0"),
        ("Leaf SHA-256", &"00".repeat(32)),
        ("Context", "This record is no hit; it stands near one"),
        ("Deliveries", "3"),
        ("Redactions", "2"),
    ] {
        assert!(custom.contains(&json!({"name": name, "value": value})), "{name} in {custom:?}");
    }
}

#[test]
fn fields_of_a_record_are_counted_beyond_a_limit() {
    let many: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let rest = format!(r#""call":{{"id":"k"}},"extra":[{}]"#, many.join(","));
    let (manifest, exceptions) = manifest_of(&records(&[("call.invited", BOB, &rest)]));
    let custom = manifest["events"][0]["custom"].as_array().unwrap();
    assert_eq!(
        custom.iter().filter(|field| field["name"].as_str().unwrap().starts_with("extra")).count(),
        255
    );
    assert_eq!(exceptions[0].what, "145 fields of its data are not in the event");
}

#[test]
fn too_many_records_are_an_error() {
    let one = records(&[SENT]).remove(0);
    with_document(&vec![one; RSMF_EVENTS_MAX + 1], |document| {
        let error = Rsmf.render(&document).unwrap_err();
        assert_eq!(error.to_string(), "document CUST00000001 has 10001 records; RSMF allows 10000 events");
    });
}

#[test]
fn a_large_file_is_an_error_before_it_is_read() {
    with_document(&sample(), |mut document| {
        document.attachments = vec![crate::document::Attachment {
            number: "CUST00000002".into(),
            item: 0,
            name: "a".into(),
            media_type: None,
            sha256: None,
            content: Content::Here { path: "/nowhere".into(), bytes: 1_500_000_001 },
        }];
        let error = Rsmf.render(&document).unwrap_err();
        let expected = "document CUST00000001 is larger than the 2000000000 bytes of RSMF";
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn no_text_breaks_out_of_a_header() {
    for text in
        HOSTILE.into_iter().chain(["a\r\n\r\nb", "=?UTF-8?B?eA==?=", "<a@x.example>, \"b", "x\u{2028}y"])
    {
        let person = Person {
            network: Some(text.into()),
            address: Some(text.into()),
            name: Some(text.into()),
            scope: None,
            role: None,
        };
        let mut out = Vec::new();
        header(&mut out, "Subject", text);
        addresses(&mut out, "From", &[&person]);
        let out = String::from_utf8(out).unwrap();
        let mut names = Vec::new();
        for line in out.strip_suffix("\r\n").unwrap().split("\r\n") {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            assert!(line.len() <= 200, "{line:?}");
            if !line.starts_with(' ') {
                names.push(line.split(':').next().unwrap());
            }
        }
        let expected = if text.is_empty() { &["From"][..] } else { &["Subject", "From"] };
        assert_eq!(names, expected, "{text:?}: {out}");
    }
}

#[test]
fn addresses_that_are_none_of_mails_are_made_into_some() {
    let check = |network: &str, address: &str, expected: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (network, address) = (text(network), text(address));
        let person = Person { network, address, name: None, scope: None, role: None };
        assert_eq!(mail::address(&person), expected);
    };
    check("lync", "sip:alice@contoso.example", "alice@contoso.example");
    check("skype", "live:bob", "live%3Abob@skype.invalid");
    check("pstn", "+4930123456", "%2B4930123456@pstn.invalid");
    check("matrix", "@ann:x.example", "%40ann%3Ax%2Eexample@matrix.invalid");
    check("", "", "%28unknown%29@unknown.invalid");
    check("a\r\nb", "a@b@c", "a%40b%40c@ab.invalid");
    check("x", "a@b\r\nc", "a%40b%0D%0Ac@x.invalid");
    let long = "ä".repeat(40);
    let hash = &Hash::of(long.as_bytes()).to_string()[..16];
    check("x", &long, &format!("{}%C3%A-{hash}@x.invalid", "%C3%A4".repeat(6) + "%C3%A4"));
}

#[test]
fn a_name_of_any_length_makes_no_header_of_any_length() {
    let long = "ä".repeat(100_000);
    let rest = format!(r#""to":[{{"name":"{long}"}}],"message":{{"id":"m","text":"x"}}"#);
    with_document(&records(&[("im.message.sent", BOB, &rest)]), |document| {
        let thread = crate::document::Thread { label: long.clone(), ..document.thread.clone() };
        let (number, about) = (document.number.clone(), document.about);
        let document = Document::new(number, about, &thread, document.day, (1, 1), document.items);
        assert_eq!(subject(&document), format!("{}…, 2013-05-29", "ä".repeat(200)));
        let rendered = Rsmf.render(&document).unwrap();
        let head = std::str::from_utf8(bytes(&rendered)).unwrap().split_once("\r\n\r\n").unwrap().0;
        assert!(head.len() < 8_000, "{} bytes", head.len());
    });
}

#[test]
fn headers_are_folded_and_read_back() {
    let check = |value: &str, expected: &str| {
        let mut out = Vec::new();
        header(&mut out, "Subject", value);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{value:?}");
    };
    check("Merger", "Subject: Merger\r\n");
    check("", "");
    check("a\nb", "Subject: a b\r\n");
    check("ä", "Subject: =?UTF-8?B?w6Q=?=\r\n");
    check(" a", "Subject: =?UTF-8?B?IGE=?=\r\n");
    let words = ["word"; 20].join(" ");
    check(&words, &format!("Subject: {}\r\n {}\r\n", ["word"; 14].join(" "), ["word"; 6].join(" ")));
}

#[test]
fn nobody_writes_a_record_of_their_own_into_the_text() {
    let text = "hello\r\n[2013-05-29 09:00:00.000 +00:00] Alice: I agree\u{2028}x\0";
    let rest = format!(r#""message":{{"id":"m1","text":{}}}"#, serde_json::to_string(text).unwrap());
    let out = with_document(&records(&[("im.message.sent", BOB, &rest)]), |document| text::text(&document));
    let expected = "[2013-05-29 09:15:00.000 +00:00] Bob: hello\r\n    [2013-05-29 09:00:00.000 +00:00] Alice: I agree\r\n    x\u{fffd}\r\n";
    assert!(out.ends_with(expected), "{out}");
}

#[test]
fn the_text_is_in_the_productions_zone_and_the_manifest_in_utc() {
    let payload = event("im.message.sent", 0, "{}").replace("00.000Z", "00.000001Z");
    with_document(&[shown(0, &payload)], |document| {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let about = crate::document::About { zone, ..document.about.clone() };
        let number = document.number.clone();
        let document = Document::new(number, &about, document.thread, document.day, (1, 1), document.items);
        let text = text::text(&document);
        assert!(text.ends_with("[2013-05-29 11:15:00.000001 +02:00] \r\n"), "{text}");
        let (manifest, ..) = manifest(&document);
        assert_eq!(manifest.events[0].timestamp.as_deref(), Some("2013-05-29T09:15:00.000001Z"));
    });
}

#[test]
fn a_date_is_one_that_mail_knows() {
    for (time, expected) in [
        ("2013-05-29T09:15:00Z", "Wed, 29 May 2013 09:15:00 +0000"),
        ("1600-01-01T00:00:00Z", "Wed, 29 May 2013 00:00:00 +0000"),
        ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 +0000"),
    ] {
        let payload = event("im.message.sent", 0, "{}").replace("2013-05-29T09:15:00.000Z", time);
        with_document(&[shown(0, &payload)], |document| assert_eq!(date(&document), expected));
    }
}

#[test]
fn every_hostile_text_is_in_the_manifest_as_it_was() {
    let (manifest, _) = manifest_of(&hostile());
    let events = manifest["events"].as_array().unwrap();
    assert_eq!(events.len(), HOSTILE.len());
    for (event, text) in events.iter().zip(HOSTILE) {
        let found = if event["type"] == "message" {
            event["body"] == *text
        } else {
            let custom = event["custom"].as_array().unwrap();
            text.is_empty() || custom.contains(&json!({"name": "file.name", "value": text}))
        };
        assert!(found, "{text:?} in {event}");
    }
}

/// The manifest, the mail without the zip's base64, and a hash of all.
#[test]
fn the_bytes_never_change_unnoticed() {
    let [sample, _] = render_all(&Rsmf, "rsmf");
    let mail = bytes(&sample);
    let (head, _) = std::str::from_utf8(mail).unwrap().split_once("\r\n\r\n").unwrap();
    let attached = tempfile::tempdir().unwrap();
    let (manifest, text) = with_document(&crate::fixture::sample(), |mut document| {
        crate::format::for_readers::attach(&mut document, &attached, "plan.pdf");
        let (manifest, ..) = manifest(&document);
        (serde_json::to_string_pretty(&manifest).unwrap(), text::text(&document))
    });
    let mut golden = format!("{head}\n\n{text}\n{manifest}\n").replace("\r\n", "\n");
    writeln!(golden, "\nSHA-256 of the file: {}", Hash::of(mail)).unwrap();
    crate::format::for_readers::golden("rsmf.v1.txt", &golden);
    let what: Vec<&str> = sample.exceptions.iter().map(|exception| exception.what.as_str()).collect();
    assert_eq!(what, ["the file plan.pdf is not in the production: the gateway has no such file"]);
}

/// A day of a gateway alone names nobody.
#[test]
fn nobody_is_a_participant() {
    let all = [shown(0, &event("gateway.started", 0, r#"{"gateway":{"version":"2"}}"#))];
    let rendered = rendered(&Rsmf, "rsmf/nobody", &all, "a");
    let head = std::str::from_utf8(bytes(&rendered)).unwrap().split_once("\r\n\r\n").unwrap().0;
    assert!(!head.contains("X-RSMF-Participants") && !head.contains("To: "), "{head}");
    assert!(head.starts_with("From: \"(unknown)\"\r\n <%28unknown%29@unknown.invalid>\r\n"), "{head}");
}

/// Whatever happens, each record is told once; the reader checks the rest.
#[test]
fn random_histories_lose_nothing() {
    for seed in 0..100 {
        let all = at_random(seed);
        rendered(&Rsmf, &format!("rsmf/random{seed}"), &all, "a");
        let (manifest, _) = manifest_of(&all);
        let events = manifest["events"].as_array().unwrap().iter();
        let fields = events.flat_map(|event| event["custom"].as_array().unwrap());
        let is_position =
            |name: &str| name == "Position" || name.starts_with("Record ") && name.ends_with(" Position");
        let mut found: Vec<&str> = fields
            .filter(|field| is_position(field["name"].as_str().unwrap()))
            .map(|field| field["value"].as_str().unwrap())
            .collect();
        let mut expected: Vec<String> = all.iter().map(|shown| shown.position.to_string()).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{seed}");
    }
}
