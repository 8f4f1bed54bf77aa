//! Records read value by value are those that the `parquet` crate reads, or an error.

mod events;

use std::sync::Arc;

use bytes::Bytes;
use custody_schemas::Span;
use custody_schemas::manifest::{Gap, GapReason};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;

use self::events::{Random, partition};
use super::fields::{FIELDS, Kind, Nesting};
use super::header::{self, Header, Holds};
use super::levels::Entry;
use super::values::Page;
use crate::batch::BatchBuilder;
use crate::compact::{CompactSettings, Compactor};
use crate::groups::Input;
use crate::log::FileRef;
use crate::read::{Archive, Columns};
use crate::record::Record;
use crate::record::tests::by_columns;
use crate::scattered::ReadSettings;
use crate::store::{Location, S3Settings, Store};
use crate::writer::{Encoded, Writer, WriterSettings};

const LATER_MS: i64 = 4_000_000_000_000;
const NOTHING: ReadSettings = ReadSettings { ends_bytes_max: 0, pages_bytes_max: 0 };

/// Batches of messages at random, the first with a gap.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(seed: u64, batches: usize, rows: u64) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        let mut random = Random(seed);
        let (location, s3) = (world.location(), S3Settings::default());
        let mut writer = Writer::open(&location, &s3, &WriterSettings::default()).unwrap();
        let mut nexts = [0; 2];
        for batch in 0..batches {
            let mut builder = BatchBuilder::new(format!("batch-{batch}"));
            if batch == 0 {
                let (span, reason) = (Span { from: 0, to: 3 }, GapReason::DeletedByRetention);
                builder.gap(&partition(2), Gap { span, reason, noticed_ms: 1_400_000_000_000 }).unwrap();
            }
            for nth in 0..rows {
                let offset = batch as i64 * rows as i64 + nth as i64;
                let number = random.below(2);
                let next = std::mem::replace(&mut nexts[number as usize], offset + 1);
                let partition = partition(number as i32);
                random.message(|incoming| builder.push(&partition, next, offset, incoming).unwrap());
            }
            writer
                .archive(&Encoded::new(builder.seal("default", 1_400_000_000_000).unwrap()).unwrap())
                .unwrap();
        }
        world
    }

    fn location(&self) -> Location {
        Location::Folder(self.dir.path().to_owned())
    }

    fn compact(&self) {
        let store = Arc::new(Store::open(&self.location(), &S3Settings::default()).unwrap());
        let mut compactor = Compactor::open(store, CompactSettings::default()).unwrap();
        assert!(compactor.step(LATER_MS).unwrap().compacted.is_some());
    }

    fn archive(&self) -> (Archive, Vec<FileRef>) {
        let archive = Archive::open(&self.location(), &S3Settings::default()).unwrap();
        let files = archive.batches().unwrap().into_iter().map(|(_, file)| file).collect();
        (archive, files)
    }

    /// Every way to read gives the same records; how many row groups the files have together.
    fn check(&self, random: &mut Random) -> usize {
        let (archive, files) = self.archive();
        let little =
            archive.clone().remembering(&ReadSettings { ends_bytes_max: 300_000, pages_bytes_max: 100_000 });
        let none = archive.clone().remembering(&NOTHING);
        let mut groups = 0;
        for file in files {
            let expected = all(&archive, &file);
            let first = file.first_row.unwrap_or(0);
            let rows: Vec<u64> = (0..file.manifest.rows).filter(|_| random.below(7) < 2).collect();
            let in_file: Vec<u64> = rows.iter().map(|row| first + row).collect();
            let of = |records: Vec<Record>| {
                assert_eq!(records.len(), rows.len());
                for (record, row) in records.into_iter().zip(&rows) {
                    assert_eq!(record, expected[*row as usize], "row {row} of {}", file.path);
                }
            };
            for archive in [&archive, &archive, &little, &none] {
                let (file, input) = archive.open_file(&file).unwrap();
                let end = archive.end(&file, &input).unwrap();
                let records = archive.row_by_row(&file, &end, &input, &in_file).unwrap();
                of(records.expect("it is written as this archive writes"));
                of(archive.of_groups(&file, input, &in_file).unwrap());
                groups = groups.max(end.groups());
            }
        }
        groups
    }
}

/// Every record of a batch by way of all columns.
fn all(archive: &Archive, file: &FileRef) -> Vec<Record> {
    let mut records = Vec::new();
    for rows in archive.read(file, Columns::Leaves).unwrap() {
        records.extend(by_columns(&rows.unwrap(), file).unwrap());
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn records_are_those_of_all_columns(seed: u64, batches in 2_usize..4, rows in 1_u64..400) {
        let world = World::new(seed, batches, rows);
        world.check(&mut Random(seed));
        world.compact();
        world.check(&mut Random(seed));
    }

    /// Whatever the bytes are, values are found or refused.
    #[test]
    fn any_page_is_read_or_refused(
        bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()], 0..200),
        levels: bool,
        values in prop_oneof![0_u32..70, 0_u32..5_000],
    ) {
        let _ = Header::read(&bytes);
        let holds = if levels { Holds::Values } else { Holds::Dictionary };
        for encoding in [
            header::Encoding::Plain,
            header::Encoding::Dictionary,
            header::Encoding::DeltaPacked,
            header::Encoding::DeltaLengths,
        ] {
            let (whole, stored, len) = (bytes.len(), bytes.len(), 0);
            let header = Header { holds, encoding, values, whole, stored, len };
            for nesting in [Nesting::Row, Nesting::Member, Nesting::Listed] {
                for kind in [Kind::Bytes, Kind::Small, Kind::Number] {
                    if let Ok(page) = Page::read(Bytes::from(bytes.clone()), &header, nesting, kind) {
                        read_all(&page);
                    }
                }
            }
        }
    }
}

