//! The broker that the events come from: a real Kafka, or the embedded one in this process.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use custody_ingest::Stop;
use custody_ingest::kafka::{Embedded, KafkaSettings, LogEnds, Logs, Producer};
use serde::Serialize;

use super::events::{Events, Message};
use super::folder::settings;
use super::{go_on, say};
use crate::args::BenchArgs;
use crate::failure::{Done, Failure};

const TOPIC: &str = "custody-bench";
/// Nobody joins it: only what the topics hold is asked.
const GROUP: &str = "custody-bench";
const PARTITIONS_MIN: i32 = 4;
/// More than the embedded broker serves well.
const PARTITIONS_MAX: i32 = 512;
/// Of what the embedded broker keeps of a partition, so much is to be used on the average: keys are
/// not spread evenly.
const SHARE: f64 = 0.25;
/// What is compressed to see how large it is in the broker.
const COMPRESSED_TO_SEE: usize = 256 << 10;
/// How often a paced producer looks at the clock.
const PACE: Duration = Duration::from_millis(5);

/// A broker with a topic of the bench's own.
pub(super) struct Broker {
    pub(super) address: String,
    pub(super) topic: String,
    pub(super) properties: BTreeMap<String, String>,
    pub(super) told: BrokerKind,
    /// Ends when dropped.
    _embedded: Option<Embedded>,
}

/// What is told of a broker.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BrokerKind {
    pub(super) kind: &'static str,
    pub(super) address: Option<String>,
    pub(super) partitions: usize,
}

/// What was published at a rate.
pub(super) struct Paced {
    pub(super) sent: u64,
    pub(super) seconds: f64,
}

impl Broker {
    /// The real one that was asked for, with an empty topic; `None` when none was.
    pub(super) fn kafka(args: &BenchArgs) -> Result<Option<Broker>, Failure> {
        let (Some(address), Some(topic)) = (&args.brokers, &args.topic) else { return Ok(None) };
        let mut flags = vec![("kafka.brokers", address.as_str()), ("kafka.topics", topic.as_str())];
        flags.extend(args.properties.iter().map(|property| ("kafka.properties", property.as_str())));
        let kafka = settings(&flags)?.settings.kafka;
        let told = BrokerKind { kind: "kafka", address: Some(address.clone()), partitions: 0 };
        let mut broker = Broker {
            address: kafka.brokers,
            topic: topic.clone(),
            properties: kafka.properties,
            told,
            _embedded: None,
        };
        // Connecting says more of a broker that does not answer than asking for offsets does.
        broker.producer()?;
        let ends = broker.ends()?;
        let held: i64 = ends.iter().map(|ends| ends.end).sum();
        if held > 0 {
            return Err(Failure::usage(format!(
                "--topic: {topic:?} at {address} had {held} messages already: the bench needs a topic that \
                 nothing was published to yet; make a new one"
            )));
        }
        broker.told.partitions = ends.len();
        Ok(Some(broker))
    }

    /// The broker in this process, with so many partitions.
    fn embedded(partitions: i32) -> Result<Broker, Failure> {
        let embedded = Embedded::start(TOPIC, partitions)?;
        Ok(Broker {
            address: embedded.brokers(),
            topic: TOPIC.to_owned(),
            properties: BTreeMap::new(),
            told: BrokerKind {
                kind: "embedded",
                address: None,
                partitions: usize::try_from(partitions).unwrap_or_default(),
            },
            _embedded: Some(embedded),
        })
    }

    /// The embedded broker with all of these events in it. It silently drops what it cannot keep, so
    /// what it kept is looked at, and where that is not everything there are more partitions.
    pub(super) fn filled(
        sample: &[Message],
        count: u64,
        made: impl Fn() -> Events,
    ) -> Result<(Broker, Events), Failure> {
        let mut partitions = partitions(sample, count)?;
        loop {
            let (broker, mut events) = (Broker::embedded(partitions)?, made());
            broker.publish(&mut events, count)?;
            let (kept, all) = broker.kept()?;
            if kept == all && all == count {
                return Ok((broker, events));
            }
            if partitions >= PARTITIONS_MAX {
                return Err(Failure::failed(format!(
                    "the embedded broker keeps {kept} of {count} events in {partitions} partitions: measure \
                     fewer with --events, or use a real Kafka with --brokers and --topic"
                )));
            }
            partitions = (partitions * 2).min(PARTITIONS_MAX);
            say(&format!(
                "the embedded broker kept {kept} of {count} events: again, with {partitions} partitions"
            ));
        }
    }

