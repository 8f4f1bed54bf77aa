//! What stands in a hole of a payload.

use custody_schemas::time::time_read;

use crate::template::{Form, push_ascii, push_json};

/// Digits of a number that is surely in the range of the column.
const DIGITS_MAX: usize = 18;

/// What may stand in a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A JSON string without an escape, and without its quotes.
    Plain,
    /// A JSON string with its quotes. Without an escape it is not this hole, unless `bare`: then it
    /// may be.
    Escaped { bare: bool },
    /// A whole number, as it is shortest.
    Number,
    /// A time as it is written with so many digits of the second's fraction.
    Time(u8),
}

/// A text of a payload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held<'p> {
    pub(super) text: &'p str,
    /// Of a number itself, of a time in microseconds since 1970 UTC.
    pub(super) number: i64,
}

impl Expected {
    /// What stands here is held, and where it ends returned.
    #[inline]
    pub(super) fn take<'p>(self, payload: &'p str, from: usize, held: &mut Held<'p>) -> Option<usize> {
        let rest = payload.as_bytes().get(from..)?;
        let (length, number) = match self {
            Expected::Plain => {
                let length = plain(rest)?;
                (if rest[length] == b'"' { length } else { return None }, 0)
            }
            Expected::Escaped { bare } => (escaped(rest, bare)?, 0),
            Expected::Number => number(rest)?,
            Expected::Time(digits) => {
                let length = if digits == 0 { 20 } else { 21 + usize::from(digits) };
                (length, time_read(rest.get(..length)?, digits)?)
            }
        };
        // What is absent and what is empty are not the same to every column.
        let to = from + length;
        held.text = payload.get(from..to)?;
        held.number = number;
        (length > 0).then_some(to)
    }
}

/// Bytes before the first that ends a string, or has a meaning in it.
fn plain(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    // Eight bytes at a time: Hacker's Delight, section 6-1. The lowest bit that is set is right.
    while let Some(chunk) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let equal = |byte: u8| {
            let other = word ^ (ONES * u64::from(byte));
            other.wrapping_sub(ONES) & !other
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (control | equal(b'"') | equal(b'\\')) & HIGH;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let length = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    Some(at + length)
}

/// The length of a string with its quotes.
fn escaped(bytes: &[u8], bare: bool) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let (mut at, mut escapes) = (1, bare);
    loop {
        at += plain(bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => return escapes.then_some(at + 1),
            b'\\' => (at, escapes) = (at + 2, true),
            _ => return None,
        }
    }
}

fn number(bytes: &[u8]) -> Option<(usize, i64)> {
    let length = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > DIGITS_MAX || (bytes[0] == b'0' && length > 1) {
        return None;
    }
    let number = bytes[..length].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some((length, number))
}

/// What an escaped string says, if it is escaped in this form.
pub(super) fn unescaped(json: &str, form: Form) -> Option<String> {
    let text: String = serde_json::from_str(json).ok()?;
    let mut out = Vec::with_capacity(json.len());
    push_json(&text, &mut out);
    if form == Form::Ascii && out != json.as_bytes() {
        out.clear();
        push_ascii(&text, &mut out);
    } else if form == Form::Ascii {
        // It is of the other form as well, and that one comes first.
        return None;
    }
    (out == json.as_bytes() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_text_ends_where_it_ends(bytes in prop::collection::vec(prop_oneof![
            8 => any::<u8>(), 2 => 0u8..0x40, 1 => Just(b'"'), 1 => Just(b'\\'), 8 => Just(0x80u8), 30 => Just(b'a')
        ], 0..40)) {
            let slow = bytes.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
            prop_assert_eq!(plain(&bytes), slow);
        }
    }

    #[test]
    fn what_is_taken() {
        let plain = Expected::Plain;
        let (escaped, bare) = (Expected::Escaped { bare: false }, Expected::Escaped { bare: true });
        for (expected, payload, length) in [
            (plain, "a\"", Some(1)),
            (plain, "\"", None),
            (plain, "a", None),
            (plain, "a\\n\"", None),
            (plain, "a\n\"", None),
            (plain, "😀 0123456789\"", Some(15)),
            (escaped, r#""a\"b","#, Some(6)),
            (escaped, r#""ab","#, None),
            (bare, r#""ab","#, Some(4)),
            (escaped, r#""a\"#, None),
            (escaped, r#""a\\"#, None),
            (escaped, "\"a\\n\n\"", None),
            (escaped, "a\"", None),
            (Expected::Number, "0,", Some(1)),
            (Expected::Number, "01", None),
            (Expected::Number, "-1", None),
            (Expected::Number, "", None),
            (Expected::Number, "123456789012345678", Some(18)),
            (Expected::Number, "1234567890123456789", None),
            (Expected::Time(0), "2013-05-29T09:15:02Z", Some(20)),
            (Expected::Time(3), "2013-05-29T09:15:02.123Z\"", Some(24)),
            (Expected::Time(3), "2013-05-29T09:15:02.12Z\"", None),
            (Expected::Time(3), "2013-05-29T09:15:02.12", None),
        ] {
            let mut held = Held::default();
            let taken = expected.take(payload, 0, &mut held).map(|to| (held.text, to));
            assert_eq!(taken, length.map(|length| (&payload[..length], length)), "{expected:?} {payload}");
        }
    }

    #[test]
    fn forms() {
        for (json, form, text) in [
            (r#""a\"b""#, Form::Json, Some("a\"b")),
            (r#""a\u0022b""#, Form::Json, None),
            (r#""a\/b""#, Form::Json, None),
            (r#""h\u00fc""#, Form::Json, None),
            (r#""h\u00fc""#, Form::Ascii, Some("hü")),
            (r#""h\u00FC""#, Form::Ascii, None),
            (r#""a\"b""#, Form::Ascii, None),
            (r#""\ud83d""#, Form::Ascii, None),
            (r#""""#, Form::Json, None),
        ] {
            assert_eq!(unescaped(json, form).as_deref(), text, "{json} {form:?}");
        }
    }
}
