//! Productions: what is handed over, in a form that its reader can check alone.
//!
//! - [`Production`] writes the records of a search into a folder, with a receipt
//! - [`verify`] checks such a folder without the archive
//! - [`Request`] is what was asked for, by whom and why
//! - [`Receipt`] is the list of what the folder holds
//! - [`pack`] makes one file of such a folder, to send
//! - [`PrivateKey`] signs it as a [`Note`], [`PublicKey`] tells whether it did
//!
//! The form of the files is in `FORMAT.md`. No clock is read: the same request
//! on the same version of the archive gives the same bytes. The receipt is the
//! last file to get its name: a folder without one is no production.
//!
//! Every call blocks.

mod check;
mod check_files;
mod check_lines;
mod check_receipt;
mod check_signature;
mod custodians;
mod cutting;
mod describe;
mod document;
mod error;
mod evidence;
mod files;
#[cfg(test)]
mod fixture;
mod folder;
mod format;
mod formats;
mod hashing;
mod in_order;
mod item;
mod journal;
mod key;
mod line;
mod lists;
mod names;
mod note;
mod output;
mod pack;
mod place;
mod plan;
mod produce;
mod reading;
mod receipt;
mod receipt_page;
mod redact;
mod request;
mod selection;
mod settings;
mod spill;
mod thread;
#[cfg(test)]
mod verify_py_tests;
mod writing;

pub use check::{Problem, Report, verify};
pub use custodians::Custodians;
pub use error::{Error, Kind};
pub use format::pdf::font_files;
pub use key::{PrivateKey, PublicKey};
pub use note::{Note, Signed, sign};
pub use pack::{PackForm, Packed, Recipient, pack};
pub use plan::Hit;
pub use produce::{Production, Progress};
pub use receipt::{BatchEntry, Entry, FileEntry, OTHER_TYPES, RECEIPT_VERSION, Receipt, Redacted};
pub use redact::{Applied, Redaction, What};
pub use request::{
    Context, CustodianOptions, FontFile, Format, Numbering, Options, REQUEST_VERSION, Request, Selection,
    VolumeLimit,
};
pub use selection::read_positions;

/// The records, one a line.
pub const RECORDS: &str = "records.jsonl";
/// What the folder holds; written last.
pub const RECEIPT: &str = "receipt.json";
/// The same for people, without the list of records.
pub const RECEIPT_PAGE: &str = "RECEIPT.html";
/// Which record is in which document, one a line.
pub const CROSS_REFERENCE: &str = "cross-reference.csv";
/// What a reader would expect and does not get, and why; one a line.
pub const EXCEPTIONS: &str = "exceptions.csv";
/// The signature of the receipt, if it is signed.
pub const SIGNATURE: &str = "receipt.sig";
/// The check by a reader without Custody, as a program.
pub const VERIFY_PY: &str = "verify.py";
/// What a reader without Custody does.
pub const HOW_TO: &str = "HOW-TO-VERIFY.txt";
