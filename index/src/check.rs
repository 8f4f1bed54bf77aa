//! Proof that the index holds what the archive holds.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use custody_archive::{FileRef, Journal, Progress, Proven, VerifySettings, at_once};
use custody_schemas::Hash;
use tantivy::HasLen;
use tantivy::directory::FileSlice;

use crate::coverage::{coverage, expected};
use crate::error::{Error, Kind};
use crate::manifest::{Folder, SplitMeta};
use crate::source::Source;
use crate::split::{Covered, SPLIT_VERSION, build, read_footer};
use crate::store::IndexStore;

/// What [`verify_index`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct IndexReport {
    /// The archive version through which the index says that it is complete.
    pub through_version: Option<u64>,
    /// The newest version of the archive.
    pub archive_version: u64,
    /// Splits that were built again and compared.
    pub splits: u64,
    /// Splits that were not, as they were not chosen: of these only what they cover was looked at.
    pub splits_left_out: u64,
    /// Splits among `splits` that an earlier run has compared, as its journal says.
    pub splits_before: u64,
    /// Batches of the archive that the index has to cover.
    pub files: u64,
    /// Records in the splits that were compared.
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
pub fn verify_index<S: Source + Sync>(store: &IndexStore, source: &S) -> Result<IndexReport, Error> {
    verify_index_with(store, source, &VerifySettings::default(), None, &mut |_| {})
}

/// Compares the index, or what is chosen of it, with the archive; several splits at once, each built
/// in memory. Splits that a journal knows of are not built again, and what is sound is added to it.
/// `progress` is called after each.
///
/// # Errors
///
/// Only when the check itself cannot be done; what it finds is in the report.
pub fn verify_index_with<S: Source + Sync>(
    store: &IndexStore,
    source: &S,
    settings: &VerifySettings,
    journal: Option<&Journal>,
    progress: &mut dyn FnMut(Progress),
) -> Result<IndexReport, Error> {
    let check = Check { folder: Folder::new(store), source, settings, journal };
    for _ in 1..ATTEMPTS_MAX {
        let (report, number) = check.once(progress)?;
        // What an indexer merged away meanwhile is not missing.
        let newest = check.folder.numbers()?.last().copied();
        if report.differences.is_empty() || number.is_none() || newest == number {
            return Ok(report);
        }
    }
    Ok(check.once(progress)?.0)
}

struct Check<'a, S> {
    folder: Folder,
    source: &'a S,
    settings: &'a VerifySettings,
    journal: Option<&'a Journal>,
}

/// How a split is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Depth {
    /// It is built again and compared.
    Whole,
    /// That was done by an earlier run.
    Before,
    /// It was not chosen.
    LeftOut,
}

