//! Files that do not give back the records that were sealed, under the whole worker: source, loop,
//! commits and archive. What makes them is a root of other records, put into a sealed batch on its
//! way to the commits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use custody_archive::{
    Archive, BatchBuilder, Encoded, Location, Report, S3Settings, SystemClock, Writer, WriterSettings,
};
use custody_schemas::{Hash, Position, TopicId};
use prometheus_client::registry::Registry;

use super::*;
use crate::commits::Inline;
use crate::kafka::Headers;
use crate::source::Damage;

/// Two topics of one partition and three events each.
const TOPICS: [&str; 2] = ["t", "u"];
const END: i64 = 3;

fn payload(topic: &str, offset: i64) -> Vec<u8> {
    format!(
        r#"{{"specversion":"1.0","id":"{topic}{offset}","source":"//gw","type":"federation.im.message.sent.v1","tenant":"contoso.example"}}"#
    )
    .into_bytes()
}

struct Event(&'static str, i64, Vec<u8>);

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
        Some(9)
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn payload(&self) -> Option<&[u8]> {
        Some(&self.2)
    }

    fn headers(&self) -> Headers<'_> {
        Headers::new()
    }
}

struct Kafka {
    moved: Mutex<VecDeque<Polled<Event>>>,
    read: Mutex<BTreeMap<&'static str, i64>>,
}

impl Source for Kafka {
    type Message<'a> = Event;

    fn poll(&self, _wait: Duration) -> Result<Polled<Event>, Error> {
        if let Some(moved) = self.moved.lock().unwrap().pop_front() {
            return Ok(moved);
        }
        let mut read = self.read.lock().unwrap();
        let Some((topic, next)) = read.iter_mut().find(|(_, next)| **next < END) else {
            return Ok(Polled::Nothing);
        };
        *next += 1;
        Ok(Polled::Message(Event(topic, *next - 1, payload(topic, *next - 1))))
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, Error> {
        Ok(Some(TopicId::from(topic)))
    }

    fn watermarks(&self, _topic: &str, _partition: i32) -> Result<(i64, i64), Error> {
        Ok((0, END))
    }

    fn damage(&self, _topic: &str, _partition: i32, _offset: i64) -> Result<Option<Damage>, Error> {
        Ok(None)
    }

    fn read_from(&self, offsets: &[(String, i32, i64)]) -> Result<(), Error> {
        let from = |topic: &str| offsets.iter().find(|(of, ..)| of == topic).map(|(_, _, next)| *next);
        *self.read.lock().unwrap() =
            TOPICS.into_iter().filter_map(|topic| Some((topic, from(topic)?))).collect();
        Ok(())
    }

    fn pause(&self, _pause: bool) {}

    fn tell_offsets(&self, _offsets: &[(String, i32, i64)]) {}
}

type Commit = Box<dyn FnMut(Sealed) -> Outcome>;

struct World {
    dir: tempfile::TempDir,
    worker: Loop<Kafka, Inline<Commit>>,
}

fn writer(dir: &std::path::Path) -> Writer {
    let location = Location::Folder(dir.to_owned());
    Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap()
}

impl World {
    /// A worker whose batches have three events; of those that are sealed, the first `spoiled` do not
    /// give back their records.
    fn new(spoiled: usize) -> World {
        let dir = tempfile::tempdir().unwrap();
        let both = TOPICS.map(|topic| (topic.to_owned(), 0)).to_vec();
        let source = Kafka { moved: Mutex::new([Polled::Assigned(both)].into()), read: Mutex::default() };
        let settings = WorkerSettings {
            batch_bytes_max: 1 << 20,
            batch_rows_max: 3,
            batch_age_max: Duration::from_secs(3_600),
            retry_age_max: Duration::from_secs(10),
            retention_class: "default".to_owned(),
        };
        let metrics = Arc::new(Metrics::new(&mut Registry::default()));
        let clock = Arc::new(SystemClock::default());
        let retry = settings.retry_age_max;
        let on_commit = Box::new(|_: &_| {});
        let committer = Committer::new(writer(dir.path()), retry, metrics.clone(), on_commit, clock.clone());
        let committer = Arc::new(committer);
        let count = AtomicU64::new(0);
        let ids: Ids = Box::new(move || format!("b{}", count.fetch_add(1, Ordering::Relaxed)));
        let parts = Parts { settings, source, committer: committer.clone(), metrics, clock, ids };
        let mut left = spoiled;
        let commit: Commit = Box::new(move |mut sealed| {
            if left > 0 {
                left -= 1;
                sealed.manifest.root = Hash::of(b"other records");
            }
            committer.archive(sealed)
        });
        World { dir, worker: Loop::new(Arc::new(parts), Inline::new(commit)) }
    }

    /// Reads until two batches wait for their commits, which are of one topic each.
    fn read(&mut self) {
        (0..4).for_each(|_| self.worker.step().unwrap());
        assert_eq!(self.worker.commits.waiting(), 2);
    }

    fn archive(&self) -> Archive {
        Archive::open(&Location::Folder(self.dir.path().to_owned()), &S3Settings::default()).unwrap()
    }

    /// What `verify` says: nothing is wrong, whatever became of the batches.
    fn check(&self) -> Report {
        let report = custody_archive::verify(&self.archive(), &mut |_| {}).unwrap();
        assert_eq!(report.problems, []);
        report
    }

