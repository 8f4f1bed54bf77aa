//! A worker: the loop on one thread, the commits on another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

use custody_archive::{Sealed, SystemClock, Writer};

use crate::commits::{Channels, ended};
use crate::committer::{Committer, OnCommit};
use crate::consume::{Loop, Parts};
use crate::error::Error;
use crate::kafka::{Consumer, KafkaSettings};
use crate::metrics::Metrics;

/// Bounds of the loop.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// A batch is sealed at this many bytes of keys, headers and payloads.
    pub batch_bytes_max: u64,
    /// Or this many rows.
    pub batch_rows_max: u64,
    /// Or at this age of its first record.
    pub batch_age_max: Duration,
    /// How long a failing store is tried again before the worker ends.
    pub retry_age_max: Duration,
    /// Retention class of everything that it archives.
    pub retention_class: String,
}

/// Asks a worker to seal, commit and end; shared with a signal handler.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Was it asked?
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Archives topics until it is stopped.
pub struct Worker {
    parts: Arc<Parts<Consumer>>,
    stop: Stop,
}

impl Worker {
    /// Connects to Kafka.
    pub fn connect(
        kafka: &KafkaSettings,
        settings: WorkerSettings,
        writer: Writer,
        metrics: Arc<Metrics>,
        on_commit: OnCommit,
        stop: Stop,
    ) -> Result<Self, Error> {
        let source = Consumer::connect(kafka, metrics.clone())?;
        let clock = Arc::new(SystemClock::default());
        let committer =
            Committer::new(writer, settings.retry_age_max, metrics.clone(), on_commit, clock.clone());
        let ids = Box::new(|| uuid::Uuid::now_v7().to_string());
        let committer = Arc::new(committer);
        Ok(Worker { parts: Arc::new(Parts { settings, source, committer, metrics, clock, ids }), stop })
    }

    /// Runs until stopped; everything consumed by then is archived.
    pub fn run(&self) -> Result<(), Error> {
        let (work, todo) = sync_channel::<Sealed>(1);
        let (done, outcomes) = channel();
        let (metrics, committer) = (&*self.parts.metrics, &*self.parts.committer);
        // Even a panic must not leave a worker that looks ready and archives nothing.
        let _ended = Ended(metrics);
        thread::scope(|scope| {
            let commits = scope.spawn(move || {
                let _ended = Ended(metrics);
                for sealed in todo {
                    if done.send(committer.archive(sealed)).is_err() {
                        return;
                    }
                }
            });
            let mut state = Loop::new(self.parts.clone(), Channels { work, outcomes });
            let mut ended = state.run(&self.stop);
            // Closes the queue: the commit thread ends.
            drop(state);
            if commits.join().is_err() {
                ended = Err(self::ended());
            }
            metrics.trouble(Some(match &ended {
                Ok(()) => "stopped".to_owned(),
                Err(error) => error.to_string(),
            }));
            ended
        })
    }
}

/// Says that the worker has ended, whichever way.
struct Ended<'a>(&'a Metrics);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.trouble_if_none("ended");
    }
}
