use arrow_array::Array as _;
use custody_schemas::{Incoming, Partition};
use proptest::prelude::*;

use super::*;
use crate::rows::{Rooms, Rows};
use crate::template::Filler;
use crate::view;

/// Keys as gateways choose them, and others.
const SOME_KEYS: [Option<&[u8]>; 5] = [None, Some(b"c-88"), Some(b"//gw"), Some(b"c-8"), Some(b"")];

/// What comes back of these payloads, and how many of them are stored as templates. Keys come back whatever
/// they are.
fn kept(payloads: &[&[u8]], headers: &[(&str, Option<&[u8]>)]) -> (Vec<Vec<u8>>, usize) {
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let (mut rows, mut cutter) = (Rows::new(partition, "b".into(), &Rooms::default()), Cutter::default());
    let keys: Vec<_> = SOME_KEYS.into_iter().cycle().take(payloads.len()).collect();
    for ((offset, payload), key) in (0..).zip(payloads).zip(&keys) {
        let incoming = Incoming { key: *key, headers, payload: Some(payload), broker_time_ms: None };
        rows.append(offset, &incoming, Some(&mut cutter));
    }
    let leaves = rows.leaves().to_vec();
    let batch = rows.finish(0).unwrap();
    let templates = batch.num_rows() - batch.column_by_name("template").unwrap().null_count();
    let rows = view::Rows::written(&batch);
    let verbatim = rows.verbatim().unwrap();
    let mut filler = Filler::default();
    let again: Vec<_> = verbatim.leaves(&mut filler).into_iter().map(Result::unwrap).collect();
    assert_eq!(again, leaves);
    let found: Vec<_> = (0..rows.len()).map(|row| verbatim.key(row).unwrap()).collect();
    assert_eq!(found, keys);
    let back = (0..rows.len()).map(|row| verbatim.payload(row, &mut filler).unwrap().unwrap().to_vec());
    (back.collect(), templates)
}

/// A key that stands in another column is stored there alone, and only of a template that says so.
#[test]
fn a_key_is_stored_once() {
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let (mut rows, mut cutter) = (Rows::new(partition, "b".into(), &Rooms::default()), Cutter::default());
    let keys = [None, Some(&b"c-88"[..]), Some(b"//gw"), Some(b"other")];
    for offset in 0..12 {
        let incoming = Incoming {
            key: keys[offset % 4],
            headers: &[],
            payload: Some(MESSAGE.as_bytes()),
            broker_time_ms: None,
        };
        rows.append(offset as i64, &incoming, Some(&mut cutter));
    }
    let batch = rows.finish(0).unwrap();
    let rows = view::Rows::written(&batch);
    let stored = rows.column::<arrow_array::BinaryViewArray>("key").unwrap();
    let stored: Vec<_> = (0..12).map(|row| stored.is_valid(row).then(|| stored.value(row))).collect();
    let begins = |row| rows.text("template", row).unwrap().map(|template| template[..2].to_owned());
    // The first payload has no template yet.
    assert_eq!(begins(0), None);
    for (row, stored) in stored.into_iter().enumerate().skip(1) {
        let (key, begin) = match row % 4 {
            1 => (None, "\u{4}c"),
            2 => (None, "\u{4}s"),
            other => (keys[other], "{\""),
        };
        assert_eq!((stored, begins(row).as_deref()), (key, Some(begin)), "{row}");
    }
    let verbatim = rows.verbatim().unwrap();
    (0..12).for_each(|row| assert_eq!(verbatim.key(row), Ok(keys[row % 4]), "{row}"));
}

const MESSAGE: &str = r#"{"specversion":"1.0","id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","tenant":"contoso.example","sequence":"1042","data":{"conversation":{"id":"c-88","kind":"direct","title":"Lunch"},"from":{"network":"skype","address":"live:bob","name":"Bob"},"to":[{"network":"lync","address":"sip:alice@contoso.example"},{"network":"lync","address":"sip:eve@contoso.example","name":"Bob"}],"client":"Skype/6.5","message":{"id":"ID","content_type":"text/plain","text":"BODY"}}}"#;

