//! Limits, each with its reason.

use std::num::NonZeroUsize;

/// Rows read at a time, fewer where they are large (about 4 MB without compression): a thread makes of
/// them their lines, their entries of the receipt and what is sorted, about five times as much. So few
/// stay in a processor's cache: with 2,000 it took a fifth longer.
pub(crate) const ROWS_PER_READ: NonZeroUsize = NonZeroUsize::new(500).unwrap();
/// Reads that are held beside one for each thread: those that wait for the one before them.
pub(crate) const READ_AHEAD: u64 = 2;

/// Records of one production: which rows are hits is held while it is written, 24 bytes each, and 40
/// as the caller names them. A larger one is several requests.
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

/// The longest prefix of numbers: load files have columns for them, and file names a limit.
pub(crate) const NUMBER_PREFIX_MAX: usize = 32;
/// Digits of a number at most: those of the largest.
pub(crate) const NUMBER_WIDTH_MAX: usize = 20;

/// Events of a document at most: Relativity's limit for an RSMF file, and more than a person reads.
pub(crate) const DOCUMENT_EVENTS_MAX: u64 = 10_000;
/// Bytes of the records of a document at most (one that is larger is a document alone): a document is
/// held while it is rendered, once a thread.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 32 << 20;
/// Documents that a thread renders at a time, and bytes of their records after which no more are added:
/// so many that handing them over costs little.
pub(crate) const RENDERED_AT_ONCE: usize = 32;
/// See [`RENDERED_AT_ONCE`].
pub(crate) const RENDERED_BYTES: u64 = 256 << 10;
/// Bytes of the records of all documents that are rendered or wait to be written, unless they are one a
/// thread: they are held, and what they become, which is up to ten times as much.
pub(crate) const RENDERED_AHEAD_BYTES: u64 = 4 << 20;
/// Documents and attachments of a production: the receipt names each file of it, and is held: about 200
/// bytes a file, and of load files there are two a document.
pub(crate) const FILES_MAX: u64 = 2_000_000;
/// Bytes that are sorted in memory before they go to a temporary file.
pub(crate) const SORTED_BYTES: usize = 64 << 20;
/// Bytes that are written to the temporary file at a time.
pub(crate) const SPILL_WRITE_BYTES: usize = 256 << 10;
/// Bytes that the sorted parts of the temporary file are read by, together: each gets its share,
pub(crate) const MERGED_BYTES: usize = 32 << 20;
/// of this at most
pub(crate) const SPILL_READ_BYTES: usize = 256 << 10;
/// and of this at least: a production of the most records has a thousand parts.
pub(crate) const SPILL_READ_BYTES_MIN: usize = 16 << 10;
/// Bytes of attachments that a mail holds: it is made in memory, and mail programs and importers refuse
/// what is much larger. Those that do not fit are files beside it.
pub(crate) const MAIL_ATTACHED_BYTES_MAX: u64 = 32 << 20;

/// Events of an RSMF file: Relativity's own limit.
pub(crate) const RSMF_EVENTS_MAX: usize = 10_000;
/// Bytes of an RSMF file: Relativity's own limit, in the smaller of the readings of "2 GB".
pub(crate) const RSMF_BYTES_MAX: u64 = 2_000_000_000;
/// A reaction's value in RSMF, in units of UTF-16: its schema's limit.
pub(crate) const RSMF_REACTION_CHARS_MAX: usize = 30;
/// Fields of our own that an event of RSMF gets from a record's data: whoever can send events can
/// send any number, and a viewer shows all of them at once.
pub(crate) const RSMF_FIELDS_MAX: usize = 256;
/// Batch roots that a header of an RSMF file names: mail readers limit a header's length, and the
/// receipt has all.
pub(crate) const RSMF_ROOTS_MAX: usize = 64;
/// Characters of a name or a title in a header of an RSMF file: anybody may choose a name of any length,
/// mail readers limit a header's, and the manifest has all of it.
pub(crate) const RSMF_NAME_CHARS_MAX: usize = 200;

/// Bytes of the files in a vCon: they are inside of its JSON, which is held in memory.
pub(crate) const VCON_FILES_BYTES_MAX: u64 = 500_000_000;

/// Bytes of fonts that somebody gives: they are held while documents are written.
pub(crate) const FONTS_BYTES_MAX: u64 = 512 << 20;
/// Words of a PDF that are remembered with their glyphs, for each weight and direction: a few hundred bytes each.
pub(crate) const PDF_WORDS_MAX: usize = 20_000;
/// The longest of them, in bytes: longer ones, such as hashes, are hardly ever there twice.
pub(crate) const PDF_WORD_BYTES_MAX: usize = 32;
/// Characters of a word of a PDF that are shaped together: a word may have any length.
pub(crate) const PDF_ATOM_CHARS_MAX: usize = 48;
/// Marks on one letter of a PDF: more would climb into the lines around it. No script needs as many.
pub(crate) const PDF_MARKS_MAX: usize = 4;
/// Characters of a title or a heading that a PDF says of itself: the pages have all of it.
pub(crate) const PDF_TITLE_CHARS_MAX: usize = 200;
/// Characters without a font that an exception names; the rest is counted.
pub(crate) const PDF_MISSING_MAX: usize = 50;

/// The name of a key, in bytes: a URL without its scheme, as the notes' specification has it.
pub(crate) const KEY_NAME_BYTES_MAX: usize = 255;

/// Read of a file that should hold a key, in bytes: a line with a name and 44 characters.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// A signed note, in bytes: ours has three short lines, and signatures of others may have 5 kB each.
pub(crate) const NOTE_BYTES_MAX: usize = 1 << 20;

/// Signatures of a note: as many as Go's `sumdb/note` takes, and more than the 16 that have to be taken.
pub(crate) const NOTE_SIGNATURES_MAX: usize = 100;

/// Redactions of one production: each looks through every text of every record.
pub(crate) const REDACTION_RULES_MAX: usize = 100;

/// The name of a redaction, in bytes: it stands in place of every text that is gone.
pub(crate) const REDACTION_NAME_BYTES_MAX: usize = 64;

/// An expression as it is written, in bytes: people write them, and the receipt holds them.
pub(crate) const REDACTION_PATTERN_BYTES_MAX: usize = 16 << 10;

/// An expression compiled, in bytes, and what it remembers while it searches: the time of a search
/// is the text's length times this.
pub(crate) const REDACTION_PROGRAM_BYTES_MAX: usize = 1 << 20;

/// Rows of a table of `RECEIPT.html`: a person reads it and a browser lays it out; the receipt has all.
pub(crate) const RECEIPT_PAGE_ROWS_MAX: usize = 2_000;

/// Recipients of a packed production: each makes its beginning longer, and every reader tries them all.
pub(crate) const PACK_RECIPIENTS_MAX: usize = 100;
/// Read of a file of recipients, in bytes: a thousand times what such a file takes.
pub(crate) const PACK_RECIPIENTS_BYTES_MAX: u64 = 1 << 20;
/// How hard a ZIP is compressed, of 9: what everybody's tools do. Another number gives other bytes.
pub(crate) const PACK_DEFLATE_LEVEL: i64 = 6;
/// How hard a `.tar.zst` is compressed, of 22: about as fast as the ZIP. Another number gives other bytes.
pub(crate) const PACK_ZSTD_LEVEL: i32 = 9;
