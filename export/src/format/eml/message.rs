//! The mail of a document.

use std::collections::BTreeSet;
use std::fs;

use custody_schemas::Hash;

use super::address::{Mailbox, mailbox};
use super::header::Header;
use super::{parts, plain};
use crate::document::{Attachment, Content, Document};
use crate::error::Error;
use crate::format::html::{Files, file_path, page};
use crate::format::shown_time::ShownTime;
use crate::format::transcript::{Transcript, whole};
use crate::format::{Body, Exception, NewFile};
use crate::settings::MAIL_ATTACHED_BYTES_MAX;

/// The version of the `X-Custody-` headers.
const VERSION: &str = "1";

/// A mail, and what did not go into it.
pub(crate) struct Mail {
    /// Its lines end with CRLF; nothing else in it is CR or LF.
    pub(crate) bytes: Vec<u8>,
    /// Attachments that are too large for it.
    pub(crate) beside: Vec<NewFile>,
    pub(crate) exceptions: Vec<Exception>,
    /// The time that is its date, microseconds since 1970 UTC.
    pub(crate) date_us: i64,
}

/// The mail of a document; `folder` is where it is, for what goes beside it.
pub(crate) fn mail(document: &Document<'_>, folder: &str) -> Result<Mail, Error> {
    let transcript = Transcript::new(document);
    let attached = attached(document);
    let html = page(document, Files::InTheMail(&attached));
    let text = plain::text(document, &transcript);
    let bytes = Vec::with_capacity(html.len() * 2 + text.len());
    let mut mail = Mail { bytes, beside: vec![], exceptions: vec![], date_us: 0 };
    // Neither encoding ever has `=_` in it.
    let digest = &transcript.leaf_digest.to_string()[..32];
    let (mixed, alternative) = (format!("=_m_{digest}"), format!("=_a_{digest}"));
    headers(document, &transcript, &mut mail);
    parts::multipart(&mut mail.bytes, "mixed", &mixed);
    parts::begin(&mut mail.bytes, &mixed);
    parts::multipart(&mut mail.bytes, "alternative", &alternative);
    for (kind, text) in [("plain", &text), ("html", &html)] {
        parts::begin(&mut mail.bytes, &alternative);
        parts::text(&mut mail.bytes, kind, text);
    }
    parts::end(&mut mail.bytes, &alternative);
    for attachment in &document.attachments {
        parts::begin(&mut mail.bytes, &mixed);
        attach(document, attachment, folder, &attached, &mut mail)?;
    }
    parts::end(&mut mail.bytes, &mixed);
    Ok(mail)
}

/// The numbers of the attachments that fit into a mail, in their order.
fn attached<'d>(document: &'d Document<'_>) -> BTreeSet<&'d str> {
    let mut room = MAIL_ATTACHED_BYTES_MAX;
    let fits = document.attachments.iter().filter(|attachment| match attachment.content {
        Content::Here { bytes, .. } if bytes <= room => {
            room -= bytes;
            true
        }
        _ => false,
    });
    fits.map(|attachment| attachment.number.as_str()).collect()
}

fn attach(
    document: &Document<'_>,
    attachment: &Attachment,
    folder: &str,
    attached: &BTreeSet<&str>,
    mail: &mut Mail,
) -> Result<(), Error> {
    let number = &attachment.number;
    let position = || document.items.get(attachment.item).map(|item| item.shown.position.to_string());
    let (says, what) = match &attachment.content {
        Content::Here { path, .. } if attached.contains(number.as_str()) => {
            let bytes = fs::read(path).map_err(|source| Error::io("read", path, source))?;
            parts::file(&mut mail.bytes, attachment, &bytes);
            return Ok(());
        }
        Content::Here { path, bytes } => {
            let beside = file_path(&document.number, number, &attachment.name);
            let body = Body::Copy(path.clone());
            mail.beside.push(NewFile { path: format!("{folder}/{beside}"), body });
            let what =
                format!("the file has {bytes} bytes, too many for a mail; it is beside it as {beside}");
            (what.clone(), what)
        }
        Content::Missing(why) => (
            format!("the file is not in this production: {why}"),
            format!("the file is not in the mail: {why}"),
        ),
    };
    parts::placeholder(&mut mail.bytes, attachment, &format!("{number} {}: {says}\n", attachment.name));
    mail.exceptions.push(Exception { number: number.clone(), position: position(), what });
    Ok(())
}

