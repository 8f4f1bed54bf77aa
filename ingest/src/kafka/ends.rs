//! Asking Kafka where logs end, apart from the loop: the answer is fresh whatever the loop is doing.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::source::require_topic;
use super::{ClientErrors, KafkaSettings, client, without_value};
use crate::error::{Error, Kind};
use crate::progress::At;

/// How long an answer may take: nothing is told of any partition meanwhile.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the topics may take at the start.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(super) struct Context(Mutex<ClientErrors>);

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(&error, reason);
    }
}

impl ConsumerContext for Context {}

/// A client that is in no group.
pub(super) struct Bystander {
    pub(super) consumer: BaseConsumer<Context>,
    brokers: String,
    /// The last question was not answered: whoever led the partitions may not lead them any more.
    unanswered: bool,
}

impl Bystander {
    /// For it a log ends where `isolation` says.
    pub(super) fn connect(settings: &KafkaSettings, isolation: &str) -> Result<Self, Error> {
        let mut config = client(&settings.brokers, &settings.properties);
        // It is named, never joined: what a worker may read, this may.
        config.set("group.id", &settings.group);
        config.set("enable.auto.commit", "false");
        config.set("allow.auto.create.topics", "false");
        config.set("isolation.level", isolation);
        config.set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "earliest");
        // One message of each partition is wanted.
        config.set("queued.min.messages", "1");
        config.set("fetch.message.max.bytes", "65536");
        config.set("fetch.wait.max.ms", "100");
        let consumer = config.create_with_context(Context::default()).map_err(|e| {
            Error::new(Kind::Invalid, format!("cannot set up a Kafka client: {}", without_value(&e)))
        })?;
        Ok(Bystander { consumer, brokers: settings.brokers.clone(), unanswered: false })
    }

    fn explain(&self, error: &KafkaError) -> Error {
        // Errors of the connection arrive through the event queue.
        let _ = self.consumer.poll(Duration::ZERO);
        let errors = self.consumer.context().0.lock().unwrap_or_else(PoisonError::into_inner);
        errors.explain(&self.brokers, error)
    }

    /// Where these logs end now: all of them, or an error. One request to each broker that leads
    /// some of them.
    pub(super) fn ends(&mut self, at: &[At]) -> Result<Vec<At>, Error> {
        if self.unanswered {
            self.find_leaders(at);
        }
        let answer = self.consumer.offsets_for_times(list(at, |_| Offset::End)?, ANSWER);
        self.unanswered = answer.is_err();
        let answer = answer.map_err(|e| self.explain(&e))?;
        let told = answer.elements().into_iter().filter_map(|one| match (one.error(), one.offset()) {
            (Ok(()), Offset::Offset(end)) => Some((one.topic().to_owned(), one.partition(), end)),
            _ => None,
        });
        Ok(told.collect())
    }

    /// The client keeps the leaders that it knew, also when their broker is gone.
    fn find_leaders(&self, at: &[At]) {
        for topic in at.iter().map(|at| at.0.as_str()).collect::<BTreeSet<_>>() {
            if let Err(error) = self.consumer.fetch_metadata(Some(topic), ANSWER) {
                tracing::debug!(%error, topic, "kafka metadata");
                return;
            }
        }
    }
}

pub(super) fn list(at: &[At], offset: impl Fn(&At) -> Offset) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(at.len());
    for one in at {
        list.add_partition_offset(&one.0, one.1, offset(one))
            .map_err(|e| Error::new(Kind::Invalid, format!("{} {}: offset {}: {e}", one.0, one.1, one.2)))?;
    }
    Ok(list)
}

/// Asks where logs end.
pub(crate) struct Ends(Bystander);

impl Ends {
    /// The end is that of the log, with what belongs to transactions that are not over: an event
    /// behind one that hangs cannot be read, and must not look archived.
    pub(crate) fn connect(settings: &KafkaSettings) -> Result<Self, Error> {
        Ok(Ends(Bystander::connect(settings, "read_uncommitted")?))
    }

    /// Fails when a topic does not exist; it is never made by asking.
    pub(crate) fn require(&self, topic: &str) -> Result<(), Error> {
        let metadata = self.0.consumer.fetch_metadata(Some(topic), FIRST_ANSWER);
        let metadata = metadata.map_err(|e| self.0.explain(&e))?;
        require_topic(&metadata, topic, &self.0.brokers).map(|_| ())
    }

    /// Where these logs end now: all of them, or an error.
    pub(crate) fn ask(&mut self, at: &[At]) -> Result<Vec<At>, Error> {
        // What the client has to say must not pile up.
        let _ = self.0.consumer.poll(Duration::ZERO);
        if at.is_empty() { Ok(Vec::new()) } else { self.0.ends(at) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::thread;
    use std::time::Instant;

    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::Producer;

    pub(crate) fn settings(brokers: String) -> KafkaSettings {
        KafkaSettings {
            brokers,
            topics: vec!["t".into()],
            group: "g".into(),
            queue_bytes_max: 1 << 20,
            properties: BTreeMap::new(),
        }
    }

    pub(crate) fn publish(brokers: &str, events: usize) {
        let producer = Producer::connect(brokers, "t", &BTreeMap::new()).unwrap();
        (0..events).for_each(|n| producer.send(format!("k{n}").as_bytes(), b"{}").unwrap());
        producer.flush().unwrap();
    }

    pub(crate) fn patiently<T>(mut f: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(done) = f() {
                return done;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "not in a minute");
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn ends_are_told_by_whoever_leads() {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic("t", 4, 2).unwrap();
        (0..4).for_each(|n| cluster.partition_leader("t", n, Some(1)).unwrap());
        publish(&cluster.bootstrap_servers(), 30);
        let mut ends = Ends::connect(&settings(cluster.bootstrap_servers())).unwrap();
        let at: Vec<At> = (0..4).map(|n| ("t".to_owned(), n, 0)).collect();
        let told = ends.ask(&at).unwrap();
        assert_eq!((told.len(), told.iter().map(|at| at.2).sum::<i64>()), (4, 30));
        assert_eq!(ends.ask(&[]).unwrap(), []);

        cluster.broker_down(1).unwrap();
        ends.ask(&at).unwrap_err();
        (0..4).for_each(|n| cluster.partition_leader("t", n, Some(2)).unwrap());
        assert_eq!(patiently(|| ends.ask(&at).ok()), told);
        let missing = ends.require("missing").unwrap_err();
        assert_eq!(missing.kind, Kind::Invalid);
        ends.require("t").unwrap();
    }
}
