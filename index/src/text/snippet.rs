//! The piece of a text that shows why it was found.

use std::collections::HashMap;
use std::ops::Range;

use super::{Token, printable, tokens};
use crate::query::{How, Near, Query, Span, Term};

/// Hits beyond these change neither the choice of the window nor what a reader
/// learns from it; a text of one repeated word stays cheap.
const HITS_MAX: usize = 64;

/// Below this there is no room for a word between two ellipses.
const WIDTH_CHARS_MIN: usize = 16;

/// A piece of a text, safe to show on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// One line; an ellipsis stands where text was left out.
    pub text: String,
    /// Byte ranges of `text` that the query asked for: in order, apart.
    pub highlights: Vec<Range<usize>>,
}

struct Hit {
    range: Range<usize>,
    /// Which of the wanted sequences was found here.
    which: usize,
}

/// The window of at most `width_chars` characters (at least 16) that holds the
/// most different words and phrases of the query, of the first places where
/// they stand; the start of the text when the query names none that it has.
pub fn snippet(text: &str, query: &Query, width_chars: usize) -> Snippet {
    let mut wanted = Vec::new();
    positive(query, true, &mut wanted);
    let hits = find(text, &wanted);
    let window = trimmed(text, window(text, &hits, width_chars.max(WIDTH_CHARS_MIN)));
    show(text, window, &hits)
}

/// The words and phrases that a match holds rather than lacks.
fn positive<'q>(query: &'q Query, wanted: bool, out: &mut Vec<&'q [Term]>) {
    match query {
        Query::And(parts) | Query::Or(parts) => parts.iter().for_each(|part| positive(part, wanted, out)),
        Query::Not(inner) => positive(inner, !wanted, out),
        Query::Word(term) if wanted => out.push(std::slice::from_ref(term)),
        Query::Phrase(terms) if wanted => out.push(terms),
        Query::Near(near) if wanted => of_near(near, out),
        _ => {}
    }
}

fn of_near<'q>(near: &'q Near, out: &mut Vec<&'q [Term]>) {
    of_span(&near.left, out);
    if near.how != How::Without {
        of_span(&near.right, out);
    }
}

fn of_span<'q>(span: &'q Span, out: &mut Vec<&'q [Term]>) {
    match span {
        Span::Word(term) => out.push(std::slice::from_ref(term)),
        Span::Phrase(terms) => out.push(terms),
        Span::Or(parts) => parts.iter().for_each(|part| of_span(part, out)),
        Span::Near(near) => of_near(near, out),
    }
}

/// The tokens at one position.
struct Place<'a> {
    tokens: Vec<Token<'a>>,
}

impl Place<'_> {
    /// The bytes of the word, or of what stands for it, if it is this.
    fn of(&self, term: &Term) -> Option<Range<usize>> {
        let found = term.among(&self.tokens);
        found.or_else(|| self.tokens.first().filter(|_| term.is_any())).map(|token| token.range.clone())
    }
}

fn places(text: &str) -> Vec<Place<'_>> {
    let mut all: Vec<Token<'_>> = tokens(text).collect();
    all.sort_by_key(|token| token.position);
    let mut out: Vec<Place<'_>> = Vec::new();
    for token in all {
        match out.last_mut() {
            Some(place) if place.tokens[0].position == token.position => place.tokens.push(token),
            _ => out.push(Place { tokens: vec![token] }),
        }
    }
    out
}

fn find(text: &str, wanted: &[&[Term]]) -> Vec<Hit> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut by_first: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut others = Vec::new();
    for (which, terms) in wanted.iter().enumerate() {
        match terms.first().map(|first| (first, first.plain())) {
            Some((_, Some(first))) => by_first.entry(first).or_default().push(which),
            Some(_) => others.push(which),
            None => {}
        }
    }
    let places = places(text);
    let mut hits = Vec::new();
    for at in 0..places.len() {
        let first = places[at].tokens.iter().filter_map(|token| by_first.get(&*token.term)).flatten();
        for &which in first.chain(&others) {
            let terms = wanted[which];
            let run = places[at..].iter().zip(terms).map(|(place, term)| place.of(term));
            let Some(run) = run.collect::<Option<Vec<_>>>().filter(|run| run.len() == terms.len()) else {
                continue;
            };
            let follow = |step: usize| places[at + step].tokens[0].position - places[at].tokens[0].position;
            if (0_u32..).zip(0..run.len()).all(|(distance, step)| follow(step) == distance)
                && let (Some(first), Some(last)) = (run.first(), run.last())
            {
                hits.push(Hit { range: first.start..last.end, which });
            }
        }
        if hits.len() >= HITS_MAX {
            break;
        }
    }
    hits
}

