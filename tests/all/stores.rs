//! One suite for every store: a folder, the world's, and a real S3 server, which
//! `tests/s3/tests.sh` starts and names in `CUSTODY_TEST_S3`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use custody_archive::{
    Archive, BatchBuilder, Clock, CompactSettings, Compactor, Encoded, Location, S3Settings, Store,
    SystemClock, Writer, WriterSettings, verify,
};
use custody_index::people::{PeopleStore, Register, Source, read_csv};
use custody_index::query::parse;
use custody_index::{IndexStore, Indexer, Searcher, Settings, verify_index};
use custody_ingest::kafka::{Embedded, Producer};
use custody_ingest::{Metrics, Stop, Worker};
use custody_schemas::{Incoming, Partition};
use custody_tests::world::disk::Disk;
use custody_tests::world::store::{Backing, FAULTS, Fault, FaultyStore};
use custody_tests::world::{Settings as WorldSettings, World};
use custody_tests::{kafka, small_batches};
use jiff::tz::TimeZone;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use prometheus_client::registry::Registry;

use crate::world::{EVENTS, Whose, faults_of, history};

/// The server, and a prefix that nobody else uses.
struct S3 {
    endpoint: String,
    bucket: String,
    prefix: String,
}

/// `None`, with a line, where no server is there.
fn s3() -> Option<S3> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let Ok(endpoint) = std::env::var("CUSTODY_TEST_S3") else {
        println!("skipped: no S3 server is there; tests/s3/tests.sh starts one");
        return None;
    };
    let bucket = std::env::var("CUSTODY_TEST_S3_BUCKET").unwrap_or_else(|_| "custody".into());
    let number = NUMBER.fetch_add(1, Ordering::AcqRel);
    let prefix = format!("t{}-{}-{number}", std::process::id(), SystemClock::default().now_ms());
    Some(S3 { endpoint, bucket, prefix })
}

impl S3 {
    fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".into()),
            allow_http: true,
            ..S3Settings::default()
        }
    }

    fn location(&self, folder: &str) -> Location {
        Location::S3 { bucket: self.bucket.clone(), prefix: format!("{}/{folder}", self.prefix) }
    }

    fn store(&self, folder: &str) -> Arc<Store> {
        Arc::new(Store::open(&self.location(folder), &self.settings()).unwrap())
    }
}

/// What the archive and the index rely on, and nothing else.
fn conformance(store: &Store) {
    assert_eq!(store.list("").unwrap(), Vec::<String>::new());
    assert_eq!((store.get("a/b").unwrap(), store.size("a/b").unwrap()), (None, None));
    store.remove("a/b").unwrap();
    assert!(store.put_new("a/b", &b"one"[..]).unwrap());
    assert!(!store.put_new("a/b", &b"two"[..]).unwrap());
    assert_eq!(store.get("a/b").unwrap().unwrap(), "one");
    store.put("a/b", &b"three"[..]).unwrap();
    assert_eq!((store.get("a/b").unwrap().unwrap(), store.size("a/b").unwrap()), ("three".into(), Some(5)));
    // Names as the archive has them, and objects of a large batch.
    let name = "retention_class=default/archive_month=2013-05/x-0.parquet";
    let large: Vec<u8> = (0..9_000_000_u32).map(|n| (n % 251) as u8).collect();
    store.put(name, large.clone()).unwrap();
    assert_eq!(store.get(name).unwrap().unwrap(), large);
    // More than one page of a listing.
    for n in 0..1_050 {
        store.put(&format!("many/{n:05}"), &b""[..]).unwrap();
    }
    let many: BTreeSet<String> = store.list("many").unwrap().into_iter().collect();
    assert_eq!(many, (0..1_050).map(|n| format!("many/{n:05}")).collect());
    assert_eq!(store.list("man").unwrap(), Vec::<String>::new());
    assert_eq!(store.list("").unwrap().len(), 1_052);
    store.remove("many/00007").unwrap();
    assert_eq!(store.list("many").unwrap().len(), 1_049);
    // Of those who put one name at once, one wins, and what is there is that one's.
    for round in 0..10 {
        let name = format!("race/{round}");
        let put = |n: usize| store.put_new(&name, n.to_string()).unwrap().then_some(n);
        let winners: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || put(n))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(store.get(&name).unwrap().unwrap(), winners[0].to_string());
    }
}

