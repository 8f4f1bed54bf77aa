//! Words as glyphs: which glyphs of which fonts, and how wide they are.
//!
//! A word is shaped once and remembered: people use the same words again and again. What is remembered
//! never decides what is written.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use harfrust::{BufferFlags, Direction, Script, ShapeOptions, ShapePlan, Shaper, UnicodeBuffer};
use icu_segmenter::options::LineBreakOptions;
use icu_segmenter::{LineSegmenter, LineSegmenterBorrowed};

use super::face::{FaceId, Fonts, Weight};
use crate::settings::{PDF_WORD_BYTES_MAX, PDF_WORDS_MAX};

/// A glyph of a word; measures in em.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub(super) id: u32,
    /// The bytes of the piece's text that it stands for, together with others of the same range.
    pub(super) text: Range<usize>,
    pub(super) advance: f32,
    pub(super) x: f32,
    pub(super) y: f32,
}

/// A part of a word in one font.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) face: FaceId,
    /// Where its text begins in the word's.
    at: usize,
    pub(super) text: Box<str>,
    /// From left to right.
    pub(super) glyphs: Vec<Glyph>,
    /// Its text is not the word's, but what stands for it: it cannot be cut.
    is_whole: bool,
}

/// A word, or a part of one; measures in em.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// From left to right.
    pub(super) pieces: Vec<Piece>,
    pub(super) width: f32,
    pub(super) ascent: f32,
    pub(super) descent: f32,
}

impl Word {
    /// Where it can be cut, in bytes of its text, and how wide what is before that is; in order.
    pub(super) fn cuts(&self) -> Vec<(usize, f32)> {
        let mut clusters: Vec<(usize, f32)> = Vec::new();
        for piece in &self.pieces {
            for glyph in &piece.glyphs {
                let begin = piece.at + if piece.is_whole { 0 } else { glyph.text.start };
                clusters.push((begin, glyph.advance));
            }
        }
        clusters.sort_by_key(|(begin, _)| *begin);
        let mut cuts: Vec<(usize, f32)> = Vec::new();
        let mut before = 0.0;
        for (begin, advance) in clusters {
            if cuts.last().is_none_or(|(at, _)| *at != begin) {
                cuts.push((begin, before));
            }
            before += advance;
        }
        cuts
    }
}

/// What was shaped before; it may be handed from document to document of a production.
#[derive(Default)]
pub(super) struct Memory {
    words: [HashMap<Box<str>, Arc<Word>>; 6],
    plans: HashMap<(FaceId, bool, Option<Script>), ShapePlan>,
    buffer: Option<UnicodeBuffer>,
}

/// What sets the text of one document.
pub(super) struct Type<'f> {
    pub(super) fonts: Fonts<'f>,
    pub(super) segmenter: LineSegmenterBorrowed<'static>,
    shapers: Vec<(FaceId, Shaper<'f>)>,
    pub(super) memory: Memory,
    /// Characters that no font has: they are written as their numbers.
    pub(super) missing: BTreeSet<char>,
}

/// A character by its number, for where no font can show it.
pub(super) fn number(c: char) -> String {
    format!("[U+{:04X}]", u32::from(c))
}

/// Characters that are never seen themselves, but shape those around them.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

impl<'f> Type<'f> {
    pub(super) fn new(fonts: Fonts<'f>, memory: Memory) -> Self {
        let segmenter = LineSegmenter::new_dictionary(LineBreakOptions::default());
        Type { fonts, segmenter, shapers: Vec::new(), memory, missing: BTreeSet::new() }
    }

    /// A text as glyphs, in one line and one direction.
    pub(super) fn word(&mut self, weight: Weight, is_rtl: bool, text: &str) -> Arc<Word> {
        let slot = weight as usize * 2 + usize::from(is_rtl);
        if let Some(word) = self.memory.words[slot].get(text) {
            return word.clone();
        }
        let word = Arc::new(self.shape(weight, is_rtl, text));
        // Its numbers must be told of in each document that has it.
        let is_plain = word.pieces.iter().all(|piece| !piece.is_whole);
        if text.len() <= PDF_WORD_BYTES_MAX && is_plain {
            if self.memory.words[slot].len() >= PDF_WORDS_MAX {
                self.memory.words[slot].clear();
            }
            self.memory.words[slot].insert(text.into(), word.clone());
        }
        word
    }