fn window(text: &str, hits: &[Hit], width: usize) -> Range<usize> {
    if forward(text, 0, width) == text.len() {
        return 0..text.len();
    }
    // Room for an ellipsis on either side.
    let width = width - 2;
    let (first, last) = best(text, hits, width);
    let used = text[first..last].chars().count();
    let lead = width.saturating_sub(used) / 3;
    let mut start = back(text, first, lead);
    let end = forward(text, start, width);
    if end == text.len() {
        start = back(text, end, width);
    }
    whole_words(text, start..end, first..last)
}

/// From the first to the last byte of the hits that the best window shows.
fn best(text: &str, hits: &[Hit], width: usize) -> (usize, usize) {
    let mut best = (0, 0, 0);
    for (at, first) in hits.iter().enumerate() {
        let end = forward(text, first.range.start, width);
        let inside: Vec<&Hit> = hits[at..].iter().filter(|hit| hit.range.end <= end).collect();
        let mut different: Vec<usize> = inside.iter().map(|hit| hit.which).collect();
        different.sort_unstable();
        different.dedup();
        // One phrase may be wider than the window; its start is still the place.
        let last = inside.iter().map(|hit| hit.range.end).max().unwrap_or(end);
        if different.len() > best.0 || best.2 == 0 {
            best = (different.len(), first.range.start, last);
        }
    }
    (best.1, best.2)
}

/// Moves the ends of the window to white space, if there is any outside the hits.
fn whole_words(text: &str, window: Range<usize>, hits: Range<usize>) -> Range<usize> {
    let mut out = window.clone();
    if window.start > 0 && !text[..window.start].ends_with(char::is_whitespace) {
        let before = text[window.start..hits.start.max(window.start)].find(char::is_whitespace);
        out.start += before.unwrap_or(0);
    }
    if window.end < text.len() && !text[window.end..].starts_with(char::is_whitespace) {
        let from = hits.end.clamp(out.start, window.end);
        out.end = text[from..window.end].rfind(char::is_whitespace).map_or(window.end, |at| from + at);
    }
    out
}

fn trimmed(text: &str, window: Range<usize>) -> Range<usize> {
    let piece = &text[window.clone()];
    let start = window.start + (piece.len() - piece.trim_start().len());
    start..start + piece.trim().len()
}

fn show(text: &str, window: Range<usize>, hits: &[Hit]) -> Snippet {
    let mut out = Snippet { text: String::new(), highlights: Vec::new() };
    if !text[..window.start].trim().is_empty() {
        out.text.push('…');
    }
    let mut at = window.start;
    for range in merged(hits, &window) {
        append(&mut out.text, &text[at..range.start]);
        let from = out.text.len();
        append(&mut out.text, &text[range.clone()]);
        out.highlights.push(from..out.text.len());
        at = range.end;
    }
    append(&mut out.text, &text[at..window.end]);
    if !text[window.end..].trim().is_empty() {
        out.text.push('…');
    }
    out
}

/// The hits inside the window, overlapping ones as one.
fn merged(hits: &[Hit], window: &Range<usize>) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for hit in hits {
        let range = hit.range.start.max(window.start)..hit.range.end.min(window.end);
        match out.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

fn append(out: &mut String, text: &str) {
    for c in text.chars().map(printable) {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
}

fn forward(text: &str, from: usize, chars: usize) -> usize {
    text[from..].char_indices().nth(chars).map_or(text.len(), |(at, _)| from + at)
}

fn back(text: &str, from: usize, chars: usize) -> usize {
    if chars == 0 {
        return from;
    }
    text[..from].char_indices().rev().nth(chars - 1).map_or(0, |(at, _)| at)
}
