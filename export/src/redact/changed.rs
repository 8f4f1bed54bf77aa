//! A text that was made from another by changing single characters, with the way back.

use std::borrow::Cow;
use std::ops::Range;

/// Such a text.
#[derive(Debug)]
pub(super) struct Changed<'a> {
    pub(super) text: Cow<'a, str>,
    runs: Vec<Run>,
    from_len: usize,
}

/// A stretch of it; it ends where the next one begins.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Where it begins,
    at: usize,
    /// and where that is in the text that it was made from.
    from: usize,
    /// It is the same there, byte for byte; else it is one character.
    same: bool,
}

impl<'a> Changed<'a> {
    /// The text itself.
    pub(super) fn same(text: &'a str) -> Self {
        Changed { text: Cow::Borrowed(text), runs: Vec::new(), from_len: text.len() }
    }

    /// Makes one from the characters of a text: `next` takes what the rest begins with, and says how
    /// many bytes that is and what stands for it, `None` when it stays as it is.
    pub(super) fn make(
        from: &str,
        mut next: impl FnMut(&str) -> (usize, Option<Option<char>>),
    ) -> Changed<'_> {
        let mut out = Changed { text: Cow::Borrowed(""), runs: Vec::new(), from_len: from.len() };
        let mut text = String::with_capacity(from.len());
        let mut at = 0;
        while let Some(rest) = from.get(at..).filter(|rest| !rest.is_empty()) {
            let (bytes, stands) = next(rest);
            let same = stands.is_none();
            if !(same && out.runs.last().is_some_and(|run| run.same)) {
                out.runs.push(Run { at: text.len(), from: at, same });
            }
            match stands {
                None => text.push_str(&rest[..bytes]),
                Some(stands) => text.extend(stands),
            }
            at += bytes;
        }
        out.text = Cow::Owned(text);
        out
    }

    /// What a range of it was made from. What is between its characters there and has none here is in it.
    pub(super) fn back(&self, range: &Range<usize>) -> Range<usize> {
        self.place(range.start)..self.place(range.end)
    }

    fn place(&self, at: usize) -> usize {
        if at >= self.text.len() {
            return self.from_len;
        }
        // Of runs that begin at the same place all but the last are of no length.
        match self.runs.partition_point(|run| run.at <= at).checked_sub(1).map(|run| self.runs[run]) {
            Some(run) if run.same => run.from + (at - run.at),
            Some(run) => run.from,
            None => at,
        }
    }
}
