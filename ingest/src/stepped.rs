//! A worker that does nothing by itself: for simulations, in which everything happens in an order
//! that can be repeated.

use std::sync::Arc;

use custody_archive::{Clock, Sealed, Writer};

use crate::commits::Inline;
use crate::committer::{Committer, OnCommit, Outcome};
use crate::consume::{Ids, Loop, Parts};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::source::Source;
use crate::worker::WorkerSettings;

type Archive = Box<dyn FnMut(Sealed) -> Outcome>;

/// The loop and the commits of a [`Worker`](crate::Worker), each moved by its caller. Dropping it is
/// killing it.
pub struct Stepped<S> {
    state: Loop<S, Inline<Archive>>,
    parts: Arc<Parts<S>>,
}

impl<S: Source> Stepped<S> {
    /// A worker with everything from outside: time, events, store and the ids of batches.
    pub fn new(
        source: S,
        settings: WorkerSettings,
        writer: Writer,
        metrics: Arc<Metrics>,
        on_commit: OnCommit,
        clock: Arc<dyn Clock>,
        ids: Ids,
    ) -> Self {
        let committer =
            Committer::new(writer, settings.retry_age_max, metrics.clone(), on_commit, clock.clone());
        let committer = Arc::new(committer);
        let parts = Arc::new(Parts { settings, source, committer: committer.clone(), metrics, clock, ids });
        let archive: Archive = Box::new(move |sealed| committer.archive(sealed));
        Stepped { state: Loop::new(parts.clone(), Inline::new(archive)), parts }
    }

    /// Once around the loop.
    ///
    /// # Errors
    ///
    /// What ends a worker.
    pub fn step(&mut self) -> Result<(), Error> {
        self.state.step()
    }

    /// One commit, if a sealed batch waits; `false` if none does.
    pub fn commit(&mut self) -> bool {
        self.state.commits.commit()
    }

    /// Sealed batches that wait for a commit.
    pub fn waiting(&self) -> usize {
        self.state.commits.waiting()
    }

    /// Seals, commits and leaves, as a worker does that is asked to end.
    ///
    /// # Errors
    ///
    /// What ends a worker.
    pub fn finish(mut self) -> Result<(), Error> {
        self.state.finish()
    }

    /// Where events come from.
    pub fn source(&self) -> &S {
        &self.parts.source
    }
}
