//! A sealed batch as the bytes of one Parquet file.

use std::sync::Arc;

use custody_schemas::Manifest;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::batch::Sealed;
use crate::columns::SCHEMA;
use crate::error::{Error, Kind};
use crate::rows::Rows;

/// The footer key under which a file keeps its batch's manifest.
pub(crate) const FOOTER_KEY: &str = "custody.manifest";

/// Small pages let 20 scattered hits be fetched without decoding the file.
const PAGE_ROWS_MAX: usize = 4_096;
/// Bytes of a page where values are long, without compression: to fetch a record one of each column is
/// decompressed. As small as this they are compressed better than larger ones (by 0.7 % of the
/// archive, of 200,000 words): zstd chooses its tables by how much it gets. With half as many they
/// would be compressed worse.
const PAGE_BYTES_MAX: usize = 32 << 10;

/// Columns of which a file says the least and the greatest value.
const STATISTICS: [&str; 12] = [
    "topic",
    "generation",
    "partition",
    "offset",
    "broker_time",
    "archived_time",
    "event_time",
    "status",
    "source",
    "sequence",
    "type",
    "tenant",
];

/// How much a file is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Of a batch, which somebody waits for and which is compacted later.
    Soon,
    /// Of what stays.
    Small,
}

impl Effort {
    fn level(self) -> i32 {
        match self {
            Effort::Soon => 1,
            // One more and it takes twice as long.
            Effort::Small => 9,
        }
    }
}

/// How the numbers that sources count with follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequences {
    /// As those of one source do: what one is more than the one before is hardly anything.
    Rising,
    /// Those of several by turns: up and down, as far as the sources are apart. Their high bytes come again, and
    /// zstd finds these: of a hundred sources a number takes 2.5 bytes, as a difference 4.8.
    ByTurns,
}

impl Sequences {
    /// Of some rows, which others are like. Differences are packed 64 at a time: one that is large makes all
    /// of them large.
    pub(crate) fn of(numbers: impl Iterator<Item = i64>) -> Sequences {
        let (mut len, mut falls, mut before) = (0_usize, 0, i64::MIN);
        for number in numbers {
            len += 1;
            falls += usize::from(number < before);
            before = number;
        }
        if falls * 64 > len { Sequences::ByTurns } else { Sequences::Rising }
    }
}

pub(crate) fn properties(effort: Effort, sequences: Sequences) -> Result<WriterProperties, ParquetError> {
    let column = |name: &str| ColumnPath::from(name);
    let zstd = |level| ZstdLevel::try_new(level).map(Compression::ZSTD);
    let mut builder = WriterProperties::builder()
        .set_compression(zstd(effort.level())?)
        // As a rule made by chance: nothing in them comes again, and the fastest finds that as well.
        .set_column_compression(column("id"), zstd(1)?)
        .set_created_by(concat!("custody ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(PAGE_ROWS_MAX)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::None);
    // Those of others would not leave out a file or a row group: they have any value everywhere.
    for name in STATISTICS {
        builder = builder.set_column_statistics_enabled(column(name), EnabledStatistics::Chunk);
    }
    // Its values hardly repeat: a dictionary would only be built and dropped.
    builder = builder.set_column_dictionary_enabled(column("identity"), false);
    // Their lengths stand apart: bytes beside bytes compress better.
    for name in ["payload", "body", "id", "message_id"] {
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_data_page_size_limit(column(name), PAGE_BYTES_MAX);
    }
    // Hashes do not compress, and what has a few values is small in a dictionary already:
    // a compressor for each of its pages costs more than it saves.
    const FEW: [&str; 10] = [
        "topic",
        "generation",
        "partition",
        "batch",
        "archived_time",
        "status",
        "source",
        "tenant",
        "conversation_kind",
        "content_type",
    ];
    for name in FEW.into_iter().chain(["identity", "leaf_check"]) {
        builder = builder.set_column_compression(column(name), Compression::UNCOMPRESSED);
    }
    for name in ["relation", "network", "role", "scope"] {
        let path = ["parties", "list", "element", name].map(str::to_owned);
        builder = builder.set_column_compression(ColumnPath::new(path.into()), Compression::UNCOMPRESSED);
    }
    let of_sequences = match sequences {
        Sequences::Rising => Encoding::DELTA_BINARY_PACKED,
        Sequences::ByTurns => Encoding::PLAIN,
    };
    for name in ["offset", "sequence", "event_time", "broker_time", "leaf_check"] {
        let encoding = if name == "sequence" { of_sequences } else { Encoding::DELTA_BINARY_PACKED };
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), encoding);
    }
    Ok(builder.build())
}

