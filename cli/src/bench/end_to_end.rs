//! A worker with a backlog: from Kafka until everything is archived and indexed.

use std::time::Duration;

use custody_ingest::Stop;

use super::broker::Broker;
use super::folder::Place;
use super::manifests::Watcher;
use super::worker::{Archived, Worker};
use crate::failure::Failure;

/// What a backlog took.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) events: u64,
    pub(super) commits: usize,
    pub(super) events_per_second: f64,
    /// Of the whole process, from its start to its end.
    pub(super) cpu: Duration,
    pub(super) rss_bytes_max: Option<u64>,
}

impl Whole {
    pub(super) fn cpu_ns_per_event(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.events as f64
    }
}

/// Archives and indexes all events of the topic, which has so many, in a process of its own.
pub(super) fn run(
    broker: &Broker,
    place: &Place,
    cpus: &[usize],
    events: u64,
    stop: &Stop,
) -> Result<Whole, Failure> {
    let watcher = Watcher::start(&place.index_path());
    let taken = Worker::start(broker, place, cpus, Some(events), stop)?.ended()?;
    taken.seen.require(events)?;
    let batches = &taken.seen.batches;
    let counted = counted(batches);
    let indexed_us = match counted.last() {
        Some(batch) => watcher.wait_for(batch.version, stop)?,
        None => 0,
    };
    let records: u64 = counted.iter().map(|batch| batch.records).sum();
    let reading_us = taken.seen.reading_us.unwrap_or(taken.started_us);
    let seconds = indexed_us.saturating_sub(reading_us) as f64 / 1e6;
    Ok(Whole {
        events,
        commits: batches.len(),
        events_per_second: records as f64 / seconds.max(1e-6),
        cpu: taken.cpu,
        rss_bytes_max: taken.rss_bytes_max,
    })
}

/// The batches that a rate is of. The last is not full: the worker waits until it is old enough, as it
/// does not with a backlog.
fn counted(batches: &[Archived]) -> &[Archived] {
    match batches {
        [full @ .., _] if !full.is_empty() => full,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_does_not_count_unless_it_is_the_only_one() {
        let batch = |version| Archived { at_us: 0, version, records: 1 };
        let batches = [batch(1), batch(2), batch(3)];
        let versions = |batches| counted(batches).iter().map(|batch| batch.version).collect::<Vec<_>>();
        assert_eq!((versions(&batches), versions(&batches[..1])), (vec![1, 2], vec![1]));
    }
}
