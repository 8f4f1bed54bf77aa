//! Records by the places that their terms have in the dictionaries of a split.

use tantivy::error::DataCorruption;
use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::TermInfo;
use tantivy::query::{
    BitSetDocSet, BooleanQuery, ConstScorer, EmptyQuery, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermOrdinal;
use tantivy::{BitSet, DocId, Score, TantivyError};

use crate::spans::gather;
use crate::stop::{Stop, Walk};

/// A person has few names and is seldom in more than three fields. Few where tests have few.
const MET_MAX: usize = if cfg!(test) { 2 } else { 12 };

/// Looking a term up takes as long as going through so many.
const LOOKED_UP: usize = if cfg!(test) { 2 } else { 32 };

/// The records that have one of the terms at these places, in order. Few are met when they are asked
/// for, of many the records are gathered first.
pub(crate) fn any_of(terms: Vec<(Field, TermOrdinal)>, stop: &Stop) -> Box<dyn Query> {
    let query = |terms| Box::new(KnownQuery { terms, stop: stop.clone() }) as Box<dyn Query>;
    match terms.len() {
        0 => Box::new(EmptyQuery),
        2..=MET_MAX => {
            Box::new(BooleanQuery::union(terms.into_iter().map(|term| query(vec![term])).collect()))
        }
        _ => query(terms),
    }
}

/// The records that have one of these terms of a split.
#[derive(Debug, Clone)]
struct KnownQuery {
    terms: Vec<(Field, TermOrdinal)>,
    stop: Stop,
}

impl Query for KnownQuery {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for KnownQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let (mut docs, mut walk) = (None, Walk::new(&self.stop));
        for same in self.terms.chunk_by(|one, next| one.0 == next.0) {
            let index = reader.inverted_index(same[0].0)?;
            let infos = infos(&index, same.iter().map(|(_, ord)| *ord), &mut walk)?;
            if let ([_], [only]) = (&self.terms[..], &infos[..]) {
                let postings = index.read_postings_from_terminfo(only, IndexRecordOption::Basic)?;
                return Ok(Box::new(ConstScorer::new(postings, boost)));
            }
            let docs = docs.get_or_insert_with(|| BitSet::with_max_value(reader.max_doc()));
            infos.iter().try_for_each(|info| gather(&index, info, docs, &mut walk))?;
        }
        let docs = docs.unwrap_or_else(|| BitSet::with_max_value(reader.max_doc()));
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(docs), boost)))
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("Known", 1.0))
    }
}

/// The terms at these places of a dictionary, which ascend.
///
/// # Errors
///
/// When there is none at one of them, or the search has to give up.
fn infos(
    index: &InvertedIndexReader,
    ords: impl ExactSizeIterator<Item = TermOrdinal>,
    walk: &mut Walk<'_>,
) -> tantivy::Result<Vec<TermInfo>> {
    let mut out = Vec::with_capacity(ords.len());
    let terms = index.terms();
    if ords.len() > terms.num_terms() / LOOKED_UP {
        let mut all = terms.stream()?;
        for ord in ords {
            while all.advance() && all.term_ord() < ord {
                walk.step()?;
            }
            if all.term_ord() != ord {
                return Err(gone(ord));
            }
            out.push(all.value().clone());
        }
        return Ok(out);
    }
    let mut key = Vec::new();
    for ord in ords {
        walk.step()?;
        let info = if terms.ord_to_term(ord, &mut key)? { terms.get(&key)? } else { None };
        out.push(info.ok_or_else(|| gone(ord))?);
    }
    Ok(out)
}

fn gone(ord: TermOrdinal) -> TantivyError {
    let message = format!("there is no term {ord} in the dictionary");
    TantivyError::DataCorruption(DataCorruption::comment_only(message))
}
