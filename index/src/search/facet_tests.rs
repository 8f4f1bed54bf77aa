//! Facets against a slow count of the records.

use std::collections::{BTreeMap, BTreeSet};

use custody_archive::Relation;
use custody_schemas::kind::short_name;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::histogram::in_calendar;
use super::tests::{World, cases, commits, queries, query, settings, world};
use super::*;
use crate::schema::RAW_BYTES_MAX;
use crate::testing::{Event, said, store};
use crate::text::{AddressForms, lower_case};

fn asked(query: &Query, top: usize) -> Request {
    let facets = Some(FacetRequest { top, zone: TimeZone::UTC });
    Request { facets, ..Request::new(query.clone(), Order::Newest, 0) }
}

/// The most frequent of what each record has.
fn slow(records: &[Event], top: usize, of: impl Fn(&Event) -> BTreeSet<String>) -> Vec<FacetCount> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in records.iter().flat_map(of) {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(value, count)| FacetCount { value, count }).collect();
    counts.sort_by_key(|facet| std::cmp::Reverse(facet.count));
    counts.truncate(top);
    counts
}

fn addresses(event: &Event) -> impl Iterator<Item = AddressForms> {
    event.parties.iter().map(|party| AddressForms::of(party.address.as_deref().unwrap_or_default()))
}

pub(super) fn participants(event: &Event) -> BTreeSet<String> {
    addresses(event).filter_map(|address| address.name().map(str::to_owned)).collect()
}

fn domains(event: &Event) -> BTreeSet<String> {
    addresses(event).filter_map(|address| Some(address.domain?[1..].to_owned())).collect()
}

fn short(value: &str) -> Option<String> {
    (value.len() <= RAW_BYTES_MAX && !value.starts_with("sha256:")).then(|| value.to_owned())
}

fn check(world: &World, query: &Query, top: usize) -> Result<(), TestCaseError> {
    let records: Vec<Event> =
        world.expected(query, u64::MAX).into_iter().map(|(stored, _)| stored.event).collect();
    let facets = world.searcher.search(&asked(query, top)).unwrap().facets.unwrap();
    prop_assert_eq!(&facets.participants, &slow(&records, top, participants));
    prop_assert_eq!(&facets.domains, &slow(&records, top, domains));
    let types =
        slow(&records, top, |event| short(&lower_case(&short_name(&event.kind))).into_iter().collect());
    prop_assert_eq!(&facets.types, &types);
    let conversations =
        slow(&records, top, |event| event.conversation.as_deref().and_then(short).into_iter().collect());
    prop_assert_eq!(&facets.conversations, &conversations);

    let histogram = &facets.histogram;
    let count = |wanted: &dyn Fn(Option<i64>) -> bool| {
        records.iter().filter(|event| wanted(event.time_ms)).count() as u64
    };
    prop_assert_eq!(histogram.untimed, count(&|time| time.is_none()));
    prop_assert_eq!(histogram.beyond, count(&|time| time.is_some_and(|time| !in_calendar(time))));
    for bucket in &histogram.buckets {
        let inside = |time: Option<i64>| time.is_some_and(|t| (bucket.from_ms..bucket.to_ms).contains(&t));
        prop_assert_eq!(bucket.count, count(&inside));
    }
    let all = histogram.buckets.iter().map(|bucket| bucket.count).sum::<u64>();
    prop_assert_eq!(all + histogram.untimed + histogram.beyond, records.len() as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(2), ..ProptestConfig::default() })]

    /// The first time by the lists of the index, then by what is remembered of it, while it grows.
    #[test]
    fn facets_are_what_a_slow_count_says(
        mut commits in commits(),
        queries in queries(),
        top in 0_usize..8,
        bytes_max in select(vec![0, 1_000, 1 << 20]),
    ) {
        let later = commits.split_off(commits.len().div_ceil(2));
        let mut world = world(commits);
        world.searcher.named = Named::new(bytes_max);
        for query in &queries {
            check(&world, query, top)?;
        }
        for commit in later {
            world.source.commit(commit);
            world.indexer.catch_up().unwrap();
            world.searcher.refresh().unwrap();
            for query in queries.iter().take(3) {
                check(&world, query, top)?;
            }
        }
    }
}

#[test]
fn deliveries_and_roles_of_one_event_count_once() {
    let party = |relation, address: &str| (relation, None, Some(address.to_owned()), None).into();
    let event = |number| Event {
        parties: vec![
            party(Relation::From, "sip:a@x.example"),
            party(Relation::To, "a@x.example"),
            party(Relation::Other, "b@x.example"),
        ],
        conversation: Some("c-1".to_owned()),
        ..said(number, "fox")
    };
    let world = world(vec![vec![(0, vec![event(1), event(2)])], vec![(0, vec![event(1), said(3, "fox")])]]);
    let answer = world.searcher.search(&asked(&query("fox"), 1)).unwrap();
    assert_eq!((answer.total, answer.copies), (3, 4));
    let facets = answer.facets.unwrap();
    let only = |value: &str, count| vec![FacetCount { value: value.to_owned(), count }];
    assert_eq!(facets.participants, only("a@x.example", 2));
    assert_eq!(facets.domains, only("x.example", 2));
    assert_eq!(facets.types, only("im.message.sent", 3));
    assert_eq!(facets.conversations, only("c-1", 2));
    assert_eq!(facets.histogram.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 3);
    assert_eq!(facets.histogram.unit, Unit::Minute);

    let error = world.searcher.search(&asked(&query("fox"), 1_001)).unwrap_err();
    assert_eq!(error.to_string(), "at most 1000 of each facet are named, not 1001");
    let again = world.searcher.search(&asked(&query("fox"), 1)).unwrap();
    assert_eq!(again.facets.as_ref(), Some(&facets));
    assert_eq!(world.searcher.named.splits(), world.searcher.manifest().splits.len());
    let several = Settings { search_threads: 3, thread_docs_min: 1, ..settings() };
    let several = Searcher::open(&store(world._dir.path()), world.source.clone(), several).unwrap();
    assert_eq!(several.search(&asked(&query("fox"), 1)).unwrap().facets, Some(facets));
}
