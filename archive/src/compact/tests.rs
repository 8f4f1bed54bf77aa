//! Compaction at the compactor's boundary: nothing changes but where batches are.

use std::fs;
use std::path::{Path, PathBuf};

use custody_schemas::{Incoming, Partition};
use serde_json::{Value, json};

use super::rewrite::Rewritten;
use super::*;
use crate::batch::BatchBuilder;
use crate::read::{Archive, Columns};
use crate::record::Record;
use crate::store::{Location, S3Settings};
use crate::verify::verify;
use crate::writer::{Encoded, Writer, WriterSettings};

pub(super) const DAY_MS: i64 = 86_400_000;
/// 2014-05-13.
const THEN: i64 = 1_400_000_000_000;
pub(super) const LATER: i64 = THEN + DAY_MS;

const EVENT: &str = r#"{"id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02Z","data":{"message":{"id":"mID","text":"hello ID"}}}"#;

fn partition(number: i32) -> Partition {
    Partition { topic: "t".into(), generation: 1, partition: number }
}

pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    writer: Writer,
    next: i64,
}

impl World {
    pub(super) fn new() -> World {
        World::over(tempfile::tempdir().unwrap())
    }

    /// With what the folder holds already.
    pub(super) fn over(dir: tempfile::TempDir) -> World {
        let location = Location::Folder(dir.path().join("archive"));
        let settings = WriterSettings { checkpoint_every: 7, ..WriterSettings::default() };
        let writer = Writer::open(&location, &S3Settings::default(), &settings).unwrap();
        World { dir, writer, next: 0 }
    }

    fn encoded(&self, rows: i64, class: &str, sealed_ms: i64) -> Encoded {
        let mut builder = BatchBuilder::new(format!("batch-{}", self.next));
        for number in 0..2 {
            for offset in self.next..self.next + rows {
                let payload = EVENT.replace("ID", &format!("{number}-{offset}"));
                let payload =
                    if offset % 5 == 3 { Some(&b"\xff not json"[..]) } else { Some(payload.as_bytes()) };
                let headers = [("a", Some(&b"b"[..]))];
                let incoming =
                    Incoming { key: Some(b"k"), headers: &headers, payload, broker_time_ms: Some(offset) };
                builder.push(&partition(number), offset, offset, &incoming).unwrap();
            }
            builder.skip(&partition(number), self.next + rows, self.next + rows + 1);
        }
        Encoded::new(builder.seal(class, sealed_ms).unwrap()).unwrap()
    }

    fn batch(&mut self, rows: i64, class: &str, sealed_ms: i64) {
        let encoded = self.encoded(rows, class, sealed_ms);
        self.writer.archive(&encoded).unwrap();
        self.next += rows + 1;
    }

    pub(super) fn batches(&mut self, many: usize) {
        (0..many).for_each(|_| self.batch(3, "default", THEN));
    }

    pub(super) fn store(&self) -> Arc<Store> {
        let location = Location::Folder(self.dir.path().join("archive"));
        Arc::new(Store::open(&location, &S3Settings::default()).unwrap())
    }

    pub(super) fn compactor(&self) -> Compactor {
        Compactor::open(self.store(), CompactSettings::default()).unwrap()
    }

    pub(super) fn archive(&self) -> Archive {
        self.writer.reader()
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join("archive").join(relative)
    }

    /// Verifies; files, batches and records.
    pub(super) fn check(&self) -> (u64, u64, u64) {
        let report = verify(&self.archive(), &mut |_| {}).unwrap();
        assert_eq!(report.problems, []);
        (report.files, report.batches, report.records)
    }

    fn unreferenced(&self) -> Vec<String> {
        verify(&self.archive(), &mut |_| {}).unwrap().unreferenced
    }

