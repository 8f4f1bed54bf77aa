//! The bytes of a split.
//!
//! The files of the segment and the [forms](super::forms) of its parties one after another, in order
//! of their names; then the
//! footer, JSON; then the footer's length as 4 bytes little-endian; then the 8
//! bytes `custspl1`. A reader starts at the end.
//!
//! Tantivy's store of documents is left out.
//!
//! Tantivy names a segment's files after a random id. Here every segment has the id `SEGMENT`.

use std::collections::BTreeSet;
use std::io;

use custody_archive::FileRef;
use serde::{Deserialize, Serialize};
use tantivy::HasLen;
use tantivy::directory::FileSlice;

use crate::error::{Error, Kind};

/// The format version that this code writes. It changes with anything that
/// changes a split's bytes: fields, terms, tokens, Tantivy's own format.
pub(crate) const SPLIT_VERSION: u32 = 4;

pub(super) const MAGIC: [u8; 8] = *b"custspl1";
pub(super) const TAIL_BYTES: usize = 12;

/// The id of every segment, as its file names have it.
pub(super) const SEGMENT: &str = "c057d700000000000000000000000001";

/// Tantivy's list of segments, the only file that is not one segment's.
pub(super) const META: &str = "meta.json";

/// The segment's store of documents. Nothing is stored, and it would take five bytes for each of
/// them: a split is written without it, and [`empty_store`](super::segment::empty_store) stands for it.
pub(super) const STORE: &str = "store";

/// What the end of a split says about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Footer {
    /// Format version of the split.
    pub(crate) version: u32,
    /// Records in it.
    pub(crate) docs: u32,
    pub(crate) time_ms_min: Option<i64>,
    pub(crate) time_ms_max: Option<i64>,
    pub(crate) tenants: Option<BTreeSet<String>>,
    /// The segment's files, and the forms.
    pub(crate) parts: Vec<Part>,
    /// The archive's batches and where they are, in order of version and of their first document.
    pub(crate) files: Vec<Covered>,
}

/// One file of the segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The file's extension, `meta.json`, or `forms`.
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// One batch of the archive: its rows are the documents from `first_doc` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Covered {
    /// The archive version that archived it.
    pub(crate) version: u64,
    pub(crate) first_doc: u32,
    pub(crate) file: FileRef,
}

impl Footer {
    /// What is wrong with it, if anything: positions are answered from this.
    fn fault(&self, parts_bytes: u64) -> Option<&'static str> {
        let mut next = 0;
        for part in &self.parts {
            if part.offset != next {
                return Some("its parts do not follow one another");
            }
            // A length that does not fit does not fill it either.
            next = next.saturating_add(part.length);
        }
        if next != parts_bytes {
            return Some("its parts do not fill it");
        }
        let mut doc = 0;
        for covered in &self.files {
            if u64::from(covered.first_doc) != doc {
                return Some("its documents are not the rows of its files");
            }
            let manifest = &covered.file.manifest;
            let in_parts = manifest.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.rows));
            if in_parts != Some(manifest.rows) {
                return Some("its files have not the rows of their partitions");
            }
            // Too many to add up are more than it can have.
            doc = doc.saturating_add(manifest.rows);
        }
        if u64::from(self.docs) != doc {
            return Some("it has not as many documents as its files have rows");
        }
        let ascend = self.files.windows(2).all(|pair| pair[0].version <= pair[1].version);
        (!ascend).then_some("its files are not in order of version")
    }
}

/// Reads and checks the footer.
pub(crate) fn read_footer(shown: &str, data: &FileSlice) -> Result<Footer, Error> {
    let fail = |e: io::Error| Error::with(Kind::Retry, format!("cannot read {shown}"), e);
    let cut = || Error::corrupt(format!("{shown} does not end as a split"));
    let before_tail = data.len().checked_sub(TAIL_BYTES).ok_or_else(cut)?;
    let tail = data.read_bytes_slice(before_tail..data.len()).map_err(fail)?;
    let (length, magic) = tail.split_at(4);
    let length: [u8; 4] = length.try_into().map_err(|_| cut())?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| cut())?;
    if magic != MAGIC {
        return Err(cut());
    }
    let start = before_tail.checked_sub(length).ok_or_else(cut)?;
    let json = data.read_bytes_slice(start..before_tail).map_err(fail)?;
    let footer: Footer = serde_json::from_slice(&json)
        .map_err(|e| Error::with(Kind::Corrupt, format!("the footer of {shown} cannot be read"), e))?;
    if footer.version != SPLIT_VERSION {
        let message = format!("{shown} is a split of version {}, not {SPLIT_VERSION}", footer.version);
        return Err(Error::corrupt(message));
    }
    match footer.fault(start as u64) {
        Some(fault) => Err(Error::corrupt(format!("{shown} is no whole split: {fault}"))),
        None => Ok(footer),
    }
}
