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

pub(crate) fn properties(effort: Effort) -> Result<WriterProperties, ParquetError> {
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
    for name in ["offset", "sequence", "event_time", "broker_time", "leaf_check"] {
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    Ok(builder.build())
}

/// Encodes a batch. The manifest goes into the footer.
pub(crate) fn encode(sealed: Sealed) -> Result<(Manifest, Vec<u8>), Error> {
    let manifest = sealed.manifest;
    let failed =
        |e: ParquetError| Error::with(Kind::Corrupt, format!("cannot encode batch {}", manifest.batch), e);
    let archived_us = manifest.archived_ms.saturating_mul(1_000);
    let mut writer = ArrowWriter::try_new(
        Vec::new(),
        Arc::clone(&SCHEMA),
        Some(properties(Effort::Soon).map_err(failed)?),
    )
    .map_err(failed)?;
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
