//! Which documents have a term, for terms that are compared whole.

use std::io;

use tantivy::DocId;
use tantivy::postings::FieldSerializer;

use super::terms::Terms;

/// The terms of documents, as they came: a document's stand together.
#[derive(Default)]
pub(crate) struct Lists {
    log: Vec<(DocId, u32)>,
}

impl Lists {
    /// A document has these terms, by their numbers; each is named once.
    pub(crate) fn push(&mut self, doc: DocId, terms: impl IntoIterator<Item = u32>) {
        self.log.extend(terms.into_iter().map(|term| (doc, term)));
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
    pub(crate) fn write(
        &self,
        terms: &Terms,
        order: &[u32],
        mut field: FieldSerializer<'_>,
    ) -> io::Result<Vec<u32>> {
        let mut next = vec![0_usize; terms.len()];
        self.log.iter().for_each(|(_, term)| next[*term as usize] += 1);
        // Where the documents of each term begin, in the order of the terms.
        let (mut written, mut sum) = (Vec::new(), 0);
        for term in order {
            let count = std::mem::replace(&mut next[*term as usize], sum);
            if count > 0 {
                written.push(*term);
            }
            sum += count;
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
            field.new_term_without_freq(terms.term(*term))?;
            docs[from..to].iter().for_each(|doc| field.write_doc(*doc, 0, &[]));
            field.close_term()?;
            from = to;
        }
        field.close()?;
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
        self.lists.push(doc, [number]);
    }
}
