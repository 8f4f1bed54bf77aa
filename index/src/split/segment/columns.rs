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
use tantivy::columnar::{CURRENT_VERSION, ColumnType, MonotonicallyMappableToU64};
use tantivy_sstable::{Dictionary, RangeSSTable};

use crate::schema::{ARCHIVED, DURATION, IDENTITY, MESSAGE, TIME};

/// Between a column's name and its type.
const END_OF_NAME: u8 = 0;
/// The end of every file of columns.
const MAGIC: [u8; 4] = [2, 113, 119, 66];
/// The codecs that Tantivy's writer chooses from.
const CODECS: [CodecType; 2] = [CodecType::Bitpacked, CodecType::BlockwiseLinear];

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
    /// Writes the file of a segment of so many documents.
    pub(super) fn write(&self, docs: DocId, to: &mut dyn Write) -> io::Result<()> {
        // In the order of their names.
        let all = [
            (ARCHIVED, ColumnType::I64, &self.archived),
            (DURATION, ColumnType::I64, &self.duration),
            (IDENTITY, ColumnType::U64, &self.identity),
            (MESSAGE, ColumnType::U64, &self.message),
            (TIME, ColumnType::I64, &self.time),
        ];
        let (mut bytes, mut places) = (Vec::new(), Dictionary::<RangeSSTable>::builder(Vec::new())?);
        for (name, kind, column) in all {
            let start = bytes.len() as u64;
            column.write(docs, &mut bytes)?;
            let key = [name.as_bytes(), &[END_OF_NAME, kind.to_code()]].concat();
            places.insert(key, &(start..bytes.len() as u64))?;
        }
        let places = places.finish()?;
        to.write_all(&bytes)?;
        to.write_all(&places)?;
        to.write_all(&(places.len() as u64).to_le_bytes())?;
        to.write_all(&docs.to_le_bytes())?;
        to.write_all(&(CURRENT_VERSION as u32).to_le_bytes())?;
        to.write_all(&MAGIC)
    }
}
