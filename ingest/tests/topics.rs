//! Topics that are made again, deleted, or of which nobody says what they are, while they are read, and
//! partitions of which messages cannot be read.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use custody_archive::{
    Archive, Clock, Location, Opening, Report, S3Settings, Store, Writer, WriterSettings, verify,
};
use custody_ingest::kafka::Headers;
use custody_ingest::{Damage, Error, Kind, Message, Metrics, Polled, Source, Stepped, WorkerSettings};
use custody_schemas::TopicId;
use prometheus_client::registry::Registry;

/// It moves when it is told to.
#[derive(Debug, Default)]
struct Time(AtomicU64);

impl Clock for Time {
    fn now_ms(&self) -> i64 {
        1_400_000_000_000 + self.0.load(Ordering::Relaxed).cast_signed()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

/// One partition a topic.
#[derive(Default)]
struct Log {
    /// `None`: there is no such topic.
    id: Option<&'static str>,
    end: i64,
    read: Option<i64>,
    /// A message that cannot be read.
    unreadable: Option<i64>,
}

#[derive(Default)]
struct Kafka {
    logs: RefCell<BTreeMap<&'static str, Log>>,
    moved: RefCell<VecDeque<Polled<Event>>>,
    /// Nobody answers.
    silent: Cell<bool>,
    paused: Cell<bool>,
}

#[derive(Debug)]
struct Event(&'static str, i64);

impl Message for Event {
    fn topic(&self) -> &str {
        self.0
    }

    fn partition(&self) -> i32 {
        0
    }

    fn offset(&self) -> i64 {
        self.1
    }

    fn broker_time_ms(&self) -> Option<i64> {
        None
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn payload(&self) -> Option<&[u8]> {
        Some(b"{}")
    }

    fn headers(&self) -> Headers<'_> {
        Headers::new()
    }
}

impl Kafka {
    fn topic(&self, name: &'static str, id: Option<&'static str>, end: i64) {
        self.logs.borrow_mut().insert(name, Log { id, end, read: None, unreadable: None });
    }

    fn with<T>(&self, name: &str, ask: impl Fn(&str, &Log) -> T) -> Result<T, Error> {
        if self.silent.get() {
            return Err(Error::new(Kind::Unavailable, "nobody answers"));
        }
        let logs = self.logs.borrow();
        let log = logs.get(name).and_then(|log| Some((log.id?, log)));
        log.map(|(id, log)| ask(id, log)).ok_or_else(|| Error::new(Kind::Gone, "no such topic"))
    }
}

impl Source for Kafka {
    type Message<'a> = Event;

    fn poll(&self, _wait: Duration) -> Result<Polled<Event>, Error> {
        if let Some(moved) = self.moved.borrow_mut().pop_front() {
            return Ok(moved);
        }
        for (name, log) in self.logs.borrow_mut().iter_mut() {
            if let Some(next) = log.read.filter(|next| *next < log.end && !self.paused.get()) {
                log.read = Some(next + 1);
                if log.unreadable == Some(next) {
                    return Ok(Polled::Damaged(Damage::Compression));
                }
                return Ok(Polled::Message(Event(name, next)));
            }
        }
        Ok(Polled::Nothing)
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, Error> {
        self.with(topic, |id, _| (!id.is_empty()).then(|| TopicId::from(id)))
    }

    fn watermarks(&self, topic: &str, _partition: i32) -> Result<(i64, i64), Error> {
        self.with(topic, |_, log| (0, log.end))
    }

    fn damage(&self, topic: &str, _partition: i32, offset: i64) -> Result<Option<Damage>, Error> {
        self.with(topic, |_, log| (log.unreadable == Some(offset)).then_some(Damage::Compression))
    }

    fn read_from(&self, offsets: &[(String, i32, i64)]) -> Result<(), Error> {
        for (name, log) in self.logs.borrow_mut().iter_mut() {
            log.read = offsets.iter().find(|(topic, ..)| topic == name).map(|(_, _, next)| *next);
        }
        self.paused.set(false);
        Ok(())
    }

    fn pause(&self, pause: bool) {
        self.paused.set(pause);
    }

    fn tell_offsets(&self, _offsets: &[(String, i32, i64)]) {}
}

struct World {
    dir: tempfile::TempDir,
    time: Arc<Time>,
    metrics: Arc<Metrics>,
    worker: Stepped<Kafka>,
}

fn open(dir: &Path) -> Writer {
    let location = Location::Folder(dir.join("archive"));
    Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap()
}

impl World {
    /// A worker that reads `t` and `u`.
    fn new(id: Option<&'static str>) -> World {
        let dir = tempfile::tempdir().unwrap();
        let kafka = Kafka::default();
        kafka.topic("t", id, 0);
        kafka.topic("u", Some("only"), 0);
        let both = ["t", "u"].map(|topic| (topic.to_owned(), 0));
        kafka.moved.borrow_mut().push_back(Polled::Assigned(both.into()));
        let settings = WorkerSettings {
            batch_bytes_max: 1 << 20,
            batch_rows_max: 100,
            batch_age_max: Duration::from_secs(1),
            retry_age_max: Duration::from_secs(10),
            retention_class: "default".to_owned(),
        };
        let (time, metrics) = (Arc::new(Time::default()), Arc::new(Metrics::new(&mut Registry::default())));
        let count = Mutex::new(0);
        let ids = Box::new(move || {
            let mut count = count.lock().unwrap();
            *count += 1;
            format!("batch-{count}")
        });
        let store = Store::open(&Location::Folder(dir.path().join("archive")), &S3Settings::default());
        let settings_of_writer = WriterSettings::default();
        let writer = Writer::in_store(Arc::new(store.unwrap()), &settings_of_writer, time.clone()).unwrap();
        let worker =
            Stepped::new(kafka, settings, writer, metrics.clone(), Box::new(|_| {}), time.clone(), ids);
        World { dir, time, metrics, worker }
    }

    fn publish(&self, topic: &str, count: i64) {
        self.worker.source().logs.borrow_mut().get_mut(topic).unwrap().end += count;
    }

    /// Reads what is there.
    fn read(&mut self) {
        // The first step takes the assignment.
        (0..2).for_each(|_| self.worker.step().unwrap());
    }

    /// Lets time pass, so that batches are due, and commits what can be committed.
    fn pass(&mut self, seconds: u64) {
        self.time.sleep(Duration::from_secs(seconds));
        for _ in 0..3 {
            self.worker.step().unwrap();
            self.worker.commit();
        }
        self.worker.step().unwrap();
    }

    fn stopped(&self) -> Vec<String> {
        self.metrics.status().stopped.into_keys().collect()
    }

    fn check(&self) -> Report {
        let location = Location::Folder(self.dir.path().join("archive"));
        let archive = Archive::open(&location, &S3Settings::default()).unwrap();
        let report = verify(&archive, &mut |_| {}).unwrap();
        assert_eq!(report.problems, []);
        report
    }

    fn next(&self, partition: &str) -> Option<i64> {
        self.check().next_offsets.get(partition).copied()
    }
}

/// Between two batches, and grown past the end of the one before: the offsets tell nothing.
#[test]
fn what_was_read_of_a_topic_that_is_made_again_is_not_archived_as_the_old_one() {
    let mut world = World::new(Some("one"));
    world.publish("t", 3);
    world.publish("u", 1);
    world.read();
    world.pass(1);
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(3), Some(1)));

    world.publish("t", 2);
    world.publish("u", 2);
    world.read();
    // Made again; the client reads on where it was.
    world.worker.source().logs.borrow_mut().get_mut("t").unwrap().id = Some("two");
    world.publish("t", 4);
    world.read();
    world.pass(1);
    assert_eq!(world.stopped(), ["t"]);
    assert!(world.metrics.status().why_not_ready().unwrap().contains("gap accept --topic t"));
    world.pass(1);
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(3), Some(3)));

