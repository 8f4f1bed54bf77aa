//! What a worker says of a partition on the status topic, so that a gateway can block traffic that
//! is not being archived. `docs/fail-closed.md` says how it is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Partition;

/// The format version that this code writes.
pub const STATUS_VERSION: u32 = 1;

/// A gateway treats a partition as failing when its newest `archiving` is older. Ten heartbeats,
/// and longer than it takes to hand the partitions of a worker that ends to another.
pub const FRESH_MS: u64 = 10_000;

/// What a worker says of one partition: the value of a message on the status topic. A reader
/// passes over members that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionStatus {
    /// Format version: 1.
    pub version: u32,
    /// Topic, generation and partition.
    #[serde(flatten)]
    pub partition: Partition,
    /// Whether what is published is being archived.
    pub state: State,
    /// Why not, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every event below this offset is archived, or is a recorded fact with a reason.
    pub archived_through: i64,
    /// Where the broker's log ended when the worker last asked: within the last seconds, unless
    /// the reason says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// Kafka's time of the oldest event known that is not archived, milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unarchived_ms: Option<i64>,
    /// For how long the oldest event that is not archived has been in the log, in milliseconds;
    /// absent when every event below `end` is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Which worker says so: an id that is new with each start, and stands in its log.
    pub worker: String,
    /// The archive's version that holds the newest events of the partition, when this worker
    /// archived them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_version: Option<u64>,
    /// When it was written, by the worker's clock, milliseconds since 1970 UTC.
    pub written_ms: i64,
}

/// Whether what is published is being archived. A state that a reader does not know is as good as
/// `failing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is.
    Archiving,
    /// An event has been waiting for longer than the worker's `status.age_max`.
    Behind,
    /// The store or Kafka fails, or the worker ended with an error.
    Failing,
    /// The worker gave the partition back after it had archived what it had read. The next owner
    /// overwrites this.
    Stopped,
}

impl PartitionStatus {
    /// The message's key: `topic:partition`. The topic's generation is no part of it: there is
    /// one newest message for each partition that Kafka has.
    pub fn key(&self) -> String {
        format!("{}:{}", self.partition.topic, self.partition.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest forms, as they were first written: they must be read for ever.
    const GOLDEN_V1: [&str; 2] = [
        r#"{"version":1,"topic":"t","generation":1,"partition":0,"state":"archiving","archived_through":9,"end":9,"worker":"w","archive_version":3,"written_ms":5}"#,
        r#"{"version":1,"topic":"t","generation":2,"partition":7,"state":"failing","reason":"the store fails","archived_through":9,"end":12,"oldest_unarchived_ms":1,"age_ms":4,"worker":"w","written_ms":5}"#,
    ];

    #[test]
    fn golden_v1() {
        let read = |text: &str| serde_json::from_str::<PartitionStatus>(text).unwrap();
        for text in GOLDEN_V1 {
            let status = read(text);
            assert_eq!(serde_json::to_string(&status).unwrap(), text);
        }
        let status = read(GOLDEN_V1[1]);
        assert_eq!((status.key().as_str(), status.state), ("t:7", State::Failing));
        assert_eq!(
            (status.oldest_unarchived_ms, status.age_ms, status.archive_version),
            (Some(1), Some(4), None)
        );
        // A member that came later is passed over.
        assert_eq!(read(&GOLDEN_V1[1].replace("\"version\"", "\"later\":[1],\"version\"")), status);
    }
}
