//! How long searches take. Not run by itself: it prints, it proves nothing.
//!
//! `cargo test --release -p custody-index measure -- --ignored --nocapture`; the environment
//! variable `CUSTODY_MEASURE_DOCS` says how many records, a million unless told.

use std::time::Instant;

use custody_archive::Relation;
use jiff::tz::TimeZone;

use super::{FacetRequest, Order, Request, Searcher};
use crate::build::Indexer;
use crate::query::parse;
use crate::settings::Settings;
use crate::testing::{Event, Memory, said, store};

const RUNS: usize = 100;
/// Records of a commit.
const COMMIT: u64 = 50_000;

/// One in a hundred is delivered twice; `w1` is in every second record, `w2` in every third, and
/// so on.
fn event(number: u64) -> Event {
    let number = if number % 100 == 99 { number - 50 } else { number };
    let words = (1..=60).filter(|word| number.is_multiple_of(word + 1)).map(|word| format!("w{word}"));
    let identity = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let conversation = Some(format!("c-{}", number % 99_991));
    let party =
        |relation, user| (relation, None, Some(format!("sip:u{user}@d{}.example", user % 50)), None).into();
    let parties = vec![
        party(Relation::From, number.wrapping_mul(7) % 5_000),
        party(Relation::To, number.wrapping_mul(13) % 5_000),
    ];
    Event { identity, conversation, parties, ..said(number, &words.collect::<Vec<_>>().join(" ")) }
}

#[test]
#[ignore = "prints how long searches take, for minutes"]
fn measure() {
    let docs = std::env::var("CUSTODY_MEASURE_DOCS").ok().and_then(|docs| docs.parse().ok());
    let docs: u64 = docs.unwrap_or(1_000_000);
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::default();
    for from in (0..docs).step_by(COMMIT as usize) {
        source.say((from..docs.min(from + COMMIT)).map(event).collect());
    }
    let settings = Settings::default();
    Indexer::open(&store(dir.path()), source.clone(), settings.clone()).unwrap().catch_up().unwrap();
    let open = || Searcher::open(&store(dir.path()), source.clone(), settings.clone()).unwrap();
    let warm = open();
    let wanted = FacetRequest { top: 10, zone: TimeZone::UTC };
    for (text, order, limit, facets) in [
        ("type:*", Order::Newest, 20, None),
        ("type:*", Order::Newest, 0, None),
        ("type:*", Order::Newest, 0, Some(wanted.clone())),
        ("w1", Order::Newest, 20, None),
        ("w1", Order::Relevance, 20, None),
        ("w1", Order::Newest, 0, None),
        ("w1", Order::Newest, 0, Some(wanted.clone())),
        ("w10", Order::Newest, 20, None),
        ("w10", Order::Newest, 0, Some(wanted)),
        ("w3 w4", Order::Newest, 20, None),
        ("\"w1 w2\"", Order::Newest, 20, None),
        ("conversation:c-77", Order::Newest, 20, None),
    ] {
        let query = parse(text, &TimeZone::UTC).unwrap();
        let what = if facets.is_some() { " with facets" } else { "" };
        let request = Request { facets, ..Request::new(query, order, limit) };
        let started = Instant::now();
        let total = open().search(&request).unwrap().total;
        let cold = started.elapsed().as_secs_f64() * 1e3;
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..RUNS {
            let started = Instant::now();
            assert_eq!(warm.search(&request).unwrap().total, total);
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let [p50, p95, p99] = [50, 95, 99].map(|percent| times[(RUNS * percent).div_ceil(100) - 1]);
        println!(
            "{docs} records, {text} {order:?} {limit}{what}: {total} found, newly opened {cold:.2} ms, \
             p50 {p50:.2} p95 {p95:.2} p99 {p99:.2} ms"
        );
    }
}
