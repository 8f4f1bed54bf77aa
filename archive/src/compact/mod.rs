//! Compaction: few large files instead of many small ones, with the same batches.
//!
//! Nothing of a batch changes: not a record, not a position, not its root. Only where it is does,
//! by a commit that removes the small files from the table and adds the one that holds their
//! batches. The protocol is that of the writer:
//!
//! 1. **Read** each small file, compare it with the log and prove its batches' roots.
//! 2. **Put** the new file under the hash of its bytes. A crash here leaves a file that nothing
//!    names, and that the same compaction writes again.
//! 3. **Read back**: the hash, each batch's root, and each value of each column.
//! 4. **Commit**, put if absent. On a conflict or an unknown outcome the log says whether it is
//!    there; if not, and all replaced files are live still, once more.
//! 5. **Remove** what was replaced when its grace is over, and writes that were cut short once
//!    nothing can commit them any more.
//!
//! - `plan`: which files become one; `known`: what the log says
//! - `rewrite`: the new file; `commit`: the table's change; `remove`: the old files

#[cfg(test)]
mod beside_tests;
mod commit;
#[cfg(test)]
mod fault_tests;
mod known;
mod plan;
mod remove;
mod rewrite;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Kind};
use crate::log;
use crate::store::Store;
use crate::table::Table;
use known::{Group, Known, Live, batches_of};
use plan::{Candidate, Policy, plan};
use rewrite::{Source, Unfit, rewrite};

/// Bytes of the record of a compaction. It stands in a commit, which every reader of the table reads.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// How files are compacted. Plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactSettings {
    /// Bytes of the files that become one. It takes three times as much memory at most, and some
    /// row groups of 16 MiB.
    pub file_bytes_max: u64,
    /// Small files in a row while their day goes on; when it is over they become as few as may be.
    pub small_files_max: usize,
    /// How long a replaced file stays: for whoever has read where its batches were.
    pub grace_ms: i64,
}

impl Default for CompactSettings {
    fn default() -> Self {
        CompactSettings { file_bytes_max: 64 << 20, small_files_max: 64, grace_ms: 86_400_000 }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The archive's version that was gone by.
    pub version: u64,
    /// The file that was made.
    pub compacted: Option<CompactedFile>,
    /// Files that were removed because others had replaced them for longer than the grace.
    pub removed: Vec<String>,
    /// Files of no commit that were removed: writes that were cut short.
    pub strays: Vec<String>,
    /// Files of no commit that cannot be read: left alone.
    pub unreadable: Vec<String>,
    /// There may be more to do at once.
    pub more: bool,
}

/// A file that was made of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CompactedFile {
    /// The version whose commit added it.
    pub version: u64,
    /// Its path below the archive.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its batches.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Files that it replaced.
    pub files: u64,
    /// Bytes of these files.
    pub replaced_bytes: u64,
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Due {
    /// Files that would become one.
    pub compactions: Vec<Planned>,
    /// Files that would be removed.
    pub removable: Vec<String>,
}

/// Files that would become one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Their retention class.
    pub retention_class: String,
    /// The month that they were archived in.
    pub archive_month: String,
    /// Their paths.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// Compacts one archive, beside its writers and other compactors.
pub struct Compactor {
    store: Arc<Store>,
    settings: CompactSettings,
    table: Table,
    known: Known,
    /// The log was read to its end once.
    caught_up: bool,
    /// When strays were looked for last.
    looked_ms: Option<i64>,
}

impl Compactor {
    /// Opens an archive that exists.
    ///
    /// # Errors
    ///
    /// `Invalid` where there is none.
    pub fn open(store: Arc<Store>, settings: CompactSettings) -> Result<Self, Error> {
        let missing = || {
            Error::new(Kind::Invalid, format!("{} is not an archive: it has no _delta_log", store.shown("")))
        };
        let table = Table::open(&store, u64::MAX)?.ok_or_else(missing)?;
        Ok(Compactor { store, settings, table, known: Known::default(), caught_up: false, looked_ms: None })
    }

    /// Does one thing that is due: makes one file of several, or removes what may be removed.
    /// `now_ms` is the wall clock, milliseconds since 1970 UTC.
    ///
    /// # Errors
    ///
    /// `Retry` when the store failed: nothing is half done, and the next step goes on. `Corrupt`
    /// names a file that is damaged; later steps leave it alone.
    pub fn step(&mut self, now_ms: i64) -> Result<Done, Error> {
        self.catch_up(now_ms)?;
        let mut done = Done { version: self.known.version.unwrap_or(0), ..Done::default() };
        if let Some((group, files)) = self.first_due(now_ms) {
            done.compacted = self.compact(&group, files, now_ms)?;
            done.more = true;
            return Ok(done);
        }
        self.remove_replaced(now_ms, &mut done)?;
        self.remove_strays(now_ms, &mut done)?;
        Ok(done)
    }

