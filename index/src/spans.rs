//! Words, phrases and proximity that Tantivy has no query for: patterns, and places.

use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, TERMINATED, TantivyError};

use crate::expand::{Expanded, expand, of_form, starting};
use crate::proximity::{Place, Placed};
use crate::query::limits::EXPANSIONS_MAX;
use crate::query::{Glob, How, Near, Span, Term};
use crate::stop::{Bounded, Stop, Walk};
use crate::vocabulary::Vocabulary;

/// Starts the message of a refusal, which has to pass through Tantivy as an error of its own.
pub(crate) const REFUSED: &str = "custody: ";

/// The records whose text has such places.
#[derive(Debug, Clone)]
pub(crate) struct PlacesQuery {
    pub(crate) field: Field,
    pub(crate) span: Span,
    /// The words of the split that it is run on, where they may be remembered.
    pub(crate) words: Option<Vocabulary>,
    pub(crate) stop: Stop,
}

impl Query for PlacesQuery {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for PlacesQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        match &self.span {
            // Only whether the word is there counts, unless its other forms have to be told apart.
            Span::Word(term) => {
                let index = reader.inverted_index(self.field)?;
                let found = expand(term, &index, self.words.as_ref(), &self.stop)?;
                if !found.minus.is_empty() {
                    return self.placed(reader, boost);
                }
                union(reader, self.field, &found.plus, &self.stop, boost)
            }
            _ => self.placed(reader, boost),
        }
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("Places", 1.0))
    }
}

impl PlacesQuery {
    fn placed(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut node = Node::of(&self.span, self, reader, &mut Walk::new(&self.stop))?;
        let mut walk = Bounded::new(self.stop.clone());
        let first = node.seek(0, &mut walk);
        let mut places = Places { node, doc: first, walk };
        places.settle();
        Ok(Box::new(ConstScorer::new(places, boost)))
    }
}

/// The records that have any of these terms.
fn union(
    reader: &SegmentReader,
    field: Field,
    terms: &[TermInfo],
    stop: &Stop,
    boost: Score,
) -> tantivy::Result<Box<dyn Scorer>> {
    let index = reader.inverted_index(field)?;
    match terms {
        [] => return Ok(Box::new(EmptyScorer)),
        [only] => {
            let postings = index.read_postings_from_terminfo(only, IndexRecordOption::Basic)?;
            return Ok(Box::new(ConstScorer::new(postings, boost)));
        }
        _ => {}
    }
    let (mut docs, mut walk) = (BitSet::with_max_value(reader.max_doc()), Walk::new(stop));
    for term in terms {
        gather(&index, term, &mut docs, &mut walk)?;
    }
    Ok(Box::new(ConstScorer::new(BitSetDocSet::from(docs), boost)))
}

/// Adds the records that have a term.
pub(crate) fn gather(
    index: &InvertedIndexReader,
    term: &TermInfo,
    docs: &mut BitSet,
    walk: &mut Walk<'_>,
) -> tantivy::Result<()> {
    let mut block = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    while !block.docs().is_empty() {
        walk.step()?;
        block.docs().iter().for_each(|doc| {
            docs.insert(*doc);
        });
        block.advance();
    }
    Ok(())
}

/// The records that have a term of this form in a field that is compared whole.
#[derive(Debug, Clone)]
pub(crate) struct FormQuery {
    pub(crate) field: Field,
    /// What terms begin with that are of this kind.
    pub(crate) start: &'static str,
    pub(crate) form: Glob,
    pub(crate) stop: Stop,
}

impl Query for FormQuery {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for FormQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.field)?;
        let terms = of_form(&self.form, self.start, &index, &self.stop)?;
        union(reader, self.field, &terms, &self.stop, boost)
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("Form", 1.0))
    }
}

/// The records that have a term with this beginning in a field that is compared whole.
#[derive(Debug, Clone)]
pub(crate) struct StartQuery {
    pub(crate) field: Field,
    pub(crate) start: String,
    pub(crate) stop: Stop,
}

impl Query for StartQuery {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for StartQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.field)?;
        let terms = starting(&self.start, &index, &self.stop)?;
        union(reader, self.field, &terms, &self.stop, boost)
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("Start", 1.0))
    }
}

