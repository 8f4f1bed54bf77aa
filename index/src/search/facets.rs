//! What an answer consists of: events over time, and who, what and where they are most.
//!
//! Counted from the index alone: the first deliveries that match, met with the documents of each
//! term. Terms are gone through in their order in all splits at once, so that a term's count is
//! complete when it is made, and a term that is in too few records is not counted at all.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::str;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{DocSet, TERMINATED};

use super::docs::Docs;
use super::histogram::{Histogram, in_calendar};
use super::run::Run;
use crate::error::Error;
use crate::schema::{Fields, PRESENT, kind_name};
use crate::split::OpenSplit;
use crate::text::address_terms;

/// What is to be counted with a search.
#[derive(Debug, Clone, PartialEq)]
pub struct FacetRequest {
    /// How many of each are named, at most [`Settings::page_hits_max`](crate::Settings::page_hits_max).
    pub top: usize,
    /// The time zone of the histogram.
    pub zone: TimeZone,
}

/// What an answer consists of; further deliveries of an event do not count. The most frequent come
/// first, equal ones in order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Facets {
    /// Events over time.
    pub histogram: Histogram,
    /// Addresses of senders, recipients and others, without scheme, parameters
    /// and resource where they have a domain. An address that reads like a word
    /// of a name (`live:carol` without `live:`) cannot be told from one and is
    /// left out.
    pub participants: Vec<FacetCount>,
    /// Domains of these, without the `@`.
    pub domains: Vec<FacetCount>,
    /// Short names of types, in lower case.
    pub types: Vec<FacetCount>,
    /// Conversations by id.
    pub conversations: Vec<FacetCount>,
}

/// How many events have something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount {
    /// What they have. Names of more than 1024 bytes are left out.
    pub value: String,
    /// Events.
    pub count: u64,
}

/// What a term stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands<'t> {
    Participant(&'t str),
    Domain(&'t str),
    Type(&'t str),
    Conversation(&'t str),
}

/// A party has several terms, see [`address_terms`]; one of them stands for it.
pub(super) fn party(term: &str) -> Option<Stands<'_>> {
    let mut forms = Vec::new();
    address_terms(term, None, &mut forms);
    match &forms[..] {
        [_] if term.starts_with('@') && term.len() > 1 => Some(Stands::Domain(&term[1..])),
        // Words of names and ids of one word are the same; telephone numbers are neither.
        [_] => term.starts_with('+').then_some(Stands::Participant(term)),
        [_, domain] if domain.starts_with('@') => Some(Stands::Participant(term)),
        // With a scheme and without a domain. A number stands for itself.
        [_, bare] => (!bare.starts_with('+')).then_some(Stands::Participant(term)),
        // Another of its terms is the address alone.
        _ => None,
    }
}

// What starts like the hash of a longer name is one, or only marks that the field is there.

pub(super) fn kind(term: &str) -> Option<Stands<'_>> {
    kind_name(term).map(Stands::Type)
}

pub(super) fn conversation(term: &str) -> Option<Stands<'_>> {
    (!term.starts_with(PRESENT)).then_some(Stands::Conversation(term))
}

/// The most frequent, by how often and then by name.
struct Best {
    top: usize,
    kept: BTreeSet<(Reverse<u64>, String)>,
}

impl Best {
    fn new(top: usize) -> Best {
        Best { top, kept: BTreeSet::new() }
    }

    /// Whether a later name with so many events would be kept.
    fn keeps(&self, count: u64) -> bool {
        let last = self.kept.last().map_or(0, |(Reverse(count), _)| *count);
        self.top > 0 && count > if self.kept.len() < self.top { 0 } else { last }
    }

    fn offer(&mut self, value: &str, count: u64) {
        if self.keeps(count) {
            self.kept.insert((Reverse(count), value.to_owned()));
            if self.kept.len() > self.top {
                self.kept.pop_last();
            }
        }
    }

    fn counts(self) -> Vec<FacetCount> {
        self.kept.into_iter().map(|(Reverse(count), value)| FacetCount { value, count }).collect()
    }
}

/// The facets of some events, given by split.
pub(super) fn facets(
    run: &Run<'_>,
    fields: &Fields,
    firsts: &[Docs],
    request: &FacetRequest,
) -> Result<Facets, Error> {
    let (mut named, mut histogram) = (Named::new(request.top), None);
    let work = |job| {
        let mut named = Named::new(request.top);
        match job {
            0 => {
                named.count(run, firsts, &[fields.from, fields.to, fields.other], party)?;
            }
            1 => named.count(run, firsts, &[fields.conversation], conversation)?,
            2 => named.count(run, firsts, &[fields.kind], kind)?,
            _ => return Ok((named, Some(over_time(run, firsts, &request.zone)?))),
        }
        Ok((named, None))
    };
    run.each(&[0, 1, 2, 3], work, |job, (done, times)| match job {
        0 => (named.participants, named.domains) = (done.participants, done.domains),
        1 => named.conversations = done.conversations,
        2 => named.types = done.types,
        _ => histogram = times,
    })?;
    Ok(Facets {
        histogram: histogram.unwrap_or_else(|| Histogram::over(None, &request.zone)),
        participants: named.participants.counts(),
        domains: named.domains.counts(),
        types: named.types.counts(),
        conversations: named.conversations.counts(),
    })
}

