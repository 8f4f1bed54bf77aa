//! Threads, limits and what is left unread: none of them changes an answer.

use super::tests::{query, settings, world};
use super::*;
use crate::error::Kind;
use crate::testing::{Event, Memory, said, store};

const ORDERS: [Order; 4] = [Order::Newest, Order::Oldest, Order::Relevance, Order::Position];

/// Twenty commits of ten; every third record is delivered again three commits later.
fn commits(time_ms: impl Fn(u64) -> Option<i64>) -> Vec<Vec<(i32, Vec<Event>)>> {
    let event = |number: u64| {
        let number = if number.is_multiple_of(3) && number >= 30 { number - 30 } else { number };
        let words = if number.is_multiple_of(4) { "fox fox" } else { "a fox and a dog" };
        Event { time_ms: time_ms(number), ..said(number, words) }
    };
    (0..20).map(|commit| vec![(0, (commit * 10..commit * 10 + 10).map(event).collect())]).collect()
}

fn searchers(
    dir: &std::path::Path,
    source: &Memory,
    of: impl Fn(&mut Settings, usize),
) -> Vec<Searcher<Memory>> {
    let searcher = |threads| {
        let mut settings = settings();
        of(&mut settings, threads);
        Searcher::open(&store(dir), source.clone(), settings).unwrap()
    };
    [1, 2, 7].into_iter().map(searcher).collect()
}

#[test]
fn an_answer_does_not_depend_on_the_threads_nor_on_the_memory() {
    let world = world(commits(|number| (number % 11 != 0).then_some(number.cast_signed() % 13)));
    let mut searchers_of = searchers(world._dir.path(), &world.source, |settings, threads| {
        (settings.search_threads, settings.thread_docs_min) = (threads, 1);
    });
    searchers_of.extend(searchers(world._dir.path(), &world.source, |settings, threads| {
        settings.matches_held_max = 1_000 * threads;
    }));
    for text in ["fox", "dog", "fox -dog", "type:*"] {
        for order in ORDERS {
            let answers: Vec<_> = searchers_of
                .iter()
                .map(|searcher| {
                    let first = Request::new(query(text), order, 17);
                    let answer = searcher.search(&first).unwrap();
                    let second = Request { after: answer.next.clone(), ..first };
                    (answer, searcher.search(&second).unwrap())
                })
                .collect();
            assert!(answers[0].0.copies > answers[0].0.total, "{text}");
            for other in &answers[1..] {
                assert_eq!(answers[0], *other, "{text} {order:?}");
            }
        }
        let found: Vec<_> =
            searchers_of.iter().map(|searcher| searcher.positions(&query(text), None).unwrap()).collect();
        assert!(found.iter().all(|other| *other == found[0]), "{text}");
    }
}

#[test]
fn splits_that_cannot_get_onto_the_page_are_only_counted() {
    let world = world(commits(|number| Some(number.cast_signed())));
    let splits = world.searcher.manifest().splits.len();
    assert!(splits > 10);
    for (order, limit, first) in [(Order::Newest, 3, 199), (Order::Oldest, 3, 0)] {
        let request = Request::new(query("fox"), order, limit);
        let single = Settings { search_threads: 1, ..settings() };
        let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), single).unwrap();
        let (answer, explained) = searcher.explain(&request).unwrap();
        assert_eq!(answer.hits[0].record.event.time_ms, Some(first), "{order:?}");
        assert!(answer.next.is_some());
        assert!(explained.splits_only_counted + 3 > splits, "{order:?}: {explained:?} of {splits}");
        // Of the splits that were only counted, too.
        let whole = searcher.search(&Request::new(query("fox"), order, 500)).unwrap();
        assert_eq!((whole.total, whole.copies), (answer.total, answer.copies));
        assert_eq!(whole.hits.len() as u64, whole.total);
    }
    // Places are told by no bound.
    let (_, explained) = world.searcher.explain(&Request::new(query("fox"), Order::Position, 3)).unwrap();
    assert_eq!(explained.splits_only_counted, 0);
}

