//! The words of splits, remembered: whoever asks for an ending, or for something within words, has to
//! look at all of them, and a dictionary is slow to walk through.
//!
//! Made by the first search that needs all words of a split, and given up when others are asked for more
//! lately. What is remembered never decides an answer: where there is no room, or somebody else is at
//! it, the dictionary is walked through.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tantivy::Index;
use tantivy::index::InvertedIndexReader;

use crate::schema::Fields;
use crate::stop::{Stop, Walk};

mod list;
mod terms;
#[cfg(test)]
mod tests;

pub(crate) use list::List;
use list::Making;
use terms::Terms;

/// What a word takes, about: to know beforehand. Small where tests have little.
const WORD_BYTES: usize = if cfg!(test) { 2 } else { 10 };

/// How much more is asked for when that was too little.
const MORE_BYTES: usize = if cfg!(test) { 2 } else { 1 << 20 };

/// Splits whose words are not remembered, of which it is known when they were asked for.
const ASKED_MAX: usize = if cfg!(test) { 4 } else { 65_536 };

/// What a searcher remembers.
pub(crate) struct Vocabularies {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts what is asked.
    now: u64,
    known: HashMap<Arc<str>, Known>,
    /// Others that were asked for.
    asked: HashMap<Arc<str>, Asked>,
    /// Of all known, and of what is being made.
    bytes: usize,
}

struct Known {
    /// Absent while a search makes it.
    list: Option<Arc<List>>,
    bytes: usize,
    used: u64,
}

#[derive(Default, Clone, Copy)]
struct Asked {
    last: u64,
    /// Nobody tries again: they take more than there may be, or cannot be remembered.
    refused: bool,
}

/// The words of one split.
#[derive(Clone)]
pub(crate) struct Vocabulary {
    all: Arc<Vocabularies>,
    split: Arc<str>,
    index: Index,
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocabulary({})", self.split)
    }
}

impl Vocabularies {
    pub(crate) fn new(bytes_max: usize) -> Arc<Vocabularies> {
        Arc::new(Vocabularies { bytes_max, state: Mutex::default() })
    }

    /// Those of a split, which is an index of its own.
    pub(crate) fn of(self: &Arc<Self>, split: &str, index: &Index) -> Vocabulary {
        Vocabulary { all: self.clone(), split: split.into(), index: index.clone() }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Nothing is done while it is locked that could fail halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Vocabularies {
    /// How many splits it remembers, and the bytes they take.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.locked();
        (state.known.values().filter(|known| known.list.is_some()).count(), state.bytes)
    }

    pub(crate) fn forget(&self) {
        *self.locked() = State::default();
    }
}

impl State {
    fn known(&mut self, split: &str) -> Option<&Known> {
        self.now += 1;
        let known = self.known.get_mut(split)?;
        known.used = self.now;
        Some(known)
    }

    /// Takes room for more bytes, if need be from splits that were not used since `since`.
    fn take(&mut self, bytes: usize, bytes_max: usize, since: u64) -> bool {
        let idle = |known: &&Known| known.used < since && known.list.is_some();
        let needed = (self.bytes.saturating_add(bytes)).saturating_sub(bytes_max);
        if self.known.values().filter(idle).map(|known| known.bytes).sum::<usize>() < needed {
            return false;
        }
        while self.bytes.saturating_add(bytes) > bytes_max {
            let idle = self.known.iter().filter(|(_, known)| idle(known));
            let Some((split, _)) = idle.min_by_key(|(_, known)| known.used) else { return false };
            let split = split.clone();
            self.bytes -= self.known.remove(&split).map_or(0, |known| known.bytes);
        }
        self.bytes += bytes;
        true
    }
}

impl Vocabulary {
    /// What is remembered of them.
    pub(crate) fn known(&self) -> Option<Arc<List>> {
        self.all.locked().known(&self.split)?.list.clone()
    }

    /// The same, made if it is not there and there is room: `None` means that the dictionary has to be
    /// walked through.
    ///
    /// # Errors
    ///
    /// When the search has to give up.
    pub(crate) fn made(
        &self,
        index: &InvertedIndexReader,
        stop: &Stop,
    ) -> tantivy::Result<Option<Arc<List>>> {
        let reserved = {
            let mut state = self.all.locked();
            if let Some(known) = state.known(&self.split) {
                return Ok(known.list.clone());
            }
            self.reserve(&mut state, index.terms().num_terms())
        };
        reserved.map_or(Ok(None), |reserved| reserved.make(index, stop))
    }

    /// Room for the words of so many terms, while nobody else makes the same.
    fn reserve(&self, state: &mut State, terms: usize) -> Option<Reserved<'_>> {
        let bytes = terms.saturating_mul(WORD_BYTES);
        if state.asked.len() >= ASKED_MAX {
            state.asked.clear();
        }
        let (now, asked) = (state.now, state.asked.entry(self.split.clone()).or_default());
        // What was used since this was asked for last is as likely to be asked for next: of more splits
        // than there is room for some stay, while each would drive out the next.
        let since = std::mem::replace(&mut asked.last, now);
        if asked.refused || !state.take(bytes, self.all.bytes_max, since) {
            return None;
        }
        state.known.insert(self.split.clone(), Known { list: None, bytes, used: now });
        Some(Reserved { of: self, bytes, since })
    }
}

/// Room for words that are being made, given back when they are not.
struct Reserved<'v> {
    of: &'v Vocabulary,
    bytes: usize,
    since: u64,
}

impl Reserved<'_> {
    fn make(mut self, index: &InvertedIndexReader, stop: &Stop) -> tantivy::Result<Option<Arc<List>>> {
        let Some(terms) = Terms::open(&self.of.index, Fields::new().text) else {
            self.refuse();
            return Ok(None);
        };
        let (mut making, mut walk) = (Making::with_room(self.bytes), Walk::new(stop));
        let whole = terms.each(|ord, term| {
            walk.step()?;
            let bytes = making.bytes_with(term);
            if bytes > self.bytes {
                if !self.more(bytes - self.bytes) {
                    return Ok(false);
                }
                making.make_room(self.bytes);
            }
            let added = making.add(ord, term);
            if !added {
                self.refuse();
            }
            Ok(added)
        })?;
        if !whole {
            return Ok(None);
        }
        let (list, terms) = making.made();
        if terms != index.terms().num_terms() {
            self.refuse();
            return Ok(None);
        }
        Ok(Some(self.keep(list)))
    }

    /// Whether there is room for more.
    fn more(&mut self, bytes: usize) -> bool {
        let (all, bytes) = (&self.of.all, bytes.max(MORE_BYTES));
        if self.bytes.saturating_add(bytes) > all.bytes_max {
            // Alone they would not fit either.
            self.refuse();
            return false;
        }
        let taken = all.locked().take(bytes, all.bytes_max, self.since);
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    fn refuse(&self) {
        self.of.all.locked().asked.entry(self.of.split.clone()).or_default().refused = true;
    }

    fn keep(mut self, list: List) -> Arc<List> {
        let (list, bytes) = (Arc::new(list), std::mem::take(&mut self.bytes));
        let mut state = self.of.all.locked();
        let known = Known { list: Some(list.clone()), bytes: list.bytes(), used: state.now };
        state.bytes = state.bytes - bytes + known.bytes;
        state.asked.remove(&self.of.split);
        state.known.insert(self.of.split.clone(), known);
        list
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut state = self.of.all.locked();
        state.bytes -= self.bytes;
        if state.known.get(&self.of.split).is_some_and(|known| known.list.is_none()) {
            state.known.remove(&self.of.split);
        }
    }
}
