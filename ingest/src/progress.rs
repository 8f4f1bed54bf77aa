//! What is known of all of our partitions, shared by the loop, the commit thread and the watch.
//!
//! The loop and the commit thread tell where they begin, when a batch gets its first event of a
//! partition, and when one is committed: nothing for each event. The watch asks Kafka.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use custody_schemas::Partition;
use custody_schemas::manifest::Part;

use crate::track::{Facts, Found, Track};

/// A partition of a topic, and an offset of it.
pub(crate) type At = (String, i32, i64);

#[derive(Default)]
struct Inner {
    tracks: BTreeMap<(String, i32), Track>,
    changed: bool,
}

/// What is known of all of our partitions.
#[derive(Default)]
pub(crate) struct Progress {
    inner: Mutex<Inner>,
    wake: Condvar,
}

impl Progress {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, topic: &str, partition: i32, f: impl FnOnce(&mut Track)) {
        if let Some(track) = self.inner().tracks.get_mut(&(topic.to_owned(), partition)) {
            f(track);
        }
    }

    /// A partition is ours, and is read on from where the archive stands with it.
    pub(crate) fn resumed(&self, partition: &Partition, archived: i64) {
        let mut inner = self.inner();
        let key = (partition.topic.clone(), partition.partition);
        // A topic that was made again has another log.
        let known = inner.tracks.remove(&key).filter(|known| known.partition == *partition);
        let mut track = known.unwrap_or_else(|| Track::new(partition.clone(), archived));
        track.resumed(archived);
        inner.tracks.insert(key, track);
    }

    /// A batch got its first event of a partition.
    pub(crate) fn first(&self, partition: &Partition, offset: i64, kafka_ms: Option<i64>) {
        self.with(&partition.topic, partition.partition, |track| track.first(offset, kafka_ms));
    }

    /// A batch was committed.
    pub(crate) fn committed(&self, parts: &[Part], version: u64) {
        for part in parts {
            let committed = |track: &mut Track| track.committed(part.span.to, version);
            self.with(&part.partition.topic, part.partition.partition, committed);
        }
    }

    /// Every partition was given back, and what was read of them is archived.
    pub(crate) fn gave_back(&self) {
        self.inner().tracks.values_mut().for_each(|track| track.given_back = true);
        self.wake();
    }

    /// Something changed that the watch should tell at once.
    pub(crate) fn wake(&self) {
        self.inner().changed = true;
        self.wake.notify_all();
    }

    /// Waits for this long, or until something changed: then it says so.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.inner(), at_most, |inner| !inner.changed);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut inner.changed)
    }

    /// The partitions to ask Kafka about, and how far each is archived.
    pub(crate) fn asks(&self, now_ms: i64) -> Vec<At> {
        let mut inner = self.inner();
        let ours = inner.tracks.values_mut().filter(|track| !track.given_back);
        let at = ours.map(|track| {
            track.asks(now_ms);
            (track.partition.topic.clone(), track.partition.partition, track.archived)
        });
        at.collect()
    }

    /// What Kafka answered, who was asked at that time: the ends of the logs.
    pub(crate) fn told(&self, asked: &[At], ends: &[At], asked_ms: i64) {
        let archived: BTreeMap<_, _> = asked.iter().map(|at| ((at.0.as_str(), at.1), at.2)).collect();
        for (topic, partition, end) in ends {
            if let Some(archived) = archived.get(&(topic.as_str(), *partition)) {
                self.with(topic, *partition, |track| track.told(*archived, *end, asked_ms));
            }
        }
    }

    /// Partitions of one topic whose log goes on while nothing is read of them: the offset to look
    /// at, to know whether there is an event at all.
    pub(crate) fn unclear(&self, now_ms: i64) -> Vec<At> {
        let inner = self.inner();
        let mut unclear = inner.tracks.values().filter(|track| track.is_unclear(now_ms)).peekable();
        let topic = unclear.peek().map(|track| track.partition.topic.clone());
        let of_topic = unclear.filter(|track| Some(&track.partition.topic) == topic.as_ref());
        let at =
            of_topic.map(|track| (track.partition.topic.clone(), track.partition.partition, track.unread()));
        at.collect()
    }

    /// What a look found, from an offset that was unclear.
    pub(crate) fn found(&self, at: &At, found: Found) {
        self.with(&at.0, at.1, |track| track.found(found));
    }

    /// Where the loop may go on with a partition that it stands at `next` with, because a look found
    /// nothing until there.
    pub(crate) fn holds_nothing(&self, partition: &Partition, next: i64) -> Option<i64> {
        let inner = self.inner();
        inner.tracks.get(&(partition.topic.clone(), partition.partition))?.holds_nothing(next)
    }

    /// What is known now. Partitions that were given back are told once.
    pub(crate) fn facts(&self, now_ms: i64) -> Vec<Facts> {
        let mut inner = self.inner();
        let facts = inner.tracks.values().map(|track| track.facts(now_ms)).collect();
        inner.tracks.retain(|_, track| !track.given_back);
        facts
    }
}