    /// Every event is archived, once and byte for byte.
    fn check_complete(&self) {
        let archive = self.archive();
        assert_eq!(self.check().records, 6);
        for topic in TOPICS {
            for offset in 0..END {
                let partition = Partition { topic: topic.to_owned(), generation: 1, partition: 0 };
                let position = Position { partition, offset };
                let (file, row) = archive.locate(&position).unwrap().unwrap();
                let record = archive.fetch(&file, &[row]).unwrap().remove(0);
                assert_eq!(record.payload, Some(payload(topic, offset)), "{position}");
            }
        }
    }
}

/// Adds the three events of a topic.
fn fill(batch: &mut BatchBuilder, partition: &Partition) {
    for offset in 0..END {
        let payload = payload(&partition.topic, offset);
        let payload = Some(payload.as_slice());
        let incoming = Incoming { key: None, headers: &[], payload, broker_time_ms: Some(9) };
        batch.push(partition, offset, offset, &incoming).unwrap();
    }
}

/// Whether a file of three events of a topic has their payloads verbatim: the same records make the
/// same bytes, with the templates that were known before, so it is made anew in each way.
fn is_verbatim(file: &custody_archive::FileRef) -> bool {
    let partition = &file.manifest.parts[0].partition;
    let made = |verbatim: bool, templates_known: bool| {
        let id = file.manifest.batch.clone();
        let mut before = BatchBuilder::new("before".to_owned());
        if templates_known {
            fill(&mut before, &Partition { topic: TOPICS[0].to_owned(), ..partition.clone() });
        }
        let batch = before.following(id);
        let mut batch = if verbatim { batch.verbatim() } else { batch };
        fill(&mut batch, partition);
        batch.came_from(&partition.topic, TopicId::from(partition.topic.as_str()));
        let sealed = batch.seal("default", file.manifest.archived_ms).unwrap();
        let dir = tempfile::tempdir().unwrap();
        writer(dir.path()).archive(&Encoded::new(sealed).unwrap()).unwrap().file.sha256
    };
    let [verbatim, same, templates, known] =
        [(true, false), (true, true), (false, false), (false, true)].map(|(of, known)| made(of, known));
    assert_eq!(verbatim, same);
    assert!(verbatim != templates && templates != known);
    assert!([verbatim, templates, known].contains(&file.sha256));
    file.sha256 == verbatim
}

/// How the payloads of each batch stand in the archive, in order of version.
fn kept(world: &World) -> Vec<(String, bool)> {
    let batches = world.archive().batches().unwrap();
    let topic = |file: &custody_archive::FileRef| file.manifest.parts[0].partition.topic.clone();
    batches.iter().map(|(_, file)| (topic(file), is_verbatim(file))).collect()
}

fn of(topic: &str, verbatim: bool) -> (String, bool) {
    (topic.to_owned(), verbatim)
}

#[test]
fn without_a_fault_payloads_become_templates() {
    let mut world = World::new(0);
    world.read();
    world.worker.finish().unwrap();
    world.check_complete();
    assert_eq!(kept(&world), [of("t", false), of("u", false)]);
    assert!(world.check().unreferenced.is_empty());
}

/// The batch is read again and kept verbatim. The other one, which has nothing of its partition, was
/// sealed before, and stays as it is.
#[test]
fn what_a_file_does_not_give_back_is_read_again_and_kept_verbatim() {
    let mut world = World::new(1);
    world.read();
    assert!(world.worker.commits.commit());
    // Rejected: the file is there, and no commit names it.
    let report = world.check();
    assert_eq!((report.records, report.version, report.unreferenced.len()), (0, 0, 1));
    let rejected = report.unreferenced;
    (0..3).for_each(|_| world.worker.step().unwrap());
    world.worker.finish().unwrap();
    world.check_complete();
    assert_eq!(kept(&world), [of("u", false), of("t", true)]);
    assert_eq!(world.check().unreferenced, rejected);
}

/// Two batches were sealed before the first of them failed, and both fail: neither ends the worker.
#[test]
fn every_batch_that_was_sealed_with_templates_is_read_again() {
    for by_itself in [true, false] {
        let mut world = World::new(2);
        world.read();
        if by_itself {
            (0..2).for_each(|_| assert!(world.worker.commits.commit()));
        }
        (0..3).for_each(|_| world.worker.step().unwrap());
        world.worker.commits.commit();
        (0..3).for_each(|_| world.worker.step().unwrap());
        world.worker.finish().unwrap();
        world.check_complete();
        assert_eq!(kept(&world), [of("t", true), of("u", true)]);
        assert_eq!(world.check().unreferenced.len(), 2);
    }
}

/// Not the templates' fault: the worker ends, and nothing is lost.
#[test]
fn a_file_without_templates_that_does_not_give_back_its_records_ends_the_worker() {
    let mut world = World::new(3);
    world.read();
    let mut stepped = Ok(());
    for _ in 0..20 {
        world.worker.commits.commit();
        stepped = world.worker.step();
        if stepped.is_err() {
            break;
        }
    }
    let error = stepped.unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    assert!(error.to_string().contains("does not give back the records"), "{error}");
    let report = world.check();
    assert_eq!((report.records, report.unreferenced.len()), (0, 3));
}
