//! What was found by conversation or by participant: how much of each, and its first hit.
//!
//! Counted from the index alone, like facets: the first deliveries that match, met with the documents
//! of each name. Only the groups of the page are held; each is one by its first hit, so that a page
//! goes on where the last one ended, whatever was indexed since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::asked::{Explained, Hit, Request};
use super::docs::Docs;
use super::facets::{Facets, facets};
use super::names::{Listed, Names};
use super::order::{Asked, Cursor, First, Order, Ranks, SortKey};
use super::run::{Run, Stop, Watch};
use super::{FirstOf, Scope, Searcher, with_copies};
use crate::compile::Scoring;
use crate::damage::guarded;
use crate::error::Error;
use crate::source::Source;

/// What hits are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The conversation's id. One of more than 1024 bytes is named by its hash.
    Conversation,
    /// Everybody named, as in [`Facets::participants`]: an event is in the group of each.
    Participant,
}

/// One page of groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouped<R> {
    /// The answer is complete through this archive version.
    pub through_version: u64,
    /// Events that match, exactly.
    pub total: u64,
    /// Records that match, every delivery counted.
    pub copies: u64,
    /// Groups that there are, on all pages.
    pub groups_total: u64,
    /// Events that are in no group.
    pub ungrouped: u64,
    /// The page: in order of the groups' first hits, those with one hit in common by name.
    pub groups: Vec<Group<R>>,
    /// Goes on after the page; `None` when it was the last.
    pub next: Option<Cursor>,
    /// What all that matches consists of, when it was asked for.
    pub facets: Option<Facets>,
    /// Splits that were searched.
    pub splits_opened: usize,
    /// Splits that could not hold a match and were not searched.
    pub splits_pruned: usize,
}

/// What has one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<R> {
    /// The name.
    pub value: String,
    /// Events in it that match, exactly.
    pub count: u64,
    /// The first of them in the order that was asked for.
    pub hit: Hit<R>,
}

/// A group before its record is fetched.
struct Named {
    value: String,
    count: u64,
    first: First,
}

/// A page of groups before its records are fetched.
struct Ranked {
    scope: Scope,
    firsts: Vec<FirstOf>,
    named: Vec<Named>,
    answer: Grouped<()>,
}

impl<S: Source> Searcher<S>
where
    S::Record: Clone,
{
    /// One page of what matches, grouped; [`Request::limit`] is of groups.
    ///
    /// # Errors
    ///
    /// Those of a search; `Invalid` by relevance when more match than
    /// [`Settings::matches_held_max`](crate::Settings::matches_held_max), as a score is held of each.
    pub fn groups(&self, request: &Request, by: GroupBy) -> Result<(Grouped<S::Record>, Explained), Error> {
        let stop = self.checked(request)?;
        let mut explained = Explained::default();
        let ranked = guarded(&self.folder, || self.ranked_groups(request, by, &stop, &mut explained))?;
        let mut watch = Watch::start();
        let hits = self.hits(&request.query, &ranked.scope, &ranked.firsts, &stop)?;
        let places = ranked.firsts.iter().map(|found| (found.first.split, found.first.doc));
        // One event may be the first of several participants.
        let hits: HashMap<(usize, u32), Hit<S::Record>> = places.zip(hits).collect();
        explained.fetch_us = watch.lap_us();
        let group = |Named { value, count, first }| {
            let hit = hits.get(&(first.split, first.doc))?.clone();
            Some(Group { value, count, hit })
        };
        let of = ranked.answer;
        let answer = Grouped {
            groups: ranked.named.into_iter().filter_map(group).collect(),
            through_version: of.through_version,
            total: of.total,
            copies: of.copies,
            groups_total: of.groups_total,
            ungrouped: of.ungrouped,
            next: of.next,
            facets: of.facets,
            splits_opened: of.splits_opened,
            splits_pruned: of.splits_pruned,
        };
        Ok((answer, explained))
    }

    fn ranked_groups(
        &self,
        request: &Request,
        by: GroupBy,
        stop: &Stop,
        explained: &mut Explained,
    ) -> Result<Ranked, Error> {
        let asked = Asked { query: &request.query, order: request.order, groups: Some(by) };
        let page = request.after.as_ref().map(|cursor| cursor.read(&asked)).transpose()?;
        let at_version = page.as_ref().map(|page| page.through_version).or(request.at_version);
        let at_manifest = page.as_ref().and_then(|page| page.manifest_number);
        let mut watch = Watch::start();
        let scope = self.scope(&request.query, at_version, at_manifest, stop)?;
        explained.open_us = watch.lap_us();
        let run = self.run(&scope, stop);
        let events = self.events(&request.query, &scope, &run)?;
        explained.match_us = watch.lap_us();
        let ranks = Ranks::new(&scope.splits, page.as_ref());
        let asked_for: Vec<Docs> = events.firsts.iter().map(Docs::to_ask).collect();
        let pick = Pick {
            names: Names { run: &run, fields: &self.fields, firsts: &asked_for },
            by,
            order: request.order,
            limit: request.limit,
            after: page.as_ref().map(|page| (ranks.key_of(page), page.group.clone().unwrap_or_default())),
            ranks: &ranks,
            scores: self.scores_of(request, &scope, &run, &events.firsts)?,
        };
        let Picked { groups, more, groups_total, grouped } = pick.page()?;
        let last = groups.last_key_value().filter(|_| more);
        let next = last.map(|((key, value), _)| {
            let number = scope.manifest.number;
            Cursor::new(&asked, scope.through_version, number, key, Some(value.clone()), &ranks)
        });
        let named = groups.into_iter().map(|((_, value), (first, count))| Named { value, count, first });
        let named: Vec<Named> = named.collect();
        let mut seen = BTreeSet::new();
        let each =
            named.iter().map(|named| named.first).filter(|first| seen.insert((first.split, first.doc)));
        let firsts = with_copies(&run, &events, each)?;
        explained.pick_us = watch.lap_us();
        let wanted = request.facets.as_ref();
        let facets = wanted
            .map(|wanted| facets(&run, &self.fields, &events.firsts, wanted, &self.named))
            .transpose()?;
        explained.facets_us = watch.lap_us();
        let answer = Grouped {
            through_version: scope.through_version,
            total: events.total(),
            copies: events.copies(),
            groups_total,
            ungrouped: events.total().saturating_sub(grouped),
            groups: Vec::new(),
            next,
            facets,
            splits_opened: scope.splits.len(),
            splits_pruned: scope.splits_pruned,
        };
        Ok(Ranked { scope, firsts, named, answer })
    }

    /// The scores of all that matches, by split and document; for the order that needs them.
    fn scores_of(
        &self,
        request: &Request,
        scope: &Scope,
        run: &Run<'_>,
        firsts: &[Docs],
    ) -> Result<Option<Vec<Scores>>, Error> {
        if request.order != Order::Relevance {
            return Ok(None);
        }
        let (total, most) = (firsts.iter().map(Docs::len).sum::<u64>(), self.settings.matches_held_max);
        if total > most as u64 {
            let message = format!(
                "{total} events are too many to group by relevance, {most} at most: narrow the query, or \
                 have the newest first"
            );
            return Err(Error::invalid(message));
        }
        let matches = self.matches(&request.query, scope, Scoring::Relevance, run.stop)?;
        let of_split = |at: usize| {
            let mut scores = Vec::new();
            matches.scores(run, at, &firsts[at], |doc, score| scores.push((doc, score)))?;
            Ok(scores)
        };
        run.all(of_split).map(Some)
    }
}

