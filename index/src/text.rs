//! Text as the index sees it: tokens, the terms a party is found by, snippets.
//!
//! The index, the query parser, the reference evaluator and the highlighter
//! must cut text in the same way, or something archived could not be found.
//! So there is one cutting rule, [`tokens`], and everything else calls it.

use std::borrow::Cow;
use std::ops::Range;

mod address;
mod cut;
mod fold;
mod found;
mod highlight;
mod snippet;
#[cfg(test)]
mod tests;
mod words;

pub use address::{ADDRESS_BYTES_MAX, address_terms};
pub(crate) use address::{AddressForms, address_form, name_of};
pub(crate) use cut::variant;
use cut::{Cut, Cutter};
pub(crate) use fold::{folded, folded_picture, is_part_of_picture, written};
pub use highlight::{HIGHLIGHTS_MAX, Highlights, Part, Said, highlighted};
pub use snippet::Snippet;
pub(crate) use words::Words;

/// The longest term, in bytes of the term. A longer run of letters and digits
/// is cut into several terms, never dropped: base64 blobs stay findable, and
/// the dictionary stays small.
pub const TERM_BYTES_MAX: usize = 255;

/// Stands between the parts of a record's text: body, detail and title. No phrase runs across it
/// and no distance reaches over it.
pub(crate) const PART_SEPARATOR: u8 = 0x1e;

/// Positions between two parts.
const PART_GAP: u32 = 10_000;

/// Stands in a term between what a word is found by and how it is written.
pub(crate) const VARIANT: char = '\u{1}';

/// Starts the term of a word of a dictionary.
pub(crate) const WORD: char = '\u{2}';

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What stands at its position, without diacritics.
    Word,
    /// How the word at the same position is written, if that is not what it is found by.
    Variant,
    /// A number that is written in groups, without what parts them; at the position of the first.
    Joined,
    /// A word of a dictionary in a script without spaces; at the position of its first character.
    Compound,
}

/// One token: where it stands in the text and the term it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// Bytes of the original text.
    pub range: Range<usize>,
    /// What it is found by; borrowed when the text already is.
    pub term: Cow<'a, str>,
    /// Words before it. Several tokens may stand at one.
    pub position: u32,
    /// What it is.
    pub kind: Kind,
}

/// The tokens of a text, in order.
///
/// - Each run of letters, marks and digits is one, without regard to case, width and diacritics;
///   what is written otherwise than it is found by has a [`Kind::Variant`] beside it.
/// - Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese): each character, and
///   [`Kind::Compound`] words of a dictionary beside them. So whatever stands in the text is found,
///   however a dictionary would cut it.
/// - Each emoji is one, the colour of a skin being a variant.
/// - Addresses, names of files and the like are their parts one after another. A number in groups
///   is found as a whole as well ([`Kind::Joined`]).
///
/// A word's term is its own only word, so a term printed into a query is found again.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    Cutter::new(text)
}

/// The words of a text: those of [`tokens`] that are counted.
pub fn words(text: &str) -> impl Iterator<Item = Token<'_>> {
    tokens(text).filter(|token| token.kind == Kind::Word)
}

/// The parts of a record's text as one.
pub(crate) fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    parts.into_iter().for_each(|part| append_part(part, &mut out));
    out
}

/// Another part of a record's text behind those that are there.
pub(crate) fn append_part(part: &str, out: &mut String) {
    if !out.is_empty() {
        out.push(char::from(PART_SEPARATOR));
    }
    out.push_str(part);
}

/// Whether the character may stand in a word.
pub(crate) fn is_part_of_word(c: char) -> bool {
    !c.is_whitespace() && (c.is_alphanumeric() || fold::is_mark(c) || fold::is_unseen(c))
}

/// Whether the character is a word of its own: in scripts without spaces.
pub(crate) fn is_one_by_one(c: char) -> bool {
    c.is_alphanumeric() && fold::class(c) == fold::Class::Each
}

/// Hands the term and the position of each of [`tokens`] to `each`. `lower` is room for the text: most words
/// are taken up without memory of their own.
pub(crate) fn each_term(text: &str, lower: &mut String, mut each: impl FnMut(&str, u32)) {
    // Case of ASCII at once: each word stands where it stood.
    lower.clear();
    lower.push_str(text);
    lower.make_ascii_lowercase();
    let mut cutter = Cutter::new(text);
    while let Some(cut) = cutter.cut() {
        match cut {
            Cut::Ascii { range, position } => each(&lower[range], position),
            Cut::Token(token) => each(&token.term, token.position),
        }
    }
}

/// Lower case without looking at the neighbours: a final sigma is a sigma.
fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

/// Lower case for what is compared whole: addresses, domains, type names.
pub(crate) fn lower_case(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(lower).collect() }
}

/// The same, borrowed where it is in lower case already.
pub(crate) fn lowered(text: &str) -> Cow<'_, str> {
    let is_lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(text) } else { Cow::Owned(lower_case(text)) }
}

/// A character as it may be shown on a terminal or a page: archived text must
/// not move the cursor, nor reorder what stands around it.
pub(crate) fn printable(c: char) -> char {
    match c {
        _ if c.is_whitespace() || c == char::from(PART_SEPARATOR) => ' ',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ if c.is_control() => '\u{fffd}',
        _ => c,
    }
}
