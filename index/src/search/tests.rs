use std::collections::BTreeMap;

use custody_archive::Relation;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::build::Indexer;
use crate::error::Kind;
use crate::exact::Rest;
use crate::query::{Flag, Pattern, TimeRange, TypePattern, parse};
use crate::strategies;
use crate::testing::{Event, Memory, Named, Stored, file_of, said, store};

pub(super) struct World {
    pub(super) _dir: tempfile::TempDir,
    pub(super) source: Memory,
    pub(super) indexer: Indexer<Memory>,
    pub(super) searcher: Searcher<Memory>,
}

pub(super) fn settings() -> Settings {
    Settings {
        split_docs_max: 7,
        small_docs: 4,
        small_run_max: 2,
        splits_open_max: 2,
        matches_held_max: 3,
        ..Settings::default()
    }
}

pub(super) fn world(commits: Vec<Vec<(i32, Vec<Event>)>>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::default();
    for parts in commits {
        source.commit(parts);
    }
    let mut indexer = Indexer::open(&store(dir.path()), source.clone(), settings()).unwrap();
    indexer.catch_up().unwrap();
    let searcher = Searcher::open(&store(dir.path()), source.clone(), settings()).unwrap();
    World { _dir: dir, source, indexer, searcher }
}

pub(super) fn query(text: &str) -> Query {
    parse(text, &TimeZone::UTC).unwrap()
}

fn request(query: &Query, order: Order, limit: usize) -> Request {
    Request::new(query.clone(), order, limit)
}

impl World {
    fn bodies(&self, text: &str, order: Order) -> Vec<String> {
        let answer = self.searcher.search(&request(&query(text), order, 100)).unwrap();
        answer.hits.into_iter().map(|hit| hit.record.event.body.unwrap()).collect()
    }

    /// Says more, and takes it up.
    pub(super) fn grow(&mut self, events: Vec<Event>) {
        self.source.say(events);
        self.indexer.catch_up().unwrap();
        self.searcher.refresh().unwrap();
    }

    /// All pages, one after another.
    pub(super) fn pages(&self, query: &Query, order: Order, limit: usize) -> Vec<Hit<Stored>> {
        let mut request = request(query, order, limit);
        let mut hits = Vec::new();
        loop {
            let answer = self.searcher.search(&request).unwrap();
            assert!(answer.hits.len() <= limit);
            hits.extend(answer.hits);
            match answer.next {
                Some(next) => request.after = Some(next),
                None => return hits,
            }
        }
    }

    /// What the reference evaluator finds: first records in order of the
    /// archive, with the number of their copies.
    pub(super) fn expected(&self, query: &Query, at_version: u64) -> Vec<(Stored, u64)> {
        let mut found: Vec<(Stored, u64)> = Vec::new();
        let mut known: BTreeMap<u64, usize> = BTreeMap::new();
        let there = || self.source.all().into_iter().filter(|(version, _)| *version <= at_version);
        let mut rest = Rest::asked([query]);
        there().for_each(|(_, stored)| rest.read(&stored.event.row()));
        rest.end();
        for (_, stored) in there() {
            if !stored.event.matches_among(query, rest.of(&stored.event.row())) {
                continue;
            }
            match known.get(&stored.event.identity) {
                Some(at) => found[*at].1 += 1,
                None => {
                    known.insert(stored.event.identity, found.len());
                    found.push((stored, 1));
                }
            }
        }
        found
    }
}

