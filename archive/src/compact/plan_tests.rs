use proptest::prelude::*;

use super::*;

const POLICY: Policy = Policy { file_bytes_max: 1_000, record_bytes_max: 100, small_files_max: 12 };
/// 2014-05-14 12:00 UTC.
const NOON: i64 = 1_400_068_800_000;
const TODAY: i64 = NOON / DAY_MS;

/// Files of (day before today, bytes).
fn files(of: &[(i64, u64)]) -> Vec<Candidate> {
    let file = |&(days_ago, bytes): &(i64, u64)| Candidate {
        bytes,
        record_bytes: 1,
        archived_ms: NOON - days_ago * DAY_MS,
        barred: false,
    };
    of.iter().map(file).collect()
}

fn ranges(files: &[Candidate], now_ms: i64) -> Vec<(usize, usize)> {
    plan(files, "2014-05", &POLICY, now_ms).into_iter().map(|merge| (merge.start, merge.end)).collect()
}

#[test]
fn plans() {
    type Case<'a> = (&'a [(i64, u64)], &'a [(usize, usize)]);
    let cases: [Case<'_>; 12] = [
        (&[], &[]),
        (&[(1, 10)], &[]),
        // A day that is over, and one that goes on.
        (&[(1, 10), (1, 10), (0, 10), (0, 10)], &[(0, 2)]),
        (&[(2, 10), (2, 10), (1, 10), (1, 10), (1, 10)], &[(0, 2), (2, 5)]),
        // As full as may be.
        (&[(1, 400), (1, 400), (1, 400), (1, 10)], &[(0, 2), (2, 4)]),
        // What is large stays, and keeps others apart.
        (&[(1, 10), (1, 10), (1, 501), (1, 10)], &[(0, 2)]),
        (&[(1, 501), (1, 501)], &[]),
        // Three of one tier are too many while the day goes on.
        (&[(0, 5), (0, 5), (0, 5)], &[(0, 3)]),
        (&[(0, 90), (0, 5), (0, 5)], &[]),
        (&[(0, 300), (0, 50), (0, 5), (0, 5), (0, 5)], &[(2, 5)]),
        (&[(0, 50), (0, 50), (0, 50), (0, 5)], &[(0, 4)]),
        // A clock that is behind does not cut the day.
        (&[(1, 10), (2, 10), (1, 10), (2, 10)], &[(0, 4)]),
    ];
    for (of, expected) in cases {
        assert_eq!(ranges(&files(of), NOON), expected, "{of:?}");
    }
}

#[test]
fn a_month_that_is_over_is_one_row() {
    let of = files(&[(5, 10), (4, 10), (4, 10), (1, 10)]);
    assert_eq!(ranges(&of, NOON), [(1, 3)]);
    assert_eq!(ranges(&of, NOON + 31 * DAY_MS), [(0, 4)]);
}

#[test]
fn what_is_barred_is_left_alone() {
    let mut of = files(&[(1, 10); 5]);
    of[2].barred = true;
    assert_eq!(ranges(&of, NOON), [(0, 2), (3, 5)]);
}

#[test]
fn records_are_bounded_too() {
    let mut of = files(&[(1, 1); 5]);
    of.iter_mut().for_each(|file| file.record_bytes = 40);
    assert_eq!(ranges(&of, NOON), [(0, 2), (2, 4)]);
    of.iter_mut().for_each(|file| file.record_bytes = 51);
    assert_eq!(ranges(&of, NOON), []);
}

/// What a merge makes of files; how much smaller depends on what is in them.
fn apply(files: &mut Vec<Candidate>, merge: Range<usize>, shrink: u64) -> u64 {
    let merged = &files[merge.clone()];
    let bytes: u64 = merged.iter().map(|file| file.bytes).sum();
    let file = Candidate {
        bytes: (bytes / shrink).max(1),
        record_bytes: merged.iter().map(|file| file.record_bytes).sum(),
        archived_ms: merged.last().map_or(0, |file| file.archived_ms),
        barred: false,
    };
    files.splice(merge, [file]);
    bytes
}

proptest! {
    /// Merges are of neighbours that fit, in order and apart; done, they lead to an end.
    #[test]
    fn merges_fit_and_end(
        of in prop::collection::vec((0_i64..4, 0_u64..1_200, 1_u64..70, prop::bool::weighted(0.05)), 0..80),
        shrink in 1_u64..5,
    ) {
        let mut files: Vec<_> = of.iter().map(|&(days_ago, bytes, record_bytes, barred)| Candidate {
            bytes, record_bytes, archived_ms: NOON - days_ago * DAY_MS, barred,
        }).collect();
        let rounds = files.len() + 1;
        for now_ms in [NOON, NOON + 31 * DAY_MS] {
            for round in 0.. {
                let merges = plan(&files, "2014-05", &POLICY, now_ms);
                let mut end = 0;
                for merge in &merges {
                    prop_assert!(merge.start >= end && merge.len() > 1);
                    end = merge.end;
                    let files = &files[merge.clone()];
                    prop_assert!(files.iter().all(|file| is_small(file, &POLICY)));
                    prop_assert!(files.iter().map(|file| file.bytes).sum::<u64>() <= POLICY.file_bytes_max);
                    prop_assert!(files.iter().map(|file| file.record_bytes).sum::<u64>() <= POLICY.record_bytes_max);
                }
                if merges.is_empty() {
                    break;
                }
                prop_assert!(round < rounds, "it never ends");
                for merge in merges.into_iter().rev() {
                    apply(&mut files, merge, shrink);
                }
            }
        }
        // A month that is over has no two small neighbours.
        prop_assert!(files.windows(2).all(|pair| !pair.iter().all(|file| is_small(file, &POLICY))));
    }
}

/// Two weeks of small files, one after another: their number stays bounded, and each byte is
/// written anew a few times.
#[test]
fn a_trickle_stays_few_files_and_is_rewritten_seldom() {
    let policy = Policy { file_bytes_max: 64 << 20, record_bytes_max: 4 << 20, small_files_max: 64 };
    for (bytes, shrink) in [(20_000, 1), (20_000, 4), (400_000, 1)] {
        let (mut files, mut arrived, mut rewritten, mut most) = (Vec::<Candidate>::new(), 0, 0, 0);
        let (start, a_day) = ((TODAY - 10) * DAY_MS, 4_320);
        for n in 0..14 * a_day {
            let now_ms = start + n * (DAY_MS / a_day);
            files.push(Candidate { bytes, record_bytes: 700, archived_ms: now_ms, barred: false });
            arrived += bytes;
            // What was just merged may be merged again.
            for _ in 0..3 {
                for merge in plan(&files, "2014-05", &policy, now_ms).into_iter().rev() {
                    rewritten += apply(&mut files, merge, shrink);
                }
            }
            let small = files.iter().filter(|file| is_small(file, &policy)).count();
            most = most.max(small);
        }
        let large = files.iter().filter(|file| !is_small(file, &policy)).count() as u64;
        assert!(most <= policy.small_files_max + 14, "{most} small files");
        assert!(large <= arrived / (policy.file_bytes_max / 2) + 1, "{large} large files");
        assert!(rewritten <= 5 * arrived, "{rewritten} of {arrived} bytes rewritten");
    }
}