    /// Every record, and the rows of the index, without where they are.
    pub(super) fn content(&self) -> Vec<String> {
        let archive = self.archive();
        let mut content = Vec::new();
        for (version, file) in archive.batches().unwrap() {
            content.push(format!("version {version} {:?}", file.manifest));
            let rows: Vec<u64> = (0..file.manifest.rows).collect();
            let records = archive.fetch(&file, &rows).unwrap().into_iter();
            content.extend(records.map(|record| format!("{:?}", Record { file: String::new(), ..record })));
            for rows in archive.read(&file, Columns::Index).unwrap() {
                let rows = rows.unwrap();
                let columns = rows.index_rows().unwrap();
                let parties = |row| columns.parties(row).collect::<Vec<_>>();
                content
                    .extend((0..rows.len()).map(|row| format!("{:?} {:?}", columns.row(row), parties(row))));
            }
        }
        content
    }
}

pub(super) fn data_files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.join("archive")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "parquet") => {
                    found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
                }
                false => {}
            }
        }
    }
    found.retain(|name| !name.contains(".checkpoint."));
    found.sort();
    found
}

/// Steps until nothing is due.
pub(super) fn settle(compactor: &mut Compactor, now_ms: i64) -> Vec<Done> {
    let mut all = Vec::new();
    loop {
        all.push(compactor.step(now_ms).unwrap());
        assert!(all.len() < 100, "{all:?}");
        if !all.last().unwrap().more {
            return all;
        }
    }
}

#[test]
fn many_small_files_become_one_and_nothing_else_changes() {
    let mut world = World::new();
    world.batches(20);
    let before = world.content();
    assert_eq!(world.check(), (20, 20, 120));
    let mut compactor = world.compactor();
    // The day goes on, but a tier is full.
    let made = compactor.step(THEN + 1).unwrap().compacted.unwrap();
    assert_eq!((made.files, made.batches, made.records), (20, 20, 120));
    assert!(!compactor.step(LATER).unwrap().more);
    assert_eq!(world.check(), (1, 20, 120));
    assert_eq!(world.content(), before);
    // Replaced files are there until their grace is over, and are not told as strays.
    assert_eq!(data_files(world.dir.path()).len(), 21);
    assert_eq!(world.unreferenced(), Vec::<String>::new());
    let removed: usize = settle(&mut compactor, LATER + DAY_MS).iter().map(|done| done.removed.len()).sum();
    assert_eq!(removed, 20);
    assert_eq!(data_files(world.dir.path()).len(), 1);
    assert_eq!(world.check(), (1, 20, 120));
    assert_eq!(world.content(), before);
    // Nothing is left to do, for this compactor and for one that is opened now.
    assert_eq!(settle(&mut compactor, LATER + 9 * DAY_MS).len(), 1);
    let done = settle(&mut world.compactor(), LATER + 9 * DAY_MS);
    assert_eq!((done.len(), done[0].removed.len(), done[0].strays.len()), (1, 0, 0));
}

#[test]
fn classes_and_months_stay_apart() {
    let mut world = World::new();
    for _ in 0..3 {
        world.batch(2, "default", THEN);
        world.batch(2, "other", THEN);
    }
    (0..3).for_each(|_| world.batch(2, "default", THEN + 31 * DAY_MS));
    let before = world.content();
    let due = world.compactor().due(THEN + 90 * DAY_MS).unwrap();
    let groups: Vec<_> = due
        .compactions
        .iter()
        .map(|due| (due.retention_class.as_str(), due.archive_month.as_str(), due.files.len()))
        .collect();
    assert_eq!(groups, [("default", "2014-05", 3), ("default", "2014-06", 3), ("other", "2014-05", 3)]);
    assert_eq!(world.check().0, 9, "looking does nothing");
    settle(&mut world.compactor(), THEN + 90 * DAY_MS);
    assert_eq!(world.check(), (3, 9, 36));
    assert_eq!(world.content(), before);
}

