//! Limits, each with its reason.

/// Rows fetched at a time: they are held decoded. A fetch never crosses files,
/// so the size of a batch bounds it as well.
pub(crate) const ROWS_PER_FETCH: usize = 2_000;

/// Records of one production: their rows are held as numbers while it is
/// written, 8 bytes each. A larger one is several requests.
pub(crate) const RECORDS_MAX: usize = 50_000_000;

/// A line of a production, in bytes: `verify` holds one at a time. A thousand
/// times what Kafka accepts as a message by default.
pub(crate) const LINE_BYTES_MAX: u64 = 1 << 30;

/// Texts of a request, in bytes: people write them, and the receipt holds them.
pub(crate) const REQUEST_TEXT_BYTES_MAX: usize = 64 << 10;

/// Problems that `verify` names; the rest is counted.
pub(crate) const PROBLEMS_MAX: usize = 1_000;

/// Bytes read at a time to hash a file.
pub(crate) const READ_BYTES: usize = 1 << 16;

/// Types that a receipt counts by name, and the longest name: whoever can send
/// events can invent types. The rest is counted together.
pub(crate) const TYPES_MAX: usize = 10_000;
/// See [`TYPES_MAX`].
pub(crate) const TYPE_BYTES_MAX: usize = 256;

/// UTF-16 units of a cell of XLSX: Excel's own limit.
pub(crate) const XLSX_CELL_UNITS_MAX: usize = 32_767;
/// Rows of a sheet of XLSX below its header: Excel's own limit is 1,048,576 with it.
pub(crate) const XLSX_ROWS_MAX: u32 = 1_048_575;
/// Bytes of a sheet of XLSX after which another file is begun: spreadsheets hold all of a sheet, and
/// four times as many would need another form of ZIP.
pub(crate) const XLSX_SHEET_BYTES: u64 = 1 << 30;

/// Rows and bytes of Parquet that are gathered before they are encoded: they are held twice then.
pub(crate) const PARQUET_BATCH_ROWS: usize = 4_096;
/// See [`PARQUET_BATCH_ROWS`].
pub(crate) const PARQUET_BATCH_BYTES: usize = 16 << 20;
/// Encoded bytes of a row group of Parquet: they are held until it is whole.
pub(crate) const PARQUET_GROUP_BYTES: usize = 64 << 20;
