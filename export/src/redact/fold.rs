//! Letters, digits and signs that read the same, as one: so that the built-in rules know them all.

use super::changed::Changed;

/// The zeros of the decimal digits of other scripts (Unicode general category Nd); nine follow each.
const ZEROS: [u32; 37] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0,
];
/// Mathematical digits: five alphabets, one after another.
const MATHEMATICAL: std::ops::RangeInclusive<u32> = 0x1d7ce..=0x1d7ff;

/// The text with digits as ASCII's, wide letters narrow, spaces and dashes plain, and without characters
/// that are not seen.
pub(super) fn folded(text: &str) -> Changed<'_> {
    if text.is_ascii() {
        return Changed::same(text);
    }
    Changed::make(text, |rest| {
        let c = rest.chars().next().unwrap_or_default();
        (c.len_utf8(), if c.is_ascii() { None } else { stands(c) })
    })
}

/// What stands for a character: `None` for itself, nothing for one that is not seen.
fn stands(c: char) -> Option<Option<char>> {
    let code = u32::from(c);
    if let Some(digit) = digit(code) {
        return Some(char::from_digit(digit, 10));
    }
    match code {
        // The wide forms of ASCII.
        0xff01..=0xff5e => Some(char::from_u32(code - 0xfee0)),
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(Some(' ')),
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xfe58 | 0xfe63 => Some(Some('-')),
        // Soft hyphens, joiners, direction marks, variation selectors, keycaps.
        0xad
        | 0x34f
        | 0x61c
        | 0x180e
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0x20e3
        | 0xfe00..=0xfe0f
        | 0xfeff => Some(None),
        _ => None,
    }
}

fn digit(code: u32) -> Option<u32> {
    if MATHEMATICAL.contains(&code) {
        return Some((code - MATHEMATICAL.start()) % 10);
    }
    ZEROS.iter().map(|zero| code.wrapping_sub(*zero)).find(|digit| *digit < 10)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn digits_are_those_of_unicode() {
        let digits = Regex::new(r"^\p{Nd}$").unwrap();
        for code in 0x80..0x1_0500_u32 {
            let Some(c) = char::from_u32(code) else { continue };
            let known = digit(code).is_some();
            assert_eq!(known, digits.is_match(c.encode_utf8(&mut [0; 4])), "{code:x}");
        }
        assert_eq!(digit(0x1d7ce), Some(0));
        assert_eq!(digit(0x1d7ff), Some(9));
    }

    #[test]
    fn folding_knows_the_way_back() {
        let text = "é ４１\u{200b}1\u{a0}1\u{2013}\u{661} ＠";
        let folded = folded(text);
        assert_eq!(folded.text, "é 411 1-1 @");
        let back = |range| &text[folded.back(&range)];
        assert_eq!(back(3..6), "４１\u{200b}1");
        assert_eq!(back(3..5), "４１\u{200b}");
        assert_eq!(back(6..10), "\u{a0}1\u{2013}\u{661}");
        assert_eq!(back(11..12), "＠");
        assert_eq!(back(0..12), text);
    }
}
