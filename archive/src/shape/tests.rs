use arrow_array::RecordBatch;
use custody_schemas::Partition;
use proptest::prelude::*;

use super::*;
use crate::cut::Cutter;
use crate::rows::{Rooms, Rows};
use crate::template::Filler;
use crate::view;

/// Keys that stand in other columns, and others.
const KEYS: [Option<&[u8]>; 4] = [None, Some(b"c-88"), Some(b"//gw"), Some(b"?")];

/// The columns of these payloads, and how many were of a known shape.
fn columns(payloads: &[String], broker_time_ms: Option<i64>, mut cutter: Cutter) -> (RecordBatch, usize) {
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let (mut rows, mut known) = (Rows::new(partition, "b".into(), &Rooms::default()), 0);
    for (offset, payload) in (0..).zip(payloads) {
        let key = KEYS[offset as usize % KEYS.len()];
        let incoming = Incoming { key, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms };
        known += usize::from(cutter.known(&incoming).is_some());
        rows.append(offset, &incoming, Some(&mut cutter));
    }
    (rows.finish(0).unwrap(), known)
}

/// Every column is what it is when every payload is decoded, and every payload comes back. How many
/// were not decoded.
fn check(payloads: &[String], broker_time_ms: Option<i64>) -> usize {
    let (slow, none) = columns(payloads, broker_time_ms, Cutter::default().decoding_all());
    let (fast, known) = columns(payloads, broker_time_ms, Cutter::default());
    assert_eq!(none, 0);
    for (column, field) in slow.schema().fields().iter().enumerate() {
        // A text that was looked for may have been found in another place of the same payload.
        if matches!(&**field.name(), "template" | "payload" | "key") {
            continue;
        }
        let (fast, slow) = (fast.column(column), slow.column(column));
        let other = (0..slow.len()).find(|row| fast.slice(*row, 1) != slow.slice(*row, 1));
        if let Some(row) = other {
            let name = field.name();
            panic!("{name}: {:?} not {:?} of {}", fast.slice(row, 1), slow.slice(row, 1), payloads[row]);
        }
    }
    let (rows, mut filler) = (view::Rows::written(&fast), Filler::default());
    let verbatim = rows.verbatim().unwrap();
    for (row, payload) in payloads.iter().enumerate() {
        assert_eq!(verbatim.key(row), Ok(KEYS[row % KEYS.len()]));
        let back = verbatim.payload(row, &mut filler).unwrap();
        assert_eq!(back, Some(payload.as_bytes()));
    }
    known
}

const MESSAGE: &str = r#"{"specversion":"1.0","id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","tenant":"contoso.example","sequence":"1042","data":{"conversation":{"id":"c-88","kind":"direct","title":"Lunch"},"from":{"network":"skype","address":"live:bob","name":"Bob"},"to":[{"network":"lync","address":"sip:alice@contoso.example"}],"client":"Skype/6.5","message":{"id":"M","content_type":"text/plain","text":"BODY"}}}"#;
const CALL: &str = r#"{"id":"ID","source":"//gw","specversion":"1.0","type":"federation.call.ended.v1","time":"2013-05-29T09:15:02Z","sequence":1042,"data":{"conversation":{"id":"c-88"},"from":{"address":"live:bob","role":"caller"},"via":{"address":"gw"},"call":{"id":"k","media":["audio","video"],"on_behalf_of":"sip:boss@x","invite_time":"2013-05-29T09:15:02Z","answer_time":"2013-05-29T09:15:05.5Z","end_time":"2013-05-29T09:16:05Z","response_code":200,"reason":"bye","from_message_count":3}}}"#;
const FILE: &str = r#"{"id":"ID","source":"//gw","type":"federation.file.shared.v1","data":{"file":{"id":"f","name":"a b.pdf","media_type":"application/pdf","size":12345,"sha256":"00ff","ref":"x"}}}"#;
const SEARCH: &str = r#"{"id":"ID","source":"//gw","type":"federation.contact.searched.v1","time":"2013-05-29T09:15:02.123Z","data":{"from":{"address":"live:bob"},"search":{"query":"bob@x.example","kind":"email","result_count":1}}}"#;
const JOINED: &str = r#"{"id":"ID","source":"//gw","type":"federation.conversation.participant.v1","data":{"participant":{"address":"live:eve","name":"Eve"},"action":"joined","title":"New"}}"#;

