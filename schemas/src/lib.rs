//! The vocabulary of Custody: positions and spans, the event contract, the
//! decoding of what a gateway published, and the hashes that prove it.
//!
//! This crate does no I/O, has no async and reads no clock.
//!
//! - [`position`]: where a record came from; half-open spans of offsets
//! - [`kind`]: the closed list of event types, their full and short names
//! - [`event`]: the contract as Rust types (what producers write)
//! - [`decode`]: what a consumer reads: lenient, nothing refused without a reason
//! - [`text`]: the plain text of a body; [`time`]: RFC 3339
//! - [`hash`]: RFC 6962 leaf hashes and Merkle trees
//! - [`manifest`]: the versioned record of one batch; [`gap`]: the row of what was lost
//! - [`topic`]: which life of a topic
//! - [`status`]: what a worker says of a partition, for gateways that block what is not archived
//! - [`contract`]: JSON Schemas and the AsyncAPI document made from the types

pub mod contract;
pub mod decode;
pub mod event;
pub mod gap;
pub mod hash;
pub mod kind;
pub mod manifest;
pub mod position;
pub mod status;
pub mod text;
pub mod time;
pub mod topic;

pub use decode::{Decoded, Incoming, Quarantine};
pub use hash::Hash;
pub use kind::Kind;
pub use manifest::Manifest;
pub use position::{Partition, Position, Span};
pub use status::PartitionStatus;
pub use topic::TopicId;
