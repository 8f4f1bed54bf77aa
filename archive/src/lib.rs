//! The archive: one Delta Lake table of Parquet files, and the proof of what is
//! in it.
//!
//! A record is archived when, and only when, one Delta commit holds its file
//! and the span that covers it. Nothing else is a commit point.
//!
//! - [`BatchBuilder`] collects consumed messages; [`BatchBuilder::seal`] closes it
//! - [`Writer`] writes a sealed batch, reads it back, re-hashes it and commits it;
//!   [`Writer::accept`] opens the next generation of a topic that was made again
//! - [`Archive`] reads commits, rows and single records, and the [`History`] of topics
//! - [`Compactor`] makes few large files of many small ones, and removes what they replaced
//! - [`verify`] proves the whole archive; [`Account`] says what became of every offset
//!
//! Every call blocks: ingest, search and export run it on threads of their own.
//! Only this crate knows Delta, and only `table` knows the kernel.

mod accept;
mod actions;
mod batch;
mod chosen;
mod clock;
mod columns;
mod compact;
mod compacted;
mod cut;
mod detail;
mod durable;
mod encode;
mod error;
mod fetch;
mod groups;
mod guard;
mod hashing;
mod history;
mod identity;
mod index_rows;
mod log;
mod moved;
mod nested;
mod page;
mod read;
mod recent;
mod reconcile;
mod record;
mod remembered;
mod repeated;
mod row;
mod rows;
mod scattered;
mod shape;
mod sparse;
mod store;
mod table;
mod template;
mod threads;
mod topics;
mod verify;
mod view;
mod writer;

pub use accept::{Accepted, Opening};
pub use batch::{BatchBuilder, Sealed};
pub use chosen::{Chosen, Consumed, Unproven};
pub use clock::{Clock, SystemClock};
pub use columns::{SCHEMA, STATUS_GAP, STATUS_OK, STATUS_QUARANTINED};
pub use compact::{CompactSettings, CompactedFile, Compactor, Done, Due, Planned};
pub use durable::{Disk, Temporary, put_durably};
pub use error::{Error, Kind};
pub use guard::guarded;
pub use history::{Generation, History, Lost};
pub use index_rows::{CallRow, FileRow, IndexRow, IndexRows};
pub use log::{Commit, FileRef};
pub use read::{Archive, Columns, RowReader};
pub use reconcile::{Account, Hole, Outage, PartitionAccount, Session, Sessions, SourceAccount, sessions};
pub use record::{Party, Record};
pub use scattered::ReadSettings;
pub use store::{Location, S3Settings, Store};
pub use threads::at_once;
pub use topics::{Accept, Reached, Topic};
pub use verify::{
    Choice, Journal, Problem, Progress, Proven, Report, Sample, VerifySettings, verify, verify_with,
};
pub use view::{PartyRef, Relation, Rows};
pub use writer::{Committed, Encoded, Writer, WriterSettings};
