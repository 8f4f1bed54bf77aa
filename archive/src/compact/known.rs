//! What the compactor knows of the log: the files that are live, those that were replaced and may
//! still be there, and where partitions stand. Some hundred bytes a file; manifests are read again
//! where they are needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use custody_schemas::{Hash, Manifest};

use super::plan::Candidate;
use crate::compacted::Carried;
use crate::error::Error;
use crate::log::{Commit, Compaction, FileRef};
use crate::writer::month;

/// A live file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) path: String,
    pub(crate) sha256: Hash,
    /// The version that archived its first batch: files stand in this order.
    pub(crate) first_version: u64,
    /// The version whose commit added it.
    pub(crate) added: u64,
    /// Rows of all its batches.
    pub(crate) rows: u64,
    pub(crate) candidate: Candidate,
}

/// Files that a compaction replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) paths: Vec<String>,
    pub(crate) replaced_ms: i64,
    /// The file that holds their batches since.
    pub(crate) by: String,
    pub(crate) by_sha256: Hash,
}

/// Retention class and archive month.
pub(crate) type Group = (String, String);

#[derive(Default)]
pub(crate) struct Known {
    /// As of this version; before the log was read, of none.
    pub(crate) version: Option<u64>,
    /// In order of their first version.
    pub(crate) live: BTreeMap<Group, Vec<Live>>,
    pub(crate) replaced: Vec<Replaced>,
    /// Next offsets by Delta application id.
    next: HashMap<String, i64>,
}

impl Known {
    /// Takes a commit in, whole or not at all. What breaks the rules of the log is damage, which
    /// `verify` explains.
    pub(crate) fn take(&mut self, commit: Commit) -> Result<(), Error> {
        let version = commit.version;
        if let Some(compaction) = commit.compaction {
            self.compacted(version, compaction)?;
        }
        self.next.extend(commit.txns);
        for file in commit.files {
            let live = live(version, version, &file, [&file.manifest]);
            self.live.entry(group(&file.manifest)).or_default().push(live);
        }
        self.version = Some(version);
        Ok(())
    }

    fn compacted(&mut self, version: u64, compaction: Compaction) -> Result<(), Error> {
        let compacted = &compaction.compacted;
        if let Some(fault) = compacted.fault() {
            return Err(Error::corrupt(format!("version {version} is no sound compaction: {fault}")));
        }
        let files = self.live.entry((compacted.class().to_owned(), compacted.month())).or_default();
        let replaced: BTreeSet<&str> = compacted.replaces.iter().map(String::as_str).collect();
        let is_replaced = |file: &Live| replaced.contains(file.path.as_str());
        if files.iter().filter(|file| is_replaced(file)).count() != replaced.len() {
            let message = format!("version {version} replaces files that are not live; verify the archive");
            return Err(Error::corrupt(message));
        }
        files.retain(|file| !is_replaced(file));
        if let Some((first, file)) = compaction.batches().next() {
            let manifests = compacted.batches.iter().map(|batch| &batch.manifest);
            let at = files.partition_point(|file| file.first_version < first);
            files.insert(at, live(first, version, &file, manifests));
        }
        self.replaced.push(Replaced {
            paths: compaction.compacted.replaces,
            replaced_ms: compaction.compacted_ms,
            by: compaction.file.path,
            by_sha256: compaction.file.sha256,
        });
        Ok(())
    }

    /// The live file of this name.
    pub(crate) fn find(&self, path: &str) -> Option<&Live> {
        self.live.values().flatten().find(|file| file.path == path)
    }

    pub(crate) fn live_paths(&self) -> BTreeSet<&str> {
        self.live.values().flatten().map(|file| file.path.as_str()).collect()
    }

    /// Where a partition stands; nothing of one that the log does not know is archived.
    pub(crate) fn next(&self, app_id: &str) -> i64 {
        self.next.get(app_id).copied().unwrap_or(0)
    }

    /// Keeps a file from being compacted.
    pub(crate) fn bar(&mut self, path: &str) {
        let files = self.live.values_mut().flatten();
        files.filter(|file| file.path == path).for_each(|file| file.candidate.barred = true);
    }
}

pub(crate) fn group(manifest: &Manifest) -> Group {
    (manifest.retention_class.clone(), month(manifest.archived_ms))
}

fn live<'a>(
    first_version: u64,
    added: u64,
    file: &FileRef,
    batches: impl IntoIterator<Item = &'a Manifest>,
) -> Live {
    let (mut rows, mut record_bytes, mut archived_ms) = (0_u64, 0_u64, i64::MIN);
    for manifest in batches {
        rows = rows.saturating_add(manifest.rows);
        record_bytes = record_bytes.saturating_add(record_bytes_of(manifest));
        archived_ms = archived_ms.max(manifest.archived_ms);
    }
    let candidate = Candidate { bytes: file.bytes, record_bytes, archived_ms, barred: false };
    Live { path: file.path.clone(), sha256: file.sha256, first_version, added, rows, candidate }
}

/// About the bytes of a batch in a compaction's record.
fn record_bytes_of(manifest: &Manifest) -> u64 {
    let gaps = |part: &custody_schemas::manifest::Part| part.gaps.len() * 100;
    let parts = manifest.parts.iter().map(|part| 120 + part.partition.topic.len() + gaps(part));
    (400 + parts.sum::<usize>()) as u64
}

/// The batches of a file in a commit that added it, with the versions that archived them.
pub(crate) fn batches_of(commit: Commit, path: &str) -> Vec<(u64, Manifest)> {
    let version = commit.version;
    match commit.compaction {
        Some(compaction) if compaction.file.path == path => {
            let carried = compaction.compacted.batches.into_iter();
            carried.map(|Carried { version, manifest, .. }| (version, manifest)).collect()
        }
        _ => {
            let own = commit.files.into_iter().filter(|file| file.path == path);
            own.map(|file| (version, file.manifest)).collect()
        }
    }
}