/// The first file of a compaction may be compacted again, beside a worker that goes on.
#[test]
fn compactions_of_compactions_beside_a_worker() {
    let mut world = World::new();
    let mut compactor = world.compactor();
    let mut expected = 0;
    for day in 0..6 {
        for _ in 0..5 {
            world.batch(2, "default", THEN + day * DAY_MS);
            expected += 4;
        }
        settle(&mut compactor, THEN + (day + 1) * DAY_MS);
        assert_eq!(world.check(), ((day + 1) as u64, (day as u64 + 1) * 5, expected));
    }
    let before = world.content();
    settle(&mut compactor, THEN + 40 * DAY_MS);
    assert_eq!(world.check(), (1, 30, 120));
    assert_eq!(world.content(), before);
    // The worker's table follows, and its checkpoints are right: `check` reads them.
    (0..10).for_each(|_| world.batch(2, "default", THEN + 41 * DAY_MS));
    assert_eq!(world.check(), (11, 40, 160));
}

/// A crash between the put and the commit leaves a file that the same compaction finds again.
#[test]
fn a_compaction_that_was_cut_short_is_made_again() {
    let mut world = World::new();
    world.batches(5);
    let before = world.content();
    let mut first = world.compactor();
    first.catch_up(LATER).unwrap();
    let (_, files) = first.first_due(LATER).unwrap();
    let sources: Vec<_> = files.into_iter().map(|file| first.source(file).ok().unwrap()).collect();
    let made = rewrite(&first.store, &sources).ok().unwrap();
    drop(first);
    assert_eq!(world.unreferenced(), std::slice::from_ref(&made.file.path));
    // Its sources are live: it may be committed yet, and stays.
    let mut second = world.compactor();
    second.catch_up(LATER).unwrap();
    assert!(second.removable(LATER + 9 * DAY_MS).unwrap().is_empty());
    let done = second.step(LATER).unwrap();
    assert_eq!(done.compacted.unwrap().path, made.file.path);
    assert_eq!(world.content(), before);
    assert_eq!(world.check().0, 1);
    // One that was prepared for the same files by another finds them replaced.
    let mut third = world.compactor();
    third.catch_up(LATER).unwrap();
    let file = crate::log::CommitFile { path: "other".into(), ..made.file.clone() };
    let other = Rewritten { file, compacted: made.compacted.clone() };
    assert_eq!(third.commit(&other, &[1; 5], LATER).unwrap(), None);
    // And the same file is not committed twice.
    assert_eq!(third.commit(&made, &[1; 5], LATER).unwrap(), Some(6));
    assert_eq!(world.writer.reader().refresh().unwrap(), 6);
}

#[test]
fn two_compactors_and_a_worker_at_once() {
    let mut world = World::new();
    world.batches(40);
    let before = world.content();
    let mut compactors = [world.compactor(), world.compactor(), world.compactor()];
    std::thread::scope(|scope| {
        for compactor in &mut compactors {
            scope.spawn(move || {
                for _ in 0..10 {
                    settle(compactor, LATER);
                }
            });
        }
        for _ in 0..10 {
            world.batch(1, "other", LATER);
        }
    });
    let (files, batches, records) = world.check();
    assert_eq!((batches, records), (50, 260));
    assert!(files <= 11, "{files}");
    assert_eq!(world.content()[..before.len()], before);
    settle(&mut world.compactor(), LATER + 3 * DAY_MS);
    assert_eq!(world.unreferenced(), Vec::<String>::new());
    assert_eq!(world.check().2, 260);
}

#[test]
fn what_is_damaged_is_not_compacted() {
    let mut world = World::new();
    world.batches(6);
    let path = world.path(&world.archive().batches().unwrap()[2].1.path);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut compactor = world.compactor();
    let error = compactor.step(LATER).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
    // It is left alone, its neighbours are not.
    let made: Vec<_> = settle(&mut compactor, LATER)
        .into_iter()
        .filter_map(|done| done.compacted)
        .map(|made| made.files)
        .collect();
    assert_eq!(made, [2, 3]);
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(world.check(), (3, 6, 36));
}

