//! What was lost and which life of a topic it was: rows, fences, accepts, and the proof of them.

use std::fs;
use std::path::{Path, PathBuf};

use custody_archive::{
    Accepted, Archive, BatchBuilder, Columns, Encoded, Kind, Location, Opening, Reached, Report, S3Settings,
    Sealed, Writer, WriterSettings, verify,
};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Position, Span, TopicId, gap};

fn partition(generation: i32, number: i32) -> Partition {
    Partition { topic: "t".into(), generation, partition: number }
}

fn writer(dir: &Path) -> Writer {
    let settings = WriterSettings { checkpoint_every: 3, ..WriterSettings::default() };
    Writer::open(&Location::Folder(dir.join("archive")), &S3Settings::default(), &settings).unwrap()
}

fn check(dir: &Path) -> Report {
    let archive = Archive::open(&Location::Folder(dir.join("archive")), &S3Settings::default()).unwrap();
    verify(&archive, &mut |_| {}).unwrap()
}

fn lost(from: i64, to: i64) -> Gap {
    Gap { span: Span { from, to }, reason: GapReason::DeletedByRetention, noticed_ms: 1_400_000_000_000 }
}

fn push(builder: &mut BatchBuilder, partition: &Partition, next: i64, offset: i64, payload: &[u8]) {
    let incoming = Incoming { key: None, headers: &[], payload: Some(payload), broker_time_ms: None };
    builder.push(partition, next, offset, &incoming).unwrap();
}

/// Messages of partition 0, from the topic with this id.
fn batch(id: &str, generation: i32, span: (i64, i64), topic_id: Option<&str>) -> Encoded {
    let mut builder = BatchBuilder::new(id.into());
    for offset in span.0..span.1 {
        push(&mut builder, &partition(generation, 0), offset, offset, b"{}");
    }
    if let Some(topic_id) = topic_id {
        builder.came_from("t", TopicId::from(topic_id));
    }
    Encoded::new(builder.seal("default", 1_400_000_000_000).unwrap()).unwrap()
}

/// Two gaps, skipped offsets, and a message that says that it is a gap.
fn gaps() -> Sealed {
    let mut builder = BatchBuilder::new("gaps".into());
    let at = partition(1, 0);
    builder.gap(&at, lost(0, 5)).unwrap();
    push(&mut builder, &at, 5, 8, gap::payload(&at, &lost(8, 9)).unwrap().as_bytes());
    builder.gap(&at, lost(9, 10)).unwrap();
    assert!(builder.gap(&at, lost(10, 10)).is_err(), "nothing was lost");
    assert!(builder.gap(&at, lost(11, 12)).is_err(), "10 is next");
    builder.seal("default", 1_400_000_000_000).unwrap()
}

#[test]
fn a_gap_is_a_row_beside_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let file = writer.archive(&Encoded::new(gaps()).unwrap()).unwrap().file;
    let part = &file.manifest.parts[0];
    assert_eq!((file.manifest.rows, file.manifest.records(), part.quarantined), (3, 1, 0));
    assert_eq!((part.skipped, part.lost()), (3, 6));
    let report = check(dir.path());
    assert_eq!(report.problems, []);
    assert_eq!((report.records, report.gaps, report.skipped, report.lost), (1, 2, 3, 6));

    let archive = writer.reader();
    let records = archive.fetch(&file, &[0, 1, 2]).unwrap();
    let said: Vec<_> = records
        .iter()
        .map(|record| (record.position.offset, record.gap.clone(), record.quarantined.clone()))
        .collect();
    // The message that looks like one is a record: no manifest calls it a gap.
    assert_eq!(said, [(0, Some(lost(0, 5)), None), (8, None, None), (9, Some(lost(9, 10)), None)]);
    assert_eq!(records[0].short_type(), "custody.gap");
    assert_eq!(records[0].id, "gap:t:1:0:[0,5)");
    assert_eq!(
        records[0].detail.as_deref(),
        Some("offsets 0 to 4 were lost: deleted by retention before they were read")
    );
    assert_eq!(records[1].warnings.as_deref(), Some("type_unknown"));
    for rows in archive.read(&file, Columns::Index).unwrap() {
        let rows = rows.unwrap();
        let columns = rows.index_rows().unwrap();
        let flags: Vec<_> = (0..3).map(|row| (columns.row(row).gap, columns.row(row).quarantined)).collect();
        assert_eq!(flags, [(true, false), (false, false), (true, false)]);
    }

    // Any of the offsets leads to the row.
    for (offset, expected) in [(0, Some(0)), (4, Some(0)), (6, None), (8, Some(1)), (9, Some(2))] {
        let position = Position { partition: partition(1, 0), offset };
        assert_eq!(archive.locate(&position).unwrap().map(|(_, row)| row), expected, "{offset}");
    }
    let history = archive.history().unwrap();
    let found: Vec<_> = history.gaps.iter().map(|gap| (gap.position.to_string(), gap.version)).collect();
    assert_eq!(found, [("t:1:0:0".to_owned(), 1), ("t:1:0:9".to_owned(), 1)]);
}

fn named(report: &Report, what: &str) {
    assert!(report.problems.iter().any(|problem| problem.what.contains(what)), "{what}: {report:?}");
}

#[test]
fn a_gap_without_its_row_and_a_row_that_says_other_things_are_named() {
    // The manifest has one more than the rows.
    let dir = tempfile::tempdir().unwrap();
    let mut sealed = gaps();
    sealed.manifest.parts[0].gaps.insert(1, lost(5, 6));
    assert_eq!(sealed.manifest.fault(), None);
    writer(dir.path()).archive(&Encoded::new(sealed).unwrap()).unwrap();
    named(&check(dir.path()), "the row of gap [5, 6) is missing");

    // It says another reason than the row.
    let dir = tempfile::tempdir().unwrap();
    let mut sealed = gaps();
    sealed.manifest.parts[0].gaps[1].reason = GapReason::BeforeFirstCapture;
    let mut writer = writer(dir.path());
    let file = writer.archive(&Encoded::new(sealed).unwrap()).unwrap().file;
    named(&check(dir.path()), "does not say what its manifest says");
    let error = writer.reader().fetch(&file, &[2]).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt, "{error}");
}