#[test]
fn orders_and_relevance() {
    let world = world(vec![
        vec![(0, vec![said(3, "fox fox fox"), said(1, "a fox among many other words here")])],
        vec![(0, vec![said(2, "no such animal"), Event { time_ms: None, ..said(9, "fox without time") }])],
        vec![(0, (20..30).map(|n| said(n, "filler")).collect())],
    ]);
    assert_eq!(
        world.bodies("fox", Order::Newest),
        ["fox fox fox", "a fox among many other words here", "fox without time"]
    );
    assert_eq!(
        world.bodies("fox", Order::Oldest),
        ["a fox among many other words here", "fox fox fox", "fox without time"]
    );
    assert_eq!(
        world.bodies("fox", Order::Position),
        ["fox fox fox", "a fox among many other words here", "fox without time"]
    );
    assert_eq!(
        world.bodies("fox", Order::Relevance),
        ["fox fox fox", "fox without time", "a fox among many other words here"]
    );
    // A filter that all of them pass makes no difference.
    let scores = |text: &str| {
        let answer = world.searcher.search(&request(&query(text), Order::Relevance, 9)).unwrap();
        answer.hits.iter().map(|hit| hit.score).collect::<Vec<_>>()
    };
    assert_eq!(scores("fox"), scores("fox tenant:contoso.example -is:quarantined"));
}

#[test]
fn answers_say_what_they_cover() {
    let mut world = world(vec![vec![(0, vec![said(1, "one"), said(1, "one")])]]);
    let answer = world.searcher.search(&request(&query("one"), Order::Newest, 10)).unwrap();
    assert_eq!((answer.through_version, answer.total, answer.copies), (0, 1, 2));
    assert_eq!((answer.hits[0].copies, answer.hits[0].version, answer.hits[0].record.row), (2, 0, 0));
    assert_eq!(answer.hits[0].snippet.highlights, vec![0..3]);

    world.source.say(vec![said(2, "one more")]);
    world.indexer.catch_up().unwrap();
    assert_eq!(world.searcher.count(&query("one")).unwrap().total, 1, "as it was opened");
    assert_eq!(world.searcher.refresh().unwrap(), 1);
    assert_eq!(
        world.searcher.count(&query("one")).unwrap(),
        Count { through_version: 1, total: 2, copies: 3 }
    );

    let at = |at_version| {
        let request = Request { at_version: Some(at_version), ..request(&query("one"), Order::Newest, 0) };
        world.searcher.search(&request)
    };
    assert_eq!(at(0).unwrap().total, 1);
    let error = at(2).unwrap_err();
    assert_eq!(error.kind, Kind::Retry);
    assert_eq!(error.to_string(), "the index is complete through version 1, not 2 yet");
}

#[test]
fn splits_without_a_match_are_not_opened() {
    let far =
        |n| Event { time_ms: Some(1_000_000_000), tenant: Some("Other.example".to_owned()), ..said(n, "x") };
    let world = world(vec![
        vec![(0, (0..7).map(|n| said(n, "x")).collect())],
        vec![(0, (10..17).map(far).collect())],
    ]);
    for (text, pruned, total) in [
        ("x", 0, 14),
        ("x tenant:other.example", 1, 7),
        ("x date:1970-01-12", 1, 7),
        ("x date:1970-01-01 tenant:OTHER.example", 2, 0),
    ] {
        let answer = world.searcher.search(&request(&query(text), Order::Newest, 1)).unwrap();
        assert_eq!(
            (answer.splits_pruned, answer.splits_opened, answer.total),
            (pruned, 2 - pruned, total),
            "{text}"
        );
        assert_eq!(answer.through_version, 1);
    }
}

#[test]
fn pages_stay_the_same_while_the_archive_grows() {
    let mut world = world(vec![vec![(0, (0..6).map(|n| said(n, "x")).collect())]]);
    for order in [Order::Newest, Order::Oldest, Order::Position, Order::Relevance] {
        let whole = world.pages(&query("x"), order, 100);
        let mut request = request(&query("x"), order, 2);
        let mut hits = Vec::new();
        loop {
            let answer = world.searcher.search(&request).unwrap();
            hits.extend(answer.hits);
            assert_eq!(answer.total, whole.len() as u64);
            let Some(next) = answer.next else { break };
            request.after = Some(next);
            // Enough for the small splits to be merged.
            world.source.say(vec![said(1_000 + hits.len() as u64, "x")]);
            world.indexer.catch_up().unwrap();
            world.searcher.refresh().unwrap();
        }
        assert_eq!(hits, whole, "{order:?}");
    }
}

