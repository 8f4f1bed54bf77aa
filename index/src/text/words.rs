//! The words of a text by where they stand.

use std::ops::Range;

use super::{Token, tokens};
use crate::query::Term;

/// The tokens of a text, in order of their positions.
pub(crate) struct Words<'a>(Vec<Token<'a>>);

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let mut all: Vec<Token<'a>> = tokens(text).collect();
        all.sort_by_key(|token| token.position);
        Words(all)
    }

    /// The tokens at each position that has any.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[Token<'a>]> {
        self.0.chunk_by(|one, other| one.position == other.position)
    }

    /// The tokens at a position.
    pub(crate) fn at(&self, position: u32) -> &[Token<'a>] {
        let from = self.0.partition_point(|token| token.position < position);
        let here = self.0[from..].iter().take_while(|token| token.position == position).count();
        &self.0[from..from + here]
    }

    /// Whether the words of a phrase stand there. Any word at all is a place that nothing is asked of.
    pub(crate) fn has(&self, first: u32, phrase: &[Term]) -> bool {
        (first..).zip(phrase).all(|(at, term)| term.is_any() || term.among(self.at(at)).is_some())
    }

    /// The bytes of a phrase that stands there.
    pub(crate) fn range(&self, first: u32, phrase: &[Term]) -> Option<Range<usize>> {
        let range = |(at, term): (u32, &Term)| {
            let here = self.at(at);
            term.among(here).or_else(|| here.first()).map(|token| token.range.clone())
        };
        let ranges = (first..).zip(phrase).filter_map(range);
        ranges.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))
    }
}
