//! What Kafka has, asked without consuming it as a member of any group.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::ends::Context;
use super::source::{ANSWER, require_topic};
use super::{KafkaSettings, client, damage, without_value};
use crate::error::{Error, Kind};
use crate::source::Damage;

/// How long a look for one message may take.
const LOOK: Duration = Duration::from_secs(15);

/// What a partition's log holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnds {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is still there.
    pub low: i64,
    /// The offset after the last one that a consumer may read.
    pub end: i64,
}

/// What stands at an offset, or behind it.
enum Found {
    Message(i64),
    Nothing,
    /// Something that cannot be read, not further than the first message.
    Damaged(Damage),
}

/// Asks Kafka what it has.
pub struct Logs {
    consumer: BaseConsumer<Context>,
    brokers: String,
}

impl Logs {
    /// Connects; nothing is consumed.
    ///
    /// # Errors
    ///
    /// `Invalid` when the settings are wrong.
    pub fn connect(settings: &KafkaSettings) -> Result<Logs, Error> {
        let mut config = client(&settings.brokers, &settings.properties);
        // The client wants a group's name; nobody joins it.
        config.set("group.id", &settings.group);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config.set("allow.auto.create.topics", "false");
        config.set("enable.partition.eof", "true");
        config.set("check.crcs", "true");
        let consumer = config.create_with_context(Context::default()).map_err(|e| {
            Error::new(Kind::Invalid, format!("cannot set up the Kafka client: {}", without_value(&e)))
        })?;
        Ok(Logs { consumer, brokers: settings.brokers.clone() })
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        Error::new(Kind::Unavailable, format!("cannot ask Kafka at {} {what}: {error}", self.brokers))
    }

    /// The partitions of a topic, and what their logs hold.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is no such topic, `Unavailable` when Kafka does not answer.
    pub fn ends(&self, topic: &str) -> Result<Vec<LogEnds>, Error> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ANSWER)
            .map_err(|e| self.failed(&format!("about topic {topic}"), &e))?;
        let partitions = require_topic(&metadata, topic, &self.brokers)?;
        let ends = partitions.into_iter().map(|partition| {
            let (low, end) = self
                .consumer
                .fetch_watermarks(topic, partition, ANSWER)
                .map_err(|e| self.failed(&format!("for the offsets of {topic} {partition}"), &e))?;
            Ok(LogEnds { topic: topic.to_owned(), partition, low, end })
        });
        ends.collect()
    }

    /// The first offset from `from` on that holds a message for a consumer; `from` where something cannot be
    /// read. `None` when there is none in the whole log: the offsets until its end hold transaction markers,
    /// or what compaction has left.
    ///
    /// # Errors
    ///
    /// `Unavailable` when Kafka does not answer in time.
    pub fn first_message(&self, topic: &str, partition: i32, from: i64) -> Result<Option<i64>, Error> {
        match self.look(topic, partition, from) {
            Ok(Found::Message(offset)) => Ok(Some(offset)),
            Ok(Found::Damaged(_)) => Ok(Some(from)),
            Ok(Found::Nothing) => Ok(None),
            Err(error) => Err(self.not_found(topic, partition, from, &error)),
        }
    }

    /// Why the first messages from an offset on cannot be read; `None` when they can be, or when there are none.
    ///
    /// # Errors
    ///
    /// `Unavailable` when Kafka does not answer in time.
    pub fn damage(&self, topic: &str, partition: i32, from: i64) -> Result<Option<Damage>, Error> {
        match self.look(topic, partition, from) {
            Ok(Found::Damaged(damage)) => Ok(Some(damage)),
            Ok(Found::Message(_) | Found::Nothing) => Ok(None),
            Err(error) if is_out_of_range(&error) => Ok(None),
            Err(error) => Err(self.not_found(topic, partition, from, &error)),
        }
    }

    fn not_found(&self, topic: &str, partition: i32, from: i64, error: &KafkaError) -> Error {
        self.failed(&format!("for messages of {topic} {partition} from {from}"), error)
    }

    fn look(&self, topic: &str, partition: i32, from: i64) -> Result<Found, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        // One partition at a time: an end, and what cannot be read, are told without their topic.
        list.add_partition_offset(topic, partition, Offset::Offset(from))?;
        self.consumer.assign(&list)?;
        let found = self.first(partition, from);
        // Nothing is fetched ahead for nobody.
        if let Err(error) = self.consumer.unassign() {
            tracing::debug!(%error, "kafka unassign");
        }
        found
    }

    fn first(&self, partition: i32, from: i64) -> Result<Found, KafkaError> {
        let until = Instant::now() + LOOK;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) if message.partition() == partition && message.offset() >= from => {
                    return Ok(Found::Message(message.offset()));
                }
                Some(Err(KafkaError::PartitionEOF(at))) if at == partition => return Ok(Found::Nothing),
                Some(Err(error)) => match damage(&error) {
                    Some(damage) => return Ok(Found::Damaged(damage)),
                    None if is_final(&error) => return Err(error),
                    None => {}
                },
                _ => {}
            }
            if Instant::now() > until {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
        }
    }
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

fn is_final(error: &KafkaError) -> bool {
    let refused = matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Fatal
        )
    );
    refused || is_out_of_range(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kafka::{Embedded, Producer};

    #[test]
    fn ends_and_first_messages() {
        let embedded = Embedded::start("t", 1).unwrap();
        let settings = KafkaSettings {
            brokers: embedded.brokers(),
            topics: vec!["t".into()],
            group: "g".into(),
            queue_bytes_max: 1 << 20,
            properties: BTreeMap::new(),
        };
        let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
        (0..3).for_each(|_| producer.send(b"k", b"{}").unwrap());
        producer.flush().unwrap();
        let logs = Logs::connect(&settings).unwrap();
        assert_eq!(logs.ends("t").unwrap(), [LogEnds { topic: "t".into(), partition: 0, low: 0, end: 3 }]);
        assert_eq!(logs.first_message("t", 0, 1).unwrap(), Some(1));
        // Asked twice, in any order.
        assert_eq!(logs.first_message("t", 0, 3).unwrap(), None);
        assert_eq!(logs.first_message("t", 0, 0).unwrap(), Some(0));
        assert_eq!(logs.ends("u").unwrap_err().kind, Kind::Invalid);
    }
}
