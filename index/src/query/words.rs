//! Words as they are typed: with stars, edits, stems, or as they are.

use std::ops::Range;

use super::ast::Query;
use super::error::{SyntaxError, shown};
use super::glob::Glob;
use super::term::{EDITS_MAX, Language, Term, only_word};
use crate::text::{
    Kind, VARIANT, folded, is_one_by_one, is_part_of_picture, is_part_of_word, tokens, words, written,
};

const SPECIAL: [char; 5] = ['*', '?', '~', '%', '='];

/// A word or a phrase, as it stands in a query at `span`, with or without quotation marks.
pub(super) fn query(text: &str, quoted: bool, span: Range<usize>) -> Result<Query, SyntaxError> {
    if !text.contains(SPECIAL) {
        return Query::text(text).ok_or_else(|| nothing(text, span));
    }
    let mut reader =
        Reader { text, quoted, span: span.clone(), at: 0, plain_from: 0, terms: Vec::new(), stars: false };
    reader.read()?;
    let Reader { mut terms, stars, .. } = reader;
    // A word before or behind a phrase says nothing about it.
    while terms.last().is_some_and(Term::is_any) {
        terms.pop();
    }
    let first = terms.iter().position(|term| !term.is_any()).unwrap_or(0);
    terms.drain(..first);
    if terms.is_empty() && stars {
        let error = SyntaxError::new(span, "this stands for every word there is");
        return Err(error.help("`*` alone finds every record"));
    }
    Query::words(terms).ok_or_else(|| nothing(text, span))
}

fn nothing(text: &str, span: Range<usize>) -> SyntaxError {
    let message = format!("{} has no letter or digit to search for", shown(text));
    let error = SyntaxError::new(span, message);
    if text == "-" { error.help("a `-` that excludes touches what follows it: `-word`") } else { error }
}

