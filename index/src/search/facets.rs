//! What an answer consists of: events over time, and who, what and where they are most.
//!
//! Counted from the index alone: the first deliveries that match, met with the documents of each
//! term. In how many documents a term is bounds how often it can count. Names that are one term each
//! are gone through in order in all splits at once, and one that is in too few records is not counted
//! at all; parties are gathered first, and counted as long as the next may still be among the most.
//! Whoever asks again is answered from what is remembered of the splits, see [`Named`].

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;

use super::docs::Docs;
use super::histogram::{Histogram, in_calendar};
use super::named::Named;
use super::run::Run;
use super::tally::{Candidate, Parties, Seen, one_term_each, parties_of, ranges};
use crate::error::Error;
use crate::schema::{Fields, PRESENT, kind_name};

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
    /// and resource where they have a domain. Who is only known by a name is left
    /// out.
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

/// The name of a conversation's term. What starts like the hash of a longer name is one, or only
/// marks that the field is there.
pub(super) fn conversation(term: &str) -> Option<&str> {
    (!term.starts_with(PRESENT)).then_some(term)
}

/// The most frequent, by how often and then by name.
pub(super) struct Best {
    top: usize,
    kept: BTreeSet<(Reverse<u64>, String)>,
}

impl Best {
    pub(super) fn new(top: usize) -> Best {
        Best { top, kept: BTreeSet::new() }
    }

    /// Whether a name with so many events, or fewer, may be kept.
    pub(super) fn may_keep(&self, most: u64, value: &str) -> bool {
        if most == 0 || self.kept.len() < self.top {
            return most > 0;
        }
        self.kept.last().is_some_and(|(count, last)| (Reverse(most), value) < (*count, last.as_str()))
    }

    pub(super) fn offer(&mut self, value: &str, count: u64) {
        if self.may_keep(count, value) {
            self.kept.insert((Reverse(count), value.to_owned()));
            if self.kept.len() > self.top {
                self.kept.pop_last();
            }
        }
    }

