//! Several files as one, proven before and after.
//!
//! Memory: the new file's bytes, once while it grows and once while it is compared; one file that
//! it replaces; and a row group as it is decoded and encoded.

use std::slice;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_cast::cast;
use arrow_schema::ArrowError;
use bytes::Bytes;
use custody_schemas::hash::Tree;
use custody_schemas::{Hash, Manifest};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::known::Live;
use crate::columns::SCHEMA;
use crate::compacted::{COMPACTED_KEY, Compacted};
use crate::encode::{Effort, Sequences, properties};
use crate::error::{Error, Kind};
use crate::groups::Input;
use crate::log::CommitFile;
use crate::read::{Columns, Footer, RowReader, footer, rows_of};
use crate::store::Store;
use crate::template::Filler;
use crate::view::Rows;

/// About the bytes of rows in a row group, decoded: readers hold one at a time. A batch of the default
/// size takes some 20 MiB: in two groups it would have each dictionary twice.
const GROUP_BYTES: usize = if cfg!(test) { 1 << 20 } else { 32 << 20 };

/// A file to be replaced and its batches.
pub(super) struct Source {
    pub(super) file: Live,
    pub(super) batches: Vec<(u64, Manifest)>,
}

/// The new file, stored and proven.
pub(super) struct Rewritten {
    pub(super) file: CommitFile,
    pub(super) compacted: Compacted,
}

/// Why a source cannot be compacted, and which.
pub(super) struct Unfit {
    pub(super) path: String,
    pub(super) error: Error,
}

/// Writes the sources into one file. The same sources give the same bytes, so that a compaction
/// that was cut short and is made again finds its file where it was.
pub(super) fn rewrite(store: &Store, sources: &[Source]) -> Result<Rewritten, Unfit> {
    let compacted = Compacted::new(
        sources.iter().flat_map(|source| source.batches.iter().cloned()),
        sources.iter().map(|source| source.file.path.clone()).collect(),
    );
    let first = sources.first().map(|source| source.file.path.clone()).unwrap_or_default();
    let of_all = |error| Unfit { path: first.clone(), error };
    if let Some(fault) = compacted.fault() {
        return Err(of_all(Error::corrupt(format!("{first} and its neighbours cannot become one: {fault}"))));
    }
    let bytes = Bytes::from(write(store, sources, &compacted)?);
    let (sha256, len) = (Hash::of(&bytes), bytes.len() as u64);
    let (class, month) = (compacted.class(), compacted.month());
    let path = format!("retention_class={class}/archive_month={month}/compacted-{sha256}.parquet");
    store.put(&path, bytes).map_err(of_all)?;
    let file = CommitFile { path, bytes: len, sha256 };
    compare(store, sources, &file, &compacted)?;
    Ok(Rewritten { file, compacted })
}

/// Reads a file that is to be replaced; `each` gets its rows once its bytes and its record are
/// known to be right. Each batch's root is proven on the way.
fn read(
    store: &Store,
    source: &Source,
    each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>,
) -> Result<(), Unfit> {
    let path = &source.file.path;
    let unfit = |error| Unfit { path: path.clone(), error };
    let bytes = store.get(path).and_then(|bytes| {
        bytes.ok_or_else(|| Error::corrupt(format!("{path} is missing, it cannot be compacted")))
    });
    let bytes = bytes.map_err(unfit)?;
    let said = if Hash::of(&bytes) == source.file.sha256 {
        footer(path, &Input::Memory(bytes.clone())).map_err(unfit)?
    } else {
        let message =
            format!("{path} is damaged, it is not compacted: its SHA-256 is not the one in the log");
        return Err(unfit(Error::corrupt(message)));
    };
    let in_footer: Vec<&Manifest> = match &said {
        Footer::Batch(manifest) => vec![manifest],
        Footer::Compacted(compacted) => compacted.batches.iter().map(|batch| &batch.manifest).collect(),
    };
    let manifests: Vec<&Manifest> = source.batches.iter().map(|(_, manifest)| manifest).collect();
    if in_footer != manifests {
        let message = format!("{path} is not compacted: the batches in its footer are not those of the log");
        return Err(unfit(Error::corrupt(message)));
    }
    decode(path, bytes, &manifests, each).map_err(unfit)
}

/// Decodes a file whole and proves the root of each of its batches.
fn decode(
    path: &str,
    bytes: Bytes,
    manifests: &[&Manifest],
    each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut roots = Roots::new(path, manifests);
    for rows in rows_of(path, bytes, Columns::All)? {
        let rows = rows?;
        roots.push(&rows)?;
        each(all_columns(path, rows.batch())?)?;
    }
    roots.finish()
}

