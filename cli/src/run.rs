//! `custody run`, `custody ingest`, `custody index`.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use custody_console::{Probe, Server, serve};
use custody_index::Indexer;
use custody_ingest::{Metrics, OnCommit, Stop, Watch, Worker};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::compacting::{self, CompactMetrics};
use crate::failure::{Done, Failure};
use crate::follow::{IndexMetrics, Landed, follow, line};
use crate::open;
use crate::settings::Loaded;

/// Rows that wait for the index: those of a split that is built at once, in batches of the default size.
/// What does not fit is read from the archive.
const RECENT_BYTES_MAX: usize = 80 << 20;

struct State {
    registry: Mutex<Registry>,
    ingest: Option<Arc<Metrics>>,
    index: Option<Arc<IndexMetrics>>,
}

impl Probe for State {
    fn ready(&self) -> Result<(), String> {
        let ingest = self.ingest.as_ref().and_then(|metrics| metrics.status().why_not_ready());
        let index = self.index.as_ref().and_then(|metrics| metrics.trouble());
        ingest.or(index).map_or(Ok(()), Err)
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }
}

fn http(loaded: &Loaded, state: State) -> Result<Option<Server>, Failure> {
    let Some(listen) = loaded.settings.http.listen else { return Ok(None) };
    let server = serve(listen, Arc::new(state)).map_err(|e| {
        Failure::failed(format!(
            "cannot listen on {listen}: {e}; set http.listen to another address or to off"
        ))
    })?;
    tracing::info!(address = %server.address, "serving /healthz, /readyz and /metrics");
    Ok(Some(server))
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Ends the loop on SIGTERM or SIGINT.
pub fn stop_on_signal() -> Result<Stop, Failure> {
    let stop = Stop::default();
    let asked = stop.clone();
    let failed = |e: std::io::Error| Failure::failed(format!("cannot wait for signals: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut term), Ok(mut int)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
            else {
                return;
            };
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            tracing::info!("asked to stop: sealing and committing");
            asked.stop();
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            // Asked twice: what is not committed is still in Kafka.
            std::process::exit(130);
        });
    });
    Ok(stop)
}

/// `custody ingest`
pub fn ingest(loaded: &Loaded) -> Done {
    open::require(loaded, &["kafka.brokers", "kafka.topics", "archive.path"])?;
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let stop = stop_on_signal()?;
    let writer = open::writer(loaded, 0)?;
    let state = State { registry: Mutex::new(registry), ingest: Some(metrics.clone()), index: None };
    let _server = http(loaded, state)?;
    let settings = &loaded.settings;
    let kafka = open::kafka(settings);
    let told = Box::new(|_: &_| {});
    let worker =
        Worker::connect(&kafka, open::worker(settings), writer, metrics.clone(), told, stop.clone())?;
    // Goes before the worker does, which then leaves its group: what it says last is not said
    // after the next owner's first word.
    let _watch = Watch::start(&kafka, open::status(settings), metrics)?;
    Ok(worker.run()?)
}

/// `custody index`
pub fn index(loaded: &Loaded, once: bool) -> Done {
    let archive = open::archive(loaded)?;
    let stop = stop_on_signal()?;
    let mut registry = Registry::default();
    let metrics = Arc::new(IndexMetrics::new(&mut registry));
    let indexer = Indexer::open(&open::index(loaded)?, archive, custody_index::Settings::default())?;
    let (_wake, woken) = line();
    if once {
        stop.stop();
        return follow(indexer, &woken, &stop, &metrics);
    }
    let state = State { registry: Mutex::new(registry), ingest: None, index: Some(metrics.clone()) };
    let _server = http(loaded, state)?;
    follow(indexer, &woken, &stop, &metrics)
}

/// Called once, with what the worker counts.
pub type OnSubscribed = Box<dyn FnOnce(&Arc<Metrics>)>;

/// Whoever wants to know how a worker is getting on.
#[derive(Default)]
pub struct Observer {
    /// Told of every commit.
    pub on_commit: Option<OnCommit>,
    /// Told once, when Kafka was asked for partitions.
    pub on_subscribed: Option<OnSubscribed>,
}

/// `custody run`
pub fn run(loaded: &Loaded) -> Done {
    run_until(loaded, stop_on_signal()?, Observer::default())
}

/// Ingest and index until stopped.
pub fn run_until(loaded: &Loaded, stop: Stop, observer: Observer) -> Done {
    let Observer { on_commit, on_subscribed } = observer;
    open::require(loaded, &["kafka.brokers", "kafka.topics", "archive.path"])?;
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let index_metrics = Arc::new(IndexMetrics::new(&mut registry));
    let compact_metrics = Arc::new(CompactMetrics::new(&mut registry));
    let writer = open::writer(loaded, RECENT_BYTES_MAX)?;
    let indexer = Indexer::open(&open::index(loaded)?, writer.reader(), custody_index::Settings::default())?;
    let state = State {
        registry: Mutex::new(registry),
        ingest: Some(metrics.clone()),
        index: Some(index_metrics.clone()),
    };
    let _server = http(loaded, state)?;
    let (wake, woken) = line();
    let wake = Mutex::new(wake);
    let told: OnCommit = Box::new(move |committed| {
        // A follower that ended has said why; archiving goes on.
        let _ = wake.lock().unwrap_or_else(PoisonError::into_inner).send(Landed {
            version: committed.version,
            rows: committed.file.manifest.rows,
            at: Instant::now(),
        });
        if let Some(on_commit) = &on_commit {
            on_commit(committed);
        }
    });
    let settings = &loaded.settings;
    let kafka = open::kafka(settings);
    let worker =
        Worker::connect(&kafka, open::worker(settings), writer, metrics.clone(), told, stop.clone())?;
    if let Some(on_subscribed) = on_subscribed {
        on_subscribed(&metrics);
    }
    let _watch = Watch::start(&kafka, open::status(settings), metrics)?;
    thread::scope(|scope| {
        // The index ends only after ingest has: its last pass sees every commit.
        let index_stop = Stop::default();
        let follower = {
            let stop = index_stop.clone();
            scope.spawn(move || follow(indexer, &woken, &stop, &index_metrics))
        };
        // What is being compacted when the worker is asked to stop is finished first.
        let ended = Stop::default();
        let compactor = compacting::spawn(scope, loaded, vec![stop, ended.clone()], compact_metrics);
        // Whichever way ingest ends, the others are told, or nobody would ever know.
        let ended = {
            let _told = (StopOnDrop(index_stop), StopOnDrop(ended));
            worker.run()
        };
        if compactor.join().is_err() {
            tracing::error!("the compaction thread ended unexpectedly");
        }
        let followed =
            follower.join().unwrap_or_else(|_| Err(Failure::failed("the index thread ended unexpectedly")));
        ended?;
        followed
    })
}
