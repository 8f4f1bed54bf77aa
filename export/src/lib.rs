//! Productions: what is handed over, in a form that its reader can check alone.
//!
//! - [`produce`] writes the records of a search into a folder, with a receipt
//! - [`verify`] checks such a folder without the archive
//! - [`Request`] is what was asked for, by whom and why
//! - [`Receipt`] is the list of what the folder holds
//! - [`PrivateKey`] signs it as a [`Note`], [`PublicKey`] tells whether it did
//!
//! The form of the files is in `FORMAT.md`. No clock is read: the same request
//! on the same version of the archive gives the same bytes. The receipt is the
//! last file to get its name: a folder without one is no production.
//!
//! Every call blocks.

mod check;
mod check_lines;
mod check_receipt;
mod describe;
mod document;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod format;
mod item;
mod key;
mod line;
mod names;
mod note;
mod plan;
mod produce;
mod receipt;
#[allow(dead_code, reason = "productions do not ask for it yet")]
mod redact;
mod request;
mod settings;
mod thread;
#[cfg(test)]
mod verify_py_tests;

pub use check::{Problem, Report, verify};
pub use error::{Error, Kind};
pub use key::{PrivateKey, PublicKey};
pub use note::{Note, Signed, sign};
pub use plan::Hit;
pub use produce::produce;
pub use receipt::{BatchEntry, Entry, FileEntry, OTHER_TYPES, RECEIPT_VERSION, Receipt};
pub use redact::{Applied, Redaction, What};
pub use request::{Format, REQUEST_VERSION, Request};

/// The records, one a line.
pub const RECORDS: &str = "records.jsonl";
/// What the folder holds; written last.
pub const RECEIPT: &str = "receipt.json";
/// What a reader without Custody does.
pub const HOW_TO: &str = "HOW-TO-VERIFY.txt";