#[test]
fn a_folder_is_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().join("new"));
    conformance(&Store::open(&location, &S3Settings::default()).unwrap());
}

#[test]
fn the_world_has_a_store() {
    let objects = FaultyStore::new(Backing::Disk(Arc::new(Disk::default())), Arc::default());
    conformance(&Store::over(Arc::new(objects), "memory:///some/where/").unwrap());
}

#[test]
fn s3_is_a_store() {
    let Some(s3) = s3() else { return };
    conformance(&s3.store("conformance"));
}

/// Registers of people are numbered, and of many writers of one number one is first.
fn registers(store: &Arc<Store>) {
    let people = PeopleStore::of(store.clone());
    assert_eq!(people.newest().unwrap(), None);
    let register = |number, who: usize| {
        let text = format!("person,address\nPerson {who},p{who}@contoso.example\n");
        let source = Source::of("file", &format!("{who}.csv"), text.as_bytes());
        let people = read_csv(text.as_bytes()).unwrap().people;
        Register { number, at_ms: who as i64, source, people }
    };
    for number in 1..=3 {
        let wrote = |who| people.publish(&register(number, who)).unwrap();
        let firsts: Vec<usize> = thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|who| scope.spawn(move || wrote(who).then_some(who))).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(firsts.len(), 1, "register {number} was written by {firsts:?}");
        assert_eq!(people.newest().unwrap(), Some(register(number, firsts[0])));
    }
    assert_eq!(people.numbers().unwrap(), [1, 2, 3]);
}

#[test]
fn people_are_kept_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().join("new"));
    registers(&Arc::new(Store::open(&location, &S3Settings::default()).unwrap()));
}

#[test]
fn people_are_kept_in_the_world() {
    let objects = FaultyStore::new(Backing::Disk(Arc::new(Disk::default())), Arc::default());
    registers(&Arc::new(Store::over(Arc::new(objects), "memory:///some/where/").unwrap()));
}

#[test]
fn people_are_kept_in_s3() {
    let Some(s3) = s3() else { return };
    registers(&s3.store("people"));
}

/// Whoever makes a version first wins it; the others read it and go on.
fn many_writers(open: &(dyn Fn() -> Writer + Sync), archive: &Archive) {
    let (writers, batches) = (4, 8);
    thread::scope(|scope| {
        for number in 0..writers {
            scope.spawn(move || {
                let mut writer = open();
                let partition = Partition { topic: "t".into(), generation: 1, partition: number };
                for offset in 0..batches {
                    let mut batch = BatchBuilder::new(format!("batch-{number}-{offset}"));
                    let incoming =
                        Incoming { key: None, headers: &[], payload: Some(b"{}"), broker_time_ms: None };
                    batch.push(&partition, offset, offset, &incoming).unwrap();
                    writer.archive(&Encoded::new(batch.seal("default", 7).unwrap()).unwrap()).unwrap();
                }
            });
        }
    });
    let report = verify(archive, &mut |_| {}).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(
        (report.records, report.unreferenced.len()),
        (u64::try_from(i64::from(writers) * batches).unwrap(), 0)
    );
}

#[test]
fn writers_commit_to_a_folder_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().to_owned());
    let open = || Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    drop(open());
    many_writers(&open, &Archive::open(&location, &S3Settings::default()).unwrap());
}

#[test]
fn writers_commit_to_s3_at_once() {
    let Some(s3) = s3() else { return };
    let open = || Writer::open(&s3.location("archive"), &s3.settings(), &WriterSettings::default()).unwrap();
    drop(open());
    many_writers(&open, &Archive::open(&s3.location("archive"), &s3.settings()).unwrap());
}

