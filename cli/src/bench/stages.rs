//! What an event costs in each stage, one stage at a time on one thread.
//!
//! CPU time is the process's: on a busy machine it is the steadier number, and in a stage that a library
//! gives threads of its own it is above the wall time.

use std::hint::black_box;

use custody_archive::{Archive, BatchBuilder, Encoded, S3Settings, Writer, WriterSettings, verify};
use custody_schemas::decode::decode;
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::{Hash, Partition};
use serde::Serialize;

use super::cost::Cost;
use super::events::Message;
use super::folder::{Place, settings};
use crate::failure::{Done, Failure};

/// Of several rounds the best counts: nobody else was in the way then.
const ROUNDS: usize = 3;
/// When every batch is said to be archived: the simulation's first day.
const ARCHIVED_MS: i64 = 1_369_814_400_000;

/// What a stage takes for an event.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) events_per_second: f64,
    pub(super) megabytes_per_second: f64,
    pub(super) cpu_ns_per_event: f64,
    /// Whether an event passes it on the way into archive and index; a stage that is part of
    /// another one, or comes later, is not counted.
    pub(super) in_sum: bool,
}

/// CPU time of an event in all stages that it passes, nanoseconds.
pub(super) fn sum_ns(stages: &[Stage]) -> f64 {
    stages.iter().filter(|stage| stage.in_sum).map(|stage| stage.cpu_ns_per_event).sum()
}

/// Measures every stage. The last archive and the last index stay in `place`.
pub(super) fn measure(messages: &[Message], place: &Place) -> Result<Vec<Stage>, Failure> {
    let decoding = best(|| decode_all(messages))?;
    let hashing = best(|| hash_all(messages))?;
    let mut archiving = archive_all(messages, place)?;
    for _ in 1..ROUNDS {
        let again = archive_all(messages, place)?;
        archiving = std::array::from_fn(|n| archiving[n].best(again[n]));
    }
    let [append, encode, commit] = archiving;
    let archive = place.archive()?;
    let index = best(|| index_all(messages.len(), place))?;
    let verify = best(|| verify_all(&archive, messages.len()))?;
    let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
    let events = messages.len() as f64;
    let stage = |name, cost: Cost, in_sum| {
        let seconds = cost.wall.as_secs_f64().max(1e-9);
        Stage {
            name,
            events_per_second: events / seconds,
            megabytes_per_second: bytes as f64 / seconds / 1e6,
            cpu_ns_per_event: cost.cpu.as_nanos() as f64 / events,
            in_sum,
        }
    };
    Ok(vec![
        stage("decode", decoding, false),
        stage("leaf hash", hashing, false),
        stage("append: decode, hash, template, Arrow", append, true),
        stage("encode Parquet", encode, true),
        stage("put, read back, commit", commit, true),
        stage("index", index, true),
        stage("verify", verify, false),
    ])
}

fn best(mut round: impl FnMut() -> Done) -> Result<Cost, Failure> {
    let mut best = Cost::of(&mut round)?.0;
    for _ in 1..ROUNDS {
        best = best.best(Cost::of(&mut round)?.0);
    }
    Ok(best)
}

fn decode_all(messages: &[Message]) -> Done {
    for message in messages {
        let decoded = decode(&message.incoming(message.time_ms));
        let decoded = decoded.map_err(|reason| Failure::failed(format!("quarantined: {reason}")))?;
        black_box(decoded);
    }
    Ok(())
}

fn partition() -> Partition {
    Partition { topic: "events".to_owned(), generation: 1, partition: 0 }
}

fn hash_all(messages: &[Message]) -> Done {
    let partition = partition();
    for (offset, message) in (0..).zip(messages) {
        let leaf = Leaf {
            topic: &partition.topic,
            generation: partition.generation,
            partition: partition.partition,
            offset,
            broker_time_ms: message.time_ms,
            key: Some(message.key.as_bytes()),
            payload: Some(Hash::of(&message.payload)),
        };
        black_box(leaf_hash(leaf, Message::HEADERS.iter().copied()));
    }
    Ok(())
}

/// Appending, encoding and committing take turns, as they do in the worker, in batches of the
/// size that it seals by default.
fn archive_all(messages: &[Message], place: &Place) -> Result<[Cost; 3], Failure> {
    Place::emptied(&place.archive_path())?;
    let bounds = settings(&[])?.settings.batch;
    let mut writer = Writer::open(&place.location(), &S3Settings::default(), &WriterSettings::default())?;
    let partition = partition();
    let (mut costs, mut at) = ([Cost::default(); 3], 0);
    while at < messages.len() {
        let (append, sealed) = Cost::of(|| {
            let mut batch = BatchBuilder::new(format!("00000000-0000-7000-8000-{at:012}"));
            while at < messages.len() && batch.bytes() < bounds.bytes_max && batch.rows() < bounds.rows_max {
                let offset = i64::try_from(at).map_err(Failure::failed)?;
                let message = &messages[at];
                batch.push(&partition, offset, offset, &message.incoming(message.time_ms))?;
                at += 1;
            }
            Ok(batch.seal("default", ARCHIVED_MS)?)
        })?;
        let (encode, encoded) = Cost::of(|| Ok(Encoded::new(sealed)?))?;
        let (commit, _) = Cost::of(|| Ok(writer.archive(&encoded)?))?;
        costs = [costs[0] + append, costs[1] + encode, costs[2] + commit];
    }
    Ok(costs)
}

fn index_all(events: usize, place: &Place) -> Done {
    Place::emptied(&place.index_path())?;
    let done = place.indexer()?.catch_up()?;
    if done.docs != events as u64 {
        return Err(Failure::failed(format!("{} of {events} events were indexed", done.docs)));
    }
    Ok(())
}

fn verify_all(archive: &Archive, events: usize) -> Done {
    let report = verify(archive, &mut |_| {})?;
    if !report.problems.is_empty() || report.records != events as u64 {
        let message = format!("{} records instead of {events}; {:?}", report.records, report.problems);
        return Err(Failure::unsound(message));
    }
    Ok(())
}
