//! What is archived before anything is measured: directly, without Kafka.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use custody_archive::{BatchBuilder, Encoded, S3Settings, Writer, WriterSettings};
use custody_ingest::Stop;
use custody_schemas::Partition;

use super::cost::now_us;
use super::events::Events;
use super::folder::Place;
use super::{go_on, say};
use crate::failure::{Done, Failure};

/// Of a topic that the worker does not read.
const TOPIC: &str = "custody-bench-before";
/// Events of a commit.
const COMMIT: u64 = 100_000;
/// After so many it is told how far it is.
const TELL: u64 = 5_000_000;

/// Archives so many events, and indexes them meanwhile.
pub(super) fn grow(place: &Place, events: &mut Events, count: u64, stop: &Stop) -> Done {
    let mut writer = Writer::open(&place.location(), &S3Settings::default(), &WriterSettings::default())?;
    let archived = AtomicBool::new(false);
    thread::scope(|scope| {
        let indexing = scope.spawn(|| -> Done {
            let mut indexer = place.indexer()?;
            loop {
                // Before: what is archived until now is indexed once more.
                let last = archived.load(Ordering::Acquire);
                let done = indexer.catch_up()?;
                if last {
                    return Ok(());
                }
                if done.docs == 0 {
                    thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        });
        let done = archive(&mut writer, events, count, stop);
        archived.store(true, Ordering::Release);
        let indexed =
            indexing.join().unwrap_or_else(|_| Err(Failure::failed("the index thread ended unexpectedly")));
        done.and(indexed)
    })
}

fn archive(writer: &mut Writer, events: &mut Events, count: u64, stop: &Stop) -> Done {
    let partition = Partition { topic: TOPIC.to_owned(), generation: 1, partition: 0 };
    let mut offset = 0;
    while offset < count {
        go_on(stop)?;
        let mut batch = BatchBuilder::new(uuid::Uuid::now_v7().to_string());
        for message in events.by_ref().take(usize::try_from(COMMIT.min(count - offset)).unwrap_or(1)) {
            let message = message?;
            let at = i64::try_from(offset).map_err(Failure::failed)?;
            batch.push(&partition, at, at, &message.incoming(message.time_ms))?;
            offset += 1;
        }
        let now_ms = i64::try_from(now_us() / 1_000).unwrap_or(i64::MAX);
        writer.archive(&Encoded::new(batch.seal("default", now_ms)?)?)?;
        if offset.is_multiple_of(TELL) {
            say(&format!("{offset} of {count} events are archived"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::BenchArgs;
    use crate::bench::folder::Folder;

    #[test]
    fn everything_is_archived_and_indexed() {
        let folder = Folder::new(&BenchArgs::default()).unwrap();
        let place = folder.place("grown").unwrap();
        let mut events = Events::new(1, 1, Events::first_day());
        grow(&place, &mut events, 1_500, &Stop::default()).unwrap();
        let batches = place.archive().unwrap().batches().unwrap();
        assert_eq!(batches.iter().map(|(_, batch)| batch.manifest.rows).sum::<u64>(), 1_500);
        let all = custody_index::query::parse("type:*", &jiff::tz::TimeZone::UTC).unwrap();
        assert_eq!(place.searcher().unwrap().count(&all).unwrap().copies, 1_500);
    }
}
