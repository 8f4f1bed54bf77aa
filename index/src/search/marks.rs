//! What a record is only by others of the archive: its message was edited or deleted, its event
//! was delivered again.
//!
//! All three are one join, made before the query is compiled: the documents whose value in some
//! column is that of one of the sources, which are edits, deletions, or further deliveries. Sources
//! are looked for in every split, also in those that the query cannot match in.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ptr::from_ref;
use std::sync::Arc;

use foldhash::fast::RandomState;
use tantivy::index::SegmentReader;
use tantivy::query::{ConstScorer, EnableScoring, Explanation, Query as Compiled, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, TERMINATED, TantivyError};

use super::collect::Matches;
use super::docs::{BLOCK, Docs};
use super::events::Events;
use super::run::Run;
use crate::error::Error;
use crate::message::Change;
use crate::query::{Flag, Query, TypePattern};
use crate::schema::Fields;
use crate::split::OpenSplit;

/// What is marked in the splits of a search, for each flag that its query asks for.
#[derive(Default)]
pub(crate) struct Marks(Vec<(Flag, Marked)>);

/// Marked documents, by where the reader of their split is.
#[derive(Clone)]
struct Marked(Arc<HashMap<usize, OfSplit>>);

/// What is marked in a split, which stays open as long: its place in memory tells it from others.
type OfSplit = (Arc<OpenSplit>, Arc<Docs>);

/// Where the join takes place.
pub(super) struct Among<'r> {
    /// Over every split there is.
    pub(super) run: &'r Run<'r>,
    pub(super) fields: &'r Fields,
    /// Records of later versions do not count.
    pub(super) version: u64,
    /// Those of the splits whose documents are marked.
    pub(super) searched: &'r [usize],
    /// Values that are held at once; where there are more, the documents are gone through again for
    /// each further share of them.
    pub(super) held_max: usize,
}

/// The documents of a split, and what they have in common with their sources.
type Column = fn(&OpenSplit, &[u32], &mut Vec<Option<u64>>);
type Values = HashSet<u64, RandomState>;

impl Marks {
    /// None, for queries that ask for none.
    pub(super) const NONE: &Marks = &Marks(Vec::new());

    /// Whether a query asks for what no split knows by itself.
    pub(super) fn asked(query: &Query) -> bool {
        [Flag::Edited, Flag::Deleted, Flag::Duplicate].into_iter().any(|flag| query.asks(flag))
    }

    /// Marks what the query asks for; `told_apart` knows deliveries of one event.
    pub(super) fn of(
        query: &Query,
        among: &Among<'_>,
        told_apart: impl FnOnce(Vec<Docs>) -> Result<Events, Error>,
    ) -> Result<Marks, Error> {
        let mut marks = Marks::default();
        for (flag, change) in [(Flag::Edited, Change::Edited), (Flag::Deleted, Change::Deleted)] {
            if query.asks(flag) {
                marks.0.push((flag, among.changed(change)?));
            }
        }
        if query.asks(Flag::Duplicate) {
            let all = among.run.splits.iter();
            let all = all.map(|split| Docs::up_to(split.end_at(among.version), split.footer.docs));
            marks.0.push((Flag::Duplicate, among.delivered_again(&told_apart(all.collect())?)?));
        }
        Ok(marks)
    }

    /// Matches what is marked.
    ///
    /// # Errors
    ///
    /// `Invalid` when nobody looked for marks of this kind.
    pub(crate) fn query(&self, flag: Flag) -> Result<Box<dyn Compiled>, Error> {
        let marked = self.0.iter().find(|(of, _)| *of == flag);
        let (_, marked) =
            marked.ok_or_else(|| Error::invalid(format!("nobody looked for what is {}", flag.name())))?;
        Ok(Box::new(marked.clone()))
    }
}

