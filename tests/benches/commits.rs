//! What a commit costs in an archive that already has many: the time must not grow with them.
//! Every batch has one row, so what is measured is the protocol and the disk.
//!
//! ```text
//! cargo bench -p custody-tests --bench commits -- [--full] [--json FILE]
//! ```
//!
//! Cargo runs benches in `tests/`: a relative FILE is below it.
//!
//! `--full` goes on to 100,000 commits. The archive is made below TMPDIR: the disk that is
//! measured is that one. Every hundredth commit writes a checkpoint of the whole table: that
//! is in `max`, not in `p99`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use custody_archive::{BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
use custody_cli::sim::{SimSettings, Simulator};
use custody_schemas::{Incoming, Partition};
use serde_json::{Value, json};

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Commits in the archive before each measurement.
const MARKS: [u64; 3] = [100, 10_000, 100_000];
const MEASURED: usize = 200;
/// When every batch is said to be archived: the simulation's first day.
const ARCHIVED_MS: i64 = 1_369_814_400_000;

fn main() -> Done {
    let args = Args::parse()?;
    let dir = tempfile::tempdir()?;
    println!("{MEASURED} commits of one row each, in {}", dir.path().display());
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>12} {:>12} {:>12}",
        "after", "p50 ms", "p99 ms", "max ms", "put p50", "read back p50", "commit p50", "commit p99"
    );
    let mut appender = Appender::open(dir.path().join("archive"))?;
    let mut report = Vec::new();
    for mark in &MARKS[..args.marks] {
        while appender.commits < *mark {
            appender.commit()?;
        }
        report.push(measure(&mut appender)?);
    }
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

struct Args {
    /// How many of the [`MARKS`] to go to. Without `--bench` only the first: then somebody only
    /// wants to see that it runs, as `cargo test --all-targets` does.
    marks: usize,
    json: Option<PathBuf>,
}

impl Args {
    fn parse() -> Done<Self> {
        let mut parsed = Args { marks: 1, json: None };
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => parsed.marks = parsed.marks.max(2),
                "--full" => parsed.marks = MARKS.len(),
                "--json" => parsed.json = Some(args.next().ok_or("--json needs a value")?.into()),
                _ => return Err(format!("unknown argument {arg:?}; known are --full and --json FILE").into()),
            }
        }
        Ok(parsed)
    }
}

/// One commit: all of it, and its parts.
#[derive(Clone, Copy)]
struct Took {
    all: Duration,
    put: Duration,
    read_back: Duration,
    commit: Duration,
}

/// Appends events, one a commit.
struct Appender {
    writer: Writer,
    partition: Partition,
    events: Simulator,
    commits: u64,
}

impl Appender {
    fn open(folder: PathBuf) -> Done<Self> {
        let writer =
            Writer::open(&Location::Folder(folder), &S3Settings::default(), &WriterSettings::default())?;
        let partition = Partition { topic: "events".to_owned(), generation: 1, partition: 0 };
        Ok(Appender { writer, partition, events: Simulator::new(SimSettings::new(1_000, 1)), commits: 0 })
    }

    fn commit(&mut self) -> Done<Took> {
        let encoded = self.encode()?;
        let started = Instant::now();
        let done = self.writer.archive(&encoded)?;
        self.commits += 1;
        Ok(Took { all: started.elapsed(), put: done.put, read_back: done.read_back, commit: done.commit })
    }

    fn encode(&mut self) -> Done<Encoded> {
        let simulated = self.events.next().ok_or("the simulation has ended")?;
        let payload = serde_json::to_vec(&simulated.event)?;
        let incoming = Incoming {
            key: Some(simulated.key.as_bytes()),
            headers: &[],
            payload: Some(&payload),
            broker_time_ms: Some(ARCHIVED_MS),
        };
        let mut batch = BatchBuilder::new(format!("00000000-0000-7000-8000-{:012}", self.commits));
        let offset = i64::try_from(self.commits)?;
        batch.push(&self.partition, offset, offset, &incoming)?;
        Ok(Encoded::new(batch.seal("default", ARCHIVED_MS)?)?)
    }
}

fn measure(appender: &mut Appender) -> Done<Value> {
    let after = appender.commits;
    let took = (0..MEASURED).map(|_| appender.commit()).collect::<Done<Vec<_>>>()?;
    let at = |percent, part| percentile_ms(&took, percent, part);
    let all = [50, 99, 100].map(|percent| at(percent, |took| took.all));
    let (put, read_back) = (at(50, |took| took.put), at(50, |took| took.read_back));
    let commit = [50, 99].map(|percent| at(percent, |took| took.commit));
    println!(
        "{after:>9} {:>9.2} {:>9.2} {:>9.2} {put:>9.2} {read_back:>12.2} {:>12.2} {:>12.2}",
        all[0], all[1], all[2], commit[0], commit[1]
    );
    Ok(json!({
        "after": after,
        "p50_ms": all[0],
        "p99_ms": all[1],
        "max_ms": all[2],
        "put_p50_ms": put,
        "read_back_p50_ms": read_back,
        "commit_p50_ms": commit[0],
        "commit_p99_ms": commit[1],
    }))
}

/// The nearest-rank percentile of one part, in milliseconds.
fn percentile_ms(took: &[Took], percent: usize, part: fn(&Took) -> Duration) -> f64 {
    let mut times: Vec<Duration> = took.iter().map(part).collect();
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3
}
