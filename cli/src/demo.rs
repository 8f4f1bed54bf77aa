//! `custody demo`: the whole main job on an embedded broker.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_index::{Order, Request};
use custody_ingest::kafka::{Embedded, Producer};
use custody_ingest::{OnCommit, Stop};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{DemoArgs, ExportArgs, FormatArg, OrderArg, SearchArgs, VerifyArgs};
use crate::failure::{Done, Failure};
use crate::outln;
use crate::settings::{Inputs, Loaded, Settings};
use crate::sim::{SimSettings, Simulator};
use crate::{asking, handing, logging, run, verifying};

const TOPIC: &str = "federation.events";
const PARTITIONS: i32 = 4;
/// Published but not archived, all partitions together. One busy conversation
/// may put most of it into one partition, so it is kept below what the embedded
/// broker keeps of one.
const AHEAD_BYTES_MAX: u64 = Embedded::PARTITION_BYTES_MAX / 2;
/// What the three searches look for.
const SEARCHES: [&str; 3] =
    ["\"talk about the merger\"", "type:contact.requested", "type:call.ended from:@contoso.example"];

fn settings(dir: &Path, brokers: &str) -> Result<Loaded, Failure> {
    let archive = dir.join("archive").display().to_string();
    let flags = [
        ("kafka.brokers", brokers),
        ("kafka.topics", TOPIC),
        ("archive.path", &archive),
        ("batch.age_max", "500ms"),
        ("batch.bytes_max", "1MiB"),
        ("http.listen", "off"),
        ("log.level", "warn"),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    // Nothing of the surroundings changes what the demo does.
    let inputs = Inputs { file: None, env: Default::default(), flags };
    Settings::load(inputs).map_err(|problems| {
        Failure::failed(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn duration(text: &str) -> Result<Duration, Failure> {
    let wrong = || {
        Failure::usage(format!("--for: {text:?} is not a time; write a number and s, m or h, such as 30s"))
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// What the worker has archived so far.
#[derive(Default)]
struct Archived {
    rows: AtomicU64,
    ended: AtomicBool,
}

/// Publishes, never further ahead of the archive than the broker can keep.
fn publish(
    args: &DemoArgs,
    producer: &Producer,
    archived: &Archived,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let until = args.duration.as_deref().map(duration).transpose()?.map(|time| Instant::now() + time);
    let limit = if until.is_some() { u64::MAX } else { args.events };
    let mut simulator = Simulator::new(SimSettings::new(args.users as usize, args.seed));
    let (mut sent, mut sent_bytes) = (0_u64, 0_u64);
    while sent + 1 < limit && until.is_none_or(|until| Instant::now() < until) {
        let Some(event) = simulator.next() else { break };
        sent_bytes += send(producer, &event)?;
        sent += 1;
        let mean = sent_bytes / sent;
        loop {
            let rows = archived.rows.load(Ordering::Acquire);
            bar.set_position(rows);
            if sent.saturating_sub(rows) * mean < AHEAD_BYTES_MAX {
                break;
            }
            if archived.ended.load(Ordering::Acquire) {
                return Err(Failure::failed("the worker ended before everything was archived"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
    send(producer, &simulator.stop())?;
    producer.flush()?;
    Ok(sent + 1)
}

fn send(producer: &Producer, event: &crate::sim::SimEvent) -> Result<u64, Failure> {
    let payload = serde_json::to_vec(&event.event).map_err(Failure::failed)?;
    producer.send(event.key.as_bytes(), &payload)?;
    Ok(payload.len() as u64)
}

/// Runs the worker beside the producer until all that was published is archived.
fn record(args: &DemoArgs, loaded: &Loaded, brokers: &str) -> Result<u64, Failure> {
    let producer = Producer::connect(brokers, TOPIC, &Default::default())?;
    let bar = ProgressBar::new(args.events);
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:30} {pos}/{len} archived and proven, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    let archived = Arc::new(Archived::default());
    let stop = Stop::default();
    let told: OnCommit = {
        let archived = archived.clone();
        Box::new(move |committed| {
            archived.rows.fetch_add(committed.file.manifest.records(), Ordering::AcqRel);
        })
    };
    thread::scope(|scope| {
        let worker = {
            let (stop, archived) = (stop.clone(), archived.clone());
            scope.spawn(move || {
                let observer = run::Observer { on_commit: Some(told), ..run::Observer::default() };
                let ended = run::run_until(loaded, stop, observer);
                archived.ended.store(true, Ordering::Release);
                ended
            })
        };
        let sent = publish(args, &producer, &archived, &bar);
        if let Ok(sent) = &sent {
            while archived.rows.load(Ordering::Acquire) < *sent && !archived.ended.load(Ordering::Acquire) {
                bar.set_position(archived.rows.load(Ordering::Acquire));
                thread::sleep(Duration::from_millis(10));
            }
        }
        bar.finish_and_clear();
        stop.stop();
        worker.join().unwrap_or_else(|_| Err(Failure::failed("the worker ended unexpectedly")))?;
        let (sent, rows) = (sent?, archived.rows.load(Ordering::Acquire));
        if sent != rows {
            return Err(Failure::failed(format!("{sent} events were published and {rows} archived")));
        }
        Ok(sent)
    })
}

fn search(loaded: &Loaded, query: &str) -> Done {
    outln!("\n$ custody search '{query}' --limit 3 --archive {}", loaded.settings.archive.path);
    let args = SearchArgs {
        query: query.to_owned(),
        limit: 3,
        order: OrderArg::Newest,
        cursor: None,
        format: FormatArg::Table,
        count: false,
        facets: false,
        group: None,
        timeout: 60,
        explain: false,
        zone: "UTC".to_owned(),
    };
    asking::search(loaded, &args)
}

/// `custody demo`
pub fn demo(args: &DemoArgs) -> Done {
    let archive = args.dir.join("archive");
    if archive.exists() {
        return Err(Failure::usage(format!(
            "{} is there already: remove it or give another folder with --dir",
            archive.display()
        )));
    }
    outln!("Custody demo: a simulated gateway between Lync users of contoso.example and Skype users.");
    outln!(
        "The Kafka broker is librdkafka's test cluster, in this process and in memory: for the demo only."
    );
    let embedded = Embedded::start(TOPIC, PARTITIONS)?;
    let brokers = embedded.brokers();
    let loaded = settings(&args.dir, &brokers)?;
    logging::start(&loaded.settings.log)?;
    let started = Instant::now();
    outln!("\nPublishing and archiving at once:");
    let events = record(args, &loaded, &brokers)?;
    let took = started.elapsed();
    outln!("  {events} events archived, indexed and proven in {:.1} s", took.as_secs_f64());
    for query in SEARCHES {
        search(&loaded, query)?;
    }
    let out = args.dir.join("production");
    let (who, why) = ("custody demo", "to show a production");
    outln!(
        "\n$ custody export '{}' --out {} --who '{who}' --why '{why}' --archive {}",
        SEARCHES[0],
        out.display(),
        archive.display()
    );
    let export = ExportArgs {
        query: Some(SEARCHES[0].to_owned()),
        out: out.clone(),
        who: Some(who.to_owned()),
        why: Some(why.to_owned()),
        ..ExportArgs::default()
    };
    handing::export(&loaded, &export)?;
    outln!("\n$ custody verify {}", out.display());
    verifying::production(&out, None, false)?;
    outln!("\n$ custody verify --archive {}", archive.display());
    verifying::archive(&loaded, &VerifyArgs::default())?;
    let (position, conversation) = example(&loaded)?;
    let archive = archive.display();
    outln!("\nDone. The archive is a Delta Lake table in {archive}. Go on with:");
    outln!("  custody search 'invoice AND from:@contoso.example' --archive {archive}");
    outln!("  custody search 'type:policy.changed' --archive {archive}");
    outln!("  custody conversation '{conversation}' --around {position} --archive {archive}");
    outln!("  custody show {position} --archive {archive}");
    outln!("  custody verify {}", out.display());
    outln!("(with cargo: cargo run --release -- search …)");
    Ok(())
}

/// A record to go on with: the last that the first search finds.
fn example(loaded: &Loaded) -> Result<(String, String), Failure> {
    let query = asking::query(loaded, SEARCHES[0], &asking::zone("UTC")?)?;
    let (_, searcher) = asking::searcher(loaded)?;
    let request = Request::new(query, Order::Newest, 1);
    let hit = searcher.search(&request)?.hits.pop();
    let record =
        hit.map(|hit| hit.record).ok_or_else(|| Failure::failed("the first search found nothing"))?;
    Ok((record.position.to_string(), record.conversation.unwrap_or_default()))
}
