//! The template of a payload: its text with a hole wherever a column has the value.
//!
//! Nearly every text of an event stands in a column of its own, for searches and other
//! engines. Stored once and filled back in, it takes a third of the space, and the columns
//! become part of what the leaf hash proves. A template is UTF-8. A hole in it is a
//! control character, which JSON never holds as such, and the name of a value:
//!
//! | hole begins with | what stands there |
//! |---|---|
//! | U+0001 | the value as it is; a time in UTC with `Z` and as many digits of the second's fraction as the digit after its name says; a number in decimal |
//! | U+0002 | the text as a JSON string, with its quotes; escaped where RFC 8259 section 7 requires it, in the short form where there is one, else `\u` and four lower-case digits |
//! | U+0003 | the same, and what is not ASCII as `\u` and its UTF-16 |
//!
//! | name | value |
//! |---|---|
//! | a lower-case letter | a column: see [`TEXTS`], and `t` event_time, `q` sequence |
//! | `P`, the character U+0030 + n, a letter | of the n-th entry in `parties`: see [`PARTY_TEXTS`] |
//! | `C` and a letter | of `call`: see [`CALL_TEXTS`], [`CALL_TIMES`], [`CALL_NUMBERS`] |
//! | `F` and a letter | of `file`: see [`FILE_TEXTS`], and `z` its size |
//!
//! Before all that may stand U+0004 and the letter of a text column: the message's key is that text, and
//! the `key` column is null. Gateways take the conversation for a key, or themselves.
//!
//! A template that cannot be filled is damage: the writer reads back what it wrote.

use std::fmt;
use std::hash::BuildHasher;
use std::ops::Range;

use custody_schemas::time::time_text;
use foldhash::fast::FixedState;
use memchr::memchr3;

/// The text columns that may fill a hole.
pub(crate) const TEXTS: [(u8, &str); 13] = [
    (b'b', "body"),
    (b'c', "conversation_id"),
    (b'd', "detail"),
    (b'i', "id"),
    (b'k', "conversation_kind"),
    (b'l', "title"),
    (b'm', "message_id"),
    (b'n', "tenant"),
    (b'r', "in_reply_to"),
    (b's', "source"),
    (b'u', "client"),
    (b'x', "content_type"),
    (b'y', "type"),
];
/// The texts of a party, in the order of its members.
pub(crate) const PARTY_TEXTS: [(u8, &str); 5] =
    [(b'n', "network"), (b'a', "address"), (b'd', "name"), (b'r', "role"), (b's', "scope")];
/// The last two are JSON.
pub(crate) const CALL_TEXTS: [(u8, &str); 4] =
    [(b'i', "id"), (b'r', "reason"), (b'd', "diagnostics"), (b'q', "quality")];
pub(crate) const CALL_TIMES: [(u8, &str); 3] =
    [(b'v', "invite_time"), (b'a', "answer_time"), (b'e', "end_time")];
pub(crate) const CALL_NUMBERS: [(u8, &str); 3] =
    [(b'c', "response_code"), (b'f', "from_message_count"), (b't', "to_message_count")];
pub(crate) const FILE_TEXTS: [(u8, &str); 5] =
    [(b'i', "id"), (b'n', "name"), (b'm', "media_type"), (b'h', "sha256"), (b'r', "ref")];

/// What a hole is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A column of the row.
    Row(u8),
    /// A member of the n-th party.
    Party(u32, u8),
    /// A member of the call.
    Call(u8),
    /// A member of the file.
    File(u8),
}

impl Name {
    fn is_time(self) -> bool {
        matches!(self, Name::Row(b't') | Name::Call(b'v' | b'a' | b'e'))
    }
}

/// The value of a column in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    /// Microseconds since 1970 UTC.
    Time(i64),
    Number(i64),
}

/// How a value stands in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    AsIs,
    Json,
    Ascii,
}

impl Form {
    const fn mark(self) -> u8 {
        match self {
            Form::AsIs => 1,
            Form::Json => 2,
            Form::Ascii => 3,
        }
    }

