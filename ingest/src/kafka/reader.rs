//! Reading a topic as a gateway reads the status: every partition from its first message, in no
//! group.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::{client, without_value};
use crate::error::{Error, Kind};

/// How long the broker may take to name the partitions.
const ANSWER: Duration = Duration::from_secs(15);

/// A message's key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; a tombstone has none.
    pub payload: Option<Vec<u8>>,
}

/// Reads one topic.
pub struct Reader {
    consumer: BaseConsumer,
}

impl Reader {
    /// Connects, and begins with the first message of each partition.
    pub fn connect(brokers: &str, topic: &str, properties: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut config = client(brokers, properties);
        // Named because the client asks for one; never joined.
        config.set("group.id", "custody-reader");
        config.set("enable.auto.commit", "false");
        let failed =
            |e| Error::new(Kind::Unavailable, format!("cannot read topic {topic:?}: {}", without_value(&e)));
        let consumer: BaseConsumer = config.create().map_err(failed)?;
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).map_err(failed)?;
        let partitions = super::source::require_topic(&metadata, topic, brokers)?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Reader { consumer })
    }

    /// The next message; `None` when none comes in this time.
    pub fn next(&self, wait: Duration) -> Result<Option<Message>, Error> {
        let polled = self.consumer.poll(wait).transpose();
        let message = polled.map_err(|e| Error::new(Kind::Unavailable, format!("cannot read: {e}")))?;
        Ok(message.map(|message| Message {
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
        }))
    }
}
