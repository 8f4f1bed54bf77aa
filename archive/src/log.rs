//! The commits of the table's log, as Custody wrote them.
//!
//! Read as the Delta protocol defines the commit files
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>), because
//! the kernel does not hand out a commit's own `commitInfo`.

use custody_schemas::{Hash, Manifest};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};
use crate::store::Store;

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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CommitRecord {
    pub(crate) format: u32,
    pub(crate) file: CommitFile,
    pub(crate) manifest: Manifest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CommitFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: Hash,
}

/// One version of the archive.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The table version that it made.
    pub version: u64,
    /// When the writer says it was made, milliseconds since 1970 UTC.
    pub committed_ms: i64,
    /// The files that it added: none or one.
    pub files: Vec<FileRef>,
    /// Next offsets by Delta application id.
    pub(crate) txns: Vec<(String, i64)>,
    /// Paths of the `add` actions, and sizes.
    pub(crate) adds: Vec<(String, u64)>,
    /// Paths of the `remove` actions.
    pub(crate) removes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<Info>,
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Txn>,
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

pub(crate) fn parse(version: u64, path: &str, bytes: &[u8]) -> Result<Commit, Error> {
    let mut commit = Commit {
        version,
        committed_ms: 0,
        files: Vec::new(),
        txns: Vec::new(),
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
                commit.files.push(file_ref(path, &text)?);
            }
        }
        commit.adds.extend(line.add.map(|add| (add.path, add.size)));
        commit.removes.extend(line.remove.map(|remove| remove.path));
        commit.txns.extend(line.txn.map(|txn| (txn.app_id, txn.version)));
    }
    Ok(commit)
}

fn file_ref(path: &str, text: &str) -> Result<FileRef, Error> {
    let record: CommitRecord = serde_json::from_str(text)
        .map_err(|e| Error::with(Kind::Corrupt, format!("{path}: the batch manifest cannot be read"), e))?;
    Ok(FileRef {
        path: record.file.path,
        bytes: record.file.bytes,
        sha256: record.file.sha256,
        first_row: None,
        manifest: record.manifest,
    })
}
