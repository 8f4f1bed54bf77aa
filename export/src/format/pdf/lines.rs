//! Paragraphs as lines of a width: where they break, and what stands where in them.

use std::ops::Range;
use std::sync::Arc;

use unicode_bidi::{BidiClass, BidiInfo, Level, ParagraphBidiInfo, bidi_class};

use super::shape::{Type, Word, is_joiner};
use super::text::{Paragraph, Style, is_isolate};
use crate::settings::PDF_ATOM_CHARS_MAX;

/// A word on a line.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) word: Arc<Word>,
    pub(super) style: Style,
    level: Level,
    is_blank: bool,
    /// In the paragraph's text.
    text: Range<usize>,
}

impl Item {
    /// In points.
    pub(super) fn width(&self) -> f32 {
        self.word.width * self.style.size
    }
}

/// A line; measures in points.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// From left to right.
    pub(super) items: Vec<Item>,
    /// From the left of the room that it was set for.
    pub(super) shift: f32,
    /// Of what is seen.
    pub(super) width: f32,
    pub(super) height: f32,
    /// The base line, below its top.
    pub(super) base: f32,
}

/// A paragraph that is being set.
struct Setting<'p> {
    paragraph: &'p Paragraph,
    levels: Option<Vec<Level>>,
    base: Level,
    width: f32,
    line: Vec<Item>,
    /// How much of the width the line takes.
    used: f32,
}

impl Type<'_> {
    /// Sets a paragraph in a width, and hands its lines on; there is always one.
    pub(super) fn set(&mut self, paragraph: &Paragraph, width: f32, each: &mut dyn FnMut(&mut Self, Line)) {
        let direction = if paragraph.is_free { None } else { Some(Level::ltr()) };
        let bidi = paragraph.has_rtl.then(|| ParagraphBidiInfo::new(&paragraph.text, direction));
        let (base, levels) = match bidi {
            Some(bidi) => (bidi.paragraph_level, Some(bidi.levels)),
            None => (Level::ltr(), None),
        };
        let mut setting = Setting { paragraph, levels, base, width, line: Vec::new(), used: 0.0 };
        let mut from = 0;
        for to in self.segmenter.segment_str(&paragraph.text) {
            if to > from {
                setting.segment(self, from..to, each);
                from = to;
            }
        }
        setting.end(self, each);
    }

    /// Sets a paragraph in one line, cut where it does not fit.
    pub(super) fn set_one(&mut self, paragraph: &Paragraph, width: f32) -> Line {
        let (line, is_all) = self.first(paragraph, width);
        let Some(last) = line.items.last().cloned().filter(|_| !is_all) else { return line };
        let word = self.word(last.style.weight, false, "\u{2026}");
        let dots = Item { word, ..last };
        let (mut line, _) = self.first(paragraph, width - dots.width());
        line.width = line.items.iter().map(Item::width).sum::<f32>() + dots.width();
        line.items.push(dots);
        line
    }

    /// The first line of a paragraph, and whether it is all.
    fn first(&mut self, paragraph: &Paragraph, width: f32) -> (Line, bool) {
        let (mut first, mut count) = (None, 0);
        self.set(paragraph, width, &mut |_, line| {
            count += 1;
            first.get_or_insert(line);
        });
        (first.unwrap_or_default(), count < 2)
    }
}

