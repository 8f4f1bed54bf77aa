//! A conversation as people read it: in order of time, edits and deletions with
//! their message, every version kept visible.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::ops::Range;

use custody_archive::Record;
use custody_schemas::{Kind, Position};
use jiff::tz::TimeZone;

use super::versions::{Version, changed, is, versions};
use super::{clean, one_line, sender, time, words};

/// How much of a conversation is printed before and after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many lines.
    Lines(usize),
    /// What happened within so many microseconds.
    Time(i64),
}

/// Prints the records of one conversation, in whatever order they come. With
/// `around`, the line of that record is marked and a window before and
/// after it is printed; an edit, a reaction and a second delivery are part of
/// the line of their message.
pub fn conversation(
    records: &[Record],
    zone: &TimeZone,
    around: Option<&Position>,
    window: Window,
) -> String {
    let mut all: Vec<&Record> = records.iter().collect();
    // What has no time stands where it was archived: at the end.
    all.sort_by_key(|record| (record.time_us.is_none(), record.time_us, record.position.clone()));
    let (all, copies) = once(all);
    let lines = lines(&all);
    let holds = |line: &Line<'_>, position: &Position| {
        let parts = std::iter::once(&line.record).chain(&line.changes);
        let mut positions = parts.flat_map(|record| {
            std::iter::once(&record.position).chain(copies.get(&record.position).into_iter().flatten())
        });
        positions.any(|held| held == position)
    };
    let marked = around.and_then(|position| lines.iter().position(|line| holds(line, position)));
    let shown = marked.map_or(0..lines.len(), |at| shown(&lines, at, window));
    let mut out = String::new();
    let mut day = String::new();
    for (at, Line { record, changes }) in lines.iter().enumerate().take(shown.end).skip(shown.start) {
        let today = time(record.time_us, zone, "%A, %-d %B %Y");
        if today != day {
            // Writing to a text cannot fail.
            let _ = writeln!(out, "{}── {today} ──", if day.is_empty() { "" } else { "\n" });
            day = today;
        }
        let mark = if marked == Some(at) { "▶" } else { " " };
        let clock = time(record.time_us, zone, "%H:%M:%S");
        let versions = versions(record, changes);
        let version = versions.first().map_or("", |version| version.mark());
        let _ = writeln!(out, "{mark} {clock}  {}{version}{}", line(record), again(&copies, record));
        let _ = beneath(&mut out, record, changes.iter().zip(versions.iter().skip(1)), &copies, zone);
    }
    if shown.len() < lines.len() {
        let _ = writeln!(out, "\n{} of {} lines of the conversation", shown.len(), lines.len());
    }
    if let (Some(position), None) = (around, marked) {
        let _ = writeln!(out, "\n{position} is not in this conversation");
    }
    out
}

