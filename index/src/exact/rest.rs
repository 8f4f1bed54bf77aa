//! What the rest of the archive says of a record, by reading all of it.

use std::collections::HashSet;

use crate::message::{Change, Message};
use crate::query::{Flag, Query};
use crate::source::Row;

/// What was read. Takes 8 bytes for each record where duplicates are asked for, and the ids of each
/// message that was changed where changes are.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    asks_changes: bool,
    asks_duplicates: bool,
    edited: HashSet<Message<'static>>,
    deleted: HashSet<Message<'static>>,
    /// Of every record; when all are read, of those that there are more of, each once.
    identities: Vec<u64>,
}

/// What the rest says of one record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) edited: bool,
    pub(crate) deleted: bool,
    pub(crate) duplicate: bool,
}

impl Rest {
    /// Nothing read yet of what these queries ask for.
    pub(crate) fn asked<'q>(queries: impl IntoIterator<Item = &'q Query>) -> Rest {
        let mut rest = Rest::default();
        for query in queries {
            rest.asks_changes |= query.asks(Flag::Edited) || query.asks(Flag::Deleted);
            rest.asks_duplicates |= query.asks(Flag::Duplicate);
        }
        rest
    }

    /// Whether every record has to be read before one can be decided.
    pub(crate) fn is_needed(&self) -> bool {
        self.asks_changes || self.asks_duplicates
    }

    pub(crate) fn read(&mut self, row: &Row<'_>) {
        if self.asks_duplicates {
            self.identities.push(row.identity);
        }
        if !self.asks_changes {
            return;
        }
        let of = match Change::of(row.kind) {
            Some(Change::Edited) => &mut self.edited,
            Some(Change::Deleted) => &mut self.deleted,
            _ => return,
        };
        of.extend(Message::of(row).map(Message::into_owned));
    }

    /// Everything was read.
    pub(crate) fn end(&mut self) {
        self.identities.sort_unstable();
        let many = self.identities.chunk_by(|one, next| one == next).filter(|same| same.len() > 1);
        self.identities = many.map(|same| same[0]).collect();
    }

    pub(crate) fn of(&self, row: &Row<'_>) -> Standing {
        let (change, message) = (Change::of(row.kind), Message::of(row));
        let is = |wanted: Change, changed: &HashSet<Message<'static>>| {
            change == Some(wanted) || message.as_ref().is_some_and(|message| changed.contains(message))
        };
        Standing {
            edited: is(Change::Edited, &self.edited),
            deleted: is(Change::Deleted, &self.deleted),
            duplicate: self.identities.binary_search(&row.identity).is_ok(),
        }
    }
}
