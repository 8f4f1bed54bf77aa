//! What an event costs in each stage, one stage at a time on one thread, and what it costs end
//! to end. CPU time is the process's: on a busy machine it is the steadier number, and in a
//! stage that a library gives threads of its own it is above the wall time.
//!
//! ```text
//! cargo bench -p custody-tests --bench stages -- [--events N] [--json FILE]
//! ```
//!
//! Cargo runs benches in `tests/`: a relative FILE is below it.
//!
//! The end-to-end part needs a broker and a topic that nothing was published to yet:
//!
//! ```text
//! tests/kafka/broker.sh start DIR                  prints the address
//! tests/kafka/broker.sh topic DIR bench 4
//! CUSTODY_BENCH_BROKERS=ADDRESS CUSTODY_BENCH_TOPIC=bench cargo bench -p custody-tests --bench stages
//! ```
//!
//! Archives and indexes are made below TMPDIR: the disk that is measured is that one.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_archive::{
    Archive, BatchBuilder, Committed, Encoded, Location, S3Settings, Writer, WriterSettings, verify,
};
use custody_cli::run::run_until;
use custody_cli::settings::{Inputs, Loaded, Settings};
use custody_cli::sim::{SimEvent, SimSettings, Simulator};
use custody_index::query::parse;
use custody_index::{IndexStore, Indexer, Order, Request, Searcher};
use custody_ingest::Stop;
use custody_ingest::kafka::Producer;
use custody_schemas::decode::decode;
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::{Hash, Incoming, Partition};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 200_000;
/// Without `--bench` somebody only wants to see that it runs: `cargo test --all-targets`.
const EVENTS_TO_TRY: usize = 1_000;
const ROUNDS: usize = 3;
const USERS: usize = 1_000;
const SEED: u64 = 1;
/// What the producer sends with every event.
const HEADERS: [(&str, Option<&[u8]>); 1] = [("content-type", Some(b"application/cloudevents+json"))];
/// The most frequent noun of the simulated talk.
const TERM: &str = "meeting";
const SEARCHES: usize = 200;
const HITS: usize = 20;
/// When every batch is said to be archived: the simulation's first day.
const ARCHIVED_MS: i64 = 1_369_814_400_000;
/// Ends a pipeline that waits for events which never come.
const PIPELINE_MAX: Duration = Duration::from_secs(1_800);
/// The unit of CPU times in /proc: USER_HZ, which is 100 for every architecture that we build for.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Done {
    let args = Args::parse()?;
    if let Some(dir) = &args.pipeline {
        return pipeline(args.events as u64, dir);
    }
    let dir = tempfile::tempdir()?;
    let messages = messages(args.events);
    let bytes = messages.iter().map(|message| message.payload.len() as u64).sum();
    let scale = Scale { events: args.events as u64, bytes };
    let (each, place) = (scale.bytes_each(), dir.path().display());
    println!("{} events of {each:.0} bytes, best of {ROUNDS}, in {place}", scale.events);

    let stages = stages(&messages, dir.path())?;
    scale.table(&stages);
    let sizes = sizes(&scale, dir.path())?;
    let search = search(dir.path())?;
    let sum_ns: f64 =
        stages.iter().filter(|stage| stage.in_pipeline).map(|stage| scale.ns(stage.cost.cpu)).sum();
    println!("sum of the stages that an event passes: {sum_ns:.0} CPU ns/event");
    let whole = end_to_end(&scale, &messages, dir.path(), sum_ns)?;

    if let Some(path) = &args.json {
        let stages: Vec<_> = stages.iter().map(|stage| scale.json(stage)).collect();
        let report = json!({
            "events": scale.events,
            "payload_bytes_each": scale.bytes_each(),
            "stages": stages,
            "stages_cpu_ns_per_event": sum_ns,
            "sizes": sizes,
            "search": search,
            "end_to_end": whole,
        });
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

struct Args {
    events: usize,
    json: Option<PathBuf>,
    /// This process is the pipeline of [`end_to_end`], and works in that folder.
    pipeline: Option<PathBuf>,
}

impl Args {
    fn parse() -> Done<Self> {
        let (mut events, mut default) = (None, EVENTS_TO_TRY);
        let (mut json, mut pipeline) = (None, None);
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                // From `cargo bench`.
                "--bench" => default = EVENTS,
                "--events" => events = Some(value()?.parse()?),
                "--json" => json = Some(value()?.into()),
                "--pipeline" => pipeline = Some(value()?.into()),
                _ => return Err(format!("unknown argument {arg:?}; use --events N, --json FILE").into()),
            }
        }
        let events = events.unwrap_or(default);
        if events == 0 {
            return Err("--events must be at least 1".into());
        }
        Ok(Args { events, json, pipeline })
    }
}