#[cfg(test)]
mod tests {
    use custody_schemas::Span;

    use super::*;
    use crate::track::Oldest;

    fn partition(topic: &str, partition: i32) -> Partition {
        Partition { topic: topic.into(), generation: 1, partition }
    }

    #[test]
    fn what_was_given_back_is_told_once() {
        let progress = Progress::default();
        let t = partition("t", 0);
        progress.resumed(&t, 10);
        assert!(!progress.wait(Duration::ZERO));
        progress.gave_back();
        assert!(progress.wait(Duration::ZERO) && !progress.wait(Duration::ZERO));
        assert_eq!(progress.asks(0), []);
        assert!(progress.facts(0)[0].given_back);
        assert_eq!(progress.facts(0), []);
        // Given back and taken again before anybody asked: nothing was given back.
        progress.resumed(&t, 10);
        progress.gave_back();
        progress.resumed(&t, 10);
        assert!(!progress.facts(0)[0].given_back);
        // A topic that was made again begins anew.
        progress.resumed(&Partition { generation: 2, ..t }, 0);
        assert_eq!(progress.facts(0).iter().map(|facts| facts.archived).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn answers_and_commits_reach_their_partition() {
        let progress = Progress::default();
        let all = [partition("a", 0), partition("a", 1), partition("b", 0)];
        all.iter().for_each(|partition| progress.resumed(partition, 10));
        let at = |topic: &str, partition, offset| (topic.to_owned(), partition, offset);
        let asked = progress.asks(0);
        assert_eq!(asked, [at("a", 0, 10), at("a", 1, 10), at("b", 0, 10)]);
        // In Kafka's order, and of one that is not ours.
        progress.told(&asked, &[at("b", 0, 14), at("c", 0, 9), at("a", 0, 10), at("a", 1, 12)], 0);
        let ends = |now| progress.facts(now).iter().map(|facts| facts.end).collect::<Vec<_>>();
        assert_eq!(ends(0), [Some(10), Some(12), Some(14)]);
        // One topic at a time.
        assert_eq!(progress.unclear(5_000), [at("a", 1, 10)]);
        progress.found(&at("a", 1, 10), Found::Nothing(12));
        assert_eq!(progress.unclear(5_000), [at("b", 0, 10)]);
        progress.first(&all[2], 10, Some(7));
        assert_eq!(progress.unclear(5_000), []);

        let span = Span { from: 10, to: 14 };
        let part = |partition: &Partition| Part {
            partition: partition.clone(),
            span,
            rows: 4,
            quarantined: 0,
            skipped: 0,
            gaps: Vec::new(),
        };
        progress.committed(&[part(&all[2]), part(&partition("c", 0))], 3);
        let known: Vec<_> =
            progress.facts(0).iter().map(|facts| (facts.archived, facts.version, facts.oldest)).collect();
        assert_eq!(known, [(10, None, Oldest::None), (10, None, Oldest::None), (14, Some(3), Oldest::None)]);
    }
}