struct Reader<'a> {
    text: &'a str,
    quoted: bool,
    span: Range<usize>,
    at: usize,
    /// What was read from here on is text like any other.
    plain_from: usize,
    terms: Vec<Term>,
    stars: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), SyntaxError> {
        while let Some(c) = self.text[self.at..].chars().next() {
            let from = self.at;
            let picture = |at: usize| {
                let end = self.text[at..].char_indices().find(|(_, c)| !is_part_of_picture(*c));
                end.map_or(self.text.len(), |(end, _)| at + end)
            };
            let written_so =
                c == '=' && self.starts_word() && self.run(from + 1).max(picture(from + 1)) > from + 1;
            if written_so {
                self.at += 1;
            }
            let pictured = if written_so { picture(self.at) } else { self.at };
            let run = self.at..self.run(self.at).max(pictured);
            if run.is_empty() {
                self.punctuation(c)?;
                continue;
            }
            self.at = run.end;
            self.one(from, run, written_so)?;
        }
        self.plain(self.text.len());
        Ok(())
    }

    /// Whether nothing that belongs to a word stands before this.
    fn starts_word(&self) -> bool {
        self.text[..self.at].chars().next_back().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '"'))
    }

    /// The end of letters, digits and wildcards from a place on.
    fn run(&self, from: usize) -> usize {
        let mut end = from;
        for (at, c) in self.text[from..].char_indices() {
            let wild = c == '*' || (c == '?' && self.is_wild(from + at));
            if !wild && !is_part_of_word(c) {
                break;
            }
            end = from + at + c.len_utf8();
        }
        end
    }

    /// A `?` at the end of a word is a question mark.
    fn is_wild(&self, at: usize) -> bool {
        let next = self.text[at..].chars().find(|c| *c != '?');
        next.is_some_and(|c| c == '*' || is_part_of_word(c))
    }

    /// One run and what stands right behind it.
    fn one(&mut self, from: usize, run: Range<usize>, written_so: bool) -> Result<(), SyntaxError> {
        let text = &self.text[run.clone()];
        let wild = text.contains(['*', '?']);
        let (suffix, end) = self.suffix(run.end)?;
        if !wild && !written_so && suffix.is_none() {
            return Ok(());
        }
        self.plain(from);
        self.at = end;
        self.plain_from = end;
        let place = self.place(from..end);
        if u8::from(wild) + u8::from(written_so) + u8::from(suffix.is_some()) > 1 {
            let message =
                format!("{} has more than one of `=`, `*` or `?`, `~` and `%`", shown(&self.text[from..end]));
            return Err(SyntaxError::new(place, message));
        }
        if wild {
            return self.form(text, place);
        }
        if written_so {
            self.terms.extend(as_written(text));
            return Ok(());
        }
        let word = only_word(text)
            .ok_or_else(|| SyntaxError::new(place, format!("{} is no single word", shown(text))))?;
        self.terms.push(match suffix {
            Some(Suffix::Fuzzy(edits)) => Term::Fuzzy { fuzzy: word, edits },
            Some(Suffix::Stem(language)) => Term::Stem { stem: word, language },
            None => Term::Plain(word),
        });
        Ok(())
    }

    fn form(&mut self, text: &str, place: Range<usize>) -> Result<(), SyntaxError> {
        self.stars = true;
        if text.chars().any(is_one_by_one) {
            if text.contains('?') {
                let message = "a `?` cannot stand beside characters that are each a word";
                return Err(SyntaxError::new(place, message));
            }
            // What begins with these characters is found without a star.
            self.terms
                .extend(words(&text.replace('*', " ")).map(|token| Term::Plain(token.term.into_owned())));
            return Ok(());
        }
        let mut form = String::new();
        for piece in text.split_inclusive(['*', '?']) {
            let wild = piece.chars().next_back().filter(|c| matches!(c, '*' | '?'));
            form.push_str(&folded(&written(piece.trim_end_matches(['*', '?']))));
            form.extend(wild);
        }
        self.terms.push(Term::Like { like: Glob::new(&form) });
        Ok(())
    }

    fn suffix(&self, at: usize) -> Result<(Option<Suffix>, usize), SyntaxError> {
        let mut chars = self.text[at..].chars();
        let sign = chars.next();
        let rest = chars.as_str();
        let ends = |rest: &str| !rest.starts_with(|c| is_part_of_word(c) || matches!(c, '~' | '%' | '*'));
        match sign {
            Some('~') => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                if !ends(&rest[digits..]) {
                    return self.not_here('~', at);
                }
                let edits = if digits == 0 { Ok(1) } else { rest[..digits].parse() };
                match edits {
                    Ok(edits) if (1..=EDITS_MAX).contains(&edits) => {
                        Ok((Some(Suffix::Fuzzy(edits)), at + 1 + digits))
                    }
                    _ => {
                        let message = format!("a word has 1 to {EDITS_MAX} edits");
                        Err(SyntaxError::new(self.place(at..at + 1 + digits), message)
                            .help("for example `recieve~1`"))
                    }
                }
            }
            Some('%') if ends(rest) => Ok((Some(Suffix::Stem(Language::En)), at + 1)),
            Some('%') => {
                let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                let language = Language::of_code(&rest[..letters].to_ascii_lowercase());
                match language.filter(|_| ends(&rest[letters..])) {
                    Some(language) => Ok((Some(Suffix::Stem(language)), at + 1 + letters)),
                    None => self.not_here('%', at),
                }
            }
            _ => Ok((None, at)),
        }
    }

    /// In quotation marks it is a sign like any other; outside it was meant to be something.
    fn not_here(&self, sign: char, at: usize) -> Result<(Option<Suffix>, usize), SyntaxError> {
        if self.quoted {
            return Ok((None, at));
        }
        Err(self.no_meaning(sign, at))
    }

    fn no_meaning(&self, sign: char, at: usize) -> SyntaxError {
        let place = self.place(at..at + sign.len_utf8());
        let codes = Language::ALL.map(|(code, _)| code).join(", ");
        let (message, help) = match sign {
            '~' => ("a `~` has no meaning here", "it stands right behind a word: `recieve~1`".to_owned()),
            '%' => (
                "a `%` has no meaning here",
                format!("it stands right behind a word, with a language or without: `run%`, `lauf%de`; known are {codes}"),
            ),
            _ => (
                "a `?` at the end of a word is a question mark",
                "it stands for one character inside a word: `colo?r`; for a question put it in quotation marks"
                    .to_owned(),
            ),
        };
        SyntaxError::new(place, message).help(help)
    }

    fn punctuation(&mut self, c: char) -> Result<(), SyntaxError> {
        if !self.quoted && matches!(c, '~' | '?') {
            return Err(self.no_meaning(c, self.at));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    /// Text like any other, up to here.
    fn plain(&mut self, to: usize) {
        let text = &self.text[self.plain_from..to];
        self.terms.extend(words(text).map(|token| Term::Plain(token.term.into_owned())));
        self.plain_from = to;
    }

    /// Within quotation marks the places may have moved: all of it is meant.
    fn place(&self, range: Range<usize>) -> Range<usize> {
        if self.quoted {
            self.span.clone()
        } else {
            self.span.start + range.start..self.span.start + range.end
        }
    }
}

enum Suffix {
    Fuzzy(u8),
    Stem(Language),
}

/// Words as they are written. Characters that are each a word are one word of a dictionary.
fn as_written(text: &str) -> Vec<Term> {
    let mut all = words(text);
    if let (Some(only), None) = (all.next(), all.next()) {
        let variant = tokens(text).find(|token| token.kind == Kind::Variant);
        let form = variant.and_then(|token| token.term.split_once(VARIANT).map(|(_, form)| form.to_owned()));
        return vec![Term::Written { written: form.unwrap_or_else(|| only.term.into_owned()) }];
    }
    if text.chars().all(is_one_by_one) {
        return vec![Term::Written { written: written(text) }];
    }
    words(text).map(|token| Term::Plain(token.term.into_owned())).collect()
}
