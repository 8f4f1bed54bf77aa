//! What stands around hits in their conversations.
//!
//! A conversation's records of all splits are put in order of time, those of one millisecond in the
//! order in which they were archived; what is near a hit in that order is its context. Conversations
//! are gone through one after another, so that no more than one is held.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::docs::Docs;
use super::groups::GroupBy;
use super::names::{Listed, Names};
use super::run::Run;
use crate::error::Error;
use crate::schema::Fields;

/// How much around a hit belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Context {
    /// So many events of its conversation before it and as many after it.
    Events(u32),
    /// Its conversation so many milliseconds before it and after it.
    Time(i64),
    /// Its conversation on the day of this zone that it is on.
    Day(TimeZone),
    /// All of its conversation.
    Conversation,
}

/// Where context is looked for: every split there is.
pub(super) struct Around<'a> {
    pub(super) run: Run<'a>,
    pub(super) fields: &'a Fields,
    /// The first delivery of each event that matches, by split.
    pub(super) hits: &'a [Docs],
}

/// A record of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    /// What has no time comes last.
    timeless: bool,
    time_ms: i64,
    split: usize,
    doc: u32,
    is_hit: bool,
    identity: u64,
}

impl Said {
    fn time(&self) -> Option<i64> {
        (!self.timeless).then_some(self.time_ms)
    }
}

impl Around<'_> {
    /// What is context, by split.
    pub(super) fn chosen(&self, context: &Context, version: u64) -> Result<Vec<Docs>, Error> {
        let splits = self.run.splits;
        let there: Vec<Docs> =
            splits.iter().map(|split| Docs::up_to(split.end_at(version), split.footer.docs)).collect();
        let names = Names { run: &self.run, fields: self.fields, firsts: &there };
        let asked: Vec<Docs> = self.hits.iter().map(Docs::to_ask).collect();
        let hits = Names { run: &self.run, fields: self.fields, firsts: &asked };
        // Other deliveries of these are no context.
        let mut known = self.identities()?;
        let mut chosen: Vec<Docs> = splits.iter().map(|split| Docs::none(split.footer.docs)).collect();
        let (mut docs, mut said) = (Vec::new(), Vec::new());
        let mut each = |_: &str, listed: &mut [Listed]| -> Result<(), Error> {
            self.run.stop.check()?;
            let mut has_hit = false;
            for one in &*listed {
                hits.docs(std::slice::from_ref(one), &mut docs)?;
                has_hit |= !docs.is_empty();
            }
            if !has_hit {
                return Ok(());
            }
            said.clear();
            for one in &*listed {
                names.docs(std::slice::from_ref(one), &mut docs)?;
                self.said(one.split, &docs, &asked[one.split], &mut said);
            }
            said.sort_unstable();
            // Each event once, and as the hit that it is.
            let mut met: HashSet<u64, RandomState> = HashSet::default();
            said.retain(|said| said.is_hit || (!known.contains(&said.identity) && met.insert(said.identity)));
            for said in near(&said, context).filter(|said| !said.is_hit) {
                known.insert(said.identity);
                chosen[said.split].add(&[said.doc]);
            }
            Ok(())
        };
        names.each(GroupBy::Conversation, &mut each)?;
        Ok(chosen)
    }

    fn identities(&self) -> Result<HashSet<u64, RandomState>, Error> {
        let mut all = HashSet::default();
        let mut identities = Vec::new();
        for (split, hits) in self.run.splits.iter().zip(self.hits) {
            hits.blocks(|docs| {
                self.run.stop.check()?;
                split.identities(docs, &mut identities);
                all.extend(identities.iter().map(|identity| identity.unwrap_or_default()));
                Ok(())
            })?;
        }
        Ok(all)
    }

    fn said(&self, at: usize, docs: &[u32], hits: &Docs, out: &mut Vec<Said>) {
        let split = &self.run.splits[at];
        let (mut times, mut identities) = (Vec::new(), Vec::new());
        split.times_ms(docs, &mut times);
        split.identities(docs, &mut identities);
        for ((doc, time), identity) in docs.iter().zip(&times).zip(&identities) {
            out.push(Said {
                timeless: time.is_none(),
                time_ms: time.unwrap_or_default(),
                split: at,
                doc: *doc,
                is_hit: hits.contains(*doc),
                identity: identity.unwrap_or_default(),
            });
        }
    }
}

