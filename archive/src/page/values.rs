//! The values of a page, or of a dictionary.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/Encodings.md>.

use bytes::Bytes;

use super::Unread;
use super::bits::number_at;
use super::deltas::Deltas;
use super::fields::Kind;
use super::fields::Nesting;
use super::header::{Encoding, Header, Holds};
use super::levels::Levels;
use super::runs::Runs;

/// What a page takes beside its bytes, about.
const PAGE_BYTES: usize = 256;

/// A page without compression.
pub(crate) struct Page {
    pub(super) bytes: Bytes,
    /// None in a dictionary.
    pub(super) levels: Option<Levels>,
    values: Values,
}

enum Values {
    /// Numbers of so many bytes, from a byte on.
    Numbers {
        from: usize,
        width: usize,
    },
    /// Where each begins, with its length before it.
    Texts(Vec<u32>),
    /// One behind another from a byte on, and where each ends there.
    Lengths {
        from: usize,
        ends: Vec<u32>,
    },
    Deltas(Deltas),
    /// Those of the dictionary, by their numbers there.
    Dictionary(Runs),
}

impl Page {
    pub(super) fn read(bytes: Bytes, header: &Header, nesting: Nesting, kind: Kind) -> Result<Page, Unread> {
        let (levels, from) = match header.holds {
            Holds::Dictionary => (None, 0),
            Holds::Values => {
                let (levels, from) = Levels::read(&bytes, nesting, header.values)?;
                (Some(levels), from)
            }
        };
        let there = levels.as_ref().map_or(header.values, Levels::values);
        let values = Values::read(&bytes, from, there, header.encoding, kind)?;
        Ok(Page { bytes, levels, values })
    }

    /// Whether its values are those of the column's dictionary.
    pub(super) fn needs_dictionary(&self) -> bool {
        matches!(self.values, Values::Dictionary(_))
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        let values = match &self.values {
            Values::Numbers { .. } => 0,
            Values::Texts(places) => places.len() * size_of::<u32>(),
            Values::Lengths { ends, .. } => ends.len() * size_of::<u32>(),
            Values::Deltas(deltas) => deltas.bytes(),
            Values::Dictionary(runs) => runs.bytes(),
        };
        PAGE_BYTES + self.bytes.len() + values + self.levels.as_ref().map_or(0, Levels::bytes)
    }

    /// A text or other bytes, by its number.
    pub(super) fn bytes_of<'p>(
        &'p self,
        dictionary: Option<&'p Page>,
        value: u32,
    ) -> Result<&'p [u8], Unread> {
        let range = match &self.values {
            Values::Texts(places) => {
                let place = *places.get(value as usize).ok_or(MISSING)? as usize;
                place + 4..place + 4 + number_at(&self.bytes, place)? as usize
            }
            Values::Lengths { from, ends } => {
                let end = *ends.get(value as usize).ok_or(MISSING)?;
                let start = value.checked_sub(1).and_then(|before| ends.get(before as usize));
                from + start.copied().unwrap_or(0) as usize..from + end as usize
            }
            Values::Dictionary(indices) => {
                let index = indices.get(&self.bytes, value)?;
                return dictionary.ok_or(MISSING)?.bytes_of(None, index);
            }
            Values::Numbers { .. } | Values::Deltas(_) => return Err(Unread::Otherwise),
        };
        self.bytes.get(range).ok_or(MISSING)
    }

    /// A number, by its number.
    pub(super) fn number_of(&self, dictionary: Option<&Page>, value: u32) -> Result<i64, Unread> {
        match &self.values {
            Values::Numbers { from, width } => {
                let at = from + value as usize * width;
                let number = self.bytes.get(at..at + width).ok_or(MISSING)?;
                match number.first_chunk() {
                    Some(eight) => Ok(i64::from_le_bytes(*eight)),
                    None => number_at(number, 0).map(|four| i64::from(four as i32)),
                }
            }
            Values::Deltas(deltas) => deltas.get(&self.bytes, value),
            Values::Dictionary(indices) => {
                let index = indices.get(&self.bytes, value)?;
                dictionary.ok_or(MISSING)?.number_of(None, index)
            }
            Values::Texts(_) | Values::Lengths { .. } => Err(Unread::Otherwise),
        }
    }
}

const MISSING: Unread = Unread::Damaged("a value is not there");

impl Values {
    /// So many values, from a byte on.
    fn read(bytes: &[u8], from: usize, len: u32, encoding: Encoding, kind: Kind) -> Result<Values, Unread> {
        Ok(match (encoding, kind.width()) {
            (Encoding::Plain, Some(width)) => Values::Numbers { from, width },
            (Encoding::Plain, None) => Values::Texts(texts(bytes, from, len)?),
            (Encoding::Dictionary, _) => match bytes.get(from) {
                Some(width) => Values::Dictionary(Runs::read(
                    bytes,
                    from + 1..bytes.len(),
                    u32::from(*width),
                    len,
                    None,
                )?),
                // Where there is no value there may be nothing at all.
                None => Values::Dictionary(Runs::read(bytes, from..from, 0, 0, None)?),
            },
            (Encoding::DeltaPacked, Some(8)) => Values::Deltas(Deltas::read(bytes, from, len)?),
            (Encoding::DeltaLengths, None) => {
                let lengths = Deltas::read(bytes, from, len)?;
                Values::Lengths { from: lengths.end(), ends: ends(bytes, &lengths)? }
            }
            _ => return Err(Unread::Otherwise),
        })
    }
}

/// Where texts begin that have their lengths before them.
fn texts(bytes: &[u8], from: usize, len: u32) -> Result<Vec<u32>, Unread> {
    // Each takes four bytes at least.
    let mut places = Vec::with_capacity((len as usize).min(bytes.len() / 4));
    let mut at = from;
    for _ in 0..len {
        let length = number_at(bytes, at)? as usize;
        places.push(u32::try_from(at).map_err(|_| Unread::Otherwise)?);
        at += 4 + length;
    }
    Ok(places)
}

/// Where values of these lengths end.
fn ends(bytes: &[u8], lengths: &Deltas) -> Result<Vec<u32>, Unread> {
    let there = bytes.len() as u64;
    let mut ends = Vec::with_capacity((lengths.len() as usize).min(bytes.len()));
    let mut end = Some(0_u64);
    lengths.each(bytes, &mut |length| {
        end = end.zip(u64::try_from(length).ok()).and_then(|(end, length)| end.checked_add(length));
        end = end.filter(|end| *end <= there);
        ends.extend(end.and_then(|end| u32::try_from(end).ok()));
    });
    if ends.len() == lengths.len() as usize {
        Ok(ends)
    } else {
        Err(Unread::Damaged("its lengths are wrong"))
    }
}