#[test]
fn a_search_ends_when_its_time_is_up_or_it_is_cancelled() {
    let world = world(commits(|number| Some(number.cast_signed())));
    let request = |ms_max, cancel| Request { ms_max, cancel, ..Request::new(query("fox"), Order::Newest, 3) };
    let error = world.searcher.search(&request(Some(0), None)).unwrap_err();
    assert_eq!(error.kind, Kind::Stopped);
    assert!(error.to_string().starts_with("the search was given up after 0 ms: narrow the query"), "{error}");

    let cancel = Cancel::default();
    let asked = request(None, Some(cancel.clone()));
    assert!(world.searcher.search(&asked).is_ok());
    cancel.cancel();
    let error = world.searcher.search(&asked).unwrap_err();
    assert_eq!((error.kind, error.to_string()), (Kind::Stopped, "the search was cancelled".to_owned()));
    assert_ne!(asked, request(None, Some(Cancel::default())));

    // A request cannot have more time than the settings allow; an export has all it needs.
    let hurried = Settings { search_ms_max: 0, ..settings() };
    let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), hurried).unwrap();
    let asked = request(Some(u64::MAX), None);
    assert_eq!(searcher.search(&asked).unwrap_err().kind, Kind::Stopped);
    assert_eq!(searcher.count(&query("fox")).unwrap_err().kind, Kind::Stopped);
    assert!(searcher.positions(&query("fox"), None).is_ok());
}

/// Wherever a search is stopped, it says so; it never answers with what it has.
#[test]
fn a_search_that_is_stopped_anywhere_has_no_answer() {
    // Where all words are walked through, where they are remembered, and where they are to be.
    for (words_bytes_max, forgotten) in [(0, false), (1 << 20, false), (1 << 20, true)] {
        stopped_anywhere(words_bytes_max, forgotten);
    }
}

fn stopped_anywhere(words_bytes_max: usize, forgotten: bool) {
    let words = |number: u64| format!("fox word{number} hen{} owl", number % 7);
    let event = |number: u64| Event { time_ms: Some(number.cast_signed()), ..said(number, &words(number)) };
    let world =
        world((0..2).map(|commit| vec![(0, (commit * 40..commit * 40 + 40).map(event).collect())]).collect());
    let single = Settings { search_threads: 1, words_bytes_max, ..settings() };
    let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), single).unwrap();
    let asked = |text: &str, order, stop: &Stop| {
        if forgotten {
            searcher.words.forget();
        }
        let found = searcher.ranked(&Request::new(query(text), order, 5), stop);
        found.map(|found| (found.total, found.hits.iter().map(|hit| hit.first.doc).collect::<Vec<_>>()))
    };
    // What many searches share is found out by the first of them.
    for text in ["*", "*", "*", "*x"] {
        asked(text, Order::Newest, &Stop::when_asked(None)).unwrap();
    }
    let splits = searcher.manifest().splits.len();
    assert_eq!(searcher.words.held().0, if words_bytes_max > 0 { splits } else { 0 });
    let alone = Stop::when_asked(None);
    asked("fox", Order::Newest, &alone).unwrap();
    for text in [
        "word*",
        "*d3*",
        "word1~1",
        "words%",
        "fox w/1 word*",
        "(hen1 OR hen2) pre/1 owl",
        "owl pre/3 fox",
        "\"fox * hen3\"",
        "fox NOT w/1 word*",
        "fox -(fox w/2 hen4)",
        "from:a*",
    ] {
        let found = (0..80).filter(|number| event(*number).matches(&query(text))).count() as u64;
        for order in [Order::Newest, Order::Relevance] {
            let whole = Stop::when_asked(None);
            let answer = asked(text, order, &whole).unwrap();
            assert_eq!(answer.0, found, "{text}");
            // What walks far asks on the way.
            let times = whole.times_asked();
            assert!(found == 0 || times > alone.times_asked(), "{text}: asked {times} times");
            for at in 0..times {
                let error = asked(text, order, &Stop::when_asked(Some(at))).unwrap_err();
                let said = (error.kind, error.to_string());
                assert_eq!(said, (Kind::Stopped, "the search was cancelled".to_owned()), "{text}, {at}");
            }
            let later = asked(text, order, &Stop::when_asked(Some(times))).unwrap();
            assert_eq!(later, answer, "{text}");
        }
    }
}