/// A message as it comes from Kafka.
struct Message {
    key: String,
    payload: Vec<u8>,
    broker_time_ms: Option<i64>,
}

impl Message {
    fn incoming(&self) -> Incoming<'_> {
        Incoming {
            key: Some(self.key.as_bytes()),
            headers: &HEADERS,
            payload: Some(&self.payload),
            broker_time_ms: self.broker_time_ms,
        }
    }
}

fn messages(count: usize) -> Vec<Message> {
    let message = |simulated: SimEvent| {
        let time = simulated.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let payload = serde_json::to_vec(&simulated.event).unwrap_or_default();
        Message { key: simulated.key, payload, broker_time_ms: time.map(Timestamp::as_millisecond) }
    };
    Simulator::new(SimSettings::new(USERS, SEED)).take(count).map(message).collect()
}

/// Time that passed, and CPU time of the process, with all its threads.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl Cost {
    fn of<T>(work: impl FnOnce() -> Done<T>) -> Done<(Cost, T)> {
        let (started, cpu) = (Instant::now(), cpu_time());
        let done = work()?;
        Ok((Cost { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) }, done))
    }

    fn best(self, other: Cost) -> Cost {
        Cost { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
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

/// The most memory that the process ever had, in kB; zero where there is no /proc.
fn rss_max_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

struct Stage {
    name: &'static str,
    cost: Cost,
    /// Whether an event passes it on the way into archive and index; a stage that is part of
    /// another one, or comes later, is not counted.
    in_pipeline: bool,
}

/// What was worked on, to show costs by.
struct Scale {
    events: u64,
    bytes: u64,
}

impl Scale {
    fn bytes_each(&self) -> f64 {
        self.bytes as f64 / self.events as f64
    }

    fn ns(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / self.events as f64
    }

    fn events_per_s(&self, time: Duration) -> f64 {
        self.events as f64 / time.as_secs_f64()
    }

    fn mb_per_s(&self, time: Duration) -> f64 {
        self.bytes as f64 / time.as_secs_f64() / 1e6
    }

    fn table(&self, stages: &[Stage]) {
        println!("{:<28} {:>10} {:>8} {:>9} {:>13}", "stage", "events/s", "MB/s", "ns/event", "CPU ns/event");
        for Stage { name, cost, .. } in stages {
            let (rate, mb, ns) = (self.events_per_s(cost.wall), self.mb_per_s(cost.wall), self.ns(cost.wall));
            println!("{name:<28} {rate:>10.0} {mb:>8.1} {ns:>9.0} {:>13.0}", self.ns(cost.cpu));
        }
    }

    fn json(&self, stage: &Stage) -> Value {
        json!({
            "name": stage.name,
            "events_per_s": self.events_per_s(stage.cost.wall),
            "mb_per_s": self.mb_per_s(stage.cost.wall),
            "ns_per_event": self.ns(stage.cost.wall),
            "cpu_ns_per_event": self.ns(stage.cost.cpu),
        })
    }
}

fn best(mut round: impl FnMut() -> Done) -> Done<Cost> {
    let mut best = Cost::of(&mut round)?.0;
    for _ in 1..ROUNDS {
        best = best.best(Cost::of(&mut round)?.0);
    }
    Ok(best)
}

/// Measures every stage. The last archive and the last index stay in `dir`.
fn stages(messages: &[Message], dir: &Path) -> Done<Vec<Stage>> {
    let decode = best(|| decode_all(messages))?;
    let hash = best(|| {
        hash_all(messages);
        Ok(())
    })?;
    let mut archiving = archive_all(messages, dir)?;
    for _ in 1..ROUNDS {
        let again = archive_all(messages, dir)?;
        archiving = std::array::from_fn(|n| archiving[n].best(again[n]));
    }
    let [append, encode, commit] = archiving;
    let archive = open(dir)?;
    let index = best(|| index_all(&archive, messages.len(), dir))?;
    let verify = best(|| verify_all(&archive, messages.len()))?;
    let stage = |name, cost, in_pipeline| Stage { name, cost, in_pipeline };
    Ok(vec![
        stage("decode", decode, false),
        stage("leaf hash", hash, false),
        stage("append: decode, hash, Arrow", append, true),
        stage("encode Parquet", encode, true),
        stage("put, read back, commit", commit, true),
        stage("index", index, true),
        stage("verify", verify, false),
    ])
}

fn decode_all(messages: &[Message]) -> Done {
    for message in messages {
        let decoded = decode(&message.incoming()).map_err(|reason| format!("quarantined: {reason}"))?;
        black_box(decoded);
    }
    Ok(())
}

fn partition() -> Partition {
    Partition { topic: "events".to_owned(), generation: 1, partition: 0 }
}

fn hash_all(messages: &[Message]) {
    let partition = partition();
    for (offset, message) in (0..).zip(messages) {
        let leaf = Leaf {
            topic: &partition.topic,
            generation: partition.generation,
            partition: partition.partition,
            offset,
            broker_time_ms: message.broker_time_ms,
            key: Some(message.key.as_bytes()),
            payload: Some(Hash::of(&message.payload)),
        };
        black_box(leaf_hash(leaf, HEADERS));
    }
}

/// The settings that `custody run` has, and these.
fn load(flags: &[(&str, &str)]) -> Done<Loaded> {
    let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let inputs = Inputs { flags, ..Inputs::default() };
    Settings::load(inputs)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into())
}

fn archive_dir(dir: &Path) -> PathBuf {
    dir.join("archive")
}

fn index_dir(dir: &Path) -> PathBuf {
    dir.join("index")
}

fn remove(dir: &Path) -> Done {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(())
}

fn open(dir: &Path) -> Done<Archive> {
    Ok(Archive::open(&Location::Folder(archive_dir(dir)), &S3Settings::default())?)
}

/// Appending, encoding and committing take turns, as they do in the worker, in batches of the
/// size that it seals by default.
fn archive_all(messages: &[Message], dir: &Path) -> Done<[Cost; 3]> {
    remove(&archive_dir(dir))?;
    let bounds = load(&[])?.settings.batch;
    let location = Location::Folder(archive_dir(dir));
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default())?;
    let partition = partition();
    let (mut costs, mut at) = ([Cost::default(); 3], 0);
    while at < messages.len() {
        let (append, sealed) = Cost::of(|| {
            let mut batch = BatchBuilder::new(format!("00000000-0000-7000-8000-{at:012}"));
            while at < messages.len() && batch.bytes() < bounds.bytes_max && batch.rows() < bounds.rows_max {
                let offset = i64::try_from(at)?;
                batch.push(&partition, offset, offset, &messages[at].incoming())?;
                at += 1;
            }
            Ok(batch.seal("default", ARCHIVED_MS)?)
        })?;
        let (encode, encoded) = Cost::of(|| Ok(Encoded::new(sealed)?))?;
        let (commit, _) = Cost::of(|| Ok(writer.archive(&encoded)?))?;
        costs = [costs[0] + append, costs[1] + encode, costs[2] + commit];
    }
    Ok(costs)
}

