//! Records for the tests of formats.

use custody_schemas::{Hash, Partition, Position};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::document::{About, Document, Thread};
use crate::item::{Shown, with_items};

/// 2013-05-29T09:15:00Z in milliseconds since 1970.
const BEGIN_MS: i64 = 1_369_818_900_000;

/// The payload of an event of a type (its short name), so many seconds after 09:15 of 29 May 2013.
/// `data` is JSON.
pub(crate) fn event(kind: &str, second: i64, data: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(BEGIN_MS + second * 1_000).unwrap();
    format!(
        r#"{{"specversion":"1.0","id":"e{second}","source":"//gw","type":"federation.{kind}.v1","time":"{time:.3}","tenant":"contoso.example","data":{data}}}"#
    )
}

/// A record with this payload at an offset.
pub(crate) fn shown(offset: i64, payload: &str) -> Shown {
    let byte = u8::try_from(offset % 256).unwrap();
    Shown {
        position: Position {
            partition: Partition { topic: "chat".into(), generation: 1, partition: 0 },
            offset,
        },
        leaf: Hash([byte; 32]),
        batch: "0197".into(),
        batch_root: Hash([0xbb; 32]),
        archived_ms: BEGIN_MS + 1_000_000,
        broker_time_ms: Some(BEGIN_MS + 500_000 + offset),
        key: Some(b"c-88".to_vec()),
        headers: vec![("content-type".into(), Some(b"application/cloudevents+json".to_vec()))],
        payload: Some(payload.as_bytes().to_vec()),
        is_gap: false,
        deliveries: 1,
        is_context: false,
        redactions: 0,
    }
}

/// Parties of the sample: `from` federated, `to` internal.
pub(crate) const BOB: &str = r#"{"network":"skype","address":"live:bob","name":"Bob","scope":"federated"}"#;
/// See [`BOB`].
pub(crate) const ALICE: &str =
    r#"{"network":"lync","address":"sip:alice@contoso.example","name":"Alice Archer","scope":"internal"}"#;

fn data(from: &str, to: &str, rest: &str) -> String {
    format!(
        r#"{{"conversation":{{"id":"c-88","kind":"direct","title":"Merger"}},"from":{from},"to":[{to}],"client":"Skype/6.5",{rest}}}"#
    )
}

