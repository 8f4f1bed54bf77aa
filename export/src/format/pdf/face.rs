//! The fonts of a page: those that are built in, those of a folder, and at last Unifont's pixels.

use std::collections::HashMap;
use std::sync::LazyLock;

use harfrust::{FontRef, ShaperData};
use krilla::Data;
use krilla::text::Font;
use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};

use super::pixels;

/// Which of the built-in fonts a text is set in first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
    /// For hashes: all letters are of one width.
    Mono,
}

impl Weight {
    const ALL: [Weight; 3] = [Weight::Regular, Weight::Bold, Weight::Mono];
}

/// Which font, for one [`Fonts`].
pub(super) type FaceId = u16;

/// The font of Unifont's pixels.
const PIXELS: FaceId = FaceId::MAX - 1;
/// No font.
const NONE: FaceId = FaceId::MAX;

/// A font that can be shaped with and put into a PDF.
pub(super) struct Face {
    data: Data,
    index: u32,
    shaping: ShaperData,
    /// As the PDF has it.
    pub(super) font: Font,
    /// Units of its measures in an em.
    pub(super) units: f32,
    /// Above the base line, in em.
    pub(super) ascent: f32,
    /// Below the base line, in em.
    pub(super) descent: f32,
}

impl Face {
    /// The font at that place of a file; `None` if it is none.
    pub(super) fn new(data: Data, index: u32) -> Option<Self> {
        let font = Font::new(data.clone(), index)?;
        let (shaping, units, ascent, descent) = {
            let parsed = FontRef::from_index(data.as_ref(), index).ok()?;
            let metrics = parsed.metrics(Size::unscaled(), LocationRef::default());
            let units = f32::from(metrics.units_per_em.max(1));
            (ShaperData::new(&parsed), units, metrics.ascent / units, -metrics.descent / units)
        };
        Some(Face { data, index, shaping, font, units, ascent, descent })
    }

    /// What shapes text with it.
    pub(super) fn shaper(&self) -> Option<harfrust::Shaper<'_>> {
        let parsed = FontRef::from_index(self.data.as_ref(), self.index).ok()?;
        Some(self.shaping.shaper(&parsed).build())
    }

    /// Calls `each` with every character that it has a glyph for.
    pub(super) fn characters(&self, mut each: impl FnMut(u32)) {
        let Ok(parsed) = FontRef::from_index(self.data.as_ref(), self.index) else { return };
        parsed.charmap().mappings().filter(|(_, glyph)| glyph.to_u32() != 0).for_each(|(c, _)| each(c));
    }
}

/// Characters that a table tells the font of: planes 0 and 1 of Unicode.
const TABLE: usize = 0x2_0000;

/// The fonts that are built in: DejaVu Sans Condensed, regular and bold, DejaVu Sans Mono, Noto Emoji.
struct BuiltIn {
    faces: Vec<Face>,
    /// For each weight the font of each character.
    of_char: [Vec<FaceId>; 3],
    pixels: LazyLock<Option<Face>>,
}

/// Read once, whatever is written with them.
static BUILT_IN: LazyLock<Option<BuiltIn>> = LazyLock::new(BuiltIn::read);

impl BuiltIn {
    fn read() -> Option<Self> {
        let data = [
            dejavu::sans_condensed::regular(),
            dejavu::sans_condensed::bold(),
            dejavu::sans_mono::regular(),
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
        ];
        let faces: Vec<Face> =
            data.into_iter().map(|data| Face::new(data.into(), 0)).collect::<Option<_>>()?;
        let of_char = Weight::ALL.map(|weight| {
            let mut table = vec![NONE; TABLE];
            // The last one wins.
            let order: &[FaceId] = match weight {
                Weight::Regular => &[3, 0],
                Weight::Bold => &[3, 0, 1],
                Weight::Mono => &[3, 0, 2],
            };
            for id in order {
                faces[usize::from(*id)].characters(|c| {
                    if let Some(of) = table.get_mut(c as usize) {
                        *of = *id;
                    }
                });
            }
            table
        });
        Some(BuiltIn { faces, of_char, pixels: LazyLock::new(made) })
    }
}

/// Unifont as a font.
fn made() -> Option<Face> {
    Face::new(pixels::font().ok()?.into(), 0)
}

/// The fonts that somebody gave, for what the built-in ones lack; the first that has a character gives it.
#[derive(Default)]
pub(super) struct Given {
    faces: Vec<Face>,
    of_char: HashMap<u32, FaceId>,
}

impl Given {
    /// Fonts, in their order.
    pub(super) fn new(faces: Vec<Face>) -> Self {
        let mut of_char = HashMap::new();
        for (at, face) in faces.iter().enumerate() {
            let Ok(at) = FaceId::try_from(at) else { break };
            face.characters(|c| {
                of_char.entry(c).or_insert(at);
            });
        }
        Given { faces, of_char }
    }
}

/// All fonts that a document may use.
#[derive(Clone, Copy)]
pub(super) struct Fonts<'f> {
    built_in: &'static BuiltIn,
    given: &'f Given,
}

impl<'f> Fonts<'f> {
    /// `None` if a built-in font cannot be read: the program is damaged.
    pub(super) fn new(given: &'f Given) -> Option<Self> {
        Some(Fonts { built_in: BUILT_IN.as_ref()?, given })
    }

    /// The font of a character; `None` if none has it.
    pub(super) fn of(self, weight: Weight, c: char) -> Option<FaceId> {
        let at = u32::from(c);
        let built_in = self.built_in.of_char[weight as usize].get(at as usize).copied().unwrap_or(NONE);
        if built_in != NONE {
            return Some(built_in);
        }
        let first = FaceId::try_from(self.built_in.faces.len()).unwrap_or(FaceId::MAX);
        match self.given.of_char.get(&at) {
            Some(given) => given.checked_add(first).filter(|id| *id < PIXELS),
            None => (at <= 0xffff && unifont::get_glyph(c).is_some()).then_some(PIXELS),
        }
    }

    /// The font with that id.
    pub(super) fn face(self, id: FaceId) -> Option<&'f Face> {
        if id == PIXELS {
            return self.built_in.pixels.as_ref();
        }
        let (id, built_in) = (usize::from(id), &self.built_in.faces);
        built_in.get(id).or_else(|| self.given.faces.get(id.checked_sub(built_in.len())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_the_font_that_is_meant() {
        let given = Given::default();
        let fonts = Fonts::new(&given).unwrap();
        for (weight, c, expected) in [
            (Weight::Regular, 'a', Some(0)),
            (Weight::Bold, 'a', Some(1)),
            (Weight::Mono, 'a', Some(2)),
            (Weight::Mono, '\u{5d0}', Some(0)),
            (Weight::Bold, '\u{416}', Some(1)),
            (Weight::Regular, '\u{628}', Some(0)),
            (Weight::Regular, '\u{27e6}', Some(0)),
            (Weight::Regular, '\u{1f44d}', Some(3)),
            (Weight::Regular, '\u{6f22}', Some(PIXELS)),
            (Weight::Regular, '\u{e01}', Some(PIXELS)),
            (Weight::Regular, '\u{1f9d1}', None),
            (Weight::Regular, '\u{20000}', None),
        ] {
            assert_eq!(fonts.of(weight, c), expected, "{weight:?} {c:?}");
            assert!(expected.is_none_or(|id| fonts.face(id).is_some()));
        }
    }
}
