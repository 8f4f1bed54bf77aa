//! Single records: whichever rows are asked for, however often, by how many threads, and however little
//! is remembered, they are what was archived, or an error.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use custody_archive::{
    Archive, BatchBuilder, CompactSettings, Compactor, Encoded, FileRef, Kind, Location, ReadSettings,
    S3Settings, Store, Writer, WriterSettings,
};
use custody_schemas::{Incoming, Partition};

/// Some pages of every column.
const ROWS: i64 = 5_000;
const LATER_MS: i64 = 4_000_000_000_000;
const NOTHING: ReadSettings = ReadSettings { ends_bytes_max: 0, pages_bytes_max: 0 };
const LITTLE: ReadSettings = ReadSettings { ends_bytes_max: 300_000, pages_bytes_max: 300_000 };

fn location(dir: &Path) -> Location {
    Location::Folder(dir.to_owned())
}

fn payload(offset: i64) -> String {
    let text = "what is said ".repeat(usize::try_from(offset % 7).unwrap());
    let call = if offset % 5 == 0 { r#","call":{"id":"k","media":["audio"]}"# } else { "" };
    let to = r#"{"network":"lync","address":"sip:alice@contoso.example"},"#.repeat(offset as usize % 3);
    format!(
        r#"{{"specversion":"1.0","id":"{offset}","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02Z","data":{{"to":[{to}{{"address":"x{}"}}],"message":{{"id":"m{offset}","text":"{text}{offset}"}}{call}}}}}"#,
        offset % 100
    )
}

fn archived(dir: &Path, batches: i64) {
    let partition = Partition { topic: "events".into(), generation: 1, partition: 0 };
    let mut writer =
        Writer::open(&location(dir), &S3Settings::default(), &WriterSettings::default()).unwrap();
    for batch in 0..batches {
        let mut builder = BatchBuilder::new(format!("b{batch}"));
        for offset in batch * ROWS..(batch + 1) * ROWS {
            let payload = payload(offset);
            let bytes = if offset % 11 == 3 { &b"\xff not json"[..] } else { payload.as_bytes() };
            let incoming = Incoming { key: None, headers: &[], payload: Some(bytes), broker_time_ms: None };
            builder.push(&partition, offset, offset, &incoming).unwrap();
        }
        writer.archive(&Encoded::new(builder.seal("default", 1_400_000_000_000).unwrap()).unwrap()).unwrap();
    }
}

fn opened(dir: &Path, settings: &ReadSettings) -> (Archive, Vec<FileRef>) {
    let archive = Archive::open(&location(dir), &S3Settings::default()).unwrap().remembering(settings);
    let batches = archive.batches().unwrap().into_iter().map(|(_, batch)| batch).collect();
    (archive, batches)
}

/// The rows of the batch that begins at `first` are what was archived.
fn check(archive: &Archive, batch: &FileRef, first: i64, rows: &[u64]) {
    let records = archive.fetch(batch, rows).unwrap();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(rows) {
        let offset = first + i64::try_from(*row).unwrap();
        assert_eq!(record.position.offset, offset);
        if offset % 11 == 3 {
            assert_eq!(record.payload.as_deref(), Some(&b"\xff not json"[..]));
        } else {
            assert_eq!(record.payload.as_deref(), Some(payload(offset).as_bytes()));
            assert_eq!((&*record.id, record.call.is_some()), (&*offset.to_string(), offset % 5 == 0));
        }
    }
}

fn check_all(dir: &Path) {
    let asked: Vec<Vec<u64>> = vec![
        vec![],
        vec![0],
        vec![4_999],
        vec![4_095, 4_096],
        (0..5_000).step_by(700).collect(),
        (1_000..1_100).collect(),
        (0..5_000).step_by(7).collect(),
        vec![2, 3, 4, 2_000],
    ];
    for settings in [NOTHING, LITTLE, ReadSettings::default()] {
        let (archive, batches) = opened(dir, &settings);
        thread::scope(|scope| {
            for thread in 0..3 {
                let (archive, batches, asked) = (archive.clone(), &batches, &asked);
                scope.spawn(move || {
                    for nth in 0..asked.len() {
                        for (batch, first) in batches.iter().zip((0..).step_by(ROWS as usize)) {
                            check(&archive, batch, first, &asked[(nth + thread) % asked.len()]);
                        }
                    }
                });
            }
        });
        let error = archive.fetch(&batches[batches.len() - 1], &[4_999, 5_000]).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt, "{error}");
    }
}

#[test]
fn rows_are_what_was_archived() {
    let dir = tempfile::tempdir().unwrap();
    archived(dir.path(), 2);
    check_all(dir.path());
    let store = Arc::new(Store::open(&location(dir.path()), &S3Settings::default()).unwrap());
    let mut compactor = Compactor::open(store, CompactSettings::default()).unwrap();
    assert_eq!(compactor.step(LATER_MS).unwrap().compacted.unwrap().batches, 2);
    check_all(dir.path());
}

/// One byte of the file is wrong: records are right or an error, and right when the byte is.
#[test]
fn what_was_read_wrong_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    archived(dir.path(), 1);
    let rows: Vec<u64> = (3..5_000).step_by(1_000).collect();
    let path = dir.path().join(&opened(dir.path(), &NOTHING).1[0].path);
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for at in (0..whole.len()).step_by(whole.len() / 100) {
        let (archive, batches) = opened(dir.path(), &ReadSettings::default());
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        match archive.fetch(&batches[0], &rows) {
            Ok(_) => check(&archive, &batches[0], 0, &rows),
            Err(error) => {
                assert_eq!(error.kind, Kind::Corrupt, "{error}");
                errors += 1;
            }
        }
        fs::write(&path, &whole).unwrap();
        check(&archive, &batches[0], 0, &rows);
    }
    assert!(errors > 5, "{errors}");
}
