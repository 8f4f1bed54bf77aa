//! A transcript as plain text.
//!
//! What people wrote stands indented under a line that is ours, so that no text can look like the
//! beginning of another record.

use std::fmt::Write as _;

use crate::document::{Content, Document};
use crate::format::shown_time::exact;
use crate::format::transcript::{Entry, Transcript, What, about, whole};
use crate::format::visible::{Piece, line, mark, pieces};

/// Bytes that a record takes, beside its text: a guess that saves growing.
const RECORD_BYTES: usize = 400;

/// The whole text; its lines end with `\n`.
pub(super) fn text(document: &Document<'_>, transcript: &Transcript<'_>) -> String {
    let mut out = String::with_capacity(document.items.len() * RECORD_BYTES);
    let _ = writeln!(out, "Transcript {}\n{}\n", line(&document.number), line(&document.title()));
    for (what, value) in about(document) {
        let _ = writeln!(out, "{what}: {}", line(&value));
    }
    out.push_str("\nParticipants\n");
    for person in &document.people {
        let said = [&person.network, &person.address, &person.scope, &person.role];
        let said: Vec<&str> = said.into_iter().flatten().map(String::as_str).collect();
        let _ = writeln!(out, "  {} ({})", line(person.label()), line(&said.join(", ")));
    }
    out.push_str("\nRecords\n");
    for entry in &transcript.entries {
        record(&mut out, document, entry, 0);
    }
    let _ = writeln!(out, "\nSHA-256 over the leaf hashes of all records: {}", transcript.leaf_digest);
    out
}

fn record(out: &mut String, document: &Document<'_>, entry: &Entry<'_>, depth: usize) {
    let item = &document.items[entry.item];
    let indent = "    ".repeat(depth);
    let flags: String = entry.flags.iter().map(|flag| format!(" [{}]", line(flag))).collect();
    let (head, text) = match &entry.what {
        What::Message { from, text } => {
            (from.map_or_else(|| "(unknown)".to_owned(), whole), Some(text.as_ref()))
        }
        What::Event { sentence, text } => (sentence.clone(), text.as_deref()),
    };
    let at = exact(item.at_us(), &document.about.zone);
    let _ = writeln!(out, "\n{indent}[{}] {at} {}{flags}", entry.item + 1, line(&head));
    if let Some(text) = text {
        said(out, text, &format!("{indent}    | "));
    }
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(out, "{indent}    {name}: {}", line(value));
    };
    if let Some(answer) = entry.answers {
        match answer.item {
            Some(item) => fact("in answer to", &format!("record {}", item + 1)),
            None => fact("in answer to", &format!("message {}, not in this document", answer.id)),
        }
    }
    for attachment in &entry.attachments {
        match &attachment.content {
            Content::Here { .. } => fact("file", &format!("{} {}", attachment.number, attachment.name)),
            Content::Missing(why) => {
                let name = &attachment.name;
                fact("file", &format!("{} {name}, not in this production: {why}", attachment.number));
            }
        }
    }
    entry.facts.iter().for_each(|(name, value)| fact(name, value));
    fact("position", &format!("{}, leaf {}", item.shown.position, item.shown.leaf));
    entry.history.iter().for_each(|entry| record(out, document, entry, depth + 1));
}

/// What somebody wrote, each of its lines behind a bar.
fn said(out: &mut String, text: &str, bar: &str) {
    out.push_str(bar);
    pieces(text, |piece| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Break => {
            out.push('\n');
            out.push_str(bar);
        }
        Piece::Mark(c) => out.push_str(&mark(c)),
    });
    out.push('\n');
}
