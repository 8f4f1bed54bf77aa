//! The header of a page: a structure in Thrift's compact protocol, of which a few numbers are needed.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use super::Unread;
use super::bits::Cursor;

/// Structures in structures that a header has.
const DEPTH: u32 = 2;

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Values,
    Dictionary,
}

/// How values are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Dictionary,
    DeltaPacked,
    DeltaLengths,
}

/// What is needed of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) holds: Holds,
    pub(super) encoding: Encoding,
    /// Values, absent ones counted.
    pub(super) values: u32,
    /// Bytes without compression, and as they are stored behind the header.
    pub(super) whole: usize,
    pub(super) stored: usize,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Result<Header, Unread> {
        let mut cursor = Cursor::new(bytes, 0);
        let mut own = [None; 9];
        let mut page = [None; 9];
        structure(&mut cursor, 0, DEPTH, &mut |within, number, value| {
            let of = match within {
                0 => &mut own,
                // Of a page with values, and of one with a dictionary.
                5 | 7 => &mut page,
                _ => return,
            };
            if let Some(place) = usize::try_from(number).ok().and_then(|number| of.get_mut(number)) {
                *place = Some(value);
            }
        })?;
        let holds = match own[1] {
            Some(0) => Holds::Values,
            Some(2) => Holds::Dictionary,
            _ => return Err(Unread::Otherwise),
        };
        // Levels as runs.
        if holds == Holds::Values && (page[3], page[4]) != (Some(3), Some(3)) {
            return Err(Unread::Otherwise);
        }
        let encoding = match page[2] {
            // 2 was once the dictionary's, both of its page and of those that use it.
            Some(0) => Encoding::Plain,
            Some(2) if holds == Holds::Dictionary => Encoding::Plain,
            Some(2 | 8) => Encoding::Dictionary,
            Some(5) => Encoding::DeltaPacked,
            Some(6) => Encoding::DeltaLengths,
            _ => return Err(Unread::Otherwise),
        };
        let count = |value: Option<i64>| {
            let value = value.and_then(|value| i32::try_from(value).ok());
            value.and_then(|value| u32::try_from(value).ok()).ok_or(Unread::Damaged("its header is wrong"))
        };
        Ok(Header {
            holds,
            encoding,
            values: count(page[1])?,
            whole: count(own[2])? as usize,
            stored: count(own[3])? as usize,
            len: cursor.at(),
        })
    }
}

/// Reads a structure; `each` gets its numbers, and those of structures in it, with the number of the
/// member that they are within.
fn structure(
    cursor: &mut Cursor<'_>,
    within: i64,
    depth: u32,
    each: &mut dyn FnMut(i64, i64, i64),
) -> Result<(), Unread> {
    let mut number = 0_i64;
    loop {
        let head = cursor.byte()?;
        if head & 15 == 0 {
            return Ok(());
        }
        number = match head >> 4 {
            0 => cursor.signed()?,
            more => number.wrapping_add(i64::from(more)),
        };
        match head & 15 {
            1 => each(within, number, 1),
            2 => each(within, number, 0),
            3 => drop(cursor.byte()?),
            4..=6 => each(within, number, cursor.signed()?),
            7 => cursor.skip(8)?,
            8 => {
                let len = cursor.number()?;
                cursor.skip(len)?;
            }
            12 if depth > 0 => {
                let within = if within == 0 { number } else { -1 };
                structure(cursor, within, depth - 1, each)?;
            }
            _ => return Err(Unread::Otherwise),
        }
    }
}
