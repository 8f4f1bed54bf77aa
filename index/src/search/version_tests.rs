use super::mark_tests::{commit, elsewhere, version};
use super::tests::{World, query, world};
use super::*;
use crate::testing::said;

/// Numbers of the versions of each hit, and how many were left out.
fn versions(world: &World, text: &str, at_version: Option<u64>) -> Vec<(u64, Vec<u64>, u64)> {
    let request = Request { at_version, ..Request::new(query(text), Order::Oldest, 100) };
    let hits = world.searcher.search(&request).unwrap().hits;
    let numbers = |hit: &Hit<crate::testing::Stored>| {
        hit.versions.records.iter().map(|record| record.event.identity).collect()
    };
    hits.iter().map(|hit| (hit.record.event.identity, numbers(hit), hit.versions.left_out)).collect()
}

#[test]
fn a_hit_on_any_version_has_them_all() {
    let world = world(vec![
        commit(vec![version("sent", 1, "m", "fox"), elsewhere(version("sent", 2, "m", "fox"))], 100),
        // Delivered twice; its clock is before that of the message.
        commit(vec![version("edited", 0, "m", "wolf"), version("edited", 0, "m", "wolf")], 200),
        commit(vec![version("deleted", 900, "m", ""), version("edited", 901, "n", "bear")], 300),
    ]);
    let all = vec![0, 1, 900];
    assert_eq!(versions(&world, "fox", None), [(1, all.clone(), 0), (2, vec![], 0)]);
    // Splits of other times and what does not match are looked through all the same.
    assert_eq!(versions(&world, "wolf date:..1970-01-01T00:00:59Z", None), [(0, all.clone(), 0)]);
    assert_eq!(versions(&world, "type:im.message.deleted", None), [(900, all, 0)]);
    assert_eq!(versions(&world, "fox", Some(0)), [(1, vec![], 0), (2, vec![], 0)]);
    assert_eq!(versions(&world, "fox", Some(1)), [(1, vec![0, 1], 0), (2, vec![], 0)]);
    // Nothing else is known of it.
    assert_eq!(versions(&world, "bear", None), [(901, vec![], 0)]);
    assert_eq!(versions(&world, "filler date:..1970-01-01T00:01:41Z", None).len(), 2);
}

#[test]
fn of_many_versions_the_first_and_the_last_are_told() {
    let edits = (1..100).map(|number| version("edited", number, "m", "wolf")).collect();
    let world = world(vec![vec![(0, vec![version("sent", 0, "m", "fox")])], vec![(0, edits)]]);
    let expected: Vec<u64> = std::iter::once(0).chain(81..100).collect();
    assert_eq!(versions(&world, "fox", None), [(0, expected, 80)]);
}

#[test]
fn versions_are_found_when_splits_were_merged_away() {
    let mut world = world(vec![commit(vec![version("sent", 1, "m", "fox")], 100)]);
    for number in 0..10 {
        world.source.say(vec![version("edited", 10 + number, "m", "wolf"), said(50 + number, "filler")]);
        world.indexer.catch_up().unwrap();
    }
    assert_eq!(versions(&world, "fox", None), [(1, vec![], 0)], "as it was opened");
    world.searcher.refresh().unwrap();
    let expected: Vec<u64> = std::iter::once(1).chain(10..20).collect();
    assert_eq!(versions(&world, "fox", None), [(1, expected, 0)]);
}
