//! A worker that starts on what is archived, and how soon it makes searchable what is published then.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use custody_archive::{FileRef, at_once};
use custody_ingest::Stop;

use super::broker::Broker;
use super::cost::percentile;
use super::events::Events;
use super::folder::Place;
use super::manifests::Watcher;
use super::worker::{Seen, Worker};
use crate::failure::Failure;

/// Rows that are read at a time, at most.
const AT_A_TIME: NonZeroUsize = match NonZeroUsize::new(8_192) {
    Some(rows) => rows,
    None => NonZeroUsize::MIN,
};

/// What is published.
pub(super) struct Load {
    /// Waiting for the worker when it starts: more than one full batch.
    pub(super) backlog: u64,
    /// Events a second.
    pub(super) rate: u64,
    pub(super) at_most: Duration,
}

/// How a worker started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Start {
    /// From the start of its process until it asks Kafka for partitions, and from when it reads them until
    /// its first batch is archived.
    pub(super) seconds: f64,
    /// Between the two: Kafka makes who joins a group wait for others, 3 s by default.
    pub(super) kafka_seconds: f64,
}

/// Seconds from being published until being searchable.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Searchable {
    pub(super) events: u64,
    /// What was reached of the rate that was asked for.
    pub(super) events_per_second: f64,
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) max: Option<f64>,
}

/// What is measured of a worker that was started anew.
pub(super) struct Fresh {
    /// Events that were archived.
    pub(super) archived: u64,
    pub(super) start: Start,
    /// Or why there is no figure.
    pub(super) searchable: Result<Searchable, String>,
}

/// Starts a worker where others have archived, then publishes at a rate.
pub(super) fn measure(
    broker: &Broker,
    place: &Place,
    cpus: &[usize],
    events: &mut Events,
    load: &Load,
    stop: &Stop,
) -> Result<Fresh, Failure> {
    broker.publish(events, load.backlog)?;
    let watcher = Watcher::start(&place.index_path());
    let mut worker = Worker::start(broker, place, cpus, None, stop)?;
    worker.wait(|seen| seen.records + seen.lost >= load.backlog && seen.reading_us.is_some())?;
    worker.seen.require(load.backlog)?;
    let version = worker.seen.batches.last().map_or(0, |batch| batch.version);
    watcher.wait_for(version, stop)?;

    let paced = broker.publish_paced(events, load.rate, load.at_most, stop)?;
    let all = load.backlog + paced.sent;
    worker.wait(|seen| seen.records + seen.lost >= all)?;
    let last = worker.seen.batches.last().map_or(0, |batch| batch.version);
    watcher.wait_for(last, stop)?;
    let taken = worker.end()?;
    let start = started(taken.started_us, &taken.seen);
    let searchable = if taken.seen.lost > 0 {
        Err(format!(
            "{} of {} events were lost in the broker at {:.0} events/s: the worker was too slow; give a lower \
             --rate, or use a real Kafka",
            taken.seen.lost,
            paced.sent,
            paced.sent as f64 / paced.seconds
        ))
    } else {
        taken.seen.require(all)?;
        let times = times(place, version, last, &watcher, stop)?;
        if times.len() as u64 != paced.sent {
            return Err(Failure::failed(format!(
                "{} events were published at a rate, and {} are in the archive",
                paced.sent,
                times.len()
            )));
        }
        Ok(searchable(times, paced.seconds))
    };
    Ok(Fresh { archived: taken.seen.records, start, searchable })
}

fn started(process_us: u64, seen: &Seen) -> Start {
    let subscribed = seen.subscribed_us.unwrap_or(process_us);
    let reading = seen.reading_us.unwrap_or(subscribed);
    let first = seen.batches.first().map_or(reading, |batch| batch.at_us);
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    Start {
        seconds: seconds(process_us, subscribed) + seconds(reading, first),
        kafka_seconds: seconds(subscribed, reading),
    }
}

fn searchable(mut times: Vec<f64>, seconds: f64) -> Searchable {
    times.sort_by(f64::total_cmp);
    Searchable {
        events: times.len() as u64,
        events_per_second: times.len() as f64 / seconds.max(1e-6),
        p50: percentile(&times, 50),
        p99: percentile(&times, 99),
        max: times.last().copied(),
    }
}

/// Of every record after a version through another: seconds from the broker's time to when the index
/// was seen to have it. The records are read from the archive and proven.
fn times(
    place: &Place,
    after: u64,
    through: u64,
    watcher: &Watcher,
    stop: &Stop,
) -> Result<Vec<f64>, Failure> {
    let archive = place.archive()?;
    let batches = archive.batches()?.into_iter();
    let mut batches: Vec<(u64, FileRef)> =
        batches.filter(|(version, _)| (after + 1..=through).contains(version)).collect();
    batches.reverse();
    let batches = Mutex::new(batches);
    let next = || {
        let (version, file) = batches.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let of_batch = || -> Result<Vec<f64>, Failure> {
            super::go_on(stop)?;
            let seen_us = watcher.wait_for(version, stop)? as f64;
            let rows: Vec<u64> = (0..file.manifest.rows).collect();
            let mut times = Vec::with_capacity(rows.len());
            for unproven in archive.choose(&file, &rows, AT_A_TIME)? {
                for record in unproven?.prove()? {
                    let published_ms = record.broker_time_ms.ok_or_else(|| {
                        Failure::failed(format!("{} has no time of the broker", record.position))
                    })?;
                    times.push((seen_us - published_ms as f64 * 1e3) / 1e6);
                }
            }
            Ok(times)
        };
        Some(of_batch())
    };
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut all = Vec::new();
    at_once(threads, next, |mut times| all.append(&mut times))?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::worker::Archived;
    use super::*;

    #[test]
    fn what_kafka_takes_is_not_the_workers() {
        let seen = Seen {
            subscribed_us: Some(1_500_000),
            reading_us: Some(4_500_000),
            batches: vec![Archived { at_us: 4_750_000, version: 1, records: 1 }],
            ..Seen::default()
        };
        assert_eq!(started(1_000_000, &seen), Start { seconds: 0.75, kafka_seconds: 3.0 });
    }

    #[test]
    fn percentiles_of_all() {
        let times = (1..=100).rev().map(f64::from).collect();
        let expected = Searchable {
            events: 100,
            events_per_second: 50.0,
            p50: Some(50.0),
            p99: Some(99.0),
            max: Some(100.0),
        };
        assert_eq!(searchable(times, 2.0), expected);
    }
}
