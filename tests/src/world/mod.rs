//! A world in a box: Kafka, disk, store and clock in memory, all of them stricter than the real
//! ones, and the real worker, archive and index in it, moved step by step.
//!
//! - [`kafka`]: rebalances at any moment, retention that outruns the worker, transaction markers,
//!   holes that compaction leaves, messages delivered again or too late, messages that cannot be read
//! - [`disk`]: what is not synced is lost in a crash
//! - [`store`]: its n-th operation fails, fails although it took effect, takes effect too late, or
//!   is the last one before or after a crash
//! - [`clock`]: moves when it is told to
//! - [`World`]: `step`, `commit`, `index`, `compact`, `kill`, `power_failure`, `restart`, `check`

pub mod check;
pub mod clock;
pub mod disk;
pub mod kafka;
pub mod rng;
pub mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use custody_archive::{Archive, Clock, CompactSettings, Compactor, Opening, Store, Writer, WriterSettings};
use custody_index::{IndexStore, Indexer};
use custody_ingest::{Metrics, Stepped, WorkerSettings};
use prometheus_client::registry::Registry;

use clock::ManualClock;
use disk::Disk;
use kafka::{Consumer, Kafka};
use object_store::ObjectStore;
use store::{Backing, Fault, Faults, FaultyStore};

/// The topic of every world.
pub const TOPIC: &str = "events";

/// How a world is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Partitions of the topic.
    pub partitions: i32,
    /// Workers.
    pub workers: usize,
    /// Messages that make a batch full.
    pub batch_rows_max: u64,
    /// Commits from one checkpoint to the next.
    pub checkpoint_every: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { partitions: 2, workers: 1, batch_rows_max: 4, checkpoint_every: 3 }
    }
}

type Running = Stepped<Consumer>;

/// One process beside the others: a worker, or the one that indexes.
struct Process<T> {
    faults: Arc<Faults>,
    running: Option<T>,
}

/// Everything, in memory.
pub struct World {
    /// Its settings.
    pub settings: Settings,
    /// The clock of all.
    pub clock: Arc<ManualClock>,
    /// The brokers.
    pub kafka: Kafka,
    /// The disk of all, where the world has one.
    pub disk: Arc<Disk>,
    backing: Backing,
    root: String,
    workers: Vec<Process<Running>>,
    indexer: Process<Indexer<Archive>>,
    compactor: Process<Compactor>,
    /// Files that were made of several.
    pub compacted: u64,
    /// Files that were removed.
    pub removed: u64,
    batches: Arc<AtomicU64>,
    seed: u64,
    /// What the disk was like when it was checked last.
    checked: u64,
    /// Checks that found everything sound.
    pub checks: u64,
    /// Nothing is checked before something has gone wrong: it was already, without faults.
    pub checks_after_fault_only: bool,
    /// How workers ended.
    pub ended: Vec<String>,
}

impl World {
    /// A new world; `seed` decides what its Kafka does by itself.
    pub fn new(settings: Settings, seed: u64) -> World {
        let disk = Arc::new(Disk::default());
        World::over(settings, seed, disk.clone(), Backing::Disk(disk), "memory:///archive/")
    }

    /// A new world whose store is a real one; `root` is a URL whose path is the prefix of everything.
    pub fn real(settings: Settings, seed: u64, objects: Arc<dyn ObjectStore>, root: &str) -> World {
        World::over(settings, seed, Arc::default(), Backing::Real(objects, Arc::default()), root)
    }

    fn over(settings: Settings, seed: u64, disk: Arc<Disk>, backing: Backing, root: &str) -> World {
        let process = || Process { faults: Arc::new(Faults::default()), running: None };
        World {
            clock: Arc::new(ManualClock::default()),
            kafka: Kafka::new(TOPIC, settings.partitions, seed),
            workers: (0..settings.workers).map(|_| process()).collect(),
            indexer: Process { faults: Arc::new(Faults::default()), running: None },
            compactor: Process { faults: Arc::new(Faults::default()), running: None },
            compacted: 0,
            removed: 0,
            batches: Arc::default(),
            disk,
            backing,
            root: root.to_owned(),
            settings,
            seed,
            checked: u64::MAX,
            checks: 0,
            checks_after_fault_only: false,
            ended: Vec::new(),
        }
    }

    /// The store as one process sees it.
    fn store(&self, faults: &Arc<Faults>, folder: &str) -> Result<Arc<Store>, custody_archive::Error> {
        let objects = FaultyStore::new(self.backing.clone(), faults.clone());
        Ok(Arc::new(Store::over(Arc::new(objects), &format!("{}{folder}", self.root))?))
    }

    /// The archive without faults.
    pub fn archive(&self) -> Result<Archive, custody_archive::Error> {
        Archive::in_store(self.store(&Arc::default(), ARCHIVE)?)
    }

    /// The index without faults.
    pub fn index_store(&self) -> IndexStore {
        IndexStore::of(self.store(&Arc::default(), INDEX).unwrap_or_else(|e| panic!("{e}")))
    }

