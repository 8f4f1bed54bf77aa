//! Character references, as section 13.2.5.72 and those after it of the HTML standard say.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::map::Sink;

/// With their semicolon, if they have one; without the `&`.
static NAMED: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    entities::ENTITIES.iter().map(|named| (named.entity.trim_start_matches('&'), named.characters)).collect()
});

/// The longest name, with its semicolon.
const NAME_BYTES_MAX: usize = 32;
/// The longest name that needs none.
const BARE_NAME_BYTES_MAX: usize = 6;

/// The numbers 0x80 to 0x9F are what windows-1252 has there.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Where a reference stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Text,
    /// There `&copy=` is the beginning of another parameter.
    Attribute,
}

/// What a reference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    One(char),
    Named(&'static str),
}

impl Decoded {
    pub(super) fn text(self, buffer: &mut [u8; 4]) -> &str {
        match self {
            Decoded::One(c) => c.encode_utf8(buffer),
            Decoded::Named(text) => text,
        }
    }
}

/// The reference that this text, after its `&`, begins with, and how many bytes of it that is.
pub(super) fn reference(after: &str, within: Within) -> Option<(Decoded, usize)> {
    if let Some(number) = after.strip_prefix('#') {
        let (c, bytes) = numeric(number)?;
        return Some((Decoded::One(c), 1 + bytes));
    }
    let alphanumeric = after.bytes().take(NAME_BYTES_MAX).take_while(u8::is_ascii_alphanumeric).count();
    if let Some(name) = after.get(..=alphanumeric).filter(|name| name.ends_with(';'))
        && let Some(text) = NAMED.get(name)
    {
        return Some((Decoded::Named(text), name.len()));
    }
    let (name, text) = (2..=alphanumeric.min(BARE_NAME_BYTES_MAX)).rev().find_map(|bytes| {
        let name = after.get(..bytes)?;
        NAMED.get(name).map(|text| (name, text))
    })?;
    let next = after.as_bytes().get(name.len());
    let parameter = next.is_some_and(|next| *next == b'=' || next.is_ascii_alphanumeric());
    (within == Within::Text || !parameter).then_some((Decoded::Named(text), name.len()))
}

fn numeric(number: &str) -> Option<(char, usize)> {
    let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |hex| (hex, 16));
    let mut code = 0_u32;
    let mut count = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(radix)) {
        code = code.saturating_mul(radix).saturating_add(digit);
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let semicolon = usize::from(digits.as_bytes().get(count) == Some(&b';'));
    Some((character(code), number.len() - digits.len() + count + semicolon))
}

fn character(code: u32) -> char {
    let remapped = code.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::try_from(at).ok()?));
    match remapped {
        Some(c) => *c,
        // What no character has the number of, and NUL, is the replacement character.
        None => char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// Decodes every reference of a body and copies the rest.
pub(super) fn references(body: &str, out: &mut impl Sink) {
    let mut at = 0;
    while let Some(found) = body[at..].find('&') {
        let from = at + found;
        out.copy(body, at..from);
        at = from + 1;
        match reference(&body[at..], Within::Text) {
            Some((decoded, bytes)) => {
                at += bytes;
                out.put(decoded.text(&mut [0; 4]), from..at);
            }
            None => out.copy(body, from..at),
        }
    }
    out.copy(body, at..body.len());
}

/// The value of an attribute.
pub(super) fn attribute(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let (mut decoded, mut rest) = (String::with_capacity(value.len()), value);
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        rest = match reference(after, Within::Attribute) {
            Some((what, bytes)) => {
                decoded.push_str(what.text(&mut [0; 4]));
                &after[bytes..]
            }
            None => {
                decoded.push('&');
                after
            }
        };
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_are_those_of_the_table() {
        assert_eq!(NAMED.len(), 2_231);
        assert_eq!(NAMED.keys().map(|name| name.len()).max(), Some(NAME_BYTES_MAX));
        let bare = NAMED.keys().filter(|name| !name.ends_with(';')).map(|name| name.len());
        assert_eq!(bare.max(), Some(BARE_NAME_BYTES_MAX));
    }

    #[test]
    fn every_name_is_decoded() {
        for (name, text) in NAMED.iter() {
            for within in [Within::Text, Within::Attribute] {
                assert_eq!(reference(name, within), Some((Decoded::Named(text), name.len())), "{name}");
            }
        }
    }

    #[test]
    fn references() {
        for (text, expected) in [
            ("#65;", Some(("A", 4))),
            ("#x41;", Some(("A", 5))),
            ("#X41z", Some(("A", 4))),
            ("#128;", Some(("€", 5))),
            ("#x9f;", Some(("Ÿ", 5))),
            ("#xa0;", Some(("\u{a0}", 5))),
            ("#0;", Some(("\u{fffd}", 3))),
            ("#xD800;", Some(("\u{fffd}", 7))),
            ("#x110000;", Some(("\u{fffd}", 9))),
            ("#99999999999999999999;", Some(("\u{fffd}", 22))),
            ("#;", None),
            ("#x;", None),
            ("#", None),
            ("", None),
            ("notin;", Some(("∉", 6))),
            ("notit;", Some(("¬", 3))),
            ("nbsp", Some(("\u{a0}", 4))),
            ("NotEqualTilde;", Some(("≂̸", 14))),
            ("bogus;", None),
            ("é;", None),
        ] {
            let found = reference(text, Within::Text);
            let found = found.map(|(decoded, bytes)| (decoded.text(&mut [0; 4]).to_owned(), bytes));
            assert_eq!(found, expected.map(|(text, bytes)| (text.to_owned(), bytes)), "{text}");
        }
        assert_eq!(attribute("/?a=1&copy=2&amp;b&lt"), "/?a=1&copy=2&b<");
    }
}
