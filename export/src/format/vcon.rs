//! vCon: one JSON document for a conversation, by the draft of the IETF.
//!
//! Source: draft-ietf-vcon-vcon-core. The unsigned form, without extensions: what the draft has no
//! member for is in an attachment of our own.

mod attached;
mod calls;
mod form;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use custody_schemas::{Hash, Kind};

use self::attached::{evidence, files};
use self::form::{Dialog, Party, PartyHistory, Redacted, Vcon};
use crate::describe::{describe, named};
use crate::document::{Document, Person};
use crate::error::Error;
use crate::format::{Exception, Format, Rendered, utc};
use crate::item::Item;

/// One `vcon/NUMBER.vcon` for each document.
#[derive(Debug)]
pub(crate) struct VconFormat;

impl Format for VconFormat {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let mut exceptions = Vec::new();
        let mut histories = calls::histories(document);
        let items = || document.items.iter();
        let dialog: Vec<Dialog> =
            items().map(|item| dialog(document, item, &mut histories, &mut exceptions)).collect();
        let (mut attachments, files) = files(document, &dialog, &mut exceptions)?;
        attachments.push(evidence(document, &dialog, files));
        let is_redacted = items().any(|item| item.shown.redactions > 0);
        let vcon = Vcon {
            uuid: uuid(document),
            created_at: created_at(document),
            subject: document.title(),
            redacted: is_redacted.then_some(Redacted { kind: "redacted" }),
            parties: parties(document),
            dialog,
            analysis: [],
            attachments,
        };
        let mut bytes = serde_json::to_vec(&vcon).map_err(|source| Error::json("a vCon", source))?;
        bytes.push(b'\n');
        let path = format!("vcon/{}.vcon", document.number);
        Ok(Rendered { exceptions, ..Rendered::file(path, bytes) })
    }
}

/// The people, and last the archive: the party of what nobody in the conversation contributed.
fn parties(document: &Document<'_>) -> Vec<Party> {
    let archive = Party { name: format!("Custody {}", document.about.custody_version), ..Party::default() };
    document.people.iter().map(party).chain([archive]).collect()
}

fn party(person: &Person) -> Party {
    let name = person.label().to_owned();
    let Some(address) = person.address.as_deref() else { return Party { name, ..Party::default() } };
    let network = person.network.as_deref().unwrap_or_default();
    let is_clean = address.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let own = || Some(address.to_owned());
    match address {
        _ if !is_clean => {}
        _ if address.starts_with("sip:") || address.starts_with("sips:") => {
            return Party { sip: own(), name, ..Party::default() };
        }
        _ if address.starts_with("tel:") || network == "pstn" => {
            return Party { tel: own(), name, ..Party::default() };
        }
        _ if address.starts_with("mailto:") || network == "email" => {
            return Party { mailto: own(), name, ..Party::default() };
        }
        _ => {}
    }
    // The draft has no member for an address of another kind.
    Party { name: introduced(person), ..Party::default() }
}

/// `Bob <live:bob>`
fn introduced(person: &Person) -> String {
    named(&custody_schemas::event::Party {
        name: person.name.as_deref().map(Into::into),
        address: person.address.as_deref().map(Into::into),
        ..Default::default()
    })
}

fn dialog(
    document: &Document<'_>,
    item: &Item<'_>,
    histories: &mut HashMap<&str, Vec<PartyHistory>>,
    exceptions: &mut Vec<Exception>,
) -> Dialog {
    let start = utc(item.at_us()).unwrap_or_else(|| {
        let what = "its time is outside of the years 1 to 9999: the nearest that can be written is shown";
        let (number, position) = (document.number.clone(), Some(item.shown.position.to_string()));
        exceptions.push(Exception { number, position, what: what.to_owned() });
        nearest(item.at_us())
    });
    let data = item.data();
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let dialog = Dialog {
        kind: "text",
        start,
        parties: everybody(document, item),
        application: said(data.client.as_deref()),
        message_id: said(item.message_id()),
        ..Dialog::default()
    };
    if item.contract() == Some(Kind::CallEnded) {
        return calls::ended(item, histories, dialog);
    }
    let message = item.body().filter(|_| item.contract() == Some(Kind::MessageSent));
    let (mediatype, body) = match message {
        Some((Some(said), body)) if is_html(said) => ("text/html", body.to_owned()),
        _ => ("text/plain", describe(item)),
    };
    Dialog { mediatype: Some(mediatype), body: Some(body), encoding: Some("none"), ..dialog }
}

/// `text/html`, whatever parameters follow.
fn is_html(content_type: &str) -> bool {
    content_type.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
}

/// The first or the last time that RFC 3339 can write.
fn nearest(us: i64) -> String {
    if us < 0 { "0001-01-01T00:00:00.000Z".to_owned() } else { "9999-12-31T23:59:59.999Z".to_owned() }
}

/// Who did it, then to whom. The first is taken for who began it, so without one there is nobody.
fn everybody(document: &Document<'_>, item: &Item<'_>) -> Vec<usize> {
    let Some(from) = item.from().and_then(|party| document.person(party)) else { return Vec::new() };
    let mut to: Vec<usize> = item.to().iter().filter_map(|party| document.person(party)).collect();
    to.sort_unstable();
    to.dedup();
    to.retain(|person| *person != from);
    to.insert(0, from);
    to
}

/// SHA-256 over the leaf hashes of all records, in the order of the dialogs.
fn leaf_digest(document: &Document<'_>) -> Hash {
    let leaves: Vec<[u8; 32]> = document.items.iter().map(|item| item.shown.leaf.0).collect();
    Hash::of(&leaves.concat())
}

/// When the last of its records was archived: no clock is read.
fn created_at(document: &Document<'_>) -> String {
    let ms = document.items.iter().map(|item| item.shown.archived_ms).max().unwrap_or_default();
    let us = ms.saturating_mul(1_000);
    utc(us).unwrap_or_else(|| nearest(us))
}

/// A UUID of version 8 (RFC 9562, section 5.8) in the draft's form: 48 bits of milliseconds, here
/// those of the first record, and then bits of a hash, here of what the document is and holds, so
/// that the same document has the same.
fn uuid(document: &Document<'_>) -> String {
    let first = document.items.first().map_or(0, |item| item.at_us().div_euclid(1_000));
    let ms = u64::try_from(first).unwrap_or(0) & 0xffff_ffff_ffff;
    let seed = format!("{} {} {}", document.about.production, document.number, leaf_digest(document));
    let Hash(hash) = Hash::of(seed.as_bytes());
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&hash[..10]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
