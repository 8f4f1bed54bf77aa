//! Reading the archive: commits, rows for the index, single records.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;
use custody_schemas::hash::Tree;
use custody_schemas::{Hash, Manifest, Partition, Position};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::{FileMetaData, PageIndexPolicy};
use parquet::file::reader::ChunkReader;

use crate::encode::FOOTER_KEY;
use crate::error::{Error, Kind};
use crate::guard::guarded;
use crate::log::{self, Commit, FileRef};
use crate::recent::Recent;
use crate::record::Record;
use crate::store::{Location, S3Settings, Store};
use crate::table::Table;
use crate::template::{Filler, TEXTS};
use crate::view::Rows;

/// Rows decoded at a time.
const ROWS_AT_A_TIME: usize = 8_192;

/// Which columns to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// What the index is made from.
    Index,
    /// Where records came from.
    Positions,
    /// What a leaf hash covers, and its check.
    Leaves,
    /// Both of these.
    LeavesAndIndex,
    /// What an [`Account`](crate::Account) is made from.
    Account,
    /// Everything.
    All,
}

const INDEX_COLUMNS: [&str; 11] = [
    "status",
    "type",
    "event_time",
    "tenant",
    "conversation_id",
    "title",
    "parties",
    "content_type",
    "body",
    "detail",
    "identity",
];
const POSITION_COLUMNS: [&str; 4] = ["topic", "generation", "partition", "offset"];
/// Beside these and the positions, everything that may fill a template.
const LEAF_COLUMNS: [&str; 12] = [
    "batch",
    "broker_time",
    "sequence",
    "event_time",
    "parties",
    "call",
    "file",
    "key",
    "headers",
    "template",
    "payload",
    "leaf_check",
];

/// Beside the positions.
const ACCOUNT_COLUMNS: [&str; 10] = [
    "status",
    "reason",
    "source",
    "sequence",
    "type",
    "event_time",
    "conversation_id",
    "parties",
    "call",
    "identity",
];

fn mask(columns: Columns, schema: &parquet::schema::types::SchemaDescriptor) -> ProjectionMask {
    let leaves = POSITION_COLUMNS.into_iter().chain(LEAF_COLUMNS).chain(TEXTS.map(|(_, name)| name));
    match columns {
        Columns::All => ProjectionMask::all(),
        Columns::Account => {
            ProjectionMask::columns(schema, POSITION_COLUMNS.into_iter().chain(ACCOUNT_COLUMNS))
        }
        Columns::Index => ProjectionMask::columns(schema, INDEX_COLUMNS),
        Columns::Positions => ProjectionMask::columns(schema, POSITION_COLUMNS),
        Columns::Leaves => ProjectionMask::columns(schema, leaves),
        Columns::LeavesAndIndex => ProjectionMask::columns(schema, leaves.chain(INDEX_COLUMNS)),
    }
}

/// A reader of one archive.
#[derive(Clone)]
pub struct Archive {
    pub(crate) store: Arc<Store>,
    recent: Arc<Recent>,
}

impl Archive {
    pub(crate) fn new(store: Arc<Store>, recent: Arc<Recent>) -> Self {
        Archive { store, recent }
    }

    /// Opens an existing archive.
    pub fn open(location: &Location, s3: &S3Settings) -> Result<Self, Error> {
        if let Location::Folder(folder) = location
            && !folder.exists()
        {
            return Err(Error::new(
                Kind::Invalid,
                format!("there is no archive at {location}: no such folder"),
            ));
        }
        Archive::in_store(Arc::new(Store::open(location, s3)?))
    }

    /// Opens the archive in a store.
    pub fn in_store(store: Arc<Store>) -> Result<Self, Error> {
        match Table::open(&store, u64::MAX)? {
            Some(_) => Ok(Archive::new(store, Arc::new(Recent::new(0)))),
            None => {
                let message = format!("{} is not an archive: it has no _delta_log", store.shown(""));
                Err(Error::new(Kind::Invalid, message))
            }
        }
    }

