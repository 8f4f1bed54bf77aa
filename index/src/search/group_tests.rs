//! Groups against the hits of the same search, grouped slowly.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::facet_tests::participants;
use super::tests::{World, cases, commits, queries, query, settings, world};
use super::*;
use crate::error::Kind;
use crate::schema::{RAW_BYTES_MAX, raw_term};
use crate::testing::{Event, Stored, said};

fn request(query: &Query, order: Order, limit: usize) -> Request {
    Request::new(query.clone(), order, limit)
}

/// The groups that an event is in.
fn names(event: &Event, by: GroupBy) -> BTreeSet<String> {
    match by {
        GroupBy::Conversation => {
            event.conversation.as_deref().map(|id| raw_term(id).into_owned()).into_iter().collect()
        }
        GroupBy::Participant => participants(event),
    }
}

/// All groups in order: their names, how many events, and the place of the first.
fn slow(hits: &[Hit<Stored>], by: GroupBy) -> Vec<(String, u64, usize)> {
    let mut groups: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for (at, hit) in hits.iter().enumerate() {
        for name in names(&hit.record.event, by) {
            groups.entry(name).or_insert((0, at)).0 += 1;
        }
    }
    let mut all: Vec<_> = groups.into_iter().map(|(name, (count, first))| (name, count, first)).collect();
    all.sort_by_key(|(_, _, first)| *first);
    all
}

fn check(world: &World, query: &Query, order: Order, by: GroupBy, limit: usize) -> Result<(), TestCaseError> {
    let hits = world.pages(query, order, 1_000);
    let expected = slow(&hits, by);
    let (mut request, mut groups) = (request(query, order, limit), Vec::new());
    loop {
        let (answer, _) = world.searcher.groups(&request, by).unwrap();
        prop_assert_eq!(answer.total, hits.len() as u64);
        prop_assert_eq!(answer.groups_total, expected.len() as u64);
        let ungrouped = hits.iter().filter(|hit| names(&hit.record.event, by).is_empty());
        prop_assert_eq!(answer.ungrouped, ungrouped.count() as u64);
        prop_assert!(answer.groups.len() <= limit);
        prop_assert!(answer.next.is_none() || answer.groups.len() == limit);
        groups.extend(answer.groups);
        match answer.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    prop_assert_eq!(groups.len(), expected.len());
    for (group, (name, count, first)) in groups.iter().zip(&expected) {
        prop_assert_eq!((&group.value, group.count), (name, *count));
        prop_assert_eq!(&group.hit, &hits[*first]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(2), ..ProptestConfig::default() })]

    #[test]
    fn groups_are_what_hits_are_grouped_slowly(
        commits in commits(),
        queries in queries(),
        limit in 1_usize..5,
        order in select(&[Order::Newest, Order::Oldest, Order::Relevance, Order::Position][..]),
    ) {
        let world = world(commits);
        for query in &queries {
            // By relevance, no more than are held.
            let many = world.searcher.count(query).unwrap().total > settings().matches_held_max as u64;
            let order = if many && order == Order::Relevance { Order::Newest } else { order };
            check(&world, query, order, GroupBy::Conversation, limit)?;
            check(&world, query, order, GroupBy::Participant, limit)?;
        }
    }
}

fn in_conversation(number: u64, conversation: &str) -> Event {
    Event { conversation: Some(conversation.to_owned()), ..said(number, "fox") }
}

fn groups(world: &World, request: &Request) -> (Vec<(String, u64, u64)>, Option<Cursor>) {
    let (answer, _) = world.searcher.groups(request, GroupBy::Conversation).unwrap();
    let groups = answer.groups.into_iter();
    (groups.map(|group| (group.value, group.count, group.hit.record.event.identity)).collect(), answer.next)
}

#[test]
fn a_group_has_its_count_and_its_first_hit() {
    let long = "x".repeat(RAW_BYTES_MAX + 1);
    let world = world(vec![
        vec![(0, vec![in_conversation(1, "a"), in_conversation(2, "b"), in_conversation(3, "a")])],
        vec![(0, vec![in_conversation(3, "a"), said(9, "fox"), in_conversation(4, &long)])],
    ]);
    let found = |order, limit| groups(&world, &request(&query("fox"), order, limit)).0;
    let hashed = raw_term(&long);
    let of = |name: &str, count, first| (name.to_owned(), count, first);
    assert_eq!(found(Order::Newest, 9), [of(&hashed, 1, 4), of("a", 2, 3), of("b", 1, 2)]);
    assert_eq!(found(Order::Oldest, 9), [of("a", 2, 1), of("b", 1, 2), of(&hashed, 1, 4)]);
    assert_eq!(found(Order::Newest, 0), []);
    let (answer, _) =
        world.searcher.groups(&request(&query("fox"), Order::Newest, 1), GroupBy::Conversation).unwrap();
    assert_eq!((answer.total, answer.copies, answer.groups_total, answer.ungrouped), (5, 6, 3, 1));
}

#[test]
fn a_page_goes_on_though_more_is_indexed() {
    let mut world = world(vec![vec![(0, vec![in_conversation(1, "a"), in_conversation(2, "b")])]]);
    let mut request = request(&query("fox"), Order::Newest, 1);
    let (first, next) = groups(&world, &request);
    assert_eq!(first, [("b".to_owned(), 1, 2)]);
    world.grow(vec![in_conversation(3, "a"), in_conversation(4, "c")]);
    request.after = next.clone();
    // As it was when the first page was made.
    assert_eq!(groups(&world, &request), (vec![("a".to_owned(), 1, 1)], None));

    for (order, by) in [(Order::Oldest, GroupBy::Conversation), (Order::Newest, GroupBy::Participant)] {
        let error = world.searcher.groups(&Request { order, ..request.clone() }, by).unwrap_err();
        assert_eq!(error.to_string(), "this is a page of another search");
    }
    let error = world.searcher.search(&request).unwrap_err();
    assert_eq!(error.to_string(), "this is a page of another search");
}

#[test]
fn by_relevance_no_more_than_are_held() {
    let world = world(vec![vec![(0, (0..4).map(|n| in_conversation(n, "a")).collect())]]);
    let asked = request(&query("fox"), Order::Relevance, 1);
    let error = world.searcher.groups(&asked, GroupBy::Conversation).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(
        error.to_string().starts_with("4 events are too many to group by relevance, 3 at most"),
        "{error}"
    );
}
