//! Text as the index sees it: tokens, the terms a party is found by, snippets.
//!
//! The index, the query parser, the reference evaluator and the highlighter
//! must cut text in the same way, or something archived could not be found.
//! So there is one cutting rule, [`tokens`], and everything else calls it.

use std::borrow::Cow;
use std::ops::Range;

use tantivy::tokenizer as tt;

mod address;
mod snippet;
#[cfg(test)]
mod tests;

pub(crate) use address::address_form;
pub use address::{ADDRESS_BYTES_MAX, address_terms};
pub use snippet::{Snippet, snippet};

/// The longest term, in bytes of the term. A longer run of letters and digits
/// is cut into several terms, never dropped: base64 blobs stay findable, and
/// the dictionary stays small.
pub const TERM_BYTES_MAX: usize = 255;

/// One token: where it stands in the text and the term it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// Bytes of the original text.
    pub range: Range<usize>,
    /// Lower-cased; borrowed when the text already is.
    pub term: Cow<'a, str>,
}

/// The tokens of a text: each run of letters and digits (Unicode), lower-cased.
/// The n-th token has position n.
///
/// A term is its own only token, so a term printed into a query is found again.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    std::iter::from_fn(move || {
        let range = cursor.advance()?;
        let term = term_of(&text[range.clone()]);
        Some(Token { range, term })
    })
}

/// [`tokens`] as a Tantivy tokenizer.
#[derive(Clone, Default)]
pub struct CustodyTokenizer {
    // Lives here, not in the stream, so that one buffer serves every document.
    token: tt::Token,
}

/// The stream of [`CustodyTokenizer`].
pub struct CustodyTokenStream<'a> {
    cursor: Cursor<'a>,
    token: &'a mut tt::Token,
}

impl tt::Tokenizer for CustodyTokenizer {
    type TokenStream<'a> = CustodyTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> CustodyTokenStream<'a> {
        self.token.reset();
        CustodyTokenStream { cursor: Cursor { text, at: 0 }, token: &mut self.token }
    }
}

impl tt::TokenStream for CustodyTokenStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(range) = self.cursor.advance() else {
            return false;
        };
        self.token.text.clear();
        lower_into(&self.cursor.text[range.clone()], &mut self.token.text);
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = range.start;
        self.token.offset_to = range.end;
        true
    }

    fn token(&self) -> &tt::Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut tt::Token {
        self.token
    }
}

/// Finds one run after another.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// One character of a run: its bytes in the text and in the term.
struct Step {
    text_bytes: usize,
    term_bytes: usize,
}

impl Cursor<'_> {
    fn advance(&mut self) -> Option<Range<usize>> {
        self.skip_to_run()?;
        let from = self.at;
        let mut term_bytes = 0;
        // Counted in bytes of the term: lower-casing changes lengths, and both
        // cases of a word must be cut at the same character.
        while let Some(step) = self.step() {
            term_bytes += step.term_bytes;
            if term_bytes > TERM_BYTES_MAX {
                break;
            }
            self.at += step.text_bytes;
        }
        Some(from..self.at)
    }

    fn skip_to_run(&mut self) -> Option<()> {
        while self.step().is_none() {
            self.at += self.text[self.at..].chars().next()?.len_utf8();
        }
        Some(())
    }

    /// The character at the cursor, if it belongs to a run.
    fn step(&self) -> Option<Step> {
        let byte = *self.text.as_bytes().get(self.at)?;
        if byte.is_ascii() {
            return byte.is_ascii_alphanumeric().then_some(Step { text_bytes: 1, term_bytes: 1 });
        }
        let c = self.text[self.at..].chars().next().filter(|c| c.is_alphanumeric())?;
        Some(Step { text_bytes: c.len_utf8(), term_bytes: lower_letters(c).map(char::len_utf8).sum() })
    }
}

fn term_of(run: &str) -> Cow<'_, str> {
    if run.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(run);
    }
    let mut term = String::with_capacity(run.len());
    lower_into(run, &mut term);
    Cow::Owned(term)
}

fn lower_into(run: &str, term: &mut String) {
    if run.is_ascii() {
        term.extend(run.chars().map(|c| c.to_ascii_lowercase()));
    } else {
        term.extend(run.chars().flat_map(lower_letters));
    }
}

/// A dotted capital I lower-cases to an `i` and a combining dot, which is no
/// letter and would cut the term in two when it is typed into a query.
fn lower_letters(c: char) -> impl Iterator<Item = char> {
    lower(c).filter(|c| c.is_alphanumeric())
}

/// Lower case without looking at the neighbours: a final sigma is a sigma.
fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

/// Lower case for what is compared whole: addresses, domains, type names.
pub(crate) fn lower_case(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(lower).collect() }
}

/// A character as it may be shown on a terminal or a page: archived text must
/// not move the cursor, nor reorder what stands around it.
pub(crate) fn printable(c: char) -> char {
    match c {
        _ if c.is_whitespace() => ' ',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ if c.is_control() => '\u{fffd}',
        _ => c,
    }
}
