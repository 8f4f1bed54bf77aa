//! Splits that are kept open, the least lately used given up first.

use std::sync::Arc;

use crate::split::OpenSplit;

pub(super) struct Cache {
    open_max: usize,
    /// Latest use last. Some hundred entries: a scan beats a map and a list.
    splits: Vec<(String, Arc<OpenSplit>)>,
}

impl Cache {
    pub(super) fn new(open_max: usize) -> Cache {
        Cache { open_max, splits: Vec::new() }
    }

    pub(super) fn get(&mut self, id: &str) -> Option<Arc<OpenSplit>> {
        let at = self.splits.iter().rposition(|(known, _)| known == id)?;
        self.splits[at..].rotate_left(1);
        self.splits.last().map(|(_, split)| split.clone())
    }

    pub(super) fn put(&mut self, id: &str, split: Arc<OpenSplit>) {
        self.splits.retain(|(known, _)| known != id);
        self.splits.push((id.to_owned(), split));
        let over = self.splits.len().saturating_sub(self.open_max);
        self.splits.drain(..over);
    }
}