impl Among<'_> {
    /// Versions of the messages that have such a change, and all such changes.
    fn changed(&self, change: Change) -> Result<Marked, Error> {
        let sources = changes(self.run, self.fields, change, self.version)?;
        let values = |wanted: &(dyn Fn(u64) -> bool + Sync)| {
            let parts = self.run.all(|at| {
                let mut values = Values::default();
                each_value(self.run, at, OpenSplit::messages, &sources[at], |_, value| {
                    if wanted(value) {
                        values.insert(value);
                    }
                })?;
                Ok(values)
            })?;
            Ok(parts.into_iter().flatten().collect())
        };
        let count = sources.iter().map(Docs::len).sum();
        let mut marked = self.sharing(OpenSplit::messages, count, values)?;
        for at in self.searched {
            // What does not say of which message it is a change is one all the same.
            let mut others = Vec::new();
            sources[*at].blocks(|block| {
                others.extend(block.iter().filter(|doc| !marked[*at].contains(**doc)));
                Ok(())
            })?;
            marked[*at].add(&others);
        }
        Ok(self.marked(marked))
    }

    fn delivered_again(&self, events: &Events) -> Result<Marked, Error> {
        let values = |wanted: &(dyn Fn(u64) -> bool + Sync)| {
            Ok(events.further(self.run, wanted)?.into_keys().collect())
        };
        let marked = self.sharing(OpenSplit::identities, events.copies() - events.total(), values)?;
        Ok(self.marked(marked))
    }

    /// The documents with one of the values in their column, by split. There are at most `count`
    /// values; `values` gives those that are wanted.
    fn sharing(
        &self,
        column: Column,
        count: u64,
        values: impl Fn(&(dyn Fn(u64) -> bool + Sync)) -> Result<Values, Error>,
    ) -> Result<Vec<Docs>, Error> {
        let run = self.run;
        let mut sharing: Vec<Docs> = run.splits.iter().map(|split| Docs::none(split.footer.docs)).collect();
        // Values are hashes: their shares are of about one size.
        let shares = count.div_ceil(self.held_max.max(1) as u64);
        for share in 0..shares {
            let values = values(&|value| value % shares == share)?;
            let work = |at: usize| {
                let mut found = Vec::new();
                for block in up_to(run.splits[at].end_at(self.version)) {
                    values_of(run, at, column, &block, |doc, value| {
                        if values.contains(&value) {
                            found.push(doc);
                        }
                    })?;
                }
                Ok(found)
            };
            run.each(self.searched, work, |at, found| sharing[at].add(&found))?;
        }
        Ok(sharing)
    }

    fn marked(&self, docs: Vec<Docs>) -> Marked {
        let mut docs: Vec<Option<Docs>> = docs.into_iter().map(Some).collect();
        let of = |at: &usize| {
            let split = self.run.splits[*at].clone();
            let docs = docs.get_mut(*at).and_then(Option::take)?;
            Some((from_ref(split.segment()).addr(), (split, Arc::new(docs))))
        };
        Marked(Arc::new(self.searched.iter().filter_map(of).collect()))
    }
}

/// The records of such a change, by split.
pub(super) fn changes(
    run: &Run<'_>,
    fields: &Fields,
    change: Change,
    version: u64,
) -> Result<Vec<Docs>, Error> {
    let query = Query::Type(TypePattern::Exact(change.short().to_owned()));
    Matches::unmarked(&query, run, fields)?.docs(run, version)
}

/// Documents before `end`, a block at a time.
fn up_to(end: u32) -> impl Iterator<Item = Vec<u32>> {
    (0..end).step_by(BLOCK).map(move |from| (from..end.min(from.saturating_add(BLOCK as u32))).collect())
}

/// Hands out those of the documents that have a value in a column.
pub(super) fn each_value(
    run: &Run<'_>,
    at: usize,
    column: Column,
    docs: &Docs,
    mut each: impl FnMut(u32, u64),
) -> Result<(), Error> {
    docs.blocks(|block| values_of(run, at, column, block, &mut each))
}

fn values_of(
    run: &Run<'_>,
    at: usize,
    column: Column,
    docs: &[u32],
    mut each: impl FnMut(u32, u64),
) -> Result<(), Error> {
    run.stop.check()?;
    let mut values = Vec::with_capacity(docs.len());
    column(&run.splits[at], docs, &mut values);
    for (doc, value) in docs.iter().zip(values) {
        if let Some(value) = value {
            each(*doc, value);
        }
    }
    Ok(())
}

impl fmt::Debug for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Marked({} splits)", self.0.len())
    }
}

impl Compiled for Marked {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Marked {
    /// Every split has a reader of its own, which stays where it is while the split is held.
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let (_, docs) = self.0.get(&from_ref(reader).addr()).ok_or_else(|| {
            TantivyError::InternalError("a split was searched without its marks".to_owned())
        })?;
        let doc = docs.at_or_after(0).unwrap_or(TERMINATED);
        Ok(Box::new(ConstScorer::new(MarkedDocs { docs: docs.clone(), doc }, boost)))
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("Marked", 1.0))
    }
}

/// Stands on one marked document after another.
struct MarkedDocs {
    docs: Arc<Docs>,
    doc: DocId,
}

impl DocSet for MarkedDocs {
    fn advance(&mut self) -> DocId {
        if self.doc != TERMINATED {
            self.doc = self.docs.at_or_after(self.doc + 1).unwrap_or(TERMINATED);
        }
        self.doc
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc < target {
            self.doc = self.docs.at_or_after(target).unwrap_or(TERMINATED);
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.docs.len()).unwrap_or(u32::MAX)
    }
}
