//! Answers from the index, with the records from the archive.
//!
//! - `asked`: what is asked and what is answered
//! - `collect`: all matches, as `docs` of each split
//! - `events`: deliveries of one event as one, in bounded memory
//! - `marks`: what a record is only by others: edited, deleted, delivered again
//! - `order`: what stands before what, and pages
//! - `repeats`: which documents may have other deliveries, remembered; `seen`: identities that were met
//! - `page`: the first few in an order
//! - `fetch`: the records of a page
//! - `facets`, `tally`, `histogram`: what the answer consists of; `named`: for those who ask again
//! - `groups`: by conversation or participant, `names`: which documents have them
//! - `run`: several threads, time limit, cancelling
//! - `versions`: what was done to the messages of a page
//! - `cache`: splits that are kept open

mod asked;
mod cache;
mod collect;
mod docs;
mod events;
#[cfg(test)]
mod facet_tests;
mod facets;
mod fetch;
#[cfg(test)]
mod group_tests;
mod groups;
mod histogram;
#[cfg(test)]
mod mark_tests;
mod marks;
mod named;
mod names;
mod order;
mod page;
mod repeats;
mod run;
#[cfg(test)]
mod run_tests;
mod seen;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
mod versions;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use custody_archive::{Archive, at_once};

use crate::compile::Scoring;
use crate::damage::guarded;
use crate::error::{Error, Kind};
use crate::manifest::{Folder, Manifest, SplitMeta};
use crate::prune::may_match;
use crate::query::Query;
use crate::schema::Fields;
use crate::settings::Settings;
use crate::source::Source;
use crate::split::{OpenSplit, SPLIT_VERSION};
use crate::store::IndexStore;
use crate::text::highlighted;
use crate::vocabulary::Vocabularies;
pub use asked::{Answer, Count, Explained, Found, FoundRow, Hit, Request, Versions};
use cache::Cache;
use collect::Matches;
use docs::Docs;
use events::Events;
pub use facets::{FacetCount, FacetRequest, Facets};
pub use groups::{Group, GroupBy, Grouped};
pub use histogram::{Bucket, Histogram, Unit};
use marks::Among;
pub(crate) use marks::Marks;
use named::Named;
use order::{Asked, First, Ranks};
pub use order::{Cursor, Order};
use page::{Pick, Picked};
use repeats::{Repeats, Whole};
pub use run::Cancel;
use run::{Run, Stop, Watch};

const TOO_OLD: &str = "this search is too old to go on with: search again";

/// Searches an index, from any number of threads at once.
pub struct Searcher<S: Source = Archive> {
    folder: Folder,
    source: S,
    settings: Settings,
    fields: Fields,
    manifest: Mutex<Arc<Manifest>>,
    cache: Mutex<Cache>,
    repeats: Repeats,
    named: Named,
    words: Arc<Vocabularies>,
}

/// The splits that a query is run on, and what of them counts.
struct Scope {
    through_version: u64,
    manifest: Arc<Manifest>,
    splits: Vec<Arc<OpenSplit>>,
    splits_pruned: usize,
    marks: Marks,
}

/// One page, before its records are fetched.
struct Ranked {
    scope: Scope,
    total: u64,
    copies: u64,
    hits: Vec<FirstOf>,
    next: Option<Cursor>,
    facets: Option<Facets>,
    explained: Explained,
}

/// The first delivery of an event and how many there are.
struct FirstOf {
    first: First,
    copies: u64,
}

impl<S: Source> Searcher<S> {
    /// Opens an index as it is now.
    ///
    /// # Errors
    ///
    /// `Retry` when it was not built yet, or by an earlier Custody.
    pub fn open(store: &IndexStore, source: S, settings: Settings) -> Result<Self, Error> {
        let folder = Folder::new(store);
        let manifest = Mutex::new(Arc::new(newest(&folder)?));
        let cache = Mutex::new(Cache::new(settings.splits_open_max));
        let named = Named::new(settings.facets_bytes_max);
        let words = Vocabularies::new(settings.words_bytes_max);
        Ok(Searcher {
            folder,
            source,
            settings,
            fields: Fields::new(),
            manifest,
            cache,
            repeats: Repeats::default(),
            named,
            words,
        })
    }

    /// Takes up the newest state of the index; the version through which it is
    /// complete.
    pub fn refresh(&self) -> Result<u64, Error> {
        let known = self.manifest();
        if self.folder.numbers()?.last() == Some(&known.number) {
            return through(&known);
        }
        through(&*self.take_up()?)
    }

    fn take_up(&self) -> Result<Arc<Manifest>, Error> {
        let manifest = Arc::new(newest(&self.folder)?);
        *self.manifest.lock().unwrap_or_else(PoisonError::into_inner) = manifest.clone();
        Ok(manifest)
    }

    /// The version through which answers are complete.
    pub fn through_version(&self) -> Result<u64, Error> {
        through(&self.manifest())
    }

