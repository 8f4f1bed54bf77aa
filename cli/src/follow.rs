//! The index follows the archive: woken by each commit, or by the clock when
//! another process does the committing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use custody_archive::Archive;
use custody_index::{CaughtUp, Indexer};
use custody_ingest::Stop;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::failure::{Done, Failure};

/// How often a worker without ingest looks for new commits.
const LOOK: Duration = Duration::from_millis(500);
/// Commits that follow one another sooner than this come of a backlog.
const QUICK: Duration = Duration::from_millis(500);
/// The longest that a commit waits for others.
const GATHER_MAX: Duration = Duration::from_secs(1);
/// Pause after the index's disk failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Metrics and state of the index.
pub struct IndexMetrics {
    docs: Counter,
    splits: Counter,
    seconds: Histogram,
    behind: Gauge,
    committed: AtomicU64,
    indexed: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl IndexMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = IndexMetrics {
            docs: Counter::default(),
            splits: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            behind: Gauge::default(),
            committed: AtomicU64::new(0),
            indexed: AtomicU64::new(0),
            trouble: Mutex::new(None),
        };
        let registry = registry.sub_registry_with_prefix("custody_index");
        registry.register("records", "Records indexed", metrics.docs.clone());
        registry.register("splits", "Splits built", metrics.splits.clone());
        registry.register_with_unit(
            "catch_up",
            "Indexing what was committed",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("versions_behind", "Archive versions that are not indexed", metrics.behind.clone());
        metrics
    }

    /// Why the index does not follow, if it does not.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The archive has this version now.
    pub fn committed(&self, version: u64) {
        self.committed.fetch_max(version, Ordering::AcqRel);
        self.update();
    }

    fn caught_up(&self, done: &CaughtUp) {
        self.docs.inc_by(done.docs);
        self.splits.inc_by(done.splits);
        self.seconds.observe(Duration::from_millis(done.ms).as_secs_f64());
        if let Some(version) = done.version {
            self.indexed.store(version, Ordering::Release);
            self.committed.fetch_max(version, Ordering::AcqRel);
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.update();
    }

    fn failed(&self, why: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn update(&self) {
        let behind =
            self.committed.load(Ordering::Acquire).saturating_sub(self.indexed.load(Ordering::Acquire));
        self.behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
    }
}

/// A commit, as the follower is told of it.
#[derive(Debug, Clone, Copy)]
pub struct Landed {
    /// The version that it made.
    pub version: u64,
    /// The rows that it archived.
    pub rows: u64,
    /// When.
    pub at: Instant,
}

/// Wakes the follower.
pub type Wake = Sender<Landed>;

/// A wake-up line.
pub fn line() -> (Wake, Receiver<Landed>) {
    channel()
}

/// Waits for commits that one split may be made of, while they come in quick succession: many small
/// splits cost more than few large ones, now and when they are joined. One that comes alone is
/// indexed at once. The last of them.
fn gathered(wake: &Receiver<Landed>, before: Option<Landed>, first: Landed, rows_max: u64) -> Landed {
    let until = first.at + GATHER_MAX;
    let (mut last, mut rows) = (first, first.rows);
    let mut quick = before.is_some_and(|before| first.at.saturating_duration_since(before.at) < QUICK);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Those that came while the last split was built do not have to be waited for.
        let wait = if quick && rows < rows_max { left.min(QUICK) } else { Duration::ZERO };
        let Ok(landed) = wake.recv_timeout(wait) else { return last };
        quick = true;
        last = landed;
        rows += landed.rows;
    }
}

/// Follows the archive until stopped; then indexes what is left.
pub fn follow(
    mut indexer: Indexer<Archive>,
    wake: &Receiver<Landed>,
    stop: &Stop,
    metrics: &Arc<IndexMetrics>,
) -> Done {
    if let Some(why) = indexer.rebuilding() {
        tracing::info!(why, "the index is built from the archive");
    }
    let rows_max = custody_index::Settings::default().build_docs_max;
    let mut before = None;
    loop {
        let last = stop.is_stopped();
        match indexer.catch_up() {
            Ok(done) => {
                if done.splits > 0 || done.relocated > 0 || done.rebuilt.is_some() {
                    tracing::info!(
                        through = done.version,
                        splits = done.splits,
                        merged = done.merged,
                        relocated = done.relocated,
                        records = done.docs,
                        ms = done.ms,
                        "indexed"
                    );
                }
                metrics.caught_up(&done);
            }
            // The last pass has no later one to mend it: whoever waits must know.
            Err(error) if error.kind == custody_index::Kind::Retry && !last => {
                tracing::warn!(%error, "the index cannot follow; trying again");
                metrics.failed(format!("the index cannot follow: {error}"));
                std::thread::sleep(PAUSE);
            }
            Err(error) => {
                metrics.failed(error.to_string());
                return Err(Failure::failed(error));
            }
        }
        if last {
            return Ok(());
        }
        match wake.recv_timeout(LOOK) {
            Ok(landed) => {
                metrics.committed(landed.version);
                let last = gathered(wake, before, landed, rows_max);
                metrics.committed(last.version);
                before = Some(last);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(version: u64, at: Instant) -> Landed {
        Landed { version, rows: 10, at }
    }

    /// Nothing here depends on how fast the test runs: who is waited for never comes, or is there.
    #[test]
    fn commits_in_quick_succession_are_gathered() {
        let (tell, told) = line();
        let now = Instant::now();
        let long_ago = now.checked_sub(Duration::from_secs(60)).unwrap();
        // One that comes alone is not kept waiting; those that are there already come with it.
        assert_eq!(gathered(&told, None, landed(1, now), 100).version, 1);
        for version in 2..=4 {
            tell.send(landed(version, now)).unwrap();
        }
        assert_eq!(gathered(&told, Some(landed(0, long_ago)), landed(1, now), 100).version, 4);
        // As many as make a split are not waited upon, nor is anybody for longer than a commit may wait.
        assert_eq!(gathered(&told, Some(landed(0, now)), landed(1, now), 10).version, 1);
        assert_eq!(gathered(&told, Some(landed(0, long_ago)), landed(1, long_ago), 100).version, 1);
        // Nobody is left to come: the last is the answer.
        tell.send(landed(6, now)).unwrap();
        drop(tell);
        assert_eq!(gathered(&told, Some(landed(4, now)), landed(5, now), 100).version, 6);
    }
}
