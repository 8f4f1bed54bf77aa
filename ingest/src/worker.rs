//! The loop: poll, append, seal, hand over, publish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use custody_archive::{BatchBuilder, Sealed, Writer};
use custody_schemas::manifest::Gap;
use custody_schemas::{Incoming, Partition};

use crate::committer::{Committer, OnCommit, Outcome};
use crate::error::{Error, Kind};
use crate::kafka::{KafkaSettings, Polled, Source};
use crate::metrics::{Metrics, WAITING};
use crate::resume::{Resume, plan};

/// How long a poll waits when nothing comes: the resolution of the batch age.
const POLL: Duration = Duration::from_millis(50);
/// The most messages between two looks at the clock.
const BURST: u32 = 64;
/// How often damaged messages are read again before the worker ends.
const DAMAGED_MAX: u32 = 5;
/// Damage that was longer ago was another one.
const DAMAGED_AGE: Duration = Duration::from_secs(300);
/// How often a log that ends before the archive is asked again: after a change of leader it may
/// do so for a moment.
const RESET_ASKED_MAX: u32 = 3;
/// Pause before something is read or asked again; it grows with each.
const PAUSE: Duration = Duration::from_millis(200);

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

/// One of our partitions and the next offset that the loop expects of it.
struct Owned {
    partition: Partition,
    next: i64,
    /// The batch holds something of it.
    in_batch: bool,
}

/// Archives topics until it is stopped.
pub struct Worker {
    settings: WorkerSettings,
    source: Source,
    committer: Committer,
    metrics: Arc<Metrics>,
    stop: Stop,
}

