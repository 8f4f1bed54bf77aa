use super::*;
use crate::fixture::{ALICE, BOB, HOSTILE, event, shown, with_document};
use crate::format::for_readers::{at_random, golden, render_all, rendered};
use crate::item::Shown;

fn text(rendered: &Rendered) -> String {
    let Body::Bytes(bytes) = &rendered.files[0].body else { panic!("a copy") };
    String::from_utf8(bytes.clone()).unwrap()
}

fn render(records: &[Shown]) -> Rendered {
    with_document(records, |document| ChatXml.render(&document).unwrap())
}

/// The line that begins a record's message.
fn check(kind: &str, data: &str, expected: &str) {
    let data = format!(r#"{{"from":{BOB},"to":[{ALICE}],{data}}}"#);
    let out = text(&render(&[shown(0, &event(kind, 0, &data))]));
    let line = out.lines().find(|line| line.starts_with("      <Message ")).unwrap().trim();
    assert_eq!(line, format!("<Message {expected} id=\"1\">"), "{kind} {data}");
}

#[test]
fn records_are_messages_of_the_schemas_types() {
    let message = |text: &str| format!(r#""message":{{"id":"m","text":{text}}}"#);
    check(
        "im.message.sent",
        &message(r#""a\n\"b\" <c>""#),
        r#"type="CHAT" content="a&#10;&quot;b&quot; &lt;c&gt;""#,
    );
    check(
        "im.message.edited",
        &message(r#""x""#),
        r#"type="CHAT" content="[im.message.edited] Bob edited message m: x""#,
    );
    let who = r#""participant":{"address":"c@y"}"#;
    check("conversation.participant", &format!(r#"{who},"action":"joined""#), r#"type="JOIN" content="""#);
    check("conversation.participant", &format!(r#"{who},"action":"left""#), r#"type="PART" content="""#);
    check("file.shared", r#""file":{"name":"a&b"}"#, r#"type="FILEUPLOAD" content="a&amp;b""#);
    check("file.downloaded", r#""file":{"id":"f"}"#, r#"type="FILEDOWNLOAD" content="f""#);
    let viewed = r#"type="BACKCHAT" content="Bob read the history of the conversation""#;
    check("conversation.history_viewed", r#""range":1"#, viewed);
}

#[test]
fn what_xml_cannot_hold_is_replaced_and_told() {
    let xml = |text: &str| {
        let mut xml = Xml::default();
        (xml.attribute("a", text), xml.0)
    };
    let all = HOSTILE.map(|text| xml(text).0);
    assert_eq!(all, [0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2, 0, 0]);
    assert_eq!(xml("\0\u{fffe}a"), (2, " a=\"\u{fffd}\u{fffd}a\"".to_owned()));
    let json = serde_json::to_string(HOSTILE[9]).unwrap();
    let data = format!(r#"{{"message":{{"id":"m","text":{json}}}}}"#);
    let rendered = render(&[shown(0, &event("im.message.sent", 0, &data))]);
    let exceptions: Vec<(Option<&str>, &str)> =
        rendered.exceptions.iter().map(|e| (e.position.as_deref(), e.what.as_str())).collect();
    assert_eq!(exceptions, [(Some("chat:1:0:0"), "3 characters that XML 1.0 cannot hold are U+FFFD")]);
}

#[test]
fn nobody_writes_an_instruction() {
    for (value, expected) in
        [("chat:1:0:0", "chat:1:0:0"), ("a?>b", "a%3F%3Eb"), ("a\" b", "a%22%20b"), ("ä%", "%C3%A4%25")]
    {
        assert_eq!(pseudo(value), expected);
    }
}

#[test]
fn addresses_are_uris() {
    for (address, expected) in [
        ("sip:alice@contoso.example", "sip:alice@contoso.example"),
        ("live:bob", "live:bob"),
        ("+4930", "+4930"),
        ("1:2", "1%3A2"),
        ("@ann:x.example", "@ann%3Ax.example"),
        ("//a[b]", "%2F%2Fa%5Bb%5D"),
        ("a b#c?d%", "a%20b%23c%3Fd%25"),
        ("a:\0\n", "a:%00%0A"),
    ] {
        assert_eq!(uri::reference(address), expected, "{address}");
    }
}

#[test]
fn times_are_those_of_dotnet() {
    // As in Microsoft's sample, which has one digit more.
    let mut exceptions = Vec::new();
    with_document(&[shown(0, &event("im.message.sent", 0, "{}"))], |document| {
        let mut out = Writer { xml: Xml::default(), document: &document, exceptions: &mut exceptions };
        assert!(out.time("", "T", 1_212_610_540_953_548));
        let expected = r#"<T since1970="1212610540953" string="2008-06-04T20:15:40.953548Z" long="633482073409535480" />"#;
        assert_eq!(out.xml.0.trim_end(), expected);
        assert!(!out.time("", "T", i64::MAX));
    });
}

#[test]
fn the_bytes_never_change_unnoticed() {
    let [sample, hostile] = render_all(&ChatXml, "chat-xml");
    golden("chat-xml.v1.xml", &text(&sample));
    let paths: Vec<&str> = sample.files.iter().map(|file| file.path.as_str()).collect();
    let files =
        ["CUST00000001.xml", "files/CUST00000002-plan.pdf", "files/CUST00000003-plan.pdf.missing.txt"];
    assert_eq!(paths, files.map(|file| format!("chat-xml/{file}")));
    // The missing file, and the records with text, name or file name that XML cannot hold.
    assert_eq!((sample.exceptions.len(), hostile.exceptions.len()), (1, 4));
}

/// Whatever happens, each record is told; the reader checks the rest.
#[test]
fn random_histories_lose_nothing() {
    for seed in 0..100 {
        let all = at_random(seed);
        let rendered = rendered(&ChatXml, &format!("chat-xml/random{seed}"), &all, "a");
        assert_eq!(text(&rendered).matches("<?custody-record ").count(), all.len(), "{seed}");
    }
}
