//! GNU Unifont's pixels as a TrueType font: coarse, but it has a glyph for nearly every character of the
//! Basic Multilingual Plane, so that a page can be read which nobody gave fonts for.

use std::num::TryFromIntError;

use skrifa::raw::tables::glyf::CurvePoint;
use unicode_bidi::{BidiClass, bidi_class};
use unifont::Glyph as Pixels;
use write_fonts::tables::cmap::Cmap;
use write_fonts::tables::glyf::{Bbox, Contour, GlyfLocaBuilder, Glyph, SimpleGlyph};
use write_fonts::tables::head::Head;
use write_fonts::tables::hhea::Hhea;
use write_fonts::tables::hmtx::{Hmtx, LongMetric};
use write_fonts::tables::maxp::Maxp;
use write_fonts::tables::name::{Name, NameRecord};
use write_fonts::tables::post::Post;
use write_fonts::types::{FWord, GlyphId, NameId, UfWord};
use write_fonts::{BuilderError, FontBuilder, OffsetMarker};

/// Units of a pixel; sixteen of them are an em.
const PIXEL: i16 = 64;
/// Rows of a glyph.
const ROWS: usize = 16;
/// Rows above the base line.
const ASCENT: i16 = 14;

/// What the font is called.
const NAME: &str = "Unifont-Pixels";
/// Whose the pixels are.
const COPYRIGHT: &str =
    "Made of the glyphs of GNU Unifont, Copyright (C) 1998-2023 Roman Czyborra, Paul Hardy and others";

/// Why the font cannot be made; none of it depends on what is written.
#[derive(Debug)]
pub(super) enum Failed {
    /// There are more glyphs than a font has room for.
    TooMany,
    /// A table cannot be written.
    Table,
}

impl From<TryFromIntError> for Failed {
    fn from(_: TryFromIntError) -> Self {
        Failed::TooMany
    }
}

impl From<BuilderError> for Failed {
    fn from(_: BuilderError) -> Self {
        Failed::Table
    }
}

/// A file with the font; always the same.
pub(super) fn font() -> Result<Vec<u8>, Failed> {
    let mut glyphs = GlyfLocaBuilder::new();
    let mut widths = vec![LongMetric::new(width_of(16), 0)];
    let mut characters = Vec::new();
    let mut most = (0, 0);
    // What stands for no character is never shown.
    glyphs.add_glyph(&Glyph::Empty).map_err(|_| Failed::Table)?;
    for (c, pixels) in unifont::enumerate_glyphs() {
        // A mark stands over what is before it, and takes no room.
        let is_mark = bidi_class(c) == BidiClass::NSM;
        let width = width_of(pixels.get_width());
        let shift = if is_mark { -i16::try_from(width)? } else { 0 };
        let contours = outline(pixels, shift);
        let left = contours.bbox.x_min;
        most = (most.0.max(contours.contours.len()), most.1.max(contours.contours.len() * 4));
        let glyph = if contours.contours.is_empty() { Glyph::Empty } else { Glyph::Simple(contours) };
        glyphs.add_glyph(&glyph).map_err(|_| Failed::Table)?;
        characters.push((c, GlyphId::new(u32::try_from(widths.len())?)));
        widths.push(LongMetric::new(if is_mark { 0 } else { width }, left));
    }
    tables(glyphs, widths, characters, most)
}

fn width_of(pixels: usize) -> u16 {
    if pixels > 8 { 1_024 } else { 512 }
}