/// What producers write is stored as a template from its second time on, in any of their styles.
#[test]
fn usual_payloads_become_templates() {
    let cases: &[(&str, [&str; 3])] = &[
        ("compact", [r#""BODY""#, r#""hello""#, r#""good bye""#]),
        ("escapes", [r#""BODY""#, r#""say \"hi\"\nthere""#, r#""\\\b\f\n\r\t\u0001""#]),
        ("ascii", [r#""BODY""#, r#""h\u00fc \ud83d\ude00""#, r#""\u00fc""#]),
        ("a number", [r#""1042""#, "1042", "7"]),
        ("seconds", ["02.123Z", "02Z", "59Z"]),
        ("microseconds", ["02.123Z", "02.123456Z", "00.000000Z"]),
        ("an id that is also text", [r#""BODY""#, r#""ID""#, r#""ID ID""#]),
    ];
    for (what, [from, a, b]) in cases {
        let [a, b] = [a, b].map(|to| MESSAGE.replace(from, to));
        let spaced = |text: &String| text.replace("\":", "\" : ").replace(',', ",\n ");
        for [a, b] in [[a.clone(), b.clone()], [spaced(&a), spaced(&b)]] {
            let payloads = [a.as_bytes(), b.as_bytes(), a.as_bytes()];
            let (back, templates) = kept(&payloads, &[]);
            assert_eq!(back, payloads, "{what}");
            assert!(templates >= 1, "{what}: {templates}");
        }
    }
    for data in [
        r#""file":{"id":"f","name":"a b.pdf","media_type":"application/pdf","size":12345,"ref":"x"}"#,
        r#""call":{"id":"c","response_code":200,"invite_time":"2013-05-29T09:15:02Z","from_message_count":7}"#,
        r#""call":{"id":"c","diagnostics":{"ms":52037},"quality":[{"media":"audio","jitter_ms":12.5,"mos":4.25}]}"#,
        r#""search":{"query":"bob@x.example","kind":"email","result_count":1}"#,
        r#""participant":{"address":"live:eve"},"action":"joined","title":"New""#,
    ] {
        let payload = format!(r#"{{"id":"1","source":"s","type":"federation.a.v1","data":{{{data}}}}}"#);
        let other =
            payload.replace("12345", "9").replace("bob", "eve").replace("200", "404").replace('5', "3");
        let payloads = [payload.as_bytes(), other.as_bytes()];
        assert_eq!(kept(&payloads, &[]), (payloads.map(<[u8]>::to_vec).to_vec(), 1), "{data}");
    }
}

#[test]
fn what_is_no_event_or_alone_stays_as_it_is() {
    let marked = MESSAGE.replace("BODY", "a\u{1}b");
    let cut = &MESSAGE.as_bytes()[..300];
    let payloads: [&[u8]; 7] =
        [b"", b"\xff", marked.as_bytes(), marked.as_bytes(), cut, MESSAGE.as_bytes(), b"{\"x\":1}"];
    assert_eq!(kept(&payloads, &[]), (payloads.map(<[u8]>::to_vec).to_vec(), 0));
}

/// Attributes in headers are columns as well, but not of the payload.
#[test]
fn binary_mode_has_holes_for_the_data_alone() {
    let headers: [(&str, Option<&[u8]>); 4] = [
        ("ce_specversion", Some(b"1.0")),
        ("ce_id", Some(b"hello")),
        ("ce_source", Some(b"s")),
        ("ce_type", Some(b"federation.im.message.sent.v1")),
    ];
    let payloads = [&br#"{"message":{"id":"m","text":"hello"}}"#[..]; 2];
    assert_eq!(kept(&payloads, &headers), (payloads.map(<[u8]>::to_vec).to_vec(), 1));
}

/// One JSON string, in whatever escapes somebody may choose.
fn json_string(chars: Vec<(char, u8)>) -> String {
    let mut out = String::from('"');
    for (c, style) in chars {
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\u{8}' => Some("\\b"),
            _ => None,
        };
        let must = c < ' ' || c == '"' || c == '\\';
        match (style % 4, short) {
            (0 | 1, Some(short)) if must || style % 2 == 1 => out.push_str(short),
            (0 | 1, _) if !must => out.push(c),
            (style, _) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let hex = if style == 2 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    out.push_str(&hex);
                }
            }
        }
    }
    out.push('"');
    out
}

fn any_string() -> BoxedStrategy<String> {
    let c = prop_oneof![
        Just('a'),
        Just('1'),
        Just(' '),
        Just('"'),
        Just('\\'),
        Just('/'),
        Just('\n'),
        Just('\u{1}'),
        Just('\u{8}'),
        Just('ü'),
        Just('😀'),
        Just('\u{7f}'),
        Just('\u{2028}'),
        Just('P'),
        Just('0')
    ];
    prop_oneof![
        3 => prop::collection::vec((c, 0u8..4), 0..6).prop_map(json_string),
        1 => Just("\"a\"".to_owned()),
        1 => Just("\"1042\"".to_owned()),
    ]
    .boxed()
}

/// `"name" : value` with any white space.
fn member(name: &'static str, value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let space = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
    (value, space.clone(), space)
        .prop_map(move |(value, a, b)| format!("{a}\"{name}\"{b}:{a}{value}{b}"))
        .boxed()
}

fn object(members: impl Strategy<Value = Vec<String>> + 'static) -> BoxedStrategy<String> {
    members.prop_shuffle().prop_map(|members| format!("{{{}}}", members.join(","))).boxed()
}

fn party() -> BoxedStrategy<String> {
    object(
        (member("address", any_string()), member("name", any_string()), member("role", any_string()))
            .prop_map(|(a, b, c)| vec![a, b, c]),
    )
}

fn any_event() -> BoxedStrategy<String> {
    let number = prop_oneof![
        Just("7".to_owned()),
        Just("1042".to_owned()),
        Just("-0".to_owned()),
        Just("\"07\"".to_owned()),
        Just("\"1042\"".to_owned())
    ];
    let time = prop_oneof![
        Just("\"2013-05-29T09:15:02.123Z\"".to_owned()),
        Just("\"2013-05-29T09:15:02.1230000Z\"".to_owned()),
        Just("\"2013-05-29T11:15:02+02:00\"".to_owned()),
        Just("\"2013-05-29t09:15:02z\"".to_owned()),
        Just("\"9999-12-31T23:59:59.999999Z\"".to_owned()),
        Just("\"\"".to_owned())
    ];
    let message = object(
        (member("id", any_string()), member("text", any_string()), member("content_type", any_string()))
            .prop_map(|(a, b, c)| vec![a, b, c]),
    );
    let conversation =
        object((member("id", any_string()), member("title", any_string())).prop_map(|(a, b)| vec![a, b]));
    let to = prop::collection::vec(party(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,")));
    let data = object(
        (
            member("conversation", conversation),
            member("from", party()),
            member("to", to),
            member("message", message),
            member("title", any_string()),
            member("extra", any_string()),
        )
            .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]),
    );
    object(
        (
            member("id", any_string()),
            member("source", any_string()),
            member("type", any_string()),
            member("time", time),
            member("sequence", number),
            member("unknown", any_string()),
            member("data", data),
        )
            .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]),
    )
}

proptest! {
    /// Key order, white space, escapes and forms of numbers all survive.
    #[test]
    fn any_payload_comes_back(events in prop::collection::vec(any_event(), 1..4)) {
        let payloads: Vec<&[u8]> = events.iter().chain(&events).map(|event| event.as_bytes()).collect();
        let (back, _) = kept(&payloads, &[]);
        prop_assert_eq!(back, payloads);
    }
}

/// How many of these payloads become templates in a batch of their own.
fn templates_of(payloads: &[String], cutter: &mut Cutter) -> usize {
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let mut rows = Rows::new(partition, "b".into(), &Rooms::default());
    for (offset, payload) in (0..).zip(payloads) {
        let payload = Some(payload.as_bytes());
        rows.append(
            offset,
            &Incoming { key: None, headers: &[], payload, broker_time_ms: None },
            Some(cutter),
        );
    }
    payloads.len() - rows.finish(0).unwrap().column_by_name("template").unwrap().null_count()
}

#[test]
fn what_is_learned_is_known_in_the_next_batch() {
    let usual = [MESSAGE.to_owned()];
    let mut cutter = Cutter::default();
    assert_eq!(templates_of(&usual, &mut cutter), 0);
    assert_eq!(templates_of(&usual, &mut cutter), 1);
    let mut cutter = cutter.renewed();
    assert_eq!(templates_of(&usual, &mut cutter), 1);
    // Templates that never come again do not stay for ever.
    let other = |number: usize| format!(r#"{{"id":"1","source":"s","type":"federation.a.v1","x":{number}}}"#);
    let others: Vec<_> = (0..SEEN_MAX / 2).map(other).collect();
    assert_eq!(templates_of(&others, &mut cutter), 0);
    let mut cutter = cutter.renewed();
    assert_eq!(templates_of(&usual, &mut cutter), 0);
}
