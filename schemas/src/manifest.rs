//! The record of one batch: what it covers and what proves it. Written into the
//! commit and into the footer of the Parquet file; read for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Hash, Partition, Span, TopicId};

/// The format version that this code writes.
pub const MANIFEST_VERSION: u32 = 1;

/// One batch: the rows and spans that one commit archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version of this manifest.
    pub version: u32,
    /// The batch's id: a UUID.
    pub batch: String,
    /// Rows in the batch, all partitions together: its records, and one a gap.
    pub rows: u64,
    /// RFC 6962 Merkle root of the rows' leaf hashes, in row order.
    pub root: Hash,
    /// When the batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: i64,
    /// Retention class of every row.
    pub retention_class: String,
    /// Kafka's ids of the topics, asked after the last message was read: everything in the batch
    /// came from these lives of them. Brokers before 2.8 have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, TopicId>,
    /// One entry a partition, in order of topic, generation and partition: the
    /// rows of the batch stand in the same order.
    pub parts: Vec<Part>,
}

/// What a batch holds of one partition. Every offset of the span has a fate: it has a record, or
/// was skipped, or was lost. A gap has a row at its first offset, which is one of the lost ones:
/// `rows - gaps.len() + skipped + lost == span.len()`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which partition.
    #[serde(flatten)]
    pub partition: Partition,
    /// Offsets accounted for; the next span of the partition starts at `to`.
    #[serde(flatten)]
    pub span: Span,
    /// Rows of the span in the file: records, and one a gap.
    pub rows: u64,
    /// Of the records, how many could not be decoded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// Offsets that never held a record for a consumer: transaction markers and
    /// what log compaction removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Offsets that were gone before they could be archived, ascending.
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

impl GapReason {
    /// The word in manifests and in the archive's `reason` column.
    pub const fn word(self) -> &'static str {
        match self {
            GapReason::BeforeFirstCapture => "before_first_capture",
            GapReason::DeletedByRetention => "deleted_by_retention",
        }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Part {
    /// Offsets in gaps.
    pub fn lost(&self) -> u64 {
        self.gaps.iter().fold(0, |sum, gap| gap.span.len().saturating_add(sum))
    }

    /// Messages archived: the rows but for those of gaps.
    pub fn records(&self) -> u64 {
        self.rows.saturating_sub(self.gaps.len() as u64)
    }

    /// The gap that covers this offset.
    pub fn gap_at(&self, offset: i64) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.span.contains(offset))
    }

    /// Does every offset of the span have a fate?
    pub fn adds_up(&self) -> bool {
        let fates = self.records().checked_add(self.skipped).and_then(|sum| sum.checked_add(self.lost()));
        self.rows >= self.gaps.len() as u64
            && fates == Some(self.span.len())
            && self.quarantined <= self.records()
    }

    /// Do the gaps follow each other inside of the span, and does each cover something?
    fn gaps_follow(&self) -> bool {
        let mut next = self.span.from;
        self.gaps.iter().all(|gap| {
            let follows = next <= gap.span.from && !gap.span.is_empty();
            next = gap.span.to;
            follows
        }) && next <= self.span.to
    }
}

impl Manifest {
    /// Messages archived: the rows but for those of gaps.
    pub fn records(&self) -> u64 {
        self.parts.iter().map(Part::records).sum()
    }

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
        if let Some(part) = self.parts.iter().find(|part| !part.gaps_follow()) {
            return Some(format!("{} {}: its gaps do not follow each other", part.partition, part.span));
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
    const GOLDEN_V1: &str = r#"{"version":1,"batch":"b","rows":3,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":5,"retention_class":"default","topics":{"t":"lZ2wQy0ASRKqWl5Yz3FbVg"},"parts":[{"topic":"t","generation":1,"partition":0,"from":3,"to":9,"rows":3,"quarantined":1,"skipped":1,"gaps":[{"from":3,"to":6,"reason":"deleted_by_retention","noticed_ms":4}]}]}"#;

    #[test]
    fn golden_v1() {
        let manifest: Manifest = serde_json::from_str(GOLDEN_V1).unwrap();
        assert_eq!(manifest.fault(), None);
        assert_eq!(serde_json::to_string(&manifest).unwrap(), GOLDEN_V1);
        let mut broken = manifest.clone();
        broken.parts[0].rows = 4;
        assert!(broken.fault().unwrap().contains("add up"));
        for span in [Span { from: 2, to: 5 }, Span { from: 7, to: 10 }] {
            broken.clone_from(&manifest);
            broken.parts[0].gaps[0].span = span;
            assert!(broken.fault().unwrap().contains("gaps"), "{span}");
        }
        let mut newer = manifest;
        newer.version = 2;
        assert!(newer.fault().unwrap().contains("version 2"));
    }
}
