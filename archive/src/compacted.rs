//! What a file that holds several batches says of itself: in its Parquet footer and in the commit
//! that made it, so that it outlives either alone. Versioned, and read for ever.

use custody_schemas::Manifest;
use serde::{Deserialize, Serialize};

use crate::writer::month;

/// The footer key of it. A file that is one batch has `custody.manifest` instead.
pub(crate) const COMPACTED_KEY: &str = "custody.compacted";
/// The format version that this code writes.
pub(crate) const COMPACTED_VERSION: u32 = 1;

/// The batches of a compacted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compacted {
    /// Format version of this record.
    pub(crate) version: u32,
    /// In order of version; their rows follow one another in the same order.
    pub(crate) batches: Vec<Carried>,
    /// Paths of the files that it takes the place of, in the same order.
    pub(crate) replaces: Vec<String>,
}

/// One batch, carried on as it was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// The archive version that archived it.
    pub(crate) version: u64,
    /// Its first row in the file.
    pub(crate) first_row: u64,
    /// As it was sealed.
    pub(crate) manifest: Manifest,
}

impl Compacted {
    /// The record of these batches, given with the versions that archived them.
    pub(crate) fn new(batches: impl IntoIterator<Item = (u64, Manifest)>, replaces: Vec<String>) -> Self {
        let mut first_row = 0;
        let carried = batches.into_iter().map(|(version, manifest)| {
            let carried = Carried { version, first_row, manifest };
            first_row += carried.manifest.rows;
            carried
        });
        Compacted { version: COMPACTED_VERSION, batches: carried.collect(), replaces }
    }

    /// Rows of all batches together.
    pub(crate) fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.manifest.rows).fold(0, u64::saturating_add)
    }

    /// The retention class of every row; empty without batches, which is a fault.
    pub(crate) fn class(&self) -> &str {
        self.batches.first().map_or("", |batch| &batch.manifest.retention_class)
    }

    /// The month that every batch was archived in.
    pub(crate) fn month(&self) -> String {
        self.batches.first().map_or_else(String::new, |batch| month(batch.manifest.archived_ms))
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.version == 0 || self.version > COMPACTED_VERSION {
            return Some(format!("compaction record version {} is not known", self.version));
        }
        if self.batches.is_empty() || self.replaces.len() < 2 {
            return Some("it holds no batches of several files".to_owned());
        }
        let (class, month_of_all) = (self.class(), self.month());
        let mut next = 0_u64;
        for batch in &self.batches {
            let manifest = &batch.manifest;
            if let Some(fault) = manifest.fault() {
                return Some(format!("batch {}: {fault}", manifest.batch));
            }
            if manifest.retention_class != class || month(manifest.archived_ms) != month_of_all {
                return Some(format!("batch {} is of another retention class or month", manifest.batch));
            }
            if batch.first_row != next {
                return Some(format!("batch {} does not begin where the one before ends", manifest.batch));
            }
            next = next.saturating_add(manifest.rows);
        }
        let ascend = self.batches.windows(2).all(|pair| pair[0].version < pair[1].version);
        (!ascend).then(|| "its batches are not in order of version".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest form, as it was first written: it must be read for ever.
    const GOLDEN_V1: &str = r#"{"version":1,"batches":[{"version":3,"first_row":0,"manifest":{"version":1,"batch":"a","rows":2,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":5,"retention_class":"default","parts":[{"topic":"t","generation":1,"partition":0,"from":0,"to":2,"rows":2}]}},{"version":4,"first_row":2,"manifest":{"version":1,"batch":"b","rows":0,"root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","archived_ms":6,"retention_class":"default","parts":[]}}],"replaces":["x.parquet","y.parquet"]}"#;

    #[test]
    fn golden_v1() {
        let golden: Compacted = serde_json::from_str(GOLDEN_V1).unwrap();
        assert_eq!(golden.fault(), None);
        assert_eq!(serde_json::to_string(&golden).unwrap(), GOLDEN_V1);
        let batches = golden.batches.iter().map(|batch| (batch.version, batch.manifest.clone()));
        assert_eq!(Compacted::new(batches, golden.replaces.clone()), golden);
    }

    #[test]
    fn what_is_not_sound() {
        type Change = fn(&mut Compacted);
        let changes: [(&str, Change); 8] = [
            ("version 2", |c| c.version = 2),
            ("no batches", |c| c.batches.clear()),
            ("several files", |c| drop(c.replaces.pop())),
            ("retention class", |c| c.batches[1].manifest.retention_class = "other".into()),
            ("or month", |c| c.batches[1].manifest.archived_ms += 40 * 86_400_000),
            ("does not begin", |c| c.batches[1].first_row = 1),
            ("order of version", |c| c.batches[1].version = 3),
            ("add up", |c| c.batches[0].manifest.parts[0].rows = 1),
        ];
        for (expected, change) in changes {
            let mut compacted: Compacted = serde_json::from_str(GOLDEN_V1).unwrap();
            change(&mut compacted);
            let fault = compacted.fault().unwrap_or_default();
            assert!(fault.contains(expected), "{expected}: {fault}");
        }
    }
}