    fn of(mark: u8) -> Form {
        match mark {
            1 => Form::AsIs,
            2 => Form::Json,
            _ => Form::Ascii,
        }
    }
}

/// The beginning of a template that says what the key is.
pub(crate) const KEY_MARK: char = '\u{4}';
/// The columns that a key is compared with, in this order.
pub(crate) const KEYS: [u8; 2] = [b'c', b's'];

/// The column that is the key, if a template says so.
pub(crate) fn key_of(template: &str) -> Option<Name> {
    let [mark, letter, ..] = template.as_bytes() else { return None };
    (char::from(*mark) == KEY_MARK).then_some(Name::Row(*letter))
}

/// Writes which column is the key.
pub(crate) fn push_key(template: &mut String, letter: u8) {
    template.push(KEY_MARK);
    template.push(char::from(letter));
}

/// Where a text might be taken for a hole.
pub(crate) fn has_marks(text: &[u8]) -> bool {
    memchr3(1, 2, 3, text).is_some()
}

/// Writes a hole. `digits` is for times alone.
pub(crate) fn push_hole(template: &mut String, form: Form, name: Name, digits: Option<u8>) {
    template.push(char::from(form.mark()));
    let letter = match name {
        Name::Row(letter) => letter,
        Name::Party(number, letter) => {
            template.push('P');
            template.extend(char::from_u32(u32::from(b'0') + number));
            letter
        }
        Name::Call(letter) => {
            template.push('C');
            letter
        }
        Name::File(letter) => {
            template.push('F');
            letter
        }
    };
    template.push(char::from(letter));
    template.extend(digits.map(|digits| char::from(b'0' + digits)));
}

/// The most parties whose texts may stand in holes: they are numbered by characters.
pub(crate) const PARTIES_MAX: u32 = 0xd000;

/// Why a template cannot be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfillable;

impl fmt::Display for Unfillable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its template does not fit its columns")
    }
}

/// A template, read.
#[derive(Debug)]
pub(crate) struct Parsed {
    template: String,
    pieces: Vec<Piece>,
    /// What follows the last hole.
    tail: Range<usize>,
}

/// Some text and the hole after it.
#[derive(Debug)]
struct Piece {
    text: Range<usize>,
    name: Name,
    form: Form,
    /// For times.
    digits: u8,
}

impl Parsed {
    pub(crate) fn of(template: &str) -> Result<Parsed, Unfillable> {
        let bytes = template.as_bytes();
        let mut from = match (key_of(template), bytes.first()) {
            (Some(_), _) => 2,
            (None, Some(4)) => return Err(Unfillable),
            (None, _) => 0,
        };
        let mut pieces = Vec::new();
        while let Some(length) = memchr3(1, 2, 3, &bytes[from..]) {
            let at = from + length;
            let form = Form::of(bytes[at]);
            let (name, rest) = name(&bytes[at + 1..]).ok_or(Unfillable)?;
            let digits = if name.is_time() { *rest.first().ok_or(Unfillable)? } else { b'0' };
            pieces.push(Piece { text: from..at, name, form, digits: digits.wrapping_sub(b'0') });
            from = bytes.len() - rest.len() + usize::from(name.is_time());
        }
        Ok(Parsed { template: template.to_owned(), pieces, tail: from..bytes.len() })
    }

