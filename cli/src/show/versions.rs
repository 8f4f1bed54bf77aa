//! The versions of a message: what was said, by whom it was changed and when.

use custody_archive::Record;
use custody_index::Hit;
use custody_schemas::Kind;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{one_line, sender, time, words};

/// Characters of a line below a hit.
const LINE_CHARS_MAX: usize = 200;

/// A text that a message had, or a change that gave it none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Version {
    /// What was done to it later; nothing to what stands.
    ended: Option<Kind>,
    /// The message was deleted already when the change came.
    pub(super) late: bool,
}

impl Version {
    pub(super) fn mark(self) -> &'static str {
        match self.ended {
            None => "",
            Some(Kind::MessageDeleted) => " [deleted]",
            Some(_) => " [replaced]",
        }
    }
}

/// Of the record and of each change in turn. Clocks differ, so nothing is taken for granted of the
/// order: what has no text any more can be edited, and be deleted again.
pub(super) fn versions(record: &Record, changes: &[&Record]) -> Vec<Version> {
    let mut all = vec![Version::default()];
    let (mut shown, mut deleted) = (is(record, Kind::MessageSent).then_some(0), false);
    for change in changes {
        let at = all.len();
        let kind = Kind::from_full(&change.kind);
        let changes_text = matches!(kind, Some(Kind::MessageEdited | Kind::MessageDeleted));
        all.push(Version { ended: None, late: deleted && changes_text });
        if !changes_text {
            continue;
        }
        if let Some(before) = shown.and_then(|shown: usize| all.get_mut(shown)) {
            before.ended = kind;
        }
        deleted = kind == Some(Kind::MessageDeleted);
        shown = (!deleted).then_some(at);
    }
    all
}

/// A change as a line, or what was sent.
pub(super) fn changed(record: &Record, at: &str, late: bool) -> String {
    let who = sender(record);
    let words = one_line(&words(record));
    match Kind::from_full(&record.kind) {
        Some(Kind::MessageEdited) if late => format!("edited {at} by {who}, after it was deleted: {words}"),
        Some(Kind::MessageEdited) => format!("edited {at} by {who}: {words}"),
        Some(Kind::MessageDeleted) if late => format!("deleted again {at} by {who}"),
        Some(Kind::MessageDeleted) => format!("deleted {at} by {who}"),
        Some(Kind::MessageSent) => format!("sent {at} by {who}: {words}"),
        _ => format!("{words} {at} by {who}"),
    }
}

pub(super) fn is(record: &Record, kind: Kind) -> bool {
    record.kind == kind.full()
}

/// What became of the text of a hit, and a line for each other version of its message.
pub(super) fn of_hit(hit: &Hit<Record>, zone: &TimeZone) -> (&'static str, Vec<String>) {
    let records = hit.versions.records.iter().map(|record| &**record);
    // An edit may tell an earlier time than its message.
    let (sent, changes): (Vec<&Record>, Vec<&Record>) =
        records.partition(|record| is(record, Kind::MessageSent));
    let all = [sent, changes].concat();
    let Some((first, rest)) = all.split_first() else { return ("", Vec::new()) };
    let own = |record: &Record| {
        record.position == hit.record.position
            || record.identity.is_some() && record.identity == hit.record.identity
    };
    let (mut mark, mut lines) = ("", Vec::with_capacity(all.len()));
    for (record, version) in all.iter().zip(versions(first, rest)) {
        if own(record) {
            mark = version.mark();
            continue;
        }
        let at = time(record.time_us, zone, "%Y-%m-%d %H:%M:%S");
        let line = changed(record, &at, version.late);
        let short: String = line.chars().take(LINE_CHARS_MAX).collect();
        let more = if short.len() < line.len() { "…" } else { "" };
        lines.push(format!("{short}{more}{}", version.mark()));
    }
    if hit.versions.left_out > 0 {
        lines.push(format!("and {} versions between the first and these", hit.versions.left_out));
    }
    (mark, lines)
}

/// The versions of a hit's message, oldest first.
pub(super) fn json(hit: &Hit<Record>) -> Value {
    let value = |record: &Record| {
        json!({
            "position": record.position.to_string(),
            "type": record.short_type(),
            "time": record.time_us.map(|us| time(Some(us), &TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.fZ")),
            "from": record.sender(),
            "text": words(record),
        })
    };
    hit.versions.records.iter().map(|record| value(record)).collect()
}
