//! The worker that is measured, in a process of its own: its CPU time and its memory are those of the
//! worker and of nothing else. It is told what to do in one line on standard input, tells what it did in
//! lines on standard output, and ends when standard input does.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use custody_archive::Committed;
use custody_ingest::{Metrics, Stop};
use serde::{Deserialize, Serialize};

use super::cost::{cpu_time, now_us, rss_bytes_max};
use super::cpus;
use super::folder::settings;
use crate::failure::{Done, Failure};
use crate::logging;
use crate::outln;
use crate::run::{Observer, run_until};

/// How soon it is seen that partitions are read.
const LOOK: Duration = Duration::from_millis(2);

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) brokers: String,
    pub(super) topic: String,
    pub(super) group: String,
    pub(super) properties: BTreeMap<String, String>,
    pub(super) archive: PathBuf,
    pub(super) index: PathBuf,
    /// Those that it may run on; all when there are none here.
    pub(super) cpus: Vec<usize>,
    /// It ends by itself when so many offsets are archived.
    pub(super) until: Option<u64>,
}

/// What a worker tells, each with the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Kafka was asked for partitions.
    Subscribed { at_us: u64 },
    /// Kafka has given them, and they are read.
    Reading { at_us: u64 },
    /// A batch is archived.
    Committed { at_us: u64, version: u64, records: u64, quarantined: u64, lost: u64 },
    /// Everything is archived and indexed.
    Ended { cpu_ns: u64, rss_bytes_max: Option<u64> },
}

fn tell(told: &Told) {
    match serde_json::to_string(told) {
        Ok(line) => outln!("{line}"),
        Err(error) => tracing::error!(%error, "cannot tell what was done"),
    }
}

/// `custody bench-worker`
pub fn child() -> Done {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(Failure::failed)?;
    let work: Work = serde_json::from_str(&line)
        .map_err(|e| Failure::usage(format!("bench-worker is started by `custody bench` alone: {e}")))?;
    // Before there are other threads: they inherit it.
    cpus::bind(&work.cpus)
        .map_err(|e| Failure::failed(format!("cannot bind a worker to the CPUs {:?}: {e}", work.cpus)))?;
    let (archive, index) = (work.archive.display().to_string(), work.index.display().to_string());
    let properties: Vec<String> =
        work.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut flags = vec![
        ("kafka.brokers", work.brokers.as_str()),
        ("kafka.topics", work.topic.as_str()),
        ("kafka.group", work.group.as_str()),
        ("archive.path", archive.as_str()),
        ("index.path", index.as_str()),
        ("http.listen", "off"),
        ("log.level", "warn"),
    ];
    flags.extend(properties.iter().map(|property| ("kafka.properties", property.as_str())));
    let loaded = settings(&flags)?;
    logging::start(&loaded.settings.log)?;
    let stop = Stop::default();
    stop_at_the_end_of_input(&stop);
    run_until(
        &loaded,
        stop.clone(),
        Observer {
            on_commit: Some(on_commit(work.until, stop)),
            on_subscribed: Some(Box::new(on_subscribed)),
        },
    )?;
    let cpu_ns = u64::try_from(cpu_time().as_nanos()).unwrap_or(u64::MAX);
    tell(&Told::Ended { cpu_ns, rss_bytes_max: rss_bytes_max() });
    Ok(())
}

/// Whoever started it may be gone.
fn stop_at_the_end_of_input(stop: &Stop) {
    let stop = stop.clone();
    thread::spawn(move || {
        // An error is an end as well.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        stop.stop();
    });
}

fn on_subscribed(metrics: &Arc<Metrics>) {
    tell(&Told::Subscribed { at_us: now_us() });
    let metrics = Arc::downgrade(metrics);
    thread::spawn(move || {
        while let Some(metrics) = metrics.upgrade() {
            if metrics.status().partitions > 0 {
                return tell(&Told::Reading { at_us: now_us() });
            }
            drop(metrics);
            thread::sleep(LOOK);
        }
    });
}

fn on_commit(until: Option<u64>, stop: Stop) -> custody_ingest::OnCommit {
    let archived = AtomicU64::new(0);
    Box::new(move |committed: &Committed| {
        let manifest = &committed.file.manifest;
        let (records, lost) =
            (manifest.records(), manifest.parts.iter().map(|part| part.lost()).sum::<u64>());
        tell(&Told::Committed {
            at_us: now_us(),
            version: committed.version,
            records,
            quarantined: manifest.parts.iter().map(|part| part.quarantined).sum(),
            lost,
        });
        let archived = archived.fetch_add(records + lost, Ordering::AcqRel) + records + lost;
        if until.is_some_and(|until| archived >= until) {
            stop.stop();
        }
    })
}
