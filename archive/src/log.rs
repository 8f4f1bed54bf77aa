//! The commits of the table's log, as Custody wrote them.
//!
//! Read as the Delta protocol defines the commit files
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>), because
//! the kernel does not hand out a commit's own `commitInfo`.

use custody_schemas::{Hash, Manifest};
use serde::{Deserialize, Serialize};

use crate::compacted::Compacted;
use crate::error::{Error, Kind};
use crate::store::Store;
use crate::table::FORMAT;
use crate::topics::Accept;

/// One batch, and where it is: a run of rows in a Parquet file, all of it until compaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Path below the archive.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: Hash,
    /// The first row of the batch in a file that holds several; absent where the file is the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_row: Option<u64>,
    /// The batch.
    pub manifest: Manifest,
}

/// What `commitInfo.custody` holds: JSON in a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CommitRecord {
    pub(crate) format: u32,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What a commit did, under `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum What {
    /// It archived a batch.
    Batch { file: CommitFile, manifest: Manifest },
    /// It opened a generation of a topic.
    Accept { accept: Accept },
    /// It moved batches into one file.
    Compaction { file: CommitFile, compacted_ms: i64, compacted: Compacted },
}

impl What {
    /// The text for `commitInfo.custody`.
    pub(crate) fn into_text(self) -> Result<String, Error> {
        serde_json::to_string(&CommitRecord { format: FORMAT, what: self })
            .map_err(|e| Error::with(Kind::Corrupt, "cannot write the record of a commit", e))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommitFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: Hash,
}

/// A commit that moved batches into one file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compaction {
    pub(crate) file: CommitFile,
    /// When, milliseconds since 1970 UTC: the grace of what it replaces begins.
    pub(crate) compacted_ms: i64,
    pub(crate) compacted: Compacted,
}

/// One version of the archive.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The table version that it made.
    pub version: u64,
    /// When the writer says it was made, milliseconds since 1970 UTC.
    pub committed_ms: i64,
    /// The batch that it archived and where it was put: none or one. A later commit may have
    /// moved it since.
    pub files: Vec<FileRef>,
    /// Batches that it moved, in a commit that archived none.
    pub(crate) compaction: Option<Compaction>,
    /// The generation of a topic that it opened, if it did.
    pub accept: Option<Accept>,
    /// Next offsets by Delta application id.
    pub(crate) txns: Vec<(String, i64)>,
    /// Domains of the table and what they hold.
    pub(crate) domains: Vec<(String, String)>,
    /// Paths of the `add` actions, and sizes.
    pub(crate) adds: Vec<(String, u64)>,
    /// Paths of the `remove` actions.
    pub(crate) removes: Vec<String>,
}

impl Commit {
    /// Batches of earlier versions, by the version that archived each, and where they are since this
    /// commit; in order of version.
    pub fn moved(&self) -> impl Iterator<Item = (u64, FileRef)> {
        self.compaction.iter().flat_map(Compaction::batches)
    }
}

impl Compaction {
    /// The batches in their new place.
    pub(crate) fn batches(&self) -> impl Iterator<Item = (u64, FileRef)> {
        self.compacted.batches.iter().map(|batch| {
            let file = FileRef {
                path: self.file.path.clone(),
                bytes: self.file.bytes,
                sha256: self.file.sha256,
                first_row: Some(batch.first_row),
                manifest: batch.manifest.clone(),
            };
            (batch.version, file)
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<Info>,
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Txn>,
    domain_metadata: Option<Domain>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    timestamp: i64,
    custody: Option<String>,
}

#[derive(Deserialize)]
struct Add {
    path: String,
    size: u64,
}

#[derive(Deserialize)]
struct Remove {
    path: String,
}

#[derive(Deserialize)]
struct Domain {
    domain: String,
    configuration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

pub(crate) fn commit_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

/// Reads one commit; `None` when that version does not exist.
pub(crate) fn read(store: &Store, version: u64) -> Result<Option<Commit>, Error> {
    let path = commit_path(version);
    let Some(bytes) = store.get(&path)? else { return Ok(None) };
    parse(version, &path, &bytes).map(Some)
}

/// Reads one commit of a version that the table has.
pub(crate) fn existing(store: &Store, version: u64) -> Result<Commit, Error> {
    read(store, version)?.ok_or_else(|| Error::corrupt(format!("{} is missing", commit_path(version))))
}

pub(crate) fn parse(version: u64, path: &str, bytes: &[u8]) -> Result<Commit, Error> {
    let mut commit = Commit {
        version,
        committed_ms: 0,
        files: Vec::new(),
        compaction: None,
        accept: None,
        txns: Vec::new(),
        domains: Vec::new(),
        adds: Vec::new(),
        removes: Vec::new(),
    };
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    for (number, line) in lines {
        let bad = |e: serde_json::Error| {
            Error::with(Kind::Corrupt, format!("{path} line {} is not a Delta action", number + 1), e)
        };
        let line: Line = serde_json::from_slice(line).map_err(bad)?;
        if let Some(info) = line.commit_info {
            commit.committed_ms = info.timestamp;
            if let Some(text) = info.custody {
                match record(path, &text)? {
                    What::Batch { file, manifest } => commit.files.push(file.holding(manifest)),
                    What::Accept { accept } => commit.accept = Some(accept),
                    What::Compaction { file, compacted_ms, compacted } => {
                        commit.compaction = Some(Compaction { file, compacted_ms, compacted });
                    }
                }
            }
        }
        commit.adds.extend(line.add.map(|add| (add.path, add.size)));
        commit.removes.extend(line.remove.map(|remove| remove.path));
        commit.txns.extend(line.txn.map(|txn| (txn.app_id, txn.version)));
        commit.domains.extend(line.domain_metadata.map(|held| (held.domain, held.configuration)));
    }
    Ok(commit)
}

fn record(path: &str, text: &str) -> Result<What, Error> {
    let record: CommitRecord = serde_json::from_str(text)
        .map_err(|e| Error::with(Kind::Corrupt, format!("{path}: the commit's record cannot be read"), e))?;
    if record.format == 0 || record.format > FORMAT {
        let what = format!("{path}: the commit's record has format {}: use a newer custody", record.format);
        return Err(Error::new(Kind::Invalid, what));
    }
    Ok(record.what)
}

impl CommitFile {
    fn holding(self, manifest: Manifest) -> FileRef {
        FileRef { path: self.path, bytes: self.bytes, sha256: self.sha256, first_row: None, manifest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As they were first written: they must be read for ever.
    const BATCH_V1: &str = r#"{"format":1,"kind":"batch","file":{"path":"p","bytes":7,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"manifest":{"version":1,"batch":"b","rows":1,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":5,"retention_class":"default","topics":{"t":"a"},"parts":[{"topic":"t","generation":1,"partition":0,"from":0,"to":1,"rows":1}]}}"#;
    const ACCEPT_V1: &str = r#"{"format":1,"kind":"accept","accept":{"topic":"t","generation":2,"topic_id":"b","previous_id":"a","accepted_ms":9,"who":"w","why":"y","through":[{"partition":0,"next":30}]}}"#;
    const COMPACTION_V1: &str = r#"{"format":1,"kind":"compaction","file":{"path":"p","bytes":7,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"compacted_ms":9,"compacted":{"version":1,"batches":[{"version":4,"first_row":0,"manifest":{"version":1,"batch":"b","rows":1,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":5,"retention_class":"default","parts":[{"topic":"t","generation":1,"partition":0,"from":0,"to":1,"rows":1}]}}],"replaces":["x","y"]}}"#;

    #[test]
    fn golden_v1() {
        for text in [BATCH_V1, ACCEPT_V1, COMPACTION_V1] {
            let read: CommitRecord = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(record("p", text).unwrap().into_text().unwrap(), text);
        }
        assert!(record("p", &ACCEPT_V1.replace("\"format\":1", "\"format\":2")).is_err());
        assert!(record("p", &ACCEPT_V1.replace("accept\"", "other\"")).is_err());
        let line =
            serde_json::json!({ "commitInfo": { "timestamp": 3, "custody": COMPACTION_V1 } }).to_string();
        let commit = parse(6, "c", line.as_bytes()).unwrap();
        let [(version, file)] = &commit.moved().collect::<Vec<_>>()[..] else { panic!("{commit:?}") };
        assert_eq!((*version, file.path.as_str(), file.bytes, file.first_row), (4, "p", 7, Some(0)));
        assert_eq!(file.manifest.batch, "b");
    }
}
