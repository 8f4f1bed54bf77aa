//! The hits of one page: the first few of all events in an order.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use super::collect::Matches;
use super::docs::Docs;
use super::order::{By, First, Order, Ranks, SortKey, Top};
use super::run::Run;
use crate::error::Error;

/// What a page is picked from.
pub(super) struct Pick<'a> {
    pub(super) run: &'a Run<'a>,
    /// The first delivery of each event, by split.
    pub(super) firsts: &'a [Docs],
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) after: Option<SortKey>,
    pub(super) ranks: &'a Ranks,
    /// With scores, for the order that needs them.
    pub(super) scored: Option<&'a Matches<'a>>,
}

/// A page in order.
pub(super) struct Picked {
    pub(super) hits: Vec<(SortKey, First)>,
    /// There is something behind it.
    pub(super) more: bool,
    /// Splits with matches that could not get onto the page: nothing of them was read.
    pub(super) only_counted: usize,
}

impl Pick<'_> {
    pub(super) fn page(&self) -> Result<Picked, Error> {
        let mut top = Top::new(self.limit, self.after.clone());
        let mut only_counted = 0;
        if self.limit > 0 {
            // The most promising first: soon the others cannot get onto the page.
            let mut order: Vec<usize> =
                (0..self.firsts.len()).filter(|at| self.firsts[*at].len() > 0).collect();
            order.sort_by_key(|at| self.order.best_of(&self.run.splits[*at]));
            let last = Mutex::new(None);
            self.run.each(
                &order,
                |at| self.of_split(at, &last),
                |_, found| match found {
                    Some(found) => {
                        top.merge(found);
                        narrow(&last, &top);
                    }
                    None => {
                        top.leave_out();
                        only_counted += 1;
                    }
                },
            )?;
        }
        let (hits, more) = top.finish();
        Ok(Picked { hits, more, only_counted })
    }

    /// The first few of a split; `None` when it has none of the page. `last` is the last hit of a
    /// full page.
    fn of_split(&self, at: usize, last: &Mutex<Option<SortKey>>) -> Result<Option<Top>, Error> {
        let split = &self.run.splits[at];
        let last_by = last.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|key| key.by);
        if last_by.is_some_and(|last| self.order.best_of(split) > last) {
            return Ok(None);
        }
        let mut top = Top::new(self.limit, self.after.clone());
        let mut offer = |doc, by, score| {
            // Times are told apart before the places, which take longer to find.
            let last = top.last().map(|key| key.by).into_iter().chain(last_by).min();
            if last.is_some_and(|last| by > last) {
                return top.leave_out();
            }
            top.offer(self.ranks.key(by, split, doc), First { split: at, doc, score });
        };
        match self.scored {
            Some(matches) => matches.scores(self.run, at, &self.firsts[at], |doc, score| {
                offer(doc, self.order.by(split.time_ms(doc), score), score);
            })?,
            None if self.order == Order::Position => self.firsts[at].blocks(|docs| {
                self.run.stop.check()?;
                docs.iter().for_each(|doc| offer(*doc, self.order.by(None, 0.0), 0.0));
                Ok(())
            })?,
            None => {
                let (mut times, mut few) = (Vec::new(), Few::new(self.limit, last_by));
                let after = self.after.as_ref().map(|after| after.by);
                self.firsts[at].blocks(|docs| {
                    self.run.stop.check()?;
                    split.times_ms(docs, &mut times);
                    for (nth, doc) in docs.iter().enumerate() {
                        let by = self.order.by(times.get(nth).copied().flatten(), 0.0);
                        match after.map(|after| by.cmp(&after)) {
                            Some(Ordering::Less) => {}
                            // Where it stands tells on which side of the page's beginning it is.
                            Some(Ordering::Equal) => offer(*doc, by, 0.0),
                            _ => few.add(by, *doc),
                        }
                    }
                    Ok(())
                })?;
                few.held.iter().for_each(|(by, doc)| offer(*doc, *by, 0.0));
                if few.left_out {
                    top.leave_out();
                }
            }
        }
        narrow(last, &top);
        Ok(Some(top))
    }
}

/// The few documents that may be among the first, told by their time alone: where they stand takes
/// longer to find, and when later documents have later times each is among the first for a while.
struct Few {
    limit: usize,
    held: Vec<([By; 2], u32)>,
    /// Held until they are looked through.
    held_max: usize,
    /// As many as are wanted are no further than this.
    last: Option<[By; 2]>,
    left_out: bool,
}

impl Few {
    fn new(limit: usize, last: Option<[By; 2]>) -> Few {
        Few { limit, held: Vec::new(), held_max: limit.saturating_mul(2).max(FEW), last, left_out: false }
    }

    fn add(&mut self, by: [By; 2], doc: u32) {
        if self.last.is_some_and(|last| by > last) {
            self.left_out = true;
            return;
        }
        self.held.push((by, doc));
        if self.held.len() < self.held_max {
            return;
        }
        let (_, (last, _), _) =
            self.held.select_nth_unstable_by_key(self.limit.saturating_sub(1), |(by, _)| *by);
        let last = *last;
        self.last = Some(last);
        let before = self.held.len();
        // Those of the same time may all be among them.
        self.held.retain(|(by, _)| *by <= last);
        self.left_out |= self.held.len() < before;
        self.held_max = self.held_max.max(self.held.len().saturating_mul(2));
    }
}

/// Documents that are looked through at once; few where tests have few.
const FEW: usize = if cfg!(test) { 4 } else { 4_096 };

/// Takes down the last hit of a full page, for the splits that come after.
fn narrow(last: &Mutex<Option<SortKey>>, top: &Top) {
    let Some(key) = top.last() else { return };
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_none_or(|known| key < known) {
        *last = Some(key.clone());
    }
}
