//! How long searches take, newly opened and warm.
//!
//! ```text
//! cargo bench -p custody-tests --bench search -- [--events N]
//! ```
//!
//! Simulated events are archived and indexed below TMPDIR first: that takes about 15 s a million.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use custody_archive::{Archive, BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
use custody_cli::sim::{SimSettings, Simulator};
use custody_index::query::parse;
use custody_index::{FacetRequest, IndexStore, Indexer, Order, Request, Searcher, Settings};
use custody_schemas::{Incoming, Partition};
use jiff::Timestamp;
use jiff::tz::TimeZone;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const EVENTS: usize = 1_000_000;
/// What `cargo test` runs, to see that it works.
const EVENTS_TO_TRY: usize = 2_000;
const USERS: usize = 1_000;
const SEED: u64 = 1;
/// Records of a commit.
const COMMIT: usize = 50_000;
const RUNS: usize = 200;
const HITS: usize = 20;

/// What is looked for, in which order, how many hits, and whether facets are counted.
const SEARCHES: [(&str, Order, usize, bool); 16] = [
    ("*", Order::Newest, HITS, false),
    ("*", Order::Newest, 0, false),
    ("*", Order::Newest, 0, true),
    ("meeting", Order::Newest, HITS, false),
    ("meeting", Order::Oldest, HITS, false),
    ("meeting", Order::Relevance, HITS, false),
    ("meeting", Order::Newest, 0, false),
    ("meeting", Order::Newest, 0, true),
    ("meeting contract", Order::Newest, HITS, false),
    ("\"the contract\"", Order::Newest, HITS, false),
    ("meeting w/5 contract", Order::Newest, HITS, false),
    ("meet*", Order::Newest, HITS, false),
    ("*act", Order::Newest, HITS, false),
    ("contarct~1", Order::Newest, HITS, false),
    ("type:call.ended", Order::Newest, HITS, false),
    ("meeting date:2013-06-01..2013-06-02", Order::Newest, HITS, false),
];

fn main() -> Done {
    let events = events()?;
    let dir = tempfile::tempdir()?;
    let archive = archived(events, &dir.path().join("archive"))?;
    let index = IndexStore::folder(&dir.path().join("index"))?;
    let settings = Settings::default();
    Indexer::open(&index, archive.clone(), settings.clone())?.catch_up()?;
    let open = || Searcher::open(&index, archive.clone(), settings.clone());
    let warm = open()?;
    println!("{events} events; milliseconds of {RUNS} searches");
    println!("{:>9} {:>8} {:>8} {:>8} {:>8}  search", "found", "opened", "p50", "p95", "p99");
    for (text, order, limit, with_facets) in SEARCHES {
        let query = parse(text, &TimeZone::UTC).map_err(|error| error.render(text))?;
        let facets = with_facets.then_some(FacetRequest { top: 10, zone: TimeZone::UTC });
        let request = Request { facets, ..Request::new(query, order, limit) };
        let started = Instant::now();
        let total = open()?.search(&request)?.total;
        let opened = started.elapsed().as_secs_f64() * 1e3;
        let mut times = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let started = Instant::now();
            let again = warm.search(&request)?.total;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            if again != total {
                return Err(format!("{text}: {again} found after {total}").into());
            }
        }
        times.sort_by(f64::total_cmp);
        let [p50, p95, p99] = [50, 95, 99].map(|percent| times[(RUNS * percent).div_ceil(100) - 1]);
        let what = if limit == 0 { "count".to_owned() } else { format!("{order:?} {limit}") };
        let what = if with_facets { format!("{what}, facets") } else { what };
        println!("{total:>9} {opened:>8.2} {p50:>8.2} {p95:>8.2} {p99:>8.2}  {text}  ({what})");
    }
    Ok(())
}

fn events() -> Done<usize> {
    let (mut events, mut default) = (None, EVENTS_TO_TRY);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // From `cargo bench`.
            "--bench" => default = EVENTS,
            "--events" => events = Some(args.next().ok_or("--events needs a value")?.parse()?),
            _ => return Err(format!("unknown argument {arg:?}; use --events N").into()),
        }
    }
    Ok(events.unwrap_or(default))
}

/// An archive of so many events.
fn archived(events: usize, dir: &Path) -> Done<Archive> {
    fs::create_dir_all(dir)?;
    let location = Location::Folder(dir.to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default())?;
    let partition = Partition { topic: "federation.events".to_owned(), generation: 1, partition: 0 };
    let mut simulated = Simulator::new(SimSettings::new(USERS, SEED)).take(events);
    let mut offset = 0;
    loop {
        let mut batch = BatchBuilder::new(format!("00000000-0000-7000-8000-{offset:012}"));
        let mut archived_ms = 0;
        for event in simulated.by_ref().take(COMMIT) {
            let time = event.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            archived_ms = time.map_or(archived_ms, Timestamp::as_millisecond);
            let payload = serde_json::to_vec(&event.event)?;
            let incoming = Incoming {
                key: Some(event.key.as_bytes()),
                headers: &[],
                payload: Some(&payload),
                broker_time_ms: Some(archived_ms),
            };
            batch.push(&partition, offset, offset, &incoming)?;
            offset += 1;
        }
        if batch.rows() == 0 {
            return Ok(Archive::open(&location, &S3Settings::default())?);
        }
        writer.archive(&Encoded::new(batch.seal("default", archived_ms)?)?)?;
    }
}
