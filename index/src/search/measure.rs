//! How long searches take. Not run by itself: it prints, it proves nothing.
//!
//! `cargo test --release -p custody-index measure -- --ignored --nocapture`; the environment
//! variable `CUSTODY_MEASURE_DOCS` says how many records, a million unless told.

use std::time::Instant;

use jiff::tz::TimeZone;

use super::{Order, Request, Searcher};
use crate::build::Indexer;
use crate::query::parse;
use crate::settings::Settings;
use crate::testing::{Event, Memory, said, store};

const RUNS: usize = 40;
/// Records of a commit.
const COMMIT: u64 = 50_000;

/// One in a hundred is delivered twice; `w1` is in every second record, `w2` in every third, and
/// so on.
fn event(number: u64) -> Event {
    let number = if number % 100 == 99 { number - 50 } else { number };
    let words = (1..=60).filter(|word| number.is_multiple_of(word + 1)).map(|word| format!("w{word}"));
    let identity = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let conversation = Some(format!("c-{}", number % 997));
    Event { identity, conversation, ..said(number, &words.collect::<Vec<_>>().join(" ")) }
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
    let searcher = Searcher::open(&store(dir.path()), source, settings).unwrap();
    for (text, order, limit) in [
        ("type:*", Order::Newest, 20),
        ("type:*", Order::Newest, 0),
        ("w1", Order::Newest, 20),
        ("w1", Order::Relevance, 20),
        ("w1", Order::Newest, 0),
        ("w10", Order::Newest, 20),
        ("w3 w4", Order::Newest, 20),
        ("\"w1 w2\"", Order::Newest, 20),
        ("conversation:c-77", Order::Newest, 20),
    ] {
        let query = parse(text, &TimeZone::UTC).unwrap();
        let request = Request::new(query, order, limit);
        let mut times: Vec<f64> = Vec::new();
        let mut total = 0;
        for _ in 0..RUNS {
            let started = Instant::now();
            total = searcher.search(&request).unwrap().total;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{docs} records, {text} {order:?} {limit}: {total} found, p50 {:.2} ms, p95 {:.2} ms",
            times[RUNS / 2],
            times[RUNS * 95 / 100]
        );
    }
}
