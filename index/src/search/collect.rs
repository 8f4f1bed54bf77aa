//! What a query matches in the splits.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Scorer};
use tantivy::schema::Field;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocSet, TERMINATED, Term};

use super::docs::Docs;
use super::marks::Marks;
use super::run::{Run, Stop};
use crate::compile::{Scoring, compile};
use crate::error::Error;
use crate::query::Query;
use crate::schema::Fields;
use crate::split::OpenSplit;

/// Documents after which a search asks whether it may go on.
const CHECK_DOCS: usize = 4_096;

/// A query on some splits.
pub(super) struct Matches<'s> {
    query: &'s Query,
    fields: &'s Fields,
    scoring: Scoring,
    marks: &'s Marks,
    stop: &'s Stop,
    splits: &'s [Arc<OpenSplit>],
    /// Those of all splits together, so that scores of different splits compare.
    statistics: Statistics<'s>,
}

fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot search {}", split.shown), e)
}

impl<'s> Matches<'s> {
    /// # Errors
    ///
    /// Those of compiling the query.
    pub(super) fn new(
        query: &'s Query,
        fields: &'s Fields,
        splits: &'s [Arc<OpenSplit>],
        scoring: Scoring,
        marks: &'s Marks,
        stop: &'s Stop,
    ) -> Result<Self, Error> {
        // Whether there are splits or not.
        compile(query, fields, None, scoring, marks, stop)?;
        Ok(Matches { query, fields, scoring, marks, stop, splits, statistics: Statistics::new(splits) })
    }

    /// A query that asks for nothing but what each split knows by itself.
    pub(super) fn unmarked(query: &'s Query, run: &'s Run<'_>, fields: &'s Fields) -> Result<Self, Error> {
        Self::new(query, fields, run.splits, Scoring::Unused, Marks::NONE, run.stop)
    }

    /// The query on one split, whose parties have places of their own there.
    fn scorer(&self, split: &OpenSplit) -> Result<Box<dyn Scorer>, Error> {
        let query = compile(self.query, self.fields, Some(split), self.scoring, self.marks, self.stop)?;
        let scoring = match self.scoring {
            Scoring::Unused => EnableScoring::disabled_from_schema(&self.fields.schema),
            Scoring::Relevance => {
                EnableScoring::enabled_from_statistics_provider(&self.statistics, &split.searcher)
            }
        };
        let weight = query.weight(scoring).map_err(failed(split))?;
        weight.scorer(split.segment(), 1.0).map_err(failed(split))
    }

    /// All that matches at a version, by split.
    pub(super) fn docs(&self, run: &Run<'_>, version: u64) -> Result<Vec<Docs>, Error> {
        run.all(|at| self.docs_of(run, at, version))
    }

    fn docs_of(&self, run: &Run<'_>, at: usize, version: u64) -> Result<Docs, Error> {
        let split = &self.splits[at];
        let (mut docs, end) = (Docs::none(split.footer.docs), split.end_at(version));
        if end == 0 {
            return Ok(docs);
        }
        let mut scorer = self.scorer(split)?;
        let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
        for block in 0_usize.. {
            if block.is_multiple_of(CHECK_DOCS / COLLECT_BLOCK_BUFFER_LEN) {
                run.stop.check()?;
            }
            let filled = scorer.fill_buffer(&mut buffer);
            let found = &buffer[..filled];
            // They ascend: what is of later versions comes last.
            let there = found.partition_point(|doc| *doc < end);
            docs.add(&found[..there]);
            if there < COLLECT_BLOCK_BUFFER_LEN {
                break;
            }
        }
        // A search that gave up has found nothing more.
        run.stop.check()?;
        Ok(docs)
    }

    /// Hands over some of what matches in a split, each with its score.
    pub(super) fn scores(
        &self,
        run: &Run<'_>,
        at: usize,
        of: &Docs,
        mut each: impl FnMut(u32, f32),
    ) -> Result<(), Error> {
        let split = &self.splits[at];
        if of.len() == 0 {
            return Ok(());
        }
        let mut scorer = self.scorer(split)?;
        let mut doc = scorer.doc();
        for nth in 0_usize.. {
            if doc == TERMINATED {
                break;
            }
            if nth.is_multiple_of(CHECK_DOCS) {
                run.stop.check()?;
            }
            if of.contains(doc) {
                each(doc, scorer.score());
            }
            doc = scorer.advance();
        }
        run.stop.check()
    }
}

/// BM25 statistics of all splits together.
struct Statistics<'s> {
    splits: &'s [Arc<OpenSplit>],
    /// What was asked already: each split asks the same.
    terms: Mutex<HashMap<Term, u64>>,
    tokens: Mutex<HashMap<Field, u64>>,
}

impl<'s> Statistics<'s> {
    fn new(splits: &'s [Arc<OpenSplit>]) -> Self {
        Statistics { splits, terms: Mutex::default(), tokens: Mutex::default() }
    }

    fn sum(&self, of: impl Fn(&tantivy::Searcher) -> tantivy::Result<u64>) -> tantivy::Result<u64> {
        self.splits.iter().map(|split| of(&split.searcher)).sum()
    }

    fn known<K: Eq + Hash + Clone>(
        &self,
        known: &Mutex<HashMap<K, u64>>,
        key: &K,
        of: impl Fn(&tantivy::Searcher) -> tantivy::Result<u64>,
    ) -> tantivy::Result<u64> {
        if let Some(sum) = known.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(*sum);
        }
        let sum = self.sum(of)?;
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), sum);
        Ok(sum)
    }
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.known(&self.tokens, &field, |searcher| searcher.total_num_tokens(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.total_num_docs())
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.known(&self.terms, term, |searcher| searcher.doc_freq(term))
    }
}
