//! How long searches take: with nothing in memory, newly opened, and warm.
//!
//! ```text
//! cargo bench -p custody-tests --bench search -- [--events N] [--dir DIR] [--growth] [--ingest] [--only TEXT]
//! ```
//!
//! Simulated events of 200,000 words are archived and indexed below TMPDIR first, or in DIR, which is
//! used again, and grown when more are asked for: that takes about 30 s a million. Words are chosen by
//! how many records have them, counted. `cold` is the first search of a searcher after the system was
//! asked to forget the files, and MB what it read from the disk; `opened` is the first one with the
//! files in the system's memory; the others are of one searcher, warm. On a machine that others use, too,
//! `least` is what a search takes when nobody does.
//!
//! - `--growth` asks some of them at one million, ten millions and N, as far as DIR does not hold more,
//!   mostly about one day
//! - `--only` leaves out all searches but those whose line has that text
//! - `--ingest` archives and indexes at full speed beside the searches, in a copy (of links)

mod beside;
mod kept;
mod measure;
mod words;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use custody_index::query::Query;
use custody_index::{Order, Request, Searcher};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use kept::Kept;
use measure::{Archive, Effort, cold, head, line, opened, warm, with_memory};
use words::{Chosen, Row, growing, rows};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const EVENTS: u64 = 1_000_000;
/// What `cargo test` runs, to see that it works.
const EVENTS_TO_TRY: u64 = 1_000;
const TO_MEASURE: Effort = Effort { runs: 200, runs_min: 5, cold_runs: 3 };
const TO_TRY: Effort = Effort { runs: 1, runs_min: 1, cold_runs: 1 };
/// Archives of these sizes are asked as they grow.
const GROWN: [u64; 2] = [1_000_000, 10_000_000];
/// Days that a search of the latest events goes back.
const DAYS: i64 = 7;

struct Args {
    events: u64,
    effort: Effort,
    dir: Option<PathBuf>,
    growth: bool,
    ingest: bool,
    only: String,
}

impl Default for Args {
    fn default() -> Args {
        let (dir, only) = (None, String::new());
        Args { events: EVENTS, effort: TO_MEASURE, dir, growth: false, ingest: false, only }
    }
}

fn main() -> Done {
    let Some(args) = args()? else { return tried() };
    let temporary = tempfile::tempdir()?;
    let dir = args.dir.as_deref().unwrap_or(temporary.path());
    measured(&args, dir)
}

/// Everything once, on a few events.
fn tried() -> Done {
    let dir = tempfile::tempdir()?;
    for (growth, ingest) in [(true, false), (false, false), (false, true)] {
        measured(
            &Args { growth, ingest, events: EVENTS_TO_TRY, effort: TO_TRY, ..Args::default() },
            dir.path(),
        )?;
    }
    Ok(())
}

fn measured(args: &Args, dir: &Path) -> Done {
    let kept = Kept::new(dir)?;
    if args.growth {
        return grown(&kept, args);
    }
    kept.grow(args.events)?;
    sizes(&kept, args.events)?;
    let (chosen, last) = {
        let searcher = kept.searcher()?;
        (Chosen::of(&searcher, args.events)?, last_time(&searcher)?)
    };
    let mut rows = rows(&chosen, &days_before(last), &second_day()?)?;
    rows.retain(|row| format!("{}  ({})", row.text, row.what).contains(&args.only));
    if args.ingest {
        return beside(&kept, dir, last, &rows, args);
    }
    // What is mapped cannot be forgotten: first those that open a searcher of their own.
    let mut firsts = Vec::with_capacity(rows.len());
    for row in &rows {
        firsts.push((cold(&kept, &row.request, &args.effort)?, opened(&kept, &row.request)?));
    }
    let searcher = kept.searcher()?;
    with_memory(|| {
        println!("milliseconds");
        head();
        for (row, first) in rows.iter().zip(firsts) {
            let (total, times) = warm(&searcher, &row.request, Archive::Still, &args.effort)?;
            line(row, total, Some(first), &times);
        }
        Ok(())
    })
}

fn sizes(kept: &Kept, events: u64) -> Done {
    let [archive, index, kept] = kept.bytes()?.map(|bytes| bytes as f64 / events as f64);
    println!(
        "{events} records: {archive:.1} bytes each in the archive, {index:.1} in the index, and {kept:.1} of \
         earlier splits that pages may still need"
    );
    Ok(())
}

/// The same table while events come in, in a copy that is thrown away.
fn beside(kept: &Kept, dir: &Path, last: Timestamp, rows: &[Row], args: &Args) -> Done {
    let copy = tempfile::tempdir_in(dir)?;
    let copied = kept.linked(copy.path())?;
    let searcher = copied.searcher()?;
    with_memory(|| {
        println!("milliseconds, while events are archived and indexed");
        head();
        beside::while_ingesting(&copied, &searcher, last, || {
            for row in rows {
                let (total, times) = warm(&searcher, &row.request, Archive::Growing, &args.effort)?;
                line(row, total, None, &times);
            }
            Ok(())
        })
    })
}

/// The same questions at each size; those about one day must have the same answers.
fn grown(kept: &Kept, args: &Args) -> Done {
    let events = args.events;
    let had = kept.archived()?;
    let mut sizes: Vec<u64> = GROWN.into_iter().filter(|size| (had..events).contains(size)).collect();
    if sizes.is_empty() && had < events / 2 {
        sizes.push(events / 2);
    }
    sizes.push(events);
    let day = second_day()?;
    let mut rows: Option<Vec<Row>> = None;
    for size in sizes {
        kept.grow(size)?;
        self::sizes(kept, size)?;
        let searcher = kept.searcher()?;
        let rows = match &mut rows {
            Some(rows) => rows,
            none => none.insert(growing(&Chosen::of(&searcher, size)?, &day)?),
        };
        with_memory(|| {
            head();
            for row in rows {
                let first = (None, opened(kept, &row.request)?);
                let (total, times) = warm(&searcher, &row.request, Archive::Still, &args.effort)?;
                line(row, total, Some(first), &times);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// When the latest event happened.
fn last_time(searcher: &Searcher) -> Done<Timestamp> {
    let latest = searcher.search(&Request::new(Query::All, Order::Newest, 1))?;
    let time_us = latest.hits.first().and_then(|hit| hit.record.time_us).ok_or("the archive is empty")?;
    Ok(Timestamp::from_microsecond(time_us)?)
}

fn days_before(last: Timestamp) -> String {
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    let from = last.as_second() - DAYS * 86_400;
    format!("{}..{}", Timestamp::from_second(from).map_or(day(last), day), day(last))
}

/// The day after the first.
fn second_day() -> Done<String> {
    Ok(kept::simulated().start.to_zoned(TimeZone::UTC).date().tomorrow()?.to_string())
}

/// `None` from `cargo test`.
fn args() -> Done<Option<Args>> {
    let mut parsed = Args::default();
    let mut is_bench = false;
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        is_bench = true;
        match arg.as_str() {
            // From `cargo bench`.
            "--bench" => {}
            "--events" => parsed.events = args.next().ok_or("--events needs a value")?.parse()?,
            "--dir" => parsed.dir = Some(args.next().ok_or("--dir needs a value")?.into()),
            "--growth" => parsed.growth = true,
            "--ingest" => parsed.ingest = true,
            "--only" => parsed.only = args.next().ok_or("--only needs a value")?,
            _ => {
                let known = "--events, --dir, --growth, --ingest or --only";
                return Err(format!("unknown argument {arg:?}; use {known}").into());
            }
        }
    }
    Ok(is_bench.then_some(parsed))
}
