//! Which neighbouring files become one. Pure: metadata in, ranges out.
//!
//! The files of one retention class and month are given in order of version; only neighbours
//! among them are merged. A file is large when it has more than half of what a file may have: it
//! stays as it is, and so two small neighbours always fit into one.
//!
//! - When a day is over its small files become as few as may be, and when the month is over those
//!   of the month.
//! - In a day that goes on small files have tiers, each an eighth of the next. When a tier has
//!   so many files at the end of the row they are merged: each record is written anew once a tier.

use std::ops::Range;

use crate::writer::month;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Bytes that the files may have together that become one.
    pub(crate) file_bytes_max: u64,
    /// Bytes that their batches' records may have together: they stand in one commit.
    pub(crate) record_bytes_max: u64,
    /// Small files in a row while their day goes on.
    pub(crate) small_files_max: usize,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) bytes: u64,
    /// Of the record of its batches.
    pub(crate) record_bytes: u64,
    /// When its newest batch was sealed, milliseconds since 1970 UTC.
    pub(crate) archived_ms: i64,
    /// It is damaged, or another program's: neither it nor its neighbours across it are merged.
    pub(crate) barred: bool,
}

const DAY_MS: i64 = 86_400_000;
/// Tiers of small files.
const TIERS: u32 = 4;
/// Each is this much smaller than the next.
const TIER_FACTOR: u64 = 8;

/// The merges that are due, in order and apart; each of at least two files.
pub(crate) fn plan(
    files: &[Candidate],
    month_of_files: &str,
    policy: &Policy,
    now_ms: i64,
) -> Vec<Range<usize>> {
    let mut merges = Vec::new();
    for run in small_runs(files, policy) {
        if month(now_ms).as_str() > month_of_files {
            merges.extend(filled(files, run, policy));
            continue;
        }
        for (day, section) in days(files, run) {
            let over = day < now_ms.div_euclid(DAY_MS);
            let section = if over { section } else { full_tier(files, section, policy) };
            merges.extend(filled(files, section, policy));
        }
    }
    merges
}

fn is_small(file: &Candidate, policy: &Policy) -> bool {
    !file.barred
        && file.bytes <= policy.file_bytes_max / 2
        && file.record_bytes <= policy.record_bytes_max / 2
}

fn small_runs(files: &[Candidate], policy: &Policy) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in files.iter().enumerate().filter(|(_, file)| is_small(file, policy)) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// A run in sections of one day each. Workers' clocks differ: a file counts to the latest day that
/// any before it has, or midnight would cut the row into crumbs.
fn days(files: &[Candidate], run: Range<usize>) -> Vec<(i64, Range<usize>)> {
    let mut sections: Vec<(i64, Range<usize>)> = Vec::new();
    for at in run {
        let day = files[at].archived_ms.div_euclid(DAY_MS);
        match sections.last_mut() {
            Some((last, section)) if day <= *last => section.end = at + 1,
            _ => sections.push((day, at..at + 1)),
        }
    }
    sections
}

/// Zero for the smallest.
fn tier(file: &Candidate, policy: &Policy) -> u32 {
    let mut limit = policy.file_bytes_max / 2;
    for tier in (1..TIERS).rev() {
        limit /= TIER_FACTOR;
        if file.bytes > limit {
            return tier;
        }
    }
    0
}

/// The end of a row that is due: the files of the lowest tier of which there are too many, and
/// what is smaller behind them. Empty when none is.
fn full_tier(files: &[Candidate], section: Range<usize>, policy: &Policy) -> Range<usize> {
    let count_max = (policy.small_files_max / TIERS as usize).max(2);
    let mut behind = section.end;
    for of in 0..TIERS {
        let start = section.clone().rev().take_while(|at| tier(&files[*at], policy) <= of).last();
        let start = start.unwrap_or(section.end);
        if behind - start >= count_max {
            return start..section.end;
        }
        behind = start;
    }
    section.end..section.end
}

/// The files in merges as full as they may be, those alone left out.
fn filled(files: &[Candidate], section: Range<usize>, policy: &Policy) -> Vec<Range<usize>> {
    let mut merges: Vec<Range<usize>> = Vec::new();
    let (mut bytes, mut record_bytes) = (0_u64, 0_u64);
    for at in section {
        bytes = bytes.saturating_add(files[at].bytes);
        record_bytes = record_bytes.saturating_add(files[at].record_bytes);
        match merges.last_mut() {
            Some(merge) if bytes <= policy.file_bytes_max && record_bytes <= policy.record_bytes_max => {
                merge.end = at + 1;
            }
            _ => {
                merges.push(at..at + 1);
                (bytes, record_bytes) = (files[at].bytes, files[at].record_bytes);
            }
        }
    }
    merges.retain(|merge| merge.len() > 1);
    merges
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
