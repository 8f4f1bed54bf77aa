//! A worker in a process of its own, as who started it sees it.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use custody_ingest::Stop;

use super::broker::Broker;
use super::child::{Told, Work};
use super::cost::now_us;
use super::folder::Place;
use super::go_on;
use crate::failure::{Done, Failure};

/// The hidden command that is this worker.
const COMMAND: &str = "bench-worker";
/// A worker that tells nothing for so long is not measured any more.
const SILENT_MAX: Duration = Duration::from_secs(300);
/// How soon it is seen that the bench was asked to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A batch that was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Archived {
    pub(super) at_us: u64,
    pub(super) version: u64,
    pub(super) records: u64,
}

/// What a worker has told so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) subscribed_us: Option<u64>,
    pub(super) reading_us: Option<u64>,
    pub(super) batches: Vec<Archived>,
    pub(super) records: u64,
    pub(super) lost: u64,
    pub(super) quarantined: u64,
    /// CPU time, and the most memory.
    pub(super) ended: Option<(u64, Option<u64>)>,
}

impl Seen {
    fn see(&mut self, told: Told) {
        match told {
            Told::Subscribed { at_us } => self.subscribed_us = Some(at_us),
            Told::Reading { at_us } => self.reading_us = Some(at_us),
            Told::Committed { at_us, version, records, quarantined, lost } => {
                self.batches.push(Archived { at_us, version, records });
                self.records += records;
                self.lost += lost;
                self.quarantined += quarantined;
            }
            Told::Ended { cpu_ns, rss_bytes_max } => self.ended = Some((cpu_ns, rss_bytes_max)),
        }
    }

    /// That exactly so many events came, each of which could be decoded.
    pub(super) fn require(&self, events: u64) -> Done {
        let Seen { records, lost, quarantined, .. } = self;
        if (*records, *lost, *quarantined) == (events, 0, 0) {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{records} of {events} events were archived, {lost} were lost in the broker, {quarantined} could \
             not be decoded: this run has no figures; was anything else published to the topic, or deleted?"
        )))
    }
}

/// What a worker took in all.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) started_us: u64,
    pub(super) seen: Seen,
    pub(super) cpu: Duration,
    pub(super) rss_bytes_max: Option<u64>,
}

/// A worker that runs; it ends with this.
pub(super) struct Worker {
    child: Child,
    /// Closing it asks the worker to end.
    input: Option<ChildStdin>,
    told: Receiver<Result<Told, String>>,
    stop: Stop,
    started_us: u64,
    pub(super) seen: Seen,
}

impl Worker {
    /// Starts one that archives the broker's topic in a place, on these CPUs.
    pub(super) fn start(
        broker: &Broker,
        place: &Place,
        cpus: &[usize],
        until: Option<u64>,
        stop: &Stop,
    ) -> Result<Worker, Failure> {
        let work = Work {
            brokers: broker.address.clone(),
            topic: broker.topic.clone(),
            // Nobody else is in it.
            group: format!("custody-bench-{}", uuid::Uuid::now_v7()),
            properties: broker.properties.clone(),
            archive: place.archive_path(),
            index: place.index_path(),
            cpus: cpus.to_vec(),
            until,
        };
        let failed = |e: std::io::Error| Failure::failed(format!("cannot start a worker: {e}"));
        let mut line = serde_json::to_vec(&work).map_err(Failure::failed)?;
        line.push(b'\n');
        let started_us = now_us();
        let mut command = Command::new(env::current_exe().map_err(failed)?);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (mut input, output) = (child.stdin.take(), child.stdout.take());
        let (sender, told) = channel();
        if let Some(output) = output {
            thread::spawn(move || pass_on(BufReader::new(output), &sender));
        }
        // From here on it is ended whatever happens.
        let written = input.as_mut().map_or(Ok(()), |input| input.write_all(&line));
        let worker = Worker { child, input, told, stop: stop.clone(), started_us, seen: Seen::default() };
        written.map_err(failed)?;
        Ok(worker)
    }

    /// Waits until `enough` of what it has told.
    pub(super) fn wait(&mut self, enough: impl Fn(&Seen) -> bool) -> Done {
        let mut heard = Instant::now();
        while !enough(&self.seen) {
            go_on(&self.stop)?;
            match self.told.recv_timeout(LOOK) {
                Ok(told) => {
                    let told = told.map_err(|e| Failure::failed(format!("a worker cannot be read: {e}")))?;
                    self.seen.see(told);
                    heard = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) if heard.elapsed() < SILENT_MAX => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::failed(format!(
                        "the worker archived nothing for {} s, after {} events",
                        SILENT_MAX.as_secs(),
                        self.seen.records
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map(|status| status.to_string()).unwrap_or_default();
                    return Err(Failure::failed(format!(
                        "the worker ended early, after {} events ({status}); it said why above",
                        self.seen.records
                    )));
                }
            }
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has: everything is archived and indexed then.
    pub(super) fn end(mut self) -> Result<Taken, Failure> {
        self.input = None;
        self.ended()
    }

    /// Waits until it ends by itself.
    pub(super) fn ended(mut self) -> Result<Taken, Failure> {
        self.wait(|seen| seen.ended.is_some())?;
        let status =
            self.child.wait().map_err(|e| Failure::failed(format!("cannot wait for a worker: {e}")))?;
        if !status.success() {
            return Err(Failure::failed(format!("the worker ended with {status}; it said why above")));
        }
        let (cpu_ns, rss_bytes_max) = self.seen.ended.unwrap_or_default();
        Ok(Taken {
            started_us: self.started_us,
            seen: std::mem::take(&mut self.seen),
            cpu: Duration::from_nanos(cpu_ns),
            rss_bytes_max,
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and that is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(lines: impl BufRead, to: &Sender<Result<Told, String>>) {
    for line in lines.lines() {
        let told = line.map_err(|e| e.to_string());
        let told = told.and_then(|line| serde_json::from_str(&line).map_err(|e| format!("{e}: {line:?}")));
        if to.send(told).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_adds_up() {
        let (sender, told) = channel();
        let commit =
            |version, records, lost| Told::Committed { at_us: 5, version, records, quarantined: 0, lost };
        let all = [Told::Reading { at_us: 4 }, commit(1, 7, 0), commit(2, 3, 0)];
        let lines: Vec<String> = all.iter().map(|told| serde_json::to_string(told).unwrap()).collect();
        pass_on(lines.join("\n").as_bytes(), &sender);
        drop(sender);
        let mut seen = Seen::default();
        told.into_iter().for_each(|told| seen.see(told.unwrap()));
        assert_eq!((seen.reading_us, seen.records, seen.batches.len()), (Some(4), 10, 2));
        seen.require(10).unwrap();
        assert!(seen.require(11).is_err());
        seen.see(commit(3, 0, 1));
        assert!(seen.require(10).unwrap_err().to_string().contains("1 were lost"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let (sender, told) = channel();
        pass_on("what\n".as_bytes(), &sender);
        assert!(told.recv().unwrap().is_err());
    }
}
