//! The piece of a text that shows why it was found.

use std::ops::Range;

use super::found::Hit;
use super::highlight::merged;
use super::printable;

/// Hits beyond these do not change the choice of the window; a text of one repeated word stays cheap.
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

/// The window of at most `width_chars` characters (at least 16) that holds the most different words
/// and phrases, of the first places where they stand; the start of the text when it has none.
pub(super) fn snippet(text: &str, hits: &[Hit], width_chars: usize) -> Snippet {
    let first = &hits[..hits.len().min(HITS_MAX)];
    let window = trimmed(text, window(text, first, width_chars.max(WIDTH_CHARS_MIN)));
    show(text, window, &merged(hits))
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

fn show(text: &str, window: Range<usize>, found: &[Range<usize>]) -> Snippet {
    let mut out = Snippet { text: String::new(), highlights: Vec::new() };
    if !text[..window.start].trim().is_empty() {
        out.text.push('…');
    }
    let mut at = window.start;
    for range in found {
        let range = range.start.max(window.start)..range.end.min(window.end);
        if range.is_empty() {
            continue;
        }
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
