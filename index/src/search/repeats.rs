//! Which documents may have other deliveries, worked out once for many searches.
//!
//! A search must tell deliveries of one event from one another, and hardly any event has several.
//! What is remembered here is a filter of all identities of the index and one of those that were
//! met twice; of each split the documents that the second lets pass. All others stand alone,
//! whatever is searched for.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::docs::Docs;
use super::events::Filter;
use super::run::Run;
use super::seen::Seen;
use crate::error::Error;
use crate::split::OpenSplit;

/// Fewer matches are told apart sooner than it is found out whether they have to be.
const WORTH_MATCHES: u64 = if cfg!(test) { 1 } else { 20_000 };
/// Bits for each identity, where memory allows.
const BITS_EACH: u64 = 16;
/// What fits into a processor's cache.
const FEW_BITS: u64 = 1 << 21;
/// Identities that are held in place of a match.
const HELD_EACH: usize = 2;
/// Identities read at once.
const BLOCK: usize = 4_096;

/// What a searcher remembers.
#[derive(Default)]
pub(super) struct Repeats(Mutex<State>);

#[derive(Default)]
struct State {
    known: Option<Known>,
    /// Matches that were told apart without it since it was last brought up to date.
    owed: u64,
}

/// The index that a search is part of.
pub(super) struct Whole<F> {
    pub(super) through_version: u64,
    pub(super) docs: u64,
    /// Opens all of its splits.
    pub(super) open: F,
}

struct Known {
    through_version: u64,
    /// How many documents there are through that version, and for how many there is room.
    docs: u64,
    room: u64,
    seen: Seen,
    twice: Filter,
    /// The same in less: most identities are known by it not to be there, without waiting for memory.
    few: Filter,
    /// Counts how often `twice` has grown.
    grown: u64,
    /// By split, and how often `twice` had grown by then.
    splits: HashMap<String, (u64, Arc<Docs>)>,
}

impl Repeats {
    /// The documents of the run's splits that may have other deliveries anywhere in the index.
    /// `None` when it is not worth finding out: that takes as long as telling as many matches
    /// apart as there are new documents, so it is done once so many had to be told apart.
    pub(super) fn of<F>(
        &self,
        run: &Run<'_>,
        matches: u64,
        held_max: usize,
        whole: Whole<F>,
    ) -> Result<Option<Vec<Arc<Docs>>>, Error>
    where
        F: FnOnce() -> Result<Vec<Arc<OpenSplit>>, Error>,
    {
        if matches < WORTH_MATCHES {
            return Ok(None);
        }
        let Some(mut state) = unless_busy(&self.0) else { return Ok(None) };
        let known = state.known.as_ref().map(|known| (known.through_version, known.docs));
        if known.is_none_or(|(through, _)| through < whole.through_version) {
            state.owed = state.owed.saturating_add(matches);
            if state.owed < whole.docs.saturating_sub(known.map_or(0, |(_, docs)| docs)) {
                return Ok(None);
            }
            let splits = (whole.open)()?;
            let all = Run { splits: &splits, ..*run };
            // Half of an update would be worth nothing: it is put back when it is whole.
            let known = state.known.take();
            state.known = Some(Known::through(known, &all, whole.through_version, whole.docs, held_max)?);
            state.owed = 0;
        }
        let Some(known) = &mut state.known else { return Ok(None) };
        known.of(run).map(Some)
    }
}

/// What is remembered, unless another search works on it: nobody waits for another's work. Where one
/// gave up in the middle of it, nothing is.
pub(super) fn unless_busy<T: Default>(remembered: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match remembered.try_lock() {
        Ok(state) => Some(state),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(poisoned)) => {
            let mut state = PoisonError::into_inner(poisoned);
            *state = T::default();
            remembered.clear_poison();
            Some(state)
        }
    }
}

#[cfg(test)]
impl Repeats {
    /// How many documents it has looked at.
    pub(super) fn docs_known(&self) -> u64 {
        self.0.lock().unwrap().known.as_ref().map_or(0, |known| known.docs)
    }
}

impl Known {
    fn with_room(room: u64, held_max: usize) -> Known {
        let most = (held_max as u64).saturating_mul(16 * 8);
        let bits = room.saturating_mul(BITS_EACH).min(most);
        Known {
            through_version: 0,
            docs: 0,
            room,
            seen: Seen::new(bits),
            twice: Filter::new(bits / 8, 1),
            few: Filter::new(FEW_BITS.min(bits / 8), 2),
            grown: 0,
            splits: HashMap::new(),
        }
    }

