use super::*;
use crate::fixture::{ALICE, BOB, event, hostile, sample, shown, with_document};
use crate::item::Shown;

/// A transcript in short: number, sentence or text, flags, facts; what is about it follows a `>`.
fn outline(shown: &[Shown]) -> Vec<String> {
    with_document(shown, |document| {
        let mut out = Vec::new();
        for entry in &Transcript::new(&document).entries {
            out.push(short(entry));
            out.extend(entry.history.iter().map(|entry| format!("> {}", short(entry))));
        }
        out
    })
}

fn short(entry: &Entry<'_>) -> String {
    let what = match &entry.what {
        What::Message { text, .. } => format!("{text:?}"),
        What::Event { sentence, text } => {
            format!("{sentence}{}", text.as_ref().map_or(String::new(), |text| format!(" {text:?}")))
        }
    };
    let facts: String = entry.facts.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let flags: String = entry.flags.iter().map(|flag| format!(" [{flag}]")).collect();
    let answers = entry.answers.map(|answer| format!(" re {} {:?}", answer.id, answer.item));
    format!("{} {what}{}{flags}{facts}", entry.item, answers.unwrap_or_default())
}

fn check(events: &[(&str, &str)], expected: &[&str]) {
    let shown: Vec<Shown> =
        (0..).zip(events).map(|(n, (kind, data))| shown(n, &event(kind, n, data))).collect();
    assert_eq!(outline(&shown), expected);
}

#[test]
fn the_history_of_a_message_stands_under_it() {
    let m = |rest: &str| format!(r#"{{"from":{{"name":"Ann"}},{rest}}}"#);
    let sent = m(r#""message":{"id":"m","text":"one","importance":"high"}"#);
    let edited = m(r#""message":{"id":"m","text":"two"}"#);
    let deleted = m(r#""message":{"id":"m"}"#);
    let removed = m(r#""message":{"id":"m"},"reaction":{"value":"+1","action":"removed"}"#);
    let other = m(r#""message":{"id":"x","text":"","in_reply_to":"m","content_type":"TEXT/HTML"}"#);
    check(
        &[
            ("im.message.edited", &edited),
            ("im.message.sent", &sent),
            ("im.message.deleted", &deleted),
            ("im.message.sent", &sent),
            ("im.message.reaction", &removed),
            ("im.message.sent", &other),
            ("im.message.deleted", r#"{"message":{"id":"elsewhere"}}"#),
        ],
        &[
            r#"1 "one" [deleted later] [edited later] [importance: high]"#,
            r#"> 0 Ann edited it; the new text: "two" by=Ann"#,
            "> 2 Ann deleted it by=Ann",
            "> 4 Ann took back the reaction +1 by=Ann",
            r#"3 "one" [importance: high]"#,
            r#"5 "" re m Some(1) [sent as HTML, shown as text]"#,
            "6 (unknown) deleted message elsewhere",
        ],
    );
}

#[test]
fn recipients_are_told_where_they_change() {
    let m = |from: &str, to: &str| format!(r#"{{"from":{from},"to":[{to}],"message":{{"text":"-"}}}}"#);
    let cid = r#"{"network":"xmpp","address":"cid@y"}"#;
    check(
        &[
            ("im.message.sent", &m(BOB, ALICE)),
            ("im.message.sent", &m(BOB, ALICE)),
            ("im.message.sent", &m(ALICE, BOB)),
            ("im.message.sent", &m(ALICE, &format!("{BOB},{cid}"))),
            ("im.message.sent", &m(cid, ALICE)),
            ("im.message.sent", &m(BOB, "")),
        ],
        &[
            r#"0 "-" to=Alice Archer <sip:alice@contoso.example>, lync, internal"#,
            r#"1 "-""#,
            r#"2 "-""#,
            r#"3 "-" now also to=cid@y, xmpp"#,
            r#"4 "-" no longer to=live:bob"#,
            r#"5 "-" no longer to=sip:alice@contoso.example; cid@y"#,
        ],
    );
}

#[test]
fn what_no_sentence_says_is_shown_whole() {
    let mut records = [
        shown(0, "{"),
        shown(1, &event("x", 1, r#"{"secret":1}"#).replace("federation.", "com.")),
        shown(2, &event("file.shared", 2, r#"{"message":{"text":"look"},"file":{"name":"a"}}"#)),
        shown(
            3,
            &event("im.message.sent", 3, r#"{"message":{"text":"b"}}"#).replace(r#""time":"#, r#""t":"#),
        ),
    ];
    records[0].payload = Some(b"\xff{".to_vec());
    records[0].redactions = 2;
    records[3].redactions = 1;
    let lines = outline(&records);
    assert!(lines[0].starts_with("0 Could not be decoded: "), "{lines:?}");
    assert!(lines[0].ends_with(r#" "�{" [2 redactions] [no time of its own: Kafka's time]"#), "{}", lines[0]);
    let expected = format!("1 Event of type com.x.v1 {:?} [not a type of the contract]", {
        String::from_utf8_lossy(records[1].payload.as_ref().unwrap())
    });
    assert_eq!(lines[1], expected);
    assert_eq!(lines[2], r#"2 (unknown) shared the file a "look""#);
    assert_eq!(lines[3], r#"3 "b" [1 redaction] [no time of its own: Kafka's time]"#);
}

#[test]
fn every_record_is_there_once() {
    for records in [sample(), hostile()] {
        with_document(&records, |document| {
            let transcript = Transcript::new(&document);
            let all = transcript.entries.iter().flat_map(|e| std::iter::once(e).chain(&e.history));
            let mut all: Vec<usize> = all.map(|entry| entry.item).collect();
            all.sort_unstable();
            assert_eq!(all, (0..records.len()).collect::<Vec<_>>());
            assert_eq!(transcript.batches, [("0197", Hash([0xbb; 32]))]);
            let leaves: Vec<u8> = records.iter().flat_map(|shown| shown.leaf.0).collect();
            assert_eq!(transcript.leaf_digest, Hash::of(&leaves));
        });
    }
}
