//! Where a partition goes on: a pure decision over what the archive and the
//! broker say.

use custody_schemas::Span;
use custody_schemas::manifest::GapReason;

/// What to do with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Read from this offset.
    At(i64),
    /// These offsets are gone: record them, then read from the end of the span.
    AfterGap(Span, GapReason),
    /// The log ends before the archive's next offset: the topic was deleted and
    /// made again, or lost its end. Never continue silently.
    Reset {
        /// The archive's next offset.
        next: i64,
        /// The log's end.
        end: i64,
    },
}

/// `next` is the archive's next offset (`None`: nothing archived yet), `low` and
/// `end` the first offset in the log and the one after its last.
pub fn plan(next: Option<i64>, low: i64, end: i64) -> Resume {
    let at = next.unwrap_or(0);
    if at > end {
        return Resume::Reset { next: at, end };
    }
    if low > at {
        let reason =
            if next.is_some() { GapReason::DeletedByRetention } else { GapReason::BeforeFirstCapture };
        return Resume::AfterGap(Span { from: at, to: low }, reason);
    }
    Resume::At(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_on() {
        let gap = |from, to, reason| Resume::AfterGap(Span { from, to }, reason);
        for (next, low, end, expected) in [
            (None, 0, 0, Resume::At(0)),
            (None, 0, 9, Resume::At(0)),
            (None, 4, 9, gap(0, 4, GapReason::BeforeFirstCapture)),
            (Some(4), 0, 9, Resume::At(4)),
            (Some(9), 0, 9, Resume::At(9)),
            (Some(9), 9, 9, Resume::At(9)),
            (Some(4), 6, 9, gap(4, 6, GapReason::DeletedByRetention)),
            (Some(4), 9, 9, gap(4, 9, GapReason::DeletedByRetention)),
            (Some(10), 0, 9, Resume::Reset { next: 10, end: 9 }),
            (Some(10), 0, 0, Resume::Reset { next: 10, end: 0 }),
        ] {
            assert_eq!(plan(next, low, end), expected, "{next:?} {low} {end}");
        }
    }
}