/// The files that were replaced are the last good ones when the new one is damaged.
#[test]
fn files_stay_while_what_replaced_them_is_damaged() {
    let mut world = World::new();
    world.batches(3);
    let mut compactor = world.compactor();
    let made = compactor.step(LATER).unwrap().compacted.unwrap();
    let path = world.path(&made.path);
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[1..]).unwrap();
    let error = compactor.step(LATER + DAY_MS).unwrap_err();
    assert!(error.to_string().contains("kept"), "{error}");
    assert_eq!(data_files(world.dir.path()).len(), 4);
    fs::write(&path, &good).unwrap();
    assert_eq!(compactor.step(LATER + DAY_MS).unwrap().removed.len(), 3);
}

#[test]
fn strays_are_removed_when_nothing_can_commit_them() {
    let mut world = World::new();
    world.batches(1);
    let store = world.store();
    let put = |name: &str, bytes: &[u8]| {
        let path = format!("retention_class=default/archive_month=2014-05/{name}");
        store.put(&path, bytes.to_vec()).unwrap();
        path
    };
    // What a worker wrote and did not commit yet.
    let open = world.encoded(2, "default", THEN);
    store.put(open.path(), open.bytes().to_vec()).unwrap();
    let odd = put("odd.parquet", b"no file of ours");
    let temporary = world.path("retention_class=default/archive_month=2014-05/.custody-x#tmp");
    fs::write(&temporary, "half").unwrap();
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let done = world.compactor().step(now_ms).unwrap();
    assert_eq!((done.strays, done.unreadable), (vec![], vec![odd.clone()]));
    assert!(temporary.exists());
    // Another worker archived its offsets: the fence refuses it for ever.
    world.batch(4, "other", THEN);
    let mut compactor = world.compactor();
    let due = compactor.due(now_ms).unwrap();
    assert_eq!(due.removable, [open.path().to_owned()]);
    assert_eq!(compactor.step(now_ms).unwrap().strays, [open.path().to_owned()]);
    let strays = world.compactor().step(now_ms + 2 * DAY_MS).unwrap().strays;
    assert!(strays.len() == 1 && strays[0].ends_with("#tmp"), "{strays:?}");
    assert!(!temporary.exists() && world.path(&odd).exists());
    assert_eq!(world.check().1, 2);
}

/// Whoever holds on to a place for longer than the grace finds the records again.
#[test]
fn a_place_that_is_gone_is_found_in_the_log() {
    let mut world = World::new();
    world.batches(4);
    let archive = world.archive();
    let old = archive.batches().unwrap();
    let fetch = || {
        let each = old.iter().map(|(_, file)| archive.fetch(file, &[0, 4]).unwrap());
        each.flatten().map(|record| (record.position, record.payload)).collect::<Vec<_>>()
    };
    let before = fetch();
    let mut compactor = world.compactor();
    settle(&mut compactor, LATER);
    assert_eq!(fetch(), before);
    settle(&mut compactor, LATER + DAY_MS);
    assert!(!world.path(&old[0].1.path).exists());
    assert_eq!(fetch(), before);
    let (file, row) = archive.locate(&before[3].0).unwrap().unwrap();
    assert!(file.path.contains("compacted-") && row == 4, "{file:?}");
    // A file that no compaction replaced is missing.
    fs::remove_file(world.path(&file.path)).unwrap();
    let error = archive.fetch(&old[0].1, &[0]).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    let report = verify(&archive, &mut |_| {}).unwrap();
    assert!(report.problems.iter().any(|problem| problem.place == file.path), "{report:?}");
}

