use super::tests::{World, query, world};
use super::*;
use crate::error::Kind;
use crate::testing::{Event, said};

pub(super) fn version(what: &str, number: u64, id: &str, text: &str) -> Event {
    Event {
        kind: format!("federation.im.message.{what}.v1"),
        conversation: Some("c-1".to_owned()),
        message_id: Some(id.to_owned()),
        ..said(number, text)
    }
}

pub(super) fn elsewhere(event: Event) -> Event {
    Event { conversation: Some("c-2".to_owned()), ..event }
}

/// Each commit is a split: seven records, of which fillers are most.
pub(super) fn commit(events: Vec<Event>, filler: u64) -> Vec<(i32, Vec<Event>)> {
    let filler = (0..7 - events.len() as u64).map(|n| said(filler + n, "filler"));
    vec![(0, events.into_iter().chain(filler).collect())]
}

#[test]
fn an_edit_is_seen_whatever_is_searched() {
    let sent = version("sent", 1, "m", "first text");
    let world = world(vec![
        commit(vec![sent.clone(), elsewhere(version("sent", 2, "m", "of another"))], 100),
        commit(vec![version("edited", 900, "m", "second text")], 200),
        commit(vec![version("deleted", 901, "m", ""), sent, version("deleted", 902, "never sent", "")], 300),
    ]);
    let found = |text: &str, at_version| {
        let request = Request { at_version, ..Request::new(query(text), Order::Oldest, 10) };
        let answer = world.searcher.search(&request).unwrap();
        let bodies = answer.hits.into_iter().map(|hit| hit.record.event.body.unwrap()).collect::<Vec<_>>();
        (bodies.join("|"), answer.splits_pruned)
    };
    for (text, at_version, expected, pruned) in [
        ("is:edited", None, "first text|second text|", 0),
        ("is:edited", Some(0), "", 0),
        ("is:edited -is:deleted", Some(1), "first text|second text", 0),
        ("is:deleted", Some(1), "", 0),
        ("is:deleted text", None, "first text|second text", 0),
        ("text -is:edited", None, "", 0),
        // The split of the edit is not searched.
        ("is:edited date:..1970-01-01T00:00:59Z", None, "first text", 1),
        ("is:edited date:..1970-01-01T00:00:59Z", Some(0), "", 1),
        ("is:duplicate", None, "first text", 0),
        ("is:duplicate", Some(1), "", 0),
        // Nothing is searched at all.
        ("is:(edited, duplicate) date:2020", None, "", 3),
    ] {
        assert_eq!(found(text, at_version), (expected.to_owned(), pruned), "{text} at {at_version:?}");
    }
    let count = world.searcher.count(&query("is:duplicate")).unwrap();
    assert_eq!((count.total, count.copies), (1, 2));
    let count = world.searcher.count(&query("-is:(edited, deleted, duplicate)")).unwrap();
    assert_eq!((count.total, count.copies), (7 * 3 - 5, 7 * 3 - 5));
}

/// More edits than are held at once: they are gone through in shares.
#[test]
fn many_changes_are_joined_in_shares() {
    let all =
        |what: &str, first| (0..50_u64).map(|n| version(what, first + n, &format!("m-{n}"), what)).collect();
    let twice = (0..50).map(|n| said(n, "sent")).collect();
    let mut world = world(vec![vec![(0, all("sent", 100))], vec![(0, all("edited", 200)), (1, twice)]]);
    assert!(world.searcher.held_max() < 50);
    let check = |world: &World, expected: [(&str, u64, u64); 3]| {
        for (text, total, copies) in expected {
            let count = world.searcher.count(&query(text)).unwrap();
            assert_eq!((count.total, count.copies), (total, copies), "{text}");
        }
    };
    check(&world, [("is:edited", 100, 100), ("is:duplicate", 0, 0), ("-is:edited", 50, 50)]);
    world.source.say((0..50).map(|number| said(number, "again")).collect());
    world.indexer.catch_up().unwrap();
    world.searcher.refresh().unwrap();
    check(&world, [("is:edited", 100, 100), ("is:duplicate", 50, 100), ("is:duplicate again", 50, 50)]);
}

#[test]
fn looking_for_edits_can_be_cancelled() {
    let world = world(vec![commit(vec![version("edited", 1, "m", "text")], 100)]);
    let cancel = Cancel::default();
    cancel.cancel();
    for text in ["is:edited", "is:duplicate"] {
        let request = Request { cancel: Some(cancel.clone()), ..Request::new(query(text), Order::Oldest, 1) };
        assert_eq!(world.searcher.search(&request).unwrap_err().kind, Kind::Stopped, "{text}");
    }
}
