//! The mail's text: what becomes the document's extracted text.

use std::fmt::Write;

use custody_schemas::Kind;
use jiff::Timestamp;

use crate::describe::{describe, named};
use crate::document::{Content, Document, Person, party_label};
use crate::format::columns::near;
use crate::item::Item;

/// Participants, then every record in order of time. Lines end with CRLF. A line of what people
/// wrote is indented unless it begins a record, so nobody can write a record of their own; controls
/// are U+FFFD: the manifest has them.
pub(super) fn text(document: &Document<'_>) -> String {
    let about = document.about;
    let mut out = String::new();
    line(&mut out, &document.title());
    line(&mut out, &format!("Document {} of production {}", document.number, about.production));
    line(&mut out, &format!("Times are of {}, with their offset to UTC.", about.zone_name));
    out.push_str("\r\nParticipants\r\n");
    for person in &document.people {
        line(&mut out, &format!("- {}", introduced(person)));
    }
    out.push_str("\r\n");
    let files = files(document);
    for (item, names) in document.items.iter().zip(files) {
        let mut record = format!("[{}] {}", time(document, item.at_us()), said(item));
        for name in names {
            let _ = write!(record, "\n[file: {name}]");
        }
        let shown = item.shown;
        if shown.is_context {
            record += "\n[context: no hit, it stands near one]";
        }
        if shown.deliveries > 1 {
            let _ = write!(record, "\n[delivered {} times]", shown.deliveries);
        }
        if shown.redactions > 0 {
            let _ = write!(record, "\n[redacted in {} places]", shown.redactions);
        }
        line(&mut out, &record);
    }
    out
}

/// The names of each record's files.
fn files(document: &Document<'_>) -> Vec<Vec<String>> {
    let mut files = vec![Vec::new(); document.items.len()];
    for attachment in &document.attachments {
        if let Some(names) = files.get_mut(attachment.item) {
            let missing =
                if let Content::Missing(_) = attachment.content { ", not in the production" } else { "" };
            names.push(format!("{}{missing}", attachment.name));
        }
    }
    files
}

fn said(item: &Item<'_>) -> String {
    let text = describe(item);
    match item.from().filter(|_| item.contract() == Some(Kind::MessageSent)) {
        Some(from) => format!("{}: {text}", party_label(from)),
        None => text,
    }
}

/// `Bob <live:bob> (skype, federated)`
fn introduced(person: &Person) -> String {
    let party = custody_schemas::event::Party {
        name: person.name.as_deref().map(Into::into),
        address: person.address.as_deref().map(Into::into),
        ..Default::default()
    };
    let more: Vec<&str> = [&person.network, &person.scope, &person.role]
        .into_iter()
        .filter_map(|text| text.as_deref())
        .collect();
    if more.is_empty() { named(&party) } else { format!("{} ({})", named(&party), more.join(", ")) }
}

/// A time in the production's zone, exact.
fn time(document: &Document<'_>, us: i64) -> String {
    let Ok(time) = Timestamp::from_microsecond(us) else { return format!("{us} us since 1970") };
    let zone = &document.about.zone;
    let digits = if us % 1_000 == 0 { 3 } else { 6 };
    if let Some(mut near) = near(us, digits, zone.to_offset(time)) {
        // `T` before the time, and nothing before the offset.
        near.replace_range(10..11, " ");
        near.insert(near.len() - 6, ' ');
        return near;
    }
    let zoned = time.to_zoned(zone.clone());
    let form = if us % 1_000 == 0 { "%Y-%m-%d %H:%M:%S%.3f %:z" } else { "%Y-%m-%d %H:%M:%S%.6f %:z" };
    zoned.strftime(form).to_string()
}

/// Appends a text as a line and indented lines.
fn line(out: &mut String, text: &str) {
    if text.bytes().fold(true, |visible, byte| visible & matches!(byte, b' '..=b'~')) {
        out.push_str(text);
        out.push_str("\r\n");
        return;
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push_str("\r\n    "),
            '\t' => out.push('\t'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push_str("\r\n");
}
