//! What a worker says of a partition: a pure decision over what is known of it.

use std::collections::BTreeMap;
use std::time::Duration;

use custody_schemas::PartitionStatus;
use custody_schemas::status::{STATUS_VERSION, State};

use crate::track::{Facts, Oldest};

/// For how long Kafka may not say where a log ends: a broker that was killed is replaced by its
/// followers after 9 s.
const ASKED_AGE_MAX: Duration = Duration::from_secs(10);

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Of a clock that never jumps, milliseconds since some start.
    pub steady_ms: i64,
    /// Milliseconds since 1970 UTC.
    pub wall_ms: i64,
}

impl Now {
    fn since_ms(self, steady_ms: i64) -> u64 {
        u64::try_from(self.steady_ms.saturating_sub(steady_ms)).unwrap_or(0)
    }
}

/// What holds for all partitions of a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Why the worker does not archive; `None` when it does.
    pub trouble: Option<String>,
    /// Topics that are not archived until somebody does something, and why.
    pub stopped: BTreeMap<String, String>,
    /// Partitions whose next messages cannot be read, and why.
    pub standing: BTreeMap<(String, i32), String>,
    /// Why Kafka did not answer when it was last asked for the ends of logs.
    pub unanswered: Option<String>,
    /// An event that is older and not archived makes its partition `behind`.
    pub age_max: Duration,
    /// The worker's id.
    pub worker: String,
}

/// For how long the oldest event that is not archived has been in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Every event is archived.
    Nothing,
    /// It was there when we first asked, and was not read yet.
    AtLeast(u64),
    For(u64),
}

impl Waiting {
    fn age_ms(self) -> Option<u64> {
        match self {
            Waiting::Nothing => None,
            Waiting::AtLeast(ms) | Waiting::For(ms) => Some(ms),
        }
    }
}

/// Measured by our own clock where that is possible: not longer than since the last time that the
/// log ended before the event. What was there when we first asked is as old as Kafka's time of it
/// says, and not younger than our asking.
fn waiting(facts: &Facts, now: Now) -> Waiting {
    let asked = now.since_ms(facts.since_ms);
    match facts.oldest {
        Oldest::None => Waiting::Nothing,
        Oldest::Event { after_ms: Some(after_ms), .. } => Waiting::For(now.since_ms(after_ms)),
        Oldest::Event { kafka_ms: Some(ms), .. } => {
            Waiting::For(u64::try_from(now.wall_ms.saturating_sub(ms)).unwrap_or(0).max(asked))
        }
        Oldest::Event { .. } => Waiting::AtLeast(asked),
    }
}

fn seconds(ms: u64) -> String {
    format!("{} s", ms / 1_000)
}

/// Why a partition fails, if it does.
fn failing(facts: &Facts, around: &Circumstances, now: Now) -> Option<String> {
    if let Some(trouble) = &around.trouble {
        return Some(trouble.clone());
    }
    if let Some(why) = around.stopped.get(&facts.partition.topic) {
        return Some(why.clone());
    }
    if let Some(why) = around.standing.get(&(facts.partition.topic.clone(), facts.partition.partition)) {
        return Some(why.clone());
    }
    let unanswered = now.since_ms(facts.asked_ms.unwrap_or(facts.since_ms));
    if u128::from(unanswered) > ASKED_AGE_MAX.as_millis() {
        let why = around.unanswered.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        return Some(format!("Kafka has not said for {} where the log ends{why}", seconds(unanswered)));
    }
    facts.short.then(|| {
        format!(
            "Kafka's log ends at {}, but it is archived through {}: the topic was deleted and made again, or lost its end",
            facts.end.unwrap_or(0),
            facts.archived
        )
    })
}

/// What to say of a partition; `None` as long as that is not known. A gateway counts silence as
/// failing when it lasts, so that nothing is said to be archived before it is known to be.
pub(crate) fn status(facts: &Facts, around: &Circumstances, now: Now) -> Option<PartitionStatus> {
    let waiting = waiting(facts, now);
    let (state, reason) = state(facts, waiting, around, now)?;
    let oldest_ms = match facts.oldest {
        Oldest::Event { kafka_ms, .. } => kafka_ms,
        Oldest::None => None,
    };
    Some(PartitionStatus {
        version: STATUS_VERSION,
        partition: facts.partition.clone(),
        state,
        reason,
        archived_through: facts.archived,
        end: facts.end,
        oldest_unarchived_ms: oldest_ms,
        age_ms: waiting.age_ms(),
        worker: around.worker.clone(),
        archive_version: facts.version,
        written_ms: now.wall_ms,
    })
}

fn state(
    facts: &Facts,
    waiting: Waiting,
    around: &Circumstances,
    now: Now,
) -> Option<(State, Option<String>)> {
    if facts.given_back {
        return Some((State::Stopped, None));
    }
    if let Some(reason) = failing(facts, around, now) {
        return Some((State::Failing, Some(reason)));
    }
    if let Some(age) = waiting.age_ms().filter(|age| u128::from(*age) > around.age_max.as_millis()) {
        let reason = format!(
            "an event has been waiting for {} to be archived (status.age_max is {})",
            seconds(age),
            seconds(u64::try_from(around.age_max.as_millis()).unwrap_or(u64::MAX))
        );
        return Some((State::Behind, Some(reason)));
    }
    let known = facts.end.is_some() && !matches!(waiting, Waiting::AtLeast(_));
    known.then_some((State::Archiving, None))
}

/// Why a worker is not ready, from what it says of its partitions: the worst of them.
pub(crate) fn summary(said: &[PartitionStatus]) -> Option<String> {
    let bad = said.iter().filter(|one| matches!(one.state, State::Failing | State::Behind));
    let count = bad.clone().count();
    let worst = bad.max_by_key(|one| (one.state == State::Failing, one.age_ms))?;
    let (name, reason) = (&worst.partition, worst.reason.as_deref().unwrap_or_default());
    let state = if worst.state == State::Failing { "failing" } else { "behind" };
    let others = match count {
        0 | 1 => String::new(),
        2 => "; so is another partition".to_owned(),
        more => format!("; so are {} more partitions", more - 1),
    };
    Some(format!("topic {}, partition {} is {state}: {reason}{others}", name.topic, name.partition))
}