/// Encodes a batch. The manifest goes into the footer.
pub(crate) fn encode(sealed: Sealed) -> Result<(Manifest, Vec<u8>), Error> {
    let manifest = sealed.manifest;
    let failed =
        |e: ParquetError| Error::with(Kind::Corrupt, format!("cannot encode batch {}", manifest.batch), e);
    let archived_us = manifest.archived_ms.saturating_mul(1_000);
    let numbers = sealed.rows.first().map(Rows::sequences).unwrap_or_default();
    let sequences = Sequences::of(numbers.iter().copied().filter(|number| *number != 0));
    let properties = properties(Effort::Soon, sequences).map_err(failed)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), Arc::clone(&SCHEMA), Some(properties)).map_err(failed)?;
    for rows in sealed.rows {
        writer.write(&rows.finish(archived_us)?).map_err(failed)?;
    }
    let json = serde_json::to_string(&manifest).map_err(|e| {
        Error::with(Kind::Corrupt, format!("cannot write the manifest of batch {}", manifest.batch), e)
    })?;
    writer.append_key_value_metadata(KeyValue::new(FOOTER_KEY.to_owned(), json));
    let bytes = writer.into_inner().map_err(failed)?;
    Ok((manifest, bytes))
}

#[cfg(test)]
mod tests {
    use custody_schemas::{Incoming, Partition};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::batch::BatchBuilder;

    /// How a file of events with these numbers has them, and how many bytes they take.
    fn written(numbers: impl Iterator<Item = i64>) -> (bool, i64) {
        let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
        let mut batch = BatchBuilder::new("b".into());
        for (offset, number) in (0..).zip(numbers) {
            let payload = format!(
                r#"{{"specversion":"1.0","id":"{offset}","source":"//gw","type":"federation.contact.added.v1","sequence":"{number}"}}"#
            );
            let payload = Some(payload.as_bytes());
            let incoming = Incoming { key: None, headers: &[], payload, broker_time_ms: None };
            batch.push(&partition, offset, offset, &incoming).unwrap();
        }
        let (_, bytes) = encode(batch.seal("default", 0).unwrap()).unwrap();
        let file = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        let columns = file.metadata().row_group(0).columns();
        let column = columns.iter().find(|column| column.column_path().string() == "sequence").unwrap();
        let packed = column.encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED);
        (packed, column.compressed_size())
    }

    #[test]
    fn numbers_are_written_as_they_follow_one_another() {
        const ROWS: i64 = 4_096;
        let (packed, bytes) = written((0..ROWS).map(|row| 1_000_000 + row));
        assert!(packed && bytes < ROWS / 8, "{bytes}");
        // Now and then a source begins anew.
        assert!(written((0..ROWS).map(|row| row % 1_000)).0);
        // In no order, ten sources far from one another, each counting.
        let mut counts = [0; 10];
        let by_turns = (0..ROWS).map(|row| {
            let source = (row * 7 + row / 3 % 5) as usize % counts.len();
            counts[source] += 1;
            source as i64 * 1_000_000_000 + counts[source]
        });
        let (packed, bytes) = written(by_turns);
        assert!(!packed && bytes < 3 * ROWS, "{bytes}");
    }

    #[test]
    fn no_numbers_rise() {
        for (numbers, expected) in [
            (&[][..], Sequences::Rising),
            (&[5], Sequences::Rising),
            (&[5, 5], Sequences::Rising),
            (&[5, 4], Sequences::ByTurns),
            (&[i64::MIN, i64::MAX], Sequences::Rising),
        ] {
            assert_eq!(Sequences::of(numbers.iter().copied()), expected, "{numbers:?}");
        }
    }
}
