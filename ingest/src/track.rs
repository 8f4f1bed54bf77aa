//! One of our partitions: how far it is archived, where its log ends, and since when the oldest
//! event in between has been there. Pure: whoever calls knows the time.
//!
//! Every time is the watch's, in milliseconds of a clock that never jumps, unless it is called
//! Kafka's.

use std::collections::VecDeque;

use custody_schemas::Partition;

/// Ends of a log that are remembered to date what is not archived. When there are more, every
/// second one is forgotten: ages are then told older than they are, by a share of a few per cent.
const ENDS_MAX: usize = 64;
/// How often in a row a log must end before what is archived of it: after a change of leader it
/// may do so for a moment.
const SHORT_MAX: u32 = 3;
/// For how long an event is given to be read before somebody looks whether there is one. Less for
/// what was there when we began, because nothing is said of a partition before that is known.
const UNCLEAR_MS: i64 = 3_000;
const UNCLEAR_AT_FIRST_MS: i64 = 1_000;

/// The end of a log as Kafka once told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    end: i64,
    /// What is below `end`, and not below the end told before, came after this; unknown for what
    /// was there when we first asked.
    after_ms: Option<i64>,
}

/// An event that is not archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    offset: i64,
    kafka_ms: Option<i64>,
}

/// What a look at the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// An event, with Kafka's time of it.
    Event(i64, Option<i64>),
    /// Nothing below this offset.
    Nothing(i64),
}

/// The oldest event that is not archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oldest {
    /// Every event up to the log's end is archived.
    None,
    /// There is one.
    Event {
        /// It came into the log after this; unknown for what was there when we first asked.
        after_ms: Option<i64>,
        /// Kafka's time of it, milliseconds since 1970 UTC, if it was read.
        kafka_ms: Option<i64>,
    },
}

/// What is known of one partition at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub partition: Partition,
    /// Every event below is archived.
    pub archived: i64,
    /// The archive's version that holds the newest of them, if we committed it.
    pub version: Option<u64>,
    /// Where the log ended when Kafka was last asked, and when that was.
    pub end: Option<i64>,
    pub asked_ms: Option<i64>,
    /// When the watch first saw the partition.
    pub since_ms: i64,
    pub oldest: Oldest,
    /// The log ends before what is archived of it.
    pub short: bool,
    /// The loop gave it back, and archived before that what it had read.
    pub given_back: bool,
}

/// One of our partitions.
#[derive(Debug)]
pub(crate) struct Track {
    pub partition: Partition,
    pub archived: i64,
    pub given_back: bool,
    version: Option<u64>,
    /// The first event of each batch that is not committed: four batches at most.
    firsts: VecDeque<Event>,
    ends: VecDeque<Told>,
    end: Option<i64>,
    asked_ms: Option<i64>,
    short: u32,
    since_ms: Option<i64>,
    /// Below this offset there is no event that is not archived, although the log goes on.
    empty_through: i64,
    /// What a look at the log found, and how far it was archived then.
    looked: Option<(i64, Event)>,
}

impl Track {
    pub(crate) fn new(partition: Partition, archived: i64) -> Self {
        Track {
            partition,
            archived,
            given_back: false,
            version: None,
            firsts: VecDeque::new(),
            ends: VecDeque::new(),
            end: None,
            asked_ms: None,
            short: 0,
            since_ms: None,
            empty_through: 0,
            looked: None,
        }
    }

    /// It is read on from here; what was read of it is forgotten.
    pub(crate) fn resumed(&mut self, archived: i64) {
        self.firsts.clear();
        (self.looked, self.given_back) = (None, false);
        self.advance(archived);
    }

    /// A batch got its first event of it.
    pub(crate) fn first(&mut self, offset: i64, kafka_ms: Option<i64>) {
        self.firsts.push_back(Event { offset, kafka_ms });
    }

    /// A version of the archive holds everything below `archived`.
    pub(crate) fn committed(&mut self, archived: i64, version: u64) {
        self.version = Some(version);
        self.advance(archived);
    }

    fn advance(&mut self, archived: i64) {
        self.archived = self.archived.max(archived);
        while self.firsts.front().is_some_and(|first| first.offset < self.archived) {
            self.firsts.pop_front();
        }
        while self.ends.front().is_some_and(|told| told.end <= self.archived) {
            self.ends.pop_front();
        }
    }

    /// Kafka is about to be asked where the log ends.
    pub(crate) fn asks(&mut self, now_ms: i64) {
        self.since_ms.get_or_insert(now_ms);
    }

