//! The record of one batch: what it covers and what proves it. Written into the
//! commit and into the footer of the Parquet file; read for ever.

use serde::{Deserialize, Serialize};

use crate::{Hash, Partition, Span};

/// The format version that this code writes.
pub const MANIFEST_VERSION: u32 = 1;

/// One batch: the rows and spans that one commit archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version of this manifest.
    pub version: u32,
    /// The batch's id: a UUID.
    pub batch: String,
    /// Rows in the batch, all partitions together.
    pub rows: u64,
    /// RFC 6962 Merkle root of the rows' leaf hashes, in row order.
    pub root: Hash,
    /// When the batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: i64,
    /// Retention class of every row.
    pub retention_class: String,
    /// One entry a partition, in order of topic, generation and partition: the
    /// rows of the batch stand in the same order.
    pub parts: Vec<Part>,
}

/// What a batch holds of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which partition.
    #[serde(flatten)]
    pub partition: Partition,
    /// Offsets accounted for; the next span of the partition starts at `to`.
    #[serde(flatten)]
    pub span: Span,
    /// Rows archived from the span.
    pub rows: u64,
    /// Of these rows, how many could not be decoded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// Offsets that never held a record for a consumer: transaction markers and
    /// what log compaction removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Offsets that were gone before they could be archived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// Offsets that were lost, as a recorded fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The offsets.
    #[serde(flatten)]
    pub span: Span,
    /// Why they are missing.
    pub reason: GapReason,
    /// When it was noticed, milliseconds since 1970 UTC.
    pub noticed_ms: i64,
}

/// Why offsets are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The log began above zero when the topic was captured for the first time.
    BeforeFirstCapture,
    /// Kafka's retention deleted them before they were read: an alarm.
    DeletedByRetention,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Part {
    /// Offsets in gaps.
    pub fn lost(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.span.len()).sum()
    }

    /// Does every offset of the span have a fate?
    pub fn adds_up(&self) -> bool {
        self.rows + self.skipped + self.lost() == self.span.len() && self.quarantined <= self.rows
    }
}

impl Manifest {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<String> {
        if self.version == 0 || self.version > MANIFEST_VERSION {
            return Some(format!("manifest version {} is not known", self.version));
        }
        if let Some(part) = self.parts.iter().find(|part| !part.adds_up()) {
            return Some(format!(
                "{} {}: {} rows, {} skipped and {} lost do not add up",
                part.partition,
                part.span,
                part.rows,
                part.skipped,
                part.lost()
            ));
        }
        let rows: u64 = self.parts.iter().map(|part| part.rows).sum();
        if rows != self.rows {
            return Some(format!("{} rows, but its partitions have {rows}", self.rows));
        }
        let sorted = self.parts.windows(2).all(|pair| pair[0].partition < pair[1].partition);
        (!sorted).then(|| "its partitions are not in order".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest form, as it was first written: it must be read for ever.
    const GOLDEN_V1: &str = r#"{"version":1,"batch":"b","rows":2,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":5,"retention_class":"default","parts":[{"topic":"t","generation":1,"partition":0,"from":3,"to":9,"rows":2,"quarantined":1,"skipped":1,"gaps":[{"from":3,"to":6,"reason":"deleted_by_retention","noticed_ms":4}]}]}"#;

    #[test]
    fn golden_v1() {
        let manifest: Manifest = serde_json::from_str(GOLDEN_V1).unwrap();
        assert_eq!(manifest.fault(), None);
        assert_eq!(serde_json::to_string(&manifest).unwrap(), GOLDEN_V1);
        let mut broken = manifest.clone();
        broken.parts[0].rows = 3;
        assert!(broken.fault().is_some());
        let mut newer = manifest;
        newer.version = 2;
        assert!(newer.fault().unwrap().contains("version 2"));
    }
}
