//! Which rows of a page have a value, and which value it is.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/README.md#nested-encoding>.

use std::ops::Range;

use super::Unread;
use super::bits::number_at;
use super::fields::Nesting;
use super::runs::Runs;

/// From this level on a list has an entry. Below it is absent, or empty.
const ENTRY: u32 = 2;

/// See the module.
pub(super) struct Levels {
    /// Of a list: 0 begins a row.
    repetition: Option<Runs>,
    definition: Runs,
    /// The level of what has a value.
    whole: u32,
}

/// Of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The list is absent or empty.
    None,
    /// The entry has no value.
    Null,
    /// The number of its value.
    Value(u32),
}

impl Levels {
    /// Of so many values, absent ones counted, and where what follows begins.
    pub(super) fn read(bytes: &[u8], nesting: Nesting, values: u32) -> Result<(Levels, usize), Unread> {
        let whole = nesting.definition();
        let mut from = 0;
        let mut runs = |width, mark| {
            let start = from + 4;
            let end = start + number_at(bytes, from)? as usize;
            from = end;
            Runs::read(bytes, start..end, width, values, Some(mark))
        };
        let repetition = (nesting == Nesting::Listed).then(|| runs(1, 0)).transpose()?;
        let definition = runs(u32::BITS - whole.leading_zeros(), whole)?;
        Ok((Levels { repetition, definition, whole }, from))
    }

    /// How many values there are.
    pub(super) fn values(&self) -> u32 {
        self.definition.marked()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.definition.bytes() + self.repetition.as_ref().map_or(0, Runs::bytes)
    }

    /// The number of a row's value, of a column without lists.
    #[inline]
    pub(super) fn value(&self, bytes: &[u8], row: u32) -> Result<Option<u32>, Unread> {
        match self.definition.get(bytes, row)? == self.whole {
            true => self.definition.before(bytes, row).map(Some),
            false => Ok(None),
        }
    }

    /// The entries of a row's list.
    pub(super) fn entries(&self, bytes: &[u8], row: u32) -> Result<Range<u32>, Unread> {
        let missing = Unread::Damaged("it has fewer values than rows");
        let repetition = self.repetition.as_ref().ok_or(Unread::Otherwise)?;
        let first = repetition.find(bytes, row).ok_or(missing)?;
        Ok(first..repetition.find(bytes, row + 1).unwrap_or(repetition.len()))
    }

    /// One of them.
    pub(super) fn entry(&self, bytes: &[u8], at: u32) -> Result<Entry, Unread> {
        let level = self.definition.get(bytes, at)?;
        if level == self.whole {
            return self.definition.before(bytes, at).map(Entry::Value);
        }
        Ok(if level < ENTRY { Entry::None } else { Entry::Null })
    }
}
