//! Attachments: the files of a document, and the evidence of where its dialogs came from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::form::{Attachment, Body, Dialog, Evidence, File, Known, Record};
use super::{created_at, leaf_digest};
use crate::describe::describe;
use crate::document::{self, Content, Document, Person};
use crate::error::Error;
use crate::format::Exception;
use crate::item::Item;
use crate::settings::VCON_FILES_BYTES_MAX;

/// Files as attachments, and what the evidence says of them.
pub(super) fn files<'d>(
    document: &'d Document<'_>,
    dialog: &[Dialog],
    exceptions: &mut Vec<Exception>,
) -> Result<(Vec<Attachment<'d>>, Vec<File<'d>>), Error> {
    let mut room = VCON_FILES_BYTES_MAX;
    let (mut attachments, mut files) = (Vec::new(), Vec::new());
    for (at, file) in document.attachments.iter().enumerate() {
        let mut attachment = attachment(document, file, dialog);
        match &file.content {
            Content::Here { path, bytes } => {
                let Some(left) = room.checked_sub(*bytes) else {
                    let message = format!(
                        "the files of document {} are larger than {VCON_FILES_BYTES_MAX} bytes",
                        document.number
                    );
                    return Err(Error::invalid(message));
                };
                room = left;
                let content = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
                if content.len() as u64 != *bytes {
                    return Err(Error::corrupt(format!("{} is not {bytes} bytes any more", path.display())));
                }
                attachment.body = Body::Text(URL_SAFE_NO_PAD.encode(content));
                attachment.encoding = "base64url";
            }
            Content::Missing(why) => {
                let what = format!("the file {} is not in the production: {why}", file.name);
                exceptions.push(Exception { number: file.number.clone(), position: None, what });
                attachment.body = Body::Text(format!("This file is not in the production: {why}"));
                "text/plain".clone_into(&mut attachment.mediatype);
                attachment.filename += ".missing.txt";
            }
        }
        attachments.push(attachment);
        let is_missing = matches!(file.content, Content::Missing(_));
        let sha256 = file.sha256.as_deref();
        files.push(File { attachment: at, number: &file.number, sha256, is_missing });
    }
    Ok((attachments, files))
}

fn attachment<'d>(document: &Document<'_>, file: &document::Attachment, dialog: &[Dialog]) -> Attachment<'d> {
    let from = document.items.get(file.item).and_then(Item::from);
    Attachment {
        purpose: "file",
        start: dialog.get(file.item).map(|dialog| dialog.start.clone()).unwrap_or_default(),
        party: from.and_then(|party| document.person(party)).unwrap_or(document.people.len()),
        dialog: file.item,
        mediatype: file.media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        filename: file.name.clone(),
        encoding: "none",
        body: Body::Text(String::new()),
    }
}

pub(super) fn evidence<'d>(
    document: &'d Document<'_>,
    dialog: &[Dialog],
    files: Vec<File<'d>>,
) -> Attachment<'d> {
    let (about, thread) = (document.about, document.thread);
    let known = |(party, person): (usize, &'d Person)| Known {
        party,
        network: person.network.as_deref(),
        address: person.address.as_deref(),
        scope: person.scope.as_deref(),
        role: person.role.as_deref(),
    };
    let record = |(at, item): (usize, &'d Item<'_>)| Record {
        dialog: at,
        position: item.shown.position.to_string(),
        leaf_sha256: item.shown.leaf.to_string(),
        batch_root: item.shown.batch_root.to_string(),
        kind: &item.kind,
        time_of: match (item.time_us, item.shown.broker_time_ms) {
            (Some(_), _) => "event",
            (None, Some(_)) => "broker",
            (None, None) => "archive",
        },
        is_context: item.shown.is_context,
        deliveries: item.shown.deliveries,
        redactions: item.shown.redactions,
        warnings: item.warnings.iter().map(|warning| warning.word()).collect(),
        text: dialog[at].body.is_none().then(|| describe(item)),
    };
    let evidence = Evidence {
        document: &document.number,
        production: &about.production,
        requested_by: &about.who,
        requested_for: &about.why,
        through_version: about.through_version,
        time_zone: &about.zone_name,
        day: document.day.to_string(),
        part: document.part,
        parts: document.parts,
        conversation: thread.id.as_deref(),
        conversation_kind: thread.kind.as_deref(),
        leaf_digest: leaf_digest(document).to_string(),
        parties: document.people.iter().enumerate().map(known).collect(),
        records: document.items.iter().enumerate().map(record).collect(),
        files,
    };
    Attachment {
        purpose: "evidence",
        start: created_at(document),
        party: document.people.len(),
        dialog: 0,
        mediatype: "application/json".to_owned(),
        filename: "custody-evidence.json".to_owned(),
        encoding: "json",
        body: Body::Evidence(Box::new(evidence)),
    }
}
