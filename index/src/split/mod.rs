//! A split: one file that holds one immutable Tantivy segment.
//!
//! The same records in the same order give the same bytes, always: that is how
//! `verify` proves that the index holds what the archive holds.
//!
//! - `format`: the bytes of a split, apart from what is in the segment
//! - `write`: from records to bytes, through `segment`: terms by number, places put in order once
//! - `fst`: the transducers that dictionaries and forms are
//! - `forms`: from what a party is found by to its terms
//! - `join`: from small splits to a large one, with the same bytes
//! - `relocate`: the same split when its batches are in other files
//! - `open`: from a file to something that can be searched

mod format;
mod forms;
mod fst;
mod join;
mod open;
mod relocate;
mod segment;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use format::{Covered, SPLIT_VERSION, read_footer};
pub(crate) use forms::Known;
pub(crate) use join::join;
pub(crate) use open::OpenSplit;
pub(crate) use relocate::relocate;
pub(crate) use segment::Segment;
pub(crate) use write::{Built, build};
