//! The archive at its own boundary: what goes in comes out, proven.

use std::fs;
use std::path::{Path, PathBuf};

use custody_archive::{
    Archive, BatchBuilder, CallRow, Columns, Encoded, Error, FileRow, Kind, Location, S3Settings, Writer,
    WriterSettings, verify,
};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span};

const EVENT: &str = r#"{"specversion":"1.0","id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","tenant":"contoso.example","sequence":"1","data":{"conversation":{"id":"c-88","kind":"direct"},"from":{"network":"skype","address":"live:bob","name":"Bob"},"to":[{"network":"lync","address":"sip:alice@contoso.example"}],"message":{"id":"m","text":"hello ID"}}}"#;

fn partition(number: i32) -> Partition {
    Partition { topic: "federation.events".into(), generation: 1, partition: number }
}

fn location(dir: &Path) -> Location {
    Location::Folder(dir.join("archive"))
}

fn writer(dir: &Path) -> Writer {
    Writer::open(
        &location(dir),
        &S3Settings::default(),
        &WriterSettings { checkpoint_every: 3, ..WriterSettings::default() },
    )
    .unwrap()
}

fn batch(id: &str, spans: &[(i32, i64, i64)]) -> Encoded {
    let mut builder = BatchBuilder::new(id.into());
    for (number, from, to) in spans {
        for offset in *from..*to {
            let payload = EVENT.replace("ID", &format!("{number}-{offset}"));
            let headers = [("content-type", Some(&b"application/cloudevents+json"[..])), ("x", None)];
            let incoming = Incoming {
                key: Some(b"c-88"),
                headers: &headers,
                payload: if offset % 10 == 7 { Some(b"\xff not json") } else { Some(payload.as_bytes()) },
                broker_time_ms: Some(1_400_000_000_000 + offset),
            };
            builder.push(&partition(*number), offset, offset, &incoming).unwrap();
        }
    }
    Encoded::new(builder.seal("default", 1_400_000_000_000).unwrap()).unwrap()
}

fn check(dir: &Path) -> custody_archive::Report {
    let archive = Archive::open(&location(dir), &S3Settings::default()).unwrap();
    verify(&archive, &mut |_| {}).unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    for n in 0..8 {
        let committed = writer
            .archive(&batch(&format!("b{n}"), &[(0, n * 20, n * 20 + 20), (1, n * 5, n * 5 + 5)]))
            .unwrap();
        assert_eq!(committed.version, n.unsigned_abs() + 1);
    }
    assert_eq!(writer.next_offset(&partition(0)).unwrap(), Some(160));
    assert_eq!(writer.next_offset(&partition(2)).unwrap(), None);
    let report = check(dir.path());
    assert_eq!(report.problems, []);
    assert_eq!((report.records, report.batches, report.version), (200, 8, 8));
    assert_eq!(report.quarantined, 16 + 4);

    let archive = writer.reader();
    let commits = archive.commits_after(Some(3)).unwrap();
    assert_eq!(commits.len(), 5);
    let records = archive.fetch(&commits[0].files[0], &[0, 7, 24]).unwrap();
    let positions: Vec<_> = records.iter().map(|record| record.position.to_string()).collect();
    assert_eq!(
        positions,
        ["federation.events:1:0:60", "federation.events:1:0:67", "federation.events:1:1:19"]
    );
    assert_eq!(records[0].body.as_deref(), Some("hello 0-60"));
    assert_eq!(records[0].headers.len(), 2);
    assert!(records[1].quarantined.as_deref().unwrap().contains("UTF-8"));
    assert_eq!(records[1].payload.as_deref(), Some(&b"\xff not json"[..]));
    let rows: Vec<_> =
        archive.read(&commits[0].files[0], Columns::Index).unwrap().map(Result::unwrap).collect();
    let columns = rows[0].index_rows().unwrap();
    let row = columns.row(0);
    assert_eq!((row.body, row.conversation), (Some("hello 0-60"), Some("c-88")));
    assert_eq!(columns.parties(0).count(), 2);
}

#[test]
fn a_span_that_does_not_follow_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (writer(dir.path()), writer(dir.path()));
    first.archive(&batch("a", &[(0, 0, 10)])).unwrap();
    // The second worker believes that nothing was archived yet.
    let error = second.archive(&batch("b", &[(0, 0, 10)])).unwrap_err();
    assert_eq!(error.kind, Kind::Fenced, "{error}");
    // A worker on another partition goes on over the other's commit.
    second.archive(&batch("c", &[(1, 0, 10)])).unwrap();
    let error = first.archive(&batch("d", &[(0, 20, 30)])).unwrap_err();
    assert_eq!(error.kind, Kind::Fenced, "{error}");
    first.archive(&batch("e", &[(0, 10, 20)])).unwrap();
    let report = check(dir.path());
    assert_eq!((report.problems, report.records), (vec![], 30));
}

