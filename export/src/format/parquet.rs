//! Parquet: the columns of the CSV with types, and beside them the bytes that were consumed.
//!
//! The leaf hash of a record can be made anew from `position`, `broker_time`, `key`, `headers` and
//! `payload`, where nothing was redacted.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Kind};
use crate::format::columns::{COLUMNS, Cell, Rows, Type};
use crate::format::{Exception, Table};
use crate::item::Shown;
use crate::settings::{PARQUET_BATCH_BYTES, PARQUET_BATCH_ROWS, PARQUET_GROUP_BYTES};

/// The zone of all times: they are points in time, and shown in whatever zone a reader likes.
const UTC: &str = "UTC";

fn header_fields() -> Fields {
    vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Binary, true)].into()
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = COLUMNS.iter().map(|column| {
        let data_type = match column.is {
            Type::Text => DataType::Utf8,
            Type::Number => DataType::Int64,
            Type::Flag => DataType::Boolean,
            Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        };
        Field::new(column.name, data_type, true)
    });
    let header = Field::new("item", DataType::Struct(header_fields()), true);
    let bytes = [
        Field::new("key", DataType::Binary, true),
        Field::new("headers", DataType::List(Arc::new(header)), true),
        Field::new("payload", DataType::Binary, true),
    ];
    Arc::new(Schema::new(columns.chain(bytes).collect::<Vec<_>>()))
});

/// A column while it grows.
enum Growing {
    Text(StringBuilder),
    Number(Int64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Growing {
    fn new(is: Type) -> Self {
        match is {
            Type::Text => Growing::Text(StringBuilder::new()),
            Type::Number => Growing::Number(Int64Builder::new()),
            Type::Flag => Growing::Flag(BooleanBuilder::new()),
            Type::Time => Growing::Time(TimestampMicrosecondBuilder::new().with_timezone(UTC)),
        }
    }

    /// Gives how many bytes it grew by. A cell of another type than the column's is no value.
    fn push(&mut self, cell: Cell<'_>) -> usize {
        match (self, cell) {
            (Growing::Text(column), Cell::Text(text)) => {
                column.append_value(&text);
                return text.len();
            }
            (Growing::Number(column), Cell::Number(number)) => column.append_value(number),
            (Growing::Flag(column), Cell::Flag(flag)) => column.append_value(flag),
            (Growing::Time(column), Cell::Time(us)) => column.append_value(us),
            (Growing::Text(column), _) => column.append_null(),
            (Growing::Number(column), _) => column.append_null(),
            (Growing::Flag(column), _) => column.append_null(),
            (Growing::Time(column), _) => column.append_null(),
        }
        8
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Growing::Text(column) => Arc::new(column.finish()),
            Growing::Number(column) => Arc::new(column.finish()),
            Growing::Flag(column) => Arc::new(column.finish()),
            Growing::Time(column) => Arc::new(column.finish()),
        }
    }
}

/// Rows that are not given to the writer yet.
struct Pending {
    columns: Vec<Growing>,
    key: BinaryBuilder,
    headers: ListBuilder<StructBuilder>,
    payload: BinaryBuilder,
    rows: usize,
    bytes: usize,
}

impl Pending {
    fn new() -> Self {
        let header = StructBuilder::from_fields(header_fields(), 0);
        Pending {
            columns: COLUMNS.iter().map(|column| Growing::new(column.is)).collect(),
            key: BinaryBuilder::new(),
            headers: ListBuilder::new(header),
            payload: BinaryBuilder::new(),
            rows: 0,
            bytes: 0,
        }
    }

    fn push<'r>(&mut self, cells: impl Iterator<Item = Cell<'r>>, shown: &Shown) {
        for (cell, growing) in cells.zip(&mut self.columns) {
            self.bytes += growing.push(cell);
        }
        self.key.append_option(shown.key.as_deref());
        self.payload.append_option(shown.payload.as_deref());
        self.bytes += shown.payload.as_ref().map_or(0, Vec::len);
        let header = self.headers.values();
        for (name, value) in &shown.headers {
            if let Some(names) = header.field_builder::<StringBuilder>(0) {
                names.append_value(name);
            }
            if let Some(values) = header.field_builder::<BinaryBuilder>(1) {
                values.append_option(value.as_deref());
            }
            header.append(true);
            self.bytes += name.len() + value.as_ref().map_or(0, Vec::len);
        }
        self.headers.append(true);
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= PARQUET_BATCH_ROWS || self.bytes >= PARQUET_BATCH_BYTES
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(Growing::finish).collect();
        columns.push(Arc::new(self.key.finish()));
        columns.push(ArrayBuilder::finish(&mut self.headers));
        columns.push(Arc::new(self.payload.finish()));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(SCHEMA.clone(), columns)
    }
}

