//! Publishing, for imports and the simulated gateway: every message is
//! acknowledged by all replicas or the call says that it was not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use super::{ClientErrors, client, without_value};
use crate::error::{Error, Kind};

#[derive(Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    bytes: AtomicU64,
    failed: Mutex<Option<String>>,
    errors: Mutex<ClientErrors>,
}

#[derive(Clone, Default)]
struct Context(Arc<Deliveries>);

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.errors.lock().unwrap_or_else(PoisonError::into_inner).note(&error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.0.bytes.fetch_add(message.payload_len() as u64, Ordering::Relaxed);
            }
            Err((error, _)) => {
                let mut failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// By either name that librdkafka has for it.
fn names_compression(properties: &BTreeMap<String, String>) -> bool {
    ["compression.type", "compression.codec"].iter().any(|name| properties.contains_key(*name))
}

/// Publishes to one topic.
pub struct Producer {
    topic: String,
    brokers: String,
    inner: ThreadedProducer<Context>,
    deliveries: Arc<Deliveries>,
}

impl Producer {
    /// Connects, and checks that the broker answers and the topic exists.
    pub fn connect(brokers: &str, topic: &str, properties: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut config: ClientConfig = client(brokers, properties);
        // Once each and in order, although librdkafka sends again on errors.
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        if !names_compression(properties) {
            config.set("compression.type", "zstd");
        }
        config.set("linger.ms", "20");
        config.set("message.max.bytes", "20000000");
        config.set("message.timeout.ms", "60000");
        // A mistyped name is to be named, not to become a topic where the broker would make it.
        config.set("allow.auto.create.topics", "false");
        let context = Context::default();
        let deliveries = context.0.clone();
        let inner: ThreadedProducer<Context> = config.create_with_context(context).map_err(|e| {
            Error::new(Kind::Invalid, format!("cannot set up the Kafka producer: {}", without_value(&e)))
        })?;
        let producer = Producer { topic: topic.to_owned(), brokers: brokers.to_owned(), inner, deliveries };
        producer.check_topic()?;
        Ok(producer)
    }

    fn check_topic(&self) -> Result<(), Error> {
        let metadata = self.inner.client().fetch_metadata(Some(&self.topic), Duration::from_secs(10));
        let metadata = metadata.map_err(|e| self.errors().explain(&self.brokers, &e))?;
        super::source::require_topic(&metadata, &self.topic, &self.brokers).map(|_| ())
    }

    fn errors(&self) -> ClientErrors {
        self.deliveries.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a message; waits while the queue is full.
    pub fn send(&self, key: &[u8], payload: &[u8]) -> Result<(), Error> {
        loop {
            self.fail_early()?;
            let headers = OwnedHeaders::new()
                .insert(Header { key: "content-type", value: Some("application/cloudevents+json") });
            let record = BaseRecord::to(&self.topic).key(key).payload(payload).headers(headers);
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!("cannot publish to {:?}: {error}", self.topic),
                    ));
                }
            }
        }
    }

    fn fail_early(&self) -> Result<(), Error> {
        match &*self.deliveries.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(error) => {
                let message = format!(
                    "Kafka did not take a message for {:?}: {error}; {} were acknowledged before",
                    self.topic,
                    self.acknowledged()
                );
                Err(Error::new(Kind::Unavailable, message))
            }
        }
    }

    /// Messages that the broker acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until every message is acknowledged.
    pub fn flush(&self) -> Result<(), Error> {
        let flushed = self.inner.flush(Duration::from_secs(120));
        self.fail_early()?;
        flushed.map_err(|e| {
            let detail = self.errors().last.map(|text| format!("; {text}")).unwrap_or_default();
            Error::new(
                Kind::Unavailable,
                format!("Kafka did not acknowledge everything in 2 minutes: {e}{detail}"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_says_of_compression_stands() {
        let said = |name: &str| names_compression(&[(name.to_owned(), "lz4".to_owned())].into());
        assert!(said("compression.type") && said("compression.codec"));
        assert!(!said("compression.level") && !names_compression(&BTreeMap::new()));
    }
}