#[test]
fn a_page_whose_splits_are_gone_is_too_old() {
    let mut world = world(vec![vec![(0, (0..3).map(|n| said(n, "x")).collect())]]);
    let none_open = Settings { splits_open_max: 0, ..settings() };
    let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), none_open).unwrap();
    let mut request = request(&query("x"), Order::Relevance, 1);
    request.after = searcher.search(&request).unwrap().next;
    for n in 3..30 {
        world.source.say(vec![said(n, "x")]);
        world.indexer.catch_up().unwrap();
    }
    // Scores of today's index do not go on from those of that time.
    for _ in 0..2 {
        let error = searcher.search(&request).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.to_string().starts_with("this search is too old to go on with"), "{error}");
        searcher.refresh().unwrap();
    }
}

#[test]
fn cursors_of_other_searches_are_refused() {
    let world = world(vec![vec![(0, vec![said(1, "x"), said(2, "x y")])]]);
    let next = world.searcher.search(&request(&query("x"), Order::Newest, 1)).unwrap().next.unwrap();
    for (cursor, text, order) in [
        (next.clone(), "y", Order::Newest),
        (next.clone(), "x", Order::Oldest),
        (Cursor::from("é".to_owned()), "x", Order::Newest),
        (Cursor::from(next.to_string()[1..].to_owned()), "x", Order::Newest),
        (Cursor::from(String::new()), "x", Order::Newest),
    ] {
        let request = Request { after: Some(cursor), ..request(&query(text), order, 1) };
        assert_eq!(world.searcher.search(&request).unwrap_err().kind, Kind::Invalid, "{text}");
    }
    let too_many = request(&query("x"), Order::Newest, 1_001);
    assert_eq!(world.searcher.search(&too_many).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn a_searcher_survives_that_its_splits_were_merged_away() {
    let mut world = world(vec![vec![(0, vec![said(0, "x")])]]);
    for n in 1..30 {
        world.source.say(vec![said(n, "x")]);
        world.indexer.catch_up().unwrap();
    }
    // Never refreshed, and what it knows was removed long ago.
    assert_eq!(world.searcher.count(&query("x")).unwrap().total, 30);
}

#[test]
fn a_damaged_split_is_named_not_a_panic() {
    let world = world(vec![vec![(0, (0..7).map(|n| said(n, &format!("fox jumps {n}"))).collect())]]);
    let path = file_of(world._dir.path(), &world.searcher.manifest().splits[0]);
    let whole = std::fs::read(&path).unwrap();
    let mut named = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x80;
        std::fs::write(&path, bytes).unwrap();
        let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), settings()).unwrap();
        for text in ["fox", "\"fox jumps\"", "date:1970 -is:quarantined"] {
            let page =
                searcher.search(&request(&query(text), Order::Relevance, 0)).map(|answer| answer.total);
            let count = searcher.count(&query(text)).map(|count| count.total);
            let rows = searcher.positions(&query(text), None).map(|found| found.rows.len() as u64);
            for error in [page, count, rows].into_iter().filter_map(Result::err) {
                // Anything else is not damage that somebody could mend.
                assert!(matches!(error.kind, Kind::Corrupt | Kind::Newer), "byte {at}: {error}");
                assert!(error.to_string().contains(world._dir.path().to_str().unwrap()), "{error}");
                named += 1;
            }
        }
    }
    assert!(named > 50, "{named}");
}

