//! RSMF 2.0, Relativity's short message format: a mail with a zip with a manifest of events.
//!
//! Source: help.relativity.com, "Relativity Short Message Format", and the schema in
//! relativitydev/rsmf-validator-samples. What the schema does not catch, such as ids that lead
//! nowhere, is kept here by construction: ids are made of positions, and whatever would break a rule
//! becomes an event of its own.

mod change;
mod custom;
mod events;
mod files;
mod mail;
mod manifest;
mod members;
#[cfg(test)]
mod tests;
mod text;
mod zipped;

use custody_schemas::Hash;
use custody_schemas::time::civil;

use self::events::{Events, events};
use self::mail::{addresses, base64_lines, cut, header};
use self::manifest::{Manifest, VERSION};
use self::members::{
    at_first, collection_id, conversation, custodian, custodian_name, participants, platform,
};
use crate::document::{Content, Document, Person};
use crate::error::Error;
use crate::format::{Exception, Format, Rendered};
use crate::settings::{RSMF_BYTES_MAX, RSMF_EVENTS_MAX, RSMF_ROOTS_MAX};

/// One `rsmf/NUMBER.rsmf` for each document.
#[derive(Debug)]
pub(crate) struct Rsmf;

impl Format for Rsmf {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        within_limits(document)?;
        let (manifest, custodian, files, exceptions) = manifest(document);
        let mut out = Vec::new();
        headers(&mut out, document, &manifest, custodian, files.len());
        let manifest =
            serde_json::to_vec(&manifest).map_err(|source| Error::json("an RSMF manifest", source))?;
        let zip = zipped::zipped(&manifest, &files)?;
        body(&mut out, document, &zip);
        if out.len() as u64 > RSMF_BYTES_MAX {
            return Err(too_large(document));
        }
        let path = format!("rsmf/{}.rsmf", document.number);
        Ok(Rendered { exceptions, ..Rendered::file(path, out) })
    }
}

/// The manifest, whose conversation it is, the files beside it, and what is missing.
fn manifest<'d>(
    document: &'d Document<'_>,
) -> (Manifest, Option<usize>, Vec<files::File<'d>>, Vec<Exception>) {
    let at_first = at_first(document);
    let custodian = custodian(document, &at_first);
    let Events { events, files, exceptions } = events(document, custodian);
    let manifest = Manifest {
        version: VERSION,
        participants: participants(document),
        conversations: [conversation(document, &at_first)],
        events,
        eventcollectionid: collection_id(document),
    };
    (manifest, custodian, files, exceptions)
}

fn too_large(document: &Document<'_>) -> Error {
    Error::invalid(format!("document {} is larger than the {RSMF_BYTES_MAX} bytes of RSMF", document.number))
}

/// Before anything is read: a document beyond Relativity's limits would be refused there.
fn within_limits(document: &Document<'_>) -> Result<(), Error> {
    let (number, events) = (&document.number, document.items.len());
    if events > RSMF_EVENTS_MAX {
        let message = format!("document {number} has {events} records; RSMF allows {RSMF_EVENTS_MAX} events");
        return Err(Error::invalid(message));
    }
    let size = |content: &Content| match content {
        Content::Here { bytes, .. } => *bytes,
        Content::Missing(_) => 0,
    };
    let bytes = document.attachments.iter().fold(0u64, |sum, file| sum.saturating_add(size(&file.content)));
    // Base64 makes four bytes of three.
    if bytes > RSMF_BYTES_MAX / 4 * 3 { Err(too_large(document)) } else { Ok(()) }
}

