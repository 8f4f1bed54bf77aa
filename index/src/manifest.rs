//! What the index consists of: numbered manifests, written once.
//!
//! The manifest with the highest number is the index. Writing the next number
//! if it is absent is the only commit point and the only coordination: of two
//! indexers one gets the number, the other reads again and goes on.

use std::collections::BTreeSet;

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};
use tantivy::directory::FileSlice;

use crate::error::{Error, Kind};
use crate::split::SPLIT_VERSION;
use crate::store::IndexStore;

/// The format version that this code writes.
pub const MANIFEST_VERSION: u32 = 1;

/// One state of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version of this file.
    pub version: u32,
    /// Format version of the splits: another one means other bytes from the same
    /// records, so the index is built anew.
    pub split_version: u32,
    /// The number in the file's name.
    pub number: u64,
    /// The archive version through which the index is complete; absent before
    /// the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through_version: Option<u64>,
    /// In order of archive version; neighbours hold neighbouring commits.
    pub splits: Vec<SplitMeta>,
}

/// What is known of a split before it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitMeta {
    /// SHA-256 of the split's bytes, hexadecimal; its file is `<id>.split`.
    pub id: String,
    /// Size of the file.
    pub bytes: u64,
    /// The version that archived its first batch.
    pub first_version: u64,
    /// The version that archived its last batch.
    pub last_version: u64,
    /// Batches of the archive that it covers.
    pub files: u64,
    /// Records in it.
    pub docs: u64,
    /// The earliest time of a record, milliseconds since 1970 UTC; absent when
    /// none has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms_min: Option<i64>,
    /// The latest time of a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms_max: Option<i64>,
    /// Tenants of its records, in lower case and sorted; absent when there are
    /// too many to list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<BTreeSet<String>>,
    /// Each of its batches was compacted: they stay where they are for long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compacted: bool,
}

impl SplitMeta {
    /// The same, as a manifest may say it: the first ones did not tell what is compacted.
    pub(crate) fn told_as(self, told: &SplitMeta) -> SplitMeta {
        SplitMeta { compacted: self.compacted && told.compacted, ..self }
    }

    /// The file's name.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.split", self.id)
    }
}

/// The files of an index.
#[derive(Clone)]
pub(crate) struct Folder {
    store: IndexStore,
}

impl Folder {
    pub(crate) fn new(store: &IndexStore) -> Folder {
        Folder { store: store.clone() }
    }

    /// The index for messages.
    pub(crate) fn shown(&self) -> String {
        self.store.shown("")
    }

    /// A split for messages.
    pub(crate) fn split(&self, meta: &SplitMeta) -> String {
        self.store.shown(&meta.file_name())
    }

    /// A split, in memory as far as it is used.
    pub(crate) fn map(&self, meta: &SplitMeta) -> Result<FileSlice, Error> {
        self.store.map(meta)
    }

    /// The size of a split's file; `None` when it is missing.
    pub(crate) fn split_bytes(&self, meta: &SplitMeta) -> Result<Option<u64>, Error> {
        self.store.size(&meta.file_name())
    }

    /// Stores a split. A file of its name has its bytes, or is damaged and replaced.
    pub(crate) fn put_split(&self, meta: &SplitMeta, bytes: Vec<u8>) -> Result<(), Error> {
        let name = meta.file_name();
        if self.store.size(&name)? == Some(meta.bytes)
            && self.store.get(&name)?.is_some_and(|there| there == bytes)
        {
            return Ok(());
        }
        self.store.put(&name, bytes)
    }