/// The third of a kind is of a known shape, and so are others like it.
#[test]
fn what_gateways_write_is_known() {
    for (of, like) in [
        (MESSAGE, vec![("BODY", "good day"), ("ID", "ü"), ("09:15:02.123Z", "23:59:59.999Z"), ("1042", "7")]),
        (
            CALL,
            vec![
                ("1042", "0"),
                ("bye", "busy here"),
                ("200", "486"),
                ("boss", "boss"),
                ("09:16:05", "10:00:00"),
            ],
        ),
        (FILE, vec![("a b.pdf", "c.doc"), ("12345", "1"), ("00ff", "ff00")]),
        (SEARCH, vec![("bob@x.example", "eve"), ("live:bob", "live:alice")]),
        (JOINED, vec![("Eve", "Bob"), ("live:eve", "live:bob")]),
    ] {
        let mut payloads = vec![of.to_owned(); 3];
        payloads.extend(like.iter().map(|(from, to)| of.replace(from, to)));
        assert_eq!(check(&payloads, None), payloads.len() - 2, "{of}");
    }
    let escaped = |body: &str| MESSAGE.replace("BODY", body);
    let json: Vec<_> = [r"a\nb", r#"say \"a\""#, r"\\", r"\u0001"].map(escaped).into();
    assert_eq!(check(&json, None), 2);
    let ascii: Vec<_> = [r"h\u00fc", r"\ud83d\ude00", r"\u00fc\n", r"\u00fc"].map(escaped).into();
    assert_eq!(check(&ascii, None), 2);
}

/// What is like a known shape and is none.
#[test]
fn what_is_otherwise_is_decoded() {
    for (from, to) in [
        ("BODY", ""),
        ("BODY", r"a\nb"),
        ("BODY", "a\nb"),
        ("BODY", r"\ud800"),
        ("BODY", "\u{1}"),
        ("BODY", r#"","text":"twice"#),
        ("\"1042\"", "1042"),
        ("1042", "01042"),
        ("1042", "10e2"),
        ("1042", "-1"),
        ("1042", "99999999999999999999"),
        ("2013-05-29", "2013-02-29"),
        ("2013-05-29", "1989-05-29"),
        ("2013-05-29", "9999-05-29"),
        (".123Z", ".12Z"),
        (".123Z", ".123+00:00"),
        ("09:15:02", "09:15:60"),
        ("09:15:02", "24:00:00"),
        (".sent.", ".edited."),
        (".sent.", ".unknown."),
        ("{\"specversion\"", " {\"specversion\""),
        ("}}}", "}}"),
        ("}}}", "}}} "),
        ("}}}", "}}}}"),
        ("\"kind\"", "\"kund\""),
        ("\"text\"", "\"t\\u0065xt\""),
    ] {
        let other = MESSAGE.replace(from, to);
        assert_ne!(other, MESSAGE);
        let mut payloads = vec![MESSAGE.to_owned(); 3];
        payloads.push(other);
        assert_eq!(check(&payloads, None), 1, "{from} {to}");
    }
    // A day before the event: the clock of its source is ahead.
    let payloads = vec![MESSAGE.to_owned(); 4];
    assert_eq!(check(&payloads, Some(1_369_700_000_000)), 0);
    assert_eq!(check(&payloads, Some(1_369_800_000_000)), 2);
}

/// A text that was looked for stands elsewhere as well, so its place is not its column's.
#[test]
fn what_stands_twice_is_not_learned() {
    let decoy = MESSAGE.replace("\"id\":\"ID\"", r#""x":{"sequence":"1042"},"id":"ID""#);
    let escaped = MESSAGE.replace("BODY", r"a\nb").replace("\"id\":\"ID\"", r#""a\nb":0,"id":"ID""#);
    for (of, from, to) in [(&decoy, "\"1042\",\"data", "\"7\",\"data"), (&escaped, r"a\nb", r"te\u0078t")] {
        let payloads = [of.clone(), of.clone(), of.clone(), of.replace(from, to), of.replacen(from, to, 1)];
        assert_eq!(check(&payloads, None), 0, "{of}");
    }
}

/// Payloads are alike and have other values where `@` and a digit stand.
fn alike() -> impl Strategy<Value = Vec<String>> {
    let value = prop_oneof![
        4 => "[a-z]{1,20}",
        1 => Just(String::new()),
        1 => Just("ü😀\u{7f}\u{2028}".to_owned()),
        1 => Just(r#"\"a\\\n"#.to_owned()),
        1 => Just(r"\u00fc".to_owned()),
        1 => Just(r"\u00FC\/".to_owned()),
        1 => Just(r#"","id":""#.to_owned()),
        1 => Just("1042".to_owned()),
        1 => Just("2013-05-29T09:15:02Z".to_owned()),
    ];
    let shape = prop_oneof![
        Just(
            r#"{"specversion":"1.0","id":"@0","source":"@1","type":"federation.im.message.sent.v1","time":"@2","sequence":"@3","x":"@0","data":{"conversation":{"id":"@1"},"from":{"address":"@4","name":"@5"},"message":{"id":"@0","text":"@6"}}}"#
        ),
        Just(
            r#"{"id":"@0","source":"@1","type":"federation.im.message.edited.v1","time":"@2","@3":1,"data":{"title":"@4","message":{"id":"@5","text":"@6"},"search":{"query":"@3"}}}"#
        ),
        Just(
            r#"{"id":"@0","source":"@1","type":"federation.call.ended.v1","time":"2013-05-29T09:15:02Z","sequence":"@3","data":{"call":{"id":"@4","invite_time":"@2","diagnostics":{"@5":"@5"},"reason":"@6","media":["@6"],"on_behalf_of":"@4"}}}"#
        ),
        Just(
            r#"{"id":"@0","source":"//import/@1","type":"@2","time":"2013-05-29T09:15:02Z","data":{"file":{"id":"@4","name":"@5","media_type":"@6"},"participant":{"name":"@3"},"policy":{"old":"@4"}}}"#
        ),
    ];
    let values = prop::collection::vec(prop::collection::vec(value, 7), 2..10);
    (shape, values, prop::collection::vec(any::<u16>(), 10)).prop_map(|(shape, values, which)| {
        // The first again, so that there is a shape; then with one other value each, or all.
        let mut all = vec![values[0].clone(), values[0].clone()];
        for (n, other) in values.iter().enumerate() {
            let mut own = values[0].clone();
            let at = usize::from(which[n]) % 8;
            match own.get_mut(at) {
                Some(value) => value.clone_from(&other[at]),
                None => own.clone_from(other),
            }
            all.push(own);
        }
        let fill = |values: Vec<String>| {
            let fill = |text: String, (n, value): (usize, &String)| text.replace(&format!("@{n}"), value);
            values.iter().enumerate().fold(shape.to_owned(), fill)
        };
        all.into_iter().map(fill).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the values say.
    #[test]
    fn a_known_shape_changes_nothing(payloads in alike()) {
        check(&payloads, Some(1_400_000_000_000));
    }
}
