//! Reading the archive: commits, rows for the index, single records.

use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use bytes::Bytes;
use custody_schemas::hash::{Leaf, Tree, leaf_hash};
use custody_schemas::{Hash, Manifest, Position};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::{FileMetaData, PageIndexPolicy};
use parquet::file::reader::ChunkReader;

use crate::columns::STATUS_QUARANTINED;
use crate::encode::FOOTER_KEY;
use crate::error::{Error, Kind};
use crate::guard::guarded;
use crate::log::{self, Commit, FileRef};
use crate::record::Record;
use crate::store::{Location, S3Settings, Store};
use crate::table::Table;

/// Rows decoded at a time.
const ROWS_AT_A_TIME: usize = 8_192;

/// Which columns to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// What the index is made from.
    Index,
    /// What a leaf hash covers, and the hash.
    Leaves,
    /// Everything.
    All,
}

const INDEX_COLUMNS: [&str; 10] = [
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
];
const LEAF_COLUMNS: [&str; 9] =
    ["topic", "generation", "partition", "offset", "batch", "broker_time", "key", "headers", "payload"];

fn mask(columns: Columns, schema: &parquet::schema::types::SchemaDescriptor) -> ProjectionMask {
    match columns {
        Columns::All => ProjectionMask::all(),
        Columns::Index => ProjectionMask::columns(schema, INDEX_COLUMNS.into_iter().chain(["identity"])),
        Columns::Leaves => ProjectionMask::columns(schema, LEAF_COLUMNS.into_iter().chain(["leaf_hash"])),
    }
}

/// A reader of one archive.
#[derive(Clone)]
pub struct Archive {
    pub(crate) store: Arc<Store>,
}

