//! The watch: a thread beside the loop that asks Kafka every second where the logs end, and tells
//! gateways and `/readyz` whether everything that was published is being archived.
//!
//! It shares nothing with the loop but [`Metrics`] and the progress in it: a loop that hangs, a
//! store that never answers and a Kafka that is gone are told all the same. When the watch itself
//! is gone it falls silent, and silence counts as failing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_archive::{Clock, SystemClock};
use custody_schemas::PartitionStatus;
use custody_schemas::status::State;

use crate::error::{Error, Kind};
use crate::kafka::{Announcer, Ends, KafkaSettings, Look};
use crate::metrics::Metrics;
use crate::status::{Circumstances, Now, status, summary};

/// What the watch tells, and when.
#[derive(Debug, Clone)]
pub struct StatusSettings {
    /// The compacted topic to publish to; `None` tells `/readyz` alone.
    pub topic: Option<String>,
    /// Kafka is asked, and each partition's status published again, this often.
    pub every: Duration,
    /// An event that is older and not archived makes its partition `behind`.
    pub age_max: Duration,
    /// The worker's id: another with each start.
    pub worker: String,
}

/// A running watch. When dropped it tells how the worker ended, and ends: drop it after the worker
/// ended, and before the worker itself, which leaves the group when it goes.
pub struct Watch {
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Connects and starts.
    ///
    /// # Errors
    ///
    /// When Kafka does not answer, or lacks the status topic.
    pub fn start(
        kafka: &KafkaSettings,
        settings: StatusSettings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let ends = Ends::connect(kafka)?;
        let announcer = match &settings.topic {
            None => None,
            Some(topic) => {
                ends.require(topic).map_err(|error| how_to_make(error, topic, &kafka.brokers))?;
                Some(Announcer::connect(&kafka.brokers, topic, &kafka.properties, metrics.clone())?)
            }
        };
        tracing::info!(worker = settings.worker, topic = settings.topic, "watching what is archived");
        let stop = Arc::new(AtomicBool::new(false));
        let around =
            Circumstances { age_max: settings.age_max, worker: settings.worker, ..Default::default() };
        let round = Round {
            metrics: metrics.clone(),
            started: Instant::now(),
            every: settings.every,
            ends,
            look: Look::new(kafka),
            announcer,
            around,
            said: BTreeMap::new(),
            unready: false,
        };
        let thread = {
            let (metrics, stop) = (metrics.clone(), stop.clone());
            thread::spawn(move || {
                // Even a panic must not leave a worker that looks ready and is not watched.
                let _ended = Ended(metrics);
                round.run(&stop);
            })
        };
        Ok(Watch { metrics, stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.metrics.progress.wake();
        if let Some(thread) = self.thread.take() {
            // It has said so if it could not.
            let _ = thread.join();
        }
    }
}

struct Ended(Arc<Metrics>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.watched(Some("the watch over what is archived ended".to_owned()), Duration::ZERO);
    }
}

fn how_to_make(error: Error, topic: &str, brokers: &str) -> Error {
    if error.kind != Kind::Invalid {
        return error;
    }
    let message = format!(
        "status.topic: {error}:\n  kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} \
         --partitions 1 --config cleanup.policy=compact --config segment.bytes=16777216 \
         --config message.timestamp.type=LogAppendTime"
    );
    Error::new(Kind::Invalid, message)
}

/// The watch's memory.
struct Round {
    metrics: Arc<Metrics>,
    started: Instant,
    every: Duration,
    ends: Ends,
    look: Look,
    announcer: Option<Announcer>,
    around: Circumstances,
    /// The state that each partition was last said to be in, by key.
    said: BTreeMap<String, State>,
    unready: bool,
}

impl Round {
    fn now(&self) -> Now {
        let steady_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Now { steady_ms, wall_ms: SystemClock::default().now_ms() }
    }

    /// Asks, looks and tells; at once when something changed, without asking.
    fn run(mut self, stop: &AtomicBool) {
        let mut due = Instant::now();
        while !stop.load(Ordering::Acquire) {
            if Instant::now() >= due {
                due = Instant::now() + self.every;
                self.ask();
                self.look();
                self.tell(true);
            }
            if self.metrics.progress.wait(due.saturating_duration_since(Instant::now())) {
                self.tell(false);
            }
        }
        self.tell(false);
        if let Some(announcer) = &self.announcer {
            announcer.flush();
        }
    }

    fn ask(&mut self) {
        // What comes while Kafka answers is younger than the question.
        let asked_ms = self.now().steady_ms;
        let asked = self.metrics.progress.asks(asked_ms);
        let told = self.ends.ask(&asked);
        self.around.unanswered = told.as_ref().err().map(ToString::to_string);
        if let Ok(ends) = told {
            self.metrics.progress.told(&asked, &ends, asked_ms);
        }
    }

    fn look(&mut self) {
        if self.look.is_open() {
            for (at, found) in self.look.answers() {
                tracing::debug!(topic = at.0, partition = at.1, offset = at.2, ?found, "looked into the log");
                self.metrics.progress.found(&at, found);
            }
            return;
        }
        let unclear = self.metrics.progress.unclear(self.now().steady_ms);
        if unclear.is_empty() || self.around.unanswered.is_some() {
            return;
        }
        if let Err(error) = self.look.begin(unclear) {
            // It is begun again by the next round; when that does not help, the partition is behind.
            tracing::debug!(%error, "kafka look");
        }
    }

    /// Tells `/readyz` and, of every partition or of those whose state changed, gateways.
    fn tell(&mut self, all: bool) {
        let now = self.now();
        let said = say(&self.metrics, &mut self.around, now);
        self.tell_readiness(&said);
        for one in &said {
            let before = self.said.insert(one.key(), one.state);
            if let Some(announcer) = self.announcer.as_ref().filter(|_| all || before != Some(one.state)) {
                send(announcer, one);
            }
        }
        self.said.retain(|_, state| *state != State::Stopped);
    }

    fn tell_readiness(&mut self, said: &[PartitionStatus]) {
        let not_published = || self.announcer.as_ref().and_then(Announcer::trouble);
        let why = summary(said).or_else(not_published);
        match &why {
            Some(why) if !self.unready => tracing::warn!(why, "not ready"),
            None if self.unready => tracing::info!("ready again"),
            _ => {}
        }
        self.unready = why.is_some();
        let oldest = said.iter().filter_map(|one| one.age_ms).max();
        self.metrics.watched(why, Duration::from_millis(oldest.unwrap_or(0)));
    }
}

/// What is to be said of every partition now.
pub(crate) fn say(metrics: &Metrics, around: &mut Circumstances, now: Now) -> Vec<PartitionStatus> {
    around.trouble = metrics.trouble_of_worker();
    let worker = metrics.status();
    (around.stopped, around.standing) = (worker.stopped, worker.standing);
    let facts = metrics.progress.facts(now.steady_ms);
    facts.iter().filter_map(|facts| status(facts, around, now)).collect()
}

fn send(announcer: &Announcer, status: &PartitionStatus) {
    match serde_json::to_vec(status) {
        Ok(payload) => announcer.send(&status.key(), &payload),
        Err(error) => tracing::warn!(%error, "a status cannot be written"),
    }
}