/// A conversation with a record of every kind in it, in order of time: messages (plain, HTML, an
/// answer), edits, a deletion, reactions, receipts, files, a call, joins, a rename, contacts, a
/// search, a policy, a gateway, a foreign type, and one that cannot be decoded.
pub(crate) fn sample() -> Vec<Shown> {
    let b = |rest: &str| data(BOB, ALICE, rest);
    let a = |rest: &str| data(ALICE, BOB, rest);
    let call = r#""call":{"id":"k1","invite_time":"2013-05-29T09:16:00Z","answer_time":"2013-05-29T09:16:05Z","end_time":"2013-05-29T09:26:05Z","media":["audio"],"response_code":200,"reason":"normal","from_message_count":1,"to_message_count":2,"quality":[{"media":"audio","codec":"SILK","jitter_ms":2.5,"mos":4.1}]}"#;
    let cid =
        r#""participant":{"network":"xmpp","address":"cid@y.example","name":"Cid","scope":"federated"}"#;
    let events = [
        (
            "im.message.sent",
            b(
                r#""message":{"id":"m1","content_type":"text/plain","text":"Can we talk about the merger?\nToday."}"#,
            ),
        ),
        (
            "im.message.sent",
            a(
                r#""message":{"id":"m2","content_type":"text/html","text":"<p>Yes &amp; <b>no</b></p>","in_reply_to":"m1"}"#,
            ),
        ),
        (
            "im.message.edited",
            b(r#""message":{"id":"m1","content_type":"text/plain","text":"Can we talk?"}"#),
        ),
        ("im.message.reaction", a(r#""message":{"id":"m1"},"reaction":{"value":"👍","action":"added"}"#)),
        ("im.message.receipt", a(r#""message":{"id":"m1"},"receipt":{"status":"read"}"#)),
        (
            "file.shared",
            b(
                r#""file":{"id":"f1","name":"plan.pdf","media_type":"application/pdf","size":11,"sha256":"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9","ref":"files/plan.pdf"}"#,
            ),
        ),
        ("file.downloaded", a(r#""file":{"id":"f1"}"#)),
        ("call.invited", b(r#""call":{"id":"k1","media":["audio"]}"#)),
        ("call.answered", a(r#""call":{"id":"k1","media":["audio"]}"#)),
        ("call.participant", b(&format!(r#""call":{{"id":"k1"}},{cid},"action":"joined""#))),
        ("call.media", b(r#""call":{"id":"k1","media":["audio","video"]}"#)),
        ("call.ended", b(call)),
        ("conversation.participant", b(&format!(r#"{cid},"action":"joined""#))),
        ("conversation.participant", b(&format!(r#"{cid},"action":"left""#))),
        ("conversation.renamed", a(r#""title":"Project \"X\"""#)),
        ("conversation.history_viewed", a(r#""range":{}"#)),
        ("contact.searched", a(r#""search":{"query":"bob@x.example","kind":"email","result_count":1}"#)),
        ("contact.requested", b(r#""contact":{"text":"Hello, it is Bob"}"#)),
        ("contact.accepted", a(r#""contact":{}"#)),
        (
            "policy.changed",
            a(
                r#""policy":{"scope":"domain","target":"skype.com","setting":"federation","old":"off","new":"on"}"#,
            ),
        ),
        ("gateway.outage", r#"{"outage":{"from":"2013-05-29T09:00:00Z","reason":"disk full"}}"#.to_owned()),
        ("im.message.deleted", a(r#""message":{"id":"m2"}"#)),
    ];
    let mut all: Vec<Shown> =
        (0..).zip(&events).map(|(n, (kind, data))| shown(n, &event(kind, n, data))).collect();
    let next = i64::try_from(all.len()).unwrap();
    all.push(shown(next, &event("odd.thing", next, "{}").replace("federation.", "com.example.")));
    all.push(shown(next + 1, "{"));
    all[1].is_context = true;
    all[1].deliveries = 2;
    all
}

/// Texts that break formats: separators, formulas, markup, controls, right-to-left tricks.
pub(crate) const HOSTILE: [&str; 18] = [
    "=HYPERLINK(\"http://x.example\",\"a\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\u{fe}\u{14}\u{ae}",
    "a\r\nBcc: eve@x.example\r\n\r\nbody",
    "From the start\n>From quoted\n.\nend",
    "<script>alert(1)</script> & \"quoted\" 'single' ]]> -->",
    "nul \0 bell \u{7} escape \u{1b}[31m",
    "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
    "  leading and trailing  ",
    "",
    "漢字 ไทย 👩‍👩‍👧 e\u{301} ﷽",
    "a,b;c\\d|e\"f",
    "\u{fffe}\u{ffff}\u{fffd}",
    "../../etc/passwd",
    "line\u{2028}separator\u{85}next",
];

/// Messages of the [`HOSTILE`] texts: as text, names, titles and file names at once.
pub(crate) fn hostile() -> Vec<Shown> {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    (0..)
        .zip(HOSTILE)
        .map(|(n, text)| {
            let text = json(text);
            let from = format!(r#"{{"network":"skype","address":{text},"name":{text},"scope":"federated"}}"#);
            let data = format!(
                r#"{{"conversation":{{"id":"c-9","kind":"group","title":{text}}},"from":{from},"to":[{ALICE}],"message":{{"id":"h{n}","content_type":"text/plain","text":{text}}},"file":{{"id":"f{n}","name":{text},"media_type":{text},"size":3}}}}"#
            );
            shown(n, &event(if n % 2 == 0 { "im.message.sent" } else { "file.shared" }, n, &data))
        })
        .collect()
}

/// One document of these records.
pub(crate) fn with_document<R>(shown: &[Shown], then: impl FnOnce(Document<'_>) -> R) -> R {
    let about = About {
        production: "0123456789abcdef0123456789abcdef".into(),
        who: "dana@contoso.example".into(),
        why: "case 7".into(),
        zone: TimeZone::UTC,
        zone_name: "UTC".into(),
        through_version: 7,
        custody_version: "0.1.0".into(),
        custodians: None,
    };
    let thread = Thread {
        key: "c:c-88".into(),
        id: Some("c-88".into()),
        kind: Some("direct".into()),
        title: Some("Merger".into()),
        label: "Merger".into(),
    };
    let day = Date::constant(2013, 5, 29);
    with_items(shown, |items| then(Document::new("CUST00000001".into(), &about, &thread, day, (1, 1), items)))
}