    fn merge(&mut self, other: Best) {
        other.kept.into_iter().for_each(|(Reverse(count), value)| self.offer(&value, count));
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
    named: &Named,
) -> Result<Facets, Error> {
    let firsts: &[Docs] = &firsts.iter().map(Docs::to_ask).collect::<Vec<_>>();
    let remembered = named.best(run, fields, firsts, request.top)?;
    let gathered = gather(run, fields, firsts, request, remembered.is_some())?;
    let empty = Histogram::over(gathered.times, &request.zone);
    let (participants, domains) = gathered.parties.candidates();
    let splits = (0..run.splits.len()).filter(|at| firsts[*at].len() > 0).map(Count::Times);
    let people = chunks(&participants).map(|part| Count::Candidates(part, People::Participants));
    let hosts = chunks(&domains).map(|part| Count::Candidates(part, People::Domains));
    let work: Vec<Count<'_>> = splits.chain(people).chain(hosts).collect();

    let mut histogram = empty.clone();
    let best = [(); 2].map(|()| Mutex::new(Best::new(request.top)));
    let count = |nth: usize| {
        match work[nth] {
            Count::Times(at) => return Ok(Some(over_time(run, at, &firsts[at], empty.clone())?)),
            Count::Candidates(part, of) => count_some(run, firsts, part, &best[of as usize])?,
        }
        Ok(None)
    };
    let order: Vec<usize> = (0..work.len()).collect();
    run.each(&order, count, |_, times| times.iter().for_each(|times| histogram.merge(times)))?;
    let [participants, domains, conversations] = remembered.unwrap_or_else(|| {
        let [participants, domains] =
            best.map(|best| best.into_inner().unwrap_or_else(PoisonError::into_inner));
        [participants, domains, gathered.conversations]
    });
    let [participants, domains, conversations] = [participants, domains, conversations].map(Best::counts);
    let types = gathered.types.counts();
    Ok(Facets { histogram, participants, domains, types, conversations })
}

/// What is counted at once.
#[derive(Clone, Copy)]
enum Count<'c> {
    Times(usize),
    Candidates(&'c [Candidate], People),
}

#[derive(Clone, Copy)]
enum People {
    Participants,
    Domains,
}

/// Candidates that are counted before the threads look again whether others may be among the most.
const CANDIDATES: usize = 4;

fn chunks(candidates: &[Candidate]) -> impl Iterator<Item = &[Candidate]> {
    candidates.chunks(CANDIDATES)
}

/// What is known before anything but the names of one term each is counted.
struct Gathered {
    conversations: Best,
    types: Best,
    parties: Parties,
    /// The first and the last time of a calendar.
    times: Option<(i64, i64)>,
}

/// Some of that.
enum Part {
    Conversations(Best),
    Types(Best),
    Split(Parties, Option<(i64, i64)>),
}

fn gather(
    run: &Run<'_>,
    fields: &Fields,
    firsts: &[Docs],
    request: &FacetRequest,
    remembered: bool,
) -> Result<Gathered, Error> {
    let best = || Best::new(request.top);
    let ranges = if remembered { Vec::new() } else { ranges(run, firsts, fields.conversation)? };
    let first_split = ranges.len() + 1;
    let work = |nth: usize| {
        let mut best = best();
        if let Some(range) = ranges.get(nth) {
            one_term_each(run, firsts, fields.conversation, range, conversation, &mut best)?;
            return Ok(Part::Conversations(best));
        }
        if nth < first_split {
            one_term_each(run, firsts, fields.kind, &(None, None), kind_name, &mut best)?;
            return Ok(Part::Types(best));
        }
        let at = nth - first_split;
        let times = times_of(run, at, &firsts[at])?;
        let parties = match remembered {
            true => Parties::default(),
            false => parties_of(run, at, &firsts[at], fields)?,
        };
        Ok(Part::Split(parties, times))
    };
    let mut gathered =
        Gathered { conversations: best(), types: best(), parties: Parties::default(), times: None };
    let splits = (0..run.splits.len()).filter(|at| firsts[*at].len() > 0);
    let order: Vec<usize> = (0..first_split).chain(splits.map(|at| first_split + at)).collect();
    run.each(&order, work, |_, part| match part {
        Part::Conversations(best) => gathered.conversations.merge(best),
        Part::Types(best) => gathered.types.merge(best),
        Part::Split(parties, times) => {
            gathered.parties.merge(parties);
            gathered.times = both(gathered.times, times);
        }
    })?;
    Ok(gathered)
}

fn both(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

/// The first and the last time of a calendar among some documents of a split.
fn times_of(run: &Run<'_>, at: usize, firsts: &Docs) -> Result<Option<(i64, i64)>, Error> {
    let (split, mut range) = (&run.splits[at], None);
    let of_all = split.footer.time_ms_min.zip(split.footer.time_ms_max);
    if firsts.is_all() && of_all.is_none_or(|(min, max)| in_calendar(min) && in_calendar(max)) {
        return Ok(of_all);
    }
    let mut times = Vec::new();
    firsts.blocks(|docs| {
        run.stop.check()?;
        split.times_ms(docs, &mut times);
        for time in times.iter().flatten().filter(|time| in_calendar(**time)) {
            range = both(range, Some((*time, *time)));
        }
        Ok(())
    })?;
    Ok(range)
}

fn over_time(run: &Run<'_>, at: usize, firsts: &Docs, mut histogram: Histogram) -> Result<Histogram, Error> {
    let mut times = Vec::new();
    firsts.blocks(|docs| {
        run.stop.check()?;
        run.splits[at].times_ms(docs, &mut times);
        histogram.add(&times);
        Ok(())
    })?;
    Ok(histogram)
}

/// Counts candidates that may still be among the most frequent.
fn count_some(
    run: &Run<'_>,
    firsts: &[Docs],
    candidates: &[Candidate],
    best: &Mutex<Best>,
) -> Result<(), Error> {
    let best = || best.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seen = Seen::default();
    for candidate in candidates {
        if best().may_keep(candidate.most, &candidate.name) {
            let count = candidate.count(run, firsts, &mut seen)?;
            best().offer(&candidate.name, count);
        }
    }
    Ok(())
}
