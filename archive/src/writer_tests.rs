use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, StringArray};
use arrow_schema::DataType;
use custody_schemas::{Incoming, Position};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::batch::BatchBuilder;
use crate::columns::SCHEMA;
use crate::encode::{Effort, Sequences, properties};
use crate::verify;

#[test]
fn months() {
    for (ms, expected) in [
        (0, "1970-01"),
        (-1, "1969-12"),
        (951_782_400_000, "2000-02"),
        (951_868_800_000, "2000-03"),
        (1_369_818_902_123, "2013-05"),
        (4_102_444_799_999, "2099-12"),
    ] {
        assert_eq!(month(ms), expected);
    }
}

fn payload(offset: i64) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e{offset}","source":"//gw","type":"federation.im.message.sent.v1","tenant":"contoso.example"}}"#
    )
}

fn partition() -> Partition {
    Partition { topic: "t".into(), generation: 1, partition: 0 }
}

fn sealed(batch: BatchBuilder) -> Sealed {
    let mut batch = batch;
    for offset in 0..3 {
        let payload = payload(offset);
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
        batch.push(&partition(), offset, offset, &incoming).unwrap();
    }
    batch.seal("default", 7).unwrap()
}

/// The file of a batch with other rows in it than were sealed, as a fault of ours would make it.
fn miswritten(change: impl Fn(RecordBatch) -> RecordBatch) -> Encoded {
    let Sealed { manifest, mut rows, .. } = sealed(BatchBuilder::new("bad".into()));
    let mut file = ArrowWriter::try_new(
        Vec::new(),
        Arc::clone(&SCHEMA),
        Some(properties(Effort::Soon, Sequences::Rising).unwrap()),
    )
    .unwrap();
    file.write(&change(rows.remove(0).finish(7_000).unwrap())).unwrap();
    of_bytes(manifest, file.into_inner().unwrap())
}

fn of_bytes(manifest: Manifest, bytes: Vec<u8>) -> Encoded {
    let sha256 = Hash::of(&bytes);
    let path = format!("retention_class=default/archive_month=1970-01/bad-{sha256}.parquet");
    Encoded { manifest, path, sha256, bytes: bytes.into() }
}

/// With every template changed; there are some.
fn templates(rows: &RecordBatch, change: impl Fn(&str) -> String) -> RecordBatch {
    let at = SCHEMA.index_of("template").unwrap();
    let old = arrow_cast::cast(rows.column(at), &DataType::Utf8).unwrap();
    let old = old.as_string::<i32>();
    let new: StringArray = old.iter().map(|template| template.map(&change)).collect();
    assert_ne!(&new, old);
    let mut columns = rows.columns().to_vec();
    columns[at] = arrow_cast::cast(&new, rows.column(at).data_type()).unwrap();
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// A file that does not give back its records is never live, whatever is wrong with it; the same
/// records are archived from another.
#[test]
fn a_file_that_does_not_give_back_its_records_is_rejected() {
    let same = miswritten(|rows| rows);
    let cases = [
        ("another text", miswritten(|rows| templates(&rows, |text| text.replace("//gw", "//wg") + " "))),
        ("a hole of no column", miswritten(|rows| templates(&rows, |text| format!("{text}\u{1}?")))),
        ("a hole of an empty column", miswritten(|rows| templates(&rows, |text| format!("{text}\u{1}b")))),
        ("a row less", miswritten(|rows| rows.slice(0, 2))),
        ("no Parquet", of_bytes(same.manifest.clone(), b"PAR1".to_vec())),
    ];
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let mut rejected = Vec::new();
    for (what, encoded) in cases {
        let error = writer.archive(&encoded).unwrap_err();
        assert_eq!(error.kind, Kind::Unfaithful, "{what}: {error}");
        assert!(error.to_string().contains(&encoded.path), "{what}: {error}");
        rejected.push(encoded.path);
        let report = verify::verify(&writer.reader(), &mut |_| {}).unwrap();
        assert_eq!((report.problems, report.records), (Vec::new(), 0), "{what}");
        rejected.sort();
        assert_eq!(report.unreferenced, rejected, "{what}");
        assert_eq!((writer.version(), writer.next_offset(&partition()).unwrap()), (0, None), "{what}");
    }

    let encoded = Encoded::new(sealed(BatchBuilder::new("good".into()).verbatim())).unwrap();
    let committed = writer.archive(&encoded).unwrap();
    let rows = crate::read::parquet_as_json(encoded.path(), encoded.bytes.clone()).unwrap();
    assert!(rows.iter().all(|row| row.get("template").is_none()), "{rows:?}");
    let archive = writer.reader();
    for offset in 0..3 {
        let position = Position { partition: partition(), offset };
        let (file, row) = archive.locate(&position).unwrap().unwrap();
        assert_eq!(file.path, committed.file.path);
        let record = archive.fetch(&file, &[row]).unwrap().remove(0);
        assert_eq!(record.payload.as_deref(), Some(payload(offset).as_bytes()));
    }
    // What was changed in the others is all that was wrong with them.
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    writer.archive(&same).unwrap();
}
