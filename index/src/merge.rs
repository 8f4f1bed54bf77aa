//! Which small splits become one. Pure: metadata in, ranges out.
//!
//! Bytes are those of the splits themselves: how much Parquet they were made of
//! is not known without opening them.

use std::ops::Range;

use crate::manifest::SplitMeta;
use crate::settings::Settings;

/// What decides about merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A split with fewer records is small, unless it has more than half of
    /// `bytes_max`.
    pub small_docs: u64,
    /// Small splits that may stand in a row.
    pub small_run_max: usize,
    /// Records that a merged split may have.
    pub docs_max: u64,
    /// Bytes that the splits may have that are merged into one: few records of
    /// much text do not become one split that takes the memory of them all.
    pub bytes_max: u64,
}

impl From<&Settings> for Policy {
    fn from(settings: &Settings) -> Self {
        Policy {
            small_docs: settings.small_docs,
            small_run_max: settings.small_run_max,
            docs_max: settings.split_docs_max,
            bytes_max: settings.split_bytes_max,
        }
    }
}

/// Neighbouring splits that become one, as a range of the list that was given;
/// at least two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Which splits.
    pub splits: Range<usize>,
}

/// The merges that are due, in order and apart.
///
/// In a row of too many small splits the newest are merged, going back as long
/// as the next one is no larger than twice what is merged with it. So a record
/// that trickles in is merged some ten times before its split is no longer
/// small, not once for every few splits that follow.
///
/// Shorter rows wait until compaction has been there: nobody is in a hurry then, and a record is
/// joined once. One large split takes some eight percent less than what it is made of, and a search
/// opens one instead of many.
pub fn plan(splits: &[SplitMeta], policy: &Policy) -> Vec<Merge> {
    let mut merges = Vec::new();
    for run in small_runs(splits, policy) {
        if run.len() > policy.small_run_max {
            merges.extend(merges_of(splits, run, policy));
        } else {
            merges.extend(compacted_of(splits, run, policy));
        }
    }
    merges
}

