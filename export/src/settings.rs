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
