//! Consuming: assignment, watermarks, messages, and what goes wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use custody_schemas::TopicId;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::metadata::Metadata;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, Timestamp, TopicPartitionList};

use super::headers::{Headers, headers};
use super::logs::Logs;
use super::topics::Topics;
use super::{ClientErrors, KafkaSettings, client, damage, refused, without_value};
use crate::error::{Error, Kind};
use crate::metrics::Metrics;
use crate::source::{Damage, Message, Polled, Source};

/// How long the broker may take to answer when we start.
pub(super) const ANSWER: Duration = Duration::from_secs(15);
/// How long to collect what the client says of a call that failed.
const EVENTS: Duration = Duration::from_millis(100);

/// What happened to the assignment, noted by the callback, acted on by the loop.
#[derive(Debug, Clone)]
enum Moved {
    Assigned(Vec<(String, i32)>),
    Revoked,
}

#[derive(Default)]
struct Shared {
    moved: VecDeque<Moved>,
    errors: ClientErrors,
}

struct Context {
    shared: Mutex<Shared>,
    metrics: Arc<Metrics>,
}

impl Context {
    fn with<T>(&self, f: impl FnOnce(&mut Shared) -> T) -> T {
        f(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        for (name, topic) in &statistics.topics {
            for (number, partition) in topic.partitions.iter().filter(|(number, _)| **number >= 0) {
                if partition.desired && partition.hi_offset >= 0 {
                    self.metrics.end(name, *number, partition.hi_offset);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.with(|shared| shared.errors.note(&error, reason));
    }
}

impl ConsumerContext for Context {
    /// Notes what moved. What is assigned is not taken up here: that is done by the loop, with the
    /// archive's offsets. Without those librdkafka would look for Kafka's own, and report for each
    /// partition that it has none.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, moved: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let moved = match moved {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let partitions =
                    list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
                Moved::Assigned(partitions)
            }
            other => {
                if let Err(error) = consumer.unassign() {
                    self.with(|shared| shared.errors.note(&error, "unassign"));
                }
                if other != RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS {
                    let error = KafkaError::Rebalance(other.into());
                    self.with(|shared| shared.errors.note(&error, "rebalance"));
                }
                Moved::Revoked
            }
        };
        self.with(|shared| shared.moved.push_back(moved));
    }
}

/// A message, borrowed from librdkafka.
pub struct Consumed<'a> {
    message: BorrowedMessage<'a>,
}

impl Message for Consumed<'_> {
    fn topic(&self) -> &str {
        self.message.topic()
    }

    fn partition(&self) -> i32 {
        self.message.partition()
    }

    fn offset(&self) -> i64 {
        self.message.offset()
    }

    fn key(&self) -> Option<&[u8]> {
        self.message.key()
    }

    fn payload(&self) -> Option<&[u8]> {
        self.message.payload()
    }

    fn broker_time_ms(&self) -> Option<i64> {
        match self.message.timestamp() {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => Some(ms),
        }
    }

    fn headers(&self) -> Headers<'_> {
        self.message.headers().map(headers).unwrap_or_default()
    }
}

/// A consumer of the settings' topics.
pub struct Consumer {
    consumer: BaseConsumer<Context>,
    brokers: String,
    /// Questions go through connections of their own: on those that fetch, each waits until the
    /// fetch before it has an answer, half a second when nothing comes.
    topics: Topics,
    settings: KafkaSettings,
    /// Connected when messages could not be read.
    logs: OnceLock<Logs>,
}

pub(super) fn require_topic(metadata: &Metadata, topic: &str, brokers: &str) -> Result<Vec<i32>, Error> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions: Vec<i32> =
        found.map(|t| t.partitions().iter().map(|p| p.id()).collect()).unwrap_or_default();
    if partitions.is_empty() {
        let message = format!("topic {topic:?} does not exist at {brokers}; create it or check the name");
        return Err(Error::new(Kind::Invalid, message));
    }
    Ok(partitions)
}