    /// The holes: the text before each, its name, its form and the digits of a time.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Option<&str>, Name, Form, u8)> {
        let text = |piece: &Piece| self.template.get(piece.text.clone());
        self.pieces.iter().map(move |piece| (text(piece), piece.name, piece.form, piece.digits))
    }

    /// The column that is the key, where the `key` column is not.
    pub(crate) fn key(&self) -> Option<Name> {
        key_of(&self.template)
    }

    /// What fills the holes, and the key.
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        self.pieces.iter().map(|piece| piece.name).chain(self.key())
    }

    /// What follows the last hole.
    pub(crate) fn tail(&self) -> Option<&str> {
        self.template.get(self.tail.clone())
    }

    /// Appends the payload that a row's values make.
    pub(crate) fn fill<'a>(
        &self,
        mut value: impl FnMut(Name) -> Option<Value<'a>>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfillable> {
        let bytes = self.template.as_bytes();
        for piece in &self.pieces {
            // No column holds a longer payload: a forged template must not take all memory.
            if out.len() > PAYLOAD_BYTES_MAX {
                return Err(Unfillable);
            }
            out.extend_from_slice(&bytes[piece.text.clone()]);
            match (value(piece.name).ok_or(Unfillable)?, piece.form) {
                (Value::Text(text), Form::AsIs) => out.extend_from_slice(text.as_bytes()),
                (Value::Text(text), Form::Json) => push_json(text, out),
                (Value::Text(text), Form::Ascii) => push_ascii(text, out),
                (Value::Number(number), Form::AsIs) => {
                    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                }
                (Value::Time(us), Form::AsIs) => time_text(us, piece.digits, out).ok_or(Unfillable)?,
                _ => return Err(Unfillable),
            }
        }
        out.extend_from_slice(&bytes[self.tail.clone()]);
        Ok(())
    }
}

const PAYLOAD_BYTES_MAX: usize = i32::MAX as usize;

/// So many templates are kept read, each at one of some places; others with the same places take turns.
const KEPT: usize = 512;
const PLACES: usize = 4;

/// Fills templates, one after another. Most records have one of a few.
#[derive(Debug, Default)]
pub(crate) struct Filler {
    kept: Vec<Option<Parsed>>,
    /// Which of its places a new one takes when none is free.
    turn: usize,
    hasher: FixedState,
    out: Vec<u8>,
}

impl Filler {
    /// The payload that a template and a row's values make.
    pub(crate) fn fill<'a>(
        &mut self,
        template: &str,
        value: impl FnMut(Name) -> Option<Value<'a>>,
    ) -> Result<&[u8], Unfillable> {
        let (parsed, out) = self.parsed(template)?;
        out.clear();
        parsed.fill(value, out)?;
        Ok(out)
    }

    /// A template, read, and where payloads are put together.
    pub(crate) fn parsed(&mut self, template: &str) -> Result<(&Parsed, &mut Vec<u8>), Unfillable> {
        self.kept.resize_with(KEPT, || None);
        let first = self.hasher.hash_one(template) as usize % (KEPT / PLACES) * PLACES;
        let places = &mut self.kept[first..first + PLACES];
        let is_it = |kept: &Option<Parsed>| kept.as_ref().is_some_and(|kept| kept.template == template);
        let kept = match places.iter().position(is_it) {
            Some(at) => &mut places[at],
            None => {
                let free = places.iter().position(Option::is_none);
                let kept = &mut places[free.unwrap_or(self.turn)];
                self.turn = (self.turn + 1) % PLACES;
                *kept = Some(Parsed::of(template)?);
                kept
            }
        };
        Ok((kept.as_ref().ok_or(Unfillable)?, &mut self.out))
    }
}

fn name(bytes: &[u8]) -> Option<(Name, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let letter = |rest: &[u8]| rest.first().copied();
    match first {
        b'P' => {
            let (number, length) = character(rest)?;
            let rest = &rest[length..];
            Some((Name::Party(number.checked_sub(u32::from(b'0'))?, letter(rest)?), &rest[1..]))
        }
        b'C' => Some((Name::Call(letter(rest)?), &rest[1..])),
        b'F' => Some((Name::File(letter(rest)?), &rest[1..])),
        first => Some((Name::Row(*first), rest)),
    }
}

/// The first character and its length; nearly always ASCII.
fn character(bytes: &[u8]) -> Option<(u32, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((u32::from(first), 1));
    }
    let length = bytes.iter().skip(1).take_while(|byte| **byte & 0xc0 == 0x80).count() + 1;
    let c = std::str::from_utf8(&bytes[..length]).ok()?.chars().next()?;
    Some((u32::from(c), length))
}

