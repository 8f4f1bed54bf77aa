use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Every place, and the words and phrases that make it, in whatever way.
type All = BTreeMap<Place, BTreeSet<(usize, Place)>>;

/// All pairs, nothing left out and nothing looked at in part.
fn all(placed: &Placed) -> All {
    let mut out = All::new();
    match placed {
        Placed::Each(which, places) => {
            out.extend(places.iter().map(|place| (*place, BTreeSet::from([(*which, *place)]))));
        }
        Placed::Or(parts) => {
            for (place, parts) in parts.iter().flat_map(all) {
                out.entry(place).or_default().extend(parts);
            }
        }
        Placed::Near { left, right, within, how } => {
            let (lefts, rights) = (all(left), all(right));
            let behind = |one: &Place, other: &Place| other.0 > one.1 && other.0 - one.1 <= *within;
            let over = |one: &Place, other: &Place| one.0 <= other.1 && other.0 <= one.1;
            if *how == How::Without {
                let close = |l: &Place| rights.keys().any(|r| over(l, r) || behind(l, r) || behind(r, l));
                out.extend(lefts.into_iter().filter(|(l, _)| !close(l)));
                return out;
            }
            let mut both = |from: &All, to: &All| {
                for (l, of_l) in from {
                    for (r, of_r) in to.iter().filter(|(r, _)| behind(l, r)) {
                        out.entry((l.0, r.1)).or_default().extend(of_l.union(of_r).copied());
                    }
                }
            };
            both(&lefts, &rights);
            if *how == How::Either {
                both(&rights, &lefts);
            }
        }
    }
    out
}

fn placed() -> impl Strategy<Value = Placed> {
    let leaf = (0..9_usize, prop::collection::btree_set(0..40_u32, 0..14), select(&[0, 0, 0, 1, 3][..]));
    let leaf = leaf.prop_map(|(which, starts, width)| {
        Placed::Each(which, starts.into_iter().map(|start| (start, start + width)).collect())
    });
    leaf.prop_recursive(4, 16, 3, |inner| {
        let how = select(&[How::Either, How::Before, How::Before, How::Without][..]);
        let near = (inner.clone(), inner.clone(), 1..6_u32, how).prop_map(|(left, right, within, how)| {
            Placed::Near { left: Box::new(left), right: Box::new(right), within, how }
        });
        prop_oneof![1 => prop::collection::vec(inner, 0..3).prop_map(Placed::Or), 4 => near]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn windows_find_what_all_pairs_are(placed in placed()) {
        let expected = all(&placed);
        prop_assert_eq!(placed.any(|_| false), !expected.is_empty());
        let (mut places, mut begun) = (Vec::new(), 0);
        let ended = placed.windows(|_, window, next| {
            assert!(window.iter().all(|place| begun <= place.0 && place.0 < next));
            begun = next;
            places.extend_from_slice(window);
            ControlFlow::Continue(())
        });
        prop_assert!(ended.is_continue());
        prop_assert_eq!(places, expected.keys().copied().collect::<Vec<_>>());

        let mut parts = BTreeSet::new();
        placed.parts(|window, _| {
            parts.extend(window.iter().copied());
            ControlFlow::Continue(())
        });
        prop_assert_eq!(parts, expected.into_values().flatten().collect::<BTreeSet<_>>());
    }
}

fn word(which: usize, places: &[u32]) -> Box<Placed> {
    Box::new(Placed::Each(which, places.iter().map(|place| (*place, *place)).collect()))
}

fn near(left: Box<Placed>, how: How, within: u32, right: Box<Placed>) -> Box<Placed> {
    Box::new(Placed::Near { left, right, within, how })
}

/// Neither the shortest places of `a pre/4 b` nor the latest beginning of each end tell that there
/// is one: it takes the first `a` and the last `b`.
#[test]
fn any_place_of_what_is_nested_may_count() {
    let (l, a, b, c) = (word(0, &[0]), word(1, &[1, 2]), word(2, &[3, 5]), word(3, &[6]));
    let nested = near(near(a, How::Before, 4, b), How::Before, 1, c);
    let placed = near(l, How::Before, 1, nested);
    assert!(placed.any(|_| false));
    let mut all = Vec::new();
    placed.parts(|parts, _| {
        all.extend_from_slice(parts);
        ControlFlow::Continue(())
    });
    all.sort_unstable();
    assert_eq!(all, [(0, (0, 0)), (1, (1, 1)), (2, (5, 5)), (3, (6, 6))]);
}

/// One word again and again: what is held at once does not grow with the text.
#[test]
fn a_long_text_is_looked_at_in_windows() {
    let every: Vec<u32> = (0..5_000).collect();
    let inner = near(word(0, &every), How::Either, 10, word(1, &every));
    let placed = near(near(inner, How::Either, 10, word(2, &every)), How::Without, 1, word(3, &every));
    let (mut windows, mut most) = (0, 0);
    assert!(!placed.any(|_| false));
    assert!(!placed.any(|_| {
        windows += 1;
        windows == 3
    }));
    assert_eq!(windows, 3, "given up");
    windows = 0;
    let Placed::Near { left, .. } = &*placed else { unreachable!() };
    let ended = left.windows(|_, places, next| {
        windows += 1;
        most = most.max(places.len());
        if next > 1_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(ended.is_break());
    assert!(windows > 10 && most <= 1_000, "{windows} windows, {most} places");
}

#[test]
fn places_close_to_each_other() {
    let (a, b) = ([(0, 0), (5, 6)], [(2, 2), (7, 7), (20, 20)]);
    assert_eq!(behind(&a, &b, 2), [(0, 2), (5, 7)]);
    assert_eq!(behind(&a, &b, 1), [(5, 7)]);
    assert_eq!(behind(&a, &b, 20), [(0, 2), (0, 7), (0, 20), (5, 7), (5, 20)]);
    assert_eq!(without(a.to_vec(), &b, 1), [(0, 0)]);
    assert_eq!(without(a.to_vec(), &b, 2), []);
    assert_eq!(without(a.to_vec(), &[(3, 30)], 1), [(0, 0)]);
    assert_eq!(without(vec![(30, 30)], &[(0, 29), (1, 1)], 1), []);
    assert_eq!(without(a.to_vec(), &[], 9), a);
}