impl Consumer {
    /// Connects and subscribes; fails clearly when the broker does not answer,
    /// refuses the credentials or lacks a topic.
    pub(crate) fn connect(settings: &KafkaSettings, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let mut config = client(&settings.brokers, &settings.properties);
        config.set("group.id", &settings.group);
        // The archive says where to go on, never Kafka's own offsets.
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config.set("allow.auto.create.topics", "false");
        config.set("enable.partition.eof", "false");
        // The loop takes an assignment whole, never by steps.
        config.set("partition.assignment.strategy", "range");
        config.set("isolation.level", "read_committed");
        config.set("statistics.interval.ms", "1000");
        // What was altered on the wire or on the broker's disk is not what was published.
        config.set("check.crcs", "true");
        config.set("queued.max.messages.kbytes", (settings.queue_bytes_max / 1_024).max(1).to_string());
        // The queue is looked at before a fetch: what one answer brings comes on top, and it is
        // compressed. A message that is larger comes alone.
        let fetch = (settings.queue_bytes_max / 8).clamp(1 << 20, 16 << 20).to_string();
        for (name, value) in [
            ("fetch.message.max.bytes", "1048576"),
            ("fetch.max.bytes", &*fetch),
            // A worker that was killed holds its partitions for so long; polling never waits on
            // anything that takes seconds.
            ("session.timeout.ms", "10000"),
            // A topic that was made again, or got more partitions, is read when the client knows of
            // it; its own default looks every five minutes.
            ("topic.metadata.refresh.interval.ms", "5000"),
            // A full queue is soon empty again; the client's own default waits for a second.
            ("fetch.queue.backoff.ms", "10"),
        ] {
            if !settings.properties.contains_key(name) {
                config.set(name, value);
            }
        }
        let context = Context { shared: Mutex::default(), metrics };
        let consumer: BaseConsumer<Context> = config.create_with_context(context).map_err(|e| {
            Error::new(Kind::Invalid, format!("cannot set up the Kafka consumer: {}", without_value(&e)))
        })?;
        let (brokers, topics) = (settings.brokers.clone(), Topics::connect(settings)?);
        let source =
            Consumer { consumer, brokers, topics, settings: settings.clone(), logs: OnceLock::new() };
        source.check_topics(&settings.topics)?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        let subscribed = source.consumer.subscribe(&topics);
        subscribed.map_err(|e| Error::new(Kind::Invalid, format!("cannot subscribe to {topics:?}: {e}")))?;
        tracing::info!(?topics, group = settings.group, "{}", crate::metrics::WAITING);
        Ok(source)
    }

    fn check_topics(&self, topics: &[String]) -> Result<(), Error> {
        for topic in topics {
            let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER).map_err(|e| {
                // Errors of the connection arrive through the event queue.
                let _ = self.consumer.poll(EVENTS);
                self.consumer.context().with(|shared| shared.errors.explain(&self.brokers, &e))
            })?;
            require_topic(&metadata, topic, &self.brokers)?;
        }
        Ok(())
    }

    fn error(&self, error: KafkaError) -> Result<Polled<Consumed<'_>>, Error> {
        if let Some(damage) = damage(&error) {
            // It knows the offset, and not the partition.
            let said = self.consumer.context().with(|shared| shared.errors.last.take());
            tracing::warn!(said, "kafka");
            return Ok(Polled::Damaged(damage));
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                tracing::debug!(%error, "looking where to go on");
                Ok(Polled::OutOfRange)
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                tracing::warn!(%error, "kafka");
                Ok(Polled::TopicGone)
            }
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Fatal,
            ) => Err(Error::new(Kind::Invalid, format!("Kafka at {}: {error}", self.brokers))),
            _ => {
                // librdkafka reconnects and goes on by itself; lag shows it.
                tracing::warn!(%error, "kafka");
                Ok(Polled::Nothing)
            }
        }
    }
}

impl Source for Consumer {
    type Message<'a> = Consumed<'a>;

