//! The page around the records: what it is, who takes part, and what proves it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Files;
use super::record::Log;
use super::write::{bare, inline, name};
use crate::document::{Document, Person};
use crate::format::shown_time::exact;
use crate::format::transcript::{Transcript, about};

/// The same for every page of a production.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What the policy knows it by.
static STYLE_HASH: LazyLock<String> = LazyLock::new(|| style_hash(STYLE));

/// Bytes of markup that a record takes, beside its text: a guess that saves growing.
const RECORD_BYTES: usize = 1_400;

/// The page of a document.
pub(crate) fn page(document: &Document<'_>, files: Files<'_>) -> String {
    let transcript = Transcript::new(document);
    let texts: usize = document.items.iter().map(|item| item.text().map_or(0, |text| text.len())).sum();
    let mut out = String::with_capacity(texts + document.items.len() * RECORD_BYTES + STYLE.len() + 4_096);
    head(&mut out, document);
    out.push_str("<body>\n<header>\n");
    title(&mut out, document);
    facts(&mut out, document);
    out.push_str("</header>\n<main>\n");
    people(&mut out, document);
    out.push_str(
        "<section aria-labelledby=\"records\">\n<h2 id=\"records\">Records</h2>\n<ol class=\"log\">\n",
    );
    let mut log = Log { out: &mut out, document, files };
    transcript.entries.iter().for_each(|entry| log.entry(entry));
    out.push_str("</ol>\n</section>\n");
    evidence(&mut out, document, &transcript);
    out.push_str("</main>\n<footer>\n");
    out.push_str(NOTES);
    out.push_str("</footer>\n</body>\n</html>\n");
    out
}

/// How the page is to be read.
const NOTES: &str = "<p>Records stand in order of time; edits, deletions, reactions and receipts stand under \
the message that they are about. Recipients and clients are named where they change. What was sent as HTML \
is shown as its text. A character that nobody would see is shown by its number, such as \
<span class=\"mark\">\u{27e6}U+202E\u{27e7}</span>. Times are exact to the microsecond, in the zone named \
above, with its offset from UTC.</p>\n";

/// What a policy allows a style sheet by.
pub(crate) fn style_hash(style: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style.as_bytes())))
}

fn head(out: &mut String, document: &Document<'_>) {
    // The number is safe as a file's name, which is not yet safe in a string of CSS.
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let number: String = document.number.chars().map(safe).collect();
    let day = document.day;
    let paper = format!(
        "@page{{@top-left{{content:\"{number}\"}}@top-right{{content:\"{day}\"}}\
         @bottom-right{{content:counter(page) \" of \" counter(pages)}}}}"
    );
    let policy = format!("default-src 'none'; style-src {} {}", *STYLE_HASH, style_hash(&paper));
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"{policy}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{number} "
    );
    bare(out, &document.title());
    let _ = write!(out, "</title>\n<style>{STYLE}</style>\n<style>{paper}</style>\n</head>\n");
}

fn title(out: &mut String, document: &Document<'_>) {
    out.push_str("<p class=\"number\">Transcript ");
    inline(out, &document.number);
    out.push_str("</p>\n<h1>");
    name(out, &document.thread.label);
    let day = document.day;
    let _ = write!(out, "</h1>\n<p class=\"day\"><time datetime=\"{day}\">{}", day.strftime("%A, %-d %B %Y"));
    out.push_str("</time>");
    if document.parts > 1 {
        let _ = write!(out, ", part {} of {}", document.part, document.parts);
    }
    out.push_str("</p>\n");
}

fn facts(out: &mut String, document: &Document<'_>) {
    out.push_str("<dl class=\"about\">\n");
    for (what, value) in about(document) {
        let _ = write!(out, "<div><dt>{what}</dt><dd>");
        inline(out, &value);
        out.push_str("</dd></div>\n");
    }
    out.push_str("</dl>\n");
}

fn people(out: &mut String, document: &Document<'_>) {
    out.push_str(
        "<section aria-labelledby=\"people\">\n<h2 id=\"people\">Participants</h2>\n<table>\n<thead><tr>\
         <th scope=\"col\">Name</th><th scope=\"col\">Network</th><th scope=\"col\">Address</th>\
         <th scope=\"col\">Scope</th><th scope=\"col\">Role</th></tr></thead>\n<tbody>\n",
    );
    let cell = |out: &mut String, class: &str, text: Option<&str>| {
        let _ = write!(out, "<td class=\"{class}\">");
        text.into_iter().for_each(|text| name(out, text));
        out.push_str("</td>");
    };
    for person in &document.people {
        let Person { network, address, scope, role, .. } = person;
        out.push_str("<tr><th scope=\"row\" class=\"long\">");
        name(out, person.label());
        out.push_str("</th>");
        for (class, text) in [("", network), ("long", address), ("", scope), ("", role)] {
            cell(out, class, text.as_deref());
        }
        out.push_str("</tr>\n");
    }
    if document.people.is_empty() {
        out.push_str("<tr><td colspan=\"5\">The records name nobody.</td></tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn evidence(out: &mut String, document: &Document<'_>, transcript: &Transcript<'_>) {
    out.push_str(
        "<section class=\"evidence\" aria-labelledby=\"evidence\">\n<h2 id=\"evidence\">Evidence</h2>\n\
         <p>Each record&#39;s place in the archive, and the hash that the archive&#39;s proof covers.</p>\n\
         <table>\n<thead><tr><th scope=\"col\">Record</th><th scope=\"col\">Position</th>\
         <th scope=\"col\">Leaf hash</th><th scope=\"col\">Batch</th><th scope=\"col\">Archived</th></tr>\
         </thead>\n<tbody>\n",
    );
    for (at, (item, batch)) in document.items.iter().zip(&transcript.batch_of).enumerate() {
        let number = at + 1;
        let _ = write!(
            out,
            "<tr id=\"e{number}\"><th scope=\"row\"><a href=\"#r{number}\">{number}</a></th><td>"
        );
        inline(out, &item.shown.position.to_string());
        let archived = exact(item.shown.archived_ms.saturating_mul(1_000), &document.about.zone);
        let _ = writeln!(
            out,
            "</td><td class=\"hash\">{}</td><td>{}</td><td class=\"time\">{archived}</td></tr>",
            item.shown.leaf,
            batch + 1
        );
    }
    out.push_str(
        "</tbody>\n</table>\n<table>\n<thead><tr><th scope=\"col\">Batch</th><th scope=\"col\">Id</th>\
         <th scope=\"col\">Merkle root</th></tr></thead>\n<tbody>\n",
    );
    for (at, (id, root)) in transcript.batches.iter().enumerate() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th><td>", at + 1);
        inline(out, id);
        let _ = writeln!(out, "</td><td class=\"hash\">{root}</td></tr>");
    }
    let _ = write!(
        out,
        "</tbody>\n</table>\n<p>SHA-256 over the leaf hashes of all records, in their order: \
         <span class=\"hash\">{}</span></p>\n</section>\n",
        transcript.leaf_digest
    );
}
