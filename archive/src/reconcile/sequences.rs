//! Which numbers of a counter were seen, and which were not.

use std::collections::BTreeMap;

use serde::Serialize;

/// Numbers that were seen without a hole between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    last: i64,
    /// When the first and the last of them happened, microseconds since 1970 UTC.
    first_us: Option<i64>,
    last_us: Option<i64>,
}

/// Numbers of a source that no record has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// The first of them.
    pub from: i64,
    /// The number after the last of them.
    pub to: i64,
    /// When the record before the hole happened, microseconds since 1970 UTC.
    pub after_us: Option<i64>,
    /// When the record behind it happened.
    pub before_us: Option<i64>,
}

/// So many runs of one source are kept apart; a counter with more holes is no counter.
const RUNS_MAX: usize = 200_000;

/// A set of numbers, kept as runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    /// Runs by their first number.
    runs: BTreeMap<i64, Run>,
    /// There were too many runs: holes are not known.
    overflow: bool,
}

impl Numbers {
    /// Takes up one number, seen before or not.
    pub(super) fn add(&mut self, number: i64, time_us: Option<i64>) {
        if self.overflow {
            return;
        }
        let before = self.runs.range_mut(..=number).next_back();
        if let Some((_, run)) = before {
            if number <= run.last {
                return;
            }
            // The usual case: the counter went on.
            if run.last.checked_add(1) == Some(number) {
                (run.last, run.last_us) = (number, time_us.or(run.last_us));
                return self.close(number);
            }
        }
        self.runs.insert(number, Run { last: number, first_us: time_us, last_us: time_us });
        self.close(number);
        if self.runs.len() > RUNS_MAX {
            self.runs.clear();
            self.overflow = true;
        }
    }

    /// Joins the run that ends with `number` with the one behind it.
    fn close(&mut self, number: i64) {
        let Some(next) = number.checked_add(1).and_then(|next| self.runs.remove(&next)) else { return };
        if let Some((_, run)) = self.runs.range_mut(..=number).next_back() {
            (run.last, run.last_us) = (next.last, next.last_us.or(run.last_us));
        }
    }

    /// The first and the last number.
    pub(super) fn ends(&self) -> Option<(i64, i64)> {
        Some((*self.runs.keys().next()?, self.runs.values().next_back()?.last))
    }

    /// What is between them and was not seen. `None` when there is too much of it.
    pub(super) fn holes(&self) -> Option<Vec<Hole>> {
        let pairs = self.runs.iter().zip(self.runs.iter().skip(1));
        let holes = pairs.map(|((_, run), (from, next))| Hole {
            // No run ends at the last number that there is.
            from: run.last.saturating_add(1),
            to: *from,
            after_us: run.last_us,
            before_us: next.first_us,
        });
        (!self.overflow).then(|| holes.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn holes(numbers: &Numbers) -> Vec<(i64, i64)> {
        numbers.holes().unwrap().iter().map(|hole| (hole.from, hole.to)).collect()
    }

    #[test]
    fn holes_have_the_times_around_them() {
        let mut numbers = Numbers::default();
        for (number, time) in [(4, 40), (5, 50), (9, 90), (8, 80), (5, 51)] {
            numbers.add(number, Some(time));
        }
        let hole = Hole { from: 6, to: 8, after_us: Some(50), before_us: Some(80) };
        assert_eq!(numbers.holes().unwrap(), [hole]);
        assert_eq!(numbers.ends(), Some((4, 9)));
        numbers.add(i64::MAX, None);
        numbers.add(i64::MIN, None);
        assert_eq!(holes(&numbers), [(i64::MIN + 1, 4), (6, 8), (10, i64::MAX)]);
    }

    proptest! {
        #[test]
        fn exactly_what_was_not_seen(seen in prop::collection::vec(0i64..60, 1..80)) {
            let mut numbers = Numbers::default();
            seen.iter().for_each(|number| numbers.add(*number, None));
            let set: BTreeSet<i64> = seen.iter().copied().collect();
            let (first, last) = numbers.ends().unwrap();
            prop_assert_eq!((first, last), (*set.first().unwrap(), *set.last().unwrap()));
            let missing: Vec<i64> = (first..last).filter(|number| !set.contains(number)).collect();
            let found: Vec<i64> = holes(&numbers).iter().flat_map(|(from, to)| *from..*to).collect();
            prop_assert_eq!(found, missing);
        }
    }
}