fn tables(
    glyphs: GlyfLocaBuilder,
    widths: Vec<LongMetric>,
    characters: Vec<(char, GlyphId)>,
    (contours, points): (usize, usize),
) -> Result<Vec<u8>, Failed> {
    let count = u16::try_from(widths.len())?;
    let (glyf, loca, format) = glyphs.build();
    let em = PIXEL * 16;
    let (top, bottom) = (ASCENT * PIXEL, ASCENT * PIXEL - em);
    let head = Head {
        units_per_em: em.unsigned_abs(),
        x_min: -em,
        y_min: bottom,
        x_max: em,
        y_max: top,
        lowest_rec_ppem: 16,
        index_to_loc_format: format as i16,
        ..Head::default()
    };
    let hhea = Hhea {
        ascender: FWord::new(top),
        descender: FWord::new(bottom),
        advance_width_max: UfWord::new(em.unsigned_abs()),
        min_left_side_bearing: FWord::new(-em),
        x_max_extent: FWord::new(em),
        caret_slope_rise: 1,
        number_of_h_metrics: count,
        ..Hhea::default()
    };
    let maxp = Maxp {
        num_glyphs: count,
        max_points: Some(u16::try_from(points)?),
        max_contours: Some(u16::try_from(contours)?),
        max_composite_points: Some(0),
        max_composite_contours: Some(0),
        max_zones: Some(1),
        max_twilight_points: Some(0),
        max_storage: Some(0),
        max_function_defs: Some(0),
        max_instruction_defs: Some(0),
        max_stack_elements: Some(0),
        max_size_of_instructions: Some(0),
        max_component_elements: Some(0),
        max_component_depth: Some(0),
    };
    let named =
        |(id, text): (NameId, &str)| NameRecord::new(3, 1, 0x409, id, OffsetMarker::new(text.to_owned()));
    let names = [
        (NameId::COPYRIGHT_NOTICE, COPYRIGHT),
        (NameId::FAMILY_NAME, NAME),
        (NameId::FULL_NAME, NAME),
        (NameId::POSTSCRIPT_NAME, NAME),
        (NameId::LICENSE_DESCRIPTION, "SIL Open Font License, Version 1.1"),
    ];
    let cmap = Cmap::from_mappings(characters).map_err(|_| Failed::Table)?;
    let mut font = FontBuilder::new();
    font.add_table(&head)?.add_table(&hhea)?.add_table(&maxp)?.add_table(&Hmtx::new(widths, Vec::new()))?;
    font.add_table(&cmap)?.add_table(&glyf)?.add_table(&loca)?.add_table(&Post::default())?;
    font.add_table(&Name::new(names.map(named).to_vec()))?;
    Ok(font.build())
}

/// The pixels of a glyph as rectangles: equal runs of rows that follow each other are one.
fn outline(pixels: &Pixels, shift: i16) -> SimpleGlyph {
    let mut contours = Vec::new();
    let mut bbox = Bbox { x_min: i16::MAX, y_min: i16::MAX, x_max: i16::MIN, y_max: i16::MIN };
    // Runs that may grow: from, to, first row.
    let mut open: Vec<(i16, i16, i16)> = Vec::new();
    for (y, row) in (0..=ROWS).zip(0..) {
        let runs = if y < ROWS { runs(pixels, y) } else { Vec::new() };
        open.retain(|(from, to, first)| {
            let goes_on = runs.contains(&(*from, *to));
            if !goes_on {
                let (left, right) = (shift + from * PIXEL, shift + to * PIXEL);
                let (top, bottom) = ((ASCENT - first) * PIXEL, (ASCENT - row) * PIXEL);
                let corners = [(left, bottom), (left, top), (right, top), (right, bottom)];
                let points: Vec<CurvePoint> =
                    corners.into_iter().map(|(x, y)| CurvePoint::on_curve(x, y)).collect();
                contours.push(Contour::from(points));
                bbox.x_min = bbox.x_min.min(left);
                bbox.x_max = bbox.x_max.max(right);
                bbox.y_min = bbox.y_min.min(bottom);
                bbox.y_max = bbox.y_max.max(top);
            }
            goes_on
        });
        for (from, to) in runs {
            if !open.iter().any(|run| (run.0, run.1) == (from, to)) {
                open.push((from, to, row));
            }
        }
    }
    if contours.is_empty() {
        bbox = Bbox::default();
    }
    SimpleGlyph { bbox, contours, ..SimpleGlyph::default() }
}

/// Where pixels of a row are set: half-open ranges of columns.
fn runs(pixels: &Pixels, y: usize) -> Vec<(i16, i16)> {
    let (mut runs, mut from) = (Vec::new(), None);
    for (x, column) in (0..=pixels.get_width()).zip(0..) {
        match (pixels.get_pixel(x, y), from) {
            (true, None) => from = Some(column),
            (false, Some(start)) => {
                runs.push((start, column));
                from = None;
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glyph_is_made_of_rectangles() {
        // A bar of two rows over a foot of one pixel.
        let mut rows = [0_u8; 16];
        (rows[2], rows[3], rows[4]) = (0b0111_1000, 0b0111_1000, 0b0001_0000);
        let glyph = outline(&Pixels::Halfwidth(rows), 0);
        let corners: Vec<Vec<(i16, i16)>> =
            glyph.contours.iter().map(|c| c.iter().map(|p| (p.x / PIXEL, p.y / PIXEL)).collect()).collect();
        let expected = [vec![(1, 10), (1, 12), (5, 12), (5, 10)], vec![(3, 9), (3, 10), (4, 10), (4, 9)]];
        assert_eq!(corners, expected);
    }

    #[test]
    fn the_font_is_always_the_same() {
        let bytes = font().unwrap();
        assert_eq!(bytes, font().unwrap());
        assert!(bytes.len() < 32 << 20, "{}", bytes.len());
    }
}