    // It is looked at again, and stays as it is; the other one goes on.
    world.publish("u", 1);
    world.pass(6);
    world.pass(1);
    assert_eq!((world.stopped(), world.next("u:1:0")), (vec!["t".to_owned()], Some(4)));

    let (who, why) = ("ann".to_owned(), "moved".to_owned());
    let opening = Opening { topic: "t".into(), ended: 1, topic_id: Some("two".into()), who, why };
    open(world.dir.path()).accept(&opening).unwrap();
    world.pass(6);
    world.pass(1);
    assert_eq!(world.stopped(), [""; 0]);
    assert_eq!((world.next("t:1:0"), world.next("t:2:0")), (Some(3), Some(9)));
}

/// What was read of it is of nothing else, and nobody will hand it out again.
#[test]
fn what_was_read_of_a_topic_that_was_deleted_is_archived() {
    let mut world = World::new(Some("one"));
    world.publish("t", 3);
    world.read();
    world.worker.source().logs.borrow_mut().get_mut("t").unwrap().id = None;
    world.pass(1);
    world.pass(1);
    assert_eq!(world.next("t:1:0"), Some(3));
    assert_eq!(world.stopped(), ["t"]);
    assert!(world.metrics.status().why_not_ready().unwrap().contains("not in Kafka any more"));
    // Under the same name there is another one later.
    world.worker.source().topic("t", Some("two"), 9);
    world.pass(6);
    let why = world.metrics.status().why_not_ready().unwrap();
    assert!(why.contains("id one") && why.contains("id two"), "{why}");
    // The group takes it away meanwhile: it is still not archived.
    world.worker.source().moved.borrow_mut().push_back(Polled::Assigned(vec![("u".into(), 0)]));
    world.publish("u", 2);
    world.pass(1);
    world.pass(1);
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(3), Some(2)));
    assert_eq!(world.stopped(), ["t"]);
}

