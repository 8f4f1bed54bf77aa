//! The answer for people.

use std::fmt::Write as _;

use custody_archive::{Hole, PartitionAccount, SourceAccount};
use custody_schemas::manifest::GapReason;

use super::{LogAccount, Reconciled, utc};
use crate::show::one_line;

/// So many lines of one kind are printed; JSON and the statement have all.
const LINES_MAX: usize = 50;

/// A table: the first row is the heading; numbers stand to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (nth, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if nth == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            line.push_str(&cell);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Everything.
pub(super) fn tables(found: &Reconciled) -> String {
    let mut out = partitions(found);
    losses(found, &mut out);
    sources(found, &mut out);
    sessions(found, &mut out);
    let _ = writeln!(out, "\n{}", line(found));
    for open in found.unexplained.iter().take(LINES_MAX) {
        let _ = writeln!(out, "UNEXPLAINED {}", one_line(&open.to_string()));
    }
    if found.unexplained.len() > LINES_MAX {
        let _ = writeln!(out, "and {} more", found.unexplained.len() - LINES_MAX);
    }
    out
}

fn partitions(found: &Reconciled) -> String {
    let mut rows = vec![heading(&[
        "partition",
        "archived",
        "records",
        "quarantined",
        "skipped",
        "lost",
        "log in Kafka",
        "not archived",
    ])];
    let log = |name: &str| found.kafka.iter().flatten().find(|log| log.partition == name);
    for (name, of) in &found.archive.partitions {
        rows.push(partition(name, of, log(name)));
    }
    let unknown =
        found.kafka.iter().flatten().filter(|log| !found.archive.partitions.contains_key(&log.partition));
    for log in unknown {
        rows.push(partition(&log.partition, &PartitionAccount::default(), Some(log)));
    }
    table(&rows)
}

fn partition(name: &str, of: &PartitionAccount, log: Option<&LogAccount>) -> Vec<String> {
    let spans: Vec<String> = of.spans.iter().map(ToString::to_string).collect();
    let quarantined: u64 = of.quarantined.values().sum();
    let behind = log.map(|log| log.unarchived.map_or(0, |_| log.end - log.next.max(log.low)));
    vec![
        one_line(name),
        if spans.is_empty() { "nothing".to_owned() } else { spans.join(" ") },
        of.records.to_string(),
        quarantined.to_string(),
        of.skipped.to_string(),
        of.lost().to_string(),
        log.map_or_else(|| "not asked".to_owned(), |log| format!("[{}, {})", log.low, log.end)),
        behind.map_or_else(String::new, |behind| behind.to_string()),
    ]
}

fn losses(found: &Reconciled, out: &mut String) {
    for (name, of) in &found.archive.partitions {
        for gap in of.gaps.iter().take(LINES_MAX) {
            let (word, why) = match gap.reason {
                GapReason::DeletedByRetention => ("LOST", "deleted by Kafka before they were read"),
                GapReason::BeforeFirstCapture => {
                    ("before", "the log began behind them when it was captured first")
                }
            };
            let noticed = utc(gap.noticed_ms.saturating_mul(1_000));
            let _ = writeln!(out, "{word} {name} offsets {}: {why}, noticed {noticed}", gap.span);
        }
        for (reason, count) in of.quarantined.iter().take(LINES_MAX) {
            let _ = writeln!(out, "quarantined in {name}: {count}, {}", one_line(reason));
        }
    }
}

fn sources(found: &Reconciled, out: &mut String) {
    if found.archive.sources.is_empty() {
        return;
    }
    let mut rows =
        vec![heading(&["source", "records", "numbers", "missing", "explained by outages", "outages"])];
    for (name, of) in found.archive.sources.iter().take(LINES_MAX) {
        rows.push(source(name, of));
    }
    let _ = write!(out, "\n{}", table(&rows));
    if found.archive.sources.len() > LINES_MAX {
        let _ = writeln!(out, "and {} more sources", found.archive.sources.len() - LINES_MAX);
    }
    for (name, of) in found.archive.sources.iter().take(LINES_MAX) {
        for outage in of.outages.iter().take(LINES_MAX) {
            let time = |us: Option<i64>| us.map_or_else(|| "?".to_owned(), utc);
            let _ = writeln!(
                out,
                "outage of {}: {} to {}, {} ({})",
                one_line(name),
                time(outage.from_us),
                time(outage.to_us),
                one_line(&outage.reason),
                outage.position
            );
        }
    }
}

fn source(name: &str, of: &SourceAccount) -> Vec<String> {
    // A source may count from one end of all numbers to the other.
    let count = |hole: &Hole| i128::from(hole.to) - i128::from(hole.from);
    let missing = of.holes.as_ref().map(|holes| holes.iter().map(count).sum::<i128>());
    let open: i128 = of.unexplained().map(count).sum();
    vec![
        one_line(name),
        of.records.to_string(),
        of.numbers.map_or_else(|| "none".to_owned(), |(first, last)| format!("{first} to {last}")),
        missing.map_or_else(|| "too many".to_owned(), |missing| missing.to_string()),
        missing.map_or(0, |missing| missing - open).to_string(),
        of.outages.len().to_string(),
    ]
}

fn sessions(found: &Reconciled, out: &mut String) {
    let Some(sessions) = &found.sessions else { return };
    if sessions.all.is_empty() {
        return;
    }
    let sound = sessions.all.iter().filter(|session| session.adds_up()).count();
    let _ = writeln!(
        out,
        "\n{} ended sessions say how many messages they carried; of {sound} no fewer are archived",
        sessions.all.len()
    );
    if sessions.more > 0 {
        let _ = writeln!(out, "{} more sessions were not looked at", sessions.more);
    }
}

/// All of it in one line.
pub(super) fn line(found: &Reconciled) -> String {
    let lost: u64 = found.archive.partitions.values().map(PartitionAccount::lost).sum();
    let version = found.archive.version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let index = match &found.index {
        None => "there is no index".to_owned(),
        Some(index) => {
            format!("the index covers version {} ({} duplicates)", index.through_version, index.duplicates)
        }
    };
    format!(
        "archive: version {version}, {} records, {lost} offsets lost; {index}; {} unexplained",
        found.archive.records,
        found.unexplained.len()
    )
}