fn read_all(page: &Page) {
    for value in (0..80).chain([u32::MAX]) {
        let _ = (page.bytes_of(Some(page), value), page.number_of(Some(page), value));
        let Some(levels) = &page.levels else { continue };
        if let Ok(Some(value)) = levels.value(&page.bytes, value) {
            let _ = page.bytes_of(None, value);
        }
        if let Ok(entries) = levels.entries(&page.bytes, value) {
            for at in entries.take(100) {
                if let Ok(Entry::Value(value)) = levels.entry(&page.bytes, at) {
                    let _ = page.number_of(None, value);
                }
            }
        }
    }
}

/// A batch has dictionaries that are full, and a compacted file several row groups.
#[test]
fn full_dictionaries_and_many_row_groups() {
    let world = World::new(7, 2, 6_000);
    let (archive, files) = world.archive();
    let (file, input) = archive.open_file(&files[0]).unwrap();
    let end = archive.end(&file, &input).unwrap();
    let (keys, _) = end.places.as_ref().unwrap().chunk(0, super::fields::KEY).unwrap();
    // More than a dictionary may have: what follows is plain.
    assert!(keys.whole > 5 << 18);
    // What is remembered of a file's end is a small part of it.
    let whole = archive.scattered.whole(&file.path, &input).unwrap().memory_size();
    assert!(end.bytes() < whole / 5, "{} of {whole} bytes", end.bytes());
    world.check(&mut Random(1));
    world.compact();
    assert!(world.check(&mut Random(2)) > 1);
}

/// One bit of a file is wrong: its records are right, or an error that names the file.
#[test]
fn damage_is_an_error_or_harmless() {
    let flips = std::env::var("CUSTODY_SWEEP_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let world = World::new(3, 2, 40);
    for is_compacted in [false, true] {
        if is_compacted {
            world.compact();
        }
        let (archive, files) = world.archive();
        let archive = archive.remembering(&NOTHING);
        let (file, _) = archive.open_file(&files[0]).unwrap();
        let rows: Vec<u64> = (0..file.manifest.rows).step_by(4).collect();
        let good = archive.bytes(&file.path).unwrap();
        let expected = archive.fetch(&file, &rows).unwrap();
        let (mut errors, mut right) = (0, 0);
        for at in (0..good.len()).step_by((good.len() / flips).max(1)) {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << (at % 8);
            match archive.fetch_from(&file, Input::Memory(bad.into()), &rows) {
                Ok(records) => {
                    assert_eq!(records, expected, "byte {at}");
                    right += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains(&file.path), "byte {at}: {error}");
                    errors += 1;
                }
            }
        }
        assert!(errors > 100 && right > 100, "{errors} errors, {right} right");
    }
}

/// What others write is read as well, by the `parquet` crate where it is not written as here.
#[test]
fn files_of_others_are_read() {
    let world = World::new(11, 1, 300);
    let (archive, files) = world.archive();
    let archive = archive.remembering(&NOTHING);
    let file = &files[0];
    let expected = all(&archive, file);
    let rows: Vec<u64> = (0..file.manifest.rows).step_by(3).collect();
    let of_rows: Vec<Record> = rows.iter().map(|row| expected[*row as usize].clone()).collect();
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
    let builder = WriterProperties::builder;
    for (what, properties, ours) in [
        ("as it comes", builder(), true),
        ("small pages", builder().set_data_page_row_count_limit(7).set_write_batch_size(7), true),
        ("compressed", builder().set_compression(zstd), true),
        ("no dictionaries", builder().set_dictionary_enabled(false).set_compression(zstd), true),
        ("no offset index", builder().set_offset_index_disabled(true), false),
        ("other pages", builder().set_writer_version(WriterVersion::PARQUET_2_0), false),
        (
            "another encoding",
            builder()
                .set_column_dictionary_enabled("key".into(), false)
                .set_column_encoding("key".into(), Encoding::DELTA_BYTE_ARRAY),
            false,
        ),
    ] {
        let mut writer: Option<ArrowWriter<Vec<u8>>> = None;
        for rows in archive.read(file, Columns::All).unwrap() {
            let rows = rows.unwrap();
            let writer = writer.get_or_insert_with(|| {
                ArrowWriter::try_new(Vec::new(), rows.batch().schema(), Some(properties.clone().build()))
                    .unwrap()
            });
            writer.write(rows.batch()).unwrap();
        }
        let bytes = Bytes::from(writer.unwrap().into_inner().unwrap());
        let input = || Input::Memory(bytes.clone());
        let end = archive.end(file, &input()).unwrap();
        let records = archive.row_by_row(file, &end, &input(), &rows).unwrap();
        assert_eq!(records.is_some(), ours, "{what}");
        assert_eq!(archive.fetch_from(file, input(), &rows).unwrap(), of_rows, "{what}");
        assert!(records.is_none_or(|records| records == of_rows), "{what}");
    }
}

/// A column of another form is for the `parquet` crate as well.
#[test]
fn fields_are_numbered_in_order() {
    assert_eq!(FIELDS.len(), super::fields::FIELDS_LEN);
    for (field, path) in [(super::fields::LEAF_CHECK, "leaf_check"), (super::fields::TEMPLATE, "template")] {
        assert_eq!(FIELDS[field].path, path);
    }
}