    /// One page of what matches.
    ///
    /// # Errors
    ///
    /// `Invalid` for a page of another search or of one too old to go on with,
    /// `Retry` for a version that is not indexed yet, `Corrupt` when the archive
    /// does not hold what was indexed, `Stopped` when it took too long or was
    /// cancelled.
    pub fn search(&self, request: &Request) -> Result<Answer<S::Record>, Error> {
        Ok(self.explain(request)?.0)
    }

    /// [`Searcher::search`], and how the answer was come by.
    ///
    /// # Errors
    ///
    /// Those of a search.
    pub fn explain(&self, request: &Request) -> Result<(Answer<S::Record>, Explained), Error> {
        let stop = self.checked(request)?;
        let ranked = guarded(&self.folder, || self.ranked(request, &stop))?;
        let mut watch = Watch::start();
        let hits = self.hits(&request.query, &ranked.scope, &ranked.hits, &stop)?;
        let explained = Explained { fetch_us: watch.lap_us(), ..ranked.explained };
        let answer = Answer {
            through_version: ranked.scope.through_version,
            total: ranked.total,
            copies: ranked.copies,
            hits,
            next: ranked.next,
            facets: ranked.facets,
            splits_opened: ranked.scope.splits.len(),
            splits_pruned: ranked.scope.splits_pruned,
        };
        Ok((answer, explained))
    }

    /// When a request that asks for no more than there may be has to end.
    fn checked(&self, request: &Request) -> Result<Stop, Error> {
        let most = self.settings.page_hits_max;
        if request.limit > most {
            let message = format!("a page has at most {most} hits, not {}", request.limit);
            return Err(Error::invalid(message));
        }
        if let Some(facets) = request.facets.as_ref().filter(|facets| facets.top > most) {
            let message = format!("at most {most} of each facet are named, not {}", facets.top);
            return Err(Error::invalid(message));
        }
        let ms_max = request.ms_max.unwrap_or(u64::MAX).min(self.settings.search_ms_max);
        Ok(Stop::new(Some(ms_max), request.cancel.clone()))
    }

    fn ranked(&self, request: &Request, stop: &Stop) -> Result<Ranked, Error> {
        let asked = Asked { query: &request.query, order: request.order, groups: None };
        let page = request.after.as_ref().map(|cursor| cursor.read(&asked)).transpose()?;
        let at_version = page.as_ref().map(|page| page.through_version).or(request.at_version);
        let at_manifest = page.as_ref().and_then(|page| page.manifest_number);
        let mut watch = Watch::start();
        let scope = self.scope(&request.query, at_version, at_manifest, stop)?;
        let open_us = watch.lap_us();
        let run = self.run(&scope, stop);
        let events = self.events(&request.query, &scope, &run)?;
        let match_us = watch.lap_us();

        let scored = match request.order {
            Order::Relevance if request.limit > 0 => {
                Some(self.matches(&request.query, &scope, Scoring::Relevance, stop)?)
            }
            _ => None,
        };
        let ranks = Ranks::new(&scope.splits, page.as_ref());
        let pick = Pick {
            run: &run,
            firsts: &events.firsts,
            order: request.order,
            limit: request.limit,
            after: page.as_ref().map(|page| ranks.key_of(page)),
            ranks: &ranks,
            scored: scored.as_ref(),
        };
        let Picked { hits, more, only_counted } = pick.page()?;
        let next = hits.last().filter(|_| more).map(|(key, _)| {
            Cursor::new(&asked, scope.through_version, scope.manifest.number, key, None, &ranks)
        });
        let hits = with_copies(&run, &events, hits.into_iter().map(|(_, first)| first))?;
        let pick_us = watch.lap_us();
        let facets = request.facets.as_ref();
        let facets = facets
            .map(|wanted| facets::facets(&run, &self.fields, &events.firsts, wanted, &self.named))
            .transpose()?;
        let facets_us = watch.lap_us();
        let explained = Explained {
            splits_only_counted: only_counted,
            open_us,
            match_us,
            pick_us,
            facets_us,
            ..Explained::default()
        };
        Ok(Ranked { total: events.total(), copies: events.copies(), hits, next, facets, scope, explained })
    }

    /// See [`Settings::matches_held_max`].
    pub(crate) fn held_max(&self) -> usize {
        self.settings.matches_held_max
    }

    /// How much matches.
    ///
    /// # Errors
    ///
    /// `Stopped` when it takes longer than [`Settings::search_ms_max`].
    pub fn count(&self, query: &Query) -> Result<Count, Error> {
        let stop = Stop::new(Some(self.settings.search_ms_max), None);
        guarded(&self.folder, || {
            let scope = self.scope(query, None, None, &stop)?;
            let events = self.events(query, &scope, &self.run(&scope, &stop))?;
            Ok(Count {
                through_version: scope.through_version,
                total: events.total(),
                copies: events.copies(),
            })
        })
    }