impl Setting<'_> {
    /// Adds what stands between two places where a line may break.
    fn segment<'f>(
        &mut self,
        ty: &mut Type<'f>,
        range: Range<usize>,
        each: &mut dyn FnMut(&mut Type<'f>, Line),
    ) {
        let items = self.items(ty, range);
        let ink: f32 = items.iter().filter(|item| !item.is_blank).map(Item::width).sum();
        if self.used + ink > self.width && !self.line.is_empty() {
            self.end(ty, each);
        }
        let fits = ink <= self.width;
        for item in items {
            if item.is_blank {
                if self.used + item.width() <= self.width {
                    self.push(item);
                } else if self.used <= self.width {
                    // Blanks that do not fit end the line: one of them stays, to divide words.
                    let one = self.item(ty, item.text.start..item.text.start + 1, &item);
                    self.line.push(one);
                    self.used = self.width + 1.0;
                }
            } else if fits {
                self.push(item);
            } else {
                self.cut(ty, item, each);
            }
        }
    }

    fn push(&mut self, item: Item) {
        self.used += item.width();
        self.line.push(item);
    }

    /// Adds a word that is wider than a line, in parts.
    fn cut<'f>(&mut self, ty: &mut Type<'f>, mut item: Item, each: &mut dyn FnMut(&mut Type<'f>, Line)) {
        while self.used + item.width() > self.width {
            let room = (self.width - self.used) / item.style.size;
            let cuts = item.word.cuts();
            let fit = cuts.iter().skip(1).take_while(|(_, before)| *before <= room).last();
            // A line has one letter at least, however wide that is.
            let fit = fit.or_else(|| cuts.get(1).filter(|_| self.line.is_empty()));
            match fit {
                Some((at, _)) => {
                    let middle = item.text.start + at;
                    let (first, rest) = (item.text.start..middle, middle..item.text.end);
                    let first = self.item(ty, first, &item);
                    self.push(first);
                    item = self.item(ty, rest, &item);
                }
                None if self.line.is_empty() => break,
                None => {}
            }
            self.end(ty, each);
        }
        self.push(item);
    }

    fn item(&self, ty: &mut Type<'_>, text: Range<usize>, like: &Item) -> Item {
        let word = ty.word(like.style.weight, like.level.is_rtl(), &self.paragraph.text[text.clone()]);
        Item { word, text, ..like.clone() }
    }

    /// A range as words: each of one style and one direction, and none too long to be cut fast.
    fn items(&self, ty: &mut Type<'_>, range: Range<usize>) -> Vec<Item> {
        let text = &self.paragraph.text;
        let ink_end = range.start + text[range.clone()].trim_end_matches(' ').len();
        let mut span = self.paragraph.spans.partition_point(|(end, _)| *end <= range.start);
        let mut items = Vec::new();
        let (mut from, mut count, mut last) = (range.start, 0, None::<char>);
        let mut finish = |ty: &mut Type<'_>, text_range: Range<usize>, span: usize| {
            let Some((_, style)) = self.paragraph.spans.get(span) else { return };
            if text_range.is_empty() {
                return;
            }
            let is_blank = text_range.start >= ink_end;
            let level = self.level(text_range.start);
            let word = ty.word(style.weight, level.is_rtl(), &text[text_range.clone()]);
            items.push(Item { word, style: *style, level, is_blank, text: text_range });
        };
        for (at, c) in text[range.clone()].char_indices() {
            let at = range.start + at;
            let changes = self.paragraph.spans.get(span).is_some_and(|(end, _)| *end <= at);
            let is_long = count >= PDF_ATOM_CHARS_MAX && begins(last, c);
            if at > from && (changes || is_long || at == ink_end || self.level(at) != self.level(from)) {
                finish(ty, from..at, span);
                (from, count) = (at, 0);
            }
            if changes {
                span += 1;
            }
            if is_isolate(c) {
                finish(ty, from..at, span);
                from = at + c.len_utf8();
            }
            count += 1;
            last = Some(c);
        }
        finish(ty, from..range.end, span);
        items
    }

    fn level(&self, at: usize) -> Level {
        self.levels.as_ref().and_then(|levels| levels.get(at)).copied().unwrap_or(self.base)
    }

    /// Ends the line.
    fn end<'f>(&mut self, ty: &mut Type<'f>, each: &mut dyn FnMut(&mut Type<'f>, Line)) {
        let mut items = std::mem::take(&mut self.line);
        self.used = 0.0;
        let seen = items.iter().rposition(|item| !item.is_blank).map_or(0, |last| last + 1);
        items.truncate(seen + 1);
        for item in &mut items[seen..] {
            item.level = self.base;
        }
        let width: f32 = items[..seen].iter().map(Item::width).sum();
        let all: f32 = items.iter().map(Item::width).sum();
        let shift = if self.base.is_rtl() { self.width - all } else { 0.0 };
        let leading = self.paragraph.leading;
        let most = |of: &dyn Fn(&Item) -> f32| items.iter().map(of).fold(0.0, f32::max);
        let size = most(&|item| item.style.size);
        // DejaVu's own ascent and descent leave the base line there, in the middle of a line.
        let base = (leading / 2.0 + size * 0.346).max(most(&|item| item.word.ascent * item.style.size));
        let below = most(&|item| item.word.descent * item.style.size);
        let height = leading.max(base + below);
        if self.levels.is_some() {
            let levels: Vec<Level> = items.iter().map(|item| item.level).collect();
            let order = BidiInfo::reorder_visual(&levels);
            items = order.into_iter().filter_map(|at| items.get(at).cloned()).collect();
        }
        each(ty, Line { items, shift, width, height, base });
    }
}

/// Whether a word may be cut before a character.
fn begins(last: Option<char>, c: char) -> bool {
    let is_after_joiner = last.is_some_and(is_joiner);
    !is_after_joiner && !is_joiner(c) && bidi_class(c) != BidiClass::NSM
}
