//! The proof of the whole archive: commits, files, leaves, roots and spans.
//!
//! It trusts nothing that it can make anew: every file is hashed, every record
//! re-hashed from its bytes, every root rebuilt, every span chained.

//!
//! - `log`: every commit and checkpoint; `chain`: what an archived batch must be, and a compaction
//! - `files`: every live file, each of its batches and rows; `since`: files that were replaced
//!   while they were verified

mod chain;
mod files;
mod log;
mod since;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use crate::error::Error;
use crate::read::Archive;
use files::StoredFile;
use since::{Moved, Since};

/// Something that is not as it was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Version, file or record.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// What was verified.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The newest version.
    pub version: u64,
    /// Batches seen.
    pub batches: u64,
    /// Files hashed and decoded.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Records re-hashed.
    pub records: u64,
    /// Gaps; the row of each was re-hashed as well, and is no record.
    pub gaps: u64,
    /// Records that could not be decoded when they came.
    pub quarantined: u64,
    /// Offsets that held no record for a consumer.
    pub skipped: u64,
    /// Offsets that were lost before they could be archived.
    pub lost: u64,
    /// The generation that each topic is at.
    pub generations: BTreeMap<String, i32>,
    /// Next offset of each partition: `topic:generation:partition`.
    pub next_offsets: BTreeMap<String, i64>,
    /// Checkpoints that were compared with the commits: the newest, for each says all of the past.
    pub checkpoints: u64,
    /// Data files that no commit names: writes that were cut short, and what is left of newest
    /// commits that were removed.
    pub unreferenced: Vec<String>,
    /// What is wrong: nothing, if the archive is sound.
    pub problems: Vec<Problem>,
    /// Problems beyond these.
    pub more: u64,
}

/// So many problems are told one by one.
const PROBLEMS_MAX: usize = 1_000;

impl Report {
    fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        self.problems.push(Problem { place: place.into(), what: what.into() });
    }
}

/// Verifies an archive. `progress` is called after each file with the number of
/// files done and of all.
pub fn verify(archive: &Archive, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    let mut report = Report::default();
    // Before the commits are read: what is committed meanwhile is named by none of them.
    let stored = archive.store.list("")?;
    let log = log::check(archive, &mut report)?;
    report.version = log.newest;
    report.checkpoints = log.checkpoints;
    report.generations = log.generations;
    report.next_offsets = log.next_offsets;
    report.unreferenced = unreferenced(archive, stored, &log.live, &log.replaced, log.newest)?;
    let mut total = log.live.len() as u64;
    let mut files = VecDeque::from(log.live);
    let mut since = Since::after(log.newest);
    while let Some(file) = files.pop_front() {
        let Some(bytes) = archive.store.get(&file.path)? else {
            // Its batches may have been moved since the log was read: they are proven where they are.
            match since.moved(archive, &file, &mut report)? {
                Moved::To(next) => {
                    total += 1;
                    files.push_back(*next);
                }
                Moved::Known => {}
                Moved::Nowhere => report.problem(&file.path, format!("{} is missing", file.path)),
            }
            report.files += 1;
            progress(report.files, total);
            continue;
        };
        files::check(&file, bytes, &mut report)?;
        report.files += 1;
        progress(report.files, total);
    }
    // Whoever goes by the log as other engines do must be able to. Where nothing is wrong with
    // the log itself, it is the store or this program that fails.
    match archive.refresh() {
        Ok(_) => {}
        Err(error) if report.problems.is_empty() => return Err(error),
        Err(error) => report.problem("_delta_log", format!("the table cannot be opened: {error}")),
    }
    Ok(report)
}

/// Files that were there when the log was read, and that no commit names until now. What was
/// replaced is named, whether it is there still or not.
fn unreferenced(
    archive: &Archive,
    stored: Vec<String>,
    live: &[StoredFile],
    replaced: &BTreeSet<String>,
    newest: u64,
) -> Result<Vec<String>, Error> {
    let since = archive.commits_after(Some(newest)).unwrap_or_default();
    let added = since.iter().flat_map(|commit| &commit.adds).map(|(path, _)| path.as_str());
    let named: BTreeSet<&str> = live.iter().map(|file| file.path.as_str()).chain(added).collect();
    let data = stored.into_iter().filter(|path| path.ends_with(".parquet") && !path.starts_with('_'));
    let is_named = |path: &String| named.contains(path.as_str()) || replaced.contains(path);
    let mut unreferenced: Vec<_> = data.filter(|path| !is_named(path)).collect();
    unreferenced.sort_unstable();
    Ok(unreferenced)
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod sweep_tests;
