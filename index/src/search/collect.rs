//! All matches, deliveries of one event as one, in bounded memory.

use std::sync::Arc;

use tantivy::Term;
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Query, Weight};
use tantivy::schema::{Field, Schema};

use crate::compile::Scoring;
use crate::error::Error;
use crate::split::OpenSplit;

/// Matches that are deliveries of one event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    pub(super) identity: u64,
    /// The first of them in the archive: split and document.
    pub(super) split: u32,
    pub(super) doc: u32,
    /// Score of the first.
    pub(super) score: f32,
    pub(super) copies: u64,
}

/// A query on some splits.
pub(super) struct Matches<'s> {
    splits: &'s [Arc<OpenSplit>],
    /// One for all splits: their schemas are the same, and the statistics are
    /// those of all together, so that scores of different splits compare.
    weight: Option<Box<dyn Weight>>,
    version: u64,
    scoring: Scoring,
}

fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot search {}", split.shown), e)
}

impl<'s> Matches<'s> {
    pub(super) fn new(
        query: &dyn Query,
        schema: &Schema,
        splits: &'s [Arc<OpenSplit>],
        version: u64,
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
        Ok(Matches { splits, weight: weight.transpose()?, version, scoring })
    }

    /// Visits every event that matches, in no order. Holds about `held_max`
    /// matches at a time; with more, runs the query again for each share of the
    /// identities.
    pub(super) fn each_group(&self, held_max: usize, visit: &mut dyn FnMut(&Group)) -> Result<(), Error> {
        let Some(weight) = &self.weight else { return Ok(()) };
        let held_max = held_max.max(1);
        let mut matches: u64 = 0;
        for split in self.splits {
            matches += u64::from(weight.count(split.segment()).map_err(failed(split))?);
        }
        let shares = matches.div_ceil(held_max as u64).max(1);
        for share in 0..shares {
            let mut held = Held { groups: Vec::new(), fold_at: held_max.saturating_mul(2) };
            for (at, split) in (0..).zip(self.splits) {
                self.each_match(&**weight, split, &mut |doc, score| {
                    let identity = split.identity(doc);
                    if identity % shares == share {
                        held.push(Group { identity, split: at, doc, score, copies: 1 });
                    }
                })?;
            }
            held.fold();
            held.groups.iter().for_each(&mut *visit);
        }
        Ok(())
    }

    fn each_match(
        &self,
        weight: &dyn Weight,
        split: &OpenSplit,
        each: &mut dyn FnMut(u32, f32),
    ) -> Result<(), Error> {
        let end = split.end_at(self.version);
        if end == 0 {
            return Ok(());
        }
        let mut before_end = |doc, score| {
            if doc < end {
                each(doc, score);
            }
        };
        match self.scoring {
            Scoring::Relevance => weight.for_each(split.segment(), &mut before_end),
            Scoring::Unused => weight.for_each_no_score(split.segment(), &mut |docs| {
                docs.iter().for_each(|doc| before_end(*doc, 0.0));
            }),
        }
        .map_err(failed(split))
    }
}

/// Groups as they grow; in order of identity and archive once folded.
struct Held {
    groups: Vec<Group>,
    /// Deliveries of few events could be many: they are folded on the way.
    fold_at: usize,
}

impl Held {
    fn push(&mut self, group: Group) {
        if self.groups.len() == self.fold_at {
            self.fold();
            self.fold_at = self.fold_at.max(self.groups.len().saturating_mul(2));
        }
        self.groups.push(group);
    }

    fn fold(&mut self) {
        self.groups.sort_unstable_by_key(|group| (group.identity, group.split, group.doc));
        self.groups.dedup_by(|next, first| {
            let same = next.identity == first.identity;
            if same {
                first.copies += next.copies;
            }
            same
        });
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
