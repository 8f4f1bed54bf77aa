//! Numbers of some bits or bytes, one behind another, as pages hold them. Nothing is read past an end.

use super::Unread;

/// The number of so many bits, 64 at most, from a bit on, the lowest ones first. Past the end are zeros.
#[inline]
pub(super) fn bits(bytes: &[u8], at: usize, width: u32) -> u64 {
    let shift = (at % 8) as u32;
    let mut number = word(bytes, at / 8) >> shift;
    if shift + width > 64 {
        number |= word(bytes, at / 8 + 8) << (64 - shift);
    }
    match width {
        64.. => number,
        _ => number & ((1 << width) - 1),
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Four bytes, as far as there are so many.
#[inline]
pub(super) fn number_at(bytes: &[u8], at: usize) -> Result<u32, Unread> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map(|four| u32::from_le_bytes(*four)).ok_or(Unread::Damaged("it ends too soon"))
}

/// Reads what stands one behind another.
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8], at: usize) -> Self {
        Cursor { bytes, at }
    }

    /// Where it is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Unread> {
        let byte = *self.bytes.get(self.at).ok_or(Unread::Damaged("it ends too soon"))?;
        self.at += 1;
        Ok(byte)
    }

    /// Passes over so many bytes.
    pub(super) fn skip(&mut self, len: u64) -> Result<(), Unread> {
        let left = self.bytes.len().saturating_sub(self.at);
        let len = usize::try_from(len).ok().filter(|len| *len <= left);
        self.at += len.ok_or(Unread::Damaged("it ends too soon"))?;
        Ok(())
    }

    /// A number of seven bits a byte.
    pub(super) fn number(&mut self) -> Result<u64, Unread> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unread::Damaged("a number has too many bytes"))
    }

    /// The same with its sign in the lowest bit.
    pub(super) fn signed(&mut self) -> Result<i64, Unread> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_found_anywhere() {
        let bytes: Vec<u8> = (0..40_u8).map(|byte| byte.wrapping_mul(37) ^ 0x5a).collect();
        for width in 0..=64 {
            for at in 0..bytes.len() * 8 {
                let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| u64::from(byte >> (at % 8) & 1));
                let expected = (0..width as usize).fold(0, |number, nth| number | bit(at + nth) << nth);
                assert_eq!(bits(&bytes, at, width), expected, "{width} at {at}");
            }
        }
        assert_eq!(bits(&bytes, usize::MAX - 64, 64), 0);
    }

    #[test]
    fn numbers_end_where_they_end() {
        let read = |bytes: &[u8]| Cursor::new(bytes, 0).signed().ok();
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[1]), Some(-1));
        assert_eq!(read(&[0x80, 2]), Some(128));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Some(i64::MIN));
        assert_eq!(read(&[0x80]), None);
        assert_eq!(read(&[0xff; 20]), None);
        assert!(Cursor::new(&[1, 2], 0).skip(3).is_err());
        assert!(Cursor::new(&[1, 2], 7).skip(0).is_ok());
    }
}