    /// Everything that matches at a version, or now: what a production holds.
    /// Takes 56 bytes of memory for each event, and as long as it takes.
    pub fn positions(&self, query: &Query, at_version: Option<u64>) -> Result<Found, Error> {
        guarded(&self.folder, || self.found(query, at_version, &Stop::new(None, None)))
    }

    fn found(&self, query: &Query, at_version: Option<u64>, stop: &Stop) -> Result<Found, Error> {
        let scope = self.scope(query, at_version, None, stop)?;
        let run = self.run(&scope, stop);
        let events = self.events(query, &scope, &run)?;
        let further = events.further(&run, |_| true)?;
        let mut found = Found {
            through_version: scope.through_version,
            copies: events.copies(),
            files: Vec::new(),
            rows: Vec::with_capacity(usize::try_from(events.total()).unwrap_or_default()),
        };
        let mut last = None;
        for ((at, split), firsts) in scope.splits.iter().enumerate().zip(&events.firsts) {
            firsts.blocks(|docs| {
                for doc in docs {
                    let (file, row) = split.locate(*doc);
                    if last.replace((at, file)) != Some((at, file)) {
                        found.files.push(split.footer.files[file].file.clone());
                    }
                    let more = if further.is_empty() { None } else { further.get(&split.identity(*doc)) };
                    let (time_ms, copies) = (split.time_ms(*doc), 1 + more.copied().unwrap_or_default());
                    found.rows.push(FoundRow { file: found.files.len() - 1, row, time_ms, copies });
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn manifest(&self) -> Arc<Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn scope(
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

    fn scope_in(
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

    fn marks(
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
    fn open_all(&self, wanted: &[&SplitMeta], stop: &Stop) -> Result<Vec<Arc<OpenSplit>>, Error> {
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

    fn run<'s>(&'s self, scope: &'s Scope, stop: &'s Stop) -> Run<'s> {
        self.run_over(&scope.splits, stop)
    }

    fn run_over<'s>(&'s self, splits: &'s [Arc<OpenSplit>], stop: &'s Stop) -> Run<'s> {
        let docs: u64 = splits.iter().map(|split| u64::from(split.footer.docs)).sum();
        let worth = usize::try_from(docs / self.settings.thread_docs_min.max(1)).unwrap_or(usize::MAX);
        let threads = self.settings.search_threads.min(worth);
        Run { folder: &self.folder, splits, threads, stop }
    }

    fn matches<'s>(
        &'s self,
        query: &'s Query,
        scope: &'s Scope,
        scoring: Scoring,
        stop: &'s Stop,
    ) -> Result<Matches<'s>, Error> {
        Matches::new(query, &self.fields, &scope.splits, scoring, &scope.marks, stop)
    }

    fn events(&self, query: &Query, scope: &Scope, run: &Run<'_>) -> Result<Events, Error> {
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

    fn told_apart(&self, manifest: &Manifest, run: &Run<'_>, matches: Vec<Docs>) -> Result<Events, Error> {
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

    fn hits(
        &self,
        query: &Query,
        scope: &Scope,
        found: &[FirstOf],
        stop: &Stop,
    ) -> Result<Vec<Hit<S::Record>>, Error> {
        let place = |found: &FirstOf| (found.first.split, found.first.doc);
        let mut records = self.fetched(&scope.splits, found.iter().map(place), stop)?;
        let mut hits = Vec::with_capacity(found.len());
        for found in found {
            // A body of a megabyte takes a while to look through.
            stop.check()?;
            // Every event is a document of its own, and each was fetched.
            let Some((version, record)) = records.remove(&place(found)) else { continue };
            let (snippet, highlights) = highlighted(&S::said(&record), query, self.settings.snippet_chars);
            hits.push(Hit {
                record,
                version,
                score: found.first.score,
                copies: found.copies,
                versions: Versions::default(),
                snippet,
                highlights,
            });
        }
        self.add_versions(scope, found, &mut hits, stop)?;
        Ok(hits)
    }
}

fn with_copies(
    run: &Run<'_>,
    events: &Events,
    firsts: impl Iterator<Item = First>,
) -> Result<Vec<FirstOf>, Error> {
    let identified: Vec<(First, u64)> =
        firsts.map(|first| (first, run.splits[first.split].identity(first.doc))).collect();
    let wanted: BTreeSet<u64> = identified.iter().map(|(_, identity)| *identity).collect();
    let further = events.further(run, |identity| wanted.contains(&identity))?;
    let with = |(first, identity)| FirstOf {
        first,
        copies: 1 + further.get(&identity).copied().unwrap_or_default(),
    };
    Ok(identified.into_iter().map(with).collect())
}

fn newest(folder: &Folder) -> Result<Manifest, Error> {
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

fn through(manifest: &Manifest) -> Result<u64, Error> {
    manifest
        .through_version
        .ok_or_else(|| Error::new(Kind::Retry, "the index does not cover any version yet"))
}
