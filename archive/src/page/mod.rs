//! Single rows of a file, value by value: of the pages of each column only the one that holds a row is
//! read, and of that only the row's value. It knows what this archive writes; whatever is written
//! otherwise ([`Unread::Otherwise`]) is for the `parquet` crate, which reads rows by the thousand.
//!
//! - `fields` the columns that a record may need, and what fills a hole of a template
//! - `row` a row put together, `load` its pages, read or remembered, `places` where they are
//! - `header` what a page says of itself, `values` what is in it, `levels` which rows have a value
//! - `runs`, `deltas`, `bits` how these are encoded
//!
//! Any byte may be damaged: nothing is read past an end, and what is allocated is bounded by what is there.

mod bits;
mod deltas;
mod fields;
mod header;
mod levels;
mod load;
mod places;
mod row;
mod runs;
mod values;

use parquet::errors::ParquetError;

pub(crate) use load::Pages;
pub(crate) use places::Places;
pub(crate) use row::RowReader;

/// Why a row was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is not written as this archive writes: the `parquet` crate may be able to read it.
    Otherwise,
    /// It is damaged: how.
    Damaged(&'static str),
    /// Its bytes cannot be read.
    Failed(ParquetError),
}

#[cfg(test)]
mod tests;
