//! Paragraphs: what stands in them, and how it looks. Nothing that people wrote becomes anything but
//! visible text that stays where it is.

use unicode_bidi::{BidiClass, bidi_class};

use super::face::Weight;
use super::shape::{Type, is_joiner, number};
use crate::format::visible::{Piece, is_right_to_left, mark, pieces};
use crate::settings::PDF_MARKS_MAX;

/// The colour of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Ink,
    Quiet,
    /// What is odd, and what people did not write.
    Flag,
}

/// How a text looks; its size in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) tone: Tone,
    /// In a box.
    pub(super) is_boxed: bool,
}

impl Style {
    pub(super) const fn new(weight: Weight, size: f32, tone: Tone) -> Self {
        Style { weight, size, tone, is_boxed: false }
    }

    /// What stands in place of a character that is not shown as it is.
    const fn mark(self) -> Self {
        Style { weight: Weight::Regular, size: self.size * 0.88, tone: Tone::Flag, is_boxed: self.is_boxed }
    }
}

/// A paragraph: a text without line breaks, in one or more styles.
#[derive(Debug, Clone)]
pub(super) struct Paragraph {
    pub(super) text: String,
    /// Where each style ends, in bytes.
    pub(super) spans: Vec<(usize, Style)>,
    /// Something in it is written from right to left.
    pub(super) has_rtl: bool,
    /// Its first letter decides its direction; without it it goes from left to right.
    pub(super) is_free: bool,
    /// From one base line to the next, in points.
    pub(super) leading: f32,
}

/// Isolates what follows, in its own direction. It cannot be in a text: there it is a mark.
const ISOLATE: char = '\u{2068}';
/// Isolates what follows, from right to left.
const ISOLATE_RTL: char = '\u{2067}';
/// Ends an isolate.
const END: char = '\u{2069}';

/// Is it one of the characters that only paragraphs have, and that are never shown?
pub(super) fn is_isolate(c: char) -> bool {
    matches!(c, '\u{2066}'..='\u{2069}')
}

impl Paragraph {
    /// Of our own words and of what people wrote among them: from left to right.
    pub(super) fn new(leading: f32) -> Self {
        Paragraph { text: String::new(), spans: Vec::new(), has_rtl: false, is_free: false, leading }
    }

    /// Appends text of which every character can be shown.
    fn push(&mut self, style: Style, text: &str) {
        self.text.push_str(text);
        match self.spans.last_mut() {
            Some((end, last)) if *last == style => *end = self.text.len(),
            _ => self.spans.push((self.text.len(), style)),
        }
    }

    fn isolate(&mut self, style: Style, c: char) {
        self.push(style, c.encode_utf8(&mut [0; 4]));
    }

    fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.has_rtl = false;
    }
}

impl Type<'_> {
    /// Appends a text on one line. Runs of right-to-left script are isolated, so that a name in the middle
    /// of a sentence does not change the order of the rest.
    pub(super) fn inline(&mut self, into: &mut Paragraph, style: Style, text: &str) {
        pieces(text, |piece| match piece {
            Piece::Text(text) => self.isolated(into, style, text),
            Piece::Break => into.push(style.mark(), &mark('\n')),
            Piece::Mark(c) => into.push(style.mark(), &mark(c)),
        });
    }

    /// Appends a name or an address, isolated whole.
    pub(super) fn name(&mut self, into: &mut Paragraph, style: Style, text: &str) {
        let is_isolated = text.chars().any(is_right_to_left);
        if is_isolated {
            into.isolate(style, ISOLATE);
        }
        self.inline(into, style, text);
        if is_isolated {
            into.isolate(style, END);
        }
    }

    /// Cuts a text at its line breaks, and hands each line on as a paragraph of its own direction.
    pub(super) fn lines(
        &mut self,
        style: Style,
        leading: f32,
        text: &str,
        each: &mut dyn FnMut(&mut Self, &Paragraph),
    ) {
        let mut line = Paragraph { is_free: true, ..Paragraph::new(leading) };
        let mut is_first = true;
        pieces(text, |piece| match piece {
            Piece::Text(text) => self.put(&mut line, style, text),
            Piece::Break => {
                each(self, &line);
                line.clear();
                is_first = false;
            }
            Piece::Mark(c) => line.push(style.mark(), &mark(c)),
        });
        // A break at the end ends the last line, and begins none.
        if is_first || !line.text.is_empty() {
            each(self, &line);
        }
    }

    fn isolated(&mut self, into: &mut Paragraph, style: Style, text: &str) {
        let mut rest = text;
        while let Some(from) = rest.find(is_right_to_left) {
            self.put(into, style, &rest[..from]);
            rest = &rest[from..];
            // Up to the last such letter before one of another script.
            let other = |c: char| c.is_alphanumeric() && !is_right_to_left(c);
            let run = &rest[..rest.find(other).unwrap_or(rest.len())];
            let end = run.rfind(is_right_to_left).map_or(0, |last| last + char_len(&run[last..]));
            into.isolate(style, ISOLATE_RTL);
            self.put(into, style, &rest[..end]);
            into.isolate(style, END);
            rest = &rest[end..];
        }
        self.put(into, style, rest);
    }

    /// Appends visible text: what no font has by its number, and no more marks on a letter than a line has
    /// room for.
    fn put(&mut self, into: &mut Paragraph, style: Style, text: &str) {
        if text.is_ascii() && !text.contains('\t') {
            into.push(style, text);
            return;
        }
        let (mut from, mut marks, mut known) = (0, 0, false);
        for (at, c) in text.char_indices() {
            into.has_rtl |= is_right_to_left(c);
            let is_mark = !c.is_ascii() && bidi_class(c) == BidiClass::NSM;
            marks = if is_mark { marks + 1 } else { 0 };
            let instead = if c == '\t' {
                Some((style, "    ".to_owned()))
            } else if is_joiner(c) {
                // It belongs to what is before it, shown or not.
                (!known).then(|| (style, String::new()))
            } else if marks > PDF_MARKS_MAX {
                Some((style.mark(), mark(c)))
            } else if self.fonts.of(style.weight, c).is_none() {
                self.missing.insert(c);
                Some((style.mark(), number(c)))
            } else {
                None
            };
            known = instead.is_none();
            if let Some((style_of, instead)) = instead {
                if from < at {
                    into.push(style, &text[from..at]);
                }
                if !instead.is_empty() {
                    into.push(style_of, &instead);
                }
                from = at + c.len_utf8();
            }
        }
        if from < text.len() {
            into.push(style, &text[from..]);
        }
    }
}

fn char_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
