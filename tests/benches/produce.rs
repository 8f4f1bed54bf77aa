//! What a production of each format costs: all records of an archive into a folder, from the first
//! that is fetched to the last sync, each with its proof in the receipt.
//!
//! ```text
//! cargo bench -p custody-tests --bench produce -- [--events N] [--formats F,G] [--threads N] [--dir DIR]
//! ```
//!
//! Simulated events of 200,000 words are archived below TMPDIR first, or in DIR, which is used again,
//! and grown when more are asked for. Each production is made in a process of its own, in a folder
//! beside the archive; all are removed at the end, and take some 20 kB of disk a record together:
//!
//! - `read` is the first pass, in which records are fetched, re-hashed and listed; `write` the second,
//!   which makes documents of them; `end` the receipt, the sync of the disk and the renames
//! - `CPU s` is the time of all threads, in the system as well: on a machine that others use, too, it is
//!   the steadier number. `µs each` is that of a record
//! - `MB` and `files` are all that is handed over, the receipt included; `RSS` is the most memory that
//!   the process had at a time, in MiB, the list of hits included
//! - `of jsonl` compares the CPU time with that of the first row

use std::env;
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use custody_archive::{Archive, Location, S3Settings};
use custody_export::{Format, Hit, Options, Production, Progress, RECEIPT, REQUEST_VERSION, Request};
use custody_tests::simulated::Simulated;
use serde_json::{Value, json};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const EVENTS: u64 = 1_000_000;
/// Without `--bench` somebody only wants to see that it runs, as `cargo test --all-targets` does.
const EVENTS_TO_TRY: u64 = 1_000;
/// Records of a commit.
const COMMIT: usize = 50_000;
const USERS: usize = 1_000;
const SEED: u64 = 1;
/// The unit of CPU times in /proc: USER_HZ, which is 100 for every architecture that we build for.
const TICK: Duration = Duration::from_millis(10);

struct Args {
    events: u64,
    formats: Vec<Format>,
    threads: NonZeroUsize,
    dir: Option<PathBuf>,
    /// Where the production is kept that this process makes, and nothing else.
    out: Option<PathBuf>,
}

fn main() -> Done {
    let args = args()?;
    let temporary = tempfile::tempdir()?;
    let dir = args.dir.as_deref().unwrap_or(temporary.path());
    if let (Some(out), [format]) = (&args.out, &args.formats[..]) {
        println!("{}", produced(dir, out, *format, &args)?);
        return Ok(());
    }
    grow(dir, args.events)?;
    println!("{} records, {} threads, in {}", args.events, args.threads, dir.display());
    println!(
        "{:<9} {:>9} {:>7} {:>7} {:>7} {:>6} {:>7} {:>8} {:>8} {:>7} {:>8} {:>7} {:>8}",
        "format",
        "records/s",
        "MB/s",
        "read s",
        "write s",
        "end s",
        "CPU s",
        "of which",
        "µs each",
        "MB",
        "files",
        "RSS",
        "of jsonl"
    );
    let mut first_cpu_s = None;
    // All of them until the end: for some minutes after files were deleted, ext4 takes long to find a
    // number for a new one.
    let productions = tempfile::tempdir_in(dir)?;
    for format in &args.formats {
        let row = in_a_process(dir, productions.path(), *format, &args)?;
        line(*format, args.events, &row, &mut first_cpu_s);
    }
    Ok(())
}

/// Archives simulated events until there are so many.
fn grow(dir: &Path, events: u64) -> Done {
    fs::create_dir_all(archive_dir(dir))?;
    let mut simulated = Simulated::open(&location(dir), USERS, SEED)?;
    let had = simulated.archived();
    if had > events {
        let dir = dir.display();
        return Err(format!("{dir} holds {had} events: ask for as many or more, or empty it").into());
    }
    while simulated.archived() < events {
        let more = usize::try_from(events - simulated.archived())?.min(COMMIT);
        simulated.commit(simulated.archived(), more)?;
    }
    Ok(())
}

fn archive_dir(dir: &Path) -> PathBuf {
    dir.join("archive")
}

fn location(dir: &Path) -> Location {
    Location::Folder(archive_dir(dir))
}

/// Makes a production in another process, so that its peak of memory is its own.
fn in_a_process(dir: &Path, productions: &Path, format: Format, args: &Args) -> Done<Value> {
    let (name, out) = (format.about().0, productions.join(format.about().0));
    let mut command = Command::new(env::current_exe()?);
    command.args(["--formats", name, "--threads", &args.threads.to_string(), "--dir"]).arg(dir);
    let output = command.arg("--out").arg(&out).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{name}: the process ended with {}", output.status).into());
    }
    let row: Value = serde_json::from_slice(&output.stdout)?;
    match row["records"].as_u64() {
        Some(records) if records == args.events => Ok(row),
        _ => Err(format!("{name}: {} of {} records were produced", row["records"], args.events).into()),
    }
}

