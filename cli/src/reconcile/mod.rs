//! `custody reconcile`: did we capture everything?
//!
//! The archive says what became of every offset, the sources' own counters say what never reached
//! Kafka, ended sessions say what they carried, Kafka says what it has, and the index what it covers.
//! What none of them explains is named.

mod check;
mod open;
#[cfg(test)]
mod open_tests;
mod print;
mod statement;
#[cfg(test)]
mod statement_tests;

use std::thread;
use std::time::{Duration, Instant};

use custody_archive::{Account, Archive, History, PartitionAccount, Sessions};
use custody_index::{Searcher, Settings, query::parse};
use custody_ingest::kafka::{LogEnds, Logs, Topics};
use custody_schemas::Partition;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use crate::args::ReconcileArgs;
use crate::failure::{Done, Failure};
use crate::settings::Loaded;
use crate::{open as opening, out, outln, run};
pub use check::verify_statement;
pub(crate) use open::Unexplained;

/// How often the archive is asked again while somebody waits for it.
const LOOK: Duration = Duration::from_millis(500);

/// One partition of Kafka beside the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LogAccount {
    /// `topic:generation:partition`.
    pub(crate) partition: String,
    /// The first offset that Kafka still has.
    pub(crate) low: i64,
    /// The offset after its last one, when we began.
    pub(crate) end: i64,
    /// The archive's next offset.
    pub(crate) next: i64,
    /// The first message that is not archived; offsets before it, and all of them where there is
    /// none, hold nothing for a consumer.
    pub(crate) unarchived: Option<i64>,
}

/// What the index covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct IndexAccount {
    /// Complete through this version.
    pub(crate) through_version: u64,
    /// Records in it.
    pub(crate) records: u64,
    /// Of these, deliveries of an event beyond the first.
    pub(crate) duplicates: u64,
}

/// The whole answer.
#[derive(Debug, Serialize)]
pub(crate) struct Reconciled {
    pub(crate) archive: Account,
    pub(crate) sessions: Option<Sessions>,
    /// Absent when no brokers are set.
    pub(crate) kafka: Option<Vec<LogAccount>>,
    /// Absent when there is no index.
    pub(crate) index: Option<IndexAccount>,
    pub(crate) unexplained: Vec<Unexplained>,
}

/// What is asked again and again.
struct Asker<'a> {
    loaded: &'a Loaded,
    archive: Archive,
    logs: Option<(Logs, Topics)>,
    history: History,
    account: Account,
}

/// `custody reconcile`
pub fn reconcile(loaded: &Loaded, args: &ReconcileArgs) -> Done {
    let wait = crate::settings::duration(&args.wait).map_err(|e| Failure::usage(format!("--wait: {e}")))?;
    let every = args.watch.as_deref().map(crate::settings::duration).transpose();
    let every = every.map_err(|e| Failure::usage(format!("--watch: {e}")))?;
    let mut asker = Asker::open(loaded)?;
    if let Some(every) = every {
        return asker.watch(every, wait, args.json);
    }
    let found = asker.ask(wait, true)?;
    if let Some(path) = &args.statement {
        statement::write(path, &asker.archive, &found)?;
    }
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&found).map_err(Failure::failed)?);
    } else {
        out!("{}", print::tables(&found));
    }
    if let Some(path) = &args.statement {
        eprintln!("custody: the statement is in {}", path.display());
    }
    match found.unexplained.len() {
        0 => Ok(()),
        1 => Err(Failure::unsound("one thing is unexplained")),
        many => Err(Failure::unsound(format!("{many} things are unexplained"))),
    }
}

