//! `custody compact`, and compaction beside a worker.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use custody_archive::{CompactedFile, Compactor, Done as Step, Due};
use custody_ingest::Stop;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;

use crate::failure::{Done, Failure};
use crate::open;
use crate::outln;
use crate::settings::Loaded;
use crate::show::one_line;

/// How soon the thread sees that it has to end.
const LOOK: Duration = Duration::from_millis(200);

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Metrics of compaction.
pub struct CompactMetrics {
    made: Counter,
    replaced: Counter,
    removed: Counter,
    failures: Counter,
    bytes: Counter,
    seconds: Histogram,
}

impl CompactMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = CompactMetrics {
            made: Counter::default(),
            replaced: Counter::default(),
            removed: Counter::default(),
            failures: Counter::default(),
            bytes: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.01, 2.0, 16)),
        };
        let registry = registry.sub_registry_with_prefix("custody_compact");
        registry.register("files_made", "Files made of several", metrics.made.clone());
        registry.register("files_replaced", "Files whose batches were moved", metrics.replaced.clone());
        registry.register(
            "files_removed",
            "Files removed: replaced ones, and writes that were cut short",
            metrics.removed.clone(),
        );
        registry.register("failures", "Times compaction failed; it is tried again", metrics.failures.clone());
        registry.register_with_unit("made", "Bytes of files made", Unit::Bytes, metrics.bytes.clone());
        registry.register_with_unit("file", "Making one file", Unit::Seconds, metrics.seconds.clone());
        metrics
    }

    fn stepped(&self, done: &Step, took: Duration) {
        self.removed.inc_by((done.removed.len() + done.strays.len()) as u64);
        if let Some(made) = &done.compacted {
            self.made.inc();
            self.replaced.inc_by(made.files);
            self.bytes.inc_by(made.bytes);
            self.seconds.observe(took.as_secs_f64());
        }
    }
}

/// Compacts now and then until one of `stops`. Whatever fails is tried again later: archiving
/// neither waits for it nor ends with it.
pub fn background(loaded: &Loaded, stops: &[Stop], metrics: &CompactMetrics) {
    let every = loaded.settings.compact.every;
    if every.is_zero() {
        return;
    }
    let stopped = || stops.iter().any(Stop::is_stopped);
    let mut compactor = None;
    loop {
        // First the pause: a worker that starts has other things to do.
        let started = Instant::now();
        while started.elapsed() < every {
            if stopped() {
                return;
            }
            thread::sleep(LOOK.min(every));
        }
        if let Err(error) = round(loaded, &mut compactor, &stopped, metrics) {
            tracing::warn!(%error, "cannot compact; trying again later");
            metrics.failures.inc();
        }
    }
}

/// Does all that is due.
fn round(
    loaded: &Loaded,
    compactor: &mut Option<Compactor>,
    stopped: &dyn Fn() -> bool,
    metrics: &CompactMetrics,
) -> Result<(), Failure> {
    let compactor = match compactor {
        Some(compactor) => compactor,
        None => compactor.insert(open::compactor(loaded)?),
    };
    while !stopped() {
        let started = Instant::now();
        let done = compactor.step(now_ms())?;
        metrics.stepped(&done, started.elapsed());
        let removed = done.removed.len() + done.strays.len();
        if removed > 0 {
            tracing::info!(replaced = done.removed.len(), strays = done.strays.len(), "files removed");
        }
        for path in &done.unreadable {
            tracing::warn!(path, "a data file of no commit cannot be read; it is left alone");
        }
        if !done.more {
            return Ok(());
        }
    }
    Ok(())
}

/// What `custody compact` did.
#[derive(Debug, Default, Serialize)]
struct Summary {
    version: u64,
    compacted: Vec<CompactedFile>,
    removed: Vec<String>,
    strays: Vec<String>,
    unreadable: Vec<String>,
    problems: Vec<String>,
}

/// `custody compact`
pub fn compact(loaded: &Loaded, dry_run: bool, as_json: bool) -> Done {
    let mut compactor = open::compactor(loaded)?;
    if dry_run {
        let due = compactor.due(now_ms())?;
        if as_json {
            outln!("{}", serde_json::to_string_pretty(&due).map_err(Failure::failed)?);
        } else {
            tell_due(&due);
        }
        return Ok(());
    }
    let summary = all(&mut compactor, as_json)?;
    if as_json {
        outln!("{}", serde_json::to_string_pretty(&summary).map_err(Failure::failed)?);
    } else {
        tell(&summary);
    }
    match summary.problems.first() {
        None => Ok(()),
        Some(problem) => Err(Failure::failed(problem)),
    }
}

/// Does all that is due; what is damaged is told and left alone.
fn all(compactor: &mut Compactor, quiet: bool) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    loop {
        match compactor.step(now_ms()) {
            Ok(done) => {
                summary.version = done.version;
                if let Some(made) = done.compacted {
                    if !quiet {
                        outln!("{}", made_line(&made));
                    }
                    summary.version = summary.version.max(made.version);
                    summary.compacted.push(made);
                }
                summary.removed.extend(done.removed);
                summary.strays.extend(done.strays);
                summary.unreadable.extend(done.unreadable);
                if !done.more {
                    return Ok(summary);
                }
            }
            Err(error) if error.kind == custody_archive::Kind::Retry => return Err(error.into()),
            Err(error) => {
                let problem = error.to_string();
                // Said once more, it is not one file's: nothing goes on behind it.
                if summary.problems.contains(&problem) {
                    return Ok(summary);
                }
                summary.problems.push(problem);
            }
        }
    }
}

