//! Lines and words on the surface of a page.

use krilla::color::{luma, rgb};
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::paint::{Fill, Paint, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag};
use krilla::text::{GlyphId, KrillaGlyph};

use super::face::{FaceId, Fonts};
use super::lines::Item;
use super::text::{Style, Tone};

/// Draws what is no text.
pub(super) fn layout(surface: &mut Surface<'_>, path: Option<Path>, stroke: Stroke) {
    let Some(path) = path else { return };
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
    outlined(surface, &path, stroke);
    surface.end_tagged();
}

fn outlined(surface: &mut Surface<'_>, path: &Path, stroke: Stroke) {
    surface.set_fill(None);
    surface.set_stroke(Some(stroke));
    surface.draw_path(path);
    surface.set_stroke(None);
}

/// A straight line.
pub(super) fn line(from: (f32, f32), to: (f32, f32)) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    path.finish()
}

/// A pen: its width in points, and how light it is.
pub(super) fn stroke(width: f32, grey: u8) -> Stroke {
    Stroke { width, paint: luma::Color::new(grey).into(), ..Stroke::default() }
}

fn paint(tone: Tone) -> Paint {
    match tone {
        Tone::Ink => luma::Color::black().into(),
        Tone::Quiet => luma::Color::new(0x4d).into(),
        Tone::Flag => rgb::Color::new(0x7a, 0x43, 0x00).into(),
    }
}

/// Glyphs of one font that follow each other.
struct Run {
    face: FaceId,
    style: Style,
    x: f32,
    glyphs: Vec<KrillaGlyph>,
    text: String,
}

/// Draws the words of a line; as few runs as there are fonts and styles.
pub(super) fn text(surface: &mut Surface<'_>, fonts: Fonts<'_>, (mut x, y): (f32, f32), items: &[Item]) {
    let mut run: Option<Run> = None;
    let mut boxed: Option<(f32, Style)> = None;
    for item in items {
        if let Some((from, style)) = boxed
            && style != item.style
        {
            frame(surface, from, x, y, style);
            boxed = None;
        }
        if item.style.is_boxed && boxed.is_none() {
            boxed = Some((x, item.style));
        }
        for piece in &item.word.pieces {
            if run.as_ref().is_some_and(|run| run.face != piece.face || run.style != item.style) {
                show(surface, fonts, y, run.take());
            }
            let new =
                || Run { face: piece.face, style: item.style, x, glyphs: Vec::new(), text: String::new() };
            let run = run.get_or_insert_with(new);
            let at = run.text.len();
            run.text.push_str(&piece.text);
            for glyph in &piece.glyphs {
                x += glyph.advance * item.style.size;
                run.glyphs.push(KrillaGlyph {
                    glyph_id: GlyphId::new(glyph.id),
                    text_range: at + glyph.text.start..at + glyph.text.end,
                    x_advance: glyph.advance,
                    x_offset: glyph.x,
                    y_offset: glyph.y,
                    y_advance: 0.0,
                    location: None,
                });
            }
        }
    }
    show(surface, fonts, y, run);
    if let Some((from, style)) = boxed {
        frame(surface, from, x, y, style);
    }
}

fn show(surface: &mut Surface<'_>, fonts: Fonts<'_>, y: f32, run: Option<Run>) {
    let Some(Run { face, style, x, glyphs, text }) = run else { return };
    let Some(face) = fonts.face(face) else { return };
    surface.set_fill(Some(Fill { paint: paint(style.tone), ..Fill::default() }));
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, face.font.clone(), &text, style.size, false);
}

/// A box around a word of our own.
fn frame(surface: &mut Surface<'_>, from: f32, to: f32, y: f32, style: Style) {
    let Some(rect) = Rect::from_ltrb(from, y - style.size * 0.98, to, y + style.size * 0.36) else { return };
    let mut path = PathBuilder::new();
    path.push_rect(rect);
    if let Some(path) = path.finish() {
        outlined(surface, &path, Stroke { width: 0.5, paint: paint(style.tone), ..Stroke::default() });
    }
}
