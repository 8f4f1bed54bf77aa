//! When a search gives up: its time is up, or somebody cancelled it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tantivy::TantivyError;

use crate::error::{Error, Kind};

/// Starts the message of a search that gave up, which has to pass through Tantivy as an error of its
/// own.
pub(crate) const STOPPED: &str = "custody stopped: ";

/// Steps of a walk after which it asks whether it may go on; few where tests have few.
const STEPS: u32 = if cfg!(test) { 3 } else { 4_096 };

/// Ends a search that runs on another thread. Clones end the same search.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The search gives up soon, with `Stopped`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Equal when they end the same search.
impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// When a search gives up. Once it has, it never goes on: whoever asks later is told the same. Clones
/// are of the same search.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    started: Instant,
    after: Option<Duration>,
    cancel: Option<Cancel>,
    #[cfg(test)]
    asked: Asked,
}

impl Stop {
    /// Within so many milliseconds from now; without a limit when absent.
    pub(crate) fn new(ms_max: Option<u64>, cancel: Option<Cancel>) -> Stop {
        Stop {
            started: Instant::now(),
            after: ms_max.map(Duration::from_millis),
            cancel,
            #[cfg(test)]
            asked: Asked::default(),
        }
    }

    /// Asked every few thousand steps.
    ///
    /// # Errors
    ///
    /// `Stopped` when the search took too long or was cancelled.
    pub(crate) fn check(&self) -> Result<(), Error> {
        #[cfg(test)]
        self.asked.once_more(self.cancel.as_ref());
        if self.cancel.as_ref().is_some_and(|cancel| cancel.0.load(Ordering::Relaxed)) {
            return Err(Error::new(Kind::Stopped, "the search was cancelled"));
        }
        let Some(after) = self.after.filter(|after| self.started.elapsed() >= *after) else { return Ok(()) };
        let message = format!(
            "the search was given up after {} ms: narrow the query by date, such as date:2024-01, or by a \
             participant, or allow it more time",
            after.as_millis()
        );
        Err(Error::new(Kind::Stopped, message))
    }

    /// The same in the middle of Tantivy.
    pub(crate) fn check_within(&self) -> tantivy::Result<()> {
        self.check().map_err(|error| TantivyError::InvalidArgument(format!("{STOPPED}{error}")))
    }
}

/// Counts the steps of a walk through a part of an index.
pub(crate) struct Walk<'s> {
    stop: &'s Stop,
    steps: u32,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(stop: &'s Stop) -> Walk<'s> {
        Walk { stop, steps: 0 }
    }

    pub(crate) fn stop(&self) -> &Stop {
        self.stop
    }

    /// Goes on by a step.
    ///
    /// # Errors
    ///
    /// What [`Error::tantivy`] makes `Stopped` of.
    pub(crate) fn step(&mut self) -> tantivy::Result<()> {
        self.steps += 1;
        if self.steps < STEPS {
            return Ok(());
        }
        self.steps = 0;
        self.stop.check_within()
    }
}

/// The same for what cannot fail: it ends early, as if there were nothing behind, and whoever goes
/// through it asks [`Stop::check`] at its end.
pub(crate) struct Bounded {
    stop: Stop,
    steps: u32,
    stopped: bool,
}

impl Bounded {
    pub(crate) fn new(stop: Stop) -> Bounded {
        Bounded { stop, steps: 0, stopped: false }
    }

    /// Goes on by so many steps; whether it must not.
    pub(crate) fn ends(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
        if self.steps >= STEPS {
            self.steps = 0;
            self.stopped |= self.stop.check().is_err();
        }
        self.stopped
    }

    /// What ended it, if anything did.
    pub(crate) fn check(&self) -> tantivy::Result<()> {
        if self.stopped { self.stop.check_within() } else { Ok(()) }
    }
}

/// Cancels a search of a test at the nth time that it asks.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
struct Asked {
    times: Arc<std::sync::atomic::AtomicU64>,
    at: Option<u64>,
}

#[cfg(test)]
impl Asked {
    fn once_more(&self, cancel: Option<&Cancel>) {
        let before = self.times.fetch_add(1, Ordering::Relaxed);
        if self.at == Some(before) {
            cancel.into_iter().for_each(Cancel::cancel);
        }
    }
}

#[cfg(test)]
impl Stop {
    /// Cancelled when it was asked so many times; never when absent.
    pub(crate) fn when_asked(times: Option<u64>) -> Stop {
        let mut stop = Stop::new(None, Some(Cancel::default()));
        stop.asked.at = times;
        stop
    }

    /// How often it was asked.
    pub(crate) fn times_asked(&self) -> u64 {
        self.asked.times.load(Ordering::Relaxed)
    }
}