impl<S: Source + Sync> Check<'_, S> {
    /// What is found, and the number of the manifest that was gone by.
    fn once(&self, progress: &mut dyn FnMut(Progress)) -> Result<(IndexReport, Option<u64>), Error> {
        let mut report = IndexReport { archive_version: self.source.newest()?, ..IndexReport::default() };
        let manifest = match self.folder.newest() {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                let reason = format!("there is no index in {}", self.folder.shown());
                report.differences.push(index_differs(reason));
                return Ok((report, None));
            }
            Err(e) if e.kind == Kind::Corrupt => {
                report.differences.push(index_differs(e.to_string()));
                return Ok((report, None));
            }
            Err(e) => return Err(e),
        };
        report.through_version = manifest.through_version;
        if manifest.split_version != SPLIT_VERSION {
            let reason = format!(
                "it says that it has splits of format {}, this custody builds format {SPLIT_VERSION}",
                manifest.split_version
            );
            report.differences.push(index_differs(reason));
        }
        if manifest.through_version.is_some_and(|through| through > report.archive_version) {
            let reason = "it is complete through a version that the archive has not".into();
            report.differences.push(index_differs(reason));
        }
        let mut covered = Vec::new();
        let depths = self.depths(&manifest.splits);
        let checked = self.splits(&manifest.splits, &depths, progress)?;
        for ((meta, depth), (files, reason)) in manifest.splits.iter().zip(depths).zip(checked) {
            report.splits += u64::from(depth != Depth::LeftOut);
            report.splits_before += u64::from(depth == Depth::Before);
            report.splits_left_out += u64::from(depth == Depth::LeftOut);
            report.docs += if depth == Depth::LeftOut { 0 } else { meta.docs };
            report.differences.extend(reason.map(|reason| Difference {
                split: Some(meta.id.clone()),
                file: None,
                reason,
            }));
            covered.extend(files.into_iter().map(|file| (meta.id.clone(), file)));
        }
        let expected = expected(self.source.commits_after(None)?, manifest.through_version);
        report.files = expected.len() as u64;
        report.differences.extend(coverage(&expected, covered));
        Ok((report, Some(manifest.number)))
    }

    fn depths(&self, splits: &[SplitMeta]) -> Vec<Depth> {
        let of = |meta: &SplitMeta| match self.journal.and_then(|journal| journal.known(&key(meta))) {
            Some(_) => Depth::Before,
            None => Depth::Whole,
        };
        let chosen =
            self.settings.choice.of(splits.iter().collect(), |meta| (meta.last_version, meta.id.as_str()));
        let chosen: BTreeSet<&str> = chosen.into_iter().map(|meta: &SplitMeta| meta.id.as_str()).collect();
        let is_chosen = |meta: &SplitMeta| chosen.contains(meta.id.as_str());
        splits.iter().map(|meta| if is_chosen(meta) { of(meta) } else { Depth::LeftOut }).collect()
    }

    /// What each covers and what is wrong with it, in their order.
    fn splits(
        &self,
        splits: &[SplitMeta],
        depths: &[Depth],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Checked>, Error> {
        let mut at = Progress {
            files_all: splits.len() as u64,
            bytes_all: splits.iter().map(|meta| meta.bytes).sum(),
            ..Progress::default()
        };
        let mut checked: Vec<Checked> = splits.iter().map(|_| Checked::default()).collect();
        let number = AtomicUsize::new(0);
        let next = || {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let done = self.split(splits.get(number)?, depths[number]);
            Some(done.map(|done| (number, done)))
        };
        at_once(self.settings.threads, next, |(number, done)| {
            checked[number] = done;
            at.files += 1;
            at.bytes += splits[number].bytes;
            progress(at);
        })?;
        Ok(checked)
    }

    fn split(&self, meta: &SplitMeta, depth: Depth) -> Result<Checked, Error> {
        let checked = match depth {
            Depth::Whole => self.compare(meta),
            Depth::Before | Depth::LeftOut => self.look(meta),
        };
        match checked {
            Ok((files, reason)) => {
                if let Some(journal) = self.journal.filter(|_| depth == Depth::Whole && reason.is_none()) {
                    let proven = Proven { bytes: meta.bytes, records: meta.docs, gaps: 0 };
                    journal.add(&key(meta), proven)?;
                }
                Ok((files, reason))
            }
            // Damage, of the split or of the archive's file, is what was looked for.
            Err(e) if matches!(e.kind, Kind::Corrupt | Kind::Invalid) => {
                Ok((Vec::new(), Some(e.to_string())))
            }
            Err(e) => Err(e),
        }
    }

    fn open(&self, meta: &SplitMeta) -> Result<FileSlice, Error> {
        let data = self.folder.map(meta)?;
        if data.len() as u64 != meta.bytes {
            return Err(Error::corrupt(format!("it has {} bytes instead of {}", data.len(), meta.bytes)));
        }
        Ok(data)
    }

    /// What a split says that it covers.
    fn look(&self, meta: &SplitMeta) -> Result<Checked, Error> {
        let files = read_footer(&self.folder.split(meta), &self.open(meta)?)?.files;
        let (first, last) = (files.first(), files.last());
        let versions = (first.map(|file| file.version), last.map(|file| file.version), files.len() as u64);
        let said = (Some(meta.first_version), Some(meta.last_version), meta.files);
        let reason = (versions != said).then(|| DESCRIBED.to_owned());
        Ok((files, reason))
    }

    fn compare(&self, meta: &SplitMeta) -> Result<Checked, Error> {
        let (shown, data) = (self.folder.split(meta), self.open(meta)?);
        let bytes =
            data.read_bytes().map_err(|e| Error::with(Kind::Retry, format!("cannot read {shown}"), e))?;
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
        let built = match build(self.source, &files) {
            Err(e) if e.kind == Kind::Corrupt => return Ok((footer.files, Some(e.to_string()))),
            built => built?,
        };
        let reason = if built.bytes != bytes.as_slice() {
            Some("built from the archive it is another one".to_owned())
        } else if built.meta.told_as(meta) != *meta {
            Some(DESCRIBED.to_owned())
        } else {
            None
        };
        Ok((footer.files, reason))
    }
}

/// The files that a split covers, and what is wrong with it.
type Checked = (Vec<Covered>, Option<String>);

const DESCRIBED: &str = "the manifest describes another one";

/// A split, and what the manifest says of it.
fn key(meta: &SplitMeta) -> String {
    // What was read from a text can be written.
    let said = serde_json::to_vec(meta).unwrap_or_default();
    format!("split {} {}", meta.id, Hash::of(&said))
}

pub(crate) fn index_differs(reason: String) -> Difference {
    Difference { split: None, file: None, reason }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