/// Of a row the merges that are worth half a split or more, of compacted ones only.
fn compacted_of(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Vec<Merge> {
    let rows = in_rows(run.filter(|at| splits[*at].compacted));
    let merges = rows.into_iter().flat_map(|row| filled(splits, row, policy));
    merges.filter(|merge| Sum::of(&splits[merge.splits.clone()]).is_half(policy)).collect()
}

fn small_runs(splits: &[SplitMeta], policy: &Policy) -> Vec<Range<usize>> {
    // Two neighbours of half as many bytes always fit: a row never stays too long.
    let small = |split: &SplitMeta| split.docs < policy.small_docs && split.bytes <= policy.bytes_max / 2;
    in_rows((0..splits.len()).filter(|at| small(&splits[*at])))
}

/// Places that follow one another, as ranges.
fn in_rows(places: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut rows: Vec<Range<usize>> = Vec::new();
    for at in places {
        match rows.last_mut() {
            Some(row) if row.end == at => row.end = at + 1,
            _ => rows.push(at..at + 1),
        }
    }
    rows
}

fn merges_of(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Vec<Merge> {
    let tail = balanced_tail(splits, run.clone(), policy);
    // Fewer would bring the next merge too soon; then the whole row is due.
    if tail.len() > (policy.small_run_max / 2).max(1) {
        vec![Merge { splits: tail }]
    } else {
        filled(splits, run, policy)
    }
}

fn balanced_tail(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Range<usize> {
    let (mut start, mut sum) = (run.end, Sum::default());
    for at in run.clone().rev() {
        let balanced = start == run.end || splits[at].docs <= 2 * sum.docs.max(1);
        match sum.with(&splits[at], policy) {
            Some(more) if balanced => (start, sum) = (at, more),
            _ => break,
        }
    }
    start..run.end
}

/// The whole row, each merge as full as it may be.
fn filled(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Vec<Merge> {
    let mut merges: Vec<Merge> = Vec::new();
    let mut sum = Sum::default();
    for at in run {
        match (merges.last_mut(), sum.with(&splits[at], policy)) {
            (Some(merge), Some(more)) => {
                merge.splits.end = at + 1;
                sum = more;
            }
            _ => {
                merges.push(Merge { splits: at..at + 1 });
                sum = Sum::of(&splits[at..=at]);
            }
        }
    }
    merges.retain(|merge| merge.splits.len() > 1);
    merges
}

/// What is merged into one split.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    docs: u64,
    bytes: u64,
}

impl Sum {
    fn of(splits: &[SplitMeta]) -> Sum {
        splits.iter().fold(Sum::default(), |sum, split| Sum {
            docs: sum.docs.saturating_add(split.docs),
            bytes: sum.bytes.saturating_add(split.bytes),
        })
    }

    /// At least half of what a split may be.
    fn is_half(self, policy: &Policy) -> bool {
        self.docs >= policy.docs_max / 2 || self.bytes >= policy.bytes_max / 2
    }

    /// With one more split, if that one still fits.
    fn with(self, split: &SplitMeta, policy: &Policy) -> Option<Sum> {
        let sum =
            Sum { docs: self.docs.saturating_add(split.docs), bytes: self.bytes.saturating_add(split.bytes) };
        (sum.docs <= policy.docs_max && sum.bytes <= policy.bytes_max).then_some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { small_docs: 50, small_run_max: 4, docs_max: 120, bytes_max: 1_000 };

    fn metas(docs: &[u64]) -> Vec<SplitMeta> {
        let meta = |docs: &u64| SplitMeta {
            id: String::new(),
            bytes: 0,
            first_version: 0,
            last_version: 0,
            files: 1,
            docs: *docs,
            time_ms_min: None,
            time_ms_max: None,
            tenants: None,
            compacted: false,
        };
        docs.iter().map(meta).collect()
    }

    fn ranges(docs: &[u64]) -> Vec<(usize, usize)> {
        plan(&metas(docs), &POLICY).into_iter().map(|merge| (merge.splits.start, merge.splits.end)).collect()
    }

    #[test]
    fn plans() {
        for (docs, expected) in [
            (&[][..], &[][..]),
            (&[1, 1, 1, 1], &[]),
            (&[1, 1, 1, 1, 1], &[(0, 5)]),
            (&[900, 1, 1, 1, 1, 1], &[(1, 6)]),
            (&[1, 1, 1, 900, 1, 1], &[]),
            // The old large one waits.
            (&[49, 1, 1, 1, 1], &[(1, 5)]),
            // A tail too light to pull its neighbours along.
            (&[40, 40, 40, 40, 1], &[(0, 3), (3, 5)]),
            (&[1, 1, 1, 1, 1, 900, 2, 2, 2, 2, 2], &[(0, 5), (6, 11)]),
            (&[0, 0, 0, 0, 0], &[(0, 5)]),
        ] {
            assert_eq!(ranges(docs), expected, "{docs:?}");
        }
    }

    #[test]
    fn splits_of_many_bytes_stay_apart() {
        let of_bytes = |bytes: &[u64]| {
            let mut splits = metas(&vec![1; bytes.len()]);
            splits.iter_mut().zip(bytes).for_each(|(split, bytes)| split.bytes = *bytes);
            plan(&splits, &POLICY)
                .into_iter()
                .map(|merge| (merge.splits.start, merge.splits.end))
                .collect::<Vec<_>>()
        };
        for (bytes, expected) in [
            (&[100; 6][..], &[(0, 6)][..]),
            (&[400; 6], &[(0, 2), (2, 4), (4, 6)]),
            // More than half of what fits is not small.
            (&[501; 6], &[]),
            (&[501, 501, 1, 1, 1, 1, 1], &[(2, 7)]),
            (&[u64::MAX; 6], &[]),
        ] {
            assert_eq!(of_bytes(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn compacted_ones_become_large() {
        let ranges = |splits: &[(u64, bool)]| {
            let mut metas = metas(&splits.iter().map(|(docs, _)| *docs).collect::<Vec<_>>());
            metas.iter_mut().zip(splits).for_each(|(meta, (_, compacted))| meta.compacted = *compacted);
            let merges = plan(&metas, &POLICY).into_iter();
            merges.map(|merge| (merge.splits.start, merge.splits.end)).collect::<Vec<_>>()
        };
        let (old, new) = (true, false);
        for (splits, expected) in [
            // Half of what fits is enough, less is not.
            (&[(30, old), (30, old)][..], &[(0, 2)][..]),
            (&[(30, old), (29, old)], &[]),
            (&[(30, new), (30, new)], &[]),
            (&[(30, old), (30, new), (30, old)], &[]),
            (&[(40, old), (40, old), (40, old), (20, old)], &[(0, 3)]),
            (&[(900, old), (1, old), (40, old), (40, old)], &[(1, 4)]),
            // What is large already stays.
            (&[(60, old), (60, old)], &[]),
            // A row that is too long does not wait.
            (&[(1, new), (1, old), (1, old), (1, new), (1, new)], &[(0, 5)]),
        ] {
            assert_eq!(ranges(splits), expected, "{splits:?}");
        }
        let mut bytes = metas(&[1, 1]);
        bytes.iter_mut().for_each(|meta| (meta.bytes, meta.compacted) = (250, true));
        assert_eq!(plan(&bytes, &POLICY), [Merge { splits: 0..2 }]);
    }

    #[test]
    fn one_split_is_no_merge() {
        for small_run_max in [0, 1] {
            let policy = Policy { small_run_max, ..POLICY };
            assert_eq!(plan(&metas(&[1]), &policy), []);
            assert_eq!(plan(&metas(&[40, 1]), &policy), [Merge { splits: 0..2 }]);
        }
    }

    #[test]
    fn a_trickle_is_merged_seldom() {
        let policy = Policy { small_docs: 50_000, small_run_max: 32, docs_max: 500_000, bytes_max: u64::MAX };
        let (mut docs, mut rewritten, mut most) = (Vec::new(), 0, 0);
        for _ in 0..20_000 {
            docs.push(10);
            for merge in plan(&metas(&docs), &policy).into_iter().rev() {
                let sum: u64 = docs[merge.splits.clone()].iter().sum();
                assert!(sum <= policy.docs_max);
                docs.splice(merge.splits, [sum]);
                rewritten += sum;
            }
            most = most.max(docs.len());
        }
        assert_eq!(docs.iter().sum::<u64>(), 200_000);
        assert!(most <= 2 * policy.small_run_max, "{most} splits");
        assert!(rewritten <= 200_000 * 12, "{rewritten} rewritten");
    }
}
