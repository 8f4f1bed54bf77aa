//! `custody bench`: what an event costs on this machine, in time and in bytes, end to end.
//!
//! All of it is of simulated events ([`crate::sim`]). What each figure is:
//!
//! - `events_per_cpu_second`, `cpu_ns_per_event`, `rss_bytes_max`: of a worker (`custody run` as it is set by
//!   default) in a process of its own, from its start until a backlog of `events` is archived and indexed.
//!   The events are in the broker before it starts.
//! - `events_per_second`: of the same worker, from when it reads its partitions until the index was seen to
//!   have the last batch but one: the last is not full, and waits until it is old enough. The worker is
//!   bound to two CPUs where there are more; `speedup_two_cores` compares that with one, each on an empty archive.
//! - `stages`: single steps on one thread; `cpu_to_stages` is the CPU time of the worker against their sum.
//! - `bytes_per_event`: live data files, the table's log, live splits and their manifest. What compaction
//!   replaced stays for a grace and does not count. `zstd_bytes_per_event` is what `zstd -3` makes of raw
//!   events with a newline after each.
//! - `searchable_seconds_p99`: while a worker runs, events are published at a rate. Of each, the time from its
//!   timestamp in Kafka until a manifest of the index was seen whose `through_version` covers the commit that
//!   archived it; the folder is looked at every 10 ms. The records and their times are read from the archive,
//!   and proven.
//! - `fetch_20_ms_p50`: 20 records from all over the archive, fetched and hashed again as a search does it,
//!   by as many threads as there are CPUs, other ones each time; `fetch_20_again_ms_p50` the same ones, of
//!   which what is remembered of the files helps.
//! - `top20_ms_p50`: the newest 20 of a term, an AND, a phrase and a filter, with their records; the
//!   slowest of the four.
//! - `start_seconds`: where everything is archived, the slower of: a new worker until its first batch is
//!   archived, without the time that Kafka takes to give it partitions; a new searcher until its first answer.
//! - `cost_growth`: with `--archived`, the CPU time of an event on top of that against that on nothing. What
//!   is archived before is compacted first, as it would have been while it came.
//!
//! - `events` what is published, `broker` from where; `child` is the worker's process and `worker` its
//!   other end; `manifests` watches the index
//! - `end_to_end`, `freshness`, `stages`, `sizes`, `asking` measure; `growth` archives before they do
//! - `machine` and `cpus` say where, `folder` holds the files, `report` and `table` tell

mod asking;
mod broker;
mod child;
mod cost;
mod cpus;
mod end_to_end;
mod events;
mod folder;
mod freshness;
mod growth;
mod machine;
mod manifests;
mod report;
mod sizes;
mod stages;
mod steps;
mod table;
mod worker;

pub use child::child;

use custody_ingest::Stop;

use crate::args::{BenchArgs, BenchFormat};
use crate::failure::{Done, Failure};
use crate::run::stop_on_signal;
use crate::{logging, out, outln};
use folder::Folder;

/// `custody bench`
pub fn bench(args: &BenchArgs) -> Done {
    logging::start(&folder::settings(&[("log.level", "warn")])?.settings.log)?;
    let folder = Folder::new(args)?;
    let report = steps::measure(args, &folder, &stop_on_signal()?)?;
    match args.format {
        BenchFormat::Table => out!("{}", table::table(&report)),
        BenchFormat::Json => outln!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?),
    }
    Ok(())
}

/// Says on standard error what is done now.
fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// Fails when the bench was asked to stop.
fn go_on(stop: &Stop) -> Done {
    if stop.is_stopped() {
        return Err(Failure::failed("stopped before everything was measured"));
    }
    Ok(())
}
