//! From Kafka to the archive, index, search and production, on the embedded
//! broker.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use custody_cli::sim::{SimSettings, Simulator};
use custody_index::query::parse;
use custody_index::{Indexer, Order, Request, Searcher, Settings, verify_index};
use custody_ingest::kafka::{Embedded, Producer};
use custody_schemas::Kind;
use custody_tests::{Running, archive, check, index, kafka};
use jiff::tz::TimeZone;

fn publish(embedded: &Embedded, topic: &str, payloads: &[Vec<u8>]) {
    let producer = Producer::connect(&embedded.brokers(), topic, &BTreeMap::new()).unwrap();
    for (n, payload) in payloads.iter().enumerate() {
        producer.send(format!("k{}", n % 17).as_bytes(), payload).unwrap();
    }
    producer.flush().unwrap();
    assert_eq!(producer.acknowledged(), payloads.len() as u64);
}

fn simulated(count: usize) -> Vec<Vec<u8>> {
    let events = Simulator::new(SimSettings::new(20, 7)).take(count);
    events.map(|event| serde_json::to_vec(&event.event).unwrap()).collect()
}

fn searcher(dir: &Path) -> Searcher {
    let (path, archive) = (dir.join("index"), archive(dir).unwrap());
    Indexer::open(&index(&path), archive.clone(), Settings::default()).unwrap().catch_up().unwrap();
    let report = verify_index(&index(&path), &archive).unwrap();
    assert!(report.is_sound(), "{:?}", report.differences);
    Searcher::open(&index(&path), archive, Settings::default()).unwrap()
}

fn count(searcher: &Searcher, query: &str) -> u64 {
    searcher.count(&parse(query, &TimeZone::UTC).unwrap()).unwrap().total
}

#[test]
fn everything_published_is_archived_once_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 3).unwrap();
    let payloads = simulated(3_000);
    publish(&embedded, "t", &payloads[..2_000]);
    let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    worker.wait_for(2_000);
    publish(&embedded, "t", &payloads[2_000..]);
    worker.wait_for(3_000);
    worker.stop().unwrap();
    let report = check(dir.path());
    assert_eq!((report.records, report.quarantined, report.skipped, report.lost), (3_000, 0, 0, 0));
    assert_eq!(report.next_offsets.values().sum::<i64>(), 3_000);

    // Counts by type, told by the index, are those of what was published.
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for payload in &payloads {
        let value: serde_json::Value = serde_json::from_slice(payload).unwrap();
        *expected.entry(value["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let searcher = searcher(dir.path());
    for kind in Kind::ALL {
        let query = format!("type:{}", kind.short());
        assert_eq!(count(&searcher, &query), expected.remove(kind.full()).unwrap_or(0), "{query}");
    }
    assert!(expected.is_empty(), "{expected:?}");
    assert_eq!(count(&searcher, "type:*"), 3_000);

    // A production of it is sound, and the same when repeated.
    produce(dir.path(), &searcher);
}

fn produce(dir: &Path, searcher: &Searcher) {
    let query = parse("\"talk about the merger\"", &TimeZone::UTC).unwrap();
    let found = searcher.positions(&query, None).unwrap();
    assert!(!found.rows.is_empty());
    let files: Vec<_> = found.files.iter().cloned().map(Arc::new).collect();
    let hits: Vec<_> = found
        .rows
        .iter()
        .map(|row| custody_export::Hit {
            file: files[row.file].clone(),
            row: row.row,
            deliveries: row.copies,
            is_context: false,
        })
        .collect();
    let request = custody_export::Request {
        version: custody_export::REQUEST_VERSION,
        query: "\"talk about the merger\"".into(),
        query_canonical: query.to_string(),
        zone: "UTC".into(),
        who: "a test".into(),
        why: "to see that it is the same twice".into(),
        format: custody_export::Format::JsonLines,
        options: Some(custody_export::Options::default()),
    };
    let archive = archive(dir).unwrap();
    let outs = ["one", "two"].map(|name| dir.join(name));
    for out in &outs {
        let production = custody_export::Production {
            archive: &archive,
            request: &request,
            through_version: found.through_version,
            threads: std::num::NonZeroUsize::MIN,
            files: None,
            fonts: None,
            custodians: None,
            key: None,
        };
        let receipt = production.write(hits.clone(), out, &mut |_| {}).unwrap();
        assert_eq!(receipt.count, found.rows.len() as u64);
        let report = custody_export::verify(out, None).unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    }
    for entry in fs::read_dir(&outs[0]).unwrap() {
        let name = entry.unwrap().file_name();
        assert_eq!(
            fs::read(outs[0].join(&name)).unwrap(),
            fs::read(outs[1].join(&name)).unwrap(),
            "{name:?}"
        );
    }
}

#[test]
fn a_restart_goes_on_where_the_archive_ends() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 2).unwrap();
    let payloads = simulated(1_500);
    for part in payloads.chunks(500) {
        publish(&embedded, "t", part);
        let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
        worker.wait_for(500);
        worker.stop().unwrap();
    }
    assert_eq!(check(dir.path()).records, 1_500);
}

#[test]
fn two_workers_share_one_topic() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 4).unwrap();
    let payloads = simulated(2_000);
    let first = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    publish(&embedded, "t", &payloads[..1_000]);
    first.wait_for(1_000);
    let second = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    publish(&embedded, "t", &payloads[1_000..]);
    let started = std::time::Instant::now();
    let rows = |worker: &Running| worker.rows.load(std::sync::atomic::Ordering::Acquire);
    while rows(&first) + rows(&second) < 2_000 {
        assert!(started.elapsed().as_secs() < 60, "{} and {}", rows(&first), rows(&second));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    first.stop().unwrap();
    second.stop().unwrap();
    assert_eq!(check(dir.path()).records, 2_000);
}

#[test]
fn a_redelivery_is_archived_twice_and_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let payloads = simulated(50);
    publish(&embedded, "t", &payloads);
    publish(&embedded, "t", &payloads[..10]);
    let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    worker.wait_for(60);
    worker.stop().unwrap();
    assert_eq!(check(dir.path()).records, 60);
    let searcher = searcher(dir.path());
    assert_eq!(count(&searcher, "type:*"), 50);
    let query = parse("type:*", &TimeZone::UTC).unwrap();
    let request = Request::new(query, Order::Oldest, 20);
    let answer = searcher.search(&request).unwrap();
    assert_eq!((answer.total, answer.copies, answer.hits.len()), (50, 60, 20));
    assert!(answer.next.is_some());
}
