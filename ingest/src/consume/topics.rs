//! Which life of a topic the loop reads, the proof of it before each batch, and topics that are not
//! read: a topic that was made again stops, and the others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use custody_archive::Topic;
use custody_schemas::{Partition, TopicId};

use super::{Loop, Owned, PAUSE};
use crate::commits::Commits;
use crate::error::{Error, Kind};
use crate::resume::{Archived, Log, Reset, Resume, plan};
use crate::source::Source;

/// How often a topic that is not read is looked at again.
const LOOK: Duration = Duration::from_secs(5);
/// How often a log that ends before the archive is asked again: after a change of leader it may
/// do so for a moment.
const RESET_ASKED_MAX: u32 = 3;
/// After the question which life a topic is in found no answer, before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A topic as it was when reading began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    generation: i32,
    id: Option<TopicId>,
}

/// Whether a topic can be read.
enum Look {
    /// From there, each partition.
    Reads(Life, Vec<(Partition, Resume)>),
    /// Not until somebody has done something: why, and what.
    Stops(String),
}

/// Whether everything in the batch came from the lives of its topics that reading began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Holds,
    Broken,
    /// Kafka does not say.
    Wanted,
}

/// What the loop knows of topics.
#[derive(Default)]
pub(super) struct Topics {
    /// Those that are read.
    lives: BTreeMap<String, Life>,
    /// Those that are not, and why.
    stopped: BTreeMap<String, String>,
    /// Every topic that was ever ours, and its partitions that are ours now.
    assigned: BTreeMap<String, Vec<i32>>,
    looked: Duration,
    /// When Kafka is asked again which lives the topics are in.
    ask_at: Option<Duration>,
    /// Kafka said that some topic is not there.
    unsettled: bool,
}

impl Topics {
    /// Kafka said that some topic is not there.
    pub(super) fn unsettle(&mut self) {
        self.unsettled = true;
    }

    /// A batch waits for Kafka's answer.
    pub(super) fn is_asking(&self) -> bool {
        self.ask_at.is_some()
    }

    pub(super) fn may_ask(&self, now: Duration) -> bool {
        self.ask_at.is_none_or(|at| at <= now)
    }
}

