//! Values of a few bits in Parquet's hybrid of runs of one value and of bit-packed ones: levels, and
//! indices of a dictionary. Where each run is is kept, so that any value is found without those before it.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/Encodings.md#run-length-encoding--bit-packing-hybrid-rle--3>.

use std::ops::Range;

use super::Unread;
use super::bits::{Cursor, bits};

/// See the module.
pub(super) struct Runs {
    runs: Vec<Run>,
    /// Bits of a value.
    width: u32,
    len: u32,
    /// The value that is counted.
    mark: u32,
    marked: u32,
}

/// Some values.
struct Run {
    /// The number of the first.
    first: u32,
    /// Marked values before it.
    before: u32,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    One(u32),
    /// From this byte on.
    Packed(u32),
}

impl Runs {
    /// Finds the runs of so many values of some bits each, in a range of bytes; `mark` is the value that
    /// is counted. When there are fewer, those that are missing are not found later.
    pub(super) fn read(
        bytes: &[u8],
        range: Range<usize>,
        width: u32,
        len: u32,
        mark: Option<u32>,
    ) -> Result<Runs, Unread> {
        let bytes = bytes.get(..range.end).ok_or(Unread::Damaged("it ends too soon"))?;
        if width > 32 {
            return Err(Unread::Damaged("its values have too many bits"));
        }
        let mut read = Runs { runs: Vec::new(), width, len: 0, mark: mark.unwrap_or(u32::MAX), marked: 0 };
        let mut cursor = Cursor::new(bytes, range.start);
        while read.len < len && !cursor.is_at_end() {
            let head = cursor.number()?;
            let (of, values) = if head & 1 == 1 {
                let at = u32::try_from(cursor.at()).map_err(|_| Unread::Otherwise)?;
                cursor.skip((head >> 1).saturating_mul(u64::from(width)))?;
                (Of::Packed(at), (head >> 1).saturating_mul(8))
            } else {
                let value = bits(bytes, cursor.at() * 8, width.next_multiple_of(8)) as u32;
                cursor.skip(u64::from(width.div_ceil(8)))?;
                (Of::One(value), head >> 1)
            };
            let values = u32::try_from(values).unwrap_or(u32::MAX).min(len - read.len);
            if values == 0 {
                return Err(Unread::Damaged("a run has no values"));
            }
            let run = Run { first: read.len, before: read.marked, of };
            if mark.is_some() {
                read.marked += read.marked_in(bytes, &run, values);
            }
            read.len += values;
            read.runs.push(run);
        }
        Ok(read)
    }

    /// How many values.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many of them are marked.
    pub(super) fn marked(&self) -> u32 {
        self.marked
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.runs.len() * size_of::<Run>()
    }

    /// A value by its number.
    #[inline]
    pub(super) fn get(&self, bytes: &[u8], nth: u32) -> Result<u32, Unread> {
        let run = self.run_of(nth)?;
        Ok(match run.of {
            Of::One(value) => value,
            Of::Packed(at) => self.packed(bytes, at, nth - run.first),
        })
    }

    /// How many marked values stand before one.
    #[inline]
    pub(super) fn before(&self, bytes: &[u8], nth: u32) -> Result<u32, Unread> {
        let run = self.run_of(nth)?;
        Ok(run.before + self.marked_in(bytes, run, nth - run.first))
    }

    /// The number of the n-th marked value; `None` when there are not so many.
    pub(super) fn find(&self, bytes: &[u8], mut nth: u32) -> Option<u32> {
        if nth >= self.marked {
            return None;
        }
        let at = self.runs.partition_point(|run| run.before <= nth).checked_sub(1)?;
        let run = self.runs.get(at)?;
        nth -= run.before;
        let end = self.runs.get(at + 1).map_or(self.len, |next| next.first);
        let mut from = 0;
        while from < end - run.first {
            let mut marks = self.marks(bytes, run, from, (end - run.first - from).min(64));
            let there = marks.count_ones();
            if nth < there {
                for _ in 0..nth {
                    marks &= marks - 1;
                }
                return Some(run.first + from + marks.trailing_zeros());
            }
            nth -= there;
            from += 64;
        }
        None
    }

    #[inline]
    fn run_of(&self, nth: u32) -> Result<&Run, Unread> {
        let missing = Unread::Damaged("it has fewer values than rows");
        if nth >= self.len {
            return Err(missing);
        }
        let at = self.runs.partition_point(|run| run.first <= nth).checked_sub(1);
        at.and_then(|at| self.runs.get(at)).ok_or(missing)
    }

    #[inline]
    fn packed(&self, bytes: &[u8], at: u32, nth: u32) -> u32 {
        bits(bytes, at as usize * 8 + nth as usize * self.width as usize, self.width) as u32
    }

    /// How many of the first values of a run are marked.
    fn marked_in(&self, bytes: &[u8], run: &Run, values: u32) -> u32 {
        if let Of::One(value) = run.of {
            return if value == self.mark { values } else { 0 };
        }
        let some = |from: u32| self.marks(bytes, run, from, (values - from).min(64)).count_ones();
        (0..values).step_by(64).map(some).sum()
    }

    /// Which of some values of a run are marked, 64 at most, as bits.
    #[inline]
    fn marks(&self, bytes: &[u8], run: &Run, from: u32, values: u32) -> u64 {
        let all = if values < 64 { (1 << values) - 1 } else { u64::MAX };
        match run.of {
            Of::One(value) if value == self.mark => all,
            Of::One(_) => 0,
            Of::Packed(at) if self.width == 1 => {
                let ones = bits(bytes, at as usize * 8 + from as usize, values);
                match self.mark {
                    0 => !ones & all,
                    1 => ones,
                    _ => 0,
                }
            }
            Of::Packed(at) => (0..values).fold(0, |marks, nth| {
                marks | u64::from(self.packed(bytes, at, from + nth) == self.mark) << nth
            }),
        }
    }
}
