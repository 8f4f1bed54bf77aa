//! Ingestion at full speed beside searches: one thread archives, one indexes, one takes up what is new.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use custody_cli::sim::SimSettings;
use custody_index::Searcher;
use jiff::Timestamp;

use super::Done;
use super::kept::{Kept, simulated};

/// Records of a commit: about what a worker seals in a second or less.
const COMMIT: usize = 20_000;
const REFRESHED: Duration = Duration::from_secs(1);

/// Does something while a second gateway's events come in from `start` on, and says how many did.
pub(crate) fn while_ingesting<T>(
    kept: &Kept,
    searcher: &Searcher,
    start: Timestamp,
    work: impl FnOnce() -> Done<T>,
) -> Done<T> {
    let settings = SimSettings { source: "//gw2.contoso.example".into(), seed: 2, start, ..simulated() };
    let mut appender = kept.appender(settings, 1)?;
    let mut indexer = kept.indexer()?;
    let (stop, indexed) = (AtomicBool::new(false), AtomicU64::new(0));
    let until_stopped = |step: &mut dyn FnMut() -> Done| -> Result<(), String> {
        while !stop.load(Ordering::Relaxed) {
            step().map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let started = Instant::now();
    let (done, archived) = thread::scope(|scope| {
        let archiving = scope.spawn(|| {
            until_stopped(&mut || appender.commit(COMMIT))?;
            Ok::<u64, String>(appender.offset)
        });
        let indexing = scope.spawn(|| {
            until_stopped(&mut || {
                let docs = indexer.catch_up()?.docs;
                indexed.fetch_add(docs, Ordering::Relaxed);
                Ok(())
            })
        });
        let refreshing = scope.spawn(|| {
            until_stopped(&mut || {
                searcher.refresh()?;
                thread::sleep(REFRESHED);
                Ok(())
            })
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let archived = joined(archiving.join())?;
        joined(indexing.join())?;
        joined(refreshing.join())?;
        Ok::<_, Box<dyn std::error::Error>>((done?, archived))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let indexed = indexed.into_inner();
    println!(
        "meanwhile {archived} events were archived and {indexed} indexed: {:.0} and {:.0} a second",
        archived as f64 / seconds,
        indexed as f64 / seconds
    );
    Ok(done)
}

fn joined<T>(ended: thread::Result<Result<T, String>>) -> Done<T> {
    ended.map_err(|_| "a thread beside the searches panicked")?.map_err(Into::into)
}