    fn shape(&mut self, weight: Weight, is_rtl: bool, text: &str) -> Word {
        let mut word = Word::default();
        for (face, range) in self.runs(weight, text) {
            let at = range.start;
            let piece = match self.piece(face, is_rtl, &text[range.clone()], at) {
                Some(piece) => piece,
                None => self.numbers(weight, &text[range], at),
            };
            word.pieces.push(piece);
        }
        if is_rtl {
            word.pieces.reverse();
        }
        for piece in &word.pieces {
            let (mut ascent, mut descent) = (0.0_f32, 0.0_f32);
            if let Some(face) = self.fonts.face(piece.face) {
                (ascent, descent) = (face.ascent, face.descent);
            }
            let highest = piece.glyphs.iter().map(|glyph| glyph.y).fold(0.0, f32::max);
            let lowest = piece.glyphs.iter().map(|glyph| glyph.y).fold(0.0, f32::min);
            word.ascent = word.ascent.max(ascent + highest);
            word.descent = word.descent.max(descent - lowest);
            word.width += piece.glyphs.iter().map(|glyph| glyph.advance).sum::<f32>();
        }
        word
    }

    /// The parts of a text that one font each can show.
    fn runs(&self, weight: Weight, text: &str) -> Vec<(FaceId, Range<usize>)> {
        let mut runs: Vec<(FaceId, Range<usize>)> = Vec::new();
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            let last = runs.last_mut();
            let face = match &last {
                Some((face, _)) if is_joiner(c) => *face,
                _ => self.fonts.of(weight, c).unwrap_or_default(),
            };
            match last {
                Some((of, range)) if *of == face => range.end = end,
                _ => runs.push((face, at..end)),
            }
        }
        runs
    }

    /// `None` if the font cannot show it after all.
    fn piece(&mut self, id: FaceId, is_rtl: bool, text: &str, at: usize) -> Option<Piece> {
        let face = self.fonts.face(id)?;
        let known = match self.shapers.iter().position(|(of, _)| *of == id) {
            Some(known) => known,
            None => {
                self.shapers.push((id, face.shaper()?));
                self.shapers.len() - 1
            }
        };
        let shaper = &self.shapers.get(known)?.1;
        let mut buffer = self.memory.buffer.take().unwrap_or_default();
        buffer.push_str(text);
        buffer.set_direction(if is_rtl { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.set_flags(BufferFlags::REMOVE_DEFAULT_IGNORABLES);
        buffer.guess_segment_properties();
        let (direction, script) = (buffer.direction(), Some(buffer.script()));
        let plan = self.memory.plans.entry((id, is_rtl, script));
        let plan = plan.or_insert_with(|| ShapePlan::new(shaper, direction, script, None, &[]));
        let shaped = shaper.shape(buffer, ShapeOptions::new().plan(Some(&*plan)));
        let mut begins: Vec<usize> = shaped.glyph_infos().iter().map(|info| info.cluster as usize).collect();
        begins.sort_unstable();
        let end_of = |begin: usize| {
            let next = begins.partition_point(|other| *other <= begin);
            begins.get(next).copied().unwrap_or(text.len())
        };
        let em = |units: i32| units as f32 / face.units;
        let infos = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        let glyphs: Vec<Glyph> = infos
            .map(|(info, position)| Glyph {
                id: info.glyph_id,
                text: info.cluster as usize..end_of(info.cluster as usize),
                advance: em(position.x_advance),
                x: em(position.x_offset),
                y: em(position.y_offset),
            })
            .collect();
        self.memory.buffer = Some(shaped.clear());
        let is_shown = glyphs.iter().all(|glyph| glyph.id != 0);
        is_shown.then(|| Piece { face: id, at, text: text.into(), glyphs, is_whole: false })
    }

    /// The numbers of characters whose font has no glyph for what they are together.
    fn numbers(&mut self, weight: Weight, text: &str, at: usize) -> Piece {
        self.missing.extend(text.chars());
        let numbers: String = text.chars().map(number).collect();
        let face = self.fonts.of(weight, '[').unwrap_or_default();
        let piece = self.piece(face, false, &numbers, at);
        let nothing = Piece { face, at, text: "".into(), glyphs: Vec::new(), is_whole: true };
        Piece { is_whole: true, ..piece.unwrap_or(nothing) }
    }
}
