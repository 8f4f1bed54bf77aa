//! librdkafka: the only module that knows it.

mod embedded;
mod producer;
mod source;

pub use embedded::Embedded;
pub use producer::Producer;
pub(crate) use source::{Consumed, Polled, Source};

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// How to reach Kafka.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Bootstrap servers, comma separated.
    pub brokers: String,
    /// Topics to archive.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Most bytes that librdkafka holds fetched ahead.
    pub queue_bytes_max: u64,
    /// Any other librdkafka property, passed through.
    pub properties: BTreeMap<String, String>,
}

fn client(brokers: &str, properties: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "custody");
    for (name, value) in properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", brokers);
    // Errors reach us as values; the library's own log would repeat them.
    config.set_log_level(RDKafkaLogLevel::Critical);
    config
}
