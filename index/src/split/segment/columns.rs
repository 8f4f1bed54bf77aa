//! The fast fields.
//!
//! Tantivy's writer takes values of any kind in any order: it finds the column of each by its name and
//! writes it into chained blocks in as few bytes as it needs, to be read from there at the end. Here a
//! document has one number in a column at most, and a column is two lists. What is written is written
//! by Tantivy's own codecs: the same bytes.

use std::io::{self, Write};

use tantivy::DocId;
use tantivy::columnar::column_index::{
    SerializableColumnIndex, SerializableOptionalIndex, serialize_column_index,
};
use tantivy::columnar::column_values::{CodecType, serialize_u64_based_column_values};
use tantivy::columnar::{CURRENT_VERSION, ColumnType, ColumnValues, MonotonicallyMappableToU64};
use tantivy_sstable::value::RangeValueWriter;
use tantivy_sstable::{Dictionary, RangeSSTable, Writer};

use crate::schema::{ARCHIVED, DURATION, IDENTITY, MESSAGE, TIME};

/// Between a column's name and its type.
const END_OF_NAME: u8 = 0;
/// The end of every file of columns.
const MAGIC: [u8; 4] = [2, 113, 119, 66];
/// The codecs that Tantivy's writer chooses from.
const CODECS: [CodecType; 2] = [CodecType::Bitpacked, CodecType::BlockwiseLinear];

/// All columns, in the order of their names.
pub(in crate::split) const COLUMNS: [(&str, ColumnType); 5] = [
    (ARCHIVED, ColumnType::I64),
    (DURATION, ColumnType::I64),
    (IDENTITY, ColumnType::U64),
    (MESSAGE, ColumnType::U64),
    (TIME, ColumnType::I64),
];

/// A fast field: at most one number of each document.
#[derive(Default)]
pub(crate) struct Column {
    docs: Vec<DocId>,
    /// As Tantivy maps numbers of any type: in their order.
    values: Vec<u64>,
}

impl Column {
    /// A document has this number; they come in order, each document once.
    pub(crate) fn push(&mut self, doc: DocId, value: impl MonotonicallyMappableToU64) {
        debug_assert!(self.docs.last().is_none_or(|last| *last < doc), "document {doc} comes again");
        self.docs.push(doc);
        self.values.push(value.to_u64());
    }

    /// These documents, which stand behind those that are there, have these numbers.
    pub(in crate::split) fn extend(
        &mut self,
        docs: impl Iterator<Item = DocId>,
        values: &dyn ColumnValues<u64>,
    ) {
        let before = self.values.len();
        self.docs.extend(docs);
        self.values.resize(self.docs.len(), 0);
        values.get_range(0, &mut self.values[before..]);
    }

    /// Writes the column of a segment of so many documents.
    fn write(&self, docs: DocId, to: &mut Vec<u8>) -> io::Result<()> {
        let index = if self.docs.len() == docs as usize {
            SerializableColumnIndex::Full
        } else {
            let non_null_row_ids = Box::new(&self.docs[..]);
            SerializableColumnIndex::Optional(SerializableOptionalIndex { non_null_row_ids, num_rows: docs })
        };
        let length = serialize_column_index(index, to)?;
        serialize_u64_based_column_values::<u64>(&&self.values[..], &CODECS, to)?;
        to.extend_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

/// All of a segment.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) archived: Column,
    pub(crate) duration: Column,
    pub(crate) identity: Column,
    pub(crate) message: Column,
    pub(crate) time: Column,
}

impl Columns {
    /// Writes all of them.
    pub(super) fn write(&self, to: &mut ColumnsWriter) -> io::Result<()> {
        let all = [&self.archived, &self.duration, &self.identity, &self.message, &self.time];
        COLUMNS.iter().zip(all).try_for_each(|((name, kind), column)| to.column(name, *kind, column))
    }
}

/// Writes the file of a segment's columns, one after the other.
pub(in crate::split) struct ColumnsWriter {
    docs: DocId,
    bytes: Vec<u8>,
    /// Where each column is.
    places: Writer<Vec<u8>, RangeValueWriter>,
}

impl ColumnsWriter {
    /// Of a segment of so many documents.
    pub(super) fn new(docs: DocId) -> io::Result<ColumnsWriter> {
        let places = Dictionary::<RangeSSTable>::builder(Vec::new())?;
        Ok(ColumnsWriter { docs, bytes: Vec::new(), places })
    }

    /// The next column, in the order of [`COLUMNS`].
    pub(in crate::split) fn column(
        &mut self,
        name: &str,
        kind: ColumnType,
        column: &Column,
    ) -> io::Result<()> {
        let start = self.bytes.len() as u64;
        column.write(self.docs, &mut self.bytes)?;
        let key = [name.as_bytes(), &[END_OF_NAME, kind.to_code()]].concat();
        self.places.insert(key, &(start..self.bytes.len() as u64))
    }

    pub(super) fn finish(self, to: &mut dyn Write) -> io::Result<()> {
        let places = self.places.finish()?;
        to.write_all(&self.bytes)?;
        to.write_all(&places)?;
        to.write_all(&(places.len() as u64).to_le_bytes())?;
        to.write_all(&self.docs.to_le_bytes())?;
        to.write_all(&(CURRENT_VERSION as u32).to_le_bytes())?;
        to.write_all(&MAGIC)
    }
}