/// What is near hits, in order, hits included.
fn near<'s>(said: &'s [Said], context: &'s Context) -> impl Iterator<Item = &'s Said> {
    let mut done = 0;
    let hits = (0..said.len()).filter(|at| said[*at].is_hit);
    hits.flat_map(move |at| {
        // Both ends only move on from hit to hit.
        let (from, end) = around(said, at, context);
        let from = from.max(done);
        done = done.max(end);
        said.get(from..end).unwrap_or_default()
    })
}

/// Which of a conversation is near one of it.
fn around(said: &[Said], at: usize, context: &Context) -> (usize, usize) {
    // What is before a time, and before what follows it.
    let from = |time: i64| said.partition_point(|said| said.time().is_some_and(|of| of < time));
    let after = |time: i64| said.partition_point(|said| said.time().is_some_and(|of| of <= time));
    match (context, said[at].time()) {
        (Context::Conversation, _) => (0, said.len()),
        (Context::Events(count), _) => {
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            (at.saturating_sub(count), at.saturating_add(count).saturating_add(1).min(said.len()))
        }
        (Context::Time(ms), Some(time)) => (from(time.saturating_sub(*ms)), after(time.saturating_add(*ms))),
        (Context::Day(zone), Some(time)) => match day(zone, time) {
            Some((first, next)) => (from(first), from(next)),
            None => (at, at + 1),
        },
        // It is near nothing.
        (Context::Time(_) | Context::Day(_), None) => (at, at + 1),
    }
}

/// When the day of a time begins, and when the next one does; `None` beyond the calendar.
fn day(zone: &TimeZone, time_ms: i64) -> Option<(i64, i64)> {
    let at = Timestamp::from_millisecond(time_ms).ok()?.to_zoned(zone.clone());
    let first = at.start_of_day().ok()?;
    let next = first.checked_add(1.day()).ok()?.start_of_day().ok()?;
    Some((first.timestamp().as_millisecond(), next.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter at each time, in capitals where it is a hit; `-` has no time.
    fn check(conversation: &[(char, i64)], context: &Context, expected: &str) {
        let said: Vec<Said> = (0..)
            .zip(conversation)
            .map(|(doc, (letter, time_ms))| Said {
                timeless: *time_ms < 0,
                time_ms: *time_ms,
                split: 0,
                doc,
                is_hit: letter.is_uppercase(),
                identity: 0,
            })
            .collect();
        let found: String = near(&said, context).map(|said| conversation[said.doc as usize].0).collect();
        assert_eq!(found, expected, "{context:?}");
    }

    #[test]
    fn what_is_near() {
        const HOUR: i64 = 3_600_000;
        let talk = [
            ('a', 0),
            ('b', HOUR),
            ('C', 2 * HOUR),
            ('D', 2 * HOUR + 1),
            ('e', 3 * HOUR),
            ('f', 23 * HOUR),
            ('g', 25 * HOUR),
            ('H', 60 * HOUR),
            ('i', -1),
            ('J', -1),
        ];
        check(&talk, &Context::Events(0), "CDHJ");
        check(&talk, &Context::Events(1), "bCDegHiJ");
        check(&talk, &Context::Events(u32::MAX), "abCDefgHiJ");
        check(&talk, &Context::Time(0), "CDHJ");
        check(&talk, &Context::Time(HOUR), "bCDeHJ");
        check(&talk, &Context::Time(i64::MAX), "abCDefgHJ");
        check(&talk, &Context::Day(TimeZone::UTC), "abCDefHJ");
        // Two hours ahead the day ends two hours earlier, and the next begins with what was its end.
        check(&talk, &Context::Day(TimeZone::get("Etc/GMT-2").unwrap()), "abCDeHJ");
        check(&talk, &Context::Conversation, "abCDefgHiJ");
        check(&[('a', 0)], &Context::Conversation, "");
        check(&[], &Context::Conversation, "");
    }

    #[test]
    fn a_day_of_a_zone_may_have_23_hours() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // 2013-03-31, when clocks went forward.
        let noon = 1_364_724_000_000;
        let (first, next) = day(&berlin, noon).unwrap();
        assert_eq!(next - first, 23 * 3_600_000);
        assert!(first < noon && noon < next);
        assert_eq!(day(&berlin, i64::MAX), None);
    }
}