    /// It ends there. `archived` and `asked_ms` are of before Kafka was asked.
    pub(crate) fn told(&mut self, archived: i64, end: i64, asked_ms: i64) {
        self.short = if end < archived { self.short + 1 } else { 0 };
        if end > self.archived && self.end.is_none_or(|before| end > before) {
            if self.ends.len() >= ENDS_MAX {
                self.thin();
            }
            self.ends.push_back(Told { end, after_ms: self.asked_ms });
        }
        (self.end, self.asked_ms) = (Some(end), Some(asked_ms));
    }

    /// Forgets every second end. What came between two that become one is as old as the older.
    fn thin(&mut self) {
        let all: Vec<Told> = self.ends.drain(..).collect();
        let joined = |two: &[Told]| Told { end: two[two.len() - 1].end, after_ms: two[0].after_ms };
        self.ends = all.chunks(2).map(joined).collect();
    }

    /// What a look found, from [`unread`](Self::unread) on.
    pub(crate) fn found(&mut self, found: Found) {
        match found {
            Found::Nothing(through) => self.empty_through = self.empty_through.max(through),
            // Archived meanwhile: it says nothing of what is not.
            Found::Event(offset, _) if offset < self.archived => {}
            Found::Event(offset, kafka_ms) => self.looked = Some((self.archived, Event { offset, kafka_ms })),
        }
    }

    fn looked(&self) -> Option<Event> {
        self.looked.filter(|(archived, _)| *archived == self.archived).map(|(_, event)| event)
    }

    /// No event below this offset is missing in the archive.
    pub(crate) fn unread(&self) -> i64 {
        self.archived.max(self.empty_through)
    }

    /// Everything read of it is archived, and from `next` until there the log holds no event.
    pub(crate) fn holds_nothing(&self, next: i64) -> Option<i64> {
        let idle = self.archived == next && self.firsts.is_empty() && !self.given_back;
        (idle && self.empty_through > next).then_some(self.empty_through)
    }

    /// An event at this offset came into the log after this moment.
    fn after_ms(&self, offset: i64) -> Option<i64> {
        let told = self.ends.iter().find(|told| told.end > offset);
        told.map_or(self.asked_ms, |told| told.after_ms)
    }

    fn oldest(&self) -> Oldest {
        let event = match (self.firsts.front(), self.looked()) {
            (Some(first), _) => *first,
            (None, _) if self.end.is_none_or(|end| end <= self.unread()) => return Oldest::None,
            (None, Some(looked)) => looked,
            (None, None) => Event { offset: self.unread(), kafka_ms: None },
        };
        Oldest::Event { after_ms: self.after_ms(event.offset), kafka_ms: event.kafka_ms }
    }

    /// The log goes on, nothing was read of it for a while, and nobody looked yet.
    pub(crate) fn is_unclear(&self, now_ms: i64) -> bool {
        if self.given_back || !self.firsts.is_empty() || self.looked().is_some() {
            return false;
        }
        match self.oldest() {
            Oldest::None => false,
            Oldest::Event { after_ms: Some(after_ms), .. } => now_ms - after_ms >= UNCLEAR_MS,
            Oldest::Event { .. } => self.since_ms.is_some_and(|since| now_ms - since >= UNCLEAR_AT_FIRST_MS),
        }
    }