    /// The faults of a worker's store.
    pub fn faults(&self, worker: usize) -> Arc<Faults> {
        self.workers[worker].faults.clone()
    }

    /// The faults of the indexer's store.
    pub fn index_faults(&self) -> Arc<Faults> {
        self.indexer.faults.clone()
    }

    /// The faults of the compactor's store.
    pub fn compact_faults(&self) -> Arc<Faults> {
        self.compactor.faults.clone()
    }

    /// Is it running?
    pub fn runs(&self, worker: usize) -> bool {
        self.workers[worker].running.is_some()
    }

    /// Starts a worker that does not run. `false` when it cannot, as when its store fails.
    pub fn restart(&mut self, worker: usize) -> bool {
        if self.runs(worker) {
            return true;
        }
        let started = self.start(worker);
        let failed = started.is_err();
        self.workers[worker].running = started.ok();
        self.after(worker, failed);
        !failed
    }

    fn start(&self, worker: usize) -> Result<Running, custody_archive::Error> {
        let store = self.store(&self.workers[worker].faults, ARCHIVE)?;
        let settings =
            WriterSettings { checkpoint_every: self.settings.checkpoint_every, recent_bytes_max: 0 };
        let writer = Writer::in_store(store, &settings, self.clock.clone())?;
        let worker_settings = WorkerSettings {
            batch_bytes_max: 1 << 20,
            batch_rows_max: self.settings.batch_rows_max,
            batch_age_max: Duration::from_secs(2),
            retry_age_max: Duration::from_secs(5),
            retention_class: "default".to_owned(),
        };
        let (seed, batches) = (self.seed, self.batches.clone());
        let ids = Box::new(move || {
            let number = batches.fetch_add(1, Ordering::AcqRel);
            format!("{:08x}-0000-7000-8000-{number:012x}", seed & 0xffff_ffff)
        });
        Ok(Stepped::new(
            self.kafka.consumer(worker),
            worker_settings,
            writer,
            Arc::new(Metrics::new(&mut Registry::default())),
            Box::new(|_| {}),
            self.clock.clone(),
            ids,
        ))
    }

    /// Once around a worker's loop. A worker that ends is gone until it is started again.
    pub fn step(&mut self, worker: usize) {
        let Some(running) = &mut self.workers[worker].running else { return };
        let stepped = running.step();
        self.ended(worker, stepped);
    }

    /// A worker is asked to end, seals and commits.
    pub fn finish(&mut self, worker: usize) {
        let Some(running) = self.workers[worker].running.take() else { return };
        let finished = running.finish();
        self.kafka.gone(worker);
        self.ended(worker, finished);
    }

    /// An error that is not of a moment is one that an operator is asked to mend: in this world
    /// there is nothing to mend.
    fn ended(&mut self, worker: usize, result: Result<(), custody_ingest::Error>) {
        if let Err(error) = &result {
            assert_eq!(error.kind, custody_ingest::Kind::Unavailable, "worker {worker}: {error}");
            self.ended.push(error.to_string());
        }
        self.after(worker, result.is_err());
    }

    /// One commit of a worker; `false` when nothing waits for one.
    pub fn commit(&mut self, worker: usize) -> bool {
        let Some(running) = &mut self.workers[worker].running else { return false };
        let done = running.commit();
        self.after(worker, false);
        done
    }

    /// Sealed batches of a worker that wait for a commit.
    pub fn waiting(&self, worker: usize) -> usize {
        self.workers[worker].running.as_ref().map_or(0, Stepped::waiting)
    }

    fn after(&mut self, worker: usize, failed: bool) {
        // A store that crashed took its process along.
        if self.workers[worker].faults.is_without_power() {
            return self.power_failure();
        }
        if failed || self.workers[worker].faults.is_crashed() {
            self.kill(worker);
        }
        self.check();
    }

    /// kill -9.
    pub fn kill(&mut self, worker: usize) {
        self.workers[worker].running = None;
        self.workers[worker].faults.end_of_process();
        self.kafka.gone(worker);
    }

    /// Brings the index up to the archive, as far as its store lets it.
    pub fn index(&mut self) -> bool {
        let done = self.try_index();
        if self.indexer.faults.is_without_power() {
            self.power_failure();
        } else if done.is_none() || self.indexer.faults.is_crashed() {
            self.indexer.running = None;
            self.indexer.faults.end_of_process();
        }
        self.check();
        done.is_some()
    }

    fn try_index(&mut self) -> Option<()> {
        if self.indexer.running.is_none() {
            let archive = Archive::in_store(self.store(&self.indexer.faults, ARCHIVE).ok()?).ok()?;
            let store = IndexStore::of(self.store(&self.indexer.faults, INDEX).ok()?);
            self.indexer.running = Some(Indexer::open(&store, archive, index_settings()).ok()?);
        }
        self.indexer.running.as_mut()?.catch_up().ok().map(drop)
    }

