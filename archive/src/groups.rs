//! Reads a Parquet file row group by row group: what is decoded at a time is bounded by what its
//! writer put into one group, and by its bytes where they are large.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::errors::Result;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::SchemaDescriptor;

/// Rows decoded at a time, at most.
const ROWS_AT_A_TIME: u64 = 8_192;
/// Fewer where they are large: about so many bytes are decoded at a time.
const DECODED_BYTES: u64 = 16 << 20;

/// The bytes of a Parquet file.
pub(crate) enum Input {
    /// Opened: what is removed meanwhile can still be read.
    Disk(File),
    Memory(Bytes),
}

impl Input {
    /// The same bytes once more.
    fn again(&self) -> io::Result<Input> {
        Ok(match self {
            Input::Disk(file) => Input::Disk(file.try_clone()?),
            Input::Memory(bytes) => Input::Memory(bytes.clone()),
        })
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        match self {
            Input::Disk(file) => Length::len(file),
            Input::Memory(bytes) => Length::len(bytes),
        }
    }
}

impl ChunkReader for Input {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(match self {
            Input::Disk(file) => Box::new(file.get_read(start)?),
            Input::Memory(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        match self {
            Input::Disk(file) => read_at(file, start, length),
            Input::Memory(bytes) => bytes.get_bytes(start, length),
        }
    }
}

/// One call of the system, where it has one: a page is read from a hundred places.
#[cfg(unix)]
fn read_at(file: &File, start: u64, length: usize) -> Result<Bytes> {
    let mut bytes = vec![0; length];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, start)?;
    Ok(bytes.into())
}

#[cfg(not(unix))]
fn read_at(file: &File, start: u64, length: usize) -> Result<Bytes> {
    file.get_bytes(start, length)
}

/// What the end of a file says, the columns' Arrow types left aside.
pub(crate) fn metadata(input: &Input, pages: PageIndexPolicy) -> Result<ArrowReaderMetadata> {
    ArrowReaderMetadata::load(input, options().with_page_index_policy(pages))
}

fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

/// The same file, its texts and bytes as views of its pages: nothing is copied that is looked at once.
fn with_views(metadata: &ArrowReaderMetadata) -> Result<ArrowReaderMetadata> {
    let fields: Fields = metadata.schema().fields().iter().map(viewed).collect();
    let options = options().with_schema(Arc::new(Schema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
}

pub(crate) fn viewed(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(of) => DataType::List(viewed(of)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(kind))
}

/// See the module.
pub(crate) struct GroupReader {
    input: Input,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// Of the rows from the next group on; all of them without one.
    selection: Option<RowSelection>,
    /// Rows at a time, at most.
    at_most: usize,
    next_group: usize,
    group: Option<ParquetRecordBatchReader>,
}

impl GroupReader {
    /// All rows.
    pub(crate) fn open(input: Input, mask: impl FnOnce(&SchemaDescriptor) -> ProjectionMask) -> Result<Self> {
        let metadata = with_views(&metadata(&input, PageIndexPolicy::Skip)?)?;
        let mask = mask(metadata.parquet_schema());
        Ok(GroupReader::of(input, metadata, mask, None))
    }

    /// Some rows, with what the end of the file said before.
    pub(crate) fn with(
        metadata: Arc<ParquetMetaData>,
        input: Input,
        mask: impl FnOnce(&SchemaDescriptor) -> ProjectionMask,
        selection: Option<RowSelection>,
    ) -> Result<Self> {
        let metadata = with_views(&ArrowReaderMetadata::try_new(metadata, options())?)?;
        let mask = mask(metadata.parquet_schema());
        Ok(GroupReader::of(input, metadata, mask, selection))
    }

    fn of(
        input: Input,
        metadata: ArrowReaderMetadata,
        mask: ProjectionMask,
        selection: Option<RowSelection>,
    ) -> Self {
        GroupReader { input, metadata, mask, selection, at_most: usize::MAX, next_group: 0, group: None }
    }

    /// Reads no more rows than this at a time.
    pub(crate) fn at_most(self, rows: NonZeroUsize) -> Self {
        GroupReader { at_most: self.at_most.min(rows.get()), ..self }
    }

    /// The next rows; `None` when there are no more, and after an error.
    pub(crate) fn read(&mut self) -> Result<Option<RecordBatch>> {
        let read = self.read_next();
        if read.is_err() {
            (self.group, self.next_group) = (None, usize::MAX);
        }
        read
    }

    fn read_next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(rows) = self.group.as_mut().and_then(Iterator::next) {
                return Ok(Some(rows?));
            }
            self.group = None;
            let Some(group) = self.metadata.metadata().row_groups().get(self.next_group) else {
                return Ok(None);
            };
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            let selection = self.selection.as_mut().map(|selection| selection.split_off(rows));
            let at = self.next_group;
            self.next_group += 1;
            if selection.as_ref().is_some_and(|selection| !selection.selects_any()) {
                continue;
            }
            let batch_rows = rows_at_a_time(group).min(self.at_most);
            let input = self.input.again()?;
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.metadata.clone())
                    .with_row_groups(vec![at])
                    .with_projection(self.mask.clone())
                    .with_batch_size(batch_rows);
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            self.group = Some(builder.build()?);
        }
    }
}

/// How many rows to decode at a time.
pub(crate) fn rows_at_a_time(group: &RowGroupMetaData) -> usize {
    let size = |n: i64| u64::try_from(n).unwrap_or(0);
    let (rows, bytes) = (size(group.num_rows()), size(group.total_byte_size()).max(1));
    let fit = (DECODED_BYTES.saturating_mul(rows) / bytes).clamp(1, ROWS_AT_A_TIME);
    usize::try_from(fit).unwrap_or(1)
}
