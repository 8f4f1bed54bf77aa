//! A document as plain text: what people read, and what review tools search.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use custody_schemas::Kind;
use jiff::tz::TimeZone;

use crate::describe::{describe, named};
use crate::document::{Attachment, Content, Document, Person};
use crate::format::columns::{by_item, local};
use crate::item::Item;

/// What goes before each line that somebody wrote, so that no text looks like a line of ours.
const INDENT: &str = "    ";

/// What goes before what is to be known of a record: less, so that no text looks like it either.
const NOTE: &str = "  ";

/// The whole of a document in plain text, each line ended by `\n`.
///
/// A head (title, people, files), then each record: a line with its time and who did it, what it
/// says, indented, and what is to be known of it in brackets: its edits, deletion, copies,
/// redactions and whether it is context. Controls and what turns the direction of a line around are
/// U+FFFD, but for the direction within somebody's text; lines begin where the text has any line end.
pub(crate) fn plain_text(document: &Document<'_>) -> String {
    let mut out = String::with_capacity(256 * (document.items.len() + 4));
    head(document, &mut out);
    let (changes, attachments) = (changes(document.items), by_item(document));
    for (n, item) in document.items.iter().enumerate() {
        let files = attachments.get(&n).map_or(&[][..], Vec::as_slice);
        record(item, files, &changes, &document.about.zone, &mut out);
    }
    out
}

/// Appends a line; writing to memory does not fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{
        let _ = writeln!($out, $($text)*);
    }};
}

fn head(document: &Document<'_>, out: &mut String) {
    let about = document.about;
    line!(out, "{}", one_line(&document.title()));
    line!(out, "Document {}, part {} of {}", document.number, document.part, document.parts);
    line!(out, "Production {}", about.production);
    if let Some(id) = &document.thread.id {
        let kind = document.thread.kind.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
        line!(out, "Conversation {}", one_line(&format!("{id}{kind}")));
    }
    line!(out, "Times are of {}", about.zone_name);
    line!(out, "Records {}", document.items.len());
    if !document.people.is_empty() {
        line!(out, "People:");
    }
    for person in &document.people {
        line!(out, "{INDENT}{}", one_line(&of_person(person)));
    }
    if !document.attachments.is_empty() {
        line!(out, "Files:");
    }
    for attachment in &document.attachments {
        let state = match &attachment.content {
            Content::Here { bytes, .. } => format!("{bytes} bytes"),
            Content::Missing(why) => format!("not here: {why}"),
        };
        line!(out, "{INDENT}{} {}", attachment.number, one_line(&format!("{} ({state})", attachment.name)));
    }
}

/// `Name <address>, network, scope, role`, as far as it is known.
pub(crate) fn of_person(person: &Person) -> String {
    let label = person.label();
    let address = person.address.as_deref().filter(|address| !address.is_empty() && *address != label);
    let mut text = address.map_or_else(|| label.to_owned(), |address| format!("{label} <{address}>"));
    for more in [&person.network, &person.scope, &person.role].into_iter().flatten() {
        text += ", ";
        text += more;
    }
    text
}

