//! The words of documents and where they stand.

use std::io;

use tantivy::DocId;
use tantivy::fieldnorm::FieldNormReader;

use super::postings::FieldWriter;
use super::terms::Terms;
use crate::text::each_term;

/// In the log, in place of a term: what follows is a position, and then its term.
const JUMP: u32 = u32::MAX;

/// So many places are put in the order of their terms at once, 8 bytes each: those of a hundred thousand
/// messages. Where there are more, the log is gone through again for each further part of the terms.
const PLACES_MAX: usize = 4 << 20;

/// The words of documents, in the order in which they stand.
pub(crate) struct Words {
    pub(crate) terms: Terms,
    /// The term of each token. Its position is one more than that of the token before, or a [`JUMP`]
    /// says which.
    log: Vec<u32>,
    /// Where the log of each document ends.
    ends: Vec<usize>,
    /// The lengths of documents as Tantivy keeps them.
    norms: Vec<u8>,
    tokens: u64,
    lower: String,
    /// [`PLACES_MAX`], or what a test says.
    pub(super) places_max: usize,
}

/// Where a term stands.
#[derive(Clone, Copy, Default)]
struct Place {
    doc: DocId,
    position: u32,
}

impl Words {
    pub(super) fn new() -> Words {
        Words {
            terms: Terms::default(),
            log: Vec::new(),
            ends: Vec::new(),
            norms: Vec::new(),
            tokens: 0,
            lower: String::new(),
            places_max: PLACES_MAX,
        }
    }

    /// The text of the next document; empty when it has none.
    pub(crate) fn push(&mut self, text: &str) {
        let (terms, log) = (&mut self.terms, &mut self.log);
        let (mut tokens, mut next) = (0_u32, 0);
        each_term(text, &mut self.lower, |term, position| {
            if position != next {
                log.extend([JUMP, position]);
            }
            log.push(terms.number(term));
            next = position.wrapping_add(1);
            tokens = tokens.saturating_add(1);
        });
        self.ends.push(self.log.len());
        self.norms.push(FieldNormReader::fieldnorm_to_id(tokens));
        self.tokens += u64::from(tokens);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens == 0
    }

    /// How many tokens all documents have.
    pub(crate) fn len(&self) -> u64 {
        self.tokens
    }

    /// The length of each document, as Tantivy keeps it.
    pub(crate) fn norms(&self) -> &[u8] {
        &self.norms
    }

    /// Every token of every document.
    fn each(&self, mut each: impl FnMut(Place, u32)) {
        let (mut from, mut log) = (0, self.log.iter());
        for (doc, end) in (0..).zip(&self.ends) {
            let mut position = 0;
            let mut left = end - from;
            while left > 0 {
                let Some(mut term) = log.next() else { return };
                left -= 1;
                if *term == JUMP {
                    let (Some(to), Some(of)) = (log.next(), log.next()) else { return };
                    (position, term) = (*to, of);
                    left -= 2;
                }
                each(Place { doc, position }, *term);
                position = position.wrapping_add(1);
            }
            from = *end;
        }
    }

    #[cfg(test)]
    pub(crate) fn of(&self, doc: DocId) -> Vec<(&[u8], u32)> {
        let mut all = Vec::new();
        self.each(|place, term| {
            if place.doc == doc {
                all.push((self.terms.term(term), place.position));
            }
        });
        all
    }

    /// Writes the postings of all terms.
    pub(super) fn write(&self, field: &mut FieldWriter<'_>) -> io::Result<()> {
        let order = self.terms.sorted();
        // The rank of each term among all, and how often it stands.
        let (mut ranks, mut counts) = (vec![0; order.len()], vec![0_usize; order.len()]);
        for (rank, term) in order.iter().enumerate() {
            ranks[*term as usize] = rank;
        }
        self.each(|_, term| counts[ranks[term as usize]] += 1);
        let (mut first, mut places, mut deltas) = (0, Vec::new(), Vec::new());
        while first < order.len() {
            // As many terms as there is room for, one at least.
            let (mut last, mut sum) = (first, 0);
            while last < order.len() && (last == first || sum + counts[last] <= self.places_max) {
                sum += counts[last];
                last += 1;
            }
            let mut next = Vec::with_capacity(last - first);
            let mut start = 0;
            for count in &counts[first..last] {
                next.push(start);
                start += count;
            }
            places.clear();
            places.resize(sum, Place::default());
            self.each(|place, term| {
                let rank = ranks[term as usize].wrapping_sub(first);
                if let Some(at) = next.get_mut(rank) {
                    places[*at] = place;
                    *at += 1;
                }
            });
            let mut from = 0;
            for (term, to) in order[first..last].iter().zip(next) {
                postings(self.terms.term(*term), &places[from..to], &mut deltas, field)?;
                from = to;
            }
            first = last;
        }
        Ok(())
    }
}

fn postings(
    term: &[u8],
    places: &[Place],
    deltas: &mut Vec<u32>,
    field: &mut FieldWriter<'_>,
) -> io::Result<()> {
    let mut docs: u32 = 0;
    let mut before = None;
    for place in places {
        docs += u32::from(before != Some(place.doc));
        before = Some(place.doc);
    }
    field.term(term, docs, true)?;
    let mut rest = places;
    while let [first, ..] = rest {
        deltas.clear();
        let mut position = 0;
        for place in rest.iter().take_while(|place| place.doc == first.doc) {
            deltas.push(place.position.wrapping_sub(position));
            position = place.position;
        }
        // There are fewer tokens in a text than bytes, and it is smaller than 4 GiB.
        field.doc(first.doc, deltas.len() as u32, deltas);
        rest = &rest[deltas.len()..];
    }
    field.end_term()
}