    fn poll(&self, wait: Duration) -> Result<Polled<Consumed<'_>>, Error> {
        let polled = self.consumer.poll(wait);
        let (moved, refusal) =
            self.consumer.context().with(|shared| (shared.moved.pop_front(), shared.errors.refused.take()));
        if let Some(reason) = refusal {
            return Err(refused(&self.brokers, &reason));
        }
        match moved {
            // Any message polled in the same call is read again from the offset
            // that the loop assigns.
            Some(Moved::Assigned(partitions)) => return Ok(Polled::Assigned(partitions)),
            Some(Moved::Revoked) => return Ok(Polled::Revoked),
            None => {}
        }
        match polled {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => Ok(Polled::Message(Consumed { message })),
            Some(Err(error)) => self.error(error),
        }
    }

    fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        self.topics.ends(topic, partition)
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, Error> {
        self.topics.topic_id(topic)
    }

    fn damage(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<Damage>, Error> {
        let logs = match self.logs.get() {
            Some(logs) => logs,
            None => {
                let logs = Logs::connect(&self.settings)?;
                self.logs.get_or_init(|| logs)
            }
        };
        logs.damage(topic, partition, offset)
    }

    fn read_from(&self, offsets: &[(String, i32, i64)]) -> Result<(), Error> {
        let list = offset_list(offsets)?;
        // A pause outlives the assignment: without this a partition that was paused is never
        // read again.
        if let Err(error) = self.consumer.resume(&list) {
            tracing::debug!(%error, "kafka resume");
        }
        let assigned = self.consumer.assign(&list);
        assigned.map_err(|e| {
            Error::new(Kind::Unavailable, format!("cannot read from the archive's offsets: {e}"))
        })
    }

    fn pause(&self, pause: bool) {
        let changed = self
            .consumer
            .assignment()
            .and_then(|list| if pause { self.consumer.pause(&list) } else { self.consumer.resume(&list) });
        if let Err(error) = changed {
            tracing::warn!(%error, pause, "kafka pause or resume");
        }
    }

    fn tell_offsets(&self, offsets: &[(String, i32, i64)]) {
        let told = offset_list(offsets).map(|list| self.consumer.commit(&list, CommitMode::Async));
        if let Ok(Err(error)) = told {
            tracing::debug!(%error, "kafka offset commit");
        }
    }
}

fn offset_list(offsets: &[(String, i32, i64)]) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (topic, partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|e| Error::new(Kind::Invalid, format!("{topic} {partition}: offset {offset}: {e}")))?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use prometheus_client::registry::Registry;

    use super::*;
    use crate::kafka::{Embedded, Producer};

    /// The next message's offset, and the assignment if there is a new one.
    fn next(source: &Consumer) -> i64 {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            match source.poll(Duration::from_millis(50)).unwrap() {
                Polled::Message(message) => return message.offset(),
                Polled::Assigned(partitions) => {
                    let from: Vec<_> =
                        partitions.into_iter().map(|(topic, number)| (topic, number, 0)).collect();
                    source.read_from(&from).unwrap();
                }
                _ => {}
            }
        }
        panic!("no message in 30 s");
    }

    /// A pause belongs to the partition and outlives its assignment.
    #[test]
    fn a_partition_that_was_paused_is_read_again() {
        let embedded = Embedded::start("t", 1).unwrap();
        let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
        (0..10).for_each(|_| producer.send(b"k", b"{}").unwrap());
        producer.flush().unwrap();
        let settings = KafkaSettings {
            brokers: embedded.brokers(),
            topics: vec!["t".into()],
            group: "g".into(),
            queue_bytes_max: 1 << 20,
            properties: BTreeMap::new(),
        };
        let source = Consumer::connect(&settings, Arc::new(Metrics::new(&mut Registry::default()))).unwrap();
        assert_eq!(next(&source), 0);
        source.pause(true);
        // What a fence, a gap or a rebalance ends in.
        source.read_from(&[("t".into(), 0, 4)]).unwrap();
        assert_eq!(next(&source), 4);
    }
}