fn opening(ended: i32, topic_id: Option<&str>, who: &str) -> Opening {
    Opening {
        topic: "t".into(),
        ended,
        topic_id: topic_id.map(TopicId::from),
        who: who.into(),
        why: "the disk was lost".into(),
    }
}

#[test]
fn a_topic_that_was_made_again_is_fenced_until_it_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (writer(dir.path()), writer(dir.path()));
    let fenced = |writer: &mut Writer, batch: &Encoded| {
        let error = writer.archive(batch).unwrap_err();
        assert_eq!(error.kind, Kind::Fenced, "{error}");
    };
    // No broker told an id yet; then one does.
    first.archive(&batch("a", 1, (0, 10), None)).unwrap();
    first.archive(&batch("b", 1, (10, 20), Some("one"))).unwrap();
    assert_eq!(first.topic("t").unwrap().unwrap().topic_id, Some(TopicId::from("one")));
    fenced(&mut first, &batch("c", 1, (20, 30), Some("two")));
    fenced(&mut first, &batch("d", 2, (0, 10), Some("two")));
    assert!(second.topic("other").unwrap().is_none());

    let Accepted::Now(3, accept) = first.accept(&opening(1, Some("two"), "ann")).unwrap() else {
        panic!("somebody else did it")
    };
    assert_eq!((accept.generation, accept.previous_id.clone()), (2, Some(TopicId::from("one"))));
    assert_eq!(accept.through, [Reached { partition: 0, next: 20 }]);
    // The second who looked at the same time is told; another life of it is not taken for the same.
    assert_eq!(second.accept(&opening(1, Some("two"), "bob")).unwrap(), Accepted::Before(3, accept));
    assert_eq!(second.accept(&opening(1, Some("three"), "bob")).unwrap_err().kind, Kind::Invalid);
    assert_eq!(second.accept(&opening(3, Some("two"), "bob")).unwrap_err().kind, Kind::Invalid);

    // A worker that still holds something of the life that ended.
    fenced(&mut second, &batch("e", 1, (20, 30), Some("one")));
    fenced(&mut second, &batch("f", 2, (5, 10), Some("two")));
    second.archive(&batch("g", 2, (0, 5), Some("two"))).unwrap();
    // After a checkpoint, and for whoever opens it.
    for n in 1..5_i64 {
        second.archive(&batch(&format!("h{n}"), 2, (n * 5, n * 5 + 5), Some("two"))).unwrap();
    }
    let mut reopened = writer(dir.path());
    let state = reopened.topic("t").unwrap().unwrap();
    assert_eq!((state.generation, state.topic_id), (2, Some(TopicId::from("two"))));
    assert_eq!(reopened.next_offset(&partition(2, 0)).unwrap(), Some(25));
    let report = check(dir.path());
    assert_eq!(report.problems, []);
    assert!(report.checkpoints > 0);
    assert_eq!((report.records, report.generations["t"]), (45, 2));
    assert_eq!((report.next_offsets["t:1:0"], report.next_offsets["t:2:0"]), (20, 25));

    let history = reopened.reader().history().unwrap();
    let lives: Vec<_> = history
        .generations
        .iter()
        .map(|life| (life.generation, life.topic_id.clone(), life.through.clone(), life.accept.is_some()))
        .collect();
    let id = |text: &str| Some(TopicId::from(text));
    assert_eq!(lives, [(1, id("one"), [(0, 20)].into(), false), (2, id("two"), [(0, 25)].into(), true)]);
}

/// Without ids: somebody says it, that is all.
#[test]
fn a_life_without_an_id_is_accepted_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (writer(dir.path()), writer(dir.path()));
    first.archive(&batch("a", 1, (0, 10), None)).unwrap();
    assert!(matches!(second.accept(&opening(1, None, "ann")).unwrap(), Accepted::Now(2, _)));
    assert!(matches!(first.accept(&opening(1, None, "bob")).unwrap(), Accepted::Before(2, _)));
    first.archive(&batch("b", 2, (0, 10), None)).unwrap();
    let report = check(dir.path());
    assert_eq!((report.problems, report.generations["t"]), (vec![], 2));
}

#[test]
fn an_accept_that_was_altered_and_a_generation_without_one_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    writer.archive(&batch("a", 1, (0, 10), Some("one"))).unwrap();
    writer.accept(&opening(1, Some("two"), "ann")).unwrap();
    writer.archive(&batch("b", 2, (0, 10), Some("two"))).unwrap();
    assert_eq!(check(dir.path()).problems, []);
    let commit: PathBuf = dir.path().join("archive/_delta_log/00000000000000000002.json");
    let good = fs::read_to_string(&commit).unwrap();
    for (from, to, expected) in [
        ("custody\":\"{", "custodi\":\"{", "a batch of generation 2 of topic t"),
        (r#"\"next\":10"#, r#"\"next\":12"#, "accepts that t was archived through"),
        (r#"previous_id\":\"one"#, r#"previous_id\":\"six"#, "does not follow generation 1"),
        (r#"accepted_ms\":"#, r#"accepted_ms\":1"#, "its actions do not follow from its record"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        fs::write(&commit, bad).unwrap();
        named(&check(dir.path()), expected);
    }
    fs::write(&commit, good).unwrap();
    assert_eq!(check(dir.path()).problems, []);
}
