//! Proof that the index holds what the archive holds.

use std::collections::BTreeMap;
use std::fmt;

use custody_archive::FileRef;
use custody_schemas::Hash;
use tantivy::HasLen;

use crate::error::{Error, Kind};
use crate::manifest::{Folder, SplitMeta};
use crate::source::{Added, Source};
use crate::split::{Covered, build, read_footer};
use crate::store::IndexStore;

/// What [`verify_index`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct IndexReport {
    /// The archive version through which the index says that it is complete.
    pub through_version: Option<u64>,
    /// The newest version of the archive.
    pub archive_version: u64,
    /// Splits that were checked.
    pub splits: u64,
    /// Batches of the archive that the index has to cover.
    pub files: u64,
    /// Records in the splits.
    pub docs: u64,
    /// Everything that differs.
    pub differences: Vec<Difference>,
}

impl IndexReport {
    /// The index is what it says.
    pub fn is_sound(&self) -> bool {
        self.differences.is_empty()
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The split, if it is about one.
    pub split: Option<String>,
    /// The archive's file, if it is about one.
    pub file: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(split) = &self.split {
            write!(f, "split {split}: ")?;
        }
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// An index that is being merged is compared again, so often.
const ATTEMPTS_MAX: u32 = 5;

/// Compares the index with the archive: every split is read whole and built
/// again from the archive's rows, and every file is in exactly one split.
///
/// # Errors
///
/// Only when the check itself cannot be done; what it finds is in the report.
pub fn verify_index<S: Source>(store: &IndexStore, source: &S) -> Result<IndexReport, Error> {
    let folder = Folder::new(store);
    for _ in 1..ATTEMPTS_MAX {
        let (report, number) = verify_once(&folder, source)?;
        // What an indexer merged away meanwhile is not missing.
        let newest = folder.numbers()?.last().copied();
        if report.differences.is_empty() || number.is_none() || newest == number {
            return Ok(report);
        }
    }
    Ok(verify_once(&folder, source)?.0)
}

/// What is found, and the number of the manifest that was gone by.
fn verify_once<S: Source>(folder: &Folder, source: &S) -> Result<(IndexReport, Option<u64>), Error> {
    let mut report = IndexReport { archive_version: source.newest()?, ..IndexReport::default() };
    let manifest = match folder.newest() {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            report.differences.push(index_differs(format!("there is no index in {}", folder.shown())));
            return Ok((report, None));
        }
        Err(e) if e.kind == Kind::Corrupt => {
            report.differences.push(index_differs(e.to_string()));
            return Ok((report, None));
        }
        Err(e) => return Err(e),
    };
    report.through_version = manifest.through_version;
    if manifest.through_version.is_some_and(|through| through > report.archive_version) {
        report
            .differences
            .push(index_differs("it is complete through a version that the archive has not".into()));
    }
    let mut covered = Vec::new();
    for meta in &manifest.splits {
        let (files, reason) = check_split(folder, meta, source)?;
        report.splits += 1;
        report.docs += meta.docs;
        report.differences.extend(reason.map(|reason| Difference {
            split: Some(meta.id.clone()),
            file: None,
            reason,
        }));
        covered.extend(files.into_iter().map(|file| (meta.id.clone(), file)));
    }
    let expected = expected(source.commits_after(None)?, manifest.through_version);
    report.files = expected.len() as u64;
    report.differences.extend(coverage(&expected, covered));
    Ok((report, Some(manifest.number)))
}

fn index_differs(reason: String) -> Difference {
    Difference { split: None, file: None, reason }
}

/// The files that a split covers, and what is wrong with it.
fn check_split<S: Source>(
    folder: &Folder,
    meta: &SplitMeta,
    source: &S,
) -> Result<(Vec<Covered>, Option<String>), Error> {
    match compare(folder, meta, source) {
        Ok(checked) => Ok(checked),
        // Damage, of the split or of the archive's file, is what was looked for.
        Err(e) if matches!(e.kind, Kind::Corrupt | Kind::Invalid) => Ok((Vec::new(), Some(e.to_string()))),
        Err(e) => Err(e),
    }
}

fn compare<S: Source>(
    folder: &Folder,
    meta: &SplitMeta,
    source: &S,
) -> Result<(Vec<Covered>, Option<String>), Error> {
    let (shown, data) = (folder.split(meta), folder.map(meta)?);
    if data.len() as u64 != meta.bytes {
        return Err(Error::corrupt(format!("it has {} bytes instead of {}", data.len(), meta.bytes)));
    }
    let bytes = data.read_bytes().map_err(|e| Error::with(Kind::Retry, format!("cannot read {shown}"), e))?;
    let intact = Hash::of(&bytes).to_string() == meta.id;
    let footer = match read_footer(&shown, &data) {
        Err(_) if !intact => return Err(Error::corrupt("its SHA-256 is not its id")),
        footer => footer?,
    };
    if !intact {
        return Ok((footer.files, Some("its SHA-256 is not its id".to_owned())));
    }
    let files: Vec<(u64, FileRef)> =
        footer.files.iter().map(|covered| (covered.version, covered.file.clone())).collect();
    let built = match build(source, &files) {
        Err(e) if e.kind == Kind::Corrupt => return Ok((footer.files, Some(e.to_string()))),
        built => built?,
    };
    let reason = if built.bytes != bytes.as_slice() {
        Some("built from the archive it is another one".to_owned())
    } else if built.meta != *meta {
        Some("the manifest describes another one".to_owned())
    } else {
        None
    };
    Ok((footer.files, reason))
}

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

/// The batches through a version, in order. Pure.
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
/// of the archive, which says what the first record of an event is. Pure.
fn coverage(expected: &[Expected], covered: Vec<(String, Covered)>) -> Vec<Difference> {
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