/// A batch of which nobody says where it came from waits, and the partitions with it.
#[test]
fn a_batch_waits_for_kafka_to_say_what_it_is() {
    let mut world = World::new(Some("one"));
    world.publish("t", 3);
    world.read();
    world.worker.source().silent.set(true);
    world.pass(1);
    assert_eq!(world.next("t:1:0"), None);
    assert!(world.worker.source().paused.get());
    assert!(world.metrics.status().trouble.unwrap().contains("nobody answers"));
    world.pass(2);
    assert_eq!(world.next("t:1:0"), None);
    world.worker.source().silent.set(false);
    world.pass(2);
    assert_eq!(world.next("t:1:0"), Some(3));
    assert!(!world.worker.source().paused.get());
    assert_eq!(world.metrics.status().trouble, None);
    // One that ends meanwhile leaves it to the next start.
    world.publish("t", 1);
    world.read();
    world.worker.source().silent.set(true);
    let World { dir, worker, .. } = world;
    worker.finish().unwrap();
    let mut writer = open(dir.path());
    let partition = custody_schemas::Partition { topic: "t".into(), generation: 1, partition: 0 };
    assert_eq!(writer.next_offset(&partition).unwrap(), Some(3));
}

/// A broker that has no ids, and one that begins to have them.
#[test]
fn without_ids_the_offsets_alone_decide() {
    let mut world = World::new(Some(""));
    world.publish("t", 3);
    world.read();
    world.pass(1);
    assert_eq!(world.next("t:1:0"), Some(3));
    let state = |world: &World| open(world.dir.path()).topic("t").unwrap().unwrap();
    assert_eq!(state(&world).topic_id, None);
    world.worker.source().logs.borrow_mut().get_mut("t").unwrap().id = Some("one");
    world.publish("t", 1);
    world.read();
    world.pass(1);
    world.pass(1);
    assert_eq!((world.next("t:1:0"), state(&world).topic_id), (Some(4), Some("one".into())));
    assert_eq!(world.stopped(), [""; 0]);
}

/// The partition that has them stands still and says so, the other goes on; what came before them is archived.
#[test]
fn behind_messages_that_cannot_be_read_nothing_is_archived() {
    let mut world = World::new(Some("one"));
    world.publish("t", 5);
    world.publish("u", 5);
    world.worker.source().logs.borrow_mut().get_mut("t").unwrap().unreadable = Some(3);
    (0..20).for_each(|_| world.pass(1));
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(3), Some(5)));
    let why = world.metrics.status().why_not_ready().unwrap();
    for part in ["partition 0 of topic t", "offset 3", "cannot be decompressed", "receive.message.max.bytes"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    let standing: Vec<_> = world.metrics.status().standing.into_keys().collect();
    assert_eq!(standing, [("t".to_owned(), 0)]);
    // Its group takes it away, and gives it back.
    for share in [&["u"][..], &["t", "u"][..]] {
        let share = share.iter().map(|topic| ((*topic).to_owned(), 0)).collect();
        world.worker.source().moved.borrow_mut().extend([Polled::Revoked, Polled::Assigned(share)]);
        world.publish("u", 1);
        (0..3).for_each(|_| world.pass(1));
    }
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(3), Some(7)));
    assert!(world.metrics.status().why_not_ready().is_some());
    // The broker is mended.
    world.worker.source().logs.borrow_mut().get_mut("t").unwrap().unreadable = None;
    (0..3).for_each(|_| world.pass(31));
    assert_eq!((world.next("t:1:0"), world.next("u:1:0")), (Some(5), Some(7)));
    assert_eq!(world.metrics.status().why_not_ready(), None);
}

/// On the wire, or in memory: nothing is lost, and nobody has to do anything.
#[test]
fn what_can_be_read_the_second_time_is_archived() {
    let mut world = World::new(Some("one"));
    world.publish("t", 5);
    world.read();
    for _ in 0..2 {
        world.worker.source().moved.borrow_mut().push_back(Polled::Damaged(Damage::Checksum));
        world.publish("t", 1);
        world.pass(1);
    }
    world.pass(1);
    assert_eq!(world.next("t:1:0"), Some(7));
    assert_eq!(world.metrics.status().why_not_ready(), None);
}

#[test]
fn damage_that_is_nowhere_ends_the_worker() {
    let mut world = World::new(Some("one"));
    world.publish("t", 5);
    world.read();
    let ended = (0..30).find_map(|_| {
        world.worker.source().moved.borrow_mut().push_back(Polled::Damaged(Damage::Checksum));
        world.publish("t", 1);
        let ended = world.worker.step().err();
        world.worker.commit();
        ended
    });
    let error = ended.unwrap();
    assert!(
        error.kind == Kind::Corrupt && error.to_string().contains("not what their checksum says"),
        "{error}"
    );
    assert!(world.next("t:1:0") >= Some(5));
}
