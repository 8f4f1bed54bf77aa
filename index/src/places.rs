//! Where the archive's batches are. A compaction moves them into other files; the index follows, so
//! that it names files that are there.

use std::collections::{BTreeSet, HashMap};

use custody_archive::FileRef;

use crate::error::Error;
use crate::manifest::SplitMeta;
use crate::source::Added;

/// The places of batches that some commits moved, after the last of them.
#[derive(Default)]
pub(crate) struct Places {
    by_batch: HashMap<String, FileRef>,
    /// Versions that archived them.
    versions: BTreeSet<u64>,
}

impl Places {
    pub(crate) fn after(commits: &[Added]) -> Places {
        let mut places = Places::default();
        for (version, file) in commits.iter().flat_map(|commit| &commit.moved) {
            places.versions.insert(*version);
            places.by_batch.insert(file.manifest.batch.clone(), file.clone());
        }
        places
    }

    /// Where a batch is since; `None` where it still is in this place.
    pub(crate) fn of(&self, file: &FileRef) -> Result<Option<&FileRef>, Error> {
        let Some(place) = self.by_batch.get(&file.manifest.batch).filter(|place| *place != file) else {
            return Ok(None);
        };
        if place.manifest != file.manifest {
            let message = format!("{}: batch {} was moved and changed", place.path, file.manifest.batch);
            return Err(Error::corrupt(message));
        }
        Ok(Some(place))
    }

    /// Whether a split may cover one of them.
    pub(crate) fn touch(&self, meta: &SplitMeta) -> bool {
        self.versions.range(meta.first_version..=meta.last_version.max(meta.first_version)).next().is_some()
    }

    /// The commits with what they archived where it is after the last of them.
    pub(crate) fn applied(&self, mut commits: Vec<Added>) -> Result<Vec<Added>, Error> {
        for file in commits.iter_mut().flat_map(|commit| &mut commit.files) {
            if let Some(place) = self.of(file)? {
                *file = place.clone();
            }
        }
        Ok(commits)
    }
}
