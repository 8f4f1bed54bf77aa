//! The query language: reading it, printing it, and deciding by it alone
//! whether a record matches.
//!
//! How a query is run on the index is not known here.

mod ast;
mod dates;
mod display;
mod error;
mod fields;
mod glob;
mod lex;
pub mod limits;
mod matches;
pub(crate) mod nearest;
mod parse;
mod span;
mod term;
#[cfg(test)]
mod tests;
mod words;

pub use ast::{Attribute, Flag, Match, Pattern, Query, Range, StoredQuery, TimeRange, TypePattern};
pub use error::SyntaxError;
pub use glob::Glob;
pub use matches::{Doc, matches};
pub use parse::{parse, parse_at};
pub use span::{DISTANCE_MAX, How, Near, Span};
pub use term::{EDITS_MAX, Language, Term};
