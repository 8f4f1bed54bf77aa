//! What a search is run on: the splits of one state of the index, opened, and what runs over them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use custody_archive::at_once;

use super::collect::Matches;
use super::docs::Docs;
use super::events::Events;
use super::marks::{Among, Marks};
use super::repeats::Whole;
use super::run::{Run, Stop};
use super::{Searcher, TOO_OLD};
use crate::compile::Scoring;
use crate::damage::guarded;
use crate::error::{Error, Kind};
use crate::manifest::{Folder, Manifest, SplitMeta};
use crate::prune::may_match;
use crate::query::Query;
use crate::source::Source;
use crate::split::{OpenSplit, SPLIT_VERSION};

/// The splits that a query is run on, and what of them counts.
pub(super) struct Scope {
    pub(super) through_version: u64,
    pub(super) manifest: Arc<Manifest>,
    pub(super) splits: Vec<Arc<OpenSplit>>,
    pub(super) splits_pruned: usize,
    pub(super) marks: Marks,
}

impl<S: Source> Searcher<S> {
    pub(super) fn take_up(&self) -> Result<Arc<Manifest>, Error> {
        let manifest = Arc::new(newest(&self.folder)?);
        *self.manifest.lock().unwrap_or_else(PoisonError::into_inner) = manifest.clone();
        Ok(manifest)
    }

    pub(super) fn manifest(&self) -> Arc<Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn scope(
        &self,
        query: &Query,
        at_version: Option<u64>,
        number: Option<u64>,
        stop: &Stop,
    ) -> Result<Scope, Error> {
        let mut manifest = self.manifest();
        if let Some(number) = number {
            // Relevance is weighed against everything indexed at that time.
            if number != manifest.number {
                let gone = || Error::invalid(TOO_OLD);
                manifest = Arc::new(self.folder.read(number)?.ok_or_else(gone)?);
            }
            return self.scope_in(&manifest, query, at_version, stop).map_err(|e| match e.kind {
                // Its splits are removed before it is.
                Kind::Corrupt => Error::with(Kind::Invalid, TOO_OLD, e),
                _ => e,
            });
        }
        match self.scope_in(&manifest, query, at_version, stop) {
            // An indexer may have removed splits that it merged since.
            Err(e) if e.kind == Kind::Corrupt => {
                let newer = self.take_up()?;
                // The number does not tell: the index may have been made anew.
                if newer == manifest { Err(e) } else { self.scope_in(&newer, query, at_version, stop) }
            }
            scope => scope,
        }
    }

    pub(super) fn scope_in(
        &self,
        manifest: &Arc<Manifest>,
        query: &Query,
        at_version: Option<u64>,
        stop: &Stop,
    ) -> Result<Scope, Error> {
        let through = through(manifest)?;
        let through_version = at_version.unwrap_or(through);
        if through_version > through {
            let message =
                format!("the index is complete through version {through}, not {through_version} yet");
            return Err(Error::new(Kind::Retry, message));
        }
        let all: Vec<&SplitMeta> = manifest.splits.iter().collect();
        let searched: Vec<usize> = (0..all.len()).filter(|at| may_match(query, all[*at])).collect();
        let (splits, marks) = if Marks::asked(query) {
            // An edit may be in any of them.
            let joined = if searched.is_empty() { &[] } else { &all[..] };
            let splits = self.open_all(joined, stop)?;
            let marks = self.marks(query, manifest, &splits, &searched, through_version, stop)?;
            (searched.iter().map(|at| splits[*at].clone()).collect(), marks)
        } else {
            let wanted: Vec<&SplitMeta> = searched.iter().map(|at| all[*at]).collect();
            (self.open_all(&wanted, stop)?, Marks::default())
        };
        let splits_pruned = all.len() - searched.len();
        Ok(Scope { through_version, manifest: manifest.clone(), splits, splits_pruned, marks })
    }

    pub(super) fn marks(
        &self,
        query: &Query,
        manifest: &Manifest,
        splits: &[Arc<OpenSplit>],
        searched: &[usize],
        version: u64,
        stop: &Stop,
    ) -> Result<Marks, Error> {
        let (run, held_max) = (self.run_over(splits, stop), self.settings.matches_held_max);
        let told_apart = |all| self.told_apart(manifest, &run, all);
        let among = Among { run: &run, fields: &self.fields, version, searched, held_max };
        Marks::of(query, &among, told_apart)
    }

