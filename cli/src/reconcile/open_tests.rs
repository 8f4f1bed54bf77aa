use std::collections::BTreeMap;

use custody_archive::{
    Account, Archive, BatchBuilder, Encoded, Generation, History, Hole, Location, Outage, PartitionAccount,
    S3Settings, SourceAccount, Writer, WriterSettings,
};
use custody_ingest::kafka::{Embedded, LogEnds, Producer};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span, TopicId};

use super::open::{beside, is_made_again, unexplained};
use super::{Asker, IndexAccount, LogAccount, Reconciled, print};
use crate::settings::{Inputs, Settings};

fn span(from: i64, to: i64) -> Span {
    Span { from, to }
}

/// Partition `t:1:0` with these spans, ten records in the whole archive, version 4, nothing else.
fn archived(spans: &[Span]) -> Reconciled {
    let of = PartitionAccount { spans: spans.to_vec(), ..PartitionAccount::default() };
    let partitions = BTreeMap::from([("t:1:0".to_owned(), of)]);
    let mut archive = Account::default();
    (archive.version, archive.records, archive.partitions) = (Some(4), 10, partitions);
    Reconciled { archive, sessions: None, kafka: None, index: None, unexplained: Vec::new() }
}

fn with_log(low: i64, end: i64, next: i64, unarchived: Option<i64>) -> Reconciled {
    let log = LogAccount { partition: "t:1:0".into(), low, end, next, unarchived };
    Reconciled { kafka: Some(vec![log]), ..archived(&[span(0, next)]) }
}

fn with_index(through_version: u64, records: u64) -> Reconciled {
    let index = IndexAccount { through_version, records, duplicates: 3 };
    Reconciled { index: Some(index), ..archived(&[span(0, 10)]) }
}

fn with_source(of: SourceAccount) -> Reconciled {
    let mut found = archived(&[span(0, 10)]);
    found.archive.sources.insert("//gw".to_owned(), of);
    found
}

/// What is named, as `reconcile` prints it: the beginnings of the texts.
#[track_caller]
fn check(name: &str, found: &Reconciled, made_again: &[&str], expected: &[&str]) {
    let made_again: Vec<String> = made_again.iter().map(|topic| (*topic).to_owned()).collect();
    let said: Vec<String> = unexplained(found, &made_again).iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), expected.len(), "{name}: {said:?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{name}: {said:?}");
    }
}

#[test]
fn spans_that_do_not_chain() {
    let twice = "t:1:0: offsets [3, 5) are archived more than once";
    for (name, spans, expected) in [
        ("nothing", &[][..], &[][..]),
        ("one", &[span(0, 10)], &[]),
        ("no beginning", &[span(2, 10)], &["t:1:0: nothing accounts for offsets [0, 2)"]),
        ("a hole", &[span(0, 4), span(6, 10)], &["t:1:0: nothing accounts for offsets [4, 6)"]),
        ("the end again", &[span(0, 5), span(3, 5)], &[twice]),
        ("the end again, and more", &[span(0, 5), span(3, 9)], &[twice]),
        // Not a hole: the first span has it all.
        ("the middle again", &[span(0, 10), span(3, 5), span(10, 12)], &[twice]),
        (
            "again, then a hole",
            &[span(0, 10), span(3, 5), span(11, 12)],
            &[twice, "t:1:0: nothing accounts for offsets [10, 11)"],
        ),
    ] {
        check(name, &archived(spans), &[], expected);
    }
}

