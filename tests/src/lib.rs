//! What the end-to-end tests share: the repository's root, a worker in the
//! process, and the check after every test that writes an archive.

pub mod simulated;
pub mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_archive::{Archive, Location, Report, S3Settings, Writer, WriterSettings, verify};
use custody_index::IndexStore;
use custody_ingest::kafka::KafkaSettings;
use custody_ingest::{Error, Metrics, Stop, Worker, WorkerSettings};
use prometheus_client::registry::Registry;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Real data beside the repository; `None`, with a line, where it is not there.
pub fn data(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

/// A worker on a thread of its own.
pub struct Running {
    stop: Stop,
    /// Records archived since it started.
    pub rows: Arc<AtomicU64>,
    /// What it says of itself.
    pub metrics: Arc<Metrics>,
    thread: thread::JoinHandle<Result<(), Error>>,
}

/// How to reach a broker of a test.
pub fn kafka(brokers: &str, topics: &[&str]) -> KafkaSettings {
    KafkaSettings {
        brokers: brokers.to_owned(),
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        group: "custody-test".to_owned(),
        queue_bytes_max: 8 << 20,
        properties: [
            ("socket.timeout.ms", "5000"),
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "500"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into(),
    }
}

/// Bounds that make many small batches.
pub fn small_batches() -> WorkerSettings {
    WorkerSettings {
        batch_bytes_max: 64 << 10,
        batch_rows_max: 500,
        batch_age_max: Duration::from_millis(100),
        retry_age_max: Duration::from_secs(2),
        retention_class: "default".to_owned(),
    }
}

/// The archive in a folder.
pub fn location(dir: &Path) -> Location {
    Location::Folder(dir.join("archive"))
}

/// The index in a folder.
pub fn index(path: &Path) -> IndexStore {
    IndexStore::folder(path).unwrap_or_else(|error| panic!("the index cannot be opened: {error}"))
}

/// Connects a worker; fails as the command would.
pub fn connect(kafka: &KafkaSettings, dir: &Path, rows: Arc<AtomicU64>, stop: Stop) -> Result<Worker, Error> {
    connect_with(kafka, dir, rows, stop, Arc::new(Metrics::new(&mut Registry::default())))
}

fn connect_with(
    kafka: &KafkaSettings,
    dir: &Path,
    rows: Arc<AtomicU64>,
    stop: Stop,
    metrics: Arc<Metrics>,
) -> Result<Worker, Error> {
    let writer = Writer::open(&location(dir), &S3Settings::default(), &WriterSettings::default())?;
    let told = Box::new(move |committed: &custody_archive::Committed| {
        rows.fetch_add(committed.file.manifest.records(), Ordering::AcqRel);
    });
    Worker::connect(kafka, small_batches(), writer, metrics, told, stop)
}

impl Running {
    /// Starts a worker.
    pub fn start(kafka: KafkaSettings, dir: &Path) -> Running {
        let (stop, rows) = (Stop::default(), Arc::new(AtomicU64::new(0)));
        let metrics = Arc::new(Metrics::new(&mut Registry::default()));
        let thread = {
            let (stop, rows, metrics, dir) = (stop.clone(), rows.clone(), metrics.clone(), dir.to_owned());
            thread::spawn(move || connect_with(&kafka, &dir, rows, stop, metrics)?.run())
        };
        Running { stop, rows, metrics, thread }
    }

    /// Waits for this many records; says how many came if it takes over a minute.
    pub fn wait_for(&self, rows: u64) {
        let started = Instant::now();
        while self.rows.load(Ordering::Acquire) < rows {
            assert!(!self.thread.is_finished(), "the worker ended early");
            let got = self.rows.load(Ordering::Acquire);
            assert!(started.elapsed() < Duration::from_secs(60), "{got} of {rows} records after a minute");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it and says how it ended.
    pub fn stop(self) -> Result<(), Error> {
        self.stop.stop();
        self.end()
    }

    /// Waits until it ends by itself.
    pub fn end(self) -> Result<(), Error> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Reads the archive of a folder.
pub fn archive(dir: &Path) -> Result<Archive, custody_archive::Error> {
    Archive::open(&location(dir), &S3Settings::default())
}

/// The check after every test: the whole archive is proven, or the test fails
/// with what is wrong.
pub fn check(dir: &Path) -> Report {
    let report = archive(dir).and_then(|archive| verify(&archive, &mut |_| {}));
    match report {
        Ok(report) => {
            assert!(report.problems.is_empty(), "{:?}", report.problems);
            report
        }
        Err(error) => panic!("the archive cannot be verified: {error}"),
    }
}