/// What has places, on a split.
enum Node {
    Word(Word),
    /// With the distance of each from the first word.
    Phrase(Vec<(u32, Word)>, u32),
    Or(Vec<Node>),
    Near {
        left: Box<Node>,
        right: Box<Node>,
        within: u32,
        how: How,
    },
}

/// The places of a word.
struct Word {
    plus: Vec<SegmentPostings>,
    minus: Vec<SegmentPostings>,
}

impl Word {
    fn of(
        term: &Term,
        asked: &PlacesQuery,
        reader: &SegmentReader,
        walk: &mut Walk<'_>,
    ) -> tantivy::Result<Word> {
        let index = reader.inverted_index(asked.field)?;
        let Expanded { plus, minus } = expand(term, &index, asked.words.as_ref(), walk.stop())?;
        if plus.len() > EXPANSIONS_MAX {
            let shown = crate::query::Query::Word(term.clone());
            let message = format!(
                "{REFUSED}in a phrase or beside other words `{shown}` stands for more than {EXPANSIONS_MAX} \
                 different words: write more of it"
            );
            return Err(TantivyError::InvalidArgument(message));
        }
        let mut open = |terms: Vec<TermInfo>| {
            let terms = terms.into_iter().map(|term| {
                walk.step()?;
                Ok(index.read_postings_from_terminfo(&term, IndexRecordOption::WithFreqsAndPositions)?)
            });
            terms.collect::<tantivy::Result<Vec<_>>>()
        };
        Ok(Word { plus: open(plus)?, minus: open(minus)? })
    }

    /// The first record from `target` on that may have it.
    fn seek(&mut self, target: DocId, walk: &mut Bounded) -> DocId {
        if walk.ends(self.plus.len()) {
            return TERMINATED;
        }
        let docs = self.plus.iter_mut().map(|postings| seek(postings, target));
        docs.min().unwrap_or(TERMINATED)
    }

    fn places(&mut self, doc: DocId) -> Vec<u32> {
        let mut out = Vec::new();
        for postings in self.plus.iter_mut().filter(|postings| postings.doc() == doc) {
            postings.append_positions_with_offset(0, &mut out);
        }
        if self.plus.len() > 1 {
            out.sort_unstable();
            out.dedup();
        }
        let mut not = Vec::new();
        for postings in &mut self.minus {
            if seek(postings, doc) == doc {
                postings.append_positions_with_offset(0, &mut not);
            }
        }
        if !not.is_empty() {
            not.sort_unstable();
            out.retain(|place| not.binary_search(place).is_err());
        }
        out
    }
}

/// Tantivy's own may only be asked forward.
pub(crate) fn seek(postings: &mut SegmentPostings, target: DocId) -> DocId {
    if postings.doc() < target { postings.seek(target) } else { postings.doc() }
}

impl Node {
    fn of(
        span: &Span,
        asked: &PlacesQuery,
        reader: &SegmentReader,
        walk: &mut Walk<'_>,
    ) -> tantivy::Result<Node> {
        Ok(match span {
            Span::Word(term) => Node::Word(Word::of(term, asked, reader, walk)?),
            Span::Phrase(terms) => {
                let last = u32::try_from(terms.len().saturating_sub(1)).unwrap_or(u32::MAX);
                // Any word at all is no reason to look.
                let words = (0..).zip(terms).filter(|(_, term)| !term.is_any());
                let words = words.map(|(at, term)| Ok((at, Word::of(term, asked, reader, walk)?)));
                Node::Phrase(words.collect::<tantivy::Result<_>>()?, last)
            }
            Span::Or(parts) => Node::Or(
                parts
                    .iter()
                    .map(|part| Node::of(part, asked, reader, walk))
                    .collect::<tantivy::Result<_>>()?,
            ),
            Span::Near(near) => {
                let Near { left, right, within, how } = &**near;
                let mut side = |span| Ok::<_, TantivyError>(Box::new(Node::of(span, asked, reader, walk)?));
                Node::Near { left: side(left)?, right: side(right)?, within: *within, how: *how }
            }
        })
    }

    /// The first record from `target` on that may have it.
    fn seek(&mut self, target: DocId, walk: &mut Bounded) -> DocId {
        match self {
            Node::Word(word) => word.seek(target, walk),
            Node::Phrase(words, _) => all(target, words.len(), |at, target| words[at].1.seek(target, walk)),
            Node::Or(parts) => {
                parts.iter_mut().map(|part| part.seek(target, walk)).min().unwrap_or(TERMINATED)
            }
            Node::Near { left, how: How::Without, .. } => left.seek(target, walk),
            Node::Near { left, right, .. } => all(target, 2, |at, target| match at {
                0 => left.seek(target, walk),
                _ => right.seek(target, walk),
            }),
        }
    }

