//! One reading of the archive.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use custody_archive::FileRef;

use super::rest::Rest;
use super::{At, with_doc};
use crate::error::Error;
use crate::query::{Query, matches};
use crate::source::{Row, Source, topics};

/// Reads all records of these batches, over and over.
pub(super) struct Reading<'r, S> {
    pub(super) source: &'r S,
    pub(super) files: &'r [(u64, FileRef)],
    /// Records so far.
    pub(super) read: u64,
    /// Told of them after each batch.
    pub(super) each: &'r mut dyn FnMut(u64),
}

/// Where the first record of an event is, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Which of the files.
    pub(super) file: usize,
    pub(super) row: u64,
    pub(super) copies: u64,
}

/// What a query finds, by identity.
pub(super) type Events = HashMap<u64, Event>;

/// A query of this pass, by its number.
type Deciding = (usize, Events);

impl<S: Source> Reading<'_, S> {
    /// Hands over every record with its place and its topic.
    pub(super) fn rows(&mut self, take: &mut impl FnMut(At, &Row<'_>, Option<&str>)) -> Result<(), Error> {
        for (at, (version, file)) in self.files.iter().enumerate() {
            let (mut row, mut topics) = (0, topics(&file.manifest));
            self.source.rows(&[(*version, file.clone())], &mut |found| {
                take((at, row), found, topics.next());
                row += 1;
                Ok(())
            })?;
            self.read += row;
            (self.each)(self.read);
        }
        Ok(())
    }

    /// Decides some of the queries, at least one: those that find most are left out when together
    /// they find more than `held_max` events.
    pub(super) fn pass(
        &mut self,
        queries: &[Query],
        of: Vec<usize>,
        rest: &Rest,
        held_max: usize,
    ) -> Result<Vec<Deciding>, Error> {
        let mut deciding: Vec<Deciding> = of.into_iter().map(|at| (at, Events::new())).collect();
        let mut held = 0;
        self.rows(&mut |place, row, topic| {
            with_doc(row, topic, rest.of(row), |doc| {
                for (at, events) in &mut deciding {
                    if matches(&queries[*at], doc) {
                        held += usize::from(add(events, row.identity, place));
                    }
                }
            });
            while held > held_max && deciding.len() > 1 {
                held -= put_off(&mut deciding);
            }
        })?;
        Ok(deciding)
    }
}

/// Whether it is the first of its event.
fn add(events: &mut Events, identity: u64, (file, row): At) -> bool {
    match events.entry(identity) {
        Entry::Occupied(mut known) => {
            known.get_mut().copies += 1;
            false
        }
        Entry::Vacant(new) => {
            new.insert(Event { file, row, copies: 1 });
            true
        }
    }
}

/// Lets go of the query that found most; how many events that were.
fn put_off(deciding: &mut Vec<Deciding>) -> usize {
    let most = (0..deciding.len()).max_by_key(|at| deciding[*at].1.len());
    most.map_or(0, |at| deciding.swap_remove(at).1.len())
}
