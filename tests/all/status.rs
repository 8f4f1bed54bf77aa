//! What gateways are told: read from the status topic as a gateway reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use custody_archive::{Opening, S3Settings, Writer, WriterSettings};
use custody_ingest::kafka::{Embedded, Producer, Reader, Topics};
use custody_ingest::{Error, Metrics, StatusSettings, Stop, Watch, Worker, WorkerSettings};
use custody_schemas::PartitionStatus;
use custody_schemas::status::State;
use custody_tests::{check, kafka, location, small_batches};
use prometheus_client::registry::Registry;

const TOPIC: &str = "custody.status";

fn broker(partitions: i32) -> Embedded {
    let embedded = Embedded::start("t", partitions).unwrap();
    embedded.create_topic(TOPIC, 1).unwrap();
    embedded
}

fn publish(embedded: &Embedded, events: usize) {
    let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
    (0..events).for_each(|n| producer.send(format!("k{n}").as_bytes(), b"{}").unwrap());
    producer.flush().unwrap();
}

fn settings(worker: &str) -> StatusSettings {
    StatusSettings {
        topic: Some(TOPIC.to_owned()),
        every: Duration::from_millis(100),
        age_max: Duration::from_secs(600),
        worker: worker.to_owned(),
    }
}

/// A worker and the watch over it, as `custody ingest` has them.
struct Watched {
    stop: Stop,
    metrics: Arc<Metrics>,
    thread: thread::JoinHandle<Result<(), Error>>,
}

impl Watched {
    fn start(embedded: &Embedded, dir: &Path, worker: WorkerSettings, status: StatusSettings) -> Watched {
        let (stop, metrics) = (Stop::default(), Arc::new(Metrics::new(&mut Registry::default())));
        let (kafka, location) = (kafka(&embedded.brokers(), &["t"]), location(dir));
        let thread = {
            let (stop, metrics) = (stop.clone(), metrics.clone());
            thread::spawn(move || {
                let writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default())?;
                let worker =
                    Worker::connect(&kafka, worker, writer, metrics.clone(), Box::new(|_| {}), stop)?;
                let _watch = Watch::start(&kafka, status, metrics)?;
                worker.run()
            })
        };
        Watched { stop, metrics, thread }
    }

    fn stop(self) -> Result<(), Error> {
        self.stop.stop();
        self.end()
    }

    fn end(self) -> Result<(), Error> {
        self.thread.join().unwrap()
    }

    fn trouble(&self) -> String {
        self.metrics.status().trouble.unwrap_or_default()
    }
}

/// The newest message of each partition.
struct Gateway {
    reader: Reader,
    newest: BTreeMap<String, PartitionStatus>,
}

impl Gateway {
    fn connect(embedded: &Embedded) -> Gateway {
        let reader = Reader::connect(&embedded.brokers(), TOPIC, &BTreeMap::new()).unwrap();
        Gateway { reader, newest: BTreeMap::new() }
    }

    /// Reads until what is known of every partition is as it should be.
    fn wait(&mut self, what: &str, is: impl Fn(&BTreeMap<String, PartitionStatus>) -> bool) {
        let started = Instant::now();
        while !is(&self.newest) {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:#?}", self.newest);
            if let Some(message) = self.reader.next(Duration::from_millis(100)).unwrap() {
                let status: PartitionStatus = serde_json::from_slice(&message.payload.unwrap()).unwrap();
                assert_eq!(message.key.unwrap(), status.key().into_bytes());
                self.newest.insert(status.key(), status);
            }
        }
    }

    /// Both partitions are in this state, and together archived through so many offsets.
    fn wait_for(&mut self, state: State, worker: &str, archived: i64) {
        self.wait(&format!("{worker} {state:?} {archived}"), |newest| {
            newest.len() == 2
                && newest.values().all(|one| one.state == state && one.worker == worker)
                && newest.values().map(|one| one.archived_through).sum::<i64>() == archived
        });
    }