#[test]
fn logs_that_are_not_archived() {
    let (deleted, not_archived) = (
        "t:1:0: Kafka has deleted offsets [10, 15) and no gap is recorded yet",
        "t:1:0: Kafka has messages from offset 11 to its end 20 that are not archived",
    );
    for (name, found, expected) in [
        ("all of it", with_log(0, 10, 10, None), &[][..]),
        ("deleted when it was archived", with_log(10, 10, 10, None), &[]),
        ("nothing for a consumer at its end", with_log(0, 20, 10, None), &[]),
        ("not yet", with_log(0, 20, 10, Some(11)), &[not_archived]),
        ("deleted unread, all of it", with_log(15, 15, 10, None), &[deleted]),
        (
            "deleted unread, and more is there",
            with_log(15, 20, 10, Some(15)),
            &[deleted, "t:1:0: Kafka has messages from offset 15 to its end 20"],
        ),
        (
            "it ends early",
            with_log(0, 7, 10, None),
            &["t:1:0: the archive stands at 10 but Kafka's log ends at 7"],
        ),
    ] {
        check(name, &found, &[], expected);
    }
    // What a gap row records is explained: the span covers it.
    let mut found = with_log(15, 15, 15, None);
    let gap = Gap { span: span(10, 15), reason: GapReason::DeletedByRetention, noticed_ms: 5 };
    found.archive.partitions.get_mut("t:1:0").unwrap().gaps.push(gap);
    check("recorded", &found, &[], &[]);
    // A topic that the archive knows nothing of yet.
    let mut found = with_log(0, 5, 0, Some(0));
    found.archive.partitions.clear();
    check("new", &found, &[], &["t:1:0: Kafka has messages from offset 0 to its end 5"]);
}

/// The offsets of another life are not compared with those of this one; other topics are.
#[test]
fn a_topic_that_was_made_again() {
    let again = "topic t was deleted and made again, and is not archived";
    for found in [with_log(0, 7, 10, None), with_log(0, 20, 10, Some(11)), with_log(15, 15, 10, None)] {
        check("made again", &found, &["t"], &[again]);
    }
    let mut found = with_log(0, 7, 10, None);
    let other = LogAccount { partition: "t:u:1:0".into(), low: 0, end: 9, next: 4, unarchived: Some(4) };
    found.kafka.as_mut().unwrap().push(other);
    check("and another", &found, &["t"], &[again, "t:u:1:0: Kafka has messages from offset 4"]);
}

#[test]
fn which_topics_were_made_again() {
    let id = |text: &str| TopicId::from(text);
    let life = |topic: &str, generation, topic_id: Option<TopicId>| Generation {
        topic: topic.to_owned(),
        generation,
        topic_id,
        version: 1,
        opened_ms: 0,
        accept: None,
        through: BTreeMap::new(),
    };
    let history = |generations| History { version: 9, generations, gaps: Vec::new() };
    let one = history(vec![life("s", 1, Some(id("a"))), life("t", 1, Some(id("b")))]);
    for (topic, now, again) in [
        ("t", Some(id("b")), false),
        ("t", Some(id("c")), true),
        // It is not there, or the broker has no ids: the offsets alone tell.
        ("t", None, false),
        ("new", Some(id("c")), false),
    ] {
        assert_eq!(is_made_again(&one, topic, now.as_ref()), again, "{topic} {now:?}");
    }
    // An accept opens the next generation: the newest counts.
    let two = history(vec![life("t", 1, Some(id("b"))), life("t", 2, Some(id("c")))]);
    assert!(!is_made_again(&two, "t", Some(&id("c"))));
    assert!(is_made_again(&two, "t", Some(&id("b"))));
    assert!(!is_made_again(&history(vec![life("t", 1, None)]), "t", Some(&id("c"))));
}

#[test]
fn indexes_that_are_behind_or_differ() {
    for (name, found, expected) in [
        ("equal", with_index(4, 10), &[][..]),
        ("behind", with_index(3, 8), &["the index is complete through version 3, the archive is at 4"]),
        // Behind, whatever it holds.
        ("behind and too many", with_index(3, 12), &["the index is complete through version 3"]),
        ("duplicate rows", with_index(4, 11), &["the index has 11 records, the archive 10"]),
        ("missing rows", with_index(4, 9), &["the index has 9 records, the archive 10"]),
        // It was asked after the archive was read.
        ("ahead", with_index(5, 12), &[]),
    ] {
        check(name, &found, &[], expected);
    }
}

#[test]
fn numbers_of_sources() {
    let hole = |from, to| Hole { from, to, after_us: Some(10), before_us: Some(20) };
    let outage = Outage { position: "t:1:0:3".into(), from_us: Some(5), to_us: None, reason: "disk".into() };
    let counted = |holes: Option<Vec<Hole>>, outages: Vec<Outage>| SourceAccount {
        records: 9,
        numbers: holes.is_some().then_some((1, 9)),
        holes,
        outages,
        ..SourceAccount::default()
    };
    let lost = "//gw: no event has its numbers 4 to 5; they were lost before Kafka";
    for (name, of, expected) in [
        ("no hole", counted(Some(Vec::new()), Vec::new()), &[][..]),
        ("a hole", counted(Some(vec![hole(4, 6)]), Vec::new()), &[lost]),
        ("an outage", counted(Some(vec![hole(4, 6)]), vec![outage]), &[]),
        ("no counter", counted(None, Vec::new()), &["//gw: its numbers have too many holes"]),
        (
            "it does not count",
            SourceAccount { records: 9, unnumbered: 9, holes: Some(Vec::new()), ..SourceAccount::default() },
            &[],
        ),
    ] {
        check(name, &with_source(of), &[], expected);
    }
}

