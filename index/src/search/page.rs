//! The hits of one page: the first few of all events in an order.

use std::sync::{Mutex, PoisonError};

use super::collect::Matches;
use super::docs::Docs;
use super::order::{First, Order, Ranks, SortKey, Top};
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
            None => {
                let mut times = Vec::new();
                self.firsts[at].blocks(|docs| {
                    self.run.stop.check()?;
                    if self.order != Order::Position {
                        split.times_ms(docs, &mut times);
                    }
                    for (nth, doc) in docs.iter().enumerate() {
                        let time_ms = times.get(nth).copied().flatten();
                        offer(*doc, self.order.by(time_ms, 0.0), 0.0);
                    }
                    Ok(())
                })?;
            }
        }
        narrow(last, &top);
        Ok(Some(top))
    }
}

/// Takes down the last hit of a full page, for the splits that come after.
fn narrow(last: &Mutex<Option<SortKey>>, top: &Top) {
    let Some(key) = top.last() else { return };
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_none_or(|known| key < known) {
        *last = Some(key.clone());
    }
}