/// Kafka to an archive and an index in S3, by two workers; searched through a cache on disk.
#[test]
fn everything_in_s3() {
    let Some(s3) = s3() else { return };
    let embedded = Embedded::start("t", 4).unwrap();
    let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
    for n in 0..2_000 {
        producer.send(format!("k{n}").as_bytes(), format!("{{\"n\":{n}}}").as_bytes()).unwrap();
    }
    producer.flush().unwrap();
    let rows = Arc::new(AtomicU64::new(0));
    let stop = Stop::default();
    thread::scope(|scope| {
        for _ in 0..2 {
            let (rows, stop) = (rows.clone(), stop.clone());
            let (s3, brokers) = (&s3, embedded.brokers());
            scope.spawn(move || {
                let writer =
                    Writer::open(&s3.location("all"), &s3.settings(), &WriterSettings::default()).unwrap();
                let told = Box::new(move |committed: &custody_archive::Committed| {
                    rows.fetch_add(committed.file.manifest.rows, Ordering::AcqRel);
                });
                let metrics = Arc::new(Metrics::new(&mut Registry::default()));
                let settings = kafka(&brokers, &["t"]);
                Worker::connect(&settings, small_batches(), writer, metrics, told, stop)
                    .unwrap()
                    .run()
                    .unwrap();
            });
        }
        while rows.load(Ordering::Acquire) < 2_000 {
            thread::sleep(std::time::Duration::from_millis(20));
        }
        stop.stop();
    });
    let archive = Archive::open(&s3.location("all"), &s3.settings()).unwrap();
    let report = verify(&archive, &mut |_| {}).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.records, 2_000);
    let cache = tempfile::tempdir().unwrap();
    let index = IndexStore::of(s3.store("all/_index")).with_cache(cache.path(), 64 << 20).unwrap();
    Indexer::open(&index, archive.clone(), Settings::default()).unwrap().catch_up().unwrap();
    assert!(verify_index(&index, &archive).unwrap().is_sound());
    // Few files of many, and the index follows.
    let settings = CompactSettings { grace_ms: 0, small_files_max: 2, ..CompactSettings::default() };
    let mut compactor = Compactor::open(s3.store("all"), settings).unwrap();
    let (mut compacted, mut removed) = (0, 0);
    loop {
        let done = compactor.step(SystemClock::default().now_ms()).unwrap();
        compacted += u64::from(done.compacted.is_some());
        removed += done.removed.len();
        if !done.more {
            break;
        }
    }
    assert!(compacted > 0 && removed > 1, "{compacted} {removed}");
    let after = verify(&archive, &mut |_| {}).unwrap();
    assert_eq!((after.problems.len(), after.records, after.batches), (0, 2_000, report.batches));
    assert!(after.files < report.files, "{} {}", after.files, report.files);
    Indexer::open(&index, archive.clone(), Settings::default()).unwrap().catch_up().unwrap();
    assert!(verify_index(&index, &archive).unwrap().is_sound());
    let searcher = Searcher::open(&index, archive, Settings::default()).unwrap();
    let found = searcher.count(&parse("is:quarantined", &TimeZone::UTC).unwrap()).unwrap();
    assert_eq!(found.total, 2_000);
    let cached = std::fs::read_dir(cache.path()).unwrap();
    assert!(cached.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".split")));
}

/// A share of the operations of a run on the real server fail in every way but a power failure,
/// which is not ours to make.
#[test]
fn operations_on_s3_may_fail() {
    let Some(s3) = s3() else { return };
    let client = AmazonS3Builder::from_env()
        .with_endpoint(&s3.endpoint)
        .with_bucket_name(&s3.bucket)
        .with_region("us-east-1")
        .with_allow_http(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .unwrap();
    let client = Arc::new(client);
    let new = |name: &str| {
        let root = format!("s3://{}/{}/{name}/", s3.bucket, s3.prefix);
        let mut world = World::real(WorldSettings::default(), 1, client.clone(), &root);
        world.checks_after_fault_only = true;
        world
    };
    let share = crate::world::number("CUSTODY_WORLD_S3_SHARE", 71);
    for whose in [Whose::Worker, Whose::Index, Whose::Compactor] {
        let mut world = new(&format!("{whose:?}-whole"));
        faults_of(&world, whose).record();
        history(&mut world);
        let names = faults_of(&world, whose).recorded();
        let mut runs = 0;
        for (at, name) in (0_u64..).zip(&names) {
            for (nth, fault) in (0_u64..).zip(FAULTS).filter(|(_, fault)| *fault != Fault::PowerFails) {
                if !(at * FAULTS.len() as u64 + nth).is_multiple_of(share) {
                    continue;
                }
                println!("{whose:?}, operation {at}, {name}: {fault:?}");
                let mut world = new(&format!("{whose:?}-{at}-{nth}"));
                faults_of(&world, whose).plan(at, fault);
                history(&mut world);
                world.settle();
                assert_eq!(world.archived_rows(), EVENTS);
                runs += 1;
            }
        }
        println!("{whose:?}: {} operations on S3, {runs} runs", names.len());
    }
}
