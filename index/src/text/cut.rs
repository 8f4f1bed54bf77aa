//! Text cut into tokens: the one rule that everything goes by.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};

use super::fold::{
    Class, JOINER, class, folded, folded_picture, is_flag_letter, is_follower, is_mark, is_pictograph,
    is_presentation, is_unseen, written,
};
use super::{Kind, PART_GAP, PART_SEPARATOR, TERM_BYTES_MAX, Token, VARIANT, WORD};

/// Digits of a number written in groups: from a short telephone number to that of a card.
const GROUPED_DIGITS: std::ops::RangeInclusive<usize> = 7..=19;

/// Cuts one text.
pub(super) struct Cutter<'a> {
    text: &'a str,
    at: usize,
    /// Of the next token that is counted.
    position: u32,
    /// Numbers up to here were looked at for a number in groups.
    grouped_to: usize,
    /// Found, but not given out yet.
    ready: VecDeque<Token<'a>>,
}

/// A token, or what nearly all are: a word of ASCII letters and digits, found by its lower case.
pub(super) enum Cut<'a> {
    Ascii { range: Range<usize>, position: u32 },
    Token(Token<'a>),
}

impl<'a> Cutter<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cutter { text, at: 0, position: 0, grouped_to: 0, ready: VecDeque::new() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether a run of letters and digits starts here; moves on if not.
    fn find_run(&mut self) -> Option<()> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if byte.is_ascii() {
                if byte.is_ascii_alphanumeric() {
                    return Some(());
                }
                if byte == PART_SEPARATOR {
                    self.position = self.position.saturating_add(PART_GAP);
                }
                self.at += 1;
                continue;
            }
            let c = self.rest().chars().next()?;
            if c.is_alphanumeric() && !is_unseen(c) {
                return Some(());
            }
            if is_flag_letter(c) || is_pictograph(c) {
                self.picture();
                if !self.ready.is_empty() {
                    return None;
                }
                continue;
            }
            self.at += c.len_utf8();
        }
    }

    fn counted(&mut self) -> u32 {
        let position = self.position;
        self.position = self.position.saturating_add(1);
        position
    }

    fn push(&mut self, kind: Kind, position: u32, range: Range<usize>, term: impl Into<Cow<'a, str>>) {
        self.ready.push_back(Token { range, term: term.into(), position, kind });
    }

    /// A run: ASCII alone, which nearly all are, or anything.
    fn run(&mut self) -> Option<Cut<'a>> {
        let (from, bytes) = (self.at, self.text.as_bytes());
        let mut end = from;
        while bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            end += 1;
        }
        let ends = match self.text[end..].chars().next() {
            Some(next) if !next.is_ascii() => !continues(next),
            _ => true,
        };
        if !ends {
            self.any_run();
            return self.ready.pop_front().map(Cut::Token);
        }
        self.at = end;
        if end - from > TERM_BYTES_MAX {
            self.word(from..end, self.text[from..end].to_ascii_lowercase());
            return self.ready.pop_front().map(Cut::Token);
        }
        let position = self.counted();
        if bytes[from].is_ascii_digit() && from >= self.grouped_to {
            self.grouped(from..end, position);
        }
        Some(Cut::Ascii { range: from..end, position })
    }

    /// The next token, as it is at hand.
    pub(super) fn cut(&mut self) -> Option<Cut<'a>> {
        loop {
            if let Some(token) = self.ready.pop_front() {
                return Some(Cut::Token(token));
            }
            match self.find_run() {
                None if self.ready.is_empty() => return None,
                None => {}
                Some(()) => {
                    if let Some(cut) = self.run() {
                        return Some(cut);
                    }
                }
            }
        }
    }

    /// The text of a range.
    pub(super) fn text(&self, range: &Range<usize>) -> &'a str {
        &self.text[range.clone()]
    }

    /// A number in groups, such as a telephone number, is found without what parts them as well.
    fn grouped(&mut self, first: Range<usize>, position: u32) {
        let bytes = self.text.as_bytes();
        let number = |from: usize| {
            let digits = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
            let next = bytes.get(from + digits).copied();
            let apart = next.is_none_or(|b| !b.is_ascii_alphanumeric() && (b.is_ascii() || b == 0xc2));
            (digits > 0 && apart).then_some(from + digits)
        };
        let Some(mut end) = number(first.start).filter(|end| *end == first.end) else { return };
        let mut groups = vec![first.clone()];
        while let Some((from, to)) = gap(&bytes[end..]).and_then(|gap| Some((end + gap, number(end + gap)?)))
        {
            groups.push(from..to);
            end = to;
        }
        self.grouped_to = end;
        let digits = groups.iter().map(Range::len).sum::<usize>();
        if groups.len() > 1 && GROUPED_DIGITS.contains(&digits) {
            let joined: String = groups.into_iter().map(|group| &self.text[group]).collect();
            self.push(Kind::Joined, position, first.start..end, joined);
        }
    }

    /// One token, and another for how it is written if that is not what it is found by.
    fn word(&mut self, range: Range<usize>, written: String) {
        let written = written.trim_start_matches(|c: char| !c.is_alphanumeric());
        let found_by = folded(written);
        if found_by.len() > TERM_BYTES_MAX {
            for piece in pieces(&found_by) {
                let position = self.counted();
                self.push(Kind::Word, position, range.clone(), piece.to_owned());
            }
            return;
        }
        if found_by.is_empty() {
            return;
        }
        self.found(range, found_by, written);
    }

    fn found(&mut self, range: Range<usize>, found_by: String, written: &str) {
        let position = self.counted();
        // What nobody could type, such as a letter under a thousand marks, is found without them.
        let variant =
            (found_by != written && written.len() <= TERM_BYTES_MAX).then(|| variant(&found_by, written));
        self.push(Kind::Word, position, range.clone(), found_by);
        if let Some(term) = variant {
            self.push(Kind::Variant, position, range, term);
        }
    }

    fn any_run(&mut self) {
        let from = self.at;
        let end = self.rest().char_indices().find(|(_, c)| !continues(*c));
        let end = end.map_or(self.text.len(), |(at, _)| from + at);
        self.at = end;
        let mut at = from;
        while at < end {
            let run = &self.text[at..end];
            let first = run.chars().next().map_or(Class::Spaced, class);
            // Marks and unseen characters stay with what they stand behind.
            let other =
                run.char_indices().find(|(_, c)| c.is_alphanumeric() && !is_mark(*c) && class(*c) != first);
            let to = other.map_or(end, |(other, _)| at + other);
            match first {
                Class::Spaced => self.word(at..to, written(&self.text[at..to])),
                Class::Each => self.each(at..to),
            }
            at = to;
        }
    }

    fn segments(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let ends: Vec<usize> = segmenter().segment_str(&self.text[range.clone()]).collect();
        ends.windows(2).map(|pair| range.start + pair[0]..range.start + pair[1]).collect()
    }

    /// Each character, with its marks; and each word of the dictionary that has several.
    fn each(&mut self, range: Range<usize>) {
        let mut words = self.segments(&range).into_iter().peekable();
        let mut at = range.start;
        while at < range.end {
            while words.next_if(|word| word.start < at).is_some() {}
            let word = words.next_if(|word| word.start == at);
            let position = self.position;
            let cluster = cluster(&self.text[at..range.end]);
            for letter in letters(&written(&self.text[at..at + cluster])) {
                let position = self.counted();
                self.push(Kind::Word, position, at..at + cluster, letter);
            }
            if let Some(word) = word.filter(|word| word.len() > cluster) {
                let mut term = written(&self.text[word.clone()]);
                if term.chars().nth(1).is_some() && term.len() <= TERM_BYTES_MAX {
                    term.insert(0, WORD);
                    self.push(Kind::Compound, position, word, term);
                }
            }
            at += cluster;
        }
    }

    /// One picture: an emoji with all that belongs to it, or a flag.
    fn picture(&mut self) {
        let from = self.at;
        let mut chars = self.rest().chars().peekable();
        let Some(first) = chars.next() else { return };
        let mut all = String::from(first);
        if is_flag_letter(first) {
            all.extend(chars.next_if(|c| is_flag_letter(*c)));
        } else {
            let follows = |all: &str, c: char| is_follower(c) || (all.ends_with(JOINER) && is_pictograph(c));
            while let Some(c) = chars.next_if(|c| follows(&all, *c)) {
                all.push(c);
                if all.len() > TERM_BYTES_MAX / 2 {
                    break;
                }
            }
        }
        self.at = from + all.len();
        let range = from..self.at;
        let written: String = all.chars().filter(|c| !is_presentation(*c)).collect();
        let written = written.trim_end_matches(JOINER).to_owned();
        self.found(range, folded_picture(&written), &written);
    }
}