impl Archive {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Archive { store }
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
        let store = Arc::new(Store::open(location, s3)?);
        match Table::open(&store, u64::MAX)? {
            Some(_) => Ok(Archive { store }),
            None => {
                Err(Error::new(Kind::Invalid, format!("{location} is not an archive: it has no _delta_log")))
            }
        }
    }

    /// The newest version.
    pub fn refresh(&self) -> Result<u64, Error> {
        let table = Table::open(&self.store, u64::MAX)?;
        table
            .map(|table| table.version())
            .ok_or_else(|| Error::new(Kind::Corrupt, "the archive's log is gone"))
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

    /// The rows of a file.
    pub fn read(&self, file: &FileRef, columns: Columns) -> Result<RowReader, Error> {
        self.open_rows(file, columns, None)
    }

    /// Single records of a file by row number, ascending. Each is re-hashed: one
    /// that is not what was archived is an error, never an answer. What a record
    /// says is decoded anew from the bytes that the hash covers; the columns
    /// beside them, which no hash of its own covers, are not read.
    pub fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Record>, Error> {
        let selection = select(rows);
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

    /// The file and row number of a position; `None` when it holds no record.
    pub fn locate(&self, position: &Position) -> Result<Option<(FileRef, u64)>, Error> {
        for file in self.commits_after(None)?.into_iter().flat_map(|commit| commit.files) {
            let mut first = 0;
            for part in &file.manifest.parts {
                if part.partition == position.partition && part.span.contains(position.offset) {
                    let row = self.row_in(&file, first, part.rows, position.offset)?;
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
        for batch in self.read(file, Columns::Leaves)? {
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
        Ok(RowReader { path: file.path.clone(), reader })
    }

    pub(crate) fn bytes(&self, path: &str) -> Result<Bytes, Error> {
        self.store.get(path)?.ok_or_else(|| Error::corrupt(format!("{path} is missing")))
    }
}

/// Row numbers, ascending, as runs to skip and to take.
fn select(rows: &[u64]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for row in rows {
        if *row > next {
            selectors.push(RowSelector::skip(usize::try_from(row - next).unwrap_or(usize::MAX)));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
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
    guarded(|| open_unguarded(path, input, columns, selection)).unwrap_or_else(|| Err(given_up(path)))
}

fn given_up(path: &str) -> Error {
    Error::corrupt(format!("{path} cannot be decoded: it is damaged"))
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

/// Decodes a file and re-hashes every record: their number and Merkle root.
pub(crate) fn file_leaves(path: &str, bytes: Bytes) -> Result<(u64, Hash), Error> {
    let mut tree = Tree::default();
    let reader = open(path, bytes, Columns::Leaves, None)?;
    for rows in (RowReader { path: path.to_owned(), reader }) {
        let rows = rows?;
        let verbatim = rows.verbatim()?;
        (0..rows.len()).for_each(|row| tree.push(verbatim.leaf(row)));
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
    Ok(RowReader { path: path.to_owned(), reader: open(path, bytes, columns, None)? })
}

/// Reads a file's rows, some thousand at a time.
pub struct RowReader {
    path: String,
    reader: ParquetRecordBatchReader,
}

impl Iterator for RowReader {
    type Item = Result<Rows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(next) = guarded(|| self.reader.next()) else {
            return Some(Err(given_up(&self.path)));
        };
        Some(match next? {
            Ok(batch) => Ok(Rows { path: self.path.clone(), batch }),
            Err(e) => Err(Error::with(Kind::Corrupt, format!("{} cannot be decoded", self.path), e)),
        })
    }
}

impl Rows {
    pub(crate) fn new(path: String, batch: RecordBatch) -> Self {
        Rows { path, batch }
    }
}

/// Some rows of a file.
pub struct Rows {
    pub(crate) path: String,
    batch: RecordBatch,
}

/// What a party has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The sender, caller or actor.
    From,
    /// A recipient.
    To,
    /// Anyone else whom the event names.
    Other,
}

/// A party of a row, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct PartyRef<'a> {
    /// What it has to do with the event.
    pub relation: Relation,
    /// The word in the `relation` column.
    pub relation_word: &'a str,
    /// Its network.
    pub network: Option<&'a str>,
    /// Its address.
    pub address: Option<&'a str>,
    /// Its display name.
    pub name: Option<&'a str>,
    /// Its role.
    pub role: Option<&'a str>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub scope: Option<&'a str>,
}

/// What the index knows of a row.
#[derive(Debug, Clone)]
pub struct IndexRow<'a> {
    /// It could not be decoded.
    pub quarantined: bool,
    /// The type's full name; empty when quarantined.
    pub kind: &'a str,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The conversation's id.
    pub conversation: Option<&'a str>,
    /// The conversation's title.
    pub title: Option<&'a str>,
    /// The text as it was sent.
    pub body: Option<&'a str>,
    /// Content type of the text.
    pub content_type: Option<&'a str>,
    /// Readable words of an event that is no message.
    pub detail: Option<&'a str>,
    /// The same for every delivery of one event.
    pub identity: u64,
    /// Everybody whom the event names.
    pub parties: Vec<PartyRef<'a>>,
}

pub(crate) fn text_at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn relation_of(word: &str) -> Relation {
    match word {
        "from" => Relation::From,
        "to" => Relation::To,
        _ => Relation::Other,
    }
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn column<T: Array + 'static>(&self, name: &str) -> Result<&T, Error> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<T>());
        column.ok_or_else(|| {
            Error::corrupt(format!("{}: column {name} is missing or of another type", self.path))
        })
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, Error> {
        Ok(text_at(self.column::<StringArray>(name)?, row))
    }

    pub(crate) fn number(&self, name: &str, row: usize) -> Result<Option<i64>, Error> {
        let column = self.column::<Int64Array>(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn time(&self, name: &str, row: usize) -> Result<Option<i64>, Error> {
        let column = self.column::<TimestampMicrosecondArray>(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn structure(&self, name: &str, row: usize) -> Result<Option<&StructArray>, Error> {
        let column = self.column::<StructArray>(name)?;
        Ok(column.is_valid(row).then_some(column))
    }

    /// Everybody whom a row names.
    pub(crate) fn parties(&self, row: usize) -> Result<Vec<PartyRef<'_>>, Error> {
        Ok(Parties::of(self)?.at(row).collect())
    }

    /// What the index needs of these rows; read with [`Columns::Index`].
    pub fn index_rows(&self) -> Result<IndexRows<'_>, Error> {
        Ok(IndexRows {
            status: self.column("status")?,
            kind: self.column("type")?,
            time: self.column("event_time")?,
            tenant: self.column("tenant")?,
            conversation: self.column("conversation_id")?,
            title: self.column("title")?,
            body: self.column("body")?,
            content_type: self.column("content_type")?,
            detail: self.column("detail")?,
            identity: self.column("identity")?,
            parties: Parties::of(self)?,
        })
    }

    /// The columns that leaf hashes cover.
    pub(crate) fn verbatim(&self) -> Result<Verbatim<'_>, Error> {
        let headers = self.column::<ListArray>("headers")?;
        let members = headers.values().as_struct();
        Ok(Verbatim {
            topic: self.column("topic")?,
            generation: self.column("generation")?,
            partition: self.column("partition")?,
            offset: self.column("offset")?,
            broker_time: self.column("broker_time")?,
            key: self.column("key")?,
            header_ends: headers,
            header_names: members.column(0).as_string::<i32>(),
            header_values: members.column(1).as_binary::<i32>(),
            payload: self.column("payload")?,
        })
    }
}

/// The columns that the index is made from, found once for many rows.
pub struct IndexRows<'a> {
    status: &'a StringArray,
    kind: &'a StringArray,
    time: &'a TimestampMicrosecondArray,
    tenant: &'a StringArray,
    conversation: &'a StringArray,
    title: &'a StringArray,
    body: &'a StringArray,
    content_type: &'a StringArray,
    detail: &'a StringArray,
    identity: &'a Int64Array,
    parties: Parties<'a>,
}

impl<'a> IndexRows<'a> {
    /// One row.
    pub fn row(&self, row: usize) -> IndexRow<'a> {
        IndexRow {
            quarantined: text_at(self.status, row) == Some(STATUS_QUARANTINED),
            kind: text_at(self.kind, row).unwrap_or(""),
            time_us: self.time.is_valid(row).then(|| self.time.value(row)),
            tenant: text_at(self.tenant, row),
            conversation: text_at(self.conversation, row),
            title: text_at(self.title, row),
            body: text_at(self.body, row),
            content_type: text_at(self.content_type, row),
            detail: text_at(self.detail, row),
            identity: u64::from_be_bytes(self.identity.value(row).to_be_bytes()),
            parties: self.parties.at(row).collect(),
        }
    }
}

/// The parties column.
struct Parties<'a> {
    list: &'a ListArray,
    members: [&'a StringArray; 6],
}

impl<'a> Parties<'a> {
    fn of(rows: &'a Rows) -> Result<Self, Error> {
        let list = rows.column::<ListArray>("parties")?;
        let members = list.values().as_struct();
        Ok(Parties {
            list,
            members: [0, 1, 2, 3, 4, 5].map(|index| members.column(index).as_string::<i32>()),
        })
    }

    fn at(&self, row: usize) -> impl Iterator<Item = PartyRef<'a>> + use<'a> {
        let ends = self.list.value_offsets();
        // Offsets of a list column are never negative.
        let range = usize::try_from(ends[row]).unwrap_or(0)..usize::try_from(ends[row + 1]).unwrap_or(0);
        let [relation, network, address, name, role, scope] = self.members;
        range.map(move |at| {
            let word = text_at(relation, at).unwrap_or("");
            PartyRef {
                relation: relation_of(word),
                relation_word: word,
                network: text_at(network, at),
                address: text_at(address, at),
                name: text_at(name, at),
                role: text_at(role, at),
                scope: text_at(scope, at),
            }
        })
    }
}

/// The bytes as consumed, and where they came from.
pub(crate) struct Verbatim<'a> {
    pub(crate) topic: &'a StringArray,
    pub(crate) generation: &'a Int32Array,
    pub(crate) partition: &'a Int32Array,
    pub(crate) offset: &'a Int64Array,
    broker_time: &'a TimestampMicrosecondArray,
    key: &'a BinaryArray,
    header_ends: &'a ListArray,
    header_names: &'a StringArray,
    header_values: &'a BinaryArray,
    payload: &'a BinaryArray,
}

fn bytes_at(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}

impl<'a> Verbatim<'a> {
    pub(crate) fn broker_time_ms(&self, row: usize) -> Option<i64> {
        self.broker_time.is_valid(row).then(|| self.broker_time.value(row).div_euclid(1_000))
    }

    pub(crate) fn key(&self, row: usize) -> Option<&'a [u8]> {
        bytes_at(self.key, row)
    }

    pub(crate) fn payload(&self, row: usize) -> Option<&'a [u8]> {
        bytes_at(self.payload, row)
    }

    pub(crate) fn headers(
        &self,
        row: usize,
    ) -> impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let ends = self.header_ends.value_offsets();
        let range = usize::try_from(ends[row]).unwrap_or(0)..usize::try_from(ends[row + 1]).unwrap_or(0);
        let (names, values) = (self.header_names, self.header_values);
        range.map(move |at| (names.value(at), bytes_at(values, at)))
    }

    /// The leaf hash of a row, made anew.
    pub(crate) fn leaf(&self, row: usize) -> Hash {
        let leaf = Leaf {
            topic: self.topic.value(row),
            generation: self.generation.value(row),
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            broker_time_ms: self.broker_time_ms(row),
            key: self.key(row),
            payload: self.payload(row),
        };
        leaf_hash(leaf, self.headers(row))
    }
}

impl Rows {
    /// The leaf hashes as they were stored.
    pub(crate) fn stored_leaves(&self) -> Result<&BinaryArray, Error> {
        self.column("leaf_hash")
    }

    pub(crate) fn batch_ids(&self) -> Result<&StringArray, Error> {
        self.column("batch")
    }
}

pub(crate) fn struct_text(column: &StructArray, name: &str, row: usize) -> Option<String> {
    let member = column.column_by_name(name)?.as_string_opt::<i32>()?;
    text_at(member, row).map(str::to_owned)
}

pub(crate) fn struct_number(column: &StructArray, name: &str, row: usize) -> Option<i64> {
    let member = column.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    member.is_valid(row).then(|| member.value(row))
}

pub(crate) fn struct_time(column: &StructArray, name: &str, row: usize) -> Option<i64> {
    let member = column.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    member.is_valid(row).then(|| member.value(row))
}
