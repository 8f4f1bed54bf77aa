//! A conversation as people read it: in order of time, edits and deletions with
//! their message, every version kept visible.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use custody_archive::Record;
use custody_schemas::{Kind, Position};
use jiff::tz::TimeZone;

use super::{clean, one_line, sender, time, words};

/// Prints the records of one conversation, in whatever order they come. With
/// `around`, that record is marked and `window` records before and after it are
/// printed.
pub fn conversation(records: &[Record], zone: &TimeZone, around: Option<&Position>, window: usize) -> String {
    let mut all: Vec<&Record> = records.iter().collect();
    // What has no time stands where it was archived: at the end.
    all.sort_by_key(|record| (record.time_us.is_none(), record.time_us, record.position.clone()));
    let (all, copies) = once(all);
    let shown = match around.and_then(|position| all.iter().position(|record| record.position == *position)) {
        Some(at) => &all[at.saturating_sub(window)..all.len().min(at + window + 1)],
        None => &all[..],
    };
    let changes = changes(&all);
    let inside: BTreeSet<_> =
        shown.iter().filter(|r| is(r, Kind::MessageSent)).filter_map(|r| r.message_id.as_deref()).collect();
    let mut out = String::new();
    let mut day = String::new();
    for record in shown {
        // A change stands with its message, unless that is not printed.
        if is_change(record) && record.message_id.as_deref().is_some_and(|id| inside.contains(id)) {
            continue;
        }
        let today = time(record.time_us, zone, "%A, %-d %B %Y");
        if today != day {
            // Writing to a text cannot fail.
            let _ = writeln!(out, "{}── {today} ──", if day.is_empty() { "" } else { "\n" });
            day = today;
        }
        let mark = if around == Some(&record.position) { "▶" } else { " " };
        let again = copies.get(&record.position).map(|n| format!(" ×{n}")).unwrap_or_default();
        let _ = writeln!(out, "{mark} {}  {}{again}", time(record.time_us, zone, "%H:%M:%S"), line(record));
        let id = if is(record, Kind::MessageSent) { record.message_id.as_deref() } else { None };
        for change in id.and_then(|id| changes.get(id)).into_iter().flatten() {
            let _ = writeln!(out, "            {}", changed(change, zone));
        }
    }
    if shown.len() < all.len() {
        let _ = writeln!(out, "\n{} of {} records of the conversation", shown.len(), all.len());
    }
    out
}

/// Deliveries of one event once, and how many there were.
fn once(all: Vec<&Record>) -> (Vec<&Record>, BTreeMap<Position, u64>) {
    let mut first: BTreeMap<(&str, &str, Option<&[u8]>), Position> = BTreeMap::new();
    let mut copies = BTreeMap::new();
    let mut kept = Vec::with_capacity(all.len());
    for record in all {
        let key = (record.source.as_str(), record.id.as_str(), record.payload.as_deref());
        match first.get(&key) {
            Some(position) if record.quarantined.is_none() => {
                *copies.entry(position.clone()).or_insert(1) += 1
            }
            _ => {
                first.insert(key, record.position.clone());
                kept.push(record);
            }
        }
    }
    (kept, copies)
}

fn is(record: &Record, kind: Kind) -> bool {
    record.kind == kind.full()
}

fn is_change(record: &Record) -> bool {
    [Kind::MessageEdited, Kind::MessageDeleted, Kind::MessageReaction, Kind::MessageReceipt]
        .iter()
        .any(|kind| is(record, *kind))
}

fn changes<'a>(all: &[&'a Record]) -> BTreeMap<&'a str, Vec<&'a Record>> {
    let mut changes: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in all.iter().filter(|record| is_change(record)) {
        if let Some(id) = record.message_id.as_deref() {
            changes.entry(id).or_default().push(record);
        }
    }
    changes
}

fn changed(record: &Record, zone: &TimeZone) -> String {
    let (at, who) = (time(record.time_us, zone, "%H:%M:%S"), sender(record));
    let words = one_line(&words(record));
    match Kind::from_full(&record.kind) {
        Some(Kind::MessageEdited) => format!("edited {at} by {who}: {words}"),
        Some(Kind::MessageDeleted) => format!("deleted {at} by {who}"),
        Some(Kind::MessageReceipt) => format!("{words} {at} by {who}"),
        _ => format!("{words} {at} by {who}"),
    }
}

fn duration(ms: i64) -> String {
    let s = ms / 1_000;
    if s >= 3_600 {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

fn line(record: &Record) -> String {
    let who = match record.sender().and_then(|party| party.scope.as_deref()) {
        Some("federated") => format!("{} (federated)", sender(record)),
        _ => sender(record),
    };
    let words = clean(&words(record)).replace('\n', "\n              ");
    let other = || record.related("participant").next().map_or_else(String::new, |p| one_line(p.label()));
    let joined = if record.detail.as_deref().is_some_and(|d| d.contains("left")) { "left" } else { "joined" };
    let to = || record.related("to").map(|party| one_line(party.label())).collect::<Vec<_>>().join(", ");
    let Some(kind) = Kind::from_full(&record.kind) else {
        return format!("[{}] {who} {words}", one_line(&record.short_type()));
    };
    match kind {
        Kind::MessageSent => format!("{who}: {words}"),
        Kind::ConversationParticipant => format!("* {} {joined}", other()),
        Kind::CallParticipant => format!("* {} {joined} the call", other()),
        Kind::CallInvited => format!("* {who} calls {} ({words})", to()),
        Kind::CallAnswered => format!("* {who} answers ({words})"),
        Kind::CallEnded => {
            let lasted = record.call.as_ref().and_then(|call| call.duration_ms);
            let lasted =
                lasted.map_or_else(|| "not answered".to_owned(), |ms| format!("lasted {}", duration(ms)));
            format!("* the call ended, {lasted} ({words})")
        }
        Kind::FileShared => format!("* {who} shares {words}"),
        Kind::FileDownloaded => format!("* {who} downloads {words}"),
        Kind::ConversationRenamed => format!("* {who} names it {words:?}"),
        Kind::ConversationHistoryViewed => format!("* {who} reads the history"),
        Kind::ContactRequested => format!("* {who} asks {} to become a contact: {words}", to()),
        Kind::ContactAccepted => format!("* {who} accepts {}", to()),
        Kind::ContactDeclined => format!("* {who} declines {}", to()),
        _ => format!("[{}] {who} {words}", kind.short()),
    }
}
