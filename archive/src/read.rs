//! Reading the archive: commits, rows for the index, single records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;
use custody_schemas::hash::Tree;
use custody_schemas::{Hash, Manifest, Partition, Position};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, PageIndexPolicy};

use crate::compacted::{COMPACTED_KEY, Compacted};
use crate::encode::FOOTER_KEY;
use crate::error::{Error, Kind};
use crate::groups::{GroupReader, Input, metadata};
use crate::guard::guarded;
use crate::index_rows::INDEX_COLUMNS;
use crate::log::{self, Commit, FileRef};
use crate::moved::Moves;
use crate::recent::Recent;
use crate::scattered::{End, ReadSettings, Scattered};
use crate::store::{Location, S3Settings, Store};
use crate::table::Table;
use crate::template::{Filler, TEXTS};
use crate::view::Rows;

/// How often a batch may be moved on, and its file removed, while one read of it is begun.
const MOVES_MAX: u32 = 5;

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

pub(crate) fn mask(columns: Columns, schema: &parquet::schema::types::SchemaDescriptor) -> ProjectionMask {
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

/// Whoever goes through rows one after another, through most of their columns, finds two thousand of them in
/// the processor's second cache, and not eight: `verify` takes five sixths of the time. For the index rows
/// are kept as they were read, and fewer pieces are better.
fn rows_at_a_time(columns: Columns) -> NonZeroUsize {
    let rows = match columns {
        Columns::Index | Columns::LeavesAndIndex => 8_192,
        Columns::Positions | Columns::Leaves | Columns::Account | Columns::All => 2_048,
    };
    NonZeroUsize::new(rows).unwrap_or(NonZeroUsize::MIN)
}

/// A reader of one archive.
#[derive(Clone)]
pub struct Archive {
    pub(crate) store: Arc<Store>,
    recent: Arc<Recent>,
    moves: Arc<Mutex<Moves>>,
    pub(crate) scattered: Arc<Scattered>,
}

impl Archive {
    pub(crate) fn new(store: Arc<Store>, recent: Arc<Recent>) -> Self {
        let scattered = Arc::new(Scattered::new(&ReadSettings::default()));
        Archive { store, recent, moves: Arc::default(), scattered }
    }

    /// The same archive with its own memory of what it read, of this size.
    pub fn remembering(self, settings: &ReadSettings) -> Self {
        Archive { scattered: Arc::new(Scattered::new(settings)), ..self }
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

    /// Every commit after a version (all with `None`), in order, as they were made: what a later
    /// one moved is told by that one.
    pub fn commits_after(&self, version: Option<u64>) -> Result<Vec<Commit>, Error> {
        let first = version.map_or(0, |version| version + 1);
        let mut commits = Vec::new();
        while let Some(commit) = log::read(&self.store, first + commits.len() as u64)? {
            commits.push(commit);
        }
        Ok(commits)
    }

    /// Every batch with the version that archived it, where it is now; in order of version.
    pub fn batches(&self) -> Result<Vec<(u64, FileRef)>, Error> {
        let mut batches = BTreeMap::new();
        let mut next = 0;
        while let Some(commit) = log::read(&self.store, next)? {
            next += 1;
            batches.extend(commit.moved());
            batches.extend(commit.files.into_iter().map(|file| (commit.version, file)));
        }
        Ok(batches.into_iter().collect())
    }

    /// The rows of a batch, from where it is now if it was moved since the caller learned of it.
    /// For the index, rows that a writer of the same process has just read back and proven are
    /// handed over as they are, once.
    pub fn read(&self, file: &FileRef, columns: Columns) -> Result<RowReader, Error> {
        self.read_on(file, file.manifest.rows, columns)
    }

    /// So many rows from the first of a batch on: of this batch and those that follow it in the same
    /// file, which stay together wherever they are moved.
    pub fn read_on(&self, first: &FileRef, rows: u64, columns: Columns) -> Result<RowReader, Error> {
        if first.first_row.is_none()
            && columns == Columns::Index
            && let Some(rows) = self.recent.take(&first.path)
        {
            return Ok(RowReader { path: first.path.clone(), reader: Reader::ReadBack(rows.into_iter()) });
        }
        let (file, input) = self.open_file(first)?;
        let reader = self.groups_of(&file, input, rows, columns)?;
        Ok(RowReader { path: file.path, reader: Reader::File(Box::new(reader)) })
    }

    /// The leaf hash of every record of a batch, in order of rows, made anew from its bytes: what the
    /// batch's root is the tree of. That it is, the caller compares.
    pub fn leaves(&self, file: &FileRef, each: &mut dyn FnMut(Hash)) -> Result<(), Error> {
        let mut filler = Filler::default();
        for rows in self.read(file, Columns::Leaves)? {
            let rows = rows?;
            for leaf in rows.verbatim()?.leaves(&mut filler) {
                each(leaf.map_err(|e| {
                    Error::corrupt(format!("{}: a record is not what was archived: {e}", file.path))
                })?);
            }
        }
        Ok(())
    }

    /// Where the rows of a file are.
    pub(crate) fn end(&self, file: &FileRef, input: &Input) -> Result<Arc<End>, Error> {
        decoded(&file.path, || self.scattered.end(&file.path, input))
    }

    /// The batch and row number of a position; `None` when it holds no record. Of an offset that
    /// was lost it is the row of the gap, which stands at the first of the gap's offsets.
    pub fn locate(&self, position: &Position) -> Result<Option<(FileRef, u64)>, Error> {
        let mut found = None;
        self.locate_all(std::slice::from_ref(position), &mut |_, file, row| {
            found = Some((file.clone(), row))
        })?;
        Ok(found)
    }

    /// The same of many positions, reading each batch once: hands over the index of each that holds
    /// a record, with its batch and row, in order of batches. Takes about 32 bytes of memory for each.
    pub fn locate_all(
        &self,
        positions: &[Position],
        each: &mut dyn FnMut(usize, &FileRef, u64),
    ) -> Result<(), Error> {
        let mut by_partition: BTreeMap<&Partition, Vec<(i64, usize)>> = BTreeMap::new();
        for (at, position) in positions.iter().enumerate() {
            by_partition.entry(&position.partition).or_default().push((position.offset, at));
        }
        by_partition.values_mut().for_each(|offsets| offsets.sort_unstable());
        for (_, file) in self.batches()? {
            let (mut first, mut wanted) = (0, Vec::new());
            for part in &file.manifest.parts {
                let offsets = by_partition.get(&part.partition).map_or(&[][..], Vec::as_slice);
                let from = offsets.partition_point(|(offset, _)| *offset < part.span.from);
                for (offset, at) in offsets[from..].iter().take_while(|(of, _)| part.span.contains(*of)) {
                    let gap = part.gap_at(*offset);
                    wanted.push((first, part.rows, gap.map_or(*offset, |gap| gap.span.from), *at));
                }
                first += part.rows;
            }
            if !wanted.is_empty() {
                self.rows_in(&file, &wanted, each)?;
            }
        }
        Ok(())
    }

    /// The rows of some offsets: each is among so many rows from a first one on, and offsets ascend there.
    fn rows_in(
        &self,
        file: &FileRef,
        wanted: &[(u64, u64, i64, usize)],
        each: &mut dyn FnMut(usize, &FileRef, u64),
    ) -> Result<(), Error> {
        let mut offsets: Vec<i64> = Vec::new();
        for batch in self.read(file, Columns::Positions)? {
            offsets.extend_from_slice(batch?.column::<Int64Array>("offset")?.values());
        }
        for (first, rows, offset, at) in wanted {
            let place = |row: u64| usize::try_from(row).unwrap_or(usize::MAX);
            let among = offsets.get(place(*first)..place(first + rows)).unwrap_or_default();
            if let Ok(row) = among.binary_search(offset) {
                each(*at, file, first + row as u64);
            }
        }
        Ok(())
    }

    /// Opens the file that holds a batch now, and says which it is.
    pub(crate) fn open_file(&self, file: &FileRef) -> Result<(FileRef, Input), Error> {
        let mut file = file.clone();
        for _ in 0..MOVES_MAX {
            if let Some(input) = self.input(&file.path)? {
                return Ok((file, input));
            }
            // The log says where it went. If it went nowhere the file is lost.
            let moved = self.moves.lock().unwrap_or_else(PoisonError::into_inner).look(&self.store, &file)?;
            file = moved.ok_or_else(|| missing(&file.path))?;
        }
        Err(Error::new(Kind::Retry, format!("{} was moved while it was opened, again and again", file.path)))
    }

    /// So many rows of a file from the first of a batch on; all of them where it holds no other.
    fn groups_of(
        &self,
        file: &FileRef,
        input: Input,
        rows: u64,
        columns: Columns,
    ) -> Result<GroupReader, Error> {
        let Some(selection) = file.selection(rows) else { return open(&file.path, input, columns) };
        self.selected(file, input, columns, selection)
    }

    /// Some rows of a file.
    pub(crate) fn selected(
        &self,
        file: &FileRef,
        input: Input,
        columns: Columns,
        selection: RowSelection,
    ) -> Result<GroupReader, Error> {
        decoded(&file.path, || {
            let end = self.scattered.whole(&file.path, &input)?;
            let reader = GroupReader::with(end, input, |schema| mask(columns, schema), Some(selection))?;
            Ok(reader.at_most(rows_at_a_time(columns)))
        })
    }

    /// A data file; `None` when there is none.
    pub(crate) fn input(&self, path: &str) -> Result<Option<Input>, Error> {
        input(&self.store, path)
    }

    pub(crate) fn bytes(&self, path: &str) -> Result<Bytes, Error> {
        self.store.get(path)?.ok_or_else(|| missing(path))
    }
}

fn missing(path: &str) -> Error {
    Error::corrupt(format!("{path} is missing"))
}

/// A data file, on disk opened only; `None` when there is none.
pub(crate) fn input(store: &Store, path: &str) -> Result<Option<Input>, Error> {
    let Some(on_disk) = store.on_disk(path) else { return Ok(store.get(path)?.map(Input::Memory)) };
    match File::open(&on_disk) {
        Ok(file) => Ok(Some(Input::Disk(file))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::with(Kind::Retry, format!("cannot open {}", on_disk.display()), e)),
    }
}

fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

impl FileRef {
    /// Rows of a file that may hold others as well.
    fn selection(&self, rows: u64) -> Option<RowSelection> {
        let first_row = self.first_row?;
        Some(vec![RowSelector::skip(count(first_row)), RowSelector::select(count(rows))].into())
    }
}

pub(crate) fn damaged(path: &str, error: ParquetError) -> Error {
    Error::with(Kind::Corrupt, format!("{path} cannot be decoded"), error)
}

pub(crate) fn given_up(path: &str, said: String) -> Error {
    Error::with(Kind::Corrupt, format!("{path} cannot be decoded: it is damaged"), said)
}

/// Reads what may be damaged.
pub(crate) fn decoded<T>(path: &str, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    guarded(read).map_err(|said| given_up(path, said))?.map_err(|e| damaged(path, e))
}

fn open(path: &str, input: Input, columns: Columns) -> Result<GroupReader, Error> {
    let reader = decoded(path, || GroupReader::open(input, |schema| mask(columns, schema)))?;
    Ok(reader.at_most(rows_at_a_time(columns)))
}

/// What a file's footer says of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Footer {
    /// It is one batch.
    Batch(Manifest),
    /// It holds several.
    Compacted(Compacted),
}

fn footer_of(path: &str, meta: &FileMetaData) -> Result<Footer, Error> {
    let pairs = meta.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let text = |key| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    let bad = |e| Error::with(Kind::Corrupt, format!("{path}: the record in its footer cannot be read"), e);
    match (text(FOOTER_KEY), text(COMPACTED_KEY)) {
        (Some(manifest), None) => serde_json::from_str(manifest).map(Footer::Batch).map_err(bad),
        (None, Some(compacted)) => serde_json::from_str(compacted).map(Footer::Compacted).map_err(bad),
        _ => Err(Error::corrupt(format!("{path} has no record of its batches in its footer"))),
    }
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
        let unfillable =
            |row: usize, what| Error::corrupt(format!("{path} row {}: {what}", tree.len() + row as u64));
        let leaves = verbatim.leaves(&mut filler).into_iter().enumerate();
        let leaves = leaves.map(|(row, leaf)| leaf.map_err(|what| unfillable(row, what)));
        let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        tree.extend(&leaves);
        if let Some(kept) = &mut kept {
            kept.push(rows.only(&INDEX_COLUMNS)?);
        }
    }
    Ok((tree.len(), tree.root()))
}

/// What the footer of a file says.
pub(crate) fn footer(path: &str, input: &Input) -> Result<Footer, Error> {
    let read = decoded(path, || metadata(input, PageIndexPolicy::Skip))?;
    footer_of(path, read.metadata().file_metadata())
}

/// All rows of a file.
pub(crate) fn rows_of(path: &str, bytes: Bytes, columns: Columns) -> Result<RowReader, Error> {
    let reader = open(path, Input::Memory(bytes), columns)?;
    Ok(RowReader { path: path.to_owned(), reader: Reader::File(Box::new(reader)) })
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
    pub(crate) path: String,
    pub(crate) reader: Reader,
}

pub(crate) enum Reader {
    File(Box<GroupReader>),
    ReadBack(std::vec::IntoIter<RecordBatch>),
}

impl Iterator for RowReader {
    type Item = Result<Rows, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = &self.path;
        let rows = match &mut self.reader {
            Reader::File(reader) => decoded(path, || reader.read()).transpose(),
            Reader::ReadBack(rows) => rows.next().map(Ok),
        };
        rows.map(|rows| Ok(Rows::new(path.clone(), rows?)))
    }
}
