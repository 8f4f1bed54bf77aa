//! Answers from the index, with the records from the archive.
//!
//! - `collect`: all matches, duplicates as one, in bounded memory
//! - `order`: what stands before what, and pages
//! - `cache`: splits that are kept open

mod cache;
mod collect;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use custody_archive::{Archive, FileRef};

use crate::compile::{Scoring, compile};
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
use crate::text::{Snippet, snippet};
use cache::Cache;
use collect::{Group, Matches};
pub use order::{Cursor, Order};
use order::{Ranks, SortKey, Top};

/// One search.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is looked for.
    pub query: Query,
    /// What comes first.
    pub order: Order,
    /// Hits on the page, at most [`Settings::page_hits_max`]. None is a count.
    pub limit: usize,
    /// The page before this one. It fixes the version, so that pages neither
    /// overlap nor leave anything out while the archive grows.
    pub after: Option<Cursor>,
    /// Search the archive as it was at this version; as it is when absent.
    pub at_version: Option<u64>,
}

/// One page of what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<R> {
    /// The answer is complete through this archive version.
    pub through_version: u64,
    /// Events that match, exactly; several deliveries of one event count once.
    pub total: u64,
    /// Records that match, every delivery counted.
    pub copies: u64,
    /// The page.
    pub hits: Vec<Hit<R>>,
    /// Goes on after the page; `None` when it was the last.
    pub next: Option<Cursor>,
    /// Splits that were searched.
    pub splits_opened: usize,
    /// Splits that could not hold a match and were not searched.
    pub splits_pruned: usize,
}

/// One event that was found: the first of its records.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<R> {
    /// From the archive, proved unaltered.
    pub record: R,
    /// The archive version that added it.
    pub version: u64,
    /// BM25; zero unless ordered by relevance.
    pub score: f32,
    /// How many matching records are deliveries of this event, at least one.
    pub copies: u64,
    /// Why it was found.
    pub snippet: Snippet,
}

/// How much a query finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The count is complete through this archive version.
    pub through_version: u64,
    /// Events, several deliveries of one counted once.
    pub total: u64,
    /// Records, every delivery counted.
    pub copies: u64,
}

/// Everything that a query finds, as rows of the archive's batches.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Complete through this archive version.
    pub through_version: u64,
    /// Records that match, every delivery counted.
    pub copies: u64,
    /// The batches that hold the rows and where each is, in order of version.
    pub files: Vec<FileRef>,
    /// The first record of each event, in order of file and row.
    pub rows: Vec<FoundRow>,
}

/// One row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRow {
    /// Index into [`Found::files`].
    pub file: usize,
    /// The row in the batch.
    pub row: u64,
    /// When it happened, milliseconds since 1970 UTC.
    pub time_ms: Option<i64>,
    /// How many matching records are deliveries of this event.
    pub copies: u64,
}

const TOO_OLD: &str = "this search is too old to go on with: search again";

/// Searches an index, from any number of threads at once.
pub struct Searcher<S: Source = Archive> {
    folder: Folder,
    source: S,
    settings: Settings,
    fields: Fields,
    manifest: Mutex<Arc<Manifest>>,
    cache: Mutex<Cache>,
}

/// The splits that a query is run on, and what of them counts.
struct Scope {
    through_version: u64,
    manifest_number: u64,
    splits: Vec<Arc<OpenSplit>>,
    splits_pruned: usize,
}

/// One page, before its records are fetched.
struct Ranked {
    scope: Scope,
    total: u64,
    copies: u64,
    groups: Vec<(SortKey, Group)>,
    next: Option<Cursor>,
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
        Ok(Searcher { folder, source, settings, fields: Fields::new(), manifest, cache })
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
    /// does not hold what was indexed.
    pub fn search(&self, request: &Request) -> Result<Answer<S::Record>, Error> {
        if request.limit > self.settings.page_hits_max {
            let most = self.settings.page_hits_max;
            let message = format!("a page has at most {most} hits, not {}", request.limit);
            return Err(Error::invalid(message));
        }
        let ranked = guarded(&self.folder, || self.ranked(request))?;
        Ok(Answer {
            through_version: ranked.scope.through_version,
            total: ranked.total,
            copies: ranked.copies,
            hits: self.hits(&request.query, &ranked.scope, &ranked.groups)?,
            next: ranked.next,
            splits_opened: ranked.scope.splits.len(),
            splits_pruned: ranked.scope.splits_pruned,
        })
    }

