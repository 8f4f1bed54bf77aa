//! Asking: a page of records fetched and proven, newest hits of a search, the first answer of a searcher.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use custody_archive::{FileRef, at_once};
use custody_index::query::parse;
use custody_index::{Order, Request, Searcher};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::cost::{percentile, warm_ms};
use super::events::Message;
use super::folder::Place;
use crate::failure::Failure;

const HITS: usize = 20;
const ROUNDS: u64 = 200;
/// Of one row of the table, when all rounds would take longer.
const ROW: Duration = Duration::from_secs(3);
/// The most frequent noun of the simulated talk, one that stands beside it in some sentences, and words
/// that stand one behind another in others.
const TERM: &str = "meeting";
const BOTH: &str = "meeting AND contract";
const PHRASE: &str = "\"the new meeting\"";

/// A search, and how long it takes again and again.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    pub(super) what: &'static str,
    pub(super) query: String,
    pub(super) found: u64,
    pub(super) ms_p50: f64,
    pub(super) ms_p99: f64,
}

fn request(query: &str) -> Result<Request, Failure> {
    let parsed = parse(query, &TimeZone::UTC).map_err(|error| Failure::failed(error.render(query)))?;
    Ok(Request::new(parsed, Order::Newest, HITS))
}

/// The newest hits of a term, of two, of a phrase and of a filter, fetched and proven.
pub(super) fn searches(place: &Place, sample: &[Message]) -> Result<Vec<Asked>, Failure> {
    let searcher = place.searcher()?;
    let filter = format!("participant:{}", participant(sample)?);
    let rows = [("a term", TERM), ("an AND", BOTH), ("a phrase", PHRASE), ("a filter", &*filter)];
    rows.into_iter().map(|(what, query)| asked(&searcher, what, query)).collect()
}

fn asked(searcher: &Searcher, what: &'static str, query: &str) -> Result<Asked, Failure> {
    let request = request(query)?;
    let found = searcher.search(&request)?.total;
    let times = warm_ms(ROUNDS, ROW, |_| {
        let again = searcher.search(&request)?.total;
        if again == found {
            return Ok(());
        }
        Err(Failure::unsound(format!("{query}: {again} found after {found}")))
    })?;
    let ms = |percent| percentile(&times, percent).unwrap_or_default();
    Ok(Asked { what, query: query.to_owned(), found, ms_p50: ms(50), ms_p99: ms(99) })
}

/// Who takes part in the most of these events.
fn participant(sample: &[Message]) -> Result<String, Failure> {
    let mut people: BTreeMap<String, u64> = BTreeMap::new();
    for message in sample.iter().take(10_000) {
        let event: Value = serde_json::from_slice(&message.payload).map_err(Failure::failed)?;
        if let Some(address) = event["data"]["from"]["address"].as_str() {
            *people.entry(address.to_owned()).or_default() += 1;
        }
    }
    let most = people.into_iter().max_by_key(|(_, events)| *events);
    most.map(|(address, _)| address).ok_or_else(|| Failure::failed("nobody took part in the events"))
}

/// Seconds from opening archive and index until the first answer.
pub(super) fn first_answer(place: &Place) -> Result<f64, Failure> {
    let request = request(TERM)?;
    let started = Instant::now();
    place.searcher()?.search(&request)?;
    Ok(started.elapsed().as_secs_f64())
}

/// How long it takes to fetch records from all over the archive, each proven, as a search fetches
/// its hits, in milliseconds, sorted: other ones each time, and the same again and again.
pub(super) fn fetches(place: &Place) -> Result<[Vec<f64>; 2], Failure> {
    let archive = place.archive()?;
    let batches: Vec<FileRef> = archive.batches()?.into_iter().map(|(_, batch)| batch).collect();
    let sizes: Vec<u64> = batches.iter().map(|batch| batch.manifest.rows).collect();
    let threads = custody_index::Settings::default().search_threads;
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let fetch = |round| -> Result<(), Failure> {
        let page: Vec<_> = page(&sizes, round).into_iter().collect();
        let begun = AtomicUsize::new(0);
        let next = || {
            let (batch, rows) = page.get(begun.fetch_add(1, Ordering::Relaxed))?;
            Some(archive.fetch(&batches[*batch], rows))
        };
        let mut records = 0;
        at_once(threads, next, |fetched| records += fetched.len())?;
        let wanted: usize = page.iter().map(|(_, rows)| rows.len()).sum();
        if records == wanted {
            return Ok(());
        }
        Err(Failure::unsound(format!("{records} of {wanted} records are there")))
    };
    Ok([warm_ms(ROUNDS, ROW, fetch)?, warm_ms(ROUNDS, ROW, |_| fetch(0))?])
}

/// So many rows of batches of these sizes, one of each part of the archive, other ones each round: the
/// batch and its rows, both ascending.
fn page(sizes: &[u64], round: u64) -> BTreeMap<usize, Vec<u64>> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Knuth's linear congruential generator (MMIX), its high bits.
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let all: u64 = sizes.iter().sum();
    let wanted = all.min(HITS as u64);
    let mut pages: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let (mut batch, mut before) = (0, 0);
    for nth in 0..wanted {
        let (from, to) = (nth * all / wanted, (nth + 1) * all / wanted);
        let row = from + next() % (to - from).max(1);
        while sizes.get(batch).is_some_and(|rows| row >= before + rows) {
            before += sizes[batch];
            batch += 1;
        }
        pages.entry(batch).or_default().push(row - before);
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_from_all_over_the_archive() {
        let sizes = [10, 0, 1_000, 30, 2_000];
        for round in 0..50 {
            let page = page(&sizes, round);
            assert_eq!(page.values().map(Vec::len).sum::<usize>(), HITS);
            assert!(page.contains_key(&2) && page.contains_key(&4), "{page:?}");
            for (batch, rows) in &page {
                assert!(rows.is_sorted() && rows.iter().all(|row| *row < sizes[*batch]), "{page:?}");
            }
        }
        assert_ne!(page(&sizes, 1), page(&sizes, 2));
        assert_eq!(page(&[1, 2], 0).values().map(Vec::len).sum::<usize>(), 3);
        assert_eq!(page(&[], 0), BTreeMap::new());
    }
}
