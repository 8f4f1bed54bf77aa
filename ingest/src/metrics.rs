//! Every metric of ingest, and the state that `/readyz` tells.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use custody_archive::Committed;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::progress::Progress;

/// What the worker says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What keeps it from archiving; `None` when nothing does.
    pub trouble: Option<String>,
    /// Partitions that it reads.
    pub partitions: usize,
    /// Topics that are not archived until somebody does something, and why.
    pub stopped: BTreeMap<String, String>,
    /// Partitions that are not archived further, as Kafka's next messages of them cannot be read, and why.
    pub standing: BTreeMap<(String, i32), String>,
}

impl Status {
    /// Why it is not archiving everything, topics that stopped and partitions that stand still included.
    pub fn why_not_ready(&self) -> Option<String> {
        let trouble = self.trouble.as_deref();
        // The watch over all partitions may have said it already.
        let is_new = |why: &&str| !trouble.is_some_and(|trouble| trouble.contains(why));
        let stopped = self.stopped.values().chain(self.standing.values()).map(String::as_str);
        let all: Vec<_> = trouble.into_iter().chain(stopped.filter(is_new)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Metrics of one worker.
pub struct Metrics {
    records: Counter,
    bytes: Counter,
    batches: Counter,
    quarantined: Counter,
    skipped: Counter,
    lost: Counter,
    fenced: Counter,
    retries: Counter,
    file_bytes: Counter,
    batch_bytes: Histogram,
    put_seconds: Histogram,
    read_back_seconds: Histogram,
    commit_seconds: Histogram,
    topics_stopped: Gauge,
    partitions_stopped: Gauge,
    lag_records: Gauge,
    lag_seconds: Gauge<f64, AtomicU64>,
    version: Gauge,
    unarchived_seconds: Gauge<f64, AtomicU64>,
    status_failures: Counter,
    status: Mutex<Status>,
    /// What the watch has against calling us ready.
    watched: Mutex<Option<String>>,
    pub(crate) progress: Progress,
    ends: Mutex<BTreeMap<(String, i32), i64>>,
    next: Mutex<BTreeMap<(String, i32), i64>>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 14))
}

/// Before the first assignment, and after partitions were taken away: a worker that was killed keeps
/// its own until its session is over.
pub(crate) const WAITING: &str =
    "waiting for Kafka to assign partitions; a worker that was killed holds its own until its session ends";

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            records: Counter::default(),
            bytes: Counter::default(),
            batches: Counter::default(),
            quarantined: Counter::default(),
            skipped: Counter::default(),
            lost: Counter::default(),
            fenced: Counter::default(),
            retries: Counter::default(),
            file_bytes: Counter::default(),
            batch_bytes: Histogram::new(exponential_buckets(1_024.0, 4.0, 10)),
            put_seconds: seconds(),
            read_back_seconds: seconds(),
            commit_seconds: seconds(),
            topics_stopped: Gauge::default(),
            partitions_stopped: Gauge::default(),
            lag_records: Gauge::default(),
            lag_seconds: Gauge::default(),
            version: Gauge::default(),
            unarchived_seconds: Gauge::default(),
            status_failures: Counter::default(),
            status: Mutex::new(Status { trouble: Some(WAITING.into()), ..Status::default() }),
            ends: Mutex::default(),
            next: Mutex::default(),
            watched: Mutex::default(),
            progress: Progress::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("custody_ingest"));
        metrics
    }

    fn register(&self, to: &mut Registry) {
        to.register("records", "Records archived", self.records.clone());
        to.register_with_unit(
            "consumed",
            "Bytes of keys, headers and payloads archived",
            Unit::Bytes,
            self.bytes.clone(),
        );
        to.register("batches", "Batches committed", self.batches.clone());
        to.register(
            "quarantined_records",
            "Records archived that could not be decoded",
            self.quarantined.clone(),
        );
        to.register(
            "skipped_offsets",
            "Offsets that held no record: transaction markers, compaction",
            self.skipped.clone(),
        );
        to.register("gap_offsets", "ALARM: offsets lost before they could be archived", self.lost.clone());
        to.register(
            "topics_stopped",
            "ALARM: topics that are not archived until somebody does something",
            self.topics_stopped.clone(),
        );
        to.register(
            "partitions_stopped",
            "ALARM: partitions that are not archived further, as their next messages cannot be read",
            self.partitions_stopped.clone(),
        );
        to.register("fenced", "Times another worker had archived our partitions", self.fenced.clone());
        to.register("store_retries", "Times the store failed and was tried again", self.retries.clone());
        to.register_with_unit(
            "files",
            "Bytes of Parquet files committed",
            Unit::Bytes,
            self.file_bytes.clone(),
        );
        to.register_with_unit("batch", "Consumed bytes of a batch", Unit::Bytes, self.batch_bytes.clone());
        to.register_with_unit("put", "Storing a file durably", Unit::Seconds, self.put_seconds.clone());
        to.register_with_unit(
            "read_back",
            "Reading a file back and re-hashing it",
            Unit::Seconds,
            self.read_back_seconds.clone(),
        );
        to.register_with_unit("commit", "The Delta commit", Unit::Seconds, self.commit_seconds.clone());
        to.register("lag_records", "Records in Kafka that are not archived", self.lag_records.clone());
        to.register_with_unit(
            "lag",
            "Age of the newest archived record while there is lag",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        to.register_with_unit(
            "unarchived",
            "Age of the oldest event in Kafka that is not archived",
            Unit::Seconds,
            self.unarchived_seconds.clone(),
        );
        to.register(
            "status_failures",
            "Messages for the status topic that Kafka did not take",
            self.status_failures.clone(),
        );
        to.register("archive_version", "The archive's version", self.version.clone());
    }

    /// What the worker and the watch over it say.
    pub fn status(&self) -> Status {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        status.trouble = status.trouble.or_else(|| watched.clone());
        status
    }

    /// Why the worker does not archive what it owns. Waiting for partitions is no such reason: it
    /// owns none.
    pub(crate) fn trouble_of_worker(&self) -> Option<String> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.trouble.clone().filter(|trouble| trouble != WAITING)
    }

    pub(crate) fn trouble(&self, trouble: Option<String>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = status.trouble.is_some() != trouble.is_some();
        status.trouble = trouble;
        drop(status);
        if changed {
            self.progress.wake();
        }
    }

    /// What the watch has to say, and the age of the oldest event that is not archived.
    pub(crate) fn watched(&self, trouble: Option<String>, oldest: Duration) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.unarchived_seconds.set(oldest.as_secs_f64());
    }

    pub(crate) fn status_failed(&self) {
        self.status_failures.inc();
    }

    /// Unless there is a reason already.
    pub(crate) fn trouble_if_none(&self, trouble: &str) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.trouble.get_or_insert_with(|| trouble.to_owned());
    }

    /// Topics that are not archived, and why.
    pub(crate) fn stopped(&self, stopped: &BTreeMap<String, String>) {
        self.topics_stopped.set(i64::try_from(stopped.len()).unwrap_or(i64::MAX));
        self.status.lock().unwrap_or_else(PoisonError::into_inner).stopped.clone_from(stopped);
    }

    /// Partitions that stand still, and why.
    pub(crate) fn standing(&self, standing: BTreeMap<(String, i32), String>) {
        self.partitions_stopped.set(i64::try_from(standing.len()).unwrap_or(i64::MAX));
        self.status.lock().unwrap_or_else(PoisonError::into_inner).standing = standing;
    }

    /// Where the archive stands with a partition of the topic's present life.
    pub(crate) fn stands(&self, topic: &str, partition: i32, next: i64) {
        let mut all = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((topic.to_owned(), partition), next);
        drop(all);
        self.update_lag(None);
    }

    pub(crate) fn partitions(&self, count: usize) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).partitions = count;
    }

    pub(crate) fn fenced(&self) {
        self.fenced.inc();
    }

    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    /// The broker's end of a partition.
    pub(crate) fn end(&self, topic: &str, partition: i32, end: i64) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert((topic.to_owned(), partition), end);
        drop(ends);
        self.update_lag(None);
    }

    pub(crate) fn committed(&self, committed: &Committed, consumed_bytes: u64, newest_age: Option<Duration>) {
        let manifest = &committed.file.manifest;
        self.batches.inc();
        self.records.inc_by(manifest.records());
        self.bytes.inc_by(consumed_bytes);
        self.file_bytes.inc_by(committed.file.bytes);
        self.batch_bytes.observe(consumed_bytes as f64);
        self.put_seconds.observe(committed.put.as_secs_f64());
        self.read_back_seconds.observe(committed.read_back.as_secs_f64());
        self.commit_seconds.observe(committed.commit.as_secs_f64());
        self.version.set(i64::try_from(committed.version).unwrap_or(i64::MAX));
        self.progress.committed(&manifest.parts, committed.version);
        for part in &manifest.parts {
            self.quarantined.inc_by(part.quarantined);
            self.skipped.inc_by(part.skipped);
            self.lost.inc_by(part.lost());
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.insert((part.partition.topic.clone(), part.partition.partition), part.span.to);
        }
        self.update_lag(newest_age);
    }

    fn update_lag(&self, newest_age: Option<Duration>) {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let lag: i64 = ends.iter().map(|(key, end)| (end - next.get(key).copied().unwrap_or(0)).max(0)).sum();
        self.lag_records.set(lag);
        match (lag, newest_age) {
            (0, _) => drop(self.lag_seconds.set(0.0)),
            (_, Some(age)) => drop(self.lag_seconds.set(age.as_secs_f64())),
            _ => {}
        }
    }
}
