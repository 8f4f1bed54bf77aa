use super::*;
use crate::document::Content;
use crate::fixture::{HOSTILE, event, hostile, sample, shown, with_document};
use crate::format::samples::{bytes, check_golden, for_readers, with_files};
use crate::format::{Body, Exception};
use crate::settings::MAIL_ATTACHED_BYTES_MAX;

const PATH: &str = "eml/CUST00000001.eml";

fn headers(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_once("\r\n\r\n").unwrap().0.to_owned()
}

#[test]
fn the_mail_is_as_it_was() {
    let (rendered, all) = bytes(&Eml, &sample());
    check_golden("sample.eml", &all[PATH]);
    assert_eq!(all.keys().collect::<Vec<_>>(), [PATH]);
    assert_eq!(rendered.exceptions, []);
    assert_eq!(bytes(&Eml, &sample()).1, all);
    for_readers("eml", &Eml);
}

#[test]
fn hostile_texts_begin_no_header_and_no_part() {
    let (rendered, all) = bytes(&Eml, &hostile());
    let mail = std::str::from_utf8(&all[PATH]).unwrap();
    for line in mail.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(line.len() <= 76 || [" <", "X-Custody-"].iter().any(|s| line.starts_with(s)), "{line}");
        assert!(
            line.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic()),
            "{line:?}"
        );
        assert!(!line.starts_with("From "), "{line}");
    }
    assert!(!headers(&all[PATH]).contains("\r\nBcc"));
    assert_eq!(mail.matches("\r\nTo: ").count(), 1);
    assert_eq!(mail.matches("\r\nX-Custody-Participant:").count(), HOSTILE.len() + 1);
    assert_eq!(rendered.exceptions.len(), HOSTILE.len() / 2);
    assert_eq!(rendered.exceptions[0].what, "the file is not in the mail: its content was never uploaded");
    assert_eq!(mail.matches("\r\nContent-Disposition: attachment;").count(), HOSTILE.len());
}

#[test]
fn dates_that_a_mail_cannot_say_are_told() {
    let check = |time: &str, date: &str, told: usize| {
        let payload = event("im.message.sent", 0, "{}").replace("2013-05-29T09:15:00.000Z", time);
        with_document(&[shown(0, &payload)], |document| {
            let mail = mail(&document, "eml").unwrap();
            let expected = format!("Date: {date}\r\n");
            assert!(headers(&mail.bytes).contains(&expected), "{time}: {}", headers(&mail.bytes));
            assert_eq!(mail.exceptions.len(), told, "{time}");
        });
    };
    check("2404-02-29T12:00:00.5+02:00", "Sun, 29 Feb 2404 10:00:00 +0000", 0);
    check("1899-12-31T23:59:59Z", "Wed, 29 May 2013 09:31:40 +0000", 1);
}

#[test]
fn who_takes_part_is_in_the_head() {
    let check = |data: &str, from: &str, to: &str| {
        let shown = [shown(0, &event("im.message.sent", 0, data))];
        with_document(&shown, |document| {
            let mail = mail(&document, "eml").unwrap();
            let head = headers(&mail.bytes);
            let value = |name: &str| {
                let at = head.find(&format!("\r\n{name}: ")).unwrap();
                head[at + 4 + name.len()..].split("\r\nS").next().unwrap().to_owned()
            };
            assert_eq!(value("From"), format!("{from}\r\nTo: {to}"));
        });
    };
    check("{}", "Merger <nobody@custody.invalid>", "undisclosed-recipients:;");
    check(
        r#"{"from":{"network":"skype","address":"live:bob"},"to":[{"address":"sip:al@y","name":"Al, A."},{"address":"c@y","name":"C"}]}"#,
        "\"live:bob (skype)\" <live%3Abob@skype.invalid>",
        "\"Al, A.\" <al@y>, C <c@y>",
    );
}

#[test]
fn a_file_too_large_for_a_mail_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    with_files(folder.path(), &sample(), |mut document| {
        let Content::Here { bytes, .. } = &mut document.attachments[0].content else { panic!("it is here") };
        *bytes = MAIL_ATTACHED_BYTES_MAX + 1;
        let mail = mail(&document, "eml").unwrap();
        assert_eq!(mail.beside[0].path, "eml/CUST00000001/CUST00000002-plan.pdf");
        assert!(matches!(mail.beside[0].body, Body::Copy(_)));
        let expected = Exception {
            number: "CUST00000002".into(),
            position: Some("chat:1:0:5".into()),
            what: "the file has 33554433 bytes, too many for a mail; it is beside it as \
                   CUST00000001/CUST00000002-plan.pdf"
                .into(),
        };
        assert_eq!(mail.exceptions, [expected]);
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(text.contains("filename=\"plan.pdf.missing.txt\""), "{text}");
        assert!(text.replace("=\r\n", "").contains(", too large for a mail; it is beside it"));
    });
}
