//! Lines in, events out.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// Files that are not in the repository; without them their tests are skipped.
pub(super) fn data(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {}", path.display());
    None
}

fn form() -> Simple {
    Simple::new(Simple::source_of("test.jsonl"), "contoso.example")
}

/// One line's key, short type and data, or the reason for its refusal.
fn check(line: &str, want: &str) {
    let got = match form().line(line.as_bytes()) {
        Err(reason) => reason,
        Ok(outgoing) => {
            let mut event: Value = serde_json::from_slice(&outgoing.payload).unwrap();
            let data = event["data"].take();
            format!("{} {} {data}", String::from_utf8(outgoing.key).unwrap(), outgoing.kind)
        }
    };
    assert_eq!(got, want, "{line}");
}

#[test]
fn simple_form() {
    let table = [
        (
            r##"{"id":"1","network":"irc","conversation":"#ops","from":"alice","to":["#ops"],"body":"hi","kind":"message"}"##,
            r##"#ops im.message.sent {"conversation":{"id":"#ops","kind":"group"},"from":{"address":"alice","network":"irc"},"message":{"content_type":"text/plain","id":"1","text":"hi"}}"##,
        ),
        (
            r##"{"id":"2","network":"irc","conversation":"c","from":"alice","to":["bob"],"body":"* waves","kind":"action","mood":3}"##,
            r##"c im.message.sent {"conversation":{"id":"c","kind":"direct"},"extra":{"kind":"action","mood":3},"from":{"address":"alice","network":"irc"},"message":{"content_type":"text/plain","id":"2","text":"* waves"},"to":[{"address":"bob","network":"irc"}]}"##,
        ),
        (
            r##"{"id":"3","network":"irc","conversation":"#ops","from":"bob","body":"bob quit","kind":"leave"}"##,
            r##"#ops conversation.participant {"action":"left","conversation":{"id":"#ops","kind":"group"},"extra":{"body":"bob quit","kind":"leave"},"from":{"address":"bob","network":"irc"},"participant":{"address":"bob","network":"irc"}}"##,
        ),
        (
            r##"{"id":"4","network":"irc","conversation":"#ops","from":"-s-","body":"***","kind":"system"}"##,
            r##"#ops im.message.sent {"conversation":{"id":"#ops","kind":"group"},"extra":{"kind":"system"},"from":{"address":"-s-","network":"irc","scope":"system"},"message":{"content_type":"text/plain","id":"4","text":"***"}}"##,
        ),
        (
            r##"{"id":"5","from":"bob","body":"x","kind":"poke"}"##,
            r##"//import/test.jsonl import.poke {"extra":{"kind":"poke"},"from":{"address":"bob"},"message":{"content_type":"text/plain","id":"5","text":"x"}}"##,
        ),
        (
            r##"{"id":"6","network":"irc","conversation":"#ops","to":["#ops"],"body":"x","kind":"message"}"##,
            r##"#ops im.message.sent {"conversation":{"id":"#ops","kind":"group"},"extra":{"network":"irc"},"message":{"content_type":"text/plain","id":"6","text":"x"}}"##,
        ),
        (r#"{"kind":"message"}"#, "no id"),
        (r#"{"id":"1"}"#, "no kind"),
        (r#"["1"]"#, "not a JSON object"),
        (r#"{"id":"1","#, "not JSON: EOF while parsing a value at line 1 column 10"),
        (
            r#"{"id":1,"kind":"message"}"#,
            "not a record: invalid type: integer `1`, expected a string at line 1 column 7",
        ),
        (r#"{"specversion":"1.0","id":"1"}"#, "not an event: no source"),
    ];
    for (line, want) in table {
        check(line, want);
    }
    assert_eq!(form().line(b"{\"id\":\"\xFF\"}").unwrap_err(), "not UTF-8 at byte 7");
}

#[test]
fn events_pass_as_they_are() {
    let line = br#" { "specversion":"1.0", "id":"1","source":"//gw","type":"federation.gateway.started.v1","odd":[1] }"#;
    let outgoing = form().line(line).unwrap();
    assert_eq!(outgoing.payload, line);
    assert_eq!((&outgoing.key[..], &*outgoing.kind), (&b"//gw"[..], "gateway.started"));
    let line =
        br#"{"specversion":"1.0","id":"1","source":"//gw","type":"x.y","data":{"conversation":{"id":"c"}}}"#;
    let outgoing = form().line(line).unwrap();
    assert_eq!((&outgoing.key[..], &*outgoing.kind), (&b"c"[..], "x.y"));
}

#[test]
fn sequence_counts_what_is_accepted() {
    let mut form = form();
    let mut sequence = |line: &[u8]| {
        let event: Value = serde_json::from_slice(&form.line(line).ok()?.payload).unwrap();
        Some(event["sequence"].as_str()?.to_owned())
    };
    let line = br#"{"id":"1","kind":"message"}"#;
    assert_eq!(sequence(line).as_deref(), Some("1"));
    assert_eq!(sequence(b"{}"), None);
    assert_eq!(sequence(line).as_deref(), Some("2"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn read_all(bytes: Vec<u8>, bytes_max: usize) -> Vec<String> {
    let mut lines = Lines::new(Cursor::new(bytes)).unwrap().bytes_max(bytes_max);
    let mut all = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        all.push(match line {
            Line::Whole { number, bytes } => format!("{number} {}", String::from_utf8_lossy(bytes)),
            Line::TooLong { number } => format!("{number} too long"),
        });
    }
    all
}

#[test]
fn lines_of_any_input() {
    let text = b"one\r\n\nthree-is-long\n12345678\nlast".to_vec();
    let want = ["1 one", "2 ", "3 too long", "4 12345678", "5 last"];
    let two = [gzip(&text[..10]), gzip(&text[10..])].concat();
    let inputs = [text.clone(), gzip(&text), two, zstd::encode_all(&text[..], 1).unwrap()];
    for input in inputs {
        assert_eq!(read_all(input, 8), want);
    }
    assert_eq!(read_all(b"\x1F".to_vec(), 8).len(), 1);
    assert!(read_all(Vec::new(), 8).is_empty());
    assert_eq!(read_all(b"too long at the end".to_vec(), 8), ["1 too long"]);
}

#[test]
fn a_cut_file_is_an_error() {
    let mut bytes = gzip(&b"{\"id\":\"1\",\"kind\":\"message\"}\n".repeat(5_000));
    bytes.truncate(bytes.len() - 20);
    let mut lines = Lines::new(Cursor::new(bytes)).unwrap();
    let result = import_lines::<()>(&mut lines, &mut form(), &mut |_| Ok(()));
    assert!(matches!(result, Err(ImportError::Read { .. })), "{result:?}");
}

#[test]
fn a_report_keeps_the_first_reasons_and_counts_all() {
    let text = "{\"id\":\"1\",\"kind\":\"message\"}\n\nx\n".repeat(30);
    let mut lines = Lines::new(Cursor::new(text.into_bytes())).unwrap();
    let report = import_lines::<()>(&mut lines, &mut form(), &mut |_| Ok(())).unwrap();
    assert_eq!((report.accepted, report.refused_count, report.refused.len()), (30, 30, REASONS_MAX));
    assert_eq!(report.refused[1], (6, "not a JSON object".to_owned()));
    assert_eq!(report.by_type["im.message.sent"], 30);
}

#[test]
fn publishing_may_fail() {
    let mut lines = Lines::new(Cursor::new(b"\n{\"id\":\"1\",\"kind\":\"message\"}\n".to_vec())).unwrap();
    let result = import_lines(&mut lines, &mut form(), &mut |_| Err("full"));
    assert!(matches!(result, Err(ImportError::Publish { line: 2, error: "full" })), "{result:?}");
    assert_eq!(result.unwrap_err().to_string(), "cannot publish what is in line 2: full");
}

#[test]
fn a_year_of_a_channel() {
    let Some(path) = data("events/duraspace-2012.jsonl.gz") else { return };
    let mut lines = Lines::open(&path).unwrap();
    let mut bytes = 0;
    let mut publish = |outgoing: Outgoing| {
        use custody_schemas::decode::{Incoming, decode};
        assert_eq!(outgoing.key, b"#duraspace");
        let payload = Some(&outgoing.payload[..]);
        let decoded = decode(&Incoming { key: None, headers: &[], payload, broker_time_ms: None });
        assert_eq!(decoded.map(|decoded| decoded.warnings), Ok(Vec::new()));
        bytes += outgoing.payload.len();
        Ok::<_, ()>(())
    };
    let report = import_lines(&mut lines, &mut form(), &mut publish).unwrap();
    println!("{report:?}, {bytes} bytes");
    assert_eq!((report.accepted, report.refused_count), (24_965, 0));
    let by_type: Vec<_> = report.by_type.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(by_type, [("conversation.participant", 7_119), ("im.message.sent", 17_846)]);
}
