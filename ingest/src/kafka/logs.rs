//! What Kafka has, asked without consuming it as a member of any group.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::source::{ANSWER, require_topic};
use super::{KafkaSettings, client, without_value};
use crate::error::{Error, Kind};

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

/// Asks Kafka what it has.
pub struct Logs {
    consumer: BaseConsumer,
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
        let consumer: BaseConsumer = config.create().map_err(|e| {
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

    /// The first offset from `from` on that holds a message for a consumer. `None` when there is none
    /// in the whole log: the offsets until its end hold transaction markers, or what compaction has left.
    ///
    /// # Errors
    ///
    /// `Unavailable` when Kafka does not answer in time.
    pub fn first_message(&self, topic: &str, partition: i32, from: i64) -> Result<Option<i64>, Error> {
        let what = format!("for messages of {topic} {partition} from {from}");
        let mut list = TopicPartitionList::with_capacity(1);
        // One partition at a time: the end of a partition is told without its topic.
        let assigned = list
            .add_partition_offset(topic, partition, Offset::Offset(from))
            .and_then(|()| self.consumer.assign(&list));
        assigned.map_err(|e| self.failed(&what, &e))?;
        let found = self.look(partition, from);
        // Nothing is fetched ahead for nobody.
        if let Err(error) = self.consumer.unassign() {
            tracing::debug!(%error, "kafka unassign");
        }
        found.map_err(|e| self.failed(&what, &e))
    }

    fn look(&self, partition: i32, from: i64) -> Result<Option<i64>, KafkaError> {
        let until = Instant::now() + LOOK;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) if message.partition() == partition && message.offset() >= from => {
                    return Ok(Some(message.offset()));
                }
                Some(Err(KafkaError::PartitionEOF(at))) if at == partition => return Ok(None),
                Some(Err(error)) if is_final(&error) => return Err(error),
                _ if Instant::now() > until => {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                }
                _ => {}
            }
        }
    }
}

fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Fatal
        )
    )
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