    /// Where its words stand in a record.
    fn placed(&mut self, doc: DocId, walk: &mut Bounded) -> Placed {
        match self {
            Node::Word(word) => Placed::Each(0, places(word.places(doc), 0)),
            Node::Phrase(words, last) => {
                let mut firsts: Option<Vec<u32>> = None;
                for (at, word) in words {
                    let at = *at;
                    let starts = word.places(doc).into_iter().filter_map(|place| place.checked_sub(at));
                    firsts = Some(match firsts {
                        None => starts.collect(),
                        Some(known) => common(&known, starts),
                    });
                }
                Placed::Each(0, places(firsts.unwrap_or_default(), *last))
            }
            Node::Or(parts) => {
                let mut there = Vec::new();
                for part in parts {
                    if part.seek(doc, walk) == doc {
                        there.push(part.placed(doc, walk));
                    }
                }
                Placed::Or(there)
            }
            Node::Near { left, right, within, how } => {
                let left = left.placed(doc, walk);
                if left.is_nowhere() {
                    return left;
                }
                let there = right.seek(doc, walk) == doc;
                let right = if there { right.placed(doc, walk) } else { Placed::Or(Vec::new()) };
                Placed::Near { left: Box::new(left), right: Box::new(right), within: *within, how: *how }
            }
        }
    }
}

/// From each first word to the one that is so far from it.
fn places(firsts: Vec<u32>, last: u32) -> Vec<Place> {
    firsts.into_iter().map(|first| (first, first.saturating_add(last))).collect()
}

/// The first record from `target` on that all may have.
fn all(target: DocId, count: usize, mut seek: impl FnMut(usize, DocId) -> DocId) -> DocId {
    let (mut doc, mut agreed, mut at) = (target, 0, 0);
    // As long as somebody is ahead, the others follow.
    while agreed < count && doc != TERMINATED {
        let found = seek(at, doc);
        agreed = if found == doc { agreed + 1 } else { 1 };
        doc = found;
        at = (at + 1) % count.max(1);
    }
    if count == 0 { TERMINATED } else { doc }
}

fn common(known: &[u32], more: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut known = known.iter().copied().peekable();
    let mut out = Vec::new();
    for place in more {
        while known.next_if(|known| *known < place).is_some() {}
        if known.peek() == Some(&place) {
            out.push(place);
        }
    }
    out
}

/// The records that have a place, for as long as the search goes on.
struct Places {
    node: Node,
    doc: DocId,
    walk: Bounded,
}

impl Places {
    fn is_here(&mut self) -> bool {
        let placed = self.node.placed(self.doc, &mut self.walk);
        placed.any(|positions| self.walk.ends(positions))
    }

    /// Goes on until one has.
    fn settle(&mut self) {
        while self.doc != TERMINATED && !self.is_here() {
            self.doc = self.node.seek(self.doc + 1, &mut self.walk);
        }
    }
}

impl DocSet for Places {
    fn advance(&mut self) -> DocId {
        if self.doc != TERMINATED {
            self.doc = self.node.seek(self.doc + 1, &mut self.walk);
            self.settle();
        }
        self.doc
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc < target {
            self.doc = self.node.seek(target, &mut self.walk);
            self.settle();
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        match &self.node {
            Node::Word(word) => word.plus.iter().map(DocSet::size_hint).sum(),
            Node::Phrase(words, _) => {
                let each = words.iter().map(|(_, word)| word.plus.iter().map(DocSet::size_hint).sum());
                each.min().unwrap_or(0)
            }
            _ => 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_agree_or_none() {
        let lists = [[1, 4, 9, 12], [4, 5, 12, 13], [2, 4, 12, 20]];
        let mut seek =
            |at: usize, target: u32| *lists[at].iter().find(|doc| **doc >= target).unwrap_or(&TERMINATED);
        assert_eq!(all(0, 3, &mut seek), 4);
        assert_eq!(all(5, 3, &mut seek), 12);
        assert_eq!(all(13, 3, &mut seek), TERMINATED);
        assert_eq!(all(0, 0, &mut seek), TERMINATED);
    }
}