    fn ranked(&self, request: &Request) -> Result<Ranked, Error> {
        let page =
            request.after.as_ref().map(|cursor| cursor.read(&request.query, request.order)).transpose()?;
        let at_version = page.as_ref().map(|page| page.through_version).or(request.at_version);
        let at_manifest = page.as_ref().and_then(|page| page.manifest_number);
        let scope = self.scope(&request.query, at_version, at_manifest)?;

        let scoring = if request.order == Order::Relevance { Scoring::Relevance } else { Scoring::Unused };
        let matches = self.matches(&request.query, &scope, scoring)?;
        let ranks = Ranks::new(&scope.splits, page.as_ref());
        let mut top = Top::new(request.limit, page.as_ref().map(|page| ranks.key_of(page)));
        let (mut total, mut copies) = (0, 0);
        matches.each_group(self.settings.matches_held_max, &mut |group| {
            total += 1;
            copies += group.copies;
            top.offer(ranks.key(request.order, &scope.splits, group), group);
        })?;

        let (groups, more) = top.finish();
        let next = groups.last().filter(|_| more).map(|(key, _)| {
            Cursor::new(
                &request.query,
                request.order,
                scope.through_version,
                scope.manifest_number,
                key,
                &ranks,
            )
        });
        Ok(Ranked { scope, total, copies, groups, next })
    }

    /// How much matches.
    pub fn count(&self, query: &Query) -> Result<Count, Error> {
        guarded(&self.folder, || self.counted(query))
    }

    fn counted(&self, query: &Query) -> Result<Count, Error> {
        let scope = self.scope(query, None, None)?;
        let mut count = Count { through_version: scope.through_version, total: 0, copies: 0 };
        self.matches(query, &scope, Scoring::Unused)?.each_group(
            self.settings.matches_held_max,
            &mut |group| {
                count.total += 1;
                count.copies += group.copies;
            },
        )?;
        Ok(count)
    }

    /// Everything that matches at a version, or now: what a production holds.
    /// Takes 56 bytes of memory for each event.
    pub fn positions(&self, query: &Query, at_version: Option<u64>) -> Result<Found, Error> {
        guarded(&self.folder, || self.found(query, at_version))
    }

    fn found(&self, query: &Query, at_version: Option<u64>) -> Result<Found, Error> {
        let scope = self.scope(query, at_version, None)?;
        let mut groups = Vec::new();
        self.matches(query, &scope, Scoring::Unused)?
            .each_group(self.settings.matches_held_max, &mut |group| {
                groups.push((group.split, group.doc, group.copies))
            })?;
        groups.sort_unstable();

        let mut found = Found {
            through_version: scope.through_version,
            copies: 0,
            files: Vec::new(),
            rows: Vec::with_capacity(groups.len()),
        };
        let mut last = None;
        for (at, doc, copies) in groups {
            let split = &scope.splits[at as usize];
            let (file, row) = split.locate(doc);
            if last.replace((at, file)) != Some((at, file)) {
                found.files.push(split.footer.files[file].file.clone());
            }
            found.copies += copies;
            found.rows.push(FoundRow {
                file: found.files.len() - 1,
                row,
                time_ms: split.time_ms(doc),
                copies,
            });
        }
        Ok(found)
    }

