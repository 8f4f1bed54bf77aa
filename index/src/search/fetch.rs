//! Records of documents, from the archive.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use custody_archive::at_once;

use super::Searcher;
use crate::error::Error;
use crate::source::Source;
use crate::split::OpenSplit;
use crate::stop::Stop;

/// By split and document: the version that archived a record, and the record.
pub(super) type Fetched<R> = BTreeMap<(usize, u32), (u64, R)>;

impl<S: Source> Searcher<S> {
    /// The records of some documents of these splits, by several threads.
    pub(super) fn fetched(
        &self,
        splits: &[Arc<OpenSplit>],
        docs: impl Iterator<Item = (usize, u32)>,
        stop: &Stop,
    ) -> Result<Fetched<S::Record>, Error> {
        let mut wanted: BTreeMap<(usize, usize), BTreeSet<(u64, u32)>> = BTreeMap::new();
        for (split, doc) in docs {
            let (file, row) = splits[split].locate(doc);
            wanted.entry((split, file)).or_default().insert((row, doc));
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let mut records = Fetched::new();
        let begun = AtomicUsize::new(0);
        let next = || {
            let ((split, file), docs) = wanted.get(begun.fetch_add(1, Ordering::Relaxed))?;
            let covered = &splits[*split].footer.files[*file];
            let rows: Vec<u64> = docs.iter().map(|(row, _)| *row).collect();
            let fetched = stop.check().and_then(|()| self.source.fetch(&covered.file, &rows));
            Some(fetched.and_then(|fetched| match fetched.len() {
                found if found == rows.len() => Ok((*split, covered.version, docs, fetched)),
                found => {
                    let message = format!("{}: {found} of {} rows are there", covered.file.path, rows.len());
                    Err(Error::corrupt(message))
                }
            }))
        };
        let threads = self.settings.search_threads.min(wanted.len());
        at_once(
            NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            next,
            |(split, version, docs, found)| {
                let places = docs.iter().map(|(_, doc)| (split, *doc));
                records.extend(places.zip(found.into_iter().map(|record| (version, record))));
            },
        )?;
        Ok(records)
    }
}