#[test]
fn the_same_batch_twice_is_archived_once() {
    let dir = tempfile::tempdir().unwrap();
    let encoded = batch("a", &[(0, 0, 10)]);
    let version = writer(dir.path()).archive(&encoded).unwrap().version;
    let mut again = writer(dir.path());
    // A worker that was killed after its commit reads the next offset first.
    assert_eq!(again.next_offset(&partition(0)).unwrap(), Some(10));
    assert_eq!(again.archive(&encoded).unwrap_err().kind, Kind::Fenced);
    assert_eq!(version, 1);
    assert_eq!(check(dir.path()).records, 10);
}

#[test]
fn gaps_and_skips_are_facts() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = BatchBuilder::new("g".into());
    let incoming = Incoming { key: None, headers: &[], payload: Some(b"{}"), broker_time_ms: None };
    let gap = Gap { span: Span { from: 0, to: 5 }, reason: GapReason::BeforeFirstCapture, noticed_ms: 1 };
    builder.gap(&partition(0), gap).unwrap();
    builder.push(&partition(0), 5, 8, &incoming).unwrap();
    assert!(builder.push(&partition(0), 8, 11, &incoming).is_err(), "9 is next");
    builder.skip(&partition(0), 9, 12);
    writer(dir.path()).archive(&Encoded::new(builder.seal("default", 1).unwrap()).unwrap()).unwrap();
    let report = check(dir.path());
    assert_eq!(report.problems, []);
    assert_eq!((report.records, report.skipped, report.lost), (1, 6, 5));
    assert_eq!(report.next_offsets["federation.events:1:0"], 12);
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

/// Every data file: a flipped byte anywhere, a cut, a deletion are all named.
#[test]
fn damage_to_files_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    writer.archive(&batch("a", &[(0, 0, 10)])).unwrap();
    writer.archive(&batch("b", &[(0, 10, 20)])).unwrap();
    let mut all = Vec::new();
    files(&dir.path().join("archive"), &mut all);
    let data: Vec<_> = all.iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect();
    let data: Vec<_> =
        data.into_iter().filter(|path| !path.to_string_lossy().contains("_delta_log")).collect();
    assert_eq!(data.len(), 2);
    for path in data {
        let good = fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let named = |what: &str| {
            let report = check(dir.path());
            assert!(
                report.problems.iter().any(|problem| problem.place.contains(name)),
                "{what} of {name}: {report:?}"
            );
        };
        for at in (0..good.len()).step_by(good.len() / 40) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(path, bad).unwrap();
            named(&format!("bit at {at}"));
        }
        fs::write(path, &good[..good.len() / 2]).unwrap();
        named("cut");
        fs::remove_file(path).unwrap();
        named("deletion");
        fs::write(path, &good).unwrap();
        assert_eq!(check(dir.path()).problems, []);
    }
}

#[test]
fn a_missing_commit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    for n in 0..5 {
        writer.archive(&batch(&n.to_string(), &[(0, n * 10, n * 10 + 10)])).unwrap();
    }
    fs::remove_file(dir.path().join("archive/_delta_log/00000000000000000002.json")).unwrap();
    let archive = Archive::open(&location(dir.path()), &S3Settings::default()).unwrap();
    let report = verify(&archive, &mut |_| {}).unwrap();
    assert!(report.problems.iter().any(|problem| problem.place == "version 2"), "{report:?}");
}