fn headers(
    out: &mut Vec<u8>,
    document: &Document<'_>,
    manifest: &Manifest,
    custodian: Option<usize>,
    attachments: usize,
) {
    let (about, people) = (document.about, &document.people);
    let sender = document.items.iter().find_map(|item| document.person(item.from()?));
    let nobody = Person { network: None, address: None, name: None, scope: None, role: None };
    let from = sender.map_or(&nobody, |sender| &people[sender]);
    let to: Vec<&Person> =
        (0..).zip(people).filter(|(at, _)| Some(*at) != sender).map(|(_, person)| person).collect();
    let labels: Vec<String> = people.iter().map(|person| cut(person.label()).replace(',', " ")).collect();
    let times = || manifest.events.iter().filter_map(|event| event.timestamp.as_deref());
    addresses(out, "From", &[from]);
    addresses(out, "To", &to);
    header(out, "Subject", &subject(document));
    header(out, "Date", &date(document));
    header(out, "Message-ID", &format!("<{}.{}@custody.invalid>", document.number, about.production));
    header(out, "X-RSMF-Version", manifest.version);
    header(out, "X-RSMF-Generator", &format!("Custody {}", about.custody_version));
    // Texts of one form and length but for the fraction: `Z` is after every digit, so none is equal.
    if let Some(first) = times().min_by_key(|time| time.trim_end_matches('Z')) {
        header(out, "X-RSMF-BeginDate", first);
    }
    if let Some(last) = times().max_by_key(|time| time.trim_end_matches('Z')) {
        header(out, "X-RSMF-EndDate", last);
    }
    header(out, "X-RSMF-EventCount", &manifest.events.len().to_string());
    header(out, "X-RSMF-Application", &platform(document));
    if let Some(custodian) = custodian {
        header(out, "X-RSMF-Custodian", &cut(custodian_name(document, custodian)));
    }
    header(out, "X-RSMF-Participants", &labels.join(", "));
    header(out, "X-RSMF-AttachmentCount", &attachments.to_string());
    header(out, "X-RSMF-EventCollectionID", &manifest.eventcollectionid);
    header(out, "X-RSMF-Custody-Document", &document.number);
    header(out, "X-RSMF-Custody-Production", &about.production);
    header(out, "X-RSMF-Custody-Through-Version", &about.through_version.to_string());
    header(out, "X-RSMF-Custody-Record-Count", &document.items.len().to_string());
    header(out, "X-RSMF-Custody-Leaf-Digest", &leaf_digest(document));
    header(out, "X-RSMF-Custody-Batch-Roots", &batch_roots(document));
}

/// The document's title, its conversation's name cut.
fn subject(document: &Document<'_>) -> String {
    let (title, label) = (document.title(), &document.thread.label);
    format!("{}{}", cut(label), title.strip_prefix(label.as_str()).unwrap_or_default())
}

/// SHA-256 over the leaf hashes of all records, sorted: whoever has the manifest can make it anew.
fn leaf_digest(document: &Document<'_>) -> String {
    let mut leaves: Vec<[u8; 32]> = document.items.iter().map(|item| item.shown.leaf.0).collect();
    leaves.sort_unstable();
    Hash::of(&leaves.concat()).to_string()
}

/// The Merkle roots of the batches that the records are in, sorted.
fn batch_roots(document: &Document<'_>) -> String {
    let mut roots: Vec<Hash> = document.items.iter().map(|item| item.shown.batch_root).collect();
    roots.sort_unstable();
    roots.dedup();
    let more = roots.len().saturating_sub(RSMF_ROOTS_MAX);
    let mut named: Vec<String> = roots.iter().take(RSMF_ROOTS_MAX).map(Hash::to_string).collect();
    if more > 0 {
        named.push(format!("and {more} more in receipt.json"));
    }
    named.join(" ")
}

/// When the first record happened, as RFC 5322 writes it. It knows no years before 1900 and after
/// 9999: then the document's day, or the first of 1900.
fn date(document: &Document<'_>) -> String {
    let first = document.items.first().map(|item| item.at_us().div_euclid(1_000_000));
    let day = document.day.duration_since(jiff::civil::Date::constant(1970, 1, 1)).as_secs();
    let is_known = |seconds: &i64| (1900..=9999).contains(&civil(seconds.div_euclid(86_400)).0);
    let seconds = first.filter(is_known).or(Some(day).filter(is_known)).unwrap_or(-2_208_988_800);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days.rem_euclid(7)) as usize];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[(month - 1) as usize];
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

fn body(out: &mut Vec<u8>, document: &Document<'_>, zip: &[u8]) {
    // No base64 has `=_` in it, so no part can hold the boundary.
    let seed = format!("{} {}", document.about.production, document.number);
    let boundary = format!("=_{}", &Hash::of(seed.as_bytes()).to_string()[..32]);
    let mut say = |text: &str| out.extend_from_slice(text.as_bytes());
    say("MIME-Version: 1.0\r\n");
    say(&format!("Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\n"));
    say(&format!("--{boundary}\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n"));
    say("Content-Transfer-Encoding: base64\r\n\r\n");
    base64_lines(out, text::text(document).as_bytes());
    let mut say = |text: &str| out.extend_from_slice(text.as_bytes());
    say(&format!("\r\n--{boundary}\r\nContent-Type: application/zip; name=\"rsmf.zip\"\r\n"));
    say("Content-Disposition: attachment; filename=\"rsmf.zip\"\r\n");
    say("Content-Transfer-Encoding: base64\r\n\r\n");
    base64_lines(out, zip);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
}
