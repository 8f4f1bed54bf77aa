//! Every batch of the archive in exactly one split. Pure.

use std::collections::BTreeMap;

use custody_archive::FileRef;

use crate::check::{Difference, index_differs};
use crate::source::Added;
use crate::split::Covered;

/// A batch that the index has to cover.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    /// The version that archived it.
    version: u64,
    /// Everywhere that it was put, the first place first. A compaction that is not indexed yet is as
    /// good as one that is: what it replaced can be read until then.
    pub(crate) places: Vec<FileRef>,
}

impl Expected {
    fn batch(&self) -> &str {
        self.places.first().map_or("", |file| &file.manifest.batch)
    }
}

/// The batches through a version, in order.
pub(crate) fn expected(commits: Vec<Added>, through: Option<u64>) -> Vec<Expected> {
    let mut moved: BTreeMap<String, Vec<FileRef>> = BTreeMap::new();
    for (_, file) in commits.iter().flat_map(|commit| &commit.moved) {
        moved.entry(file.manifest.batch.clone()).or_default().push(file.clone());
    }
    let within = commits.into_iter().filter(|commit| Some(commit.version) <= through);
    let files = within.flat_map(|commit| commit.files.into_iter().map(move |file| (commit.version, file)));
    let expected = files.map(|(version, file)| {
        let mut places = vec![file];
        let since = moved.remove(&places[0].manifest.batch).unwrap_or_default();
        places.extend(since);
        Expected { version, places }
    });
    expected.collect()
}

/// Every batch in exactly one split, where a commit put it, and in the order
/// of the archive, which says what the first record of an event is.
pub(crate) fn coverage(expected: &[Expected], covered: Vec<(String, Covered)>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let in_order = covered.iter().map(|(_, covered)| covered.file.manifest.batch.as_str());
    let in_order = in_order.eq(expected.iter().map(Expected::batch));
    let mut by_batch: BTreeMap<String, Vec<(String, Covered)>> = BTreeMap::new();
    for (split, covered) in covered {
        by_batch.entry(covered.file.manifest.batch.clone()).or_default().push((split, covered));
    }
    let mut differs = |split: Option<&String>, path: &str, reason: String| {
        differences.push(Difference { split: split.cloned(), file: Some(path.to_owned()), reason });
    };
    for batch in expected {
        let (version, path) = (batch.version, batch.places.first().map_or("", |file| &file.path));
        let found = by_batch.remove(batch.batch()).unwrap_or_default();
        if found.is_empty() {
            differs(None, path, format!("version {version} added it, no split has it"));
        }
        for (split, covered) in &found {
            if covered.version != version || !batch.places.contains(&covered.file) {
                let reason = format!("it is not what version {version} archived, or not where it was put");
                differs(Some(split), &covered.file.path, reason);
            }
        }
        for (split, covered) in found.iter().skip(1) {
            differs(Some(split), &covered.file.path, format!("split {} has it too", found[0].0));
        }
    }
    for (split, covered) in by_batch.values().flatten() {
        differs(Some(split), &covered.file.path, "no commit that the index covers added it".to_owned());
    }
    if differences.is_empty() && !in_order {
        differences
            .push(index_differs("its splits are not in the order of the archive's batches".to_owned()));
    }
    differences
}