fn made_line(made: &CompactedFile) -> String {
    format!(
        "version {}: {} files ({}) became {} ({}) with {} batches, {} records",
        made.version,
        made.files,
        mebibytes(made.replaced_bytes),
        name(&made.path),
        mebibytes(made.bytes),
        made.batches,
        made.records
    )
}

fn tell(summary: &Summary) {
    for path in &summary.unreadable {
        outln!("{} is of no commit and cannot be read; it is left alone", one_line(path));
    }
    let (files, bytes) = summary
        .compacted
        .iter()
        .fold((0, 0), |(files, bytes), made| (files + made.files, bytes + made.replaced_bytes));
    let made: u64 = summary.compacted.iter().map(|made| made.bytes).sum();
    outln!(
        "{files} files ({}) became {} ({}); {} replaced files removed, {} writes that were cut short",
        mebibytes(bytes),
        summary.compacted.len(),
        mebibytes(made),
        summary.removed.len(),
        summary.strays.len()
    );
}

fn tell_due(due: &Due) {
    for planned in &due.compactions {
        outln!(
            "{} files ({}) of class {}, month {} would become one, the first of them {}",
            planned.files.len(),
            mebibytes(planned.bytes),
            planned.retention_class,
            planned.archive_month,
            planned.files.first().map_or("", |path| name(path))
        );
    }
    for path in &due.removable {
        outln!("{} would be removed", one_line(path));
    }
    if due.compactions.is_empty() && due.removable.is_empty() {
        outln!("nothing is due");
    }
}

fn name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Ends the background thread whichever way the worker ends, and waits for it.
pub fn spawn<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    loaded: &'scope Loaded,
    stops: Vec<Stop>,
    metrics: Arc<CompactMetrics>,
) -> thread::ScopedJoinHandle<'scope, ()> {
    scope.spawn(move || background(loaded, &stops, &metrics))
}

#[cfg(test)]
mod tests {
    use custody_archive::{
        Archive, BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings, verify,
    };
    use custody_schemas::{Incoming, Partition};

    use super::*;
    use crate::settings::{Inputs, Settings};

    fn archive(path: &Path) -> Writer {
        let location = Location::Folder(path.to_owned());
        let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
        let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
        for offset in 0..5 {
            let mut builder = BatchBuilder::new(format!("b{offset}"));
            let incoming = Incoming { key: None, headers: &[], payload: Some(b"{}"), broker_time_ms: None };
            builder.push(&partition, offset, offset, &incoming).unwrap();
            writer.archive(&Encoded::new(builder.seal("default", 7).unwrap()).unwrap()).unwrap();
        }
        writer
    }

    fn loaded(path: &Path, flags: &[(&str, &str)]) -> Loaded {
        let path = [("archive.path", path.to_str().unwrap())];
        let flags = flags.iter().chain(&path);
        let flags = flags.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::load(Inputs { flags, ..Inputs::default() }).unwrap()
    }

    fn files(archive: &Archive) -> (u64, u64) {
        let report = verify(archive, &mut |_| {}).unwrap();
        assert_eq!(report.problems, []);
        (report.files, report.records)
    }

    #[test]
    fn once_and_dry() {
        let dir = tempfile::tempdir().unwrap();
        let reader = archive(dir.path()).reader();
        let loaded = loaded(dir.path(), &[("compact.grace", "0s")]);
        for as_json in [false, true] {
            compact(&loaded, true, as_json).unwrap();
            assert_eq!(files(&reader), (5, 5));
        }
        compact(&loaded, false, false).unwrap();
        assert_eq!(files(&reader), (1, 5));
        compact(&loaded, false, true).unwrap();
        assert_eq!(files(&reader), (1, 5));
        // A damaged file is told, with another exit code than success.
        let damaged = archive(&dir.path().join("other")).reader();
        let path = dir.path().join("other").join(&damaged.batches().unwrap()[2].1.path);
        std::fs::write(&path, "x").unwrap();
        let failure = compact(&self::loaded(&dir.path().join("other"), &[]), false, false).unwrap_err();
        assert!(failure.to_string().contains("b2-"), "{failure}");
    }

    #[test]
    fn beside_a_worker_until_it_is_told_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let reader = archive(dir.path()).reader();
        let loaded = loaded(dir.path(), &[("compact.every", "1ms")]);
        let (stop, mut registry) = (Stop::default(), Registry::default());
        let metrics = Arc::new(CompactMetrics::new(&mut registry));
        thread::scope(|scope| {
            let thread = spawn(scope, &loaded, vec![Stop::default(), stop.clone()], metrics.clone());
            while metrics.made.get() == 0 {
                thread::sleep(Duration::from_millis(5));
            }
            stop.stop();
            thread.join().unwrap();
        });
        assert_eq!(files(&reader), (1, 5));
        assert_eq!((metrics.replaced.get(), metrics.failures.get()), (5, 0));
        // Turned off it returns at once.
        let off = self::loaded(dir.path(), &[("compact.every", "0s")]);
        background(&off, &[Stop::default()], &metrics);
    }
}