#[test]
fn a_searcher_survives_that_its_index_was_made_anew() {
    let mut world = world(vec![vec![(0, vec![said(0, "x")])]]);
    world.source.say(vec![said(1, "x")]);
    world.indexer.catch_up().unwrap();
    let searcher = Searcher::open(&store(world._dir.path()), world.source.clone(), settings()).unwrap();
    std::fs::remove_dir_all(world._dir.path()).unwrap();
    Indexer::open(&store(world._dir.path()), world.source.clone(), settings()).unwrap().catch_up().unwrap();
    world.source.say(vec![said(2, "x")]);
    Indexer::open(&store(world._dir.path()), world.source.clone(), settings()).unwrap().catch_up().unwrap();
    // Another index under the number that it knows.
    assert_eq!(newest(&searcher.folder).unwrap().number, searcher.manifest().number);
    assert_eq!(searcher.count(&query("x")).unwrap().total, 3);
}

#[test]
fn there_is_no_index_yet() {
    let dir = tempfile::tempdir().unwrap();
    let error = Searcher::open(&store(dir.path()), Memory::default(), settings()).err().unwrap();
    assert_eq!(error.kind, Kind::Retry);
}

const WORDS: &[&str] = &["fox", "Fox", "the", "dog", "ΣΑΣ", "会議", "o'neil", "x-y"];
const ADDRESSES: &[&str] = &[
    "sip:Alice@Contoso.example",
    "bob@fabrikam.example;x=1",
    "live:carol",
    "alice",
    "@dan:matrix.example",
    "",
];
const NAMES: &[&str] = &["Bob Smith", "Alice", "Smith Bob", "Dan O'Neil", "fox"];
const KINDS: &[&str] = &[
    "federation.im.message.sent.v1",
    "federation.im.message.sent.v1",
    "im.message.sent",
    "federation.im.message.edited.v1",
    "Im.Message.Edited",
    "federation.im.message.deleted.v1",
    "federation.im.message.sent.v2",
    "federation.call.ended.v1",
    "im",
    "IM.other",
    "im.",
    "=im",
    "com.example..dots",
    "",
];
const CONVERSATIONS: &[&str] = &["c-1", "C-1", "sha256:x", ""];
const MESSAGES: &[&str] = &["m-1", "m-1", "M-1", "m-2", ""];
const TENANTS: &[&str] = &["contoso.example", "Contoso.Example", "fabrikam.example"];
const NETWORKS: &[&str] = &["skype", "Lync", "xmpp"];

fn own(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(from).prop_map(str::to_owned)
}

fn maybe(from: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(own(from))
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::collection::vec(select(WORDS), 0..5).prop_map(|words| words.join(" ")))
}

fn long(text: Option<String>, long: bool) -> Option<String> {
    if long { text.map(|text| text.repeat(400)) } else { text }
}

fn event() -> impl Strategy<Value = Event> {
    let relation = select(&[Relation::From, Relation::To, Relation::Other][..]);
    let party = (relation, maybe(NETWORKS), maybe(ADDRESSES), maybe(NAMES)).prop_map(Named::from);
    let times =
        prop_oneof![Just(None), (-3_i64..6).prop_map(Some), Just(Some(i64::MAX)), Just(Some(i64::MIN))];
    (
        (
            select(&[(false, false), (false, false), (false, false), (true, false), (false, true)][..]),
            own(KINDS),
            times,
            maybe(TENANTS),
            maybe(CONVERSATIONS),
            prop::option::weighted(0.8, own(MESSAGES)),
            prop::bool::weighted(0.05),
        ),
        (text(), prop::bool::ANY, text(), text()),
        0..25_u64,
        prop::collection::vec(party, 0..4),
    )
        .prop_map(
            |(
                ((quarantined, gap), kind, time_ms, tenant, conversation, message_id, stretch),
                texts,
                identity,
                parties,
            )| Event {
                quarantined,
                gap,
                kind,
                time_ms,
                tenant: long(tenant, stretch),
                conversation: long(conversation, stretch),
                message_id: long(message_id, stretch),
                body: texts.0.map(|body| if texts.1 { format!("<p>{body}</p>&amp;fox") } else { body }),
                content_type: texts.1.then(|| "text/html".to_owned()),
                detail: texts.2,
                title: texts.3,
                identity,
                parties,
                ..Event::default()
            },
        )
        .prop_flat_map(strategies::enriched)
}

