//! Numbers as the differences between them, bit-packed in blocks. What stands before each part of a block
//! is kept, so that a number takes no more than the differences of its part.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/Encodings.md#delta-encoding-delta_binary_packed--5>.

use super::Unread;
use super::bits::{Cursor, bits};

/// See the module.
pub(super) struct Deltas {
    first: i64,
    len: u32,
    parts: Vec<Part>,
    /// Differences in a part.
    part_len: u32,
    /// Where the last part ends.
    end: usize,
}

struct Part {
    /// The number before its first difference.
    before: i64,
    /// What is added to each difference.
    least: i64,
    at: u32,
    width: u8,
}

impl Deltas {
    /// Reads from a byte on, no more numbers than there may be.
    pub(super) fn read(bytes: &[u8], from: usize, len_max: u32) -> Result<Deltas, Unread> {
        let wrong = Unread::Damaged("its blocks are wrong");
        let small = |number: u64| u32::try_from(number).map_err(|_| Unread::Damaged("its blocks are wrong"));
        let mut cursor = Cursor::new(bytes, from);
        let (block, parts, len) =
            (small(cursor.number()?)?, small(cursor.number()?)?, small(cursor.number()?)?);
        let first = cursor.signed()?;
        let part_len = block.checked_div(parts).unwrap_or(0);
        if len > len_max || part_len == 0 || part_len % 8 != 0 {
            return Err(wrong);
        }
        let mut read = Deltas { first, len, parts: Vec::new(), part_len, end: cursor.at() };
        let (mut last, mut left) = (first, len.saturating_sub(1));
        while left > 0 {
            let least = cursor.signed()?;
            let widths = cursor.at();
            cursor.skip(u64::from(parts))?;
            for nth in 0..parts as usize {
                if left == 0 {
                    break;
                }
                let width = bytes.get(widths + nth).copied().filter(|width| *width <= 64);
                let width = width.ok_or(Unread::Damaged("its blocks are wrong"))?;
                let at = u32::try_from(cursor.at()).map_err(|_| Unread::Otherwise)?;
                cursor.skip(u64::from(part_len / 8) * u64::from(width))?;
                let part = Part { before: last, least, at, width };
                let values = left.min(part_len);
                last = part.after(bytes, values);
                left -= values;
                read.parts.push(part);
            }
            read.end = cursor.at();
        }
        Ok(read)
    }

    /// How many.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Where what follows begins.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.parts.len() * size_of::<Part>()
    }

    /// A number by its place.
    #[inline]
    pub(super) fn get(&self, bytes: &[u8], nth: u32) -> Result<i64, Unread> {
        let missing = Unread::Damaged("it has fewer values than rows");
        if nth >= self.len {
            return Err(missing);
        }
        let Some(nth) = nth.checked_sub(1) else { return Ok(self.first) };
        let part = self.parts.get((nth / self.part_len) as usize).ok_or(missing)?;
        Ok(part.after(bytes, nth % self.part_len + 1))
    }

    /// All of them, one after another.
    pub(super) fn each(&self, bytes: &[u8], each: &mut dyn FnMut(i64)) {
        if self.len > 0 {
            each(self.first);
        }
        let mut left = self.len.saturating_sub(1);
        for part in &self.parts {
            let mut last = part.before;
            for nth in 0..left.min(self.part_len) {
                last = last.wrapping_add(part.least).wrapping_add(part.difference(bytes, nth));
                each(last);
            }
            left = left.saturating_sub(self.part_len);
        }
    }
}

impl Part {
    #[inline]
    fn difference(&self, bytes: &[u8], nth: u32) -> i64 {
        let width = u32::from(self.width);
        bits(bytes, self.at as usize * 8 + nth as usize * self.width as usize, width) as i64
    }

    /// The number after so many differences.
    #[inline]
    fn after(&self, bytes: &[u8], differences: u32) -> i64 {
        let least = self.least.wrapping_mul(i64::from(differences));
        let before = self.before.wrapping_add(least);
        if self.width == 0 {
            return before;
        }
        (0..differences).fold(before, |sum, nth| sum.wrapping_add(self.difference(bytes, nth)))
    }
}
