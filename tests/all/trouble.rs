//! Bad input and bad days: each a clear message, nothing lost, no panic.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use custody_archive::{Accepted, Opening, S3Settings, Writer, WriterSettings};
use custody_index::query::parse;
use custody_index::{Indexer, Searcher, Settings};
use custody_ingest::Stop;
use custody_ingest::kafka::{Embedded, Producer, Topics};
use custody_tests::{Running, archive, check, connect, index, kafka, location};
use jiff::tz::TimeZone;

#[test]
fn garbage_is_archived_verbatim_and_searchable_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let good = r#"{"specversion":"1.0","id":"1","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02Z","data":{"message":{"id":"m","text":"a good one"}}}"#;
    let payloads: Vec<Vec<u8>> = vec![
        good.into(),
        b"".to_vec(),
        good.as_bytes()[..70].to_vec(),
        b"\xff\xfe\x00".to_vec(),
        "{\"a\":".repeat(1_000).into_bytes(),
        good.replace("\"id\":\"1\"", "\"id\":\"1\",\"id\":\"2\"").into(),
        good.replace("\"text\":\"a good one\"", "\"text\":[1]").into(),
        good.replace("2013-05-29T09:15:02Z", "2404-01-01T00:00:00Z").into(),
        good.replace("2013-05-29T09:15:02Z", "0001-01-01T00:00:00Z").into(),
        good.replace("im.message.sent", "im.message.sung").into(),
        good.replace("a good one", &"word ".repeat(400_000)).into(),
    ];
    let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
    for payload in &payloads {
        producer.send(b"k", payload).unwrap();
    }
    producer.flush().unwrap();
    let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    worker.wait_for(payloads.len() as u64);
    worker.stop().unwrap();
    let report = check(dir.path());
    assert_eq!((report.records, report.quarantined), (11, 6));

    // Every byte is there.
    let archive = archive(dir.path()).unwrap();
    let mut seen = Vec::new();
    for file in archive.commits_after(None).unwrap().into_iter().flat_map(|commit| commit.files) {
        let rows: Vec<u64> = (0..file.manifest.rows).collect();
        seen.extend(archive.fetch(&file, &rows).unwrap());
    }
    seen.sort_by_key(|record| record.position.offset);
    for (record, payload) in seen.iter().zip(&payloads) {
        assert_eq!(record.payload.as_deref(), Some(payload.as_slice()), "{}", record.position);
    }
    assert_eq!(seen[7].warnings.as_deref(), Some("time_implausible"));
    assert_eq!(seen[8].warnings.as_deref(), Some("time_implausible"));
    assert_eq!(seen[9].warnings.as_deref(), Some("type_unknown"));

    let path = dir.path().join("index");
    Indexer::open(&index(&path), archive.clone(), Settings::default()).unwrap().catch_up().unwrap();
    let searcher = Searcher::open(&index(&path), archive, Settings::default()).unwrap();
    for (query, expected) in [
        ("is:quarantined", 6),
        ("type:*", 11),
        ("type:im.message.sung", 1),
        ("date:2404", 1),
        ("date:0001", 1),
        ("word", 1),
    ] {
        let count = searcher.count(&parse(query, &TimeZone::UTC).unwrap()).unwrap();
        assert_eq!(count.total, expected, "{query}");
    }
}

