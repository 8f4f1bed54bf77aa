//! All that was measured, as the JSON has it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::asking::Asked;
use super::broker::BrokerKind;
use super::cost::percentile;
use super::end_to_end::Whole;
use super::freshness::{Fresh, Searchable};
use super::machine::Machine;
use super::sizes::{Floor, Live};
use super::stages::{self, Stage};

/// What is not there without [`Searchable`].
const SEARCHABLE: [&str; 5] = [
    "searchable_events",
    "searchable_events_per_second",
    "searchable_seconds_p50",
    "searchable_seconds_p99",
    "searchable_seconds_max",
];

/// What was measured; of what is `null`, `absent` says why. Units stand last in names.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) broker: BrokerKind,
    /// Events of the backlog that the worker took.
    pub(super) events: u64,
    pub(super) payload_bytes_per_event: f64,
    /// Archived before anything was measured.
    pub(super) archived_before: u64,
    /// CPUs that the worker was bound to; empty where it was not.
    pub(super) worker_cpus: Vec<usize>,
    pub(super) events_per_second: f64,
    pub(super) events_per_cpu_second: f64,
    pub(super) cpu_ns_per_event: f64,
    pub(super) commits: usize,
    pub(super) rss_bytes_max: Option<u64>,
    pub(super) one_core_events_per_second: Option<f64>,
    pub(super) speedup_two_cores: Option<f64>,
    /// On top of what was archived before, against an empty archive.
    pub(super) cost_growth: Option<f64>,
    pub(super) stages: Vec<Stage>,
    pub(super) stages_cpu_ns_per_event: f64,
    pub(super) cpu_to_stages: f64,
    pub(super) searchable_events: Option<u64>,
    pub(super) searchable_events_per_second: Option<f64>,
    pub(super) searchable_seconds_p50: Option<f64>,
    pub(super) searchable_seconds_p99: Option<f64>,
    pub(super) searchable_seconds_max: Option<f64>,
    /// Records that the archive has at the end: sizes, fetches and searches are of these.
    pub(super) records: u64,
    pub(super) bytes_per_event: f64,
    pub(super) archive_bytes_per_event: f64,
    pub(super) index_bytes_per_event: f64,
    pub(super) uncompacted_bytes_per_event: f64,
    pub(super) uncompacted_archive_bytes_per_event: f64,
    pub(super) uncompacted_index_bytes_per_event: f64,
    /// Level 3.
    pub(super) zstd_bytes_per_event: f64,
    pub(super) zstd_19_bytes_per_event: f64,
    pub(super) zstd_sample_bytes: usize,
    pub(super) bytes_to_zstd: f64,
    pub(super) fetch_20_ms_p50: Option<f64>,
    pub(super) fetch_20_ms_p99: Option<f64>,
    /// The same records again and again.
    pub(super) fetch_20_again_ms_p50: Option<f64>,
    /// The slowest of the searches.
    pub(super) top20_ms_p50: Option<f64>,
    pub(super) top20_ms_p99: Option<f64>,
    pub(super) top20: Vec<Asked>,
    /// The slower of the two.
    pub(super) start_seconds: f64,
    pub(super) start_worker_seconds: f64,
    pub(super) start_searcher_seconds: f64,
    /// What Kafka took meanwhile to give the worker its partitions, which does not count.
    pub(super) start_kafka_seconds: f64,
    /// What is `null`, and why.
    pub(super) absent: BTreeMap<&'static str, String>,
}

/// Workers that took the backlog.
pub(super) struct Workers {
    pub(super) cpus: Vec<usize>,
    pub(super) whole: Whole,
    /// The same with nothing archived before, where something was.
    pub(super) on_nothing: Option<Whole>,
    pub(super) on_one_core: Option<Whole>,
}

/// What a report is made of.
pub(super) struct Measured {
    pub(super) machine: Machine,
    pub(super) broker: BrokerKind,
    pub(super) payload_bytes_per_event: f64,
    pub(super) archived_before: u64,
    pub(super) stages: Vec<Stage>,
    pub(super) floor: Floor,
    pub(super) workers: Workers,
    pub(super) fresh: Fresh,
    pub(super) uncompacted: Live,
    pub(super) compacted: Live,
    pub(super) first_answer_seconds: f64,
    /// Milliseconds, sorted.
    pub(super) fetches: Vec<f64>,
    pub(super) fetches_again: Vec<f64>,
    pub(super) top20: Vec<Asked>,
}