/// A JSON string, with its quotes.
pub(crate) fn push_json(text: &str, out: &mut Vec<u8>) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// The same, of ASCII alone.
pub(crate) fn push_ascii(text: &str, out: &mut Vec<u8>) {
    let mut json = Vec::with_capacity(text.len() + 2);
    push_json(text, &mut json);
    for c in String::from_utf8_lossy(&json).chars() {
        if c.is_ascii() {
            out.push(c as u8);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Option<String> {
        let value = |name| match name {
            Name::Row(b'b') => Some(Value::Text("say \"hü\"\n😀")),
            Name::Row(b't') => Some(Value::Time(1_369_818_902_123_456)),
            Name::Row(b'q') => Some(Value::Number(-7)),
            Name::Party(0, b'a') => Some(Value::Text("live:bob")),
            Name::Party(300, b'a') => Some(Value::Text("far")),
            Name::Call(b'i') => Some(Value::Text("call")),
            Name::File(b'z') => Some(Value::Number(i64::MAX)),
            _ => None,
        };
        let mut filler = Filler::default();
        let first = filler.fill(template, value).map(<[u8]>::to_vec);
        // From memory, and the same.
        assert_eq!(filler.fill(template, value).map(<[u8]>::to_vec), first);
        Some(String::from_utf8(first.ok()?).unwrap())
    }

    /// The form is read for ever.
    #[test]
    fn holes_are_filled() {
        let far = format!("\u{1}P{}a", char::from_u32(0x30 + 300).unwrap());
        for (template, expected) in [
            ("{}", "{}"),
            ("ü\u{1}P0a,\u{1}Ci", "ülive:bob,call"),
            ("\u{2}b", r#""say \"hü\"\n😀""#),
            ("\u{3}b", r#""say \"h\u00fc\"\n\ud83d\ude00""#),
            (
                "\u{1}t0 \u{1}t3 \u{1}t6",
                "2013-05-29T09:15:02Z 2013-05-29T09:15:02.123Z 2013-05-29T09:15:02.123456Z",
            ),
            ("\u{1}q\u{1}Fz", "-79223372036854775807"),
            ("\u{4}c{\u{1}q}\u{4}c", "{-7}\u{4}c"),
            (&far, "far"),
        ] {
            assert_eq!(filled(template).as_deref(), Some(expected), "{template:?}");
        }
        for damaged in [
            "\u{1}", "\u{1}z", "\u{1}P", "\u{1}P0", "\u{1}P1a", "\u{1}P a", "\u{1}C", "\u{1}t", "\u{1}t9",
            "\u{2}q", "\u{2}t3", "\u{4}",
        ] {
            assert_eq!(filled(damaged), None, "{damaged:?}");
        }
    }

    /// However many there are.
    #[test]
    fn templates_take_turns() {
        let mut filler = Filler::default();
        for round in 0..3 {
            for number in 0..4 * KEPT as i64 {
                let value = |_| Some(Value::Number(round));
                let filled = filler.fill(&format!("{number}:\u{1}q"), value).unwrap();
                assert_eq!(filled, format!("{number}:{round}").as_bytes());
            }
        }
        assert!(filler.kept.len() == KEPT && filler.kept.iter().all(Option::is_some));
    }

    #[test]
    fn holes_are_read_as_they_are_written() {
        let names = [
            Name::Row(b'b'),
            Name::Party(0, b'a'),
            Name::Party(300, b'a'),
            Name::Call(b'i'),
            Name::File(b'z'),
        ];
        for name in names {
            let mut template = String::new();
            push_hole(&mut template, Form::AsIs, name, None);
            let mut seen = None;
            let value = |name| {
                seen = Some(name);
                Some(Value::Text(""))
            };
            Filler::default().fill(&template, value).unwrap();
            assert_eq!(seen, Some(name));
        }
    }
}