fn refused(brokers: &str, topic: &str, properties: &[(&str, &str)], expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = kafka(brokers, &[topic]);
    settings.properties.extend(properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let Err(error) = connect(&settings, dir.path(), Arc::new(AtomicU64::new(0)), Stop::default()) else {
        panic!("connected to {brokers} {topic}");
    };
    let text = error.to_string();
    for word in expected {
        assert!(text.contains(word), "{text:?} says nothing of {word:?}");
    }
}

#[test]
fn a_missing_topic_and_a_wrong_property_are_named() {
    let embedded = Embedded::start("there", 1).unwrap();
    refused(&embedded.brokers(), "there", &[("securty.protocol", "SSL")], &["securty.protocol"]);
}

#[test]
fn an_unreachable_broker_is_named() {
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    refused(&format!("127.0.0.1:{port}"), "t", &[], &["no Kafka broker answers", &port.to_string()]);
}

fn publish(embedded: &Embedded, topic: &str, count: usize) {
    let producer = Producer::connect(&embedded.brokers(), topic, &BTreeMap::new()).unwrap();
    (0..count).for_each(|_| producer.send(b"k", b"{}").unwrap());
    producer.flush().unwrap();
}

/// Kafka has another topic under an old name, grown past the old one's end or not: it stops, loudly,
/// the other topic goes on, and somebody's word makes it go on as another generation.
#[test]
fn a_topic_that_was_made_again_stops_alone_until_it_is_accepted() {
    for again in [5, 40] {
        let dir = tempfile::tempdir().unwrap();
        {
            let embedded = Embedded::start("t", 1).unwrap();
            publish(&embedded, "t", 30);
            let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
            worker.wait_for(30);
            worker.stop().unwrap();
        }
        let embedded = Embedded::start("t", 1).unwrap();
        embedded.create_topic("u", 1).unwrap();
        publish(&embedded, "t", again);
        publish(&embedded, "u", 7);
        let settings = kafka(&embedded.brokers(), &["t", "u"]);
        let worker = Running::start(settings.clone(), dir.path());
        worker.wait_for(7);
        let status = worker.metrics.status();
        assert_eq!(status.stopped.keys().collect::<Vec<_>>(), ["t"]);
        let why = status.why_not_ready().unwrap();
        for expected in ["deleted and made again", "stands at offset 30", "custody gap accept --topic t"] {
            assert!(why.contains(expected), "{expected}: {why}");
        }
        let report = check(dir.path());
        assert_eq!((report.records, report.next_offsets.get("t:2:0")), (37, None));

        let topic_id = Topics::connect(&settings).unwrap().look("t").unwrap().unwrap().id;
        let opening = Opening {
            topic: "t".into(),
            ended: 1,
            topic_id,
            who: "ann".into(),
            why: "the disk was lost".into(),
        };
        let open = || {
            Writer::open(&location(dir.path()), &S3Settings::default(), &WriterSettings::default()).unwrap()
        };
        assert!(matches!(open().accept(&opening).unwrap(), Accepted::Now(..)));
        // It takes the topic up by itself.
        worker.wait_for(7 + again as u64);
        assert_eq!(worker.metrics.status().why_not_ready(), None);
        worker.stop().unwrap();
        let report = check(dir.path());
        assert_eq!((report.records, report.generations["t"]), (37 + again as u64, 2));
        assert_eq!((report.next_offsets["t:1:0"], report.next_offsets["t:2:0"]), (30, again as i64));
        // The next start goes on with it.
        publish(&embedded, "t", 3);
        let worker = Running::start(settings, dir.path());
        worker.wait_for(3);
        worker.stop().unwrap();
        assert_eq!(check(dir.path()).next_offsets["t:2:0"], again as i64 + 3);
    }
}

/// A store that cannot be written: the worker says so and ends; nothing is lost.
#[test]
fn a_store_that_fails_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
    for _ in 0..20 {
        producer.send(b"k", b"{}").unwrap();
    }
    producer.flush().unwrap();
    // A file where the data folder should be, whoever runs the test.
    let in_the_way = dir.path().join("archive/retention_class=default");
    let worker = {
        let settings = kafka(&embedded.brokers(), &["t"]);
        let stop = Stop::default();
        let rows = Arc::new(AtomicU64::new(0));
        let worker = connect(&settings, dir.path(), rows, stop).unwrap();
        fs::write(&in_the_way, b"").unwrap();
        worker
    };
    let error = worker.run().unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(check(dir.path()).records, 0);
    drop(worker);
    fs::remove_file(&in_the_way).unwrap();
    let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    worker.wait_for(20);
    worker.stop().unwrap();
    assert_eq!(check(dir.path()).records, 20);
}

#[test]
fn a_damaged_index_is_rebuilt_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start("t", 1).unwrap();
    let producer = Producer::connect(&embedded.brokers(), "t", &BTreeMap::new()).unwrap();
    for n in 0..20 {
        producer.send(b"k", format!("{{\"n\":{n}}}").as_bytes()).unwrap();
    }
    producer.flush().unwrap();
    let worker = Running::start(kafka(&embedded.brokers(), &["t"]), dir.path());
    worker.wait_for(20);
    worker.stop().unwrap();
    let (path, archive) = (dir.path().join("index"), archive(dir.path()).unwrap());
    let build =
        || Indexer::open(&index(&path), archive.clone(), Settings::default()).unwrap().catch_up().unwrap();
    build();
    let split = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "split"))
        .unwrap();
    let name = split.file_name().unwrap().to_owned();
    fs::remove_file(&split).unwrap();
    assert!(build().rebuilt.is_some());
    // Built from the same batches, it has the same bytes and so the same name.
    assert!(path.join(name).exists());
    let searcher = Searcher::open(&index(&path), archive, Settings::default()).unwrap();
    assert_eq!(searcher.count(&parse("is:quarantined", &TimeZone::UTC).unwrap()).unwrap().total, 20);
}