fn index_all(archive: &Archive, events: usize, dir: &Path) -> Done {
    remove(&index_dir(dir))?;
    let settings = custody_index::Settings::default();
    let done = Indexer::open(&IndexStore::folder(&index_dir(dir))?, archive.clone(), settings)?.catch_up()?;
    if done.docs != events as u64 {
        return Err(format!("{} of {events} events were indexed", done.docs).into());
    }
    Ok(())
}

fn verify_all(archive: &Archive, events: usize) -> Done {
    let report = verify(archive, &mut |_| {})?;
    if !report.problems.is_empty() || report.records != events as u64 {
        let message = format!("{} records instead of {events}; {:?}", report.records, report.problems);
        return Err(message.into());
    }
    Ok(())
}

/// Bytes of every file below a folder.
fn bytes_in(dir: &Path) -> Done<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

fn sizes(scale: &Scale, dir: &Path) -> Done<Value> {
    let each = |bytes: u64| bytes as f64 / scale.events as f64;
    let (archive, index) = (each(bytes_in(&archive_dir(dir))?), each(bytes_in(&index_dir(dir))?));
    let sum = archive + index;
    println!("bytes an event: archive {archive:.0}, index {index:.0}, sum {sum:.0}");
    Ok(json!({ "archive_bytes_each": archive, "index_bytes_each": index, "sum_bytes_each": sum }))
}

