//! The receipt: the list of what a production holds.
//!
//! It is one JSON object, written line by line so that neither writing nor
//! reading it holds the whole: a line for each member, then a line for each
//! record. The form is exact: what `verify` reads it renders again, and bytes
//! that differ are named.

use std::collections::BTreeMap;
use std::io::{self, Write};

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::request::Request;
use crate::settings::{TYPE_BYTES_MAX, TYPES_MAX};

/// The format version that this code writes. Version 1 proved no batch and knew JSON lines alone.
pub const RECEIPT_VERSION: u32 = 2;
/// The oldest, which is read for ever.
pub(crate) const RECEIPT_VERSION_1: u32 = 1;

/// Everything in a receipt but the list of records, which is only in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Format version of this receipt.
    pub format_version: u32,
    /// The production's id, made from the request, the archive's version and
    /// Custody's.
    pub production: String,
    /// The Custody that wrote it.
    pub custody_version: String,
    /// What was asked for, by whom and why.
    pub request: Request,
    /// The archive's version that the production is complete through.
    pub through_version: u64,
    /// How many records.
    pub count: u64,
    /// How many records match: of an event that was delivered more than once, the first is
    /// produced and all are counted here.
    pub deliveries: u64,
    /// How many records of each type; those of types too many or too long to
    /// name are counted as [`OTHER_TYPES`].
    pub types: BTreeMap<String, u64>,
    /// How many lines `exceptions.csv` has; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<u64>,
    /// What was taken out of the records, by the name of the rule; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactions: Option<BTreeMap<String, Redacted>>,
    /// RFC 6962 Merkle root of the records' leaf hashes, in order of position.
    pub digest: Hash,
    /// The other files of the folder.
    pub files: Vec<FileEntry>,
    /// The batches that the records were archived in, by id.
    pub batches: BTreeMap<String, BatchEntry>,
}

/// A file of a production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: Hash,
}

/// What a rule took out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redacted {
    /// How many places of all records.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// A batch that records of a production were archived in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchEntry {
    /// RFC 6962 Merkle root of all its leaf hashes, also of those that were not produced.
    pub root: Hash,
    /// When it was sealed: RFC 3339.
    pub archived_time: Option<String>,
    /// How many records it has, also those that were not produced; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The hashes of the largest subtrees without a produced record, from left to right: with the
    /// leaf hashes of those that were produced they give the root. Absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<Hash>>,
}

/// A record of a production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its position.
    pub position: String,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// The batch that it was archived in.
    pub batch: String,
    /// Its row in the batch, from 0; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// How many records that match are deliveries of its event, itself included.
    pub deliveries: u64,
    /// It is no hit: it stands near one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context: bool,
    /// How many places of it were redacted, by the name of the rule: its own bytes do not make its
    /// leaf hash any more. Absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactions: Option<BTreeMap<String, u64>>,
}

/// What types beyond the limits are counted as.
pub const OTHER_TYPES: &str = "(other)";

/// Counts a record of a type.
pub(crate) fn count_type(types: &mut BTreeMap<String, u64>, kind: &str) {
    if let Some(count) = types.get_mut(kind) {
        *count += 1;
        return;
    }
    let named = kind.len() <= TYPE_BYTES_MAX && types.len() < TYPES_MAX;
    *types.entry(if named { kind } else { OTHER_TYPES }.to_owned()).or_default() += 1;
}

/// The line after which records follow.
pub(crate) const RECORDS_BEGIN: &str = "\"records\":[\n";
/// After the last record.
pub(crate) const RECORDS_END: &str = "]}\n";

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::json("a receipt", e))
}

impl Receipt {
    /// The lines before the records, [`RECORDS_BEGIN`] not included.
    pub(crate) fn head(&self) -> Result<String, Error> {
        let exceptions = self.exceptions.map(|count| json(&count)).transpose()?;
        let redactions = self.redactions.as_ref().map(json).transpose()?;
        let members = [
            Some(("format_version", json(&self.format_version)?)),
            Some(("production", json(&self.production)?)),
            Some(("custody_version", json(&self.custody_version)?)),
            Some(("request", json(&self.request)?)),
            Some(("through_version", json(&self.through_version)?)),
            Some(("count", json(&self.count)?)),
            Some(("deliveries", json(&self.deliveries)?)),
            Some(("types", json(&self.types)?)),
            exceptions.map(|count| ("exceptions", count)),
            redactions.map(|rules| ("redactions", rules)),
            Some(("digest", json(&self.digest)?)),
            Some(("files", json(&self.files)?)),
            Some(("batches", json(&self.batches)?)),
        ];
        let lines = members.iter().flatten().map(|(name, value)| format!("\"{name}\":{value},\n"));
        Ok(std::iter::once("{\n".to_owned()).chain(lines).collect())
    }

