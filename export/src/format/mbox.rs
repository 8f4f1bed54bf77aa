//! All mails of a production in one mailbox, as mboxrd: what quoting changes, unquoting restores.
//!
//! Source: "mbox format family", <https://doc.dovecot.org/main/core/config/mailbox/formats/mbox.html>, and
//! RFC 4155, appendix A, for the separator.

use jiff::tz::TimeZone;

use crate::document::Document;
use crate::error::Error;
use crate::format::eml::{Mail, mail};
use crate::format::shown_time::ShownTime;
use crate::format::{Format, Line, Rendered};

const PATH: &str = "mbox/production.mbox";

/// `mbox/production.mbox`; attachments too large for a mail in `mbox/NUMBER/`.
pub(crate) struct Mbox;

impl Format for Mbox {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let Mail { bytes, beside, exceptions, date_us } = mail(document, "mbox")?;
        let bytes = quoted(&bytes, date_us);
        Ok(Rendered { files: beside, lines: vec![Line { path: PATH, bytes }], exceptions })
    }
}

/// A mail with its separator, its lines ending with LF, and an empty line after it.
fn quoted(mail: &[u8], date_us: i64) -> Vec<u8> {
    let date = ShownTime::new(date_us, &TimeZone::UTC).map(|time| time.asctime());
    let date = date.as_deref().unwrap_or("Thu Jan  1 00:00:00 1970");
    let mut out = Vec::with_capacity(mail.len() + 64);
    out.extend_from_slice(format!("From custody@custody.invalid {date}\n").as_bytes());
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if is_separator(text) {
            out.push(b'>');
        }
        out.extend_from_slice(text);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

/// Would a reader take it, or what quoting made of it, for a separator?
fn is_separator(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    line[quotes..].starts_with(b"From ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{hostile, sample};
    use crate::format::eml::Eml;
    use crate::format::samples::{bytes, for_readers};

    #[test]
    fn quoting_can_be_undone() {
        for (mail, expected) in [
            ("a\r\n\r\nFrom b\r\n", "a\n\n>From b\n"),
            (">From \r\n>>From c\r\n", ">>From \n>>>From c\n"),
            ("From\r\n From d\r\n>Fromage\r\n", "From\n From d\n>Fromage\n"),
        ] {
            let quoted = String::from_utf8(quoted(mail.as_bytes(), 1_369_818_900_000_000)).unwrap();
            let separator = "From custody@custody.invalid Wed May 29 09:15:00 2013\n";
            assert_eq!(quoted, format!("{separator}{expected}\n"));
        }
        assert!(
            quoted(b"", i64::MAX).starts_with(b"From custody@custody.invalid Thu Jan  1 00:00:00 1970\n")
        );
    }

    #[test]
    fn the_mails_are_those_of_eml() {
        for records in [sample(), hostile()] {
            let (mailbox, mails) = (bytes(&Mbox, &records), bytes(&Eml, &records));
            assert_eq!(mailbox.0.exceptions, mails.0.exceptions);
            let mailbox = String::from_utf8(mailbox.1[PATH].clone()).unwrap();
            let (_, mail) = mailbox.split_once('\n').unwrap();
            let mail = mail.strip_suffix('\n').unwrap().replace('\n', "\r\n");
            assert_eq!(mail, String::from_utf8(mails.1["eml/CUST00000001.eml"].clone()).unwrap());
        }
        for_readers("mbox", &Mbox);
    }
}
