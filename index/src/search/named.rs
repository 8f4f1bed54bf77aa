//! Whom and what the documents of a split name, remembered: facets then read two numbers a document
//! in place of every list of the index.
//!
//! Documents that name the same parties share a set of them; there are far fewer sets than documents.
//! Names have numbers of their own over all splits. Takes about 8 bytes for each document and what
//! names and sets take, within [`Settings::facets_bytes_max`](crate::Settings::facets_bytes_max).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;

use super::docs::Docs;
use super::facets::Best;
use super::repeats::unless_busy;
use super::run::Run;
use crate::error::Error;
use crate::schema::Fields;

mod read;

use read::{NONE, OfSplit};

/// Of what there are names: the places of what is counted of each.
pub(super) const PARTICIPANTS: usize = 0;
pub(super) const DOMAINS: usize = 1;
pub(super) const CONVERSATIONS: usize = 2;

/// What a searcher remembers.
pub(super) struct Named {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Facets were asked for: whoever asks once does not wait for what only pays when asked again.
    asked: bool,
    names: [Names; 3],
    splits: HashMap<String, Arc<OfSplit>, RandomState>,
    /// So many documents were too many to remember.
    too_many: Option<u64>,
}

/// Names and their numbers.
#[derive(Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    names: Vec<Arc<str>>,
    bytes: usize,
}

/// What a name takes beside its text: twice a pointer with its length, counts, a place in the map.
const NAME_BYTES: usize = 64;

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (Arc::<str>::from(name), u32::try_from(self.names.len()).unwrap_or(NONE));
        self.bytes += name.len() + NAME_BYTES;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn best(&self, counts: &[u64], top: usize) -> Best {
        let mut best = Best::new(top);
        self.names.iter().zip(counts).for_each(|(name, count)| best.offer(name, *count));
        best
    }
}

impl Named {
    pub(super) fn new(bytes_max: usize) -> Named {
        Named { bytes_max, state: Mutex::default() }
    }

    /// The most frequent participants, domains and conversations of some events; `None` when it is
    /// not remembered what they name.
    pub(super) fn best(
        &self,
        run: &Run<'_>,
        fields: &Fields,
        firsts: &[Docs],
        top: usize,
    ) -> Result<Option<[Best; 3]>, Error> {
        let Some(mut state) = unless_busy(&self.state) else { return Ok(None) };
        let again = std::mem::replace(&mut state.asked, true);
        if !again || !state.remember(run, fields, firsts, self.bytes_max)? {
            return Ok(None);
        }
        let state = &*state;
        let order: Vec<usize> = (0..run.splits.len()).filter(|at| firsts[*at].len() > 0).collect();
        let of = |at: usize| state.splits.get(&run.splits[at].shown);
        let mut counts = [0, 1, 2].map(|kind: usize| vec![0_u64; state.names[kind].names.len()]);
        let count = |at: usize| of(at).map(|split| split.count(run, &firsts[at])).transpose();
        run.each(&order, count, |at, counted| {
            if let (Some(split), Some(counted)) = (of(at), counted) {
                split.add(&counted, &mut counts);
            }
        })?;
        let best = |kind: usize| state.names[kind].best(&counts[kind], top);
        Ok(Some([best(PARTICIPANTS), best(DOMAINS), best(CONVERSATIONS)]))
    }

    /// How many splits it remembers.
    #[cfg(test)]
    pub(super) fn splits(&self) -> usize {
        self.state.lock().unwrap().splits.len()
    }
}

/// What a document takes, with the names and sets of its split, about: to know beforehand.
const DOC_BYTES: u64 = 12;

impl State {
    /// Whether all splits with something are remembered now.
    fn remember(
        &mut self,
        run: &Run<'_>,
        fields: &Fields,
        firsts: &[Docs],
        bytes_max: usize,
    ) -> Result<bool, Error> {
        let wanted: Vec<usize> = (0..run.splits.len()).filter(|at| firsts[*at].len() > 0).collect();
        let docs: u64 = wanted.iter().map(|at| u64::from(run.splits[*at].footer.docs)).sum();
        if self.too_many.is_some_and(|too_many| docs >= too_many) || docs * DOC_BYTES > bytes_max as u64 {
            return Ok(false);
        }
        let missing = |state: &State| -> Vec<usize> {
            wanted.iter().copied().filter(|at| !state.splits.contains_key(&run.splits[*at].shown)).collect()
        };
        let new: u64 =
            missing(self).iter().map(|at| u64::from(run.splits[*at].footer.docs) * DOC_BYTES).sum();
        if self.bytes() as u64 + new > bytes_max as u64 {
            // What was merged away, or is of another time, makes room; names with it.
            let wanted: HashSet<&str> = wanted.iter().map(|at| &*run.splits[*at].shown).collect();
            self.splits.retain(|shown, _| wanted.contains(&**shown));
            if self.bytes() as u64 + new > bytes_max as u64 {
                (self.splits, self.names) = Default::default();
            }
        }
        let work = |at: usize| read::read(run, at, fields);
        let mut all = Vec::new();
        run.each(&missing(self), work, |at, read| all.push((at, read)))?;
        for (at, read) in all {
            let names = &mut self.names;
            let split = read.numbered(&mut |kind, name| names[kind].number(name));
            self.splits.insert(run.splits[at].shown.clone(), Arc::new(split));
        }
        if self.bytes() > bytes_max {
            // Long names, or a set for each document.
            *self = State { asked: true, too_many: Some(docs), ..State::default() };
            return Ok(false);
        }
        Ok(true)
    }

    fn bytes(&self) -> usize {
        let splits: usize = self.splits.values().map(|split| split.bytes()).sum();
        splits + self.names.iter().map(|names| names.bytes).sum::<usize>()
    }
}