impl Asker<'_> {
    fn open(loaded: &Loaded) -> Result<Asker<'_>, Failure> {
        let archive = opening::archive(loaded)?;
        let kafka = opening::kafka(&loaded.settings);
        let asks_kafka = !kafka.brokers.is_empty();
        if asks_kafka {
            opening::require(loaded, &["kafka.topics"])?;
        }
        let logs = match asks_kafka {
            true => Some((Logs::connect(&kafka)?, Topics::connect(&kafka)?)),
            false => None,
        };
        Ok(Asker { loaded, archive, logs, history: History::default(), account: Account::default() })
    }

    fn ask(&mut self, wait: Duration, with_sessions: bool) -> Result<Reconciled, Failure> {
        self.history = self.archive.history()?;
        // Before the archive is read: what is published meanwhile is not asked for.
        let ends = self.ends()?;
        if let Some(ends) = &ends {
            self.wait_for(ends, wait)?;
        }
        let bar = bar();
        self.account.advance(&self.archive, &mut |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })?;
        let sessions = with_sessions.then(|| custody_archive::sessions(&self.archive)).transpose()?;
        bar.finish_and_clear();
        let kafka = ends.map(|ends| self.kafka(ends)).transpose()?;
        let index = self.index(wait)?;
        let mut found =
            Reconciled { archive: self.account.clone(), sessions, kafka, index, unexplained: Vec::new() };
        let again = self.made_again()?;
        found.unexplained = open::unexplained(&found, &again);
        Ok(found)
    }

    fn ends(&self) -> Result<Option<Vec<LogEnds>>, Failure> {
        let Some((logs, _)) = &self.logs else { return Ok(None) };
        let mut all = Vec::new();
        for topic in &self.loaded.settings.kafka.topics {
            all.extend(logs.ends(topic)?);
        }
        Ok(Some(all))
    }

    /// The partition in the life of the topic that the archive is at.
    fn partition(&self, ends: &LogEnds) -> Partition {
        let life = self.history.generations.iter().rfind(|life| life.topic == ends.topic);
        let generation = life.map_or(1, |life| life.generation);
        Partition { topic: ends.topic.clone(), generation, partition: ends.partition }
    }

    /// Topics that Kafka has in another life than the archive.
    fn made_again(&self) -> Result<Vec<String>, Failure> {
        let Some((_, kafka)) = &self.logs else { return Ok(Vec::new()) };
        let mut again = Vec::new();
        for topic in &self.loaded.settings.kafka.topics {
            let now = kafka.look(topic)?.and_then(|looked| looked.id);
            if open::is_made_again(&self.history, topic, now.as_ref()) {
                again.push(topic.clone());
            }
        }
        Ok(again)
    }

    /// What is on its way gets a while to arrive.
    fn wait_for(&self, ends: &[LogEnds], wait: Duration) -> Result<(), Failure> {
        let partitions: Vec<Partition> = ends.iter().map(|ends| self.partition(ends)).collect();
        let started = Instant::now();
        loop {
            let next = self.archive.next_offsets(&partitions)?;
            let there = next.iter().zip(ends).all(|(next, ends)| next.unwrap_or(0) >= ends.end);
            if there || started.elapsed() > wait {
                return Ok(());
            }
            thread::sleep(LOOK.min(wait));
        }
    }

    fn kafka(&self, ends: Vec<LogEnds>) -> Result<Vec<LogAccount>, Failure> {
        let Some((logs, _)) = &self.logs else { return Ok(Vec::new()) };
        let next = |partition: &str| self.account.partitions.get(partition).map_or(0, PartitionAccount::next);
        let is_past = |ends: &LogEnds| next(&self.partition(ends).to_string()) > ends.end;
        let now = if ends.iter().any(is_past) { self.ends()?.unwrap_or_default() } else { Vec::new() };
        let account = |ends: LogEnds| {
            let partition = self.partition(&ends).to_string();
            let next = next(&partition);
            let ends = open::beside(ends, &now, next);
            // What is deleted already cannot be looked at.
            let from = next.max(ends.low);
            let unarchived = if from < ends.end {
                logs.first_message(&ends.topic, ends.partition, from)?.filter(|first| *first < ends.end)
            } else {
                None
            };
            Ok(LogAccount { partition, low: ends.low, end: ends.end, next, unarchived })
        };
        ends.into_iter().map(account).collect()
    }

    fn index(&self, wait: Duration) -> Result<Option<IndexAccount>, Failure> {
        let store = opening::index(self.loaded)?;
        if !store.exists()? {
            return Ok(None);
        }
        let all = parse("(type:* OR is:quarantined) NOT is:gap", &TimeZone::UTC).map_err(Failure::failed)?;
        let started = Instant::now();
        loop {
            let searcher = Searcher::open(&store, self.archive.clone(), Settings::default())?;
            let count = searcher.count(&all)?;
            let through = Some(count.through_version);
            if through >= self.account.version || started.elapsed() > wait {
                return Ok(Some(IndexAccount {
                    through_version: count.through_version,
                    records: count.copies,
                    duplicates: count.copies - count.total,
                }));
            }
            thread::sleep(LOOK.min(wait));
        }
    }

    /// A line when something changes, until it is told to stop. Sessions are left out: they need
    /// the whole archive each time.
    fn watch(&mut self, every: Duration, wait: Duration, as_json: bool) -> Done {
        let stop = run::stop_on_signal()?;
        let mut last = None;
        while !stop.is_stopped() {
            let found = self.ask(wait, false)?;
            let line = print::line(&found);
            if as_json {
                let text = json!({ "version": found.archive.version, "records": found.archive.records, "unexplained": found.unexplained });
                outln!("{text}");
            } else if last.as_ref() != Some(&line) {
                outln!("{} {line}", utc(now_us()));
            }
            last = Some(line);
            let started = Instant::now();
            while started.elapsed() < every && !stop.is_stopped() {
                thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A time in UTC; `?` where no calendar has it.
fn utc(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| "?".to_owned(), |time| time.to_string())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("reading {bar:30} {pos}/{len} batches, {eta} left") {
        bar.set_style(style);
    }
    bar
}