fn fails(result: Result<Writer, Error>, expected: &str) {
    let Err(error) = result else { panic!("expected: {expected}") };
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn wrong_places_are_refused_clearly() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: PathBuf| {
        Writer::open(&Location::Folder(path), &S3Settings::default(), &WriterSettings::default())
    };
    fs::write(dir.path().join("holiday.jpg"), b"x").unwrap();
    fails(open(dir.path().join("holiday.jpg")), "is a file");
    fails(open(dir.path().to_path_buf()), "is not an archive");
    // A newer version's archive.
    let archive = dir.path().join("archive");
    drop(open(archive.clone()).unwrap());
    let first = archive.join("_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&first).unwrap();
    assert!(text.contains("\"custody.format\":\"1\""), "{text}");
    fs::write(&first, text.replace("\"custody.format\":\"1\"", "\"custody.format\":\"9\"")).unwrap();
    fails(open(archive.clone()), "newer custody");
    fs::write(&first, text.replace("custody.format", "other")).unwrap();
    fails(open(archive), "not a Custody archive");
    let missing = Archive::open(&Location::Folder(dir.path().join("none")), &S3Settings::default());
    assert!(missing.err().unwrap().to_string().contains("no archive"));
}

/// Payloads come back the same with templates and without; without, the file is larger.
#[test]
fn templates_change_the_size_and_nothing_else() {
    let build = |builder: BatchBuilder| {
        let mut builder = builder;
        for offset in 0..200 {
            let payload = EVENT.replace("ID", &offset.to_string());
            let incoming =
                Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
            builder.push(&partition(0), offset, offset, &incoming).unwrap();
        }
        Encoded::new(builder.seal("default", 1).unwrap()).unwrap()
    };
    let (cut, whole) =
        (build(BatchBuilder::new("a".into())), build(BatchBuilder::new("a".into()).verbatim()));
    assert!(cut.len() < whole.len(), "{} {}", cut.len(), whole.len());
    assert_eq!(cut.manifest, whole.manifest);
    let payloads = [cut, whole].map(|encoded| {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let file = writer.archive(&encoded).unwrap().file;
        assert_eq!(check(dir.path()).problems, []);
        let records = writer.reader().fetch(&file, &(0..200).collect::<Vec<_>>()).unwrap();
        records.into_iter().map(|record| record.payload).collect::<Vec<_>>()
    });
    assert_eq!(payloads[0], payloads[1]);
    assert_eq!(payloads[0][7].as_deref(), Some(EVENT.replace("ID", "7").as_bytes()));
}

const CALL: &str = r#"{"specversion":"1.0","id":"c","source":"//gw","type":"federation.call.ended.v1","time":"2013-05-29T09:15:02Z","data":{"from":{"network":"skype","address":"live:bob","scope":"federated"},"via":{"network":"skype","address":"gw7"},"client":"Lync/4","call":{"id":"k","media":["audio","video"],"invite_time":"2013-05-29T09:15:00Z","answer_time":"2013-05-29T09:15:01Z","end_time":"2013-05-29T09:15:02.5Z","response_code":200,"reason":"bye"}}}"#;
const FILE: &str = r#"{"specversion":"1.0","id":"f","source":"//gw","type":"federation.file.offered.v1","time":"2013-05-29T09:15:02Z","data":{"message":{"id":"m-2","in_reply_to":"m-1"},"file":{"id":"9","name":"plan.pdf","media_type":"application/pdf","size":5,"sha256":"ab","ref":"s3://x"}}}"#;

/// Read from the file and from memory alike: of a call and a file the members that are asked for.
#[test]
fn the_index_is_told_of_calls_files_and_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let settings = WriterSettings { recent_bytes_max: 1 << 20, ..WriterSettings::default() };
    let mut writer = Writer::open(&location(dir.path()), &S3Settings::default(), &settings).unwrap();
    let mut builder = BatchBuilder::new("k".into());
    for (offset, payload) in (0..).zip([CALL, FILE, "not json"]) {
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
        builder.push(&partition(0), offset, offset, &incoming).unwrap();
    }
    let file = writer.archive(&Encoded::new(builder.seal("default", 1_234).unwrap()).unwrap()).unwrap().file;
    for _ in ["from memory", "from the file"] {
        let rows: Vec<_> = writer.reader().read(&file, Columns::Index).unwrap().map(Result::unwrap).collect();
        let columns = rows[0].index_rows().unwrap();
        let [call, file, bad] = [0, 1, 2].map(|row| columns.row(row));
        let expected = CallRow {
            id: Some("k"),
            media: Some("audio,video"),
            duration_ms: Some(1_500),
            response_code: Some(200),
        };
        assert_eq!((call.call, call.file, call.client), (Some(expected), None, Some("Lync/4")));
        let parties: Vec<_> =
            columns.parties(0).map(|party| (party.relation_word, party.address, party.scope)).collect();
        assert_eq!(parties, [("from", Some("live:bob"), Some("federated")), ("via", Some("gw7"), None)]);
        let expected = FileRow {
            id: Some("9"),
            name: Some("plan.pdf"),
            media_type: Some("application/pdf"),
            sha256: Some("ab"),
        };
        assert_eq!((file.file, file.call), (Some(expected), None));
        assert_eq!((file.message_id, file.in_reply_to), (Some("m-2"), Some("m-1")));
        assert!(bad.quarantined && bad.reason.unwrap().contains("JSON"), "{bad:?}");
        assert_eq!((bad.call, bad.file, call.reason), (None, None, None));
        assert_eq!([&call, &file, &bad].map(|row| row.archived_ms), [Some(1_234); 3]);
    }
}

/// What the index takes from memory is what is in the file.
#[test]
fn rows_that_were_just_read_back_are_those_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let settings = WriterSettings { recent_bytes_max: 1 << 20, ..WriterSettings::default() };
    let mut writer = Writer::open(&location(dir.path()), &S3Settings::default(), &settings).unwrap();
    let file = writer.archive(&batch("a", &[(0, 0, 30), (1, 0, 5)])).unwrap().file;
    let reader = writer.reader();
    let rows = || {
        let rows: Vec<_> = reader.read(&file, Columns::Index).unwrap().map(Result::unwrap).collect();
        let shown = rows.iter().flat_map(|rows| {
            let columns = rows.index_rows().unwrap();
            let parties = |row| columns.parties(row).collect::<Vec<_>>();
            (0..rows.len())
                .map(|row| format!("{:?} {:?}", columns.row(row), parties(row)))
                .collect::<Vec<_>>()
        });
        shown.collect::<Vec<_>>()
    };
    let (first, second) = (rows(), rows());
    assert_eq!((first.len(), &first), (35, &second));
}
