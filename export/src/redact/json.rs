//! The tokens of valid JSON, and the text of its strings, with where they stand.

use std::borrow::Cow;
use std::ops::Range;

use super::changed::Changed;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The name of a member; the range is between the quotes.
    Name,
    /// A string; the range is between the quotes.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
    /// `[` or `{`.
    Open,
    /// `]` or `}`.
    Close,
}

/// A token of valid JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

/// Whether a text is one JSON value.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// The tokens of valid JSON; of anything else they mean nothing, and come to an end.
pub(super) fn tokens(json: &str) -> impl Iterator<Item = Token> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes[at..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        let from = at;
        let (kind, range) = match bytes[from] {
            b'"' => {
                let end = string_end(bytes, from + 1);
                at = (end + 1).min(bytes.len());
                let next = bytes[at..].iter().find(|b| !b.is_ascii_whitespace());
                let kind = if next == Some(&b':') { TokenKind::Name } else { TokenKind::Text };
                (kind, from + 1..end)
            }
            first => {
                let kind = match first {
                    b'{' | b'[' => TokenKind::Open,
                    b'}' | b']' => TokenKind::Close,
                    b'-' | b'0'..=b'9' => TokenKind::Number,
                    _ => TokenKind::Word,
                };
                let more = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                at = match kind {
                    TokenKind::Open | TokenKind::Close => from + 1,
                    _ => from + 1 + bytes[from + 1..].iter().take_while(|b| more(b)).count(),
                };
                (kind, from..at)
            }
        };
        Some(Token { kind, range })
    })
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// What a string says that is written like this between its quotes. What is no escape stays as it is,
/// half a surrogate pair is a replacement character.
pub(super) fn unescaped(raw: &str) -> Changed<'_> {
    if !raw.contains('\\') {
        return Changed::same(raw);
    }
    Changed::make(raw, |rest| match escape(rest) {
        Some((bytes, c)) => (bytes, Some(Some(c))),
        None => (rest.chars().next().map_or(1, char::len_utf8), None),
    })
}

fn escape(rest: &str) -> Option<(usize, char)> {
    let after = rest.strip_prefix('\\')?;
    let c = match after.chars().next()? {
        c @ ('"' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = unit(rest)?;
            let pair = rest.get(6..).and_then(unit).and_then(|second| {
                char::decode_utf16([first, second]).next()?.ok().filter(|c| c.len_utf16() == 2)
            });
            return Some(match pair {
                Some(c) => (12, c),
                None => (6, char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER)),
            });
        }
        _ => return None,
    };
    Some((2, c))
}

/// The UTF-16 unit of `\uXXXX`.
fn unit(rest: &str) -> Option<u16> {
    let digits = rest.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Where a token stands: the names of the members that it is in.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    /// For each open object and array the name of the member that it is; for those of an array the
    /// array's.
    open: Vec<(Cow<'a, str>, Holds)>,
    name: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Members,
    Elements,
}

impl<'a> Place<'a> {
    /// Takes the next token.
    pub(super) fn pass(&mut self, json: &'a str, token: &Token) {
        match token.kind {
            TokenKind::Name => self.name = unescaped(&json[token.range.clone()]).text,
            TokenKind::Open => {
                let holds =
                    if json.as_bytes()[token.range.start] == b'[' { Holds::Elements } else { Holds::Members };
                self.open.push((self.name.clone(), holds));
            }
            TokenKind::Close => self.name = self.open.pop().map(|(name, _)| name).unwrap_or_default(),
            TokenKind::Text | TokenKind::Number | TokenKind::Word => {}
        }
    }

    /// The name of the member that the next value is, or is in the array of.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many objects and arrays are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The names down to the next value, with dots between them; arrays have none of their own.
    pub(super) fn path(&self) -> String {
        let objects = self.open.iter().skip(1).filter(|(_, holds)| *holds == Holds::Members);
        let mut path = String::new();
        for (name, _) in objects {
            path.push_str(name);
            path.push('.');
        }
        path.push_str(&self.name);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_places() {
        let json = r#" {"a" : [1e-5,{"b":"x\"y"}, "z"], "c":{"\u0064":null,"e":-1.5},"":[[true]]} "#;
        let mut place = Place::default();
        let mut found = Vec::new();
        for token in tokens(json) {
            if matches!(token.kind, TokenKind::Text | TokenKind::Number | TokenKind::Word) {
                found.push(format!("{}={}", place.path(), &json[token.range.clone()]));
            }
            place.pass(json, &token);
        }
        assert_eq!(found, ["a=1e-5", "a.b=x\\\"y", "a=z", "c.d=null", "c.e=-1.5", "=true"]);
        assert_eq!(place.depth(), 0);
        // What is no JSON comes to an end.
        for text in ["\"", "\"\\", "{\"a", "]]"] {
            assert!(tokens(text).count() < 3, "{text}");
        }
    }

    #[test]
    fn strings_are_read_as_serde_reads_them() {
        for raw in [r"plain é", r"\u0041\n\t\/\\\u00e9x", r"\ud83d\ude00!", r"\ufffe\uFFFF\u0000", r"\\u0041"]
        {
            let expected: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
            assert_eq!(unescaped(raw).text, expected, "{raw}");
        }
        for (raw, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\q\u00g0\", r"\q\u00g0\"),
            (r"\u+123", r"\u+123"),
        ] {
            assert_eq!(unescaped(raw).text, expected, "{raw}");
        }
        let raw = r"a\u0034é\n2";
        let text = unescaped(raw);
        assert_eq!(text.text, "a4é\n2");
        assert_eq!(&raw[text.back(&(1..4))], r"\u0034é");
        assert_eq!(&raw[text.back(&(4..6))], r"\n2");
    }
}