impl Report {
    pub(super) fn of(measured: Measured) -> Report {
        let absent = absent(&measured);
        let Measured { workers, stages, floor, fresh, uncompacted, compacted, top20, .. } = measured;
        let Workers { cpus, whole, on_nothing, on_one_core } = workers;
        let (start, searchable) = (fresh.start, fresh.searchable.ok());
        let of_searchable = |figure: fn(&Searchable) -> Option<f64>| searchable.as_ref().and_then(figure);
        let stages_cpu_ns_per_event = stages::sum_ns(&stages);
        // Stages and the worker on one core find nothing archived.
        let on_empty = on_nothing.as_ref().unwrap_or(&whole);
        let one_core = on_one_core.map(|one| one.events_per_second);
        Report {
            machine: measured.machine,
            broker: measured.broker,
            events: whole.events,
            payload_bytes_per_event: measured.payload_bytes_per_event,
            archived_before: measured.archived_before,
            worker_cpus: cpus,
            events_per_second: whole.events_per_second,
            events_per_cpu_second: 1e9 / whole.cpu_ns_per_event(),
            cpu_ns_per_event: whole.cpu_ns_per_event(),
            commits: whole.commits,
            rss_bytes_max: whole.rss_bytes_max,
            one_core_events_per_second: one_core,
            speedup_two_cores: one_core.map(|one| on_empty.events_per_second / one),
            cost_growth: on_nothing.as_ref().map(|empty| whole.cpu_ns_per_event() / empty.cpu_ns_per_event()),
            cpu_to_stages: on_empty.cpu_ns_per_event() / stages_cpu_ns_per_event,
            stages,
            stages_cpu_ns_per_event,
            searchable_events: searchable.as_ref().map(|searchable| searchable.events),
            searchable_events_per_second: of_searchable(|searchable| Some(searchable.events_per_second)),
            searchable_seconds_p50: of_searchable(|searchable| searchable.p50),
            searchable_seconds_p99: of_searchable(|searchable| searchable.p99),
            searchable_seconds_max: of_searchable(|searchable| searchable.max),
            records: compacted.records,
            bytes_per_event: compacted.per_event(),
            archive_bytes_per_event: compacted.archive_per_event(),
            index_bytes_per_event: compacted.index_per_event(),
            uncompacted_bytes_per_event: uncompacted.per_event(),
            uncompacted_archive_bytes_per_event: uncompacted.archive_per_event(),
            uncompacted_index_bytes_per_event: uncompacted.index_per_event(),
            zstd_bytes_per_event: floor.level_3,
            zstd_19_bytes_per_event: floor.level_19,
            zstd_sample_bytes: floor.sample_bytes,
            bytes_to_zstd: compacted.per_event() / floor.level_3,
            fetch_20_ms_p50: percentile(&measured.fetches, 50),
            fetch_20_ms_p99: percentile(&measured.fetches, 99),
            fetch_20_again_ms_p50: percentile(&measured.fetches_again, 50),
            top20_ms_p50: largest(top20.iter().map(|asked| asked.ms_p50)),
            top20_ms_p99: largest(top20.iter().map(|asked| asked.ms_p99)),
            top20,
            start_seconds: start.seconds.max(measured.first_answer_seconds),
            start_worker_seconds: start.seconds,
            start_searcher_seconds: measured.first_answer_seconds,
            start_kafka_seconds: start.kafka_seconds,
            absent,
        }
    }
}

/// What was not measured, and why.
fn absent(measured: &Measured) -> BTreeMap<&'static str, String> {
    let mut absent = BTreeMap::new();
    let mut are_absent = |figures: &[&'static str], why: &str| {
        absent.extend(figures.iter().map(|figure| (*figure, why.to_owned())));
    };
    let workers = &measured.workers;
    if workers.whole.rss_bytes_max.is_none() {
        are_absent(&["rss_bytes_max"], "the system does not say it: there is no /proc");
    }
    if workers.on_nothing.is_none() {
        are_absent(&["cost_growth"], "nothing was archived before: --archived N does that");
    }
    if workers.on_one_core.is_none() {
        let why = "there are no two cores, or a process cannot be bound to one here";
        are_absent(&["one_core_events_per_second", "speedup_two_cores"], why);
    }
    if let Err(why) = &measured.fresh.searchable {
        are_absent(&SEARCHABLE, why);
    }
    absent
}

/// The largest of them; `None` of none.
fn largest(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    numbers.max_by(f64::total_cmp)
}