/// The Merkle roots of batches that follow one another in a file.
struct Roots<'a> {
    path: &'a str,
    left: slice::Iter<'a, &'a Manifest>,
    tree: Tree,
    filler: Filler,
}

impl<'a> Roots<'a> {
    fn new(path: &'a str, manifests: &'a [&'a Manifest]) -> Self {
        Roots { path, left: manifests.iter(), tree: Tree::default(), filler: Filler::default() }
    }

    fn push(&mut self, rows: &Rows) -> Result<(), Error> {
        let verbatim = rows.verbatim()?;
        let unfillable = |what| Error::corrupt(format!("{}: a record of its batches {what}", self.path));
        let leaves = verbatim.leaves(&mut self.filler).into_iter().collect::<Result<Vec<_>, _>>();
        let leaves = leaves.map_err(unfillable)?;
        let mut leaves = leaves.as_slice();
        while !leaves.is_empty() {
            self.settle()?;
            let Some(batch) = self.left.as_slice().first() else {
                return Err(Error::corrupt(format!("{} has more rows than its batches", self.path)));
            };
            let missing = usize::try_from(batch.rows - self.tree.len()).unwrap_or(usize::MAX);
            let (of_batch, others) = leaves.split_at(missing.min(leaves.len()));
            self.tree.extend(of_batch);
            leaves = others;
        }
        Ok(())
    }

    /// Compares the roots of batches whose rows are all there.
    fn settle(&mut self) -> Result<(), Error> {
        while let Some(manifest) = self.left.as_slice().first().filter(|next| next.rows == self.tree.len()) {
            if self.tree.root() != manifest.root {
                let message = format!("{}: batch {} has another Merkle root", self.path, manifest.batch);
                return Err(Error::corrupt(message));
            }
            self.tree = Tree::default();
            self.left.next();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.settle()?;
        match self.left.next() {
            None => Ok(()),
            Some(manifest) => {
                Err(Error::corrupt(format!("{}: batch {} is not all there", self.path, manifest.batch)))
            }
        }
    }
}

/// Every column of an archive's file. One that was added since the file was written is empty;
/// one that this program does not know must not be lost.
fn all_columns(path: &str, rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let known = |field: &&Arc<arrow_schema::Field>| SCHEMA.index_of(field.name()).is_ok();
    if let Some(field) = rows.schema().fields().iter().find(|field| !known(field)) {
        let message = format!("{path}: column {} is not known; compact with a newer custody", field.name());
        return Err(Error::new(Kind::Invalid, message));
    }
    let column = |field: &Arc<arrow_schema::Field>| -> Result<ArrayRef, ArrowError> {
        match rows.column_by_name(field.name()) {
            // What was read as views of pages is written as it was written.
            Some(there) => cast(there, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        }
    };
    let columns = SCHEMA.fields().iter().map(column).collect::<Result<_, _>>();
    columns
        .and_then(|columns| RecordBatch::try_new(SCHEMA.clone(), columns))
        .map_err(|e| Error::with(Kind::Corrupt, format!("{path} has not the columns of an archive"), e))
}

fn write(store: &Store, sources: &[Source], compacted: &Compacted) -> Result<Vec<u8>, Unfit> {
    let cannot = |e: ParquetError| Error::with(Kind::Corrupt, "cannot encode a compacted file", e);
    let of_all = |error| Unfit { path: sources[0].file.path.clone(), error };
    let bytes: u64 = sources.iter().map(|source| source.file.candidate.bytes).sum();
    let mut buffer = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    let mut begun = None;
    for source in sources {
        read(store, source, &mut |rows| {
            let groups = match &mut begun {
                Some(groups) => groups,
                none => none.insert(Groups::like(&rows, std::mem::take(&mut buffer)).map_err(cannot)?),
            };
            groups.write(&rows).map_err(cannot)
        })?;
    }
    let mut groups = match begun {
        Some(groups) => groups,
        // Batches of skipped offsets alone have no rows.
        None => {
            Groups::like(&RecordBatch::new_empty(SCHEMA.clone()), buffer).map_err(cannot).map_err(of_all)?
        }
    };
    let record = serde_json::to_string(compacted)
        .map_err(|e| of_all(Error::with(Kind::Corrupt, "cannot write the record of a compaction", e)))?;
    groups.writer.append_key_value_metadata(KeyValue::new(COMPACTED_KEY.to_owned(), record));
    groups.writer.into_inner().map_err(cannot).map_err(of_all)
}

/// Cuts rows into row groups by what they take in memory.
struct Groups {
    writer: ArrowWriter<Vec<u8>>,
    /// Of the group that is being written.
    bytes: usize,
}

impl Groups {
    /// For rows that are like these.
    fn like(rows: &RecordBatch, buffer: Vec<u8>) -> Result<Groups, ParquetError> {
        let numbers =
            rows.column_by_name("sequence").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let sequences = Sequences::of(numbers.into_iter().flatten().flatten());
        let properties = properties(Effort::Small, sequences)?;
        Ok(Groups { writer: ArrowWriter::try_new(buffer, SCHEMA.clone(), Some(properties))?, bytes: 0 })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let bytes = memory(rows);
        let pieces = bytes.div_ceil(GROUP_BYTES).clamp(1, rows.num_rows().max(1));
        let step = rows.num_rows().div_ceil(pieces).max(1);
        for start in (0..rows.num_rows()).step_by(step) {
            if self.bytes > 0 && self.bytes + bytes / pieces > GROUP_BYTES {
                self.writer.flush()?;
                self.bytes = 0;
            }
            self.writer.write(&rows.slice(start, step.min(rows.num_rows() - start)))?;
            self.bytes += bytes / pieces;
        }
        Ok(())
    }
}

/// What rows take, whatever buffers they share with others.
fn memory(rows: &RecordBatch) -> usize {
    let columns = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
    columns.sum()
}

/// What the store gives back of the new file must be what its sources hold: each batch's root, and
/// each value of each column, also of those that no hash covers.
fn compare(store: &Store, sources: &[Source], file: &CommitFile, compacted: &Compacted) -> Result<(), Unfit> {
    let path = &file.path;
    let of_all = |error| Unfit { path: sources[0].file.path.clone(), error };
    let unfaithful = |what: &str| of_all(Error::new(Kind::Unfaithful, format!("{path} {what}")));
    let stored = store
        .get(path)
        .map_err(of_all)?
        .ok_or_else(|| of_all(Error::new(Kind::Retry, format!("{path} was written but cannot be found"))))?;
    if Hash::of(&stored) != file.sha256 {
        let message = format!("{path} reads back other bytes than were written");
        return Err(of_all(Error::new(Kind::Retry, message)));
    }
    let said = footer(path, &Input::Memory(stored.clone())).map_err(of_all)?;
    if said != Footer::Compacted(compacted.clone()) {
        return Err(unfaithful("does not give back the record of its batches"));
    }
    let manifests: Vec<&Manifest> = compacted.batches.iter().map(|batch| &batch.manifest).collect();
    let reader = rows_of(path, stored, Columns::All).map_err(of_all)?;
    let mut new_rows = NewRows { path, reader, roots: Roots::new(path, &manifests), rows: None };
    for source in sources {
        read(store, source, &mut |rows| new_rows.must_be(&rows))?;
    }
    if new_rows.next().map_err(of_all)?.is_some() {
        return Err(unfaithful("has rows that none of its sources has"));
    }
    let cannot = |e| of_all(Error::with(Kind::Unfaithful, format!("{path} cannot be read back"), e));
    new_rows.roots.finish().map_err(cannot)
}

/// The rows of the new file, proven and taken as they are compared.
struct NewRows<'a> {
    path: &'a str,
    reader: RowReader,
    roots: Roots<'a>,
    /// What is left of the rows that were read last.
    rows: Option<RecordBatch>,
}

impl NewRows<'_> {
    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        if let Some(rows) = self.rows.take() {
            return Ok(Some(rows));
        }
        let cannot = |e| Error::with(Kind::Unfaithful, format!("{} cannot be read back", self.path), e);
        let Some(rows) = self.reader.next().transpose().map_err(cannot)? else { return Ok(None) };
        self.roots.push(&rows).map_err(cannot)?;
        all_columns(self.path, rows.batch()).map(Some)
    }

    fn must_be(&mut self, expected: &RecordBatch) -> Result<(), Error> {
        let path = self.path;
        let other = |what: &str| Error::new(Kind::Unfaithful, format!("{path} {what}"));
        let mut from = 0;
        while from < expected.num_rows() {
            let rows = self.next()?.filter(|rows| rows.num_rows() > 0);
            let Some(rows) = rows else { return Err(other("has fewer rows than its sources")) };
            let len = rows.num_rows().min(expected.num_rows() - from);
            if rows.slice(0, len) != expected.slice(from, len) {
                return Err(other("has another value than its source in some column"));
            }
            from += len;
            self.rows = (len < rows.num_rows()).then(|| rows.slice(len, rows.num_rows() - len));
        }
        Ok(())
    }
}