    pub(super) fn producer(&self) -> Result<Producer, Failure> {
        Ok(Producer::connect(&self.address, &self.topic, &self.properties)?)
    }

    /// Publishes so many events as fast as they are taken.
    pub(super) fn publish(&self, events: &mut Events, count: u64) -> Done {
        let producer = self.producer()?;
        for message in events.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let message = message?;
            producer.send(message.key.as_bytes(), &message.payload)?;
        }
        flushed(&producer, count)
    }

    /// Publishes so many a second for so long, or as many as can be.
    pub(super) fn publish_paced(
        &self,
        events: &mut Events,
        rate: u64,
        at_most: Duration,
        stop: &Stop,
    ) -> Result<Paced, Failure> {
        let producer = self.producer()?;
        let (started, mut sent) = (Instant::now(), 0);
        while started.elapsed() < at_most {
            go_on(stop)?;
            let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
            let missing = usize::try_from(due.saturating_sub(sent)).unwrap_or(usize::MAX);
            for message in events.by_ref().take(missing) {
                let message = message?;
                producer.send(message.key.as_bytes(), &message.payload)?;
                sent += 1;
                if started.elapsed() >= at_most {
                    break;
                }
            }
            thread::sleep(PACE);
        }
        let seconds = started.elapsed().as_secs_f64();
        flushed(&producer, sent)?;
        Ok(Paced { sent, seconds })
    }

    fn ends(&self) -> Result<Vec<LogEnds>, Failure> {
        let settings = KafkaSettings {
            brokers: self.address.clone(),
            topics: vec![self.topic.clone()],
            group: GROUP.to_owned(),
            queue_bytes_max: 1 << 20,
            properties: self.properties.clone(),
        };
        Ok(Logs::connect(&settings)?.ends(&self.topic)?)
    }

    /// How many messages the topic has, and how many it ever had.
    fn kept(&self) -> Result<(u64, u64), Failure> {
        let ends = self.ends()?;
        let sum =
            |of: fn(&LogEnds) -> i64| u64::try_from(ends.iter().map(of).sum::<i64>()).unwrap_or_default();
        Ok((sum(|ends| ends.end - ends.low), sum(|ends| ends.end)))
    }
}

fn flushed(producer: &Producer, sent: u64) -> Done {
    producer.flush()?;
    let acknowledged = producer.acknowledged();
    if acknowledged == sent {
        return Ok(());
    }
    Err(Failure::failed(format!("Kafka acknowledged {acknowledged} of {sent} events")))
}

/// How many partitions so many events need in the embedded broker, which has them compressed.
fn partitions(sample: &[Message], count: u64) -> Result<i32, Failure> {
    let mut raw = Vec::with_capacity(2 * COMPRESSED_TO_SEE);
    let mut messages = 0_u64;
    for message in sample {
        raw.extend_from_slice(message.key.as_bytes());
        raw.extend_from_slice(&message.payload);
        messages += 1;
        if raw.len() >= COMPRESSED_TO_SEE {
            break;
        }
    }
    let compressed = zstd::bulk::compress(&raw, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(Failure::failed)?;
    let bytes = compressed.len() as f64 / messages.max(1) as f64 * count as f64;
    let needed = (bytes / (Embedded::PARTITION_BYTES_MAX as f64 * SHARE)).ceil() as i32;
    Ok(needed.clamp(PARTITIONS_MIN, PARTITIONS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Events {
        Events::new(1, 1, Events::first_day())
    }

    #[test]
    fn what_is_kept_is_counted() {
        let sample = made().collect_next(1_000).unwrap();
        let (broker, mut events) = Broker::filled(&sample, 1_000, made).unwrap();
        assert_eq!((broker.kept().unwrap(), broker.told.partitions), ((1_000, 1_000), 4));
        let paced = broker.publish_paced(&mut events, 1_000, Duration::from_millis(300), &Stop::default());
        let paced = paced.unwrap();
        assert!(paced.sent > 0 && paced.sent <= 400, "{}", paced.sent);
        assert_eq!(broker.kept().unwrap().0, 1_000 + paced.sent);
    }

    #[test]
    fn as_many_partitions_as_are_needed() {
        let sample = made().collect_next(1_000).unwrap();
        let of = |count| partitions(&sample, count).unwrap();
        assert_eq!((of(1_000), of(u64::MAX)), (PARTITIONS_MIN, PARTITIONS_MAX));
        assert!(of(1_000_000) > PARTITIONS_MIN, "{}", of(1_000_000));
    }
}
