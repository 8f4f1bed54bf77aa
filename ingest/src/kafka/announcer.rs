//! Publishing the status: it never waits, and what Kafka does not take at once is not worth
//! keeping, because the next second's says more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use super::{client, without_value};
use crate::error::{Error, Kind};
use crate::metrics::Metrics;

/// How long Kafka may take to acknowledge a status. With a broker's clock a message that arrives
/// late looks fresh: it may be later by this much, well within the 10 s after which a gateway
/// counts a worker as dead.
const DELIVERY_MS_MAX: u32 = 3_000;
/// Messages that may wait: those of thousands of partitions for the time above.
const QUEUE_MAX: u32 = 10_000;

struct Context {
    metrics: Arc<Metrics>,
    /// Why the last message was not taken.
    trouble: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka status client");
    }
}

impl Context {
    fn note(&self, error: Option<&KafkaError>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error {
            self.metrics.status_failed();
            if trouble.is_none() {
                tracing::warn!(%error, "the status cannot be published; a gateway will block its traffic");
            }
        }
        *trouble = error.map(ToString::to_string);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.note(result.as_ref().err().map(|(error, _)| error));
    }
}

/// Publishes to the status topic.
pub(crate) struct Announcer {
    topic: String,
    inner: ThreadedProducer<Context>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Announcer {
    /// The topic must exist.
    pub(crate) fn connect(
        brokers: &str,
        topic: &str,
        properties: &BTreeMap<String, String>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let mut config = client(brokers, properties);
        // In order, although librdkafka sends again on errors; a repeated one does no harm.
        config.set("max.in.flight.requests.per.connection", "1");
        config.set("acks", "all");
        config.set("linger.ms", "5");
        config.set("message.timeout.ms", DELIVERY_MS_MAX.to_string());
        config.set("queue.buffering.max.messages", QUEUE_MAX.to_string());
        // A topic that was deleted must not come back without compaction.
        config.set("allow.auto.create.topics", "false");
        let trouble = Arc::new(Mutex::default());
        let context = Context { metrics, trouble: trouble.clone() };
        let inner = config.create_with_context(context).map_err(|e| {
            Error::new(Kind::Invalid, format!("cannot set up the status producer: {}", without_value(&e)))
        })?;
        Ok(Announcer { topic: topic.to_owned(), inner, trouble })
    }

    /// Queues a message. Whether Kafka took it, [`trouble`](Self::trouble) tells.
    pub(crate) fn send(&self, key: &str, payload: &[u8]) {
        let record = BaseRecord::to(&self.topic).key(key).payload(payload);
        if let Err((error, _)) = self.inner.send(record) {
            self.inner.context().note(Some(&error));
        }
    }

    /// Why the last message was not published, if it was not.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().map(|why| format!("the status cannot be written to topic {:?}: {why}", self.topic))
    }

    /// Waits until Kafka has answered for every message, or their time is over.
    pub(crate) fn flush(&self) {
        if let Err(error) = self.inner.flush(Duration::from_millis(u64::from(DELIVERY_MS_MAX))) {
            tracing::warn!(%error, "the last status was not published");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use rdkafka::mocking::MockCluster;

    use super::*;

    /// Sends until the trouble is as expected.
    fn until(announcer: &Announcer, expected: bool) {
        let started = Instant::now();
        while announcer.trouble().is_some() != expected {
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", announcer.trouble());
            announcer.send("k", b"{}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    #[test]
    fn what_kafka_does_not_take_is_counted_and_told_until_it_does() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("s", 1, 1).unwrap();
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::new(&mut registry));
        let brokers = cluster.bootstrap_servers();
        let announcer = Announcer::connect(&brokers, "s", &BTreeMap::new(), metrics).unwrap();
        let failures = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let line = text.lines().find(|line| line.starts_with("custody_ingest_status_failures_total "));
            line.unwrap().rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        };
        announcer.send("k", b"{}");
        announcer.flush();
        assert_eq!((announcer.trouble(), failures()), (None, 0));
        cluster.broker_down(1).unwrap();
        until(&announcer, true);
        let trouble = announcer.trouble().unwrap();
        assert!(trouble.contains("cannot be written to topic \"s\""), "{trouble}");
        assert!(failures() > 0);
        cluster.broker_up(1).unwrap();
        until(&announcer, false);
    }
}
