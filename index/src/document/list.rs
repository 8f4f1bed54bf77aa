//! Several raw terms as one text, so that Tantivy has one value to take up
//! instead of many: each term after a character whose number is its length.

use std::collections::HashSet;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// A list of more bytes has a set of its terms beside it.
const SCANNED_BYTES_MAX: usize = 4_096;

/// Appends a term to a list.
pub(crate) fn push_term(list: &mut String, term: &str) {
    // Terms are cut or hashed long before the numbers that are no characters.
    let length = u32::try_from(term.len()).ok().and_then(char::from_u32);
    debug_assert!(length.is_some(), "a term of {} bytes", term.len());
    if let Some(length) = length {
        list.push(length);
        list.push_str(term);
    }
}

/// Appends the terms of `more` to the list that starts at `from`, none twice.
/// `many` begins as `None` with each list.
pub(super) fn push_list(list: &mut String, from: usize, more: &str, many: &mut Option<HashSet<String>>) {
    if list.len() == from {
        list.push_str(more);
        return;
    }
    for term in terms(more) {
        // A few dozen at most in nearly every record: a scan beats a set.
        let new = if list.len() - from <= SCANNED_BYTES_MAX {
            !terms(&list[from..]).any(|known| known == term)
        } else {
            let all = || terms(&list[from..]).map(str::to_owned).collect();
            many.get_or_insert_with(all).insert(term.to_owned())
        };
        if new {
            push_term(list, term);
        }
    }
}

/// The terms of a list.
pub(crate) fn terms(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (term, after) = first(rest)?;
        rest = after;
        Some(term)
    })
}

fn first(list: &str) -> Option<(&str, &str)> {
    let length = list.chars().next()?;
    list.get(length.len_utf8()..)?.split_at_checked(length as usize)
}

/// The terms of a list, one token each.
#[derive(Clone, Default)]
pub(crate) struct ListTokenizer {
    // Lives here, not in the stream, so that one buffer serves every document.
    token: Token,
}

/// The stream of [`ListTokenizer`].
pub(crate) struct ListTokenStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for ListTokenizer {
    type TokenStream<'a> = ListTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> ListTokenStream<'a> {
        self.token.reset();
        ListTokenStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for ListTokenStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((term, rest)) = first(self.rest) else { return false };
        self.rest = rest;
        self.token.text.clear();
        self.token.text.push_str(term);
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_back_whatever_they_hold() {
        let long = "ž".repeat(512);
        let all = ["a", "", "\u{1}b", "sip:x@y.example", &long, "\u{0}\u{400}", "a"];
        let mut list = String::new();
        for term in all {
            push_term(&mut list, term);
        }
        assert_eq!(terms(&list).collect::<Vec<_>>(), all);

        let (mut tokenizer, mut seen) = (ListTokenizer::default(), Vec::new());
        tokenizer.token_stream(&list).process(&mut |token| seen.push(token.text.clone()));
        assert_eq!(seen, all);
        // The next text starts from nothing.
        tokenizer.token_stream("").process(&mut |token| seen.push(token.text.clone()));
        assert_eq!(seen.len(), all.len());
    }

    #[test]
    fn lists_are_joined_without_repeating() {
        let mut more = String::new();
        ["b", "c", "b"].iter().for_each(|term| push_term(&mut more, term));
        let mut list = "before".to_owned();
        let from = list.len();
        push_term(&mut list, "b");
        push_list(&mut list, from, &more, &mut None);
        assert_eq!(terms(&list[from..]).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn long_lists_are_joined_without_repeating() {
        let all: Vec<String> = (0..50_000).map(|n| format!("w{n}")).collect();
        let of = |terms: &[String]| {
            let mut list = String::new();
            terms.iter().for_each(|term| push_term(&mut list, term));
            list
        };
        let (mut list, mut many) = (String::new(), None);
        for more in [&all[..2], &all[..30_000], &all[10_000..], &all[..]] {
            push_list(&mut list, 0, &of(more), &mut many);
        }
        assert!(terms(&list).eq(all.iter()));
    }
}
