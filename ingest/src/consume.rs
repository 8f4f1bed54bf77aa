//! The loop: poll, append, seal, hand over, publish.

mod topics;
#[cfg(test)]
mod unfaithful_tests;
mod unreadable;

use std::sync::Arc;
use std::time::Duration;

use custody_archive::{BatchBuilder, Clock, Sealed};
use custody_schemas::manifest::Gap;
use custody_schemas::{Incoming, Partition};
use smallvec::SmallVec;

use crate::commits::Commits;
use crate::committer::{Committer, Outcome};
use crate::error::{Error, Kind};
use crate::metrics::{Metrics, WAITING};
use crate::resume::Resume;
use crate::source::{Message, Polled, Source};
use crate::worker::{Stop, WorkerSettings};
use topics::{Proof, Topics};
use unreadable::Unreadable;

/// How long a poll waits when nothing comes: the resolution of the batch age.
const POLL: Duration = Duration::from_millis(50);
/// The most messages between two looks at the clock.
const BURST: u32 = 64;
/// An offset that is not in the log is told once for each partition: all of them are looked at
/// together, and not more often than this.
const OUT_OF_RANGE_AGE: Duration = Duration::from_secs(5);
/// An idle loop asks as often whether the ends of its logs hold nothing.
const PASS_OVER_AGE: Duration = Duration::from_secs(1);
/// After nobody said where to go on, before they are asked again.
const RESUME_AGAIN: Duration = Duration::from_secs(1);
/// Pause before something is read or asked again; it grows with each.
const PAUSE: Duration = Duration::from_millis(200);

/// One of our partitions and the next offset that the loop expects of it.
struct Owned {
    partition: Partition,
    next: i64,
    /// The batch holds something of it.
    in_batch: bool,
}

/// What could not be resumed.
struct Unresumed {
    partitions: Vec<(String, i32)>,
    /// When it was tried first.
    since: Duration,
    /// When it is tried again.
    at: Duration,
}

/// Makes the ids of batches: UUIDs of version 7, which sort by the time that they were begun.
pub type Ids = Box<dyn Fn() -> String + Send + Sync>;

/// What the loop works with.
pub(crate) struct Parts<S> {
    pub(crate) settings: WorkerSettings,
    pub(crate) source: S,
    pub(crate) committer: Arc<Committer>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
}

impl<S> Parts<S> {
    fn new_batch(&self, verbatim: bool) -> BatchBuilder {
        let batch = BatchBuilder::new((self.ids)());
        if verbatim { batch.verbatim() } else { batch }
    }
}

/// The loop's memory: all of it can be dropped and read again.
pub(crate) struct Loop<S, C> {
    parts: Arc<Parts<S>>,
    pub(crate) commits: C,
    owned: Vec<Owned>,
    topics: Topics,
    /// Where the last message was found: messages come in runs.
    last: usize,
    batch: BatchBuilder,
    /// When the batch got its first record.
    since: Option<Duration>,
    /// Sealed, waiting for the commit thread to be free.
    waiting: Option<Sealed>,
    in_flight: usize,
    /// Of these and the waiting one, so many have templates: the first ones.
    templated: usize,
    paused: bool,
    unreadable: Unreadable,
    /// When the partitions were looked at last, and whether they are to be looked at again.
    resumed_at: Option<Duration>,
    /// Partitions that are ours, and nobody said yet where to go on with them.
    unresumed: Option<Unresumed>,
    /// When it was last asked what holds nothing.
    passed_over_at: Option<Duration>,
    out_of_range: bool,
    /// Something that was read was dropped and not read again.
    dropped: bool,
    /// Payloads are kept verbatim: a file with templates did not give back what was consumed.
    verbatim: bool,
}