/// The scores of documents, in order.
type Scores = Vec<(u32, f32)>;

/// What a page of groups is picked from.
struct Pick<'a> {
    names: Names<'a>,
    by: GroupBy,
    order: Order,
    limit: usize,
    /// The first hit and the name of the last group before the page.
    after: Option<(SortKey, String)>,
    ranks: &'a Ranks,
    scores: Option<Vec<Scores>>,
}

#[derive(Default)]
struct Picked {
    /// By first hit and name: that hit, and how many there are.
    groups: BTreeMap<(SortKey, String), (First, u64)>,
    more: bool,
    groups_total: u64,
    /// Events that are in some group.
    grouped: u64,
}

impl Pick<'_> {
    fn page(&self) -> Result<Picked, Error> {
        let mut picked = Picked::default();
        let mut seen: Vec<Bits> =
            self.names.run.splits.iter().map(|split| Bits::new(split.footer.docs)).collect();
        let mut docs = Vec::new();
        let mut each = |name: &str, listed: &mut [Listed]| -> Result<(), Error> {
            self.names.run.stop.check()?;
            listed.sort_by_key(|one| one.split);
            let (mut best, mut count) = (None, 0);
            for of_split in listed.chunk_by(|one, other| one.split == other.split) {
                let at = of_split[0].split;
                self.names.docs(of_split, &mut docs)?;
                docs.iter().for_each(|doc| seen[at].add(*doc));
                count += docs.len() as u64;
                self.better(at, &docs, &mut best);
            }
            if let Some((key, first)) = best {
                self.offer(&mut picked, (key, name.to_owned()), first, count);
            }
            Ok(())
        };
        self.names.each(self.by, &mut each)?;
        picked.grouped = seen.iter().map(Bits::count).sum();
        Ok(picked)
    }

    fn offer(&self, picked: &mut Picked, group: (SortKey, String), first: First, count: u64) {
        picked.groups_total += 1;
        if self.after.as_ref().is_some_and(|after| group <= *after) {
            return;
        }
        picked.groups.insert(group, (first, count));
        if picked.groups.len() > self.limit {
            picked.groups.pop_last();
            picked.more = true;
        }
    }

    /// Takes the first of some documents, if it is before the best so far.
    fn better(&self, at: usize, docs: &[u32], best: &mut Option<(SortKey, First)>) {
        let (split, mut times) = (&self.names.run.splits[at], Vec::new());
        split.times_ms(docs, &mut times);
        let scores = self.scores.as_ref().and_then(|scores| scores.get(at));
        let score = |doc: u32| {
            let found = scores.and_then(|scores| {
                scores.binary_search_by_key(&doc, |(of, _)| *of).ok().and_then(|nth| scores.get(nth))
            });
            found.map_or(0.0, |(_, score)| *score)
        };
        let by = |(doc, time): (&u32, &Option<i64>)| (self.order.by(*time, score(*doc)), *doc);
        let Some((least, _)) = docs.iter().zip(&times).map(by).min() else { return };
        if best.as_ref().is_some_and(|(key, _)| key.by < least) {
            return;
        }
        // Where a document stands takes longer to find than when it was.
        for (by, doc) in docs.iter().zip(&times).map(by).filter(|(by, _)| *by == least) {
            let key = self.ranks.key(by, split, doc);
            if best.as_ref().is_none_or(|(known, _)| key < *known) {
                *best = Some((key, First { split: at, doc, score: score(doc) }));
            }
        }
    }
}

/// Documents of a split that are in some group.
struct Bits(Vec<u64>);

impl Bits {
    fn new(docs: u32) -> Bits {
        Bits(vec![0; (docs as usize).div_ceil(64)])
    }

    fn add(&mut self, doc: u32) {
        if let Some(word) = self.0.get_mut(doc as usize / 64) {
            *word |= 1 << (doc % 64);
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}