/// Makes a production of all records, and says what it took.
fn produced(dir: &Path, out: &Path, format: Format, args: &Args) -> Done<Value> {
    let archive = Archive::open(&location(dir), &S3Settings::default())?;
    let mut hits = Vec::new();
    for (_, file) in archive.batches()? {
        let file = Arc::new(file);
        let hit = |row| Hit { file: file.clone(), row, deliveries: 1, is_context: false };
        hits.extend((0..file.manifest.rows).map(hit));
    }
    let request = request(format);
    let production = Production {
        archive: &archive,
        request: &request,
        through_version: archive.refresh()?,
        threads: args.threads,
        files: None,
        fonts: None,
        custodians: None,
        key: None,
    };
    let started = Moment::now();
    let (mut read, mut written) = (started, started);
    let receipt = production.write(hits, out, &mut |progress| match progress {
        Progress::Reading(..) => (read, written) = (Moment::now(), Moment::now()),
        Progress::Writing(..) => written = Moment::now(),
    })?;
    let ended = Moment::now();
    let bytes: u64 = receipt.files.iter().map(|file| file.bytes).sum();
    let spans = [(started, read), (read, written), (written, ended)];
    Ok(json!({
        "records": receipt.count,
        "bytes": bytes + fs::metadata(out.join(RECEIPT))?.len(),
        "files": receipt.files.len() + 1,
        "wall_s": spans.map(|(from, to)| (to.wall - from.wall).as_secs_f64()),
        "cpu_s": spans.map(|(from, to)| (to.cpu - from.cpu).as_secs_f64()),
        "rss_kib": rss_max_kib(),
    }))
}

fn request(format: Format) -> Request {
    Request {
        version: REQUEST_VERSION,
        query: "*".into(),
        query_canonical: "*".into(),
        zone: "UTC".into(),
        who: "bench".into(),
        why: "to measure".into(),
        format,
        options: Some(Options::default()),
    }
}

/// A row of the table.
fn line(format: Format, events: u64, row: &Value, first_cpu_s: &mut Option<f64>) {
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let three = |name: &str| [0, 1, 2].map(|at| row[name][at].as_f64().unwrap_or(f64::NAN));
    let ([read, write, end], cpu) = (three("wall_s"), three("cpu_s"));
    let (wall_s, cpu_s, megabytes) = (read + write + end, cpu.iter().sum::<f64>(), number("bytes") / 1e6);
    let events = events as f64;
    println!(
        "{:<9} {:>9.0} {:>7.1} {read:>7.2} {write:>7.2} {end:>6.2} {cpu_s:>7.2} {:>8} {:>8.1} {megabytes:>7.0} \
         {:>8} {:>7.0} {:>8.2}",
        format.about().0,
        events / wall_s,
        megabytes / wall_s,
        format!("{:.1}+{:.1}", cpu[0], cpu[1]),
        cpu_s * 1e6 / events,
        number("files"),
        number("rss_kib") / 1024.0,
        cpu_s / *first_cpu_s.get_or_insert(cpu_s),
    );
}

/// A time, and the CPU time of the process up to it.
#[derive(Clone, Copy)]
struct Moment {
    wall: Instant,
    cpu: Duration,
}

impl Moment {
    fn now() -> Moment {
        Moment { wall: Instant::now(), cpu: cpu_time() }
    }
}

/// CPU time of the process so far; zero where there is no /proc.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // proc(5): utime and stime are fields 14 and 15; the name, field 2, may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// The most memory that the process ever had, in KiB; zero where there is no /proc.
fn rss_max_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn args() -> Done<Args> {
    let events = if env::args().any(|arg| arg == "--bench") { EVENTS } else { EVENTS_TO_TRY };
    let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut parsed = Args { events, formats: Format::ALL.to_vec(), threads, dir: None, out: None };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => {}
            "--events" => parsed.events = value()?.parse()?,
            "--formats" => parsed.formats = formats(&value()?)?,
            "--threads" => parsed.threads = value()?.parse()?,
            "--dir" => parsed.dir = Some(value()?.into()),
            "--out" => parsed.out = Some(value()?.into()),
            _ => {
                let known = "--events, --formats, --threads or --dir";
                return Err(format!("unknown argument {arg:?}; use {known}").into());
            }
        }
    }
    Ok(parsed)
}

/// Names of formats with commas between them.
fn formats(names: &str) -> Done<Vec<Format>> {
    let format = |name: &str| {
        let known = Format::ALL.iter().copied();
        known.clone().find(|format| format.about().0 == name).ok_or_else(|| {
            let known: Vec<&str> = known.map(|format| format.about().0).collect();
            format!("format {name:?} is not known: use {}", known.join(", ")).into()
        })
    };
    names.split(',').map(format).collect()
}
