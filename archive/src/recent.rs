//! What was just read back from the store and proven: the index takes it from here instead
//! of decoding the same file again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;

struct Entry {
    path: String,
    rows: Vec<RecordBatch>,
    bytes: usize,
}

/// The last files that were read back, as far as they fit.
pub(crate) struct Recent {
    bytes_max: usize,
    entries: Mutex<VecDeque<Entry>>,
}

impl Recent {
    /// Holds this many bytes of rows; with none, nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Recent { bytes_max, entries: Mutex::default() }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.bytes_max == 0
    }

    /// The oldest make room for the newest.
    pub(crate) fn put(&self, path: &str, rows: Vec<RecordBatch>) {
        let bytes: usize = rows.iter().map(RecordBatch::get_array_memory_size).sum();
        if bytes > self.bytes_max {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held: usize = entries.iter().map(|entry| entry.bytes).sum();
        while held + bytes > self.bytes_max {
            let Some(oldest) = entries.pop_front() else { return };
            held -= oldest.bytes;
        }
        entries.push_back(Entry { path: path.to_owned(), rows, bytes });
    }

    /// Hands the rows of a file over, once.
    pub(crate) fn take(&self, path: &str) -> Option<Vec<RecordBatch>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().position(|entry| entry.path == path)?;
        entries.remove(at).map(|entry| entry.rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn the_newest_are_held_and_handed_over_once() {
        let rows = || {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![1; 100]));
            vec![RecordBatch::try_from_iter([("n", column)]).unwrap()]
        };
        let bytes = rows()[0].get_array_memory_size();
        let recent = Recent::new(2 * bytes);
        ["a", "b", "c"].iter().for_each(|path| recent.put(path, rows()));
        assert!(recent.take("a").is_none());
        assert!(recent.take("c").is_some() && recent.take("c").is_none() && recent.take("b").is_some());
        let small = Recent::new(bytes - 1);
        small.put("a", rows());
        assert!(small.take("a").is_none());
    }
}