fn search(dir: &Path) -> Done<Value> {
    let searcher = Searcher::open(
        &IndexStore::folder(&index_dir(dir))?,
        open(dir)?,
        custody_index::Settings::default(),
    )?;
    let query = parse(TERM, &TimeZone::UTC).map_err(|e| e.to_string())?;
    let request = Request::new(query, Order::Newest, HITS);
    let total = searcher.search(&request)?.total;
    let mut times = Vec::with_capacity(SEARCHES);
    for _ in 0..SEARCHES {
        let started = Instant::now();
        black_box(searcher.search(&request)?);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let ms = |percent: usize| times[(SEARCHES * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
    let (p50, p99) = (ms(50), ms(99));
    println!("search {TERM:?}, newest {HITS} of {total}, warm: p50 {p50:.2} ms, p99 {p99:.2} ms");
    Ok(json!({ "term": TERM, "total": total, "hits": HITS, "p50_ms": p50, "p99_ms": p99 }))
}

/// Publishes everything, then lets another process archive and index it: its CPU time and its
/// memory are those of the pipeline, and of nothing else.
fn end_to_end(scale: &Scale, messages: &[Message], dir: &Path, sum_ns: f64) -> Done<Value> {
    let (Ok(brokers), Ok(topic)) = (env::var("CUSTODY_BENCH_BROKERS"), env::var("CUSTODY_BENCH_TOPIC"))
    else {
        println!(
            "end to end: skipped; set CUSTODY_BENCH_BROKERS=host:port and CUSTODY_BENCH_TOPIC to a new, empty topic"
        );
        return Ok(Value::Null);
    };
    let producer = Producer::connect(&brokers, &topic, &BTreeMap::new())?;
    for message in messages {
        producer.send(message.key.as_bytes(), &message.payload)?;
    }
    producer.flush()?;
    drop(producer);

    let dir = dir.join("end-to-end");
    let events = scale.events.to_string();
    let mut command = Command::new(env::current_exe()?);
    command.args(["--events", &events, "--pipeline"]).arg(&dir).stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("the pipeline ended with {}", output.status).into());
    }
    verify_all(&open(&dir)?, messages.len())?;
    let measured: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| measured[name].as_f64().unwrap_or(f64::NAN);
    let (wall_s, cpu_s, rss_mb) = (number("wall_s"), number("cpu_s"), number("rss_max_kb") / 1024.0);
    let (per_cpu_s, events) = (scale.events as f64 / cpu_s, scale.events as f64);
    let ratio = cpu_s * 1e9 / events / sum_ns;
    println!("end to end, from Kafka until archived and indexed:");
    println!(
        "  {wall_s:.2} s, {:.0} events/s, {:.1} MB/s",
        events / wall_s,
        scale.bytes as f64 / wall_s / 1e6
    );
    println!(
        "  {cpu_s:.2} CPU s, {per_cpu_s:.0} events per CPU second, {:.0} CPU ns/event",
        cpu_s * 1e9 / events
    );
    println!("  {ratio:.2} times the CPU time of its stages; at most {rss_mb:.0} MiB of memory");
    Ok(json!({
        "wall_s": wall_s,
        "archived_s": measured["archived_s"],
        "cpu_s": cpu_s,
        "events_per_s": events / wall_s,
        "events_per_cpu_s": per_cpu_s,
        "cpu_to_stages": ratio,
        "rss_max_mib": rss_mb,
        "commits": measured["commits"],
    }))
}

/// `custody run` until so many events are archived and indexed. What it took goes to standard
/// output as JSON.
fn pipeline(events: u64, dir: &Path) -> Done {
    let (brokers, topic) = (env::var("CUSTODY_BENCH_BROKERS")?, env::var("CUSTODY_BENCH_TOPIC")?);
    let (archive, index) = (archive_dir(dir).display().to_string(), index_dir(dir).display().to_string());
    let loaded = load(&[
        ("kafka.brokers", &brokers),
        ("kafka.topics", &topic),
        ("archive.path", &archive),
        ("index.path", &index),
        ("http.listen", "off"),
    ])?;
    let stop = Stop::default();
    stop_when_late(&stop);
    let started = Instant::now();
    let counted = Arc::new(Counted::default());
    let on_commit = {
        let (counted, stop) = (counted.clone(), stop.clone());
        Box::new(move |committed: &Committed| {
            counted.commits.fetch_add(1, Ordering::AcqRel);
            let rows = committed.file.manifest.rows;
            if counted.rows.fetch_add(rows, Ordering::AcqRel) + rows >= events {
                counted.archived_us.store(started.elapsed().as_micros() as u64, Ordering::Release);
                stop.stop();
            }
        })
    };
    run_until(&loaded, stop, Some(on_commit)).map_err(|failure| failure.to_string())?;
    let wall_s = started.elapsed().as_secs_f64();
    let rows = counted.rows.load(Ordering::Acquire);
    if rows != events {
        return Err(
            format!("{rows} events came instead of {events}: was topic {topic:?} new and empty?").into()
        );
    }
    let report = json!({
        "wall_s": wall_s,
        "archived_s": counted.archived_us.load(Ordering::Acquire) as f64 / 1e6,
        "cpu_s": cpu_time().as_secs_f64(),
        "rss_max_kb": rss_max_kb(),
        "commits": counted.commits.load(Ordering::Acquire),
    });
    println!("{report}");
    Ok(())
}

#[derive(Default)]
struct Counted {
    rows: AtomicU64,
    commits: AtomicU64,
    archived_us: AtomicU64,
}

/// Stops a pipeline that takes too long; the count then says what is missing.
fn stop_when_late(stop: &Stop) {
    let stop = stop.clone();
    thread::spawn(move || {
        thread::sleep(PIPELINE_MAX);
        stop.stop();
    });
}
