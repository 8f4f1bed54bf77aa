//! Places in a text: what proximity is said of.

use serde::{Deserialize, Serialize};

use super::term::Term;

/// The farthest that one word may be asked to stand from another.
pub const DISTANCE_MAX: u32 = 255;

/// What has places in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Each place of a word.
    Word(Term),
    /// Each run of words, one after another.
    Phrase(Vec<Term>),
    /// The places of any of these.
    Or(Vec<Span>),
    /// From the one to the other.
    Near(Box<Near>),
}

/// Two things that stand close to each other, without overlapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// One of them.
    pub left: Span,
    /// The other.
    pub right: Span,
    /// The last word of the one is at most so many words from the first of the other; neighbours
    /// are one apart.
    pub within: u32,
    /// How they stand to each other.
    pub how: How,
}

/// How two things stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Either first: `w/5`.
    Either,
    /// The left one first: `pre/5`.
    Before,
    /// The left one, and no right one so close nor over it: `NOT w/5`.
    Without,
}

impl Span {
    /// Words and patterns in it.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Span::Word(_) => 1,
            Span::Phrase(terms) => terms.len(),
            Span::Or(parts) => parts.iter().map(Span::terms).sum(),
            Span::Near(near) => near.left.terms() + near.right.terms(),
        }
    }
}
