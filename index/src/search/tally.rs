//! Names that are counted: in which terms of which splits they are, and in how many documents at most.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use tantivy::TERMINATED;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;

use super::docs::Docs;
use super::facets::Best;
use super::run::Run;
use crate::error::Error;
use crate::party::PartyTerm;
use crate::schema::Fields;
use crate::spans::seek;
use crate::split::OpenSplit;

/// Terms after which a search asks whether it may go on.
pub(super) const CHECK_TERMS: usize = 1_024;

/// Terms of a dictionary that are worth a piece of work of their own; few where tests have few.
const RANGE_TERMS: usize = if cfg!(test) { 2 } else { 16_384 };

/// Pieces of work at most.
const RANGES_MAX: usize = 16;

pub(super) fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot count in {}", split.shown), e)
}

/// Names from one, included, to another, excluded.
pub(super) type Range = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The names of a field in pieces of about one size.
pub(super) fn ranges(run: &Run<'_>, firsts: &[Docs], field: Field) -> Result<Vec<Range>, Error> {
    let (mut ends, mut most) = (Vec::new(), 0);
    for (split, _) in run.splits.iter().zip(firsts).filter(|(_, firsts)| firsts.len() > 0) {
        let index = split.segment().inverted_index(field).map_err(failed(split))?;
        let count = index.terms().num_terms();
        if count <= most {
            continue;
        }
        most = count;
        ends.clear();
        let pieces = (count / RANGE_TERMS).min(RANGES_MAX);
        for piece in 1..pieces {
            let mut end = Vec::new();
            let ord = (count / pieces * piece) as u64;
            if index.terms().ord_to_term(ord, &mut end).map_err(|e| failed(split)(e.into()))? {
                ends.push(end);
            }
        }
    }
    let starts = std::iter::once(None).chain(ends.iter().cloned().map(Some));
    Ok(starts.zip(ends.iter().cloned().map(Some).chain([None])).collect())
}

/// Offers the names of a field that are one term each, of which a document has one.
pub(super) fn one_term_each(
    run: &Run<'_>,
    firsts: &[Docs],
    field: Field,
    range: &Range,
    named: impl Fn(&str) -> Option<&str>,
    best: &mut Best,
) -> Result<(), Error> {
    let mut listed = Vec::new();
    for (at, split) in run.splits.iter().enumerate().filter(|(at, _)| firsts[*at].len() > 0) {
        listed.push((at, split.segment().inverted_index(field).map_err(failed(split))?));
    }
    let streams = listed.iter().map(|(at, index)| {
        let mut terms = index.terms().range();
        if let Some(from) = &range.0 {
            terms = terms.ge(from);
        }
        if let Some(to) = &range.1 {
            terms = terms.lt(to);
        }
        terms.into_stream().map_err(|e| failed(&run.splits[*at])(e.into()))
    });
    let mut merger = TermMerger::new(streams.collect::<Result<_, _>>()?);
    let (mut found, mut seen): (Vec<(usize, TermInfo)>, _) = (Vec::new(), Seen::default());
    for nth in 0_usize.. {
        if nth.is_multiple_of(CHECK_TERMS) {
            run.stop.check()?;
        }
        if !merger.advance() {
            break;
        }
        let Some(name) = str::from_utf8(merger.key()).ok().and_then(&named) else { continue };
        found.clear();
        found.extend(merger.current_segment_ords_and_term_infos());
        let most = |(at, info): &(usize, TermInfo)| u64::from(info.doc_freq).min(firsts[listed[*at].0].len());
        // Most names are in too few documents.
        if !best.may_keep(found.iter().map(most).sum(), name) {
            continue;
        }
        let mut count = 0;
        for (at, info) in &found {
            let (at, index) = &listed[*at];
            let split = &run.splits[*at];
            count += count_in(split, &[(index.clone(), info)], &firsts[*at], &mut seen)?;
        }
        best.offer(name, count);
    }
    Ok(())
}

/// The terms of a name in a split.
type Terms = Vec<(Field, TermInfo)>;

/// Somebody, or a domain, that may be among the most frequent.
pub(super) struct Candidate {
    pub(super) name: String,
    /// No more events than these have it.
    pub(super) most: u64,
    terms: Vec<(usize, Terms)>,
}

impl Candidate {
    /// How many of `firsts` have it.
    pub(super) fn count(&self, run: &Run<'_>, firsts: &[Docs], seen: &mut Seen) -> Result<u64, Error> {
        let mut count = 0;
        for (at, terms) in &self.terms {
            run.stop.check()?;
            let split = &run.splits[*at];
            let terms = terms.iter().map(|(field, info)| {
                Ok((split.segment().inverted_index(*field).map_err(failed(split))?, info))
            });
            count += count_in(split, &terms.collect::<Result<Vec<_>, Error>>()?, &firsts[*at], seen)?;
        }
        Ok(count)
    }
}

type Names = HashMap<String, Vec<(usize, Terms)>, RandomState>;

/// The parties of some splits: the terms by name of participants, and by domain.
#[derive(Default)]
pub(super) struct Parties {
    participants: Names,
    domains: Names,
    /// How many documents of a split count.
    counted: HashMap<usize, u64, RandomState>,
}