    /// The numbers of all manifests, ascending; none when there is no index.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let mut numbers = Vec::new();
        for path in self.store.list("manifest")? {
            let digits = path.strip_prefix("manifest/").and_then(|name| name.strip_suffix(".json"));
            let whole = digits.filter(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()));
            numbers.extend(whole.and_then(|digits| digits.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One manifest; `None` when that number is not there.
    pub(crate) fn read(&self, number: u64) -> Result<Option<Manifest>, Error> {
        let name = manifest_name(number);
        let Some(bytes) = self.store.get(&name)? else { return Ok(None) };
        parse(&self.store.shown(&name), number, &bytes).map(Some)
    }

    /// The manifest with the highest number.
    pub(crate) fn newest(&self) -> Result<Option<Manifest>, Error> {
        let mut gone = None;
        loop {
            let Some(number) = self.numbers()?.pop() else { return Ok(None) };
            if let Some(manifest) = self.read(number)? {
                return Ok(Some(manifest));
            }
            // Between listing and reading it may have been removed as too old,
            // but then there is a newer one.
            if gone.replace(number) == Some(number) {
                let shown = self.store.shown(&manifest_name(number));
                return Err(Error::corrupt(format!("{shown} is a name without a file")));
            }
        }
    }

    /// Makes `manifest` the index; `false` when its number is taken.
    pub(crate) fn publish(&self, manifest: &Manifest) -> Result<bool, Error> {
        let name = manifest_name(manifest.number);
        let bytes = serde_json::to_vec(manifest).map_err(|e| {
            Error::with(Kind::Invalid, format!("cannot write {}", self.store.shown(&name)), e)
        })?;
        self.store.put_new(&name, bytes)
    }

    /// Removes all manifests but the newest `kept`, and the splits that only the
    /// removed ones name. A split that no manifest ever named is left alone: an
    /// indexer may be about to publish it.
    pub(crate) fn clean(&self, kept: usize) -> Result<(), Error> {
        let mut numbers = self.numbers()?;
        let newest = numbers.split_off(numbers.len().saturating_sub(kept.max(1)));
        let names = |numbers: &[u64]| -> Result<BTreeSet<String>, Error> {
            let mut names = BTreeSet::new();
            for number in numbers {
                // An unreadable manifest names nothing that could be kept.
                let splits = match self.read(*number) {
                    Ok(manifest) => manifest.map(|manifest| manifest.splits).unwrap_or_default(),
                    Err(e) if e.kind == Kind::Corrupt => Vec::new(),
                    Err(e) => return Err(e),
                };
                names.extend(splits.iter().map(SplitMeta::file_name));
            }
            Ok(names)
        };
        let (old, used) = (names(&numbers)?, names(&newest)?);
        // Manifests last: a crash in between leaves their splits to be found.
        for name in old.difference(&used) {
            self.store.remove(name)?;
        }
        numbers.iter().try_for_each(|number| self.store.remove(&manifest_name(*number)))
    }
}

fn manifest_name(number: u64) -> String {
    format!("manifest/{number:020}.json")
}

/// The versions alone: what even a later format must have.
#[derive(Deserialize)]
struct Versions {
    version: u32,
    split_version: u32,
}

fn parse(shown: &str, number: u64, bytes: &[u8]) -> Result<Manifest, Error> {
    let bad = |e| Error::with(Kind::Corrupt, format!("{shown} cannot be read"), e);
    let versions: Versions = serde_json::from_slice(bytes).map_err(bad)?;
    if versions.version > MANIFEST_VERSION || versions.split_version > SPLIT_VERSION {
        let message = format!("{shown} was written by a later version of custody");
        return Err(Error::new(Kind::Newer, message));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(bad)?;
    if manifest.version == 0 {
        return Err(Error::corrupt(format!("{shown} says that it is of version 0, which never was")));
    }
    if manifest.number != number {
        return Err(Error::corrupt(format!("{shown} says that it is number {}", manifest.number)));
    }
    // Ids become names of files, some of which are removed.
    if let Some(split) = manifest.splits.iter().find(|split| Hash::from_hex(&split.id).is_none()) {
        return Err(Error::corrupt(format!("{shown} names a split {:?}, which is no SHA-256", split.id)));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The oldest form, as it was first written: it must be read for ever.
    const GOLDEN_V1: &str = include_str!("golden/manifest.v1.json");

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(&IndexStore::folder(root.path()).unwrap());
        (root, folder)
    }

    fn manifest(number: u64, splits: &[&str]) -> Manifest {
        let mut manifest = parse("m", 42, GOLDEN_V1.trim().as_bytes()).unwrap();
        manifest.number = number;
        let meta = manifest.splits.remove(0);
        manifest.splits = splits.iter().map(|id| SplitMeta { id: id.repeat(64), ..meta.clone() }).collect();
        manifest
    }

    #[test]
    fn golden_v1() {
        let golden = parse("m", 42, GOLDEN_V1.trim().as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&golden).unwrap(), GOLDEN_V1.trim());
        assert_eq!(golden.through_version, Some(7));
        assert_eq!(golden.splits[1].tenants, None);
    }

    #[test]
    fn what_is_not_a_manifest() {
        let newer = GOLDEN_V1.replacen("\"version\":1", "\"version\":2", 1);
        let later_splits = GOLDEN_V1.replacen("\"split_version\":1", "\"split_version\":999", 1);
        let never_was = GOLDEN_V1.replacen("\"version\":1", "\"version\":0", 1);
        let elsewhere = GOLDEN_V1.replacen("\"id\":\"", "\"id\":\"../", 1);
        for (number, text, kind) in [
            (42, "", Kind::Corrupt),
            (42, &GOLDEN_V1[..200], Kind::Corrupt),
            (41, GOLDEN_V1, Kind::Corrupt),
            (42, &newer, Kind::Newer),
            (42, &later_splits, Kind::Newer),
            (42, &never_was, Kind::Corrupt),
            (42, &elsewhere, Kind::Corrupt),
        ] {
            assert_eq!(parse("m", number, text.as_bytes()).unwrap_err().kind, kind, "{text}");
        }
    }

    #[test]
    fn a_number_is_given_once() {
        let (_root, folder) = folder();
        assert!(folder.newest().unwrap().is_none());
        assert!(folder.publish(&manifest(1, &["a"])).unwrap());
        assert!(!folder.publish(&manifest(1, &["b"])).unwrap());
        assert_eq!(folder.newest().unwrap().unwrap(), manifest(1, &["a"]));
    }

    #[test]
    fn a_name_that_is_no_manifest_is_not_waited_for() {
        let (root, folder) = folder();
        assert!(folder.publish(&manifest(1, &["a"])).unwrap());
        fs::write(root.path().join("manifest/+0000000000000000007.json"), "{").unwrap();
        assert_eq!(folder.newest().unwrap().unwrap().number, 1);
    }

    #[test]
    fn old_manifests_go_with_their_splits() {
        let (root, folder) = folder();
        let states: [&[&str]; 4] = [&["a"], &["a", "b"], &["a", "c"], &["d"]];
        for (number, splits) in (1..).zip(states) {
            assert!(folder.publish(&manifest(number, splits)).unwrap());
        }
        let path = |id: &str| root.path().join(format!("{}.split", id.repeat(64)));
        ["a", "b", "c", "d", "e"].iter().for_each(|id| fs::write(path(id), id).unwrap());
        folder.clean(2).unwrap();
        assert_eq!(folder.numbers().unwrap(), [3, 4]);
        // Nothing ever named the last.
        assert_eq!(["a", "b", "c", "d", "e"].map(|id| path(id).exists()), [true, false, true, true, true]);
    }
}