fn headers(document: &Document<'_>, transcript: &Transcript<'_>, mail: &mut Mail) {
    let (about, digest) = (document.about, transcript.leaf_digest);
    mail.bytes.extend_from_slice(b"MIME-Version: 1.0\r\n");
    let date = date(document, mail);
    mail.bytes.extend_from_slice(format!("Date: {date}\r\n").as_bytes());
    people(document, &mut mail.bytes);
    let mut text = |name: &str, value: &str| {
        let mut header = Header::new(&mut mail.bytes, name);
        header.text(value);
        header.end();
    };
    text("Subject", &document.title());
    // Of the document alone: the same number and records are the same mail in every production.
    let id = Hash::of(format!("{}\0{digest}", document.number).as_bytes()).to_string();
    text("Message-ID", &format!("<{}@custody.invalid>", &id[..40]));
    text("X-Custody-Version", VERSION);
    text("X-Custody-Production", &about.production);
    text("X-Custody-Number", &document.number);
    if let Some(id) = &document.thread.id {
        text("X-Custody-Conversation", id);
    }
    text("X-Custody-Day", &document.day.to_string());
    text("X-Custody-Zone", &about.zone_name);
    text("X-Custody-Part", &format!("{} of {}", document.part, document.parts));
    text("X-Custody-Positions", &document.items.len().to_string());
    let context = document.items.iter().filter(|item| item.shown.is_context).count();
    text("X-Custody-Context", &context.to_string());
    text("X-Custody-Leaf-Digest", &digest.to_string());
    for (batch, root) in &transcript.batches {
        text("X-Custody-Batch-Root", &format!("{root} {batch}"));
    }
    for person in &document.people {
        text("X-Custody-Participant", &whole(&person.as_party()));
    }
}

/// When the first record happened; what a mail cannot say of it is an exception.
fn date(document: &Document<'_>, mail: &mut Mail) -> String {
    let zone = &document.about.zone;
    let first = document.items.first();
    let shown = |us: i64| ShownTime::new(us, zone).and_then(|time| time.rfc5322());
    mail.date_us = first.map_or(0, |item| item.at_us());
    if let Some(date) = shown(mail.date_us) {
        return date;
    }
    mail.exceptions.push(Exception {
        number: document.number.clone(),
        position: first.map(|item| item.shown.position.to_string()),
        what: "the time of the first record cannot be a mail's date; it has the time of archiving".into(),
    });
    mail.date_us = first.map_or(0, |item| item.shown.archived_ms.saturating_mul(1_000));
    shown(mail.date_us).unwrap_or_else(|| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

/// From whoever acted first, to all others.
fn people(document: &Document<'_>, out: &mut Vec<u8>) {
    let sender = document.items.iter().find_map(|item| document.person(item.from()?)).unwrap_or(0);
    let nobody = || Mailbox { name: document.thread.label.clone(), address: "nobody@custody.invalid".into() };
    let mut header = Header::new(out, "From");
    write(&mut header, &document.people.get(sender).map_or_else(nobody, mailbox), "");
    header.end();
    let others: Vec<Mailbox> = document
        .people
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != sender)
        .map(|(_, person)| mailbox(person))
        .collect();
    let mut header = Header::new(out, "To");
    if others.is_empty() {
        header.word("undisclosed-recipients:;");
    }
    for (n, other) in others.iter().enumerate() {
        write(&mut header, other, if n + 1 == others.len() { "" } else { "," });
    }
    header.end();
}

fn write(header: &mut Header<'_>, mailbox: &Mailbox, after: &str) {
    header.phrase(&mailbox.name);
    header.word(&format!("<{}>{after}", mailbox.address));
}