    /// Reads what [`Receipt::head`] wrote.
    pub(crate) fn parse_head(head: &[u8]) -> Result<Receipt, serde_json::Error> {
        let trimmed = head.trim_ascii_end();
        let mut object = trimmed.strip_suffix(b",").unwrap_or(trimmed).to_vec();
        object.push(b'}');
        serde_json::from_slice(&object)
    }
}

/// Writes the lines of records: a comma ends each but the last, so a line's end
/// is written before the next.
#[derive(Default)]
pub(crate) struct EntryLines {
    any: bool,
}

impl EntryLines {
    pub(crate) fn push(&mut self, entry: &Entry, out: &mut impl Write) -> io::Result<()> {
        self.go_on(out)?;
        serde_json::to_writer(out, entry).map_err(io::Error::from)
    }

    /// Several, as another one of these wrote them.
    pub(crate) fn push_all(&mut self, written: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.go_on(out)?;
        out.write_all(written)
    }

    fn go_on(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::replace(&mut self.any, true) { out.write_all(b",\n") } else { Ok(()) }
    }

    pub(crate) fn end(self, out: &mut impl Write) -> io::Result<()> {
        if self.any { out.write_all(b"\n") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Format;

    /// The oldest form: it must be read for ever.
    const GOLDEN_V1: &str = include_str!("golden/receipt.v1.json");

    fn receipt() -> Receipt {
        Receipt {
            format_version: 1,
            production: "0123456789abcdef0123456789abcdef".into(),
            custody_version: "0.1.0".into(),
            request: Request {
                version: 1,
                query: "merger \"tonight\"".into(),
                query_canonical: "text:merger AND text:tonight".into(),
                zone: "Europe/Berlin".into(),
                who: "dana@contoso.example".into(),
                why: "case 7".into(),
                format: Format::JsonLines,
                options: None,
            },
            through_version: 7,
            count: 2,
            deliveries: 3,
            types: [("im.message.sent".into(), 1), ("quarantined".into(), 1)].into(),
            exceptions: None,
            redactions: None,
            digest: Hash([1; 32]),
            files: vec![FileEntry { name: "records.jsonl".into(), bytes: 9, sha256: Hash([2; 32]) }],
            batches: [(
                "b".into(),
                BatchEntry { root: Hash([3; 32]), archived_time: None, rows: None, proof: None },
            )]
            .into(),
        }
    }

    #[test]
    fn invented_types_are_counted_together() {
        let mut types = BTreeMap::new();
        (0..TYPES_MAX + 5).for_each(|n| count_type(&mut types, &format!("t{n}")));
        count_type(&mut types, &"x".repeat(TYPE_BYTES_MAX + 1));
        count_type(&mut types, "t0");
        assert_eq!((types.len(), types[OTHER_TYPES], types["t0"]), (TYPES_MAX + 1, 6, 2));
    }

    #[test]
    fn golden_v1() {
        let mut text = receipt().head().unwrap().into_bytes();
        assert_eq!(Receipt::parse_head(&text).unwrap(), receipt());
        text.extend_from_slice(RECORDS_BEGIN.as_bytes());
        let mut lines = EntryLines::default();
        for (offset, byte, deliveries) in [(3, 4, 1), (5, 6, 2)] {
            let (position, batch) = (format!("t:1:0:{offset}"), "b".into());
            let leaf_hash = Hash([byte; 32]);
            let entry =
                Entry { position, leaf_hash, batch, row: None, deliveries, context: false, redactions: None };
            lines.push(&entry, &mut text).unwrap();
        }
        lines.end(&mut text).unwrap();
        text.extend_from_slice(RECORDS_END.as_bytes());
        assert_eq!(String::from_utf8(text).unwrap(), GOLDEN_V1);
        serde_json::from_str::<serde_json::Value>(GOLDEN_V1).expect("a receipt is one JSON value");
    }
}
