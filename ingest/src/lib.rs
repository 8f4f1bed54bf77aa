//! Ingest: from Kafka to the archive, nothing lost and nothing twice.
//!
//! ```text
//!   poll thread:    poll ─► append to the batch ─► seal by bytes, rows or age
//!                                                     │ bounded hand-over: 1 batch
//!   commit thread:  encode ─► put ─► read back ─► fence ─► commit ─► publish
//! ```
//!
//! - [`Worker`] is the loop; [`WorkerSettings`] bounds it
//! - [`resume`] decides, purely, where a partition goes on
//! - [`kafka`] is the only place that knows librdkafka: source, producer and the
//!   embedded test broker
//! - [`Metrics`] names every metric of ingest
//!
//! This crate does not know the index.

mod committer;
mod error;
pub mod kafka;
mod metrics;
pub mod resume;
mod worker;

pub use committer::OnCommit;
pub use error::{Error, Kind};
pub use metrics::{Metrics, Status};
pub use worker::{Stop, Worker, WorkerSettings};