    /// Compacts what is due, and removes what may be removed, as far as the store lets it.
    pub fn compact(&mut self) -> bool {
        let mut failed = false;
        loop {
            let stepped = self.compact_step();
            let crashed = self.compactor.faults.is_crashed();
            if self.compactor.faults.is_without_power() {
                self.power_failure();
            } else if stepped.is_none() || crashed {
                self.compactor.running = None;
                self.compactor.faults.end_of_process();
            }
            self.check();
            failed |= stepped.is_none() || crashed;
            if failed || stepped != Some(true) {
                return !failed;
            }
        }
    }

    /// Whether there is more to do; `None` when it failed.
    fn compact_step(&mut self) -> Option<bool> {
        if self.compactor.running.is_none() {
            let store = self.store(&self.compactor.faults, ARCHIVE).ok()?;
            let settings =
                CompactSettings { small_files_max: 2, grace_ms: 30_000, ..CompactSettings::default() };
            self.compactor.running = Compactor::open(store, settings).ok();
        }
        match self.compactor.running.as_mut()?.step(self.clock.now_ms()) {
            Ok(done) => {
                assert!(done.unreadable.is_empty(), "{:?}", done.unreadable);
                self.compacted += u64::from(done.compacted.is_some());
                self.removed += (done.removed.len() + done.strays.len()) as u64;
                Some(done.more)
            }
            Err(error) => {
                assert_eq!(error.kind, custody_archive::Kind::Retry, "{error}");
                None
            }
        }
    }

    /// The machine loses its power: every process ends, and what was not synced is gone.
    pub fn power_failure(&mut self) {
        for worker in 0..self.workers.len() {
            self.kill(worker);
            self.workers[worker].faults.lose_late();
        }
        (self.indexer.running, self.compactor.running) = (None, None);
        self.indexer.faults.lose_late();
        self.compactor.faults.lose_late();
        self.disk.crash();
        self.check();
    }

    /// Everything works again, and is given the time that it needs: all that was published is
    /// archived and indexed.
    pub fn settle(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.workers[worker].faults.heal());
        self.indexer.faults.heal();
        self.compactor.faults.heal();
        self.kafka.calm();
        self.kafka.release();
        for _ in 0..400 {
            self.accept();
            for worker in 0..self.workers.len() {
                assert!(self.restart(worker), "a worker does not start although nothing is wrong");
            }
            self.kafka.share(self.workers.len());
            for worker in 0..self.workers.len() {
                self.step(worker);
                self.commit(worker);
            }
            self.clock.advance(Duration::from_millis(300));
            if self.is_archived() {
                break;
            }
        }
        assert!(self.compact(), "nothing is compacted although nothing is wrong");
        assert!(self.index(), "the index does not follow although nothing is wrong");
        self.check_complete();
    }

    /// Runs a worker until everything that is published now is archived, or a while has passed.
    pub fn run(&mut self, worker: usize) {
        for _ in 0..60 {
            self.restart(worker);
            self.kafka.share(self.workers.len());
            self.step(worker);
            self.commit(worker);
            self.clock.advance(Duration::from_millis(500));
            if self.is_archived() && self.waiting(worker) == 0 {
                return;
            }
        }
    }

    /// Somebody accepts that the topic was made again, if it was.
    pub fn accept(&mut self) {
        let Some(ended) = self.is_to_be_accepted() else { return };
        let settings =
            WriterSettings { checkpoint_every: self.settings.checkpoint_every, recent_bytes_max: 0 };
        let store = self.store(&Arc::default(), ARCHIVE).unwrap_or_else(|e| panic!("{e}"));
        let writer = Writer::in_store(store, &settings, self.clock.clone());
        let opening = Opening {
            topic: TOPIC.to_owned(),
            ended,
            topic_id: Some(self.kafka.topic_id()),
            who: "the world".to_owned(),
            why: "it was made again".to_owned(),
        };
        let accepted = writer.and_then(|mut writer| writer.accept(&opening));
        if let Err(error) = accepted {
            panic!("{error}");
        }
        self.check();
    }

    /// Whether everything that is in the logs of Kafka is archived.
    pub fn is_archived(&self) -> bool {
        let next = self.next_offsets();
        self.kafka
            .message_ends()
            .iter()
            .all(|(partition, end)| next.get(partition).copied().unwrap_or(0) >= *end)
    }

    /// Fails a test at the n-th operation of a worker's store from now.
    pub fn fault(&self, worker: usize, after: u64, fault: Fault) {
        self.workers[worker].faults.plan(after, fault);
    }
}

const ARCHIVE: &str = "";
const INDEX: &str = "_index/";

/// Splits are joined early, so that a short run has all that a long one has.
pub fn index_settings() -> custody_index::Settings {
    custody_index::Settings {
        small_docs: 20,
        small_run_max: 2,
        manifests_kept: 2,
        ..custody_index::Settings::default()
    }
}
