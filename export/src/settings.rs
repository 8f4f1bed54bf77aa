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