fn over_time(run: &Run<'_>, firsts: &[Docs], zone: &TimeZone) -> Result<Histogram, Error> {
    let each_time = |each: &mut dyn FnMut(Option<i64>)| {
        let mut times = Vec::new();
        run.splits.iter().zip(firsts).try_for_each(|(split, firsts)| {
            firsts.blocks(|docs| {
                run.stop.check()?;
                split.times_ms(docs, &mut times);
                times.iter().for_each(|time| each(*time));
                Ok(())
            })
        })
    };
    let mut range = None;
    each_time(&mut |time| {
        if let Some(time) = time.filter(|time| in_calendar(*time)) {
            let (first, last) = range.unwrap_or((time, time));
            range = Some((time.min(first), time.max(last)));
        }
    })?;
    let mut histogram = Histogram::over(range, zone);
    each_time(&mut |time| histogram.add(time))?;
    Ok(histogram)
}

/// The most frequent of each kind.
struct Named {
    participants: Best,
    domains: Best,
    types: Best,
    conversations: Best,
}

/// One field of one split.
struct Listed {
    split: usize,
    terms: Arc<InvertedIndexReader>,
}

/// Terms after which a search asks whether it may go on.
const CHECK_TERMS: usize = 1_024;

impl Named {
    fn new(top: usize) -> Named {
        let best = || Best::new(top);
        Named { participants: best(), domains: best(), types: best(), conversations: best() }
    }

    fn best(&mut self, stands: Stands<'_>) -> &mut Best {
        match stands {
            Stands::Participant(_) => &mut self.participants,
            Stands::Domain(_) => &mut self.domains,
            Stands::Type(_) => &mut self.types,
            Stands::Conversation(_) => &mut self.conversations,
        }
    }

    /// Counts the terms of some fields together: a record that has a term in several of them
    /// counts once.
    fn count(
        &mut self,
        run: &Run<'_>,
        firsts: &[Docs],
        fields: &[Field],
        stands: impl Fn(&str) -> Option<Stands<'_>>,
    ) -> Result<(), Error> {
        let mut listed = Vec::new();
        for (split, of) in run.splits.iter().enumerate().filter(|(at, _)| firsts[*at].len() > 0) {
            for field in fields {
                let terms = of.segment().inverted_index(*field).map_err(failed(of))?;
                listed.push(Listed { split, terms });
            }
        }
        let streams = listed.iter().map(|part| {
            let split = &run.splits[part.split];
            part.terms.terms().stream().map_err(|e| failed(split)(e.into()))
        });
        let mut merger = TermMerger::new(streams.collect::<Result<_, _>>()?);
        let (mut found, mut docs): (Vec<(usize, TermInfo)>, Vec<u32>) = (Vec::new(), Vec::new());
        for nth in 0_usize.. {
            if nth.is_multiple_of(CHECK_TERMS) {
                run.stop.check()?;
            }
            if !merger.advance() {
                break;
            }
            found.clear();
            found.extend(merger.current_segment_ords_and_term_infos());
            let most = found.iter().map(|(_, info)| u64::from(info.doc_freq)).sum();
            // Most terms are in too few records, whatever they stand for.
            let bests = [&self.participants, &self.domains, &self.types, &self.conversations];
            if !bests.into_iter().any(|best| best.keeps(most)) {
                continue;
            }
            let Some(stands) = str::from_utf8(merger.key()).ok().and_then(&stands) else { continue };
            if !self.best(stands).keeps(most) {
                continue;
            }
            found.sort_unstable_by_key(|(at, _)| *at);
            let mut count = 0;
            for part in found.chunk_by(|a, b| listed[a.0].split == listed[b.0].split) {
                let split = listed[part[0].0].split;
                count += in_split(run, &listed, part, &firsts[split], &mut docs)?;
            }
            let (Stands::Participant(value)
            | Stands::Domain(value)
            | Stands::Type(value)
            | Stands::Conversation(value)) = stands;
            self.best(stands).offer(value, count);
        }
        Ok(())
    }
}

fn failed(split: &OpenSplit) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| Error::tantivy(&format!("cannot count in {}", split.shown), e)
}

/// How many of `firsts` have a term, which is in these fields of the split.
fn in_split(
    run: &Run<'_>,
    listed: &[Listed],
    part: &[(usize, TermInfo)],
    firsts: &Docs,
    docs: &mut Vec<u32>,
) -> Result<u64, Error> {
    run.stop.check()?;
    docs.clear();
    for (at, info) in part {
        let Listed { split, terms } = &listed[*at];
        let postings = terms.read_postings_from_terminfo(info, IndexRecordOption::Basic);
        let mut postings = postings.map_err(|e| failed(&run.splits[*split])(e.into()))?;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if firsts.contains(doc) {
                docs.push(doc);
            }
            doc = postings.advance();
        }
    }
    if part.len() > 1 {
        docs.sort_unstable();
        docs.dedup();
    }
    Ok(docs.len() as u64)
}