/// The parties of a split, of which a part of the documents counts.
pub(super) fn parties_of(run: &Run<'_>, at: usize, firsts: &Docs, fields: &Fields) -> Result<Parties, Error> {
    let (split, mut parties) = (&run.splits[at], Parties::default());
    parties.counted.insert(at, firsts.len());
    for field in [fields.from, fields.to, fields.other] {
        let index = split.segment().inverted_index(field).map_err(failed(split))?;
        let mut terms = index.terms().stream().map_err(|e| failed(split)(e.into()))?;
        for nth in 0_usize.. {
            if nth.is_multiple_of(CHECK_TERMS) {
                run.stop.check()?;
            }
            let Some((term, info)) = terms.next() else { break };
            let (names, name) = match PartyTerm::of(term) {
                Some(PartyTerm::Domain(name)) => (&mut parties.domains, Some(name)),
                Some(PartyTerm::Key(key)) => (&mut parties.participants, key.name()),
                None => continue,
            };
            let Some(name) = name else { continue };
            let known = match names.get_mut(name) {
                Some(known) => known,
                None => names.entry(name.to_owned()).or_default(),
            };
            match known.first_mut() {
                Some((_, terms)) => terms.push((field, info.clone())),
                None => known.push((at, vec![(field, info.clone())])),
            }
        }
    }
    Ok(parties)
}

impl Parties {
    pub(super) fn merge(&mut self, other: Parties) {
        self.counted.extend(other.counted);
        for (names, more) in
            [(&mut self.participants, other.participants), (&mut self.domains, other.domains)]
        {
            for (name, terms) in more {
                names.entry(name).or_default().extend(terms);
            }
        }
    }

    /// Participants and domains, those first that may be in most documents.
    pub(super) fn candidates(self) -> (Vec<Candidate>, Vec<Candidate>) {
        let counted = &self.counted;
        let sorted = |names: Names| {
            let candidate = |(name, terms): (String, Vec<(usize, Terms)>)| {
                let most = |(at, terms): &(usize, Terms)| {
                    let sum = terms.iter().map(|(_, info)| u64::from(info.doc_freq)).sum::<u64>();
                    sum.min(counted.get(at).copied().unwrap_or_default())
                };
                Candidate { most: terms.iter().map(most).sum(), name, terms }
            };
            let mut all: Vec<Candidate> = names.into_iter().map(candidate).collect();
            all.sort_unstable_by(|one, other| (other.most, &one.name).cmp(&(one.most, &other.name)));
            all
        };
        (sorted(self.participants), sorted(self.domains))
    }
}

/// Documents of a split that were counted already.
#[derive(Default)]
pub(super) struct Seen {
    bits: Vec<u64>,
    /// Where bits are set: they are few, and are taken back one by one.
    set: Vec<u32>,
    docs: u32,
}

impl Seen {
    fn none_of(&mut self, docs: u32) {
        for doc in self.set.drain(..) {
            if let Some(word) = self.bits.get_mut(doc as usize / 64) {
                *word = 0;
            }
        }
        self.docs = docs;
        let words = (docs as usize).div_ceil(64);
        if self.bits.len() < words {
            self.bits.resize(words, 0);
        }
    }

    /// Whether it was not there yet. One beyond the split's end never is: a damaged split might name it.
    fn add(&mut self, doc: u32) -> bool {
        let Some(word) = self.bits.get_mut(doc as usize / 64).filter(|_| doc < self.docs) else {
            return false;
        };
        let bit = 1 << (doc % 64);
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.set.push(doc);
        }
        new
    }
}

/// Seeking a document takes as long as going through so many.
const SOUGHT: usize = 8;

/// How many of `firsts` have one of these terms of a split.
fn count_in(
    split: &OpenSplit,
    terms: &[(Arc<InvertedIndexReader>, &TermInfo)],
    firsts: &Docs,
    seen: &mut Seen,
) -> Result<u64, Error> {
    let in_terms = terms.iter().map(|(_, info)| u64::from(info.doc_freq)).sum::<u64>();
    if let ([_], true) = (terms, firsts.is_all()) {
        return Ok(in_terms);
    }
    if let Some(few) = firsts.few().filter(|few| (few.len() * terms.len() * SOUGHT) as u64 <= in_terms) {
        return among(split, terms, few);
    }
    if terms.len() > 1 {
        seen.none_of(split.footer.docs);
    }
    let (mut count, all) = (0, firsts.is_all());
    for (index, info) in terms {
        let block = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic);
        let mut block = block.map_err(|e| failed(split)(e.into()))?;
        while !block.docs().is_empty() {
            let docs = block.docs().iter().filter(|doc| all || firsts.contains(**doc));
            count += if terms.len() == 1 { docs.count() } else { docs.filter(|doc| seen.add(**doc)).count() };
            block.advance();
        }
    }
    Ok(count as u64)
}

/// How many of a few documents have one of these terms.
fn among(
    split: &OpenSplit,
    terms: &[(Arc<InvertedIndexReader>, &TermInfo)],
    few: &[u32],
) -> Result<u64, Error> {
    let open = |(index, info): &(Arc<InvertedIndexReader>, &TermInfo)| {
        let postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic);
        postings.map_err(|e| failed(split)(e.into()))
    };
    let mut postings = terms.iter().map(open).collect::<Result<Vec<_>, Error>>()?;
    let mut count = 0;
    for doc in few {
        let mut has = false;
        postings.retain_mut(|postings| {
            let at = seek(postings, *doc);
            has |= at == *doc;
            at != TERMINATED
        });
        count += u64::from(has);
    }
    Ok(count)
}
