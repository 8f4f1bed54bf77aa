use jiff::tz::TimeZone;

use super::*;
use crate::build::Indexer;
use crate::query::parse;
use crate::settings::Settings;
use crate::testing::{Event, Memory, said, store};

fn compared_with(source: &Memory, texts: &[&str], held_max: usize) -> (Vec<Exactness>, u64) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { matches_held_max: held_max, ..Settings::default() };
    Indexer::open(&store(dir.path()), source.clone(), settings.clone()).unwrap().catch_up().unwrap();
    let searcher = Searcher::open(&store(dir.path()), source.clone(), settings).unwrap();
    let queries: Vec<Query> = texts.iter().map(|text| parse(text, &TimeZone::UTC).unwrap()).collect();
    let mut read = 0;
    let all = verify_queries(&searcher, source, &queries, &mut |so_far| read = so_far).unwrap();
    (all, read)
}

fn ten() -> Memory {
    let source = Memory::default();
    source.say((0..6).map(|number| said(number, "one of ten")).collect());
    source.say((4..8).map(|number| said(number, "one of ten and last")).collect());
    source
}

const TEXTS: [&str; 4] = ["last", "one", "none", "last OR none"];

#[test]
fn the_archive_is_read_once_for_all_unless_they_find_too_much() {
    let found = |all: &[Exactness]| all.iter().map(|one| (one.total, one.copies)).collect::<Vec<_>>();
    let expected = [(4, 4), (8, 10), (0, 0), (4, 4)];
    // One pass; what finds everything alone; each alone that finds something.
    for (held_max, passes) in [(100, 1), (8, 2), (1, 4)] {
        let (all, read) = compared_with(&ten(), &TEXTS, held_max);
        assert_eq!((found(&all), read), (expected.to_vec(), 10 * passes), "{held_max}");
        assert!(all.iter().all(|one| one.different == 0), "{all:?}");
        assert_eq!(all.iter().map(|one| &*one.query).collect::<Vec<_>>(), TEXTS);
    }
    // Whether there is another is known when all are read.
    let (all, read) = compared_with(&ten(), &["is:duplicate", "last"], 100);
    assert_eq!((found(&all), read), (vec![(2, 4), (4, 4)], 20));
}

#[test]
fn every_difference_is_counted_and_some_are_named() {
    let source = ten();
    let dir = tempfile::tempdir().unwrap();
    Indexer::open(&store(dir.path()), source.clone(), Settings::default()).unwrap().catch_up().unwrap();
    let searcher = Searcher::open(&store(dir.path()), source.clone(), Settings::default()).unwrap();
    source.tamper("v1-0.parquet", |rows| rows.iter_mut().for_each(|row| row.body = None));
    source.tamper("v0-0.parquet", |rows| rows[0].body = Some("last".to_owned()));
    let queries = TEXTS.map(|text| parse(text, &TimeZone::UTC).unwrap());
    let all = verify_queries(&searcher, &source, &queries, &mut |_| {}).unwrap();
    assert_eq!(all.iter().map(|one| one.different).collect::<Vec<_>>(), [5, 5, 0, 5], "{all:#?}");
    let named = [
        "batch b0-0, row 0: 0 by the index, 1 by reading",
        "batch b1-0, row 0: 1 by the index, 0 by reading",
    ];
    assert_eq!(all[0].differences[..2], named);
}

/// By the ids themselves; the index goes by their hash.
#[test]
fn what_the_rest_says_of_a_record() {
    let change = |what: &str, tenant: &str, conversation: &str, id: &str| Event {
        kind: format!("federation.im.message.{what}.v1"),
        tenant: Some(tenant.to_owned()),
        conversation: Some(conversation.to_owned()),
        message_id: Some(id.to_owned()),
        ..Event::default()
    };
    let sent = change("sent", "Contoso", "c", "m");
    let others = [
        change("edited", "contoso", "c", "m"),
        change("deleted", "contoso", "c2", "m"),
        change("deleted", "fabrikam", "c", "m"),
        change("reaction", "contoso", "c", "m"),
        Event { identity: 1, ..change("deleted", "contoso", "", "m") },
    ];
    let query = parse("is:edited OR is:deleted is:duplicate", &TimeZone::UTC).unwrap();
    let mut rest = Rest::asked([&query]);
    others.iter().chain([&sent]).for_each(|event| rest.read(&event.row()));
    rest.end();
    let told = |event: &Event| {
        let Standing { edited, deleted, duplicate } = rest.of(&event.row());
        (edited, deleted, duplicate)
    };
    assert_eq!(told(&sent), (true, false, true));
    let expected = [(true, false, true), (false, true, true), (false, true, true), (false, false, true)];
    assert_eq!(others[..4].iter().map(told).collect::<Vec<_>>(), expected);
    // It does not say of which message it is the deletion.
    assert_eq!(told(&others[4]), (false, true, false));
}