/// The loop's memory: all of it can be dropped and read again.
struct Loop<'a> {
    worker: &'a Worker,
    owned: Vec<Owned>,
    /// Where the last message was found: messages come in runs.
    last: usize,
    batch: BatchBuilder,
    since: Option<Instant>,
    /// Sealed, waiting for the commit thread to be free.
    waiting: Option<Sealed>,
    in_flight: usize,
    paused: bool,
    /// How often messages arrived damaged, and when they last did.
    damaged: u32,
    damaged_at: Option<Instant>,
    /// Something that was read was dropped and not read again.
    dropped: bool,
    /// Payloads are kept verbatim: a file with templates did not give back what was consumed.
    verbatim: bool,
    work: SyncSender<Sealed>,
    outcomes: Receiver<Outcome>,
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
        let source = Source::connect(kafka, metrics.clone())?;
        let committer = Committer::new(writer, settings.retry_age_max, metrics.clone(), on_commit);
        Ok(Worker { settings, source, committer, metrics, stop })
    }

    /// Runs until stopped; everything consumed by then is archived.
    pub fn run(&self) -> Result<(), Error> {
        let (work, todo) = sync_channel::<Sealed>(1);
        let (done, outcomes) = channel();
        // Even a panic must not leave a worker that looks ready and archives nothing.
        let _ended = Ended(&self.metrics);
        thread::scope(|scope| {
            let committer = scope.spawn(move || {
                let _ended = Ended(&self.metrics);
                for sealed in todo {
                    if done.send(self.committer.archive(sealed)).is_err() {
                        return;
                    }
                }
            });
            let mut state = Loop {
                worker: self,
                owned: Vec::new(),
                last: 0,
                batch: new_batch(false),
                since: None,
                waiting: None,
                in_flight: 0,
                paused: false,
                damaged: 0,
                damaged_at: None,
                dropped: false,
                verbatim: false,
                work,
                outcomes,
            };
            let mut ended = state.run();
            // Closes the queue: the commit thread ends.
            drop(state);
            if committer.join().is_err() {
                ended = Err(self::ended());
            }
            self.metrics.trouble(Some(match &ended {
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

fn new_batch(verbatim: bool) -> BatchBuilder {
    // Version 7: batches sort by the time that they were begun.
    let batch = BatchBuilder::new(uuid::Uuid::now_v7().to_string());
    if verbatim { batch.verbatim() } else { batch }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Loop<'_> {
    fn run(&mut self) -> Result<(), Error> {
        while !self.worker.stop.is_stopped() {
            self.take_outcomes()?;
            self.hand_over()?;
            self.poll()?;
        }
        self.finish()
    }

    /// Waits for a message and takes what is there already: the clock and the commit thread
    /// are looked at now and then, not with each.
    fn poll(&mut self) -> Result<(), Error> {
        let (worker, mut wait) = (self.worker, POLL);
        for _ in 0..BURST {
            match worker.source.poll(wait)? {
                Polled::Nothing => return Ok(()),
                Polled::Message(message) => self.take(&message)?,
                Polled::Assigned(partitions) => return self.resume(&partitions),
                Polled::OutOfRange => return self.resume_all(),
                Polled::Damaged => return self.read_again(),
                Polled::Revoked => return self.let_go(),
            }
            if self.is_full() {
                return Ok(());
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Appends a message to the batch. Messages of partitions that are not ours,
    /// or that were read before, are passed over: they are archived by whoever
    /// owns them, or already.
    fn take(&mut self, message: &crate::kafka::Consumed<'_>) -> Result<(), Error> {
        let Some(index) = self.find(message.topic(), message.partition()) else { return Ok(()) };
        let owned = &mut self.owned[index];
        let offset = message.offset();
        if offset < owned.next {
            return Ok(());
        }
        let named = message.headers();
        let headers: Vec<_> = named.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
        let incoming = Incoming {
            key: message.key(),
            headers: &headers,
            payload: message.payload(),
            broker_time_ms: message.broker_time_ms(),
        };
        self.batch.push(&owned.partition, owned.next, offset, &incoming)?;
        owned.next = offset + 1;
        if !std::mem::replace(&mut owned.in_batch, true) {
            self.worker.metrics.progress.first(&owned.partition, offset, incoming.broker_time_ms);
        }
        self.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let is = |owned: &Owned| owned.partition.partition == partition && owned.partition.topic == topic;
        if !self.owned.get(self.last).is_some_and(is) {
            self.last = self.owned.iter().position(is)?;
        }
        Some(self.last)
    }

    fn is_full(&self) -> bool {
        let settings = &self.worker.settings;
        self.batch.bytes() >= settings.batch_bytes_max || self.batch.rows() >= settings.batch_rows_max
    }

    fn is_due(&self) -> bool {
        let age_max = self.worker.settings.batch_age_max;
        self.is_full() || self.since.is_some_and(|since| since.elapsed() >= age_max)
    }

    /// Seals a due batch and gives it to the commit thread. While that one is
    /// busy the partitions are paused and polling goes on: Kafka keeps us in the
    /// group and memory stays bounded.
    fn hand_over(&mut self) -> Result<(), Error> {
        if self.waiting.is_none() && self.is_due() {
            self.seal()?;
        }
        if let Some(sealed) = self.waiting.take() {
            match self.work.try_send(sealed) {
                Ok(()) => self.in_flight += 1,
                Err(TrySendError::Full(sealed)) => self.waiting = Some(sealed),
                Err(TrySendError::Disconnected(_)) => return Err(ended()),
            }
        }
        let full = self.waiting.is_some() && self.is_due();
        if full != self.paused {
            self.worker.source.pause(full);
            self.paused = full;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.since = None;
        let batch = std::mem::replace(&mut self.batch, new_batch(self.verbatim));
        self.owned.iter_mut().for_each(|owned| owned.in_batch = false);
        if !batch.is_empty() {
            self.waiting = Some(batch.seal(&self.worker.settings.retention_class, now_ms())?);
        }
        Ok(())
    }

    fn take_outcomes(&mut self) -> Result<(), Error> {
        loop {
            match self.outcomes.try_recv() {
                Ok(outcome) => self.outcome(outcome)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(ended()),
            }
        }
    }

    fn outcome(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.in_flight -= 1;
        match outcome {
            Ok(committed) => {
                let parts = committed.file.manifest.parts.iter();
                let offsets: Vec<_> = parts
                    .map(|part| (part.partition.topic.clone(), part.partition.partition, part.span.to))
                    .collect();
                self.worker.source.tell_offsets(&offsets);
                Ok(())
            }
            Err(error) => {
                self.dropped(error)?;
                self.resume_all()
            }
        }
    }

    /// A batch was not archived: what is in memory goes, and is read again. An error that
    /// reading again does not mend ends the worker.
    fn dropped(&mut self, error: custody_archive::Error) -> Result<(), Error> {
        self.dropped = true;
        match error.kind {
            custody_archive::Kind::Fenced => {
                tracing::warn!(%error, "fenced: dropping what is in memory and reading again");
                self.worker.metrics.fenced();
            }
            custody_archive::Kind::Unfaithful if !self.verbatim => {
                tracing::error!(%error, "reading again, and keeping payloads verbatim from now on; please report this");
                self.verbatim = true;
            }
            _ => return Err(error.into()),
        }
        Ok(())
    }

    /// Waits until the commit thread has nothing left; what it could not commit
    /// is read again.
    fn drain(&mut self) -> Result<(), Error> {
        if let Some(sealed) = self.waiting.take() {
            self.work.send(sealed).map_err(|_| ended())?;
            self.in_flight += 1;
        }
        while self.in_flight > 0 {
            let outcome = self.outcomes.recv().map_err(|_| ended())?;
            match outcome {
                Err(error) => {
                    self.in_flight -= 1;
                    self.dropped(error)?;
                    self.batch = new_batch(self.verbatim);
                }
                committed => self.outcome(committed)?,
            }
        }
        Ok(())
    }

    /// Our partitions were taken away: what was read of them is archived if the
    /// fence still lets us, and otherwise by their new owner.
    fn let_go(&mut self) -> Result<(), Error> {
        self.seal_and_drain()?;
        self.worker.metrics.progress.gave_back();
        self.owned.clear();
        (self.paused, self.dropped) = (false, false);
        self.worker.metrics.partitions(0);
        self.worker.metrics.trouble(Some(WAITING.to_owned()));
        Ok(())
    }

    fn seal_and_drain(&mut self) -> Result<(), Error> {
        if self.waiting.is_some() {
            self.drain()?;
        }
        self.seal()?;
        self.drain()
    }

    /// Messages arrived damaged: once more from the archive's offsets, a few times. Then the
    /// broker has no better ones.
    fn read_again(&mut self) -> Result<(), Error> {
        if self.damaged_at.replace(Instant::now()).is_none_or(|last| last.elapsed() > DAMAGED_AGE) {
            self.damaged = 0;
        }
        self.damaged += 1;
        if self.damaged > DAMAGED_MAX {
            return Err(Error::new(
                Kind::Corrupt,
                "Kafka keeps handing out messages that are damaged; nothing behind them is archived: mend \
                 the broker's log, or let its retention delete them",
            ));
        }
        thread::sleep(PAUSE * self.damaged);
        self.resume_all()
    }

    fn resume_all(&mut self) -> Result<(), Error> {
        let all: Vec<_> = self
            .owned
            .iter()
            .map(|owned| (owned.partition.topic.clone(), owned.partition.partition))
            .collect();
        self.resume(&all)
    }

    /// Finds out from the archive and the broker where each partition goes on.
    fn resume(&mut self, partitions: &[(String, i32)]) -> Result<(), Error> {
        self.drain()?;
        self.batch = new_batch(self.verbatim);
        self.since = None;
        self.owned.clear();
        let mut offsets = Vec::with_capacity(partitions.len());
        for (topic, number) in partitions {
            let partition = Partition { topic: topic.clone(), generation: 1, partition: *number };
            let next = self.resume_one(&partition)?;
            offsets.push((topic.clone(), *number, next));
            self.owned.push(Owned { partition, next, in_batch: false });
        }
        self.worker.source.read_from(&offsets)?;
        (self.paused, self.dropped) = (false, false);
        self.worker.metrics.partitions(self.owned.len());
        self.worker.metrics.trouble(None);
        tracing::info!(partitions = self.owned.len(), "reading");
        Ok(())
    }

    fn resume_one(&mut self, partition: &Partition) -> Result<i64, Error> {
        let next = self.worker.committer.next_offset(partition)?;
        self.worker.metrics.progress.resumed(partition, next.unwrap_or(0));
        let (mut asked, mut decided) = (0, self.decide(partition, next)?);
        while matches!(decided, Resume::Reset { .. }) && asked < RESET_ASKED_MAX {
            asked += 1;
            thread::sleep(PAUSE * asked);
            decided = self.decide(partition, next)?;
        }
        match decided {
            Resume::At(next) => Ok(next),
            Resume::AfterGap(span, reason) => {
                tracing::error!(%partition, %span, ?reason, "offsets are gone from Kafka: recording a gap");
                self.batch.gap(partition, Gap { span, reason, noticed_ms: now_ms() })?;
                self.since.get_or_insert_with(Instant::now);
                Ok(span.to)
            }
            Resume::Reset { next, end } => Err(Error::new(
                Kind::Invalid,
                format!(
                    "{partition}: the archive stands at offset {next} but Kafka's log ends at {end}: the topic was \
                     deleted and made again, or lost its end. Nothing more of it is archived, so that no position is \
                     used twice. Publish to a topic with another name, or restore the log"
                ),
            )),
        }
    }

    fn decide(&self, partition: &Partition, next: Option<i64>) -> Result<Resume, Error> {
        let (low, end) = self.worker.source.watermarks(&partition.topic, partition.partition)?;
        self.worker.metrics.end(&partition.topic, partition.partition, end);
        Ok(plan(next, low, end))
    }

    /// Seals, commits and leaves.
    fn finish(&mut self) -> Result<(), Error> {
        self.seal_and_drain()?;
        self.worker.metrics.progress.gave_back();
        if self.dropped {
            // Nothing is lost: it is still in Kafka, and whoever archived past us has it.
            tracing::info!("stopped: what was not committed is read again by the next start");
        } else {
            tracing::info!("stopped: sealed and committed");
        }
        Ok(())
    }
}

fn ended() -> Error {
    Error::new(Kind::Unavailable, "the commit thread ended unexpectedly")
}