    /// All that is known to be published is archived.
    fn assert_whole(&self) {
        for one in self.newest.values() {
            assert_eq!((one.end, one.age_ms), (Some(one.archived_through), None), "{one:?}");
            assert_eq!((&one.reason, one.oldest_unarchived_ms), (&None, None), "{one:?}");
        }
    }
}

#[test]
fn a_gateway_learns_of_a_failing_store_and_of_its_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = broker(2);
    publish(&embedded, 40);
    let patient = || WorkerSettings { retry_age_max: Duration::from_secs(600), ..small_batches() };
    let worker = Watched::start(&embedded, dir.path(), patient(), settings("first"));
    let mut gateway = Gateway::connect(&embedded);
    gateway.wait("all archived", |newest| {
        newest.len() == 2 && newest.values().map(|one| one.archived_through).sum::<i64>() == 40 && {
            newest.values().all(|one| one.state == State::Archiving && one.end == Some(one.archived_through))
        }
    });
    gateway.assert_whole();
    assert!(gateway.newest.values().any(|one| one.archive_version.is_some()));
    assert_eq!(worker.trouble(), "");

    // A file where the data folder should be, whoever runs the test.
    let (data, aside) = (dir.path().join("archive/retention_class=default"), dir.path().join("aside"));
    fs::rename(&data, &aside).unwrap();
    fs::write(&data, b"").unwrap();
    publish(&embedded, 20);
    gateway.wait_for(State::Failing, "first", 40);
    for one in gateway.newest.values() {
        assert!(one.reason.as_ref().unwrap().contains("the store fails: "), "{one:?}");
    }
    gateway.wait("what waits is told", |newest| {
        newest.values().all(|one| one.age_ms.is_some() && one.oldest_unarchived_ms.is_some())
    });
    assert!(worker.trouble().contains("the store fails: "), "{}", worker.trouble());

    fs::remove_file(&data).unwrap();
    fs::rename(&aside, &data).unwrap();
    gateway.wait_for(State::Archiving, "first", 60);
    gateway.wait("ready again", |_| worker.trouble().is_empty());
    worker.stop().unwrap();
    gateway.wait_for(State::Stopped, "first", 60);

    // The next owner overwrites.
    let worker = Watched::start(&embedded, dir.path(), patient(), settings("second"));
    gateway.wait_for(State::Archiving, "second", 60);
    gateway.assert_whole();
    worker.stop().unwrap();
    gateway.wait_for(State::Stopped, "second", 60);
    assert_eq!(check(dir.path()).records, 60);
}

/// An event that waits too long, although nothing fails: here for its batch to be full.
#[test]
fn what_waits_too_long_is_behind_until_it_is_archived() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = broker(2);
    let full =
        WorkerSettings { batch_rows_max: 50, batch_age_max: Duration::from_secs(3_600), ..small_batches() };
    let late = StatusSettings { age_max: Duration::from_millis(500), ..settings("w") };
    let worker = Watched::start(&embedded, dir.path(), full, late);
    let mut gateway = Gateway::connect(&embedded);
    gateway.wait_for(State::Archiving, "w", 0);
    publish(&embedded, 40);
    gateway.wait_for(State::Behind, "w", 0);
    // Both were read by then.
    gateway.wait("dated", |newest| newest.values().all(|one| one.oldest_unarchived_ms.is_some()));
    for one in gateway.newest.values() {
        assert!(one.age_ms > Some(500), "{one:?}");
        assert!(one.reason.as_ref().unwrap().contains("status.age_max"), "{one:?}");
    }
    gateway.wait("not ready", |_| worker.trouble().contains("is behind: an event has been waiting for "));
    publish(&embedded, 10);
    gateway.wait_for(State::Archiving, "w", 50);
    gateway.wait("ready", |_| worker.trouble().is_empty());

    // What a worker has in hand when it is stopped is archived first.
    publish(&embedded, 20);
    gateway.wait_for(State::Behind, "w", 50);
    gateway.wait("read", |newest| newest.values().all(|one| one.oldest_unarchived_ms.is_some()));
    worker.stop().unwrap();
    gateway.wait_for(State::Stopped, "w", 70);
    assert_eq!(check(dir.path()).records, 70);
}

