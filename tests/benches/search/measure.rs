//! Times, and what they are told as; memory of this process.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_index::{Request, Searcher};

use super::Done;
use super::kept::Kept;
use super::words::Row;

/// How often a row is asked.
pub(crate) struct Effort {
    /// Warm, when that is fast.
    pub(crate) runs: usize,
    /// Warm, when all of them would take longer than [`ROW`].
    pub(crate) runs_min: usize,
    /// With nothing in memory.
    pub(crate) cold_runs: usize,
}

const ROW: Duration = Duration::from_secs(6);
const RSS_SAMPLED: Duration = Duration::from_millis(20);

/// Milliseconds.
pub(crate) struct Times(Vec<f64>);

impl Times {
    fn of(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    pub(crate) fn percent(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or(f64::NAN)
    }
}

fn ms(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

/// Whether what is searched stays as it is, so that answers must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Archive {
    Still,
    Growing,
}

/// How long a search takes that is asked again and again, and what it found.
pub(crate) fn warm(
    searcher: &Searcher,
    request: &Request,
    archive: Archive,
    effort: &Effort,
) -> Done<(u64, Times)> {
    let total = searcher.search(request)?.total;
    let (began, mut times) = (Instant::now(), Vec::with_capacity(effort.runs));
    while times.len() < effort.runs_min || (times.len() < effort.runs && began.elapsed() < ROW) {
        let started = Instant::now();
        let again = searcher.search(request)?.total;
        times.push(ms(started));
        if again < total || (again > total && archive == Archive::Still) {
            return Err(format!("{}: {again} found after {total}", request.query).into());
        }
    }
    Ok((total, Times::of(times)))
}

/// How long the first search takes after opening the index.
pub(crate) fn opened(kept: &Kept, request: &Request) -> Done<f64> {
    let started = Instant::now();
    kept.searcher()?.search(request)?;
    Ok(ms(started))
}

/// The same with nothing of the files in memory; and the megabytes that came from the disk. `None`
/// where the system cannot be asked to forget.
pub(crate) fn cold(kept: &Kept, request: &Request, effort: &Effort) -> Done<Option<(f64, f64)>> {
    let (mut times, mut read) = (Vec::new(), 0);
    for _ in 0..effort.cold_runs {
        if !forget(kept.files()?)? {
            return Ok(None);
        }
        let before = of_process("io", "read_bytes:")?;
        times.push(opened(kept, request)?);
        read = of_process("io", "read_bytes:")? - before;
    }
    Ok(Some((Times::of(times).percent(50), read as f64 / 1e6)))
}

/// Asks the system to forget what it holds of these files: nobody may have them mapped.
#[cfg(target_os = "linux")]
fn forget(files: Vec<PathBuf>) -> Done<bool> {
    for file in files {
        rustix::fs::fadvise(File::open(file)?, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn forget(_: Vec<PathBuf>) -> Done<bool> {
    Ok(false)
}

/// A number from Linux's files about this process; 0 elsewhere.
fn of_process(file: &str, name: &str) -> Done<u64> {
    if !cfg!(target_os = "linux") {
        return Ok(0);
    }
    let text = fs::read_to_string(format!("/proc/self/{file}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let digits = value.and_then(|value| value.split_whitespace().next());
    Ok(digits.ok_or_else(|| format!("/proc/self/{file} has no {name}"))?.parse()?)
}

/// Does something, and says what memory this process had of its own meanwhile.
pub(crate) fn with_memory<T>(work: impl FnOnce() -> Done<T>) -> Done<T> {
    let (stop, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = of_process("status", "RssAnon:")?;
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let now = of_process("status", "RssAnon:").unwrap_or_default();
                most.fetch_max(now, Ordering::Relaxed);
                thread::sleep(RSS_SAMPLED);
            }
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        done
    })?;
    println!(
        "memory: {} MB of its own before, {} MB at most while searching, {} MB of mapped files after; \
         {} MB at most in all since the start",
        before / 1_000,
        most.into_inner() / 1_000,
        of_process("status", "RssFile:")? / 1_000,
        of_process("status", "VmHWM:")? / 1_000,
    );
    Ok(done)
}

/// The head of the table.
pub(crate) fn head() {
    println!(
        "{:>9} {:>8} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>5}  search",
        "found", "cold", "MB", "opened", "least", "p50", "p95", "p99", "runs"
    );
}

/// A line of it; the first three are unknown while the archive grows.
pub(crate) fn line(row: &Row, total: u64, first: Option<(Option<(f64, f64)>, f64)>, times: &Times) {
    let shown = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.2}"));
    let cold = first.and_then(|(cold, _)| cold);
    let numbers = [cold.map(|cold| cold.0), first.map(|(_, opened)| opened)].map(shown);
    println!(
        "{total:>9} {:>8} {:>7} {:>8} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>5}  {}  ({})",
        numbers[0],
        shown(cold.map(|cold| cold.1)),
        numbers[1],
        times.percent(0),
        times.percent(50),
        times.percent(95),
        times.percent(99),
        times.0.len(),
        row.text,
        row.what
    );
}