    /// What is due, with nothing done.
    pub fn due(&mut self, now_ms: i64) -> Result<Due, Error> {
        self.catch_up(now_ms)?;
        let mut due = Due { removable: self.removable(now_ms)?, ..Due::default() };
        for (group, files) in &self.known.live {
            for range in self.plan(group, files, now_ms) {
                due.compactions.push(Planned {
                    retention_class: group.0.clone(),
                    archive_month: group.1.clone(),
                    files: files[range.clone()].iter().map(|file| file.path.clone()).collect(),
                    bytes: files[range].iter().map(|file| file.candidate.bytes).sum(),
                });
            }
        }
        Ok(due)
    }

    /// Reads what was committed since. The kernel says through which version, so that a commit that
    /// is missing is not taken for the end of the log.
    fn catch_up(&mut self, now_ms: i64) -> Result<(), Error> {
        // Before the log is read: what was replaced long ago and is not there is gone for good.
        let stored = if self.caught_up { None } else { Some(self.stored()?) };
        let newest = self.table.newest()?;
        self.table.move_to(newest);
        for version in self.known.version.map_or(0, |version| version + 1)..=self.table.version() {
            let commit = log::existing(&self.store, version)?;
            self.known.take(commit)?;
            if let (Some(stored), Some(last)) = (&stored, self.known.replaced.last_mut()) {
                let old = last.replaced_ms.saturating_add(self.settings.grace_ms) <= now_ms;
                last.paths.retain(|path| !old || stored.contains(path));
            }
        }
        self.known.replaced.retain(|replaced| !replaced.paths.is_empty());
        self.caught_up = true;
        Ok(())
    }

    fn stored(&self) -> Result<BTreeSet<String>, Error> {
        Ok(self.data_files()?.into_iter().map(|object| object.path).collect())
    }

    fn plan(&self, group: &Group, files: &[Live], now_ms: i64) -> Vec<Range<usize>> {
        let policy = Policy {
            file_bytes_max: self.settings.file_bytes_max,
            record_bytes_max: RECORD_BYTES_MAX,
            small_files_max: self.settings.small_files_max,
        };
        let candidates: Vec<Candidate> = files.iter().map(|file| file.candidate).collect();
        plan(&candidates, &group.1, &policy, now_ms)
    }

    fn first_due(&self, now_ms: i64) -> Option<(Group, Vec<Live>)> {
        self.known.live.iter().find_map(|(group, files)| {
            let range = self.plan(group, files, now_ms).into_iter().next()?;
            Some((group.clone(), files[range].to_vec()))
        })
    }

    fn compact(
        &mut self,
        group: &Group,
        files: Vec<Live>,
        now_ms: i64,
    ) -> Result<Option<CompactedFile>, Error> {
        let bytes: Vec<u64> = files.iter().map(|file| file.candidate.bytes).collect();
        let made = files.into_iter().map(|file| self.source(file)).collect::<Result<Vec<_>, _>>();
        let made = made.and_then(|sources| rewrite(&self.store, &sources));
        let made = match made {
            Ok(made) => made,
            Err(Unfit { path, error }) => {
                // What was replaced and removed meanwhile is not damaged.
                self.catch_up(now_ms)?;
                if self.known.find(&path).is_none() {
                    return Ok(None);
                }
                // The store may work again; what is damaged stays damaged.
                if error.kind != Kind::Retry {
                    self.known.bar(&path);
                }
                return Err(error);
            }
        };
        let Some(version) = self.commit(&made, &bytes, now_ms)? else { return Ok(None) };
        let compacted = CompactedFile {
            version,
            path: made.file.path,
            bytes: made.file.bytes,
            batches: made.compacted.batches.len() as u64,
            records: made.compacted.rows(),
            files: bytes.len() as u64,
            replaced_bytes: bytes.iter().sum(),
        };
        tracing::info!(
            version,
            path = compacted.path,
            class = group.0,
            month = group.1,
            files = compacted.files,
            batches = compacted.batches,
            records = compacted.records,
            bytes_before = compacted.replaced_bytes,
            bytes = compacted.bytes,
            "compacted"
        );
        Ok(Some(compacted))
    }

    /// A file with the batches that the log says it holds.
    fn source(&self, file: Live) -> Result<Source, Unfit> {
        match log::existing(&self.store, file.added) {
            Ok(commit) => Ok(Source { batches: batches_of(commit, &file.path), file }),
            Err(error) => Err(Unfit { path: file.path, error }),
        }
    }
}