/// What Kafka has under the name is not archived, and gateways are told so and what to do; when it was
/// accepted it is archived, and they are told that.
#[test]
fn a_topic_that_was_made_again_fails_until_it_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    {
        let embedded = broker(2);
        publish(&embedded, 40);
        let worker = Watched::start(&embedded, dir.path(), small_batches(), settings("w"));
        Gateway::connect(&embedded).wait_for(State::Archiving, "w", 40);
        worker.stop().unwrap();
    }
    // It has grown past where the archive stands.
    let embedded = broker(2);
    publish(&embedded, 90);
    let worker = Watched::start(&embedded, dir.path(), small_batches(), settings("v"));
    let mut gateway = Gateway::connect(&embedded);
    gateway.wait_for(State::Failing, "v", 40);
    for one in gateway.newest.values() {
        assert_eq!(one.partition.generation, 1);
        assert!(one.reason.as_ref().unwrap().contains("custody gap accept --topic t"), "{one:?}");
    }
    let kafka = kafka(&embedded.brokers(), &["t"]);
    let topic_id = Topics::connect(&kafka).unwrap().look("t").unwrap().unwrap().id;
    let (who, why) = ("ann".to_owned(), "the disk was lost".to_owned());
    let opening = Opening { topic: "t".into(), ended: 1, topic_id, who, why };
    let mut writer =
        Writer::open(&location(dir.path()), &S3Settings::default(), &WriterSettings::default()).unwrap();
    writer.accept(&opening).unwrap();
    gateway.wait_for(State::Archiving, "v", 90);
    gateway.assert_whole();
    assert!(gateway.newest.values().all(|one| one.partition.generation == 2));
    gateway.wait("ready", |_| worker.metrics.status().why_not_ready().is_none());
    worker.stop().unwrap();
    assert_eq!(check(dir.path()).records, 130);
}

/// A worker that gives up says so, and it stays said.
#[test]
fn a_worker_that_ends_with_an_error_leaves_it_as_the_last_word() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = broker(2);
    let worker = Watched::start(&embedded, dir.path(), small_batches(), settings("w"));
    let mut gateway = Gateway::connect(&embedded);
    gateway.wait_for(State::Archiving, "w", 0);
    fs::write(dir.path().join("archive/retention_class=default"), b"").unwrap();
    publish(&embedded, 20);
    let metrics = worker.metrics.clone();
    let error = worker.end().unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(metrics.status().trouble.as_ref(), Some(&error));
    // A gateway that starts only now.
    let mut gateway = Gateway::connect(&embedded);
    gateway.wait_for(State::Failing, "w", 0);
    while let Some(message) = gateway.reader.next(Duration::from_secs(1)).unwrap() {
        let status: PartitionStatus = serde_json::from_slice(&message.payload.unwrap()).unwrap();
        assert_eq!(status.state, State::Failing);
    }
}

#[test]
fn a_missing_status_topic_is_named_with_the_command_that_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let worker = Watched::start(&embedded, dir.path(), small_batches(), settings("w"));
    let error = worker.end().unwrap_err();
    assert_eq!(error.kind, custody_ingest::Kind::Invalid);
    let create = format!("--bootstrap-server {} --create --topic {TOPIC}", embedded.brokers());
    for word in ["status.topic: topic \"custody.status\" does not exist", &create, "cleanup.policy=compact"] {
        assert!(error.to_string().contains(word), "{error} says nothing of {word}");
    }
}

/// Without a topic `/readyz` is told all the same.
#[test]
fn a_worker_without_a_status_topic_is_watched_too() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let slow = WorkerSettings { batch_age_max: Duration::from_secs(3_600), ..small_batches() };
    let late = StatusSettings { topic: None, age_max: Duration::from_millis(500), ..settings("w") };
    let worker = Watched::start(&embedded, dir.path(), slow, late);
    publish(&embedded, 1);
    let started = Instant::now();
    while !worker.trouble().contains("topic t, partition 0 is behind") {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", worker.trouble());
        thread::sleep(Duration::from_millis(10));
    }
    worker.stop().unwrap();
    check(dir.path());
}
