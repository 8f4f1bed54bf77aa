//! Ingest: from Kafka to the archive, nothing lost and nothing twice.
//!
//! ```text
//!   poll thread:    poll ─► append to the batch ─► seal by bytes, rows or age
//!                                                     │ bounded hand-over: 1 batch
//!   commit thread:  encode ─► put ─► read back ─► fence ─► commit ─► publish
//! ```
//!
//! - [`Worker`] runs the loop and the commits; [`WorkerSettings`] bounds it; [`Stepped`] is the same,
//!   moved by a test
//! - [`Source`] is what the loop needs of Kafka
//! - [`resume`] decides, purely, where a partition goes on
//! - [`kafka`] is the only place that knows librdkafka: source, producer and the
//!   embedded test broker
//! - [`Metrics`] names every metric of ingest
//! - [`Watch`] tells gateways and `/readyz` whether everything published is being archived; what it
//!   says of a partition is a pure decision (`status`) over what is known of it (`track`, `progress`)
//!
//! This crate does not know the index.

mod commits;
mod committer;
mod consume;
mod error;
pub mod kafka;
mod metrics;
mod progress;
pub mod resume;
mod source;
mod status;
#[cfg(test)]
mod status_tests;
mod stepped;
mod track;
mod watch;
mod worker;

pub use committer::{OnCommit, Outcome};
pub use consume::Ids;
pub use error::{Error, Kind};
pub use metrics::{Metrics, Status};
pub use source::{Damage, Message, Polled, Source};
pub use stepped::Stepped;
pub use watch::{StatusSettings, Watch};
pub use worker::{Stop, Worker, WorkerSettings};