pub(super) fn commits() -> impl Strategy<Value = Vec<Vec<(i32, Vec<Event>)>>> {
    let file = (prop::collection::vec(event(), 0..6), prop::collection::vec(event(), 0..4));
    let parts = file.prop_map(|(zero, one)| vec![(0, zero), (1, one)]);
    prop::collection::vec(parts, 1..9)
}

fn leaf() -> impl Strategy<Value = Query> {
    let words = prop::collection::vec(select(WORDS), 1..4);
    let pattern = prop_oneof![own(ADDRESSES), own(NAMES), own(WORDS), Just("@contoso.example".to_owned())];
    let bound = || prop::option::of(-4_i64..7);
    prop_oneof![
        strategies::queries(),
        strategies::queries(),
        Just(Query::All),
        words.prop_map(|words| Query::text(&words.join(" ")).unwrap()),
        pattern.clone().prop_map(|p| Query::From(Pattern::new(&p))),
        pattern.clone().prop_map(|p| Query::To(Pattern::new(&p))),
        pattern.prop_map(|p| Query::Participant(Pattern::new(&p))),
        (maybe(CONVERSATIONS), any::<bool>())
            .prop_map(|(c, stretch)| Query::Conversation(long(c, stretch).unwrap_or_default().into())),
        select(
            &[
                "im",
                "im.message.sent",
                "im.message.sent.v2",
                "im.",
                "=im",
                "im.other",
                "com.example..dots",
                ""
            ][..]
        )
        .prop_map(|name| Query::Type(TypePattern::Exact(name.to_owned()))),
        select(&["im.", "im.message.", "call.", "com.example.", "com.example..", "=im."][..])
            .prop_map(|start| Query::Type(TypePattern::Prefix(start.to_owned()))),
        select(&["contoso.example", "fabrikam.example", "none.example"][..])
            .prop_map(|t| Query::Tenant(t.into())),
        select(&["skype", "lync", "xmpp", "none"][..]).prop_map(|n| Query::Network(n.into())),
        select(Flag::ALL.map(|(_, flag)| flag).to_vec()).prop_map(Query::Flag),
        (bound(), bound()).prop_map(|(from_ms, to_ms)| Query::Date(TimeRange { from_ms, to_ms })),
    ]
}

pub(super) fn queries() -> impl Strategy<Value = Vec<Query>> {
    let query = leaf().prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Query::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Query::Or),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::and),
            inner.clone().prop_map(|inner| Query::Not(Box::new(inner))),
            inner.prop_map(Query::negated),
        ]
    });
    prop::collection::vec(query, 1..16)
}

