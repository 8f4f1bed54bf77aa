//! The way from the loop to the commits and back.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};

use custody_archive::Sealed;

use crate::committer::Outcome;
use crate::error::{Error, Kind};

/// Takes sealed batches one at a time and tells what became of them, in order.
pub(crate) trait Commits {
    /// Hands over; gives the batch back while another one waits.
    fn offer(&mut self, sealed: Sealed) -> Result<Option<Sealed>, Error>;
    /// The next outcome, if there is one already.
    fn outcome(&mut self) -> Result<Option<Outcome>, Error>;
    /// Hands over and waits until there is room.
    fn send(&mut self, sealed: Sealed) -> Result<(), Error>;
    /// Waits for the next outcome; something was handed over.
    fn wait(&mut self) -> Result<Outcome, Error>;
}

/// A thread of its own does the commits.
pub(crate) struct Channels {
    pub(crate) work: SyncSender<Sealed>,
    pub(crate) outcomes: Receiver<Outcome>,
}

impl Commits for Channels {
    fn offer(&mut self, sealed: Sealed) -> Result<Option<Sealed>, Error> {
        match self.work.try_send(sealed) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(sealed)) => Ok(Some(sealed)),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }

    fn outcome(&mut self) -> Result<Option<Outcome>, Error> {
        match self.outcomes.try_recv() {
            Ok(outcome) => Ok(Some(outcome)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ended()),
        }
    }

    fn send(&mut self, sealed: Sealed) -> Result<(), Error> {
        self.work.send(sealed).map_err(|_| ended())
    }

    fn wait(&mut self) -> Result<Outcome, Error> {
        self.outcomes.recv().map_err(|_| ended())
    }
}

pub(crate) fn ended() -> Error {
    Error::new(Kind::Unavailable, "the commit thread ended unexpectedly")
}

/// The caller's own thread does a commit when it is told to: everything happens in an order that
/// can be repeated.
pub(crate) struct Inline<F> {
    archive: F,
    /// As many as wait for the thread: one in work and one in the queue.
    waiting: VecDeque<Sealed>,
    done: VecDeque<Outcome>,
}

impl<F: FnMut(Sealed) -> Outcome> Inline<F> {
    pub(crate) fn new(archive: F) -> Self {
        Inline { archive, waiting: VecDeque::new(), done: VecDeque::new() }
    }

    /// Does the oldest commit that waits; `false` when none does.
    pub(crate) fn commit(&mut self) -> bool {
        let Some(sealed) = self.waiting.pop_front() else { return false };
        let outcome = (self.archive)(sealed);
        self.done.push_back(outcome);
        true
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl<F: FnMut(Sealed) -> Outcome> Commits for Inline<F> {
    fn offer(&mut self, sealed: Sealed) -> Result<Option<Sealed>, Error> {
        if self.waiting.len() >= 2 {
            return Ok(Some(sealed));
        }
        self.waiting.push_back(sealed);
        Ok(None)
    }

    fn outcome(&mut self) -> Result<Option<Outcome>, Error> {
        Ok(self.done.pop_front())
    }

    fn send(&mut self, sealed: Sealed) -> Result<(), Error> {
        match self.offer(sealed)? {
            None => Ok(()),
            Some(sealed) => {
                self.commit();
                self.send(sealed)
            }
        }
    }

    fn wait(&mut self) -> Result<Outcome, Error> {
        if self.done.is_empty() {
            self.commit();
        }
        self.done.pop_front().ok_or_else(ended)
    }
}