    /// Brought up to a version of the index.
    fn through(
        known: Option<Known>,
        run: &Run<'_>,
        version: u64,
        docs: u64,
        held_max: usize,
    ) -> Result<Known, Error> {
        let known = known.filter(|known| docs <= known.room);
        let after = known.as_ref().map(|known| known.through_version);
        let mut known = known.unwrap_or_else(|| Known::with_room(docs.saturating_mul(2), held_max));
        let mut grown = false;
        let first = |at: usize| after.map_or(0, |version| run.splits[at].end_at(version));
        for some in together(run, first, held_max) {
            grown |= known.meet(run, &some, first)?;
        }
        known.grown += u64::from(grown);
        (known.through_version, known.docs) = (version, docs);
        let there: HashSet<&str> = run.splits.iter().map(|split| &*split.shown).collect();
        known.splits.retain(|shown, _| there.contains(&**shown));
        Ok(known)
    }

    fn met_twice(&self, identity: u64) -> bool {
        self.few.has(identity) && self.twice.has(identity)
    }

    /// Adds the identities of some splits from a first document on; whether more were met twice.
    fn meet(
        &self,
        run: &Run<'_>,
        splits: &[usize],
        first: impl Fn(usize) -> u32 + Sync,
    ) -> Result<bool, Error> {
        let (mut parted, mut grown) = (Vec::with_capacity(splits.len()), false);
        let part = |at: usize| {
            let split = &run.splits[at];
            let mut all = Vec::with_capacity(split.footer.docs.saturating_sub(first(at)) as usize);
            identities_of(run, split, first(at), |_, identities| all.extend_from_slice(identities))?;
            Ok(self.seen.parted(&all))
        };
        run.each(splits, part, |_, split| parted.push(split))?;
        let pieces: Vec<usize> = (0..self.seen.pieces()).collect();
        let add = |piece: usize| {
            let mut grown = false;
            self.seen.add(piece, parted.iter(), |identity| {
                self.few.add(identity);
                grown |= !self.twice.add(identity);
            });
            Ok(grown)
        };
        run.each(&pieces, add, |_, more| grown |= more)?;
        Ok(grown)
    }

    fn of(&mut self, run: &Run<'_>) -> Result<Vec<Arc<Docs>>, Error> {
        let known = &*self;
        let found = run.all(|at| {
            let split = &run.splits[at];
            if let Some((grown, docs)) = known.splits.get(&split.shown)
                && *grown == known.grown
            {
                return Ok(docs.clone());
            }
            let (mut docs, mut block) = (Docs::none(split.footer.docs), Vec::new());
            identities_of(run, split, 0, |first, identities| {
                let both = (first..).zip(identities);
                block.clear();
                block.extend(both.filter(|(_, identity)| known.met_twice(**identity)).map(|(doc, _)| doc));
                docs.add(&block);
            })?;
            Ok(Arc::new(docs))
        })?;
        for (split, docs) in run.splits.iter().zip(&found) {
            self.splits.insert(split.shown.clone(), (self.grown, docs.clone()));
        }
        Ok(found)
    }
}

/// The splits with documents from their first on, so many together that these can be held.
fn together(run: &Run<'_>, first: impl Fn(usize) -> u32, held_max: usize) -> Vec<Vec<usize>> {
    let (mut out, mut held) = (Vec::<Vec<usize>>::new(), 0_usize);
    for (at, split) in run.splits.iter().enumerate() {
        let docs = split.footer.docs.saturating_sub(first(at)) as usize;
        if docs == 0 {
            continue;
        }
        held = held.saturating_add(docs);
        match out.last_mut().filter(|_| held <= held_max.saturating_mul(HELD_EACH)) {
            Some(last) => last.push(at),
            None => {
                held = docs;
                out.push(vec![at]);
            }
        }
    }
    out
}

/// Hands out the identities of a split's documents from `first` on, with the number of the first of
/// each block.
fn identities_of(
    run: &Run<'_>,
    split: &OpenSplit,
    first: u32,
    mut each: impl FnMut(u32, &[u64]),
) -> Result<(), Error> {
    let mut identities = Vec::new();
    for start in (first..split.footer.docs).step_by(BLOCK) {
        run.stop.check()?;
        split.identities_from(start, BLOCK, &mut identities);
        each(start, &identities);
    }
    Ok(())
}
