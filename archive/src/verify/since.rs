//! Files that are replaced and removed while an archive is verified, which may take longer than
//! the grace of a compaction.

use std::collections::BTreeSet;

use super::Report;
use super::files::StoredFile;
use crate::error::Error;
use crate::read::Archive;

/// What was committed after the version that is verified.
pub(super) struct Since {
    newest: u64,
    /// Files that took the place of others, and that were told already.
    told: BTreeSet<String>,
}

/// Where the batches of a file went that is not there.
pub(super) enum Moved {
    /// Into this one, which is told once.
    To(Box<StoredFile>),
    /// Into one that was told before.
    Known,
    /// No commit moved them.
    Nowhere,
}

impl Since {
    pub(super) fn after(newest: u64) -> Self {
        Since { newest, told: BTreeSet::new() }
    }

    pub(super) fn moved(
        &mut self,
        archive: &Archive,
        file: &StoredFile,
        report: &mut Report,
    ) -> Result<Moved, Error> {
        // What cannot be read is named by the next verification.
        for commit in archive.commits_after(Some(self.newest))? {
            let Some(compaction) = commit.compaction else { continue };
            if !compaction.compacted.replaces.contains(&file.path) {
                continue;
            }
            let next = StoredFile::compacted(commit.version, &compaction);
            if let Some((of, _)) = file.batches.iter().find(|batch| !next.batches.contains(batch)) {
                let what = format!("replaces {} and leaves out the batch of version {of}", file.path);
                report.problem(format!("version {}", commit.version), what);
            }
            let is_new = self.told.insert(next.path.clone());
            return Ok(if is_new { Moved::To(Box::new(next)) } else { Moved::Known });
        }
        Ok(Moved::Nowhere)
    }
}
