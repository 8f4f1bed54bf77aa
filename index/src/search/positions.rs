//! Everything that a query finds, as rows of the archive: what a production holds.

use std::collections::HashMap;
use std::sync::Arc;

use super::asked::{Found, FoundRow};
use super::context::{Around, Context};
use super::docs::Docs;
use super::run::Stop;
use super::{Scope, Searcher};
use crate::damage::guarded;
use crate::error::{Error, Kind};
use crate::manifest::SplitMeta;
use crate::query::Query;
use crate::source::Source;
use crate::split::OpenSplit;

/// Rows of some splits, in order of split and document.
struct Rows<'f> {
    found: &'f mut Found,
    /// Further deliveries of events, by identity.
    further: HashMap<u64, u64>,
    /// The last split and file that a row was of.
    last: Option<(usize, usize)>,
}

impl<S: Source> Searcher<S> {
    /// Everything that matches at a version, or now: what a production holds.
    /// Takes 56 bytes of memory for each event, and as long as it takes.
    pub fn positions(&self, query: &Query, at_version: Option<u64>) -> Result<Found, Error> {
        guarded(&self.folder, || self.found(query, at_version, None, &Stop::new(None, None)))
    }

    /// [`Searcher::positions`], and what stands around it in its conversations. An event that matches is
    /// never context, and neither is another delivery of one; each event is context once.
    ///
    /// Takes 40 bytes of memory for each record of the largest conversation, and 16 for each event.
    pub fn positions_around(
        &self,
        query: &Query,
        at_version: Option<u64>,
        context: &Context,
    ) -> Result<Found, Error> {
        let stop = Stop::new(None, None);
        guarded(&self.folder, || {
            let manifest = self.manifest();
            match self.found(query, at_version, Some(context), &stop) {
                // An indexer may have removed splits that it merged since.
                Err(e) if e.kind == Kind::Corrupt => {
                    let newer = self.take_up()?;
                    if newer == manifest {
                        Err(e)
                    } else {
                        self.found(query, at_version, Some(context), &stop)
                    }
                }
                found => found,
            }
        })
    }

    fn found(
        &self,
        query: &Query,
        at_version: Option<u64>,
        context: Option<&Context>,
        stop: &Stop,
    ) -> Result<Found, Error> {
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
        let mut rows = Rows { found: &mut found, further, last: None };
        match context {
            None => {
                for (at, (split, firsts)) in scope.splits.iter().zip(&events.firsts).enumerate() {
                    rows.add(at, split, firsts, None)?;
                }
            }
            Some(context) => {
                let all: Vec<&SplitMeta> = scope.manifest.splits.iter().collect();
                let splits = self.open_all(&all, stop)?;
                let hits = hits_among(&splits, &scope, events.firsts);
                let around = Around { run: self.run_over(&splits, stop), fields: &self.fields, hits: &hits };
                let beside = around.chosen(context, scope.through_version)?;
                for (at, (split, hits)) in splits.iter().zip(&hits).enumerate() {
                    rows.add(at, split, hits, Some(&beside[at]))?;
                }
            }
        }
        Ok(found)
    }
}

/// What was found in the splits of a search, by all splits; those that were not searched have none.
fn hits_among(splits: &[Arc<OpenSplit>], scope: &Scope, firsts: Vec<Docs>) -> Vec<Docs> {
    let mut searched = scope.splits.iter().zip(firsts).peekable();
    let hits = splits.iter().map(|split| match searched.next_if(|(of, _)| of.shown == split.shown) {
        Some((_, firsts)) => firsts,
        None => Docs::none(split.footer.docs),
    });
    hits.collect()
}

impl Rows<'_> {
    /// The rows of hits and of what stands beside them.
    fn add(&mut self, at: usize, split: &OpenSplit, hits: &Docs, beside: Option<&Docs>) -> Result<(), Error> {
        let Some(beside) = beside.filter(|beside| beside.len() > 0) else {
            return hits.blocks(|docs| {
                docs.iter().for_each(|doc| self.push(at, split, *doc, false));
                Ok(())
            });
        };
        let mut both = hits.clone();
        beside.blocks(|docs| {
            both.add(docs);
            Ok(())
        })?;
        both.blocks(|docs| {
            docs.iter().for_each(|doc| self.push(at, split, *doc, beside.contains(*doc)));
            Ok(())
        })
    }

    fn push(&mut self, at: usize, split: &OpenSplit, doc: u32, is_context: bool) {
        let (file, row) = split.locate(doc);
        if self.last.replace((at, file)) != Some((at, file)) {
            self.found.files.push(split.footer.files[file].file.clone());
        }
        let further = match is_context || self.further.is_empty() {
            true => None,
            false => self.further.get(&split.identity(doc)),
        };
        let (time_ms, copies) = (split.time_ms(doc), 1 + further.copied().unwrap_or_default());
        let file = self.found.files.len() - 1;
        self.found.rows.push(FoundRow { file, row, time_ms, copies, is_context });
    }
}
