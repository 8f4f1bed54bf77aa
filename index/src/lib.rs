//! The index: finds records of the archive in seconds, and proves that it can.
//!
//! The index follows the archive's versions. It is derived: it can be deleted,
//! is then built anew, and gives the same answers. It stores no text, only
//! terms and positions; what is shown is read from the archive and re-hashed.
//!
//! - [`query`]: the query language, and what a query means
//! - [`people`]: who held which address when, and the query that a person stands for
//! - [`text`]: how text is cut into terms, for the index and for everybody else
//! - [`Indexer`] builds splits from new commits and merges small ones
//! - [`Searcher`] answers, and says through which archive version
//! - [`verify_index`] builds every split again and compares
//!
//! On disk an index is a folder:
//!
//! ```text
//! manifest/00000000000000000042.json   what the index consists of; the highest
//!                                      number counts, each is written once
//! <sha-256>.split                      one immutable segment; the name is the
//!                                      SHA-256 of the bytes
//! ```
//!
//! The index is trusted for finding, never for content: whoever can write the
//! folder can hide records from a search until `verify` names the difference,
//! but cannot make a record look other than it was archived.
//!
//! Every call blocks. Only this crate knows Tantivy.

mod attributes;
mod build;
mod cached;
mod check;
mod compile;
mod coverage;
mod damage;
mod document;
mod error;
mod exact;
mod expand;
mod guard;
mod known;
mod list;
mod manifest;
mod merge;
mod message;
mod party;
pub mod people;
mod places;
mod proximity;
mod prune;
pub mod query;
mod schema;
mod search;
mod settings;
mod source;
mod spans;
mod split;
mod stop;
mod store;
#[cfg(test)]
mod strategies;
#[cfg(test)]
mod testing;
pub mod text;
mod vocabulary;

pub use build::{CaughtUp, Indexer};
pub use check::{Difference, IndexReport, verify_index, verify_index_with};
pub use error::{Error, Kind};
pub use exact::{Exactness, verify_queries};
pub use manifest::{MANIFEST_VERSION, Manifest, SplitMeta};
pub use merge::{Merge, Policy, plan};
pub use search::{
    Answer, Bucket, Cancel, Context, Count, Cursor, Explained, FacetCount, FacetRequest, Facets, Found,
    FoundRow, Group, GroupBy, Grouped, Histogram, Hit, Order, Request, Searcher, Unit, Versions,
};
pub use settings::Settings;
pub use source::{Added, Party, Row, Source};
pub use store::IndexStore;