impl<'a> Iterator for Cutter<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        Some(match self.cut()? {
            Cut::Token(token) => token,
            Cut::Ascii { range, position } => {
                let run = self.text(&range);
                let term = if run.bytes().any(|b| b.is_ascii_uppercase()) {
                    Cow::Owned(run.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(run)
                };
                Token { range, term, position, kind: Kind::Word }
            }
        })
    }
}

/// The term of a written form: beside what it is found by, so that all forms stand together.
pub(crate) fn variant(found_by: &str, written: &str) -> String {
    format!("{found_by}{VARIANT}{written}")
}

fn segmenter() -> WordSegmenterBorrowed<'static> {
    WordSegmenter::new_dictionary(WordBreakInvariantOptions::default())
}

/// Whether a run goes on with this character.
fn continues(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    (c.is_alphanumeric() || is_mark(c) || is_unseen(c)) && !is_pictograph(c) && !is_flag_letter(c)
}

/// Bytes of the first character and what belongs to it.
fn cluster(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let next = chars.find(|(_, c)| !(is_mark(*c) || is_unseen(*c) || matches!(c, 'ﾞ' | 'ﾟ')));
    next.map_or(text.len(), |(at, _)| at)
}

/// Each letter with the marks behind it.
fn letters(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for c in text.chars() {
        match out.last_mut() {
            // A term has an end, however many marks there are.
            Some(last) if is_mark(c) && last.len() + c.len_utf8() > TERM_BYTES_MAX => {}
            Some(last) if is_mark(c) => last.push(c),
            _ if c.is_alphanumeric() => out.push(c.to_string()),
            _ => {}
        }
    }
    out
}

/// Bytes between two groups of a number.
fn gap(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xc2, 0xa0, ..] => Some(2),
        [b')', b' ' | b'-' | b'/', ..] | [b' ' | b'-' | b'/', b'(', ..] => Some(2),
        [b' ' | b'-' | b'.' | b'/' | b')' | b'(', ..] => Some(1),
        _ => None,
    }
}

/// A long term in pieces that fit, each starting with a letter or digit.
fn pieces(term: &str) -> impl Iterator<Item = &str> {
    let mut rest = term;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let fits = |at: usize| at == rest.len() || rest[at..].starts_with(char::is_alphanumeric);
        let most = rest.len().min(TERM_BYTES_MAX);
        let cut = (1..=most).rev().find(|at| rest.is_char_boundary(*at) && fits(*at));
        // Nothing but marks: wherever a character ends.
        let cut =
            cut.or_else(|| (1..=most).rev().find(|at| rest.is_char_boundary(*at))).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(cut);
        rest = after;
        Some(piece)
    })
}
