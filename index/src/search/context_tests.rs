//! Context against what is found around the same hits slowly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::tests::{World, cases, commits, queries, query, world};
use super::*;
use crate::schema::raw_term;
use crate::testing::{Event, Stored, said};

type Place = (String, u64);

fn place(stored: &Stored) -> Place {
    (stored.path.clone(), stored.row)
}

fn is_near(one: (usize, &Stored), hit: (usize, &Stored), context: &Context) -> bool {
    let times = one.1.event.time_ms.zip(hit.1.event.time_ms);
    match context {
        Context::Conversation => true,
        Context::Events(count) => one.0.abs_diff(hit.0) <= *count as usize,
        Context::Time(ms) => times.is_some_and(|(one, hit)| one.abs_diff(hit) <= ms.unsigned_abs()),
        Context::Day(zone) => times.is_some_and(|(one, hit)| {
            let day = |ms| Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(zone.clone()).date());
            // A time beyond the calendar is on no day.
            day(one).is_some() && day(one) == day(hit)
        }),
    }
}

/// What is near the hits, each event once.
fn slow(all: &[Stored], hits: &BTreeSet<Place>, context: &Context) -> BTreeSet<Place> {
    let is_hit = |stored: &Stored| hits.contains(&place(stored));
    let mut known: BTreeSet<u64> =
        all.iter().filter(|stored| is_hit(stored)).map(|stored| stored.event.identity).collect();
    let mut conversations: BTreeMap<String, Vec<&Stored>> = BTreeMap::new();
    for stored in all {
        if let Some(id) = &stored.event.conversation {
            conversations.entry(raw_term(id).into_owned()).or_default().push(stored);
        }
    }
    let mut chosen = BTreeSet::new();
    for said in conversations.values_mut() {
        said.sort_by_key(|stored| (stored.event.time_ms.is_none(), stored.event.time_ms));
        let mut met = BTreeSet::new();
        said.retain(|stored| {
            is_hit(stored) || (!known.contains(&stored.event.identity) && met.insert(stored.event.identity))
        });
        for (at, stored) in said.iter().enumerate().filter(|(_, stored)| !is_hit(stored)) {
            let mut hits = said.iter().enumerate().filter(|(_, stored)| is_hit(stored));
            if hits.any(|(hit_at, hit)| is_near((at, stored), (hit_at, hit), context)) {
                chosen.insert(place(stored));
                known.insert(stored.event.identity);
            }
        }
    }
    chosen
}

fn check(world: &World, query: &Query, at_version: u64, context: &Context) -> Result<(), TestCaseError> {
    let alone = world.searcher.positions(query, Some(at_version)).unwrap();
    let found = world.searcher.positions_around(query, Some(at_version), context).unwrap();
    prop_assert_eq!((found.through_version, found.copies), (alone.through_version, alone.copies));
    let of = |found: &Found, row: &FoundRow| (found.files[row.file].path.clone(), row.row);
    let (beside, hits): (Vec<FoundRow>, Vec<FoundRow>) =
        found.rows.iter().copied().partition(|row| row.is_context);
    let same = |found: &Found, rows: &[FoundRow]| -> Vec<_> {
        rows.iter().map(|row| (of(found, row), row.time_ms, row.copies)).collect()
    };
    prop_assert_eq!(same(&found, &hits), same(&alone, &alone.rows));
    let all: Vec<Stored> = world
        .source
        .all()
        .into_iter()
        .filter(|(version, _)| *version <= at_version)
        .map(|(_, stored)| stored)
        .collect();
    let hits = hits.iter().map(|row| of(&found, row)).collect();
    let beside: Vec<Place> = beside.iter().map(|row| of(&found, row)).collect();
    prop_assert_eq!(beside.iter().cloned().collect::<BTreeSet<_>>().len(), beside.len());
    prop_assert_eq!(beside.into_iter().collect::<BTreeSet<_>>(), slow(&all, &hits, context));
    Ok(())
}

fn contexts() -> Vec<Context> {
    vec![
        Context::Events(0),
        Context::Events(1),
        Context::Events(3),
        Context::Time(0),
        Context::Time(40_000_000),
        Context::Day(TimeZone::get("Pacific/Auckland").unwrap()),
        Context::Conversation,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(2), ..ProptestConfig::default() })]

    #[test]
    fn context_is_what_is_near_slowly(
        commits in commits(),
        queries in queries(),
        context in select(contexts()),
    ) {
        let world = world(commits);
        let newest = world.searcher.through_version().unwrap();
        for query in &queries {
            for at_version in [newest / 2, newest] {
                check(&world, query, at_version, &context)?;
            }
        }
    }
}

fn at(number: u64, conversation: &str, body: &str) -> Event {
    Event { conversation: Some(conversation.to_owned()), ..said(number, body) }
}

#[test]
fn another_delivery_of_a_hit_is_no_context() {
    let world = world(vec![
        vec![(0, vec![at(1, "a", "fox"), at(2, "a", "hen"), at(3, "b", "hen")])],
        vec![(0, vec![at(1, "a", "wolf"), at(2, "a", "hen"), at(4, "a", "dog"), said(5, "fox")])],
    ]);
    let around = |text: &str, context: &Context| -> Vec<(usize, u64, bool)> {
        let found = world.searcher.positions_around(&query(text), None, context).unwrap();
        found.rows.iter().map(|row| (row.file, row.row, row.is_context)).collect()
    };
    let all = [(0, 0, false), (0, 1, true), (1, 2, true), (1, 3, false)];
    assert_eq!(around("fox", &Context::Conversation), all);
    assert_eq!(around("fox", &Context::Events(0)), [(0, 0, false), (1, 3, false)]);
    // Where only the second delivery matches, the first is no context.
    assert_eq!(around("wolf", &Context::Conversation), [(0, 1, true), (1, 0, false), (1, 2, true)]);
    assert_eq!(around("horse", &Context::Conversation), []);
}
