//! Delta's file actions, as a commit file has them.
//!
//! Source: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#add-file-and-remove-file>.

use serde_json::{Map, Value, json};

use crate::columns::PARTITION_COLUMNS;
use crate::compacted::Compacted;
use crate::log::CommitFile;

/// An action and its name.
pub(crate) type Action = (String, Value);

/// Whether an action changes what a reader of the table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Records come or go.
    Data,
    /// The same records, in other files.
    Layout,
}

/// A data file of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DataFile<'a> {
    pub(crate) path: &'a str,
    pub(crate) bytes: u64,
    pub(crate) retention_class: &'a str,
    pub(crate) archive_month: &'a str,
}

impl DataFile<'_> {
    fn partition_values(&self) -> Map<String, Value> {
        let values = [self.retention_class, self.archive_month].map(Value::from);
        PARTITION_COLUMNS.into_iter().map(str::to_owned).zip(values).collect()
    }

    /// The file becomes part of the table.
    pub(crate) fn add(&self, rows: u64, modified_ms: i64, change: Change) -> Action {
        let action = json!({
            "path": self.path,
            "partitionValues": self.partition_values(),
            "size": self.bytes,
            "modificationTime": modified_ms,
            "dataChange": change == Change::Data,
            "stats": json!({ "numRecords": rows }).to_string(),
        });
        ("add".to_owned(), action)
    }

    /// Its records are in another file from now on.
    pub(crate) fn remove(&self, removed_ms: i64) -> Action {
        let action = json!({
            "path": self.path,
            "deletionTimestamp": removed_ms,
            "dataChange": false,
            "extendedFileMetadata": true,
            "partitionValues": self.partition_values(),
            "size": self.bytes,
        });
        ("remove".to_owned(), action)
    }
}

/// What a compaction does to the table; `bytes` are the sizes of the files that it replaces.
pub(crate) fn compaction(
    file: &CommitFile,
    compacted: &Compacted,
    compacted_ms: i64,
    bytes: &[u64],
) -> Vec<Action> {
    let month = compacted.month();
    let of =
        |path, bytes| DataFile { path, bytes, retention_class: compacted.class(), archive_month: &month };
    let replaced = compacted.replaces.iter().zip(bytes);
    let removes = replaced.map(|(path, bytes)| of(path, *bytes).remove(compacted_ms));
    let add = of(&file.path, file.bytes).add(compacted.rows(), compacted_ms, Change::Layout);
    removes.chain([add]).collect()
}
