//! What a query matches in the splits.

use std::sync::Arc;

use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Query, Weight};
use tantivy::schema::{Field, Schema};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocSet, TERMINATED, Term};

use super::docs::Docs;
use super::run::Run;
use crate::compile::Scoring;
use crate::error::Error;
use crate::split::OpenSplit;

/// Documents after which a search asks whether it may go on.
const CHECK_DOCS: usize = 4_096;

/// A query on some splits.
pub(super) struct Matches<'s> {
    splits: &'s [Arc<OpenSplit>],
    /// One for all splits: their schemas are the same, and the statistics are
    /// those of all together, so that scores of different splits compare.
    weight: Option<Box<dyn Weight>>,
}

fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot search {}", split.shown), e)
}

impl<'s> Matches<'s> {
    pub(super) fn new(
        query: &dyn Query,
        schema: &Schema,
        splits: &'s [Arc<OpenSplit>],
        scoring: Scoring,
    ) -> Result<Self, Error> {
        let statistics = Statistics(splits);
        let weight = splits.first().map(|first| {
            let scoring = match scoring {
                Scoring::Unused => EnableScoring::disabled_from_schema(schema),
                Scoring::Relevance => {
                    EnableScoring::enabled_from_statistics_provider(&statistics, &first.searcher)
                }
            };
            // Statistics are of all splits; the first stands for them.
            query.weight(scoring).map_err(failed(first))
        });
        Ok(Matches { splits, weight: weight.transpose()? })
    }

    /// All that matches at a version, by split.
    pub(super) fn docs(&self, run: &Run<'_>, version: u64) -> Result<Vec<Docs>, Error> {
        run.all(|at| self.docs_of(run, at, version))
    }

    fn docs_of(&self, run: &Run<'_>, at: usize, version: u64) -> Result<Docs, Error> {
        let split = &self.splits[at];
        let (mut docs, end) = (Docs::none(split.footer.docs), split.end_at(version));
        let Some(weight) = self.weight.as_ref().filter(|_| end > 0) else { return Ok(docs) };
        let mut scorer = weight.scorer(split.segment(), 1.0).map_err(failed(split))?;
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
        let Some(weight) = self.weight.as_ref().filter(|_| of.len() > 0) else { return Ok(()) };
        let mut scorer = weight.scorer(split.segment(), 1.0).map_err(failed(split))?;
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
struct Statistics<'s>(&'s [Arc<OpenSplit>]);

impl Statistics<'_> {
    fn sum(&self, of: impl Fn(&tantivy::Searcher) -> tantivy::Result<u64>) -> tantivy::Result<u64> {
        self.0.iter().map(|split| of(&split.searcher)).sum()
    }
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.total_num_tokens(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.total_num_docs())
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.doc_freq(term))
    }
}