    pub(crate) fn facts(&self, now_ms: i64) -> Facts {
        Facts {
            partition: self.partition.clone(),
            archived: self.archived,
            version: self.version,
            end: self.end,
            asked_ms: self.asked_ms,
            since_ms: self.since_ms.unwrap_or(now_ms),
            oldest: self.oldest(),
            short: self.short >= SHORT_MAX,
            given_back: self.given_back,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(archived: i64) -> Track {
        Track::new(Partition { topic: "t".into(), generation: 1, partition: 0 }, archived)
    }

    fn ask(track: &mut Track, end: i64, now_ms: i64) {
        track.asks(now_ms);
        track.told(track.archived, end, now_ms);
    }

    #[track_caller]
    fn check(track: &Track, archived: i64, oldest: Oldest) {
        let facts = track.facts(1_000_000);
        assert_eq!((facts.archived, facts.oldest), (archived, oldest));
    }

    fn event(after_ms: Option<i64>, kafka_ms: Option<i64>) -> Oldest {
        Oldest::Event { after_ms, kafka_ms }
    }

    /// What the loop passes over is what it has read to its end, and nothing else.
    #[test]
    fn what_holds_nothing() {
        let mut track = track(10);
        assert_eq!(track.holds_nothing(10), None);
        track.found(Found::Nothing(12));
        assert_eq!([9, 10, 11, 12].map(|next| track.holds_nothing(next)), [None, Some(12), None, None]);
        // Something of it is in a batch.
        track.first(12, None);
        assert_eq!(track.holds_nothing(10), None);
        track.committed(13, 1);
        assert_eq!(track.holds_nothing(13), None);
    }

    #[test]
    fn the_oldest_event_is_dated_by_when_the_log_did_not_hold_it() {
        let mut track = track(10);
        check(&track, 10, Oldest::None);
        ask(&mut track, 12, 0);
        // Two events were there before us.
        check(&track, 10, event(None, None));
        track.first(10, Some(77));
        check(&track, 10, event(None, Some(77)));
        ask(&mut track, 15, 1_000);
        ask(&mut track, 15, 2_000);
        ask(&mut track, 18, 3_000);
        track.first(12, Some(78));
        check(&track, 10, event(None, Some(77)));
        for (archived, oldest) in [
            (12, event(Some(0), Some(78))),
            (14, event(Some(0), None)),
            (15, event(Some(2_000), None)),
            (18, Oldest::None),
        ] {
            track.committed(archived, 5);
            check(&track, archived, oldest);
        }
        assert_eq!(track.facts(0).version, Some(5));
        // Read before Kafka was asked again: it came after the last answer.
        track.first(18, None);
        check(&track, 18, event(Some(3_000), None));
        // A fence: others archived it.
        track.resumed(19);
        check(&track, 19, Oldest::None);
    }

    #[test]
    fn forgotten_ends_make_events_older_never_younger() {
        let mut track = track(0);
        let asks = 10 * ENDS_MAX as i64;
        (0..=asks).for_each(|n| ask(&mut track, n, n * 1_000));
        assert!(track.ends.len() <= ENDS_MAX);
        for archived in 0..asks {
            track.committed(archived, 1);
            // The event at this offset came between these two questions.
            let Oldest::Event { after_ms: Some(after_ms), .. } = track.oldest() else {
                panic!("nothing at {archived}")
            };
            assert!(after_ms <= archived * 1_000, "{after_ms} at {archived}");
        }
    }

    #[test]
    fn what_holds_no_event_is_looked_at_once() {
        let mut track = track(10);
        ask(&mut track, 10, 0);
        ask(&mut track, 11, 1_000);
        // It came after 0, and may yet be read.
        assert!(!track.is_unclear(2_999) && track.is_unclear(3_000));
        track.found(Found::Nothing(11));
        check(&track, 10, Oldest::None);
        assert!(!track.is_unclear(9_000));
        // What comes behind it counts from then on.
        ask(&mut track, 12, 9_000);
        check(&track, 10, event(Some(1_000), None));
        assert!(track.is_unclear(9_000) && track.unread() == 11);
        track.found(Found::Event(11, Some(88)));
        check(&track, 10, event(Some(1_000), Some(88)));
        assert!(!track.is_unclear(99_000));
        // Archived, and then it was another event.
        track.committed(12, 1);
        ask(&mut track, 13, 10_000);
        check(&track, 12, event(Some(9_000), None));
        track.found(Found::Event(11, Some(88)));
        check(&track, 12, event(Some(9_000), None));
        // The loop has it in hand: nobody needs to look.
        assert!(track.is_unclear(99_000));
        track.first(12, None);
        assert!(!track.is_unclear(99_000));
    }

    #[test]
    fn what_was_there_before_us_is_looked_at_soon() {
        let mut track = track(10);
        ask(&mut track, 12, 5_000);
        assert!(!track.is_unclear(5_999) && track.is_unclear(6_000));
        track.given_back = true;
        assert!(!track.is_unclear(6_000));
    }

    #[test]
    fn a_log_that_ends_early_must_do_so_again_and_again() {
        let mut track = track(10);
        let short = [9, 9, 10, 9, 9, 9].map(|end| {
            ask(&mut track, end, 0);
            track.facts(0).short
        });
        assert_eq!(short, [false, false, false, false, false, true]);
        // Archived between the question and the answer is no such thing.
        ask(&mut track, 10, 0);
        track.committed(20, 1);
        (0..5).for_each(|_| track.told(10, 10, 0));
        assert!(!track.facts(0).short);
    }
}