/// The lines around one of them.
fn shown(lines: &[Line<'_>], at: usize, window: Window) -> Range<usize> {
    match (window, lines[at].record.time_us) {
        (Window::Lines(count), _) => {
            at.saturating_sub(count)..lines.len().min(at.saturating_add(count).saturating_add(1))
        }
        // What has no time stands behind everything, near to nothing.
        (Window::Time(_), None) => at..at + 1,
        (Window::Time(us), Some(time)) => {
            let (from, to) = (time.saturating_sub(us), time.saturating_add(us));
            let until = |is_before: &dyn Fn(i64) -> bool| {
                lines.partition_point(|line| line.record.time_us.is_some_and(is_before))
            };
            until(&|time| time < from)..until(&|time| time <= to)
        }
    }
}

/// Prints what was done to a message: versions and reactions a line each, receipts a line for all
/// that say the same.
fn beneath<'c>(
    out: &mut String,
    record: &Record,
    changes: impl Iterator<Item = (&'c &'c Record, &'c Version)>,
    copies: &Copies,
    zone: &TimeZone,
) -> std::fmt::Result {
    let clock = |change: &Record| {
        // A later day is said: the heading is that of the message.
        let same_day = time(change.time_us, zone, "%F") == time(record.time_us, zone, "%F");
        time(change.time_us, zone, if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" })
    };
    let mut receipts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (change, version) in changes {
        let (at, again) = (clock(change), again(copies, change));
        if is(change, Kind::MessageReceipt) {
            let said = format!("{at} by {}{again}", sender(change));
            receipts.entry(one_line(&words(change))).or_default().push(said);
        } else {
            writeln!(out, "            {}{}{again}", changed(change, &at, version.late), version.mark())?;
        }
    }
    for (status, said) in receipts {
        writeln!(out, "            {status} {}", said.join(", "))?;
    }
    Ok(())
}

/// What is printed as one: a record, and what was done to it later.
struct Line<'a> {
    record: &'a Record,
    changes: Vec<&'a Record>,
}

/// A change stands with its message, unless that is not among the records.
fn lines<'a>(all: &[&'a Record]) -> Vec<Line<'a>> {
    let mut messages: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(all.len());
    // Messages first: an edit may carry an earlier time than its message.
    for &record in all.iter().filter(|record| !is_change(record)) {
        if let Some(id) = record.message_id.as_deref().filter(|_| is(record, Kind::MessageSent)) {
            messages.entry(id).or_insert(lines.len());
        }
        lines.push(Line { record, changes: Vec::new() });
    }
    let mut alone = Vec::new();
    for &record in all.iter().filter(|record| is_change(record)) {
        match record.message_id.as_deref().and_then(|id| messages.get(id)) {
            Some(at) => lines[*at].changes.push(record),
            None => alone.push(Line { record, changes: Vec::new() }),
        }
    }
    lines.append(&mut alone);
    lines.sort_by_key(|line| {
        (line.record.time_us.is_none(), line.record.time_us, line.record.position.clone())
    });
    lines
}

/// The later deliveries and captures of an event, by the position of its first.
type Copies = BTreeMap<Position, Vec<Position>>;

fn again(copies: &Copies, record: &Record) -> String {
    copies.get(&record.position).map(|more| format!(" ×{}", more.len() + 1)).unwrap_or_default()
}

/// Each event once, and where its other deliveries and captures are.
fn once(all: Vec<&Record>) -> (Vec<&Record>, Copies) {
    let mut first: BTreeMap<u64, &Position> = BTreeMap::new();
    let mut copies = Copies::new();
    let mut kept = Vec::with_capacity(all.len());
    for record in all {
        match record.identity.map(|identity| first.entry(identity)) {
            Some(Entry::Occupied(seen)) => {
                copies.entry((*seen.get()).clone()).or_default().push(record.position.clone());
            }
            Some(Entry::Vacant(new)) => {
                new.insert(&record.position);
                kept.push(record);
            }
            // What was not decoded is nobody's copy.
            None => kept.push(record),
        }
    }
    (kept, copies)
}

fn is_change(record: &Record) -> bool {
    [Kind::MessageEdited, Kind::MessageDeleted, Kind::MessageReaction, Kind::MessageReceipt]
        .iter()
        .any(|kind| is(record, *kind))
}

pub(super) fn duration(ms: i64) -> String {
    // A call may say that it ended before it was answered.
    let (sign, s) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs() / 1_000);
    if s >= 3_600 {
        format!("{sign}{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{sign}{}:{:02}", s / 60, s % 60)
    }
}

fn line(record: &Record) -> String {
    let who = match record.sender().and_then(|party| party.scope.as_deref()) {
        Some("federated") => format!("{} (federated)", sender(record)),
        _ => sender(record),
    };
    let words = clean(&words(record)).replace('\n', "\n              ");
    let other = || record.related("participant").next().map_or_else(String::new, |p| one_line(p.label()));
    // `detail` is the action, then the name: a name may hold any word.
    let joined = match record
        .detail
        .as_deref()
        .and_then(|detail| detail.split(' ').find(|w| matches!(*w, "joined" | "left")))
    {
        Some("left") => "left",
        _ => "joined",
    };
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
