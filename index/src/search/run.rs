//! One search over its splits: by several threads, within its time (see `stop`).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use custody_archive::at_once;

use crate::damage::guarded;
use crate::error::Error;
use crate::manifest::Folder;
use crate::split::OpenSplit;
pub use crate::stop::Cancel;
pub(super) use crate::stop::Stop;

/// Measures one step after another.
pub(super) struct Watch(Instant);

impl Watch {
    pub(super) fn start() -> Watch {
        Watch(Instant::now())
    }

    /// Microseconds since the step before.
    pub(super) fn lap_us(&mut self) -> u64 {
        let lap = std::mem::replace(&mut self.0, Instant::now()).elapsed();
        u64::try_from(lap.as_micros()).unwrap_or(u64::MAX)
    }
}

/// The splits of a search and how they are worked through.
pub(super) struct Run<'s> {
    pub(super) folder: &'s Folder,
    pub(super) splits: &'s [Arc<OpenSplit>],
    pub(super) threads: usize,
    pub(super) stop: &'s Stop,
}

impl Run<'_> {
    /// Does the same for every split of `order`, by several threads that take the next one each,
    /// and hands the results over on the caller's thread, in no order.
    ///
    /// # Errors
    ///
    /// The first; `Corrupt` when the work gave up on what it read.
    pub(super) fn each<T: Send>(
        &self,
        order: &[usize],
        work: impl Fn(usize) -> Result<T, Error> + Sync,
        mut take: impl FnMut(usize, T),
    ) -> Result<(), Error> {
        let threads = NonZeroUsize::new(self.threads.min(order.len())).unwrap_or(NonZeroUsize::MIN);
        let begun = AtomicUsize::new(0);
        let next = || {
            let at = *order.get(begun.fetch_add(1, Ordering::Relaxed))?;
            // What is on another thread is not guarded by the search's own guard.
            let done = self.stop.check().and_then(|()| guarded(self.folder, || work(at)));
            Some(done.map(|done| (at, done)))
        };
        at_once(threads, next, |(at, done)| take(at, done))
    }

    /// [`Run::each`] of all splits, the results in their order.
    pub(super) fn all<T: Send>(
        &self,
        work: impl Fn(usize) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let order: Vec<usize> = (0..self.splits.len()).collect();
        let mut done = Vec::with_capacity(order.len());
        self.each(&order, work, |at, result| done.push((at, result)))?;
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}