fn check(world: &World, query: &Query) -> Result<(), TestCaseError> {
    let newest = world.source.all().last().map_or(0, |(version, _)| *version);
    let expected = world.expected(query, u64::MAX);
    let copies = expected.iter().map(|(_, copies)| copies).sum::<u64>();
    let count = world.searcher.count(query).unwrap();
    prop_assert_eq!((count.total, count.copies), (expected.len() as u64, copies));

    for at_version in [newest / 2, count.through_version] {
        let found = world.searcher.positions(query, Some(at_version)).unwrap();
        let rows: Vec<_> = found
            .rows
            .iter()
            .map(|row| (found.files[row.file].path.clone(), row.row, row.time_ms, row.copies))
            .collect();
        let expected = world.expected(query, at_version);
        let wanted: Vec<_> = expected
            .iter()
            .map(|(stored, copies)| (stored.path.clone(), stored.row, stored.event.time_ms, *copies))
            .collect();
        prop_assert_eq!(rows, wanted, "at version {}", at_version);
    }

    // Partition, then archive: what `sort_by_key` finds equal stays in order.
    let partition = |stored: &Stored| {
        let parts = world.searcher.source.commits_after(None).unwrap();
        let file =
            parts.iter().flat_map(|commit| &commit.files).find(|file| file.path == stored.path).unwrap();
        i32::from(stored.row >= file.manifest.parts[0].rows)
    };
    let mut expected: Vec<_> =
        expected.into_iter().map(|(stored, copies)| (partition(&stored), stored, copies)).collect();
    expected.sort_by_key(|(partition, _, _)| *partition);
    for order in [Order::Position, Order::Newest, Order::Oldest, Order::Relevance] {
        let mut expected = expected.clone();
        let time =
            |stored: &Stored| (stored.event.time_ms.is_none(), stored.event.time_ms.map_or(0, |time| time));
        match order {
            Order::Newest => expected.sort_by_key(|(_, stored, _)| (time(stored).0, !time(stored).1)),
            Order::Oldest => expected.sort_by_key(|(_, stored, _)| time(stored)),
            Order::Position | Order::Relevance => {}
        }
        let mut expected: Vec<_> = expected.into_iter().map(|(_, stored, copies)| (stored, copies)).collect();
        let hits = world.pages(query, order, 5);
        let mut hits: Vec<_> = hits.into_iter().map(|hit| (hit.record, hit.copies)).collect();
        if order == Order::Relevance {
            let key = |(stored, _): &(Stored, u64)| (stored.path.clone(), stored.row);
            hits.sort_by_key(key);
            expected.sort_by_key(key);
        }
        prop_assert_eq!(hits, expected, "{:?}", order);
    }
    Ok(())
}

/// Few by default: each builds an index on disk.
pub(super) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn finds_exactly_what_the_reference_finds(
        commits in commits(),
        queries in queries(),
        words_bytes_max in select(vec![0, 100, 400, 1 << 20]),
    ) {
        let mut world = world(commits);
        world.searcher.words = Vocabularies::new(words_bytes_max);
        for query in &queries {
            check(&world, query)?;
            prop_assert!(world.searcher.words.held().1 <= words_bytes_max);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// One searcher from the first record on: what it remembers must grow with the index.
    #[test]
    fn deliveries_are_told_apart_while_the_index_grows(
        commits in prop::collection::vec(prop::collection::vec((0_u64..12, 0_usize..3), 1..6), 1..9),
    ) {
        let mut world = world(vec![vec![(0, vec![said(100, "b")])]]);
        for events in commits {
            let half = events.len() / 2;
            let mut events: Vec<_> =
                events.into_iter().map(|(number, word)| said(number, ["a", "b", "c"][word])).collect();
            let later = events.split_off(half);
            world.source.commit(vec![(0, events), (1, later)]);
            world.indexer.catch_up().unwrap();
            world.searcher.refresh().unwrap();
            for query in ["*", "b", "NOT b"].map(query) {
                check(&world, &query)?;
            }
        }
        let known = world.searcher.repeats.docs_known();
        prop_assert_eq!(known, world.source.all().len() as u64);
    }
}

#[test]
fn a_pattern_of_too_many_words_beside_others_is_refused() {
    let words: Vec<String> = (0..=crate::query::limits::EXPANSIONS_MAX).map(|n| format!("w{n}")).collect();
    let world = world(vec![vec![(0, vec![said(1, &words.join(" ")), said(2, "w1 x")])]]);
    let count = |text: &str| world.searcher.count(&query(text));
    // Alone it may stand for any number, and where a few do it matters not how many there are.
    assert_eq!(count("w*").unwrap().total, 2);
    assert_eq!(count("w12* w/9 w12*").unwrap().total, 1);
    for text in ["w* pre/1 x", "\"w* x\"", "NOT x w/2 w*"] {
        let error = count(text).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
        assert!(error.to_string().contains("`w*` stands for more than 10000"), "{error}");
    }
}