/// Numbers come from whoever publishes: the sums of what is missing fit in no number of 64 bits.
#[test]
fn the_widest_holes_are_printed() {
    let hole = |from, to| Hole { from, to, after_us: None, before_us: None };
    let of = SourceAccount {
        records: 3,
        numbers: Some((i64::MIN, i64::MAX)),
        holes: Some(vec![hole(i64::MIN + 1, 0), hole(1, i64::MAX)]),
        ..SourceAccount::default()
    };
    let mut found = with_source(of);
    found.unexplained = unexplained(&found, &[]);
    let text = print::tables(&found);
    assert!(text.contains(" 18446744073709551613 "), "{text}");
    assert!(text.contains("numbers 1 to 9223372036854775806"), "{text}");
}

#[test]
fn a_log_that_grew_meanwhile_did_not_end_early() {
    let log = |partition, end| LogEnds { topic: "t".into(), partition, low: 2, end };
    for (began, now, next, end) in [
        (10, vec![log(0, 10)], 8, 10),
        // Nobody needed to ask again.
        (10, Vec::new(), 10, 10),
        // Archived past the end that was told: what came behind that is not asked for.
        (10, vec![log(1, 3), log(0, 20)], 15, 15),
        // It does end before the archive.
        (10, vec![log(0, 12)], 15, 12),
        (10, vec![log(1, 20)], 15, 10),
    ] {
        assert_eq!(beside(log(0, began), &now, next), log(0, end), "{now:?} {next}");
    }
}

fn archive_more(writer: &mut Writer, from: i64, to: i64) {
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let mut batch = BatchBuilder::new(format!("b{from}"));
    for offset in from..to {
        let incoming = Incoming { key: None, headers: &[], payload: Some(b"{}"), broker_time_ms: None };
        batch.push(&partition, offset, offset, &incoming).unwrap();
    }
    writer.archive(&Encoded::new(batch.seal("default", 7).unwrap()).unwrap()).unwrap();
}

/// A worker that archives while the question is asked, over a real client: nothing is unexplained.
#[test]
fn a_worker_that_goes_on_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let kafka = Embedded::start("t", 1).unwrap();
    let producer = Producer::connect(&kafka.brokers(), "t", &BTreeMap::new()).unwrap();
    let publish = |count: i64| {
        (0..count).for_each(|_| producer.send(b"k", b"{}").unwrap());
        producer.flush().unwrap();
    };
    let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let path = dir.path().to_str().unwrap();
    let flags =
        vec![flag("archive.path", path), flag("kafka.brokers", &kafka.brokers()), flag("kafka.topics", "t")];
    let loaded = Settings::load(Inputs { flags, ..Inputs::default() }).unwrap();
    let mut asker = Asker::open(&loaded).unwrap();
    let mut log = |archive: &Archive, ends: Vec<LogEnds>| {
        asker.account.advance(archive, &mut |_, _| {}).unwrap();
        let log = asker.kafka(ends).unwrap();
        let found = Reconciled { kafka: Some(log.clone()), ..archived(&[]) };
        (log[0].end, unexplained(&found, &[]).len())
    };
    let ends = |end| vec![LogEnds { topic: "t".into(), partition: 0, low: 0, end }];
    publish(3);
    archive_more(&mut writer, 0, 3);
    // Asked when the log ended at 2.
    assert_eq!(log(&writer.reader(), ends(2)), (3, 0));
    // The archive has what Kafka has not.
    archive_more(&mut writer, 3, 9);
    assert_eq!(log(&writer.reader(), ends(3)), (3, 1));
    publish(6);
    assert_eq!(log(&writer.reader(), ends(3)), (9, 0));
}
