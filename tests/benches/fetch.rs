//! How long it takes to fetch a page of scattered records, each proven: from an archive of a file a
//! commit, and from the same archive compacted. One thread, warm.
//!
//! ```text
//! cargo bench -p custody-tests --bench fetch -- [--files N] [--rows N] [--rounds N] [--dir DIR]
//! ```
//!
//! Simulated events of 200,000 words are archived below TMPDIR first, or in DIR, which is used again.
//! `other` is a page of records that were not asked for before, as a rule: the rows are chosen anew
//! every time. `again` asks for the same page: what is remembered of the files then counts. On a machine
//! that others use, too, `least` is what it takes when nobody does.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_archive::{Archive, CompactSettings, Compactor, FileRef, Location, S3Settings, Store};
use custody_tests::simulated::Simulated;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const USERS: usize = 1_000;
const SEED: u64 = 1;
/// Records of a page, and files that they are in.
const PAGES: [(u64, usize); 7] = [(1, 1), (10, 1), (10, 5), (10, 10), (20, 1), (20, 5), (20, 20)];
/// When all days of the simulation are over, so that compaction leaves as few files as may be.
const LATER_MS: i64 = 4_000_000_000_000;

struct Args {
    files: u64,
    rows: usize,
    rounds: u64,
    dir: Option<PathBuf>,
}

fn main() -> Done {
    let args = args()?;
    let temporary = tempfile::tempdir()?;
    let dir = args.dir.as_deref().unwrap_or(temporary.path());
    let location = Location::Folder(dir.join("archive"));
    fs::create_dir_all(dir.join("archive"))?;
    archive(&location, &args)?;
    measured("a file a commit", &location, &args)?;

    let compacted = tempfile::tempdir_in(dir)?;
    copy(&dir.join("archive"), compacted.path())?;
    let location = Location::Folder(compacted.path().to_owned());
    let settings = CompactSettings { grace_ms: 0, ..CompactSettings::default() };
    let mut compactor = Compactor::open(Arc::new(Store::open(&location, &S3Settings::default())?), settings)?;
    while compactor.step(LATER_MS)?.more {}
    measured("compacted", &location, &args)
}

/// Archives simulated events, as many commits as are asked for.
fn archive(location: &Location, args: &Args) -> Done {
    let mut simulated = Simulated::open(location, USERS, SEED)?;
    for number in simulated.archived() / args.rows as u64..args.files {
        simulated.commit(number, args.rows)?;
    }
    Ok(())
}

fn measured(what: &str, location: &Location, args: &Args) -> Done {
    let archive = Archive::open(location, &S3Settings::default())?;
    let batches: Vec<FileRef> = archive.batches()?.into_iter().map(|(_, batch)| batch).collect();
    let records: u64 = batches.iter().map(|batch| batch.manifest.rows).sum();
    let files: BTreeMap<&str, u64> = batches.iter().map(|batch| (&*batch.path, batch.bytes)).collect();
    let bytes = files.values().sum::<u64>() as f64 / records as f64;
    println!("{what}: {records} records in {} files, {bytes:.2} bytes each; milliseconds", files.len());
    println!(
        "{:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "records", "batches", "least", "p50", "p99", "again", "least", "µs a record"
    );
    for (records, of) in PAGES.into_iter().filter(|(_, of)| *of <= batches.len()) {
        let pages = |round| page(&batches, records, of, round);
        let other = times(&archive, args.rounds, pages)?;
        let again = times(&archive, args.rounds, |_| pages(0))?;
        let [least, p50, p99] = [0, 50, 99].map(|percent| percentile_ms(&other, percent));
        println!(
            "{records:>8} {of:>8} {least:>9.2} {p50:>9.2} {p99:>9.2} {:>9.2} {:>9.2} {:>12.0}",
            percentile_ms(&again, 50),
            percentile_ms(&again, 0),
            least * 1e3 / records as f64
        );
    }
    Ok(())
}

/// Rows of some batches, other ones each round.
fn page(batches: &[FileRef], records: u64, of: usize, round: u64) -> Vec<(&FileRef, Vec<u64>)> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ records;
    // Knuth's linear congruential generator (MMIX), its high bits.
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let step = batches.len() / of;
    let chosen = batches.iter().step_by(step).take(of);
    let each = records / of as u64;
    let mut rows = |batch: &FileRef| -> Vec<u64> {
        let share = batch.manifest.rows / each.max(1);
        (0..each).map(|nth| nth * share + next() % share.max(1)).collect()
    };
    chosen.map(|batch| (batch, rows(batch))).collect()
}

fn times<'a>(
    archive: &Archive,
    rounds: u64,
    page: impl Fn(u64) -> Vec<(&'a FileRef, Vec<u64>)>,
) -> Done<Vec<Duration>> {
    let mut times = Vec::new();
    for round in 0..=rounds {
        let page = page(round);
        let started = Instant::now();
        for (batch, rows) in &page {
            let records = archive.fetch(batch, rows)?;
            assert_eq!(records.len(), rows.len());
        }
        times.push(started.elapsed());
    }
    // The first opens what the others find open.
    times.remove(0);
    times.sort_unstable();
    Ok(times)
}

/// The nearest-rank percentile in milliseconds.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted[at].as_secs_f64() * 1e3
}

/// All files below a folder into another one.
fn copy(from: &Path, to: &Path) -> Done {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&copied)?;
            copy(&entry.path(), &copied)?;
        } else {
            fs::copy(entry.path(), copied)?;
        }
    }
    Ok(())
}

/// Without `--bench` somebody only wants to see that it runs, as `cargo test --all-targets` does.
fn args() -> Done<Args> {
    let is_bench = env::args().any(|arg| arg == "--bench");
    let (files, rows, rounds) = if is_bench { (20, 50_000, 200) } else { (2, 500, 1) };
    let mut parsed = Args { files, rows, rounds, dir: None };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--files" => parsed.files = args.next().ok_or("--files needs a value")?.parse()?,
            "--rows" => parsed.rows = args.next().ok_or("--rows needs a value")?.parse()?,
            "--rounds" => parsed.rounds = args.next().ok_or("--rounds needs a value")?.parse()?,
            "--dir" => parsed.dir = Some(args.next().ok_or("--dir needs a value")?.into()),
            _ => {
                return Err(
                    format!("unknown argument {arg:?}; use --files, --rows, --rounds or --dir").into()
                );
            }
        }
    }
    Ok(parsed)
}
