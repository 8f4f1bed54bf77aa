//! Readers, a verification and a writer beside a compactor that removes at once what it replaced.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::tests::{LATER, World};
use super::*;
use crate::read::{Archive, Columns};
use crate::verify::verify;

const BATCHES: u64 = 120;
/// Two partitions with three records each.
const ROWS: u64 = 6;

/// Every batch, whole and with its own rows: each record is re-hashed by the reader itself.
fn read_all(archive: &Archive) -> u64 {
    let batches = archive.batches().unwrap();
    for (version, file) in &batches {
        let rows: Vec<u64> = (0..file.manifest.rows).collect();
        let records = archive.fetch(file, &rows).unwrap_or_else(|e| panic!("version {version}: {e}"));
        let first = file.manifest.parts[0].span.from;
        assert_eq!(records[0].position.offset, first, "version {version}");
        let read = archive.read(file, Columns::Index).unwrap_or_else(|e| panic!("version {version}: {e}"));
        assert_eq!(read.map(|rows| rows.unwrap().len() as u64).sum::<u64>(), ROWS, "version {version}");
    }
    batches.len() as u64
}

#[test]
fn nobody_notices_a_compaction() {
    let mut world = World::new();
    world.batches(20);
    let store = world.store();
    let written = AtomicBool::new(false);
    // One that is opened once, and looks where batches went by itself.
    let archive = world.archive();
    let (compacted, reads, verified): (u64, u64, u64) = thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let settings = CompactSettings { grace_ms: 0, small_files_max: 4, ..CompactSettings::default() };
            let mut compactor = Compactor::open(store, settings).unwrap();
            let mut compacted = 0;
            loop {
                let was_written = written.load(Ordering::Acquire);
                let done = compactor.step(LATER).unwrap();
                compacted += u64::from(done.compacted.is_some());
                if was_written && !done.more {
                    return compacted;
                }
            }
        });
        let reader = scope.spawn(|| {
            let mut reads = 0;
            loop {
                assert!(read_all(&archive) >= 20);
                reads += 1;
                if written.load(Ordering::Acquire) {
                    return reads;
                }
            }
        });
        let verifier = scope.spawn(|| {
            let mut verified = 0;
            loop {
                let report = verify(&archive, &mut |_| {}).unwrap();
                assert_eq!(report.problems, []);
                verified += 1;
                if written.load(Ordering::Acquire) {
                    return verified;
                }
            }
        });
        for _ in 20..BATCHES {
            world.batches(1);
        }
        written.store(true, Ordering::Release);
        (compactor.join().unwrap(), reader.join().unwrap(), verifier.join().unwrap())
    });
    assert!(compacted > 0 && reads > 0 && verified > 0, "{compacted} {reads} {verified}");
    assert_eq!(read_all(&world.archive()), BATCHES);
    let (files, batches, records) = world.check();
    assert_eq!((batches, records), (BATCHES, BATCHES * ROWS));
    assert!(files < BATCHES / 2, "{files}");
}
