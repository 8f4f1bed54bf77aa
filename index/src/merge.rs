//! Which small splits become one. Pure: metadata in, ranges out.

use std::ops::Range;

use crate::manifest::SplitMeta;
use crate::settings::Settings;

/// What decides about merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A split with fewer records is small.
    pub small_docs: u64,
    /// Small splits that may stand in a row.
    pub small_run_max: usize,
    /// Records that a merged split may have.
    pub docs_max: u64,
}

impl From<&Settings> for Policy {
    fn from(settings: &Settings) -> Self {
        Policy {
            small_docs: settings.small_docs,
            small_run_max: settings.small_run_max,
            docs_max: settings.split_docs_max,
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
pub fn plan(splits: &[SplitMeta], policy: &Policy) -> Vec<Merge> {
    let runs = small_runs(splits, policy).into_iter().filter(|run| run.len() > policy.small_run_max);
    runs.flat_map(|run| merges_of(splits, run, policy)).collect()
}

fn small_runs(splits: &[SplitMeta], policy: &Policy) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in splits.iter().enumerate().filter(|(_, split)| split.docs < policy.small_docs) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

fn merges_of(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Vec<Merge> {
    let tail = balanced_tail(splits, run.clone(), policy);
    // Fewer would bring the next merge too soon; then the whole row is due.
    if tail.len() > policy.small_run_max / 2 {
        vec![Merge { splits: tail }]
    } else {
        filled(splits, run, policy)
    }
}

fn balanced_tail(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Range<usize> {
    let (mut start, mut docs) = (run.end, 0);
    for at in run.clone().rev() {
        let more = splits[at].docs;
        let fits = docs + more <= policy.docs_max && (start == run.end || more <= 2 * docs.max(1));
        if !fits {
            break;
        }
        (start, docs) = (at, docs + more);
    }
    start..run.end
}

/// The whole row, each merge as full as it may be.
fn filled(splits: &[SplitMeta], run: Range<usize>, policy: &Policy) -> Vec<Merge> {
    let mut merges: Vec<Merge> = Vec::new();
    let mut docs = 0;
    for at in run {
        match merges.last_mut() {
            Some(merge) if docs + splits[at].docs <= policy.docs_max => merge.splits.end = at + 1,
            _ => {
                docs = 0;
                merges.push(Merge { splits: at..at + 1 });
            }
        }
        docs += splits[at].docs;
    }
    merges.retain(|merge| merge.splits.len() > 1);
    merges
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { small_docs: 50, small_run_max: 4, docs_max: 120 };

    fn metas(docs: &[u64]) -> Vec<SplitMeta> {
        let meta = |docs: &u64| SplitMeta {
            id: String::new(),
            bytes: 0,
            files: 1,
            docs: *docs,
            time_ms_min: None,
            time_ms_max: None,
            tenants: None,
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
    fn a_trickle_is_merged_seldom() {
        let policy = Policy { small_docs: 50_000, small_run_max: 32, docs_max: 500_000 };
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