impl<S: Source, C: Commits> Loop<S, C> {
    pub(crate) fn new(parts: Arc<Parts<S>>, commits: C) -> Self {
        let batch = parts.new_batch(false);
        Loop {
            parts,
            commits,
            owned: Vec::new(),
            topics: Topics::default(),
            last: 0,
            batch,
            since: None,
            waiting: None,
            in_flight: 0,
            templated: 0,
            paused: false,
            unreadable: Unreadable::default(),
            resumed_at: None,
            unresumed: None,
            passed_over_at: None,
            out_of_range: false,
            dropped: false,
            verbatim: false,
        }
    }

    pub(crate) fn run(&mut self, stop: &Stop) -> Result<(), Error> {
        while !stop.is_stopped() {
            self.step()?;
        }
        self.finish()
    }

    /// Once around: nothing in here waits for a commit.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.take_outcomes()?;
        self.hand_over()?;
        self.resume_again()?;
        self.look_at_ranges()?;
        self.look_again()?;
        self.try_unreadable()?;
        self.poll()
    }

    /// Waits for a message and takes what is there already: the clock and the commit thread
    /// are looked at now and then, not with each.
    fn poll(&mut self) -> Result<(), Error> {
        let (parts, mut wait) = (self.parts.clone(), POLL);
        for _ in 0..BURST {
            match parts.source.poll(wait)? {
                Polled::Nothing => {
                    self.pass_over_nothing();
                    return Ok(());
                }
                Polled::Message(message) => self.take(&message)?,
                Polled::Assigned(partitions) => return self.resume(&partitions),
                Polled::OutOfRange => {
                    self.out_of_range = true;
                    return Ok(());
                }
                Polled::Damaged(damage) => return self.read_again(damage),
                Polled::Revoked => return self.let_go(),
                Polled::TopicGone => {
                    self.topics.unsettle();
                    return Ok(());
                }
            }
            if self.is_full() {
                return Ok(());
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// The end of a log may hold nothing for a consumer, such as the marker of a transaction: no
    /// message will ever say so, but somebody has looked.
    fn pass_over_nothing(&mut self) {
        let now = self.parts.clock.elapsed();
        let just_looked = self.passed_over_at.is_some_and(|at| now.saturating_sub(at) < PASS_OVER_AGE);
        if just_looked || !self.batch.is_empty() || self.in_flight > 0 || self.waiting.is_some() {
            return;
        }
        self.passed_over_at = Some(now);
        for owned in &mut self.owned {
            if let Some(to) = self.parts.metrics.progress.holds_nothing(&owned.partition, owned.next) {
                self.batch.skip(&owned.partition, owned.next, to);
                owned.next = to;
                self.since.get_or_insert(now);
            }
        }
    }

    /// Appends a message to the batch. Messages of partitions that are not ours,
    /// or that were read before, are passed over: they are archived by whoever
    /// owns them, or already.
    fn take(&mut self, message: &S::Message<'_>) -> Result<(), Error> {
        let Some(index) = self.find(message.topic(), message.partition()) else { return Ok(()) };
        let owned = &mut self.owned[index];
        let offset = message.offset();
        if offset < owned.next {
            return Ok(());
        }
        let named = message.headers();
        let headers: SmallVec<[_; 4]> = named.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
        let incoming = Incoming {
            key: message.key(),
            headers: &headers,
            payload: message.payload(),
            broker_time_ms: message.broker_time_ms(),
        };
        self.batch.push(&owned.partition, owned.next, offset, &incoming)?;
        owned.next = offset + 1;
        if !std::mem::replace(&mut owned.in_batch, true) {
            self.parts.metrics.progress.first(&owned.partition, offset, incoming.broker_time_ms);
        }
        self.since.get_or_insert_with(|| self.parts.clock.elapsed());
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
        let settings = &self.parts.settings;
        self.batch.bytes() >= settings.batch_bytes_max || self.batch.rows() >= settings.batch_rows_max
    }

    fn is_due(&self) -> bool {
        let age_max = self.parts.settings.batch_age_max;
        self.is_full()
            || self.since.is_some_and(|since| self.parts.clock.elapsed().saturating_sub(since) >= age_max)
    }

    /// Seals a due batch and gives it to the commit thread. While that one is
    /// busy, or the batch cannot be sealed yet, the partitions are paused and polling
    /// goes on: Kafka keeps us in the group and memory stays bounded.
    fn hand_over(&mut self) -> Result<(), Error> {
        let due = self.waiting.is_none() && self.is_due();
        if due && self.topics.may_ask(self.parts.clock.elapsed()) {
            match self.prove()? {
                Proof::Holds => self.seal()?,
                Proof::Broken => return self.resume_all(),
                Proof::Wanted => {}
            }
        }
        if let Some(sealed) = self.waiting.take() {
            match self.commits.offer(sealed)? {
                None => self.in_flight += 1,
                busy => self.waiting = busy,
            }
        }
        let full = (self.waiting.is_some() || self.topics.is_asking()) && self.is_due();
        if full != self.paused {
            self.parts.source.pause(full);
            self.paused = full;
        }
        Ok(())
    }

    /// Seals the batch, of which it was just proven where it came from.
    fn seal(&mut self) -> Result<(), Error> {
        self.since = None;
        let next = self.batch.following((self.parts.ids)());
        let batch = std::mem::replace(&mut self.batch, if self.verbatim { next.verbatim() } else { next });
        self.owned.iter_mut().for_each(|owned| owned.in_batch = false);
        if !batch.is_empty() {
            self.waiting = Some(batch.seal(&self.parts.settings.retention_class, self.parts.clock.now_ms())?);
            self.templated += usize::from(!self.verbatim);
        }
        Ok(())
    }

    fn take_outcomes(&mut self) -> Result<(), Error> {
        while let Some(outcome) = self.commits.outcome()? {
            self.outcome(outcome)?;
        }
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> Result<(), Error> {
        match outcome {
            Ok(committed) => {
                self.took_outcome();
                let parts = committed.file.manifest.parts.iter();
                let offsets: Vec<_> = parts
                    .map(|part| (part.partition.topic.clone(), part.partition.partition, part.span.to))
                    .collect();
                self.parts.source.tell_offsets(&offsets);
                Ok(())
            }
            Err(error) => {
                self.dropped(error)?;
                self.resume_all()
            }
        }
    }

    /// Outcomes come in the order in which batches were sealed. Whether this one had templates.
    fn took_outcome(&mut self) -> bool {
        self.in_flight -= 1;
        let had_templates = self.templated > 0;
        self.templated = self.templated.saturating_sub(1);
        had_templates
    }

    /// A batch was not archived: what is in memory goes, and is read again. An error that
    /// reading again does not mend ends the worker.
    fn dropped(&mut self, error: custody_archive::Error) -> Result<(), Error> {
        self.dropped = true;
        let had_templates = self.took_outcome();
        match error.kind {
            custody_archive::Kind::Fenced => {
                tracing::warn!(%error, "fenced: dropping what is in memory and reading again");
                self.parts.metrics.fenced();
            }
            // Also the batches that were sealed before the first of them failed.
            custody_archive::Kind::Unfaithful if had_templates => {
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
            self.commits.send(sealed)?;
            self.in_flight += 1;
        }
        while self.in_flight > 0 {
            match self.commits.wait()? {
                Err(error) => {
                    self.dropped(error)?;
                    self.batch = self.parts.new_batch(self.verbatim);
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
        self.parts.metrics.progress.gave_back();
        self.unresumed = None;
        self.owned.clear();
        self.let_topics_go();
        self.let_unreadable_go();
        (self.paused, self.dropped) = (false, false);
        self.parts.metrics.partitions(0);
        self.parts.metrics.trouble(Some(WAITING.to_owned()));
        Ok(())
    }

    fn seal_and_drain(&mut self) -> Result<(), Error> {
        if self.waiting.is_some() {
            self.drain()?;
        }
        if self.prove()? == Proof::Holds {
            self.seal()?;
        } else {
            self.batch = self.parts.new_batch(self.verbatim);
            self.dropped = true;
        }
        self.drain()
    }

    /// Offsets that we read from were not in the log: what is there now?
    fn look_at_ranges(&mut self) -> Result<(), Error> {
        let now = self.parts.clock.elapsed();
        let long_ago = self.resumed_at.is_none_or(|at| now.saturating_sub(at) >= OUT_OF_RANGE_AGE);
        if self.out_of_range && long_ago { self.resume_all() } else { Ok(()) }
    }

    fn resume_all(&mut self) -> Result<(), Error> {
        self.resume(&self.assigned())
    }

    /// Kafka or the store did not say where to go on: asks again.
    fn resume_again(&mut self) -> Result<(), Error> {
        let now = self.parts.clock.elapsed();
        match &self.unresumed {
            Some(unresumed) if unresumed.at <= now => {
                let partitions = unresumed.partitions.clone();
                self.resume(&partitions)
            }
            _ => Ok(()),
        }
    }

    /// Finds out from the archive and the broker where each partition goes on. While they do not
    /// answer, as after a broker was killed, nothing is read, and they are asked again for a while.
    fn resume(&mut self, partitions: &[(String, i32)]) -> Result<(), Error> {
        // What a commit failed of is not mended by asking again.
        self.drain()?;
        let before = self.unresumed.take();
        let Err(error) = self.try_to_resume(partitions) else { return Ok(()) };
        let now = self.parts.clock.elapsed();
        let since = before.map_or(now, |unresumed| unresumed.since);
        if error.kind != Kind::Unavailable || now.saturating_sub(since) > self.parts.settings.retry_age_max {
            return Err(error);
        }
        tracing::warn!(%error, "cannot find out where to go on; asking again");
        self.parts.metrics.trouble(Some(error.to_string()));
        self.owned.clear();
        self.batch = self.parts.new_batch(self.verbatim);
        (self.since, self.dropped) = (None, true);
        self.unresumed = Some(Unresumed { partitions: partitions.to_vec(), since, at: now + RESUME_AGAIN });
        Ok(())
    }

    fn try_to_resume(&mut self, partitions: &[(String, i32)]) -> Result<(), Error> {
        self.batch = self.parts.new_batch(self.verbatim);
        self.since = None;
        self.owned.clear();
        let offsets = self.begin(partitions)?;
        self.parts.source.read_from(&offsets)?;
        (self.paused, self.dropped, self.out_of_range) = (false, false, false);
        self.resumed_at = Some(self.parts.clock.elapsed());
        self.parts.metrics.partitions(self.owned.len());
        self.parts.metrics.trouble(None);
        tracing::info!(partitions = self.owned.len(), "reading");
        Ok(())
    }

    /// Does what was planned for a partition: the offset to read from.
    fn follow(&mut self, partition: &Partition, plan: Resume) -> Result<i64, Error> {
        match plan {
            Resume::At(next) => Ok(next),
            Resume::AfterGap(span, reason) => {
                tracing::error!(%partition, %span, ?reason, "offsets are gone from Kafka: recording a gap");
                self.batch.gap(partition, Gap { span, reason, noticed_ms: self.parts.clock.now_ms() })?;
                self.since.get_or_insert_with(|| self.parts.clock.elapsed());
                Ok(span.to)
            }
            Resume::Reset(_) => {
                Err(Error::new(Kind::Invalid, format!("{partition}: a topic that stopped cannot be read")))
            }
        }
    }

    /// Seals, commits and leaves.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.seal_and_drain()?;
        self.parts.metrics.progress.gave_back();
        if self.dropped {
            // Nothing is lost: it is still in Kafka, and whoever archived past us has it.
            tracing::info!("stopped: what was not committed is read again by the next start");
        } else {
            tracing::info!("stopped: sealed and committed");
        }
        Ok(())
    }
}