/// `records.parquet`.
pub(crate) struct Parquet {
    path: PathBuf,
    writer: ArrowWriter<File>,
    pending: Pending,
}

impl Parquet {
    /// Begins the file in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("records.parquet");
        let file = File::create(&path).map_err(|failed| Error::io("create", &path, failed))?;
        let writer = properties()
            .and_then(|properties| ArrowWriter::try_new(file, SCHEMA.clone(), Some(properties)))
            .map_err(|failed| unwritten(&path, failed))?;
        Ok(Parquet { path, writer, pending: Pending::new() })
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.pending.rows == 0 {
            return Ok(());
        }
        let batch = self.pending.take().map_err(|failed| unwritten(&self.path, failed.into()))?;
        let written = self.writer.write(&batch).and_then(|()| match self.writer.in_progress_size() {
            size if size >= PARQUET_GROUP_BYTES => self.writer.flush(),
            _ => Ok(()),
        });
        written.map_err(|failed| unwritten(&self.path, failed))
    }
}

impl Table for Parquet {
    fn push(&mut self, rows: &Rows, shown: &[Shown]) -> Result<Vec<Exception>, Error> {
        for (row, shown) in shown.iter().enumerate() {
            self.pending.push(rows.row(row).map(|(cell, _)| cell), shown);
            if self.pending.is_full() {
                self.write()?;
            }
        }
        Ok(Vec::new())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<PathBuf>, Error> {
        self.write()?;
        let file = self.writer.into_inner().map_err(|failed| unwritten(&self.path, failed))?;
        file.sync_all().map_err(|failed| Error::io("sync", &self.path, failed))?;
        Ok(vec![self.path])
    }
}

fn properties() -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(concat!("custody ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(None)
        .build())
}

fn unwritten(path: &Path, source: ParquetError) -> Error {
    Error::with(Kind::Retry, format!("cannot write {}", path.display()), source)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMicrosecondType;
    use custody_schemas::Hash;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::fixture::{HOSTILE, hostile, sample};
    use crate::format::testing::{self, pushed, pushed_document};

    /// Writes documents of these records, and reads them back as one batch.
    fn written(documents: &[Vec<Shown>]) -> (Vec<u8>, RecordBatch) {
        let folder = tempfile::tempdir().unwrap();
        let mut parquet = Box::new(Parquet::new(folder.path()).unwrap());
        for records in documents {
            pushed(&mut *parquet, records).unwrap();
        }
        let path = parquet.finish().unwrap().remove(0);
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let batches: Vec<RecordBatch> =
            reader.with_batch_size(1 << 20).build().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1);
        (fs::read(&path).unwrap(), batches[0].clone())
    }

    #[test]
    fn hostile_texts_come_back_exactly() {
        let (_, batch) = written(&[hostile()]);
        assert_eq!(batch.num_rows(), HOSTILE.len());
        for name in ["text", "from_name", "from_address", "title", "file_name", "file_media_type"] {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            assert_eq!(column.iter().map(Option::unwrap).collect::<Vec<_>>(), HOSTILE, "{name}");
        }
    }

    #[test]
    fn bytes_and_types() {
        let records = sample();
        let (bytes, batch) = written(std::slice::from_ref(&records));
        let payload = batch.column_by_name("payload").unwrap().as_binary::<i32>();
        assert_eq!(payload.value(0), records[0].payload.as_deref().unwrap());
        assert_eq!(payload.value(23), b"{");
        let time = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
        assert_eq!(time.value(1), 1_369_818_901_000_000);
        let context = batch.column_by_name("context").unwrap().as_boolean();
        assert_eq!((context.value(0), context.value(1)), (false, true));
        let headers = batch.column_by_name("headers").unwrap().as_list::<i32>().value(0);
        let values = headers.as_struct().column(1).as_binary::<i32>();
        assert_eq!(values.value(0), b"application/cloudevents+json");
        assert_eq!(bytes, written(&[records]).0);
        // Changes with the version of the library that compresses; the rows do not.
        testing::golden("records.parquet.sha256", Hash::of(&bytes).to_string().as_bytes());
    }

    #[test]
    fn documents_follow_each_other() {
        let few = [sample(), hostile()];
        let (_, batch) = written(&few);
        assert_eq!(batch.num_rows(), few.iter().map(Vec::len).sum::<usize>());
        let many: Vec<_> = (0..PARQUET_BATCH_ROWS / HOSTILE.len() + 2).map(|_| hostile()).collect();
        let (_, batch) = written(&many);
        assert_eq!(batch.num_rows(), many.len() * HOSTILE.len());
    }

    #[test]
    fn for_readers() {
        testing::for_readers("parquet", |folder, document| {
            let mut parquet = Box::new(Parquet::new(folder).unwrap());
            pushed_document(&mut *parquet, document).unwrap();
            parquet.finish().unwrap();
        });
    }
}
