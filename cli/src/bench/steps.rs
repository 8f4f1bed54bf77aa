//! One measurement after another.

use std::num::NonZeroUsize;
use std::time::Duration;

use custody_archive::{Choice, VerifySettings, verify_with};
use custody_ingest::Stop;
use jiff::Timestamp;

use super::broker::Broker;
use super::end_to_end::{self, Whole};
use super::events::{Events, Message};
use super::folder::{Folder, Place, settings};
use super::freshness::{self, Load};
use super::machine::Machine;
use super::report::{Measured, Report, Workers};
use super::sizes::{self, Floor, Live};
use super::{asking, cpus, go_on, growth, say, stages};
use crate::args::BenchArgs;
use crate::failure::{Done, Failure};

/// Events of a stage, at most.
const SAMPLE: u64 = 200_000;
/// What a worker finds waiting when it starts, in batches.
const START_BATCHES: f64 = 1.3;
/// Of what the worker did with a backlog, so much is published a second while it is looked how soon
/// events are searchable.
const RATE_SHARE: f64 = 0.8;
/// The gateways of what is archived before are not those of what is measured.
const FIRST_GATEWAY_BEFORE: u64 = 1_001;
/// Everything. What is there at the end stays in the folder.
pub(super) fn measure(args: &BenchArgs, folder: &Folder, stop: &Stop) -> Result<Report, Failure> {
    // What is wrong with the command is said before anything takes time.
    let kafka = Broker::kafka(args)?;
    let machine = Machine::of(folder.path());
    let sample = Events::new(args.events, 1, Events::first_day())
        .collect_next(usize::try_from(args.events.min(SAMPLE)).unwrap_or(usize::MAX))?;
    let (stages, floor) = in_stages(folder, &sample, stop)?;

    let place = folder.place("measured")?;
    let (through, start) = before(args, &place, stop)?;
    say(&format!("{} events into the broker", args.events));
    let (broker, mut events) = filled(kafka, args.events, &sample, start)?;
    let workers = workers(args, folder, &place, &broker, stop)?;
    let load = load(args, &sample, &workers.whole)?;
    say(&format!("a new worker, then {} events a second for {} s", load.rate, load.at_most.as_secs()));
    let fresh = freshness::measure(&broker, &place, &workers.cpus, &mut events, &load, stop)?;
    let told = broker.told.clone();
    // It holds what was published.
    drop(broker);

    let records = args.events + fresh.archived;
    say(&format!("verifying {records} records, then compacting"));
    verified(&place, through, records)?;
    let uncompacted = Live::of(&place)?;
    sizes::compact(&place, stop)?;
    let compacted = Live::of(&place)?;
    if compacted.records != args.archived + records {
        let (has, all) = (compacted.records, args.archived + records);
        return Err(Failure::unsound(format!("the archive has {has} records after compaction, not {all}")));
    }
    say("fetching and searching");
    let first_answer_seconds = asking::first_answer(&place)?;
    let [fetches, fetches_again] = asking::fetches(&place)?;
    go_on(stop)?;
    let top20 = asking::searches(&place, &sample)?;
    let payload: usize = sample.iter().map(|message| message.payload.len()).sum();
    Ok(Report::of(Measured {
        machine,
        broker: told,
        payload_bytes_per_event: payload as f64 / sample.len().max(1) as f64,
        archived_before: args.archived,
        stages,
        floor,
        workers,
        fresh,
        uncompacted,
        compacted,
        first_answer_seconds,
        fetches,
        fetches_again,
        top20,
    }))
}

/// The backlog on top of what is there; and, to compare, on nothing and on one core.
fn workers(
    args: &BenchArgs,
    folder: &Folder,
    place: &Place,
    broker: &Broker,
    stop: &Stop,
) -> Result<Workers, Failure> {
    let alone = |name, cpus: &[usize]| -> Result<Whole, Failure> {
        let place = folder.place(name)?;
        let whole = end_to_end::run(broker, &place, cpus, args.events, stop)?;
        place.remove()?;
        Ok(whole)
    };
    let (two, one) = (cpus::choose(2), cpus::choose(1));
    let cpus = two.clone().or_else(|| one.clone()).unwrap_or_default();
    say("a worker on two cores");
    let whole = end_to_end::run(broker, place, &cpus, args.events, stop)?;
    let on_nothing = if args.archived > 0 {
        say("a worker on two cores, with nothing archived before");
        Some(alone("on-nothing", &cpus)?)
    } else {
        None
    };
    let on_one_core = match two.and(one) {
        Some(cpu) => {
            say("a worker on one core");
            Some(alone("one-core", &cpu)?)
        }
        None => None,
    };
    Ok(Workers { cpus, whole, on_nothing, on_one_core })
}

/// What needs neither a broker nor a worker.
fn in_stages(
    folder: &Folder,
    sample: &[Message],
    stop: &Stop,
) -> Result<(Vec<stages::Stage>, Floor), Failure> {
    say(&format!("{} events through each stage", sample.len()));
    let place = folder.place("stages")?;
    let stages = stages::measure(sample, &place)?;
    place.remove()?;
    go_on(stop)?;
    say("zstd of raw events");
    let floor = Floor::of(sample)?;
    go_on(stop)?;
    Ok((stages, floor))
}

/// Archives what is to be there before, and compacts it as workers would have while it came: through which
/// version, and when what comes next begins.
fn before(args: &BenchArgs, place: &Place, stop: &Stop) -> Result<(Option<u64>, Timestamp), Failure> {
    if args.archived == 0 {
        return Ok((None, Events::first_day()));
    }
    say(&format!("archiving {} events before anything is measured", args.archived));
    let mut events = Events::new(args.archived, FIRST_GATEWAY_BEFORE, Events::first_day());
    growth::grow(place, &mut events, args.archived, stop)?;
    say("compacting them");
    sizes::compact(place, stop)?;
    Ok((Some(place.archive()?.refresh()?), events.last_time()))
}

/// The broker with the backlog in it, and the events that come after it.
fn filled(
    kafka: Option<Broker>,
    count: u64,
    sample: &[Message],
    start: Timestamp,
) -> Result<(Broker, Events), Failure> {
    let made = || Events::new(count, 1, start);
    let Some(broker) = kafka else { return Broker::filled(sample, count, made) };
    let mut events = made();
    broker.publish(&mut events, count)?;
    Ok((broker, events))
}

fn load(args: &BenchArgs, sample: &[Message], whole: &Whole) -> Result<Load, Failure> {
    let bytes: usize = sample.iter().map(|message| message.key.len() + message.payload.len()).sum();
    let each = bytes as f64 / sample.len().max(1) as f64;
    let batch = settings(&[])?.settings.batch.bytes_max as f64 / each.max(1.0);
    let rate = args.rate.unwrap_or((whole.events_per_second * RATE_SHARE) as u64);
    Ok(Load {
        backlog: ((batch * START_BATCHES) as u64).clamp(1, args.events),
        rate: rate.max(1),
        at_most: Duration::from_secs(args.seconds),
    })
}

/// Proves all records that were archived after a version, and that there are so many.
fn verified(place: &Place, since: Option<u64>, records: u64) -> Done {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let choice = Choice { since, sample: None };
    let how = VerifySettings { choice, threads, ..VerifySettings::default() };
    let report = verify_with(&place.archive()?, &how, None, &mut |_| {})?;
    if let Some(problem) = report.problems.first() {
        return Err(Failure::unsound(format!("{}: {}", problem.place, problem.what)));
    }
    if report.records != records {
        return Err(Failure::unsound(format!("{} of {records} records are archived", report.records)));
    }
    Ok(())
}
