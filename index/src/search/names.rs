//! The names that hits are grouped by, and which documents have them.

use std::collections::BTreeMap;
use std::str;
use std::sync::Arc;

use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{DocSet, TERMINATED};

use super::docs::Docs;
use super::groups::GroupBy;
use super::run::Run;
use super::tally::CHECK_TERMS;
use crate::error::Error;
use crate::party::PartyTerm;
use crate::schema::{Fields, PRESENT};
use crate::spans::seek;
use crate::split::OpenSplit;

/// Documents are looked up in a list that is so many times as long; a shorter one is gone through.
const LOOK_UP: u64 = 16;

/// Where names are looked for: the splits of a search that have something.
pub(super) struct Names<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) fields: &'a Fields,
    /// What counts, by split.
    pub(super) firsts: &'a [Docs],
}

/// A term of a split.
pub(super) struct Listed {
    pub(super) split: usize,
    terms: Arc<InvertedIndexReader>,
    info: TermInfo,
}

/// Takes a name with its terms.
type Each<'e> = dyn FnMut(&str, &mut [Listed]) -> Result<(), Error> + 'e;

impl Names<'_> {
    /// Hands over every name with its terms.
    pub(super) fn each(&self, by: GroupBy, each: &mut Each<'_>) -> Result<(), Error> {
        match by {
            GroupBy::Conversation => self.conversations(each),
            GroupBy::Participant => self.participants(each),
        }
    }

    /// Which of the documents that count have one of these terms of one split, in order.
    pub(super) fn docs(&self, listed: &[Listed], out: &mut Vec<u32>) -> Result<(), Error> {
        out.clear();
        for one in listed {
            one.docs(&self.run.splits[one.split], &self.firsts[one.split], out)?;
        }
        if listed.len() > 1 {
            out.sort_unstable();
            out.dedup();
        }
        Ok(())
    }

    /// Hands over each conversation with its terms. Terms are gone through in their order in all
    /// splits at once, so that none has to be held.
    fn conversations(&self, each: &mut Each<'_>) -> Result<(), Error> {
        let of = self.dictionaries(&[self.fields.conversation])?;
        let streams = of
            .iter()
            .map(|(at, terms)| terms.terms().stream().map_err(|e| failed(&self.run.splits[*at])(e.into())));
        let mut merger = TermMerger::new(streams.collect::<Result<_, _>>()?);
        for nth in 0_usize.. {
            if nth.is_multiple_of(CHECK_TERMS) {
                self.run.stop.check()?;
            }
            if !merger.advance() {
                break;
            }
            // It only marks that the field is there.
            let Some(name) = str::from_utf8(merger.key()).ok().filter(|name| *name != PRESENT) else {
                continue;
            };
            let listed = merger.current_segment_ords_and_term_infos().map(|(nth, info)| {
                let (split, terms) = &of[nth];
                Listed { split: *split, terms: terms.clone(), info }
            });
            each(name, &mut listed.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The same of participants, who may have several terms: they are gathered first. Takes about a
    /// hundred bytes for each in each split.
    fn participants(&self, each: &mut Each<'_>) -> Result<(), Error> {
        let mut all: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
        for (split, terms) in self.dictionaries(&[self.fields.from, self.fields.to, self.fields.other])? {
            let mut stream = terms.terms().stream().map_err(|e| failed(&self.run.splits[split])(e.into()))?;
            for nth in 0_usize.. {
                if nth.is_multiple_of(CHECK_TERMS) {
                    self.run.stop.check()?;
                }
                let Some((term, info)) = stream.next() else { break };
                if let Some(name) = participant(term) {
                    let listed = Listed { split, terms: terms.clone(), info: info.clone() };
                    all.entry(name.to_owned()).or_default().push(listed);
                }
            }
        }
        all.into_iter().try_for_each(|(name, mut listed)| each(&name, &mut listed))
    }

    /// The terms of some fields of the splits that have something.
    fn dictionaries(&self, fields: &[Field]) -> Result<Vec<(usize, Arc<InvertedIndexReader>)>, Error> {
        let mut out = Vec::new();
        for (at, split) in self.run.splits.iter().enumerate().filter(|(at, _)| self.firsts[*at].len() > 0) {
            for field in fields {
                out.push((at, split.segment().inverted_index(*field).map_err(failed(split))?));
            }
        }
        Ok(out)
    }
}

impl Listed {
    fn docs(&self, split: &OpenSplit, firsts: &Docs, out: &mut Vec<u32>) -> Result<(), Error> {
        let postings = self.terms.read_postings_from_terminfo(&self.info, IndexRecordOption::Basic);
        let mut postings = postings.map_err(|e| failed(split)(e.into()))?;
        if firsts.len().saturating_mul(LOOK_UP) < u64::from(self.info.doc_freq) {
            return firsts.blocks(|docs| {
                for doc in docs {
                    if seek(&mut postings, *doc) == *doc {
                        out.push(*doc);
                    }
                }
                Ok(())
            });
        }
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if firsts.contains(doc) {
                out.push(doc);
            }
            doc = postings.advance();
        }
        Ok(())
    }
}

/// The participant that a term stands for.
fn participant(term: &[u8]) -> Option<&str> {
    match PartyTerm::of(term)? {
        PartyTerm::Key(key) => key.name(),
        PartyTerm::Domain(_) => None,
    }
}

fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot group in {}", split.shown), e)
}
