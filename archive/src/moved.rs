//! Where batches went whose files are gone: whoever held on to a place for longer than the grace
//! of a compaction finds them again. It costs reading the log, once for the files of a month.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Error;
use crate::log::{self, CommitFile, FileRef};
use crate::store::Store;
use crate::writer::month;

/// Moves of the batches of one retention class and month, which no compaction leaves.
#[derive(Default)]
pub(crate) struct Moves {
    class_and_month: (String, String),
    /// The next version to read.
    next: u64,
    /// The last place of each batch: a file and the first row there.
    places: HashMap<String, (Arc<CommitFile>, u64)>,
}

impl Moves {
    /// Where the batch is now; `None` when it was not moved away from there.
    pub(crate) fn look(&mut self, store: &Store, file: &FileRef) -> Result<Option<FileRef>, Error> {
        let manifest = &file.manifest;
        let wanted = (manifest.retention_class.clone(), month(manifest.archived_ms));
        if self.class_and_month != wanted {
            *self = Moves { class_and_month: wanted, ..Moves::default() };
        }
        while let Some(commit) = log::read(store, self.next)? {
            self.next += 1;
            let Some(compaction) = commit.compaction else { continue };
            let compacted = compaction.compacted;
            let (class, month) = (&self.class_and_month.0, &self.class_and_month.1);
            if compacted.class() != class || compacted.month() != *month {
                continue;
            }
            let place = Arc::new(compaction.file);
            let moved = compacted.batches.into_iter();
            self.places.extend(moved.map(|batch| (batch.manifest.batch, (place.clone(), batch.first_row))));
        }
        let place = self.places.get(&manifest.batch).filter(|(place, _)| place.path != file.path);
        Ok(place.map(|(place, first_row)| FileRef {
            path: place.path.clone(),
            bytes: place.bytes,
            sha256: place.sha256,
            first_row: Some(*first_row),
            manifest: manifest.clone(),
        }))
    }
}
