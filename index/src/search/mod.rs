//! Answers from the index, with the records from the archive.
//!
//! - `asked`: what is asked and what is answered
//! - `scope`: the splits of a search, opened
//! - `collect`: all matches, as `docs` of each split
//! - `events`: deliveries of one event as one, in bounded memory
//! - `marks`: what a record is only by others: edited, deleted, delivered again
//! - `order`: what stands before what, and pages
//! - `repeats`: which documents may have other deliveries, remembered; `seen`: identities that were met
//! - `page`: the first few in an order
//! - `fetch`: the records of a page
//! - `positions`: all of it as rows of the archive; `context`: what stands around it
//! - `facets`, `tally`, `histogram`: what the answer consists of; `named`: for those who ask again
//! - `groups`: by conversation or participant, `names`: which documents have them
//! - `run`: several threads, time limit, cancelling
//! - `versions`: what was done to the messages of a page
//! - `cache`: splits that are kept open

mod asked;
mod cache;
mod collect;
mod context;
#[cfg(test)]
mod context_tests;
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
mod positions;
mod repeats;
mod run;
#[cfg(test)]
mod run_tests;
mod scope;
mod seen;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
mod versions;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use custody_archive::Archive;

use crate::compile::Scoring;
use crate::damage::guarded;
use crate::error::Error;
use crate::manifest::{Folder, Manifest};
use crate::query::Query;
use crate::schema::Fields;
use crate::settings::Settings;
use crate::source::Source;
use crate::store::IndexStore;
use crate::text::highlighted;
use crate::vocabulary::Vocabularies;
pub use asked::{Answer, Count, Explained, Found, FoundRow, Hit, Request, Versions};
use cache::Cache;
pub use context::Context;
use events::Events;
pub use facets::{FacetCount, FacetRequest, Facets};
pub use groups::{Group, GroupBy, Grouped};
pub use histogram::{Bucket, Histogram, Unit};
pub(crate) use marks::Marks;
use named::Named;
use order::{Asked, First, Ranks};
pub use order::{Cursor, Order};
use page::{Pick, Picked};
use repeats::Repeats;
pub use run::Cancel;
use run::{Run, Stop, Watch};
use scope::{Scope, newest, through};

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
