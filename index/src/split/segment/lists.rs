//! Which documents have a term, for terms that are compared whole.

use std::io;

use tantivy::DocId;

use super::postings::FieldWriter;
use super::terms::Terms;

/// The terms of documents, as they came: a document's stand together.
#[derive(Default)]
pub(crate) struct Lists {
    log: Vec<(DocId, u32)>,
    /// Of each term.
    seen: Vec<Seen>,
}

/// What is known of a term.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// How many documents have it.
    docs: u32,
    /// One more than the last of them.
    next: DocId,
}

impl Lists {
    /// A document has this term, by its number; it may be named again. Documents come in order.
    pub(crate) fn push(&mut self, doc: DocId, term: u32) {
        let at = term as usize;
        if at >= self.seen.len() {
            self.seen.resize(at + 1, Seen::default());
        }
        let seen = &mut self.seen[at];
        if seen.next > doc {
            return;
        }
        *seen = Seen { docs: seen.docs + 1, next: doc.saturating_add(1) };
        self.log.push((doc, term));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// How many terms all documents have.
    pub(crate) fn len(&self) -> u64 {
        self.log.len() as u64
    }

    #[cfg(test)]
    pub(crate) fn of(&self, doc: DocId) -> impl Iterator<Item = u32> {
        self.log.iter().filter(move |(of, _)| *of == doc).map(|(_, term)| *term)
    }

    /// Writes the postings of the terms that a document has, in `order`, and gives the numbers of
    /// these terms.
    pub(super) fn write(
        &self,
        terms: &Terms,
        order: &[u32],
        field: &mut FieldWriter<'_>,
    ) -> io::Result<Vec<u32>> {
        // Where the documents of each term begin, in the order of the terms.
        let (mut next, mut written, mut sum) = (vec![0_usize; self.seen.len()], Vec::new(), 0);
        for term in order {
            let Some(seen) = self.seen.get(*term as usize).filter(|seen| seen.docs > 0) else { continue };
            next[*term as usize] = sum;
            written.push(*term);
            sum += seen.docs as usize;
        }
        let mut docs = vec![0; self.log.len()];
        for (doc, term) in &self.log {
            let at = &mut next[*term as usize];
            docs[*at] = *doc;
            *at += 1;
        }
        // Now it is where they end.
        let mut from = 0;
        for term in &written {
            let to = next[*term as usize];
            field.term(terms.term(*term), 0, false)?;
            docs[from..to].iter().for_each(|doc| field.doc(*doc, 0, &[]));
            field.end_term()?;
            from = to;
        }
        Ok(written)
    }
}

/// A field with terms of its own.
#[derive(Default)]
pub(crate) struct Raw {
    pub(crate) terms: Terms,
    pub(crate) lists: Lists,
}

impl Raw {
    /// A document has this term.
    pub(crate) fn push(&mut self, doc: DocId, term: &str) {
        let number = self.terms.number(term);
        self.lists.push(doc, number);
    }
}
