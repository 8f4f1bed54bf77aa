//! The commit thread's work: a sealed batch becomes a file, then a commit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use custody_archive::{Clock, Committed, Encoded, Sealed, Topic, Writer};
use custody_schemas::Partition;

use crate::metrics::Metrics;

/// First pause after a store failure; it doubles to the maximum.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Called after each commit, on the commit thread.
pub type OnCommit = Box<dyn Fn(&Committed) + Send + Sync>;

/// What became of a sealed batch.
pub type Outcome = Result<Committed, custody_archive::Error>;

/// Archives sealed batches, one after another.
pub(crate) struct Committer {
    writer: Mutex<Writer>,
    /// How long a failing store is tried again.
    retry_age_max: Duration,
    metrics: Arc<Metrics>,
    on_commit: OnCommit,
    clock: Arc<dyn Clock>,
}

impl Committer {
    pub(crate) fn new(
        writer: Writer,
        retry_age_max: Duration,
        metrics: Arc<Metrics>,
        on_commit: OnCommit,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Committer { writer: Mutex::new(writer), retry_age_max, metrics, on_commit, clock }
    }

    /// Where the archive stands with a partition; `None` when it has nothing of it.
    pub(crate) fn next_offset(&self, partition: &Partition) -> Result<Option<i64>, custody_archive::Error> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).next_offset(partition)
    }

    /// Which life of a topic the archive is at; `None` when it has nothing of it.
    pub(crate) fn topic(&self, topic: &str) -> Result<Option<Topic>, custody_archive::Error> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).topic(topic)
    }

    /// Archives one batch, trying again while the store fails for a while.
    pub(crate) fn archive(&self, sealed: Sealed) -> Outcome {
        let consumed = sealed.bytes;
        let started = self.clock.elapsed();
        let encoded = Encoded::new(sealed)?;
        let encode = self.clock.elapsed().saturating_sub(started);
        let mut pause = PAUSE_MIN;
        loop {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            match writer.archive(&encoded) {
                Ok(committed) => {
                    drop(writer);
                    self.committed(&committed, consumed, encode);
                    return Ok(committed);
                }
                Err(error) if error.kind == custody_archive::Kind::Retry => {
                    drop(writer);
                    if self.clock.elapsed().saturating_sub(started) > self.retry_age_max {
                        return Err(error);
                    }
                    tracing::warn!(batch = encoded.manifest.batch, %error, pause_ms = pause.as_millis(), "store failed; trying again");
                    self.metrics.retried();
                    self.metrics.trouble(Some(format!("the store fails: {error}")));
                    self.clock.sleep(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn committed(&self, committed: &Committed, consumed: u64, encode: Duration) {
        let manifest = &committed.file.manifest;
        let (quarantined, skipped, lost) = manifest.parts.iter().fold((0, 0, 0), |sum, part| {
            (sum.0 + part.quarantined, sum.1 + part.skipped, sum.2 + part.lost())
        });
        tracing::info!(
            version = committed.version,
            batch = manifest.batch,
            records = manifest.records(),
            partitions = manifest.parts.len(),
            consumed_bytes = consumed,
            file_bytes = committed.file.bytes,
            quarantined,
            skipped,
            lost,
            encode_ms = encode.as_millis(),
            put_ms = committed.put.as_millis(),
            read_back_ms = committed.read_back.as_millis(),
            commit_ms = committed.commit.as_millis(),
            "archived"
        );
        let age = self.clock.now_ms().saturating_sub(manifest.archived_ms);
        self.metrics.committed(committed, consumed, u64::try_from(age).ok().map(Duration::from_millis));
        self.metrics.trouble(None);
        (self.on_commit)(committed);
    }
}
