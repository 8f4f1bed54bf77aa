//! A Kafka broker in the process: librdkafka's own test cluster. For the demo
//! and the tests only: it keeps everything in memory and silently drops what
//! exceeds about 5 MB a partition.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::error::{Error, Kind};

/// A running test cluster; ends when dropped.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Embedded {
    /// What the cluster keeps of a partition, in bytes: pace producers below it.
    pub const PARTITION_BYTES_MAX: u64 = 5_000_000;

    /// Starts one broker with this topic.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, Error> {
        let failed = |e: rdkafka::error::KafkaError| {
            Error::new(Kind::Unavailable, format!("cannot start the embedded Kafka broker: {e}"))
        };
        let cluster = MockCluster::new(1).map_err(failed)?;
        let embedded = Embedded { cluster };
        embedded.create_topic(topic, partitions)?;
        Ok(embedded)
    }

    /// Makes a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), Error> {
        self.cluster
            .create_topic(topic, partitions, 1)
            .map_err(|e| Error::new(Kind::Invalid, format!("cannot make topic {topic:?}: {e}")))
    }

    /// Its address.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