/// Edits and deletions in the document, by message.
fn changes<'i>(items: &'i [Item<'_>]) -> HashMap<&'i str, Vec<&'i Item<'i>>> {
    let mut changes: HashMap<&str, Vec<&Item<'_>>> = HashMap::new();
    for item in items {
        if let (Some(Kind::MessageEdited | Kind::MessageDeleted), Some(id)) =
            (item.contract(), item.message_id())
        {
            changes.entry(id).or_default().push(item);
        }
    }
    changes
}

fn record(
    item: &Item<'_>,
    files: &[&Attachment],
    changes: &HashMap<&str, Vec<&Item<'_>>>,
    zone: &TimeZone,
    out: &mut String,
) {
    let who = item.from().map_or_else(|| item.kind.clone(), named);
    line!(out, "\n[{}] {}", local(item.at_us(), zone), one_line(&who));
    indented(&describe(item), out);
    if let Some(text) = item.text().filter(|text| !text.is_empty() && !is_described(item)) {
        line!(out, "{NOTE}[with the text:]");
        indented(&text, out);
    }
    let mut note = |text: &str| line!(out, "{NOTE}[{text}]");
    if let Some(id) = item.data().message.as_ref().and_then(|message| message.in_reply_to.as_deref()) {
        note(&format!("answers message {}", one_line(id)));
    }
    for attachment in files {
        note(&format!("file {}", attachment.number));
    }
    if item.contract() == Some(Kind::MessageSent) {
        let changes = item.message_id().and_then(|id| changes.get(id));
        for change in changes.into_iter().flatten() {
            let did = if change.contract() == Some(Kind::MessageDeleted) { "deleted" } else { "edited" };
            note(&format!("{did} at {}", local(change.at_us(), zone)));
        }
    }
    for warning in &item.warnings {
        note(&format!("warning: {}", warning.word()));
    }
    if item.shown.is_context {
        note("context: not found by the search, but near what was");
    }
    if item.shown.deliveries > 1 {
        note(&format!("delivered {} times; shown once", item.shown.deliveries));
    }
    if item.shown.redactions > 0 {
        note(&format!("redacted in {} places", item.shown.redactions));
    }
    let id = item.message_id().map(|id| format!(", message {}", one_line(id))).unwrap_or_default();
    note(&format!("{}{id}, position {}", one_line(&item.kind), item.shown.position));
}

/// Its text is in what describes it.
fn is_described(item: &Item<'_>) -> bool {
    match item.contract() {
        Some(kind) => matches!(
            kind,
            Kind::MessageSent
                | Kind::MessageEdited
                | Kind::ContactRequested
                | Kind::ContactAccepted
                | Kind::ContactDeclined
                | Kind::ContactBlocked
                | Kind::ContactRemoved
        ),
        None => item.gap.is_none(),
    }
}

/// Ends a line in some program or other; a carriage return and a line feed are one end.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Orders, overrides or isolates directions.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it is of visible ASCII and spaces alone, as most texts are.
fn is_visible(text: &str) -> bool {
    text.bytes().fold(true, |visible, byte| visible & matches!(byte, b' '..=b'~'))
}

/// A text in a line of ours: line ends are spaces; controls and directions are U+FFFD.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let replaced = |c: char| match c {
        c if is_line_end(c) || c == '\t' => ' ',
        c if c.is_control() || is_direction(c) => '\u{fffd}',
        c => c,
    };
    if is_visible(text) || text.chars().all(|c| replaced(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", " ").chars().map(replaced).collect())
}

/// A text in lines of its own.
fn indented(text: &str, out: &mut String) {
    let mut rest = text;
    loop {
        let end = rest.find(is_line_end);
        out.push_str(INDENT);
        let line = &rest[..end.unwrap_or(rest.len())];
        if is_visible(line) {
            out.push_str(line);
        } else {
            out.extend(line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }));
        }
        out.push('\n');
        let Some(end) = end else { break };
        rest = &rest[end..];
        rest = rest.strip_prefix("\r\n").unwrap_or_else(|| {
            let mut chars = rest.chars();
            chars.next();
            chars.as_str()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{HOSTILE, hostile, sample, with_document};
    use crate::format::testing::{attach, golden};

    #[test]
    fn a_sample() {
        let folder = tempfile::tempdir().unwrap();
        let text = with_document(&sample(), |mut document| {
            attach(&mut document, folder.path());
            plain_text(&document)
        });
        golden("plain_text.txt", text.as_bytes());
    }

    #[test]
    fn no_text_looks_like_a_line_of_ours() {
        let text = with_document(&hostile(), |document| plain_text(&document));
        let records = text.split("\n\n").skip(1);
        // What somebody wrote cannot begin a record, nor end a line in another way than ours.
        assert_eq!(records.count(), HOSTILE.len());
        assert!(!text.contains(|c: char| c != '\n' && c != '\t' && (is_line_end(c) || c.is_control())));
        let ours = |line: &&str| line.starts_with("[2013-05-29T09:15:");
        assert_eq!(text.lines().filter(ours).count(), HOSTILE.len());
        let turns = |line: &str| line.contains(is_direction);
        assert!(!text.lines().any(|line| !line.starts_with(INDENT) && turns(line)));
        for line in ["    a", "    Bcc: eve@x.example", "    nul \u{fffd} bell \u{fffd} escape \u{fffd}[31m"]
        {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }

    #[test]
    fn lines() {
        let check = |text: &str, expected: &str, one: &str| {
            let mut out = String::new();
            indented(text, &mut out);
            assert_eq!((out.as_str(), &*one_line(text)), (expected, one), "{text:?}");
        };
        check("", "    \n", "");
        check("a", "    a\n", "a");
        check("a\r\nb\rc\n", "    a\n    b\n    c\n    \n", "a b c ");
        check("\u{2028}\u{85}", "    \n    \n    \n", "  ");
        check("a\0\tb", "    a\u{fffd}\tb\n", "a\u{fffd} b");
        check("\u{202e}x", "    \u{202e}x\n", "\u{fffd}x");
    }
}