/// Batches without rows have a place too.
#[test]
fn batches_without_rows_are_carried_on() {
    let mut world = World::new();
    for rows in [0, 2, 0, 0, 3, 0] {
        world.batch(rows, "default", THEN);
    }
    let before = world.content();
    assert_eq!(settle(&mut world.compactor(), LATER)[0].compacted.as_ref().unwrap().batches, 6);
    assert_eq!(world.check(), (1, 6, 10));
    assert_eq!(world.content(), before);
    let mut world = World::new();
    (0..2).for_each(|_| world.batch(0, "default", THEN));
    settle(&mut world.compactor(), LATER);
    assert_eq!(world.check(), (1, 2, 0));
}

/// What is moved and removed while it is verified is proven where it is then.
#[test]
fn files_may_go_while_they_are_verified() {
    let mut world = World::new();
    world.batches(4);
    let settings = CompactSettings { grace_ms: 0, ..CompactSettings::default() };
    let mut compactor = Compactor::open(world.store(), settings).unwrap();
    let report = verify(&world.archive(), &mut |at| {
        if at.files == 1 {
            settle(&mut compactor, LATER);
        }
    });
    let report = report.unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.version, report.batches), (4, 4));
    // The first file, and all four batches in the new one.
    assert_eq!(report.records, 6 + 24);
    assert_eq!(data_files(world.dir.path()).len(), 1);
}

/// Many row groups: large rows, cut and read across.
#[test]
fn large_rows_are_cut_into_row_groups() {
    let mut world = World::new();
    for batch in 0..3 {
        let mut builder = BatchBuilder::new(format!("large-{batch}"));
        for offset in batch * 7..batch * 7 + 7 {
            // Not what compresses away.
            let mut seed = offset as u64 + 1;
            let payload: Vec<u8> = std::iter::repeat_with(|| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .take(64 << 10)
            .collect();
            let incoming =
                Incoming { key: None, headers: &[], payload: Some(&payload), broker_time_ms: None };
            builder.push(&partition(0), offset, offset, &incoming).unwrap();
        }
        world.writer.archive(&Encoded::new(builder.seal("default", THEN).unwrap()).unwrap()).unwrap();
    }
    let before = world.content();
    let made = settle(&mut world.compactor(), LATER)[0].compacted.clone().unwrap();
    let bytes = fs::read(world.path(&made.path)).unwrap();
    let read = crate::groups::metadata(
        &crate::groups::Input::Memory(bytes.into()),
        parquet::file::metadata::PageIndexPolicy::Skip,
    );
    assert_eq!(read.unwrap().metadata().num_row_groups(), 2);
    assert_eq!(world.content(), before);
    assert_eq!(world.check(), (1, 3, 21));
    let archive = world.archive();
    for (_, file) in archive.batches().unwrap() {
        assert_eq!(archive.fetch(&file, &[0, 3, 6]).unwrap().len(), 3);
    }
}

#[test]
fn the_commit_is_as_the_protocol_says() {
    let mut world = World::new();
    world.batches(2);
    let made = world.compactor().step(LATER).unwrap().compacted.unwrap();
    let text = fs::read_to_string(world.path("_delta_log/00000000000000000003.json")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["commitInfo"]["operation"], "OPTIMIZE");
    let values = json!({ "retention_class": "default", "archive_month": "2014-05" });
    for (line, name) in lines[1..3].iter().zip(["batch-0-", "batch-4-"]) {
        let remove = &line["remove"];
        assert!(remove["path"].as_str().unwrap().contains(name), "{remove}");
        assert!(remove["size"].as_u64().unwrap() > 0);
        assert_eq!(remove["deletionTimestamp"], LATER);
        assert_eq!(remove["dataChange"], false);
        assert_eq!(remove["extendedFileMetadata"], true);
        assert_eq!(remove["partitionValues"], values);
    }
    let add = &lines[3]["add"];
    assert_eq!(add["path"], made.path);
    assert_eq!(add["size"], made.bytes);
    assert_eq!((&add["dataChange"], &add["modificationTime"]), (&json!(false), &json!(LATER)));
    assert_eq!(add["stats"], r#"{"numRecords":12}"#);
    assert_eq!(add["partitionValues"], values);
}
