//! The query language: reading it, printing it, and deciding by it alone
//! whether a record matches.
//!
//! How a query is run on the index is not known here.

mod ast;
mod dates;
mod display;
mod error;
mod fields;
mod lex;
pub mod limits;
mod matches;
pub(crate) mod nearest;
mod parse;
#[cfg(test)]
mod tests;

pub use ast::{Flag, Pattern, Query, StoredQuery, TimeRange, TypePattern};
pub use error::SyntaxError;
pub use matches::{Doc, matches};
pub use parse::parse;