    fn manifest(&self) -> Arc<Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn scope(&self, query: &Query, at_version: Option<u64>, number: Option<u64>) -> Result<Scope, Error> {
        let mut manifest = self.manifest();
        if let Some(number) = number {
            // Relevance is weighed against everything indexed at that time.
            if number != manifest.number {
                let gone = || Error::invalid(TOO_OLD);
                manifest = Arc::new(self.folder.read(number)?.ok_or_else(gone)?);
            }
            return self.scope_in(&manifest, query, at_version).map_err(|e| match e.kind {
                // Its splits are removed before it is.
                Kind::Corrupt => Error::with(Kind::Invalid, TOO_OLD, e),
                _ => e,
            });
        }
        match self.scope_in(&manifest, query, at_version) {
            // An indexer may have removed splits that it merged since.
            Err(e) if e.kind == Kind::Corrupt => {
                let newer = self.take_up()?;
                // The number does not tell: the index may have been made anew.
                if newer == manifest { Err(e) } else { self.scope_in(&newer, query, at_version) }
            }
            scope => scope,
        }
    }

    fn scope_in(&self, manifest: &Manifest, query: &Query, at_version: Option<u64>) -> Result<Scope, Error> {
        let through = through(manifest)?;
        let through_version = at_version.unwrap_or(through);
        if through_version > through {
            let message =
                format!("the index is complete through version {through}, not {through_version} yet");
            return Err(Error::new(Kind::Retry, message));
        }
        let wanted: Vec<&SplitMeta> =
            manifest.splits.iter().filter(|split| may_match(query, split)).collect();
        Ok(Scope {
            through_version,
            manifest_number: manifest.number,
            splits: wanted.iter().map(|meta| self.split(meta)).collect::<Result<_, _>>()?,
            splits_pruned: manifest.splits.len() - wanted.len(),
        })
    }

    fn split(&self, meta: &SplitMeta) -> Result<Arc<OpenSplit>, Error> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(split) = cache().get(&meta.id) {
            return Ok(split);
        }
        // Opened outside the lock: others go on searching meanwhile.
        let split = Arc::new(OpenSplit::open(&self.folder, meta)?);
        cache().put(&meta.id, split.clone());
        Ok(split)
    }

    fn matches<'s>(&self, query: &Query, scope: &'s Scope, scoring: Scoring) -> Result<Matches<'s>, Error> {
        let compiled = compile(query, &self.fields, scoring)?;
        Matches::new(&*compiled, &self.fields.schema, &scope.splits, scope.through_version, scoring)
    }

    fn hits(
        &self,
        query: &Query,
        scope: &Scope,
        groups: &[(SortKey, Group)],
    ) -> Result<Vec<Hit<S::Record>>, Error> {
        let mut wanted: BTreeMap<(u32, usize), BTreeSet<u64>> = BTreeMap::new();
        let place = |group: &Group| {
            let (file, row) = scope.splits[group.split as usize].locate(group.doc);
            ((group.split, file), row)
        };
        for (_, group) in groups {
            let (file, row) = place(group);
            wanted.entry(file).or_default().insert(row);
        }
        let mut records = BTreeMap::new();
        for ((split, file), rows) in wanted {
            let rows: Vec<u64> = rows.into_iter().collect();
            let covered = &scope.splits[split as usize].footer.files[file];
            let fetched = self.source.fetch(&covered.file, &rows)?;
            if fetched.len() != rows.len() {
                let message =
                    format!("{}: {} of {} rows are there", covered.file.path, fetched.len(), rows.len());
                return Err(Error::corrupt(message));
            }
            let places = rows.into_iter().map(|row| ((split, file), row));
            records.extend(places.zip(fetched.into_iter().map(|record| (covered.version, record))));
        }
        let hit = |(_, group): &(SortKey, Group)| {
            // Every group is a document of its own, and each was fetched.
            let (version, record) = records.remove(&place(group))?;
            let snippet = snippet(&S::text(&record), query, self.settings.snippet_chars);
            Some(Hit { record, version, score: group.score, copies: group.copies, snippet })
        };
        Ok(groups.iter().filter_map(hit).collect())
    }
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
