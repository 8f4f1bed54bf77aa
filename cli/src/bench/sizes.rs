//! What an event takes on disk, and what `zstd` makes of the same events: the floor.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use custody_archive::{CompactSettings, Compactor, S3Settings, Store};
use custody_ingest::Stop;

use super::events::Message;
use super::folder::{Place, at};
use super::{go_on, manifests};
use crate::failure::{Done, Failure};

/// What zstd compresses at most: its window is smaller, so more of it changes nothing.
const SAMPLE_BYTES: usize = 16 << 20;
/// When all days are over, so that compaction leaves as few files as may be.
const LATER_MS: i64 = 4_000_000_000_000;

/// Bytes of what is live: files that compaction replaced stay for a grace, splits that were joined for
/// who still searches them, and neither counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Live {
    /// Data files of the newest version, and the whole log.
    pub(super) archive: u64,
    /// Splits of the newest manifest, and that manifest.
    pub(super) index: u64,
    pub(super) records: u64,
}

impl Live {
    pub(super) fn of(place: &Place) -> Result<Live, Failure> {
        let batches = place.archive()?.batches()?;
        let records = batches.iter().map(|(_, batch)| batch.manifest.records()).sum();
        let files: BTreeMap<&str, u64> =
            batches.iter().map(|(_, batch)| (batch.path.as_str(), batch.bytes)).collect();
        let log = bytes_in(&place.archive_path().join("_delta_log"))?;
        let (manifest, bytes) =
            manifests::newest(&place.index_path())?.ok_or_else(|| Failure::failed("there is no index"))?;
        let splits: u64 = manifest.splits.iter().map(|split| split.bytes).sum();
        Ok(Live { archive: files.values().sum::<u64>() + log, index: splits + bytes, records })
    }

    fn each(&self, bytes: u64) -> f64 {
        bytes as f64 / self.records.max(1) as f64
    }

    pub(super) fn archive_per_event(&self) -> f64 {
        self.each(self.archive)
    }

    pub(super) fn index_per_event(&self) -> f64 {
        self.each(self.index)
    }

    pub(super) fn per_event(&self) -> f64 {
        self.each(self.archive + self.index)
    }
}

/// Bytes of the files of a folder.
fn bytes_in(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(at(folder, "read"))? {
        let entry = entry.map_err(at(folder, "read"))?;
        bytes += if entry.path().is_dir() {
            bytes_in(&entry.path())?
        } else {
            entry.metadata().map_err(at(&entry.path(), "look at"))?.len()
        };
    }
    Ok(bytes)
}

/// Compacts the archive as when the month is over, and takes the index after it.
pub(super) fn compact(place: &Place, stop: &Stop) -> Done {
    let store = Arc::new(Store::open(&place.location(), &S3Settings::default())?);
    let mut compactor = Compactor::open(store, CompactSettings::default())?;
    loop {
        go_on(stop)?;
        if !compactor.step(LATER_MS)?.more {
            break;
        }
    }
    let mut indexer = place.indexer()?;
    loop {
        go_on(stop)?;
        let done = indexer.catch_up()?;
        if (done.splits, done.merged, done.relocated) == (0, 0, 0) {
            return Ok(());
        }
    }
}

/// Bytes an event that zstd makes of raw events, each with a newline after it, at a level.
pub(super) struct Floor {
    pub(super) sample_bytes: usize,
    pub(super) level_3: f64,
    pub(super) level_19: f64,
}

impl Floor {
    pub(super) fn of(messages: &[Message]) -> Result<Floor, Failure> {
        let (mut raw, mut events) = (Vec::with_capacity(SAMPLE_BYTES), 0_u64);
        for message in messages {
            if raw.len() + message.payload.len() >= SAMPLE_BYTES {
                break;
            }
            raw.extend_from_slice(&message.payload);
            raw.push(b'\n');
            events += 1;
        }
        let at_level = |level| -> Result<f64, Failure> {
            let bytes = zstd::bulk::compress(&raw, level)
                .map_err(|e| Failure::failed(format!("cannot compress the raw events: {e}")))?;
            Ok(bytes.len() as f64 / events.max(1) as f64)
        };
        Ok(Floor { sample_bytes: raw.len(), level_3: at_level(3)?, level_19: at_level(19)? })
    }
}

#[cfg(test)]
mod tests {
    use custody_archive::verify;

    use super::super::events::Events;
    use super::super::folder::Folder;
    use super::super::growth::grow;
    use super::*;
    use crate::args::BenchArgs;

    #[test]
    fn what_was_replaced_does_not_count() {
        let folder = Folder::new(&BenchArgs::default()).unwrap();
        let place = folder.place("sizes").unwrap();
        let mut events = Events::new(1, 1, Events::first_day());
        grow(&place, &mut events, 101_000, &Stop::default()).unwrap();
        let before = Live::of(&place).unwrap();
        compact(&place, &Stop::default()).unwrap();
        let after = Live::of(&place).unwrap();
        assert_eq!((before.records, after.records), (101_000, 101_000));
        let all = bytes_in(&place.archive_path()).unwrap();
        assert!(all > after.archive * 3 / 2, "{all} bytes with the replaced files, {} live", after.archive);
        assert_eq!(verify(&place.archive().unwrap(), &mut |_| {}).unwrap().problems, []);
    }

    #[test]
    fn the_floor_is_below_the_raw_events() {
        let messages = Events::new(1, 1, Events::first_day()).collect_next(2_000).unwrap();
        let floor = Floor::of(&messages).unwrap();
        let raw: usize = messages.iter().map(|message| message.payload.len() + 1).sum();
        assert_eq!(floor.sample_bytes, raw);
        assert!(
            0.0 < floor.level_19 && floor.level_19 < floor.level_3 && floor.level_3 < raw as f64 / 2_000.0
        );
    }
}