impl<S: Source, C: Commits> Loop<S, C> {
    /// Asks Kafka again which lives the topics of the batch are in, after its last message was read.
    /// An id is never used twice: one that has not changed since reading began proves that no message
    /// in between was of another life.
    pub(super) fn prove(&mut self) -> Result<Proof, Error> {
        self.topics.ask_at = None;
        for topic in self.batch.topics() {
            let Some(life) = self.topics.lives.get(&topic) else { return Ok(Proof::Broken) };
            match self.parts.source.topic_id(&topic) {
                Ok(now) if now == life.id => self.came_from(&topic, now),
                // Another broker, which has no ids yet: the offsets alone decide.
                Ok(None) => {}
                Ok(Some(now)) => {
                    let (was, rows) = (life.id.as_ref().map(ToString::to_string), self.batch.rows());
                    tracing::warn!(
                        topic,
                        was,
                        %now,
                        rows,
                        "a topic was made again while it was read: dropping what is in memory, as nobody can tell \
                         which of the two it is of"
                    );
                    return Ok(Proof::Broken);
                }
                // It was there until now, and no other has taken its place: what was read is of it,
                // and Kafka will not give it a second time.
                Err(error) if error.kind == Kind::Gone => {
                    self.came_from(&topic, life.id.clone());
                    self.topics.unsettled = true;
                }
                Err(error) if error.kind == Kind::Unavailable => {
                    tracing::warn!(topic, %error, "a batch waits for Kafka to say which topic it came from");
                    self.parts.metrics.trouble(Some(error.to_string()));
                    self.topics.ask_at = Some(self.parts.clock.elapsed() + ASK_AGAIN);
                    return Ok(Proof::Wanted);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Proof::Holds)
    }

    fn came_from(&mut self, topic: &str, id: Option<TopicId>) {
        if let Some(id) = id {
            self.batch.came_from(topic, id);
        }
    }

    /// Finds out where the partitions that are ours now go on: the offsets to read from. Topics that
    /// cannot be read are left out, loudly.
    pub(super) fn begin(&mut self, partitions: &[(String, i32)]) -> Result<Vec<(String, i32, i64)>, Error> {
        let topics = &mut self.topics;
        topics.assigned.values_mut().for_each(Vec::clear);
        for (topic, number) in partitions {
            topics.assigned.entry(topic.clone()).or_default().push(*number);
        }
        (topics.ask_at, topics.unsettled) = (None, false);
        topics.lives.clear();
        topics.looked = self.parts.clock.elapsed();
        let (assigned, mut stopped) = (topics.assigned.clone(), BTreeMap::new());
        let mut offsets = Vec::with_capacity(partitions.len());
        for (topic, numbers) in &assigned {
            match self.look(topic, numbers, RESET_ASKED_MAX)? {
                Look::Reads(life, plans) => {
                    for (partition, plan) in plans {
                        self.parts.metrics.progress.resumed(&partition, plan.archived());
                        let next = self.follow(&partition, plan)?;
                        self.parts.metrics.stands(topic, partition.partition, next);
                        if self.stands_still(&partition, next) {
                            continue;
                        }
                        offsets.push((topic.clone(), partition.partition, next));
                        self.owned.push(Owned { partition, next, in_batch: false });
                    }
                    self.topics.lives.insert(topic.clone(), life);
                }
                Look::Stops(why) => {
                    self.stand_still(topic, numbers)?;
                    stopped.insert(topic.clone(), why);
                }
            }
        }
        self.stop_topics(stopped);
        Ok(offsets)
    }

    /// Gateways are told of partitions that are not read as well.
    fn stand_still(&self, topic: &str, numbers: &[i32]) -> Result<(), Error> {
        let generation = self.parts.committer.topic(topic)?.map_or(1, |state| state.generation);
        for number in numbers {
            let partition = Partition { topic: topic.to_owned(), generation, partition: *number };
            let next = self.parts.committer.next_offset(&partition)?.unwrap_or(0);
            self.parts.metrics.progress.resumed(&partition, next);
            self.parts.metrics.stands(topic, *number, 0);
        }
        Ok(())
    }

    /// The partitions that are ours now, those of topics that are not read included.
    pub(super) fn assigned(&self) -> Vec<(String, i32)> {
        let topics = self.topics.assigned.iter();
        topics.flat_map(|(topic, numbers)| numbers.iter().map(|number| (topic.clone(), *number))).collect()
    }

    /// Nothing is ours any more: whoever has it now says what there is to say.
    pub(super) fn let_topics_go(&mut self) {
        self.topics.lives.clear();
        self.topics.assigned.values_mut().for_each(Vec::clear);
    }

    /// Looks now and then at topics that are not read, and at all of them when Kafka said that one is
    /// not there. When one can be read from now on, or no longer, reading begins anew.
    pub(super) fn look_again(&mut self) -> Result<(), Error> {
        let now = self.parts.clock.elapsed();
        let unsettled = std::mem::take(&mut self.topics.unsettled);
        let due = !self.topics.stopped.is_empty() && now.saturating_sub(self.topics.looked) >= LOOK;
        if !unsettled && !due {
            return Ok(());
        }
        self.topics.looked = now;
        let (mut stopped, mut begins) = (BTreeMap::new(), false);
        for (topic, numbers) in self.topics.assigned.clone() {
            let was = self.topics.stopped.get(&topic);
            if was.is_none() && !unsettled {
                continue;
            }
            match (self.look(&topic, &numbers, 0), was) {
                (Ok(Look::Reads(..)), was) => begins |= was.is_some(),
                (Ok(Look::Stops(why)), was) => {
                    begins |= was.is_none();
                    stopped.insert(topic, why);
                }
                // Nobody answers: it stays as it is.
                (Err(error), Some(why)) if error.kind == Kind::Unavailable => {
                    tracing::debug!(topic, %error, "a topic that is not read cannot be looked at");
                    stopped.insert(topic, why.clone());
                }
                (Err(error), None) if error.kind == Kind::Unavailable => self.topics.unsettled = true,
                (Err(error), _) => return Err(error),
            }
        }
        if !begins {
            self.stop_topics(stopped);
            return Ok(());
        }
        self.seal_and_drain()?;
        self.resume(&self.assigned())
    }

    /// Says loudly what is not archived any more, once.
    fn stop_topics(&mut self, stopped: BTreeMap<String, String>) {
        for (topic, why) in &stopped {
            if self.topics.stopped.get(topic) != Some(why) {
                tracing::error!(topic, "NOT ARCHIVED: {why}");
            }
        }
        for topic in self.topics.stopped.keys().filter(|topic| !stopped.contains_key(*topic)) {
            tracing::info!(topic, "the topic is archived again");
        }
        self.parts.metrics.stopped(&stopped);
        self.topics.stopped = stopped;
    }

    /// What the archive and Kafka say of a topic, and what follows for each of these partitions.
    fn look(&self, topic: &str, numbers: &[i32], patience: u32) -> Result<Look, Error> {
        let state = self.parts.committer.topic(topic)?;
        match self.plans(topic, numbers, state.as_ref(), patience) {
            Err(error) if error.kind == Kind::Gone => Ok(Look::Stops(format!(
                "topic {topic} is not in Kafka any more; what was read of it before is archived. It is taken \
                 up when it is there again"
            ))),
            other => other,
        }
    }

    fn plans(
        &self,
        topic: &str,
        numbers: &[i32],
        state: Option<&Topic>,
        patience: u32,
    ) -> Result<Look, Error> {
        // Before the ends are asked: a topic that is made again in between has another id by the time
        // that its first batch is proven.
        let id = self.parts.source.topic_id(topic)?;
        let generation = state.map_or(1, |state| state.generation);
        let archived = state.and_then(|state| state.topic_id.as_ref());
        if numbers.is_empty() && archived.zip(id.as_ref()).is_some_and(|(archived, now)| archived != now) {
            // The group has none of its partitions for us, yet or any more: it is not archived either way.
            let partition = Partition { topic: topic.to_owned(), generation, partition: 0 };
            let next = self.parts.committer.next_offset(&partition)?.unwrap_or(0);
            let why = made_again(&partition, next, Reset::OtherId, archived, id.as_ref());
            return Ok(Look::Stops(why));
        }
        let mut plans = Vec::with_capacity(numbers.len());
        for number in numbers {
            let partition = Partition { topic: topic.to_owned(), generation, partition: *number };
            let next = self.parts.committer.next_offset(&partition)?;
            let archived = Archived { id: archived, next };
            let decided = match self.decide(&partition, archived, id.as_ref(), patience) {
                // It was made again with fewer partitions, and the group does not know that yet. If
                // the topic itself is gone, that is said.
                Err(error) if error.kind == Kind::Gone => {
                    self.parts.source.topic_id(topic)?;
                    tracing::warn!(%partition, "the partition is not in Kafka");
                    continue;
                }
                decided => decided?,
            };
            if let Resume::Reset(reset) = decided {
                if patience > 0 {
                    // How far behind it is, for the metric.
                    numbers.iter().for_each(|number| drop(self.ends(topic, *number)));
                }
                let why = made_again(&partition, next.unwrap_or(0), reset, archived.id, id.as_ref());
                return Ok(Look::Stops(why));
            }
            plans.push((partition, decided));
        }
        Ok(Look::Reads(Life { generation, id }, plans))
    }

    fn decide(
        &self,
        partition: &Partition,
        archived: Archived<'_>,
        id: Option<&TopicId>,
        patience: u32,
    ) -> Result<Resume, Error> {
        let mut asked = 0;
        loop {
            let log = self.ends(&partition.topic, partition.partition)?;
            let decided = plan(archived, id, log);
            if asked == patience || !matches!(decided, Resume::Reset(Reset::EndsBefore { .. })) {
                return Ok(decided);
            }
            asked += 1;
            self.parts.clock.sleep(PAUSE * asked);
        }
    }

    fn ends(&self, topic: &str, partition: i32) -> Result<Log, Error> {
        let (low, end) = self.parts.source.watermarks(topic, partition)?;
        self.parts.metrics.end(topic, partition, end);
        Ok(Log { low, end })
    }
}

/// What happened, how much is known, and what to do.
fn made_again(
    partition: &Partition,
    next: i64,
    reset: Reset,
    archived: Option<&TopicId>,
    id: Option<&TopicId>,
) -> String {
    let topic = &partition.topic;
    let shown = |id: Option<&TopicId>| id.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let (archived, id) = (shown(archived), shown(id));
    let what = match reset {
        Reset::OtherId => format!(
            "was deleted and made again: the archive has the topic with id {archived}, and stands at offset \
             {next} of its partition {}; Kafka has one with id {id}",
            partition.partition
        ),
        Reset::EndsBefore { next, end } => format!(
            "was deleted and made again, or lost its end: of partition {} the archive stands at offset {next}, \
             but Kafka's log ends at {end} (topic id in the archive {archived}, in Kafka {id})",
            partition.partition
        ),
    };
    format!(
        "topic {topic} {what}. Nothing more of it is archived, so that no position is used twice; other topics \
         go on. To archive what Kafka has now as generation {}: custody gap accept --topic {topic} --who 'YOUR \
         NAME' --why 'WHAT HAPPENED'",
        partition.generation.saturating_add(1)
    )
}
