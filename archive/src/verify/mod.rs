//! The proof of the whole archive: commits, files, leaves, roots and spans.
//!
//! It trusts nothing that it can make anew: every file is hashed, every record
//! re-hashed from its bytes, every root rebuilt, every span chained.

//!
//! - `log`: every commit and checkpoint; `chain`: what an archived batch must be, and a compaction
//! - `choice`: which of the live files are hashed; `work`: several at once, in bounded memory
//! - `files`: a live file, each of its batches and rows; `since`: files that were replaced
//!   while they were verified
//! - `journal`: what is proven already, so that a run that was cut short is gone on with

mod chain;
mod choice;
mod files;
mod journal;
mod log;
mod since;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use serde::Serialize;

use crate::error::Error;
use crate::read::Archive;
pub use choice::{Choice, Sample};
use files::StoredFile;
pub use journal::{Journal, Proven};
use work::Work;

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
    /// What was chosen to be hashed.
    #[serde(flatten)]
    pub choice: Choice,
    /// Files hashed and decoded.
    pub files: u64,
    /// Live files that were not, as they were not chosen.
    pub files_left_out: u64,
    /// Files among `files` that an earlier run has proven, as its journal says.
    pub files_before: u64,
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

/// How an archive is verified.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// Which files are hashed. The log is always checked whole.
    pub choice: Choice,
    /// Files at once, each on a thread of its own.
    pub threads: NonZeroUsize,
    /// Bytes of files that are held at once; a larger one is held alone.
    pub bytes_max: u64,
}

impl Default for VerifySettings {
    /// Everything, file after file.
    fn default() -> Self {
        VerifySettings { choice: Choice::default(), threads: NonZeroUsize::MIN, bytes_max: 256 << 20 }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Commits read. Files come when all are.
    pub commits: u64,
    /// Commits there are.
    pub commits_all: u64,
    /// Files done.
    pub files: u64,
    /// Files there are.
    pub files_all: u64,
    /// Bytes of the files done.
    pub bytes: u64,
    /// Bytes of all files.
    pub bytes_all: u64,
}

/// Verifies all of an archive, file after file. `progress` is called after each commit and file.
///
/// # Errors
///
/// Only when the check itself cannot be done; what it finds is in the report.
pub fn verify(archive: &Archive, progress: &mut dyn FnMut(Progress)) -> Result<Report, Error> {
    verify_with(archive, &VerifySettings::default(), None, progress)
}

/// Verifies an archive, or what is chosen of it. What a journal knows of is not hashed again, and
/// what is sound is added to it.
///
/// # Errors
///
/// Only when the check itself cannot be done; what it finds is in the report.
pub fn verify_with(
    archive: &Archive,
    settings: &VerifySettings,
    journal: Option<&Journal>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Error> {
    let mut report = Report { choice: settings.choice, ..Report::default() };
    // Before the commits are read: what is committed meanwhile is named by none of them.
    let stored = archive.store.list("")?;
    let mut at = Progress::default();
    let log = log::check(archive, &mut report, &mut |commits, commits_all| {
        at = Progress { commits, commits_all, ..at };
        progress(at);
    })?;
    report.version = log.newest;
    report.checkpoints = log.checkpoints;
    report.generations = log.generations;
    report.next_offsets = log.next_offsets;
    report.unreferenced = unreferenced(archive, stored, &log.live, &log.replaced, log.newest)?;
    let live = log.live.len();
    let files = settings.choice.of(log.live, |file| (file.version, &file.path));
    report.files_left_out = (live - files.len()) as u64;
    Work::new(archive, journal, files, log.newest, settings).all(at, &mut report, progress)?;
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
mod sweep_tests;
#[cfg(test)]
mod tests;
