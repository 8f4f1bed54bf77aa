//! Where a partition goes on: a pure decision over what the archive and the
//! broker say.

use custody_schemas::manifest::GapReason;
use custody_schemas::{Span, TopicId};

/// What to do with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Read from this offset.
    At(i64),
    /// These offsets are gone: record them, then read from the end of the span.
    AfterGap(Span, GapReason),
    /// What Kafka has is not what was archived. Never continue silently.
    Reset(Reset),
}

impl Resume {
    /// Where the archive stands.
    pub fn archived(&self) -> i64 {
        match self {
            Resume::At(next) | Resume::Reset(Reset::EndsBefore { next, .. }) => *next,
            Resume::AfterGap(span, _) => span.from,
            Resume::Reset(Reset::OtherId) => 0,
        }
    }
}

/// How it shows that a topic is not the one that was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// It has another id: it was deleted and made again.
    OtherId,
    /// Its log ends before the archive does: it was made again, or lost its end.
    EndsBefore {
        /// The archive's next offset.
        next: i64,
        /// The log's end.
        end: i64,
    },
}

/// What the archive has of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Archived<'a> {
    /// The id of the topic; `None` when no broker told one.
    pub id: Option<&'a TopicId>,
    /// The next offset; `None`: nothing archived yet.
    pub next: Option<i64>,
}

/// What Kafka has of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The first offset in the log.
    pub low: i64,
    /// The one after its last.
    pub end: i64,
}

/// An id is never used twice, so another one is a reset whatever the offsets say. Where either side
/// has none, the offsets alone decide.
pub fn plan(archived: Archived<'_>, id: Option<&TopicId>, log: Log) -> Resume {
    if archived.id.zip(id).is_some_and(|(archived, now)| archived != now) {
        return Resume::Reset(Reset::OtherId);
    }
    let (next, at) = (archived.next, archived.next.unwrap_or(0));
    if at > log.end {
        return Resume::Reset(Reset::EndsBefore { next: at, end: log.end });
    }
    if log.low > at {
        let reason =
            if next.is_some() { GapReason::DeletedByRetention } else { GapReason::BeforeFirstCapture };
        return Resume::AfterGap(Span { from: at, to: log.low }, reason);
    }
    Resume::At(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_on() {
        let gap = |from, to, reason| Resume::AfterGap(Span { from, to }, reason);
        let before = |next, end| Resume::Reset(Reset::EndsBefore { next, end });
        let other = Resume::Reset(Reset::OtherId);
        let ids = [TopicId::from("a"), TopicId::from("b")];
        let (a, b) = (Some(&ids[0]), Some(&ids[1]));
        for (next, low, end, expected) in [
            (None, 0, 0, Resume::At(0)),
            (None, 0, 9, Resume::At(0)),
            (None, 4, 9, gap(0, 4, GapReason::BeforeFirstCapture)),
            (Some(4), 0, 9, Resume::At(4)),
            (Some(9), 0, 9, Resume::At(9)),
            (Some(9), 9, 9, Resume::At(9)),
            (Some(4), 6, 9, gap(4, 6, GapReason::DeletedByRetention)),
            (Some(4), 9, 9, gap(4, 9, GapReason::DeletedByRetention)),
            (Some(10), 0, 9, before(10, 9)),
            (Some(10), 0, 0, before(10, 0)),
        ] {
            let log = Log { low, end };
            for (archived, now) in [(None, None), (a, None), (None, a), (a, a)] {
                let found = plan(Archived { id: archived, next }, now, log);
                assert_eq!(found, expected, "{next:?} {low} {end} {archived:?} {now:?}");
            }
            assert_eq!(plan(Archived { id: a, next }, b, log), other, "{next:?} {low} {end}");
        }
    }
}