    /// The splits in their order; several are opened at once.
    pub(super) fn open_all(&self, wanted: &[&SplitMeta], stop: &Stop) -> Result<Vec<Arc<OpenSplit>>, Error> {
        let (folder, cache, words) = (&self.folder, &self.cache, &self.words);
        let locked = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut splits: Vec<_> = {
            let mut cache = locked();
            wanted.iter().map(|meta| cache.get(&meta.id)).collect()
        };
        let missing: Vec<usize> = (0..wanted.len()).filter(|at| splits[*at].is_none()).collect();
        let begun = AtomicUsize::new(0);
        let next = || {
            let at = *missing.get(begun.fetch_add(1, Ordering::Relaxed))?;
            // Opened outside the lock: others go on searching meanwhile.
            let open = || {
                let mut split = OpenSplit::open(folder, wanted[at])?;
                split.words = Some(words.of(&split.shown, split.searcher.index()));
                Ok(Arc::new(split))
            };
            Some(stop.check().and_then(|()| guarded(folder, open)).map(|split| (at, split)))
        };
        let threads = self.settings.search_threads.min(missing.len());
        at_once(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN), next, |(at, split)| {
            locked().put(&wanted[at].id, split.clone());
            splits[at] = Some(split);
        })?;
        // Each was known or has been opened.
        Ok(splits.into_iter().flatten().collect())
    }

    pub(super) fn run<'s>(&'s self, scope: &'s Scope, stop: &'s Stop) -> Run<'s> {
        self.run_over(&scope.splits, stop)
    }

    pub(super) fn run_over<'s>(&'s self, splits: &'s [Arc<OpenSplit>], stop: &'s Stop) -> Run<'s> {
        let docs: u64 = splits.iter().map(|split| u64::from(split.footer.docs)).sum();
        let worth = usize::try_from(docs / self.settings.thread_docs_min.max(1)).unwrap_or(usize::MAX);
        let threads = self.settings.search_threads.min(worth);
        Run { folder: &self.folder, splits, threads, stop }
    }

    pub(super) fn matches<'s>(
        &'s self,
        query: &'s Query,
        scope: &'s Scope,
        scoring: Scoring,
        stop: &'s Stop,
    ) -> Result<Matches<'s>, Error> {
        Matches::new(query, &self.fields, &scope.splits, scoring, &scope.marks, stop)
    }

    pub(super) fn events(&self, query: &Query, scope: &Scope, run: &Run<'_>) -> Result<Events, Error> {
        let matches = match query {
            Query::All => {
                let all = |split: &Arc<OpenSplit>| {
                    Docs::up_to(split.end_at(scope.through_version), split.footer.docs)
                };
                scope.splits.iter().map(all).collect()
            }
            _ => self.matches(query, scope, Scoring::Unused, run.stop)?.docs(run, scope.through_version)?,
        };
        self.told_apart(&scope.manifest, run, matches)
    }

    pub(super) fn told_apart(
        &self,
        manifest: &Manifest,
        run: &Run<'_>,
        matches: Vec<Docs>,
    ) -> Result<Events, Error> {
        let held_max = self.settings.matches_held_max;
        let whole = Whole {
            through_version: through(manifest)?,
            docs: manifest.splits.iter().map(|split| split.docs).sum(),
            open: || self.open_all(&manifest.splits.iter().collect::<Vec<_>>(), run.stop),
        };
        let count = matches.iter().map(Docs::len).sum();
        match self.repeats.of(run, count, held_max, whole)? {
            Some(repeated) => Events::among(run, matches, &repeated, held_max),
            None => Events::of(run, matches, held_max),
        }
    }
}

pub(super) fn newest(folder: &Folder) -> Result<Manifest, Error> {
    let shown = folder.shown();
    let manifest = folder.newest()?;
    let manifest =
        manifest.ok_or_else(|| Error::new(Kind::Retry, format!("there is no index in {shown} yet")))?;
    if manifest.split_version != SPLIT_VERSION {
        let message = format!("the index in {shown} is of an earlier version and not rebuilt yet");
        return Err(Error::new(Kind::Retry, message));
    }
    Ok(manifest)
}

pub(super) fn through(manifest: &Manifest) -> Result<u64, Error> {
    manifest
        .through_version
        .ok_or_else(|| Error::new(Kind::Retry, "the index does not cover any version yet"))
}