    /// Opens what may be damaged, for [`verify`](crate::verify()): only that there is something is
    /// looked at.
    pub fn open_to_verify(location: &Location, s3: &S3Settings) -> Result<Self, Error> {
        let store = Arc::new(Store::open(location, s3)?);
        if store.list("_delta_log")?.is_empty() {
            let message = format!("{location} is not an archive: it has no _delta_log");
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(Archive::new(store, Arc::new(Recent::new(0))))
    }

    /// The newest version.
    pub fn refresh(&self) -> Result<u64, Error> {
        let table = Table::open(&self.store, u64::MAX)?;
        table
            .map(|table| table.version())
            .ok_or_else(|| Error::new(Kind::Corrupt, "the archive's log is gone"))
    }

    /// The next offset of each partition at the newest version; `None` where nothing of it was
    /// archived yet.
    pub fn next_offsets(&self, partitions: &[Partition]) -> Result<Vec<Option<i64>>, Error> {
        let table = Table::open(&self.store, u64::MAX)?
            .ok_or_else(|| Error::new(Kind::Corrupt, "the archive's log is gone"))?;
        partitions.iter().map(|partition| table.txn(&partition.app_id())).collect()
    }

    /// Every commit after a version (all with `None`), in order.
    pub fn commits_after(&self, version: Option<u64>) -> Result<Vec<Commit>, Error> {
        let first = version.map_or(0, |version| version + 1);
        let mut commits = Vec::new();
        while let Some(commit) = log::read(&self.store, first + commits.len() as u64)? {
            commits.push(commit);
        }
        Ok(commits)
    }

    /// The rows of a batch. For the index, rows that a writer of the same process has just read
    /// back and proven are handed over as they are, once.
    pub fn read(&self, file: &FileRef, columns: Columns) -> Result<RowReader, Error> {
        if columns == Columns::Index
            && let Some(rows) = self.recent.take(&file.path)
        {
            return Ok(RowReader { path: file.path.clone(), reader: Reader::ReadBack(rows.into_iter()) });
        }
        self.open_rows(file, columns, file.selection())
    }

    /// Single records of a batch by row number, ascending. Each is re-hashed: one
    /// that is not what was archived is an error, never an answer. What a record
    /// says is decoded anew from the bytes that the hash covers; the columns
    /// beside them, which no hash of its own covers, are not read.
    pub fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Record>, Error> {
        let selection = select(file.first_row.unwrap_or(0), rows);
        let mut records = Vec::with_capacity(rows.len());
        for rows in self.open_rows(file, Columns::Leaves, Some(selection))? {
            Record::read_all(&rows?, file, &mut records)?;
        }
        if records.len() != rows.len() {
            return Err(Error::corrupt(format!(
                "{}: {} of {} rows are there",
                file.path,
                records.len(),
                rows.len()
            )));
        }
        Ok(records)
    }

    /// The batch and row number of a position; `None` when it holds no record. Of an offset that
    /// was lost it is the row of the gap, which stands at the first of the gap's offsets.
    pub fn locate(&self, position: &Position) -> Result<Option<(FileRef, u64)>, Error> {
        for file in self.commits_after(None)?.into_iter().flat_map(|commit| commit.files) {
            let mut first = 0;
            for part in &file.manifest.parts {
                if part.partition == position.partition && part.span.contains(position.offset) {
                    let gap = part.gap_at(position.offset);
                    let offset = gap.map_or(position.offset, |gap| gap.span.from);
                    let row = self.row_in(&file, first, part.rows, offset)?;
                    return Ok(row.map(|row| (file, row)));
                }
                first += part.rows;
            }
        }
        Ok(None)
    }

    /// The row of an offset among `rows` rows from `first`.
    fn row_in(&self, file: &FileRef, first: u64, rows: u64, offset: i64) -> Result<Option<u64>, Error> {
        let mut at = 0;
        for batch in self.read(file, Columns::Positions)? {
            let batch = batch?;
            let offsets = batch.column::<Int64Array>("offset")?;
            let found = (0..batch.len()).find(|row| {
                let number = at + *row as u64;
                number >= first && number < first + rows && offsets.value(*row) == offset
            });
            if let Some(row) = found {
                return Ok(Some(at + row as u64));
            }
            at += batch.len() as u64;
        }
        Ok(None)
    }

    fn open_rows(
        &self,
        file: &FileRef,
        columns: Columns,
        selection: Option<RowSelection>,
    ) -> Result<RowReader, Error> {
        let reader = match self.store.on_disk(&file.path) {
            Some(path) => {
                let opened = File::open(&path)
                    .map_err(|e| Error::with(Kind::Corrupt, format!("cannot open {}", file.path), e))?;
                open(&file.path, opened, columns, selection)?
            }
            None => open(&file.path, self.bytes(&file.path)?, columns, selection)?,
        };
        Ok(RowReader { path: file.path.clone(), reader: Reader::File(Box::new(reader)) })
    }

    pub(crate) fn bytes(&self, path: &str) -> Result<Bytes, Error> {
        self.store.get(path)?.ok_or_else(|| Error::corrupt(format!("{path} is missing")))
    }
}

/// Row numbers of a batch, ascending, as runs of the file's rows to skip and to take.
fn select(first_row: u64, rows: &[u64]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for row in rows.iter().map(|row| first_row + row) {
        if row > next {
            selectors.push(RowSelector::skip(count(row - next)));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
}

fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

impl FileRef {
    /// The batch's rows of a file that may hold others as well.
    fn selection(&self) -> Option<RowSelection> {
        let first_row = self.first_row?;
        Some(vec![RowSelector::skip(count(first_row)), RowSelector::select(count(self.manifest.rows))].into())
    }
}

fn damaged(path: &str, error: parquet::errors::ParquetError) -> Error {
    Error::with(Kind::Corrupt, format!("{path} cannot be decoded"), error)
}

fn open<T: ChunkReader + 'static>(
    path: &str,
    input: T,
    columns: Columns,
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, Error> {
    guarded(|| open_unguarded(path, input, columns, selection))
        .unwrap_or_else(|said| Err(given_up(path, said)))
}

fn given_up(path: &str, said: String) -> Error {
    Error::with(Kind::Corrupt, format!("{path} cannot be decoded: it is damaged"), said)
}

fn open_unguarded<T: ChunkReader + 'static>(
    path: &str,
    input: T,
    columns: Columns,
    selection: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader, Error> {
    let policy = if selection.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(policy);
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input, options)
        .map_err(|e| damaged(path, e))?;
    let mask = mask(columns, builder.parquet_schema());
    builder = builder.with_projection(mask).with_batch_size(ROWS_AT_A_TIME);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build().map_err(|e| damaged(path, e))
}

/// The manifest in a file's footer.
pub(crate) fn footer_manifest(path: &str, meta: &FileMetaData) -> Result<Manifest, Error> {
    let pairs = meta.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let value = pairs.iter().find(|pair| pair.key == FOOTER_KEY).and_then(|pair| pair.value.as_deref());
    let text = value.ok_or_else(|| Error::corrupt(format!("{path} has no batch manifest in its footer")))?;
    serde_json::from_str(text).map_err(|e| {
        Error::with(Kind::Corrupt, format!("{path}: the batch manifest in its footer cannot be read"), e)
    })
}

/// Decodes a file and re-hashes every record: their number and Merkle root. Appends what the
/// index is made from to `kept`, if it is there.
pub(crate) fn file_leaves(
    path: &str,
    bytes: Bytes,
    mut kept: Option<&mut Vec<RecordBatch>>,
) -> Result<(u64, Hash), Error> {
    let (mut tree, mut filler) = (Tree::default(), Filler::default());
    let columns = if kept.is_some() { Columns::LeavesAndIndex } else { Columns::Leaves };
    for rows in rows_of(path, bytes, columns)? {
        let rows = rows?;
        let verbatim = rows.verbatim()?;
        for row in 0..rows.len() {
            let unfillable = |what| Error::corrupt(format!("{path} row {}: {what}", tree.len()));
            let payload = verbatim.payload(row, &mut filler).map_err(unfillable)?;
            tree.push(verbatim.leaf(row, payload));
        }
        if let Some(kept) = &mut kept {
            kept.push(rows.only(&INDEX_COLUMNS)?);
        }
    }
    Ok((tree.len(), tree.root()))
}

/// The manifest in the footer of a file's bytes.
pub(crate) fn manifest_of(path: &str, bytes: Bytes) -> Result<Manifest, Error> {
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_page_index_policy(PageIndexPolicy::Skip);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .map_err(|e| damaged(path, e))?;
    footer_manifest(path, builder.metadata().file_metadata())
}

pub(crate) fn rows_of(path: &str, bytes: Bytes, columns: Columns) -> Result<RowReader, Error> {
    Ok(RowReader { path: path.to_owned(), reader: Reader::File(Box::new(open(path, bytes, columns, None)?)) })
}

/// The rows of any Parquet file as JSON objects, absent members left out.
pub(crate) fn parquet_as_json(path: &str, bytes: Bytes) -> Result<Vec<serde_json::Value>, Error> {
    let read = || -> Result<Vec<RecordBatch>, Error> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
        let rows = reader.map_err(|e| damaged(path, e))?.collect::<Result<Vec<_>, _>>();
        rows.map_err(|e| Error::with(Kind::Corrupt, format!("{path} cannot be decoded"), e))
    };
    let batches = guarded(read).unwrap_or_else(|said| Err(given_up(path, said)))?;
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    let written = batches.iter().try_for_each(|batch| writer.write(batch)).and_then(|()| writer.finish());
    written.map_err(|e| Error::with(Kind::Corrupt, format!("{path} cannot be shown as JSON"), e))?;
    serde_json::from_slice(&writer.into_inner())
        .map_err(|e| Error::with(Kind::Corrupt, format!("{path} cannot be shown as JSON"), e))
}

/// Reads a file's rows, some thousand at a time.
pub struct RowReader {
    path: String,
    reader: Reader,
}

enum Reader {
    File(Box<ParquetRecordBatchReader>),
    ReadBack(std::vec::IntoIter<RecordBatch>),
}

impl Iterator for RowReader {
    type Item = Result<Rows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = match &mut self.reader {
            Reader::File(reader) => reader,
            Reader::ReadBack(rows) => return rows.next().map(|rows| Ok(Rows::new(self.path.clone(), rows))),
        };
        let next = match guarded(|| reader.next()) {
            Ok(next) => next,
            Err(said) => return Some(Err(given_up(&self.path, said))),
        };
        Some(match next? {
            Ok(batch) => Ok(Rows::new(self.path.clone(), batch)),
            Err(e) => Err(Error::with(Kind::Corrupt, format!("{} cannot be decoded", self.path), e)),
        })
    }
}
