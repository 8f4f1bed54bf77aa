//! Pages as PDF, with what each text is for readers that do not see it.

use std::num::NonZeroU16;

use krilla::color::{luma, rgb};
use krilla::destination::XyzDestination;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Paint, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, TableHeaderScope, Tag, TagGroup, TagKind,
    TagTree,
};
use krilla::text::{GlyphId, KrillaGlyph};
use krilla::{Document, SerializeSettings};

use super::face::{FaceId, Fonts};
use super::lines::Item;
use super::shape::Type;
use super::sheet::{PAPER, Side};
use super::text::{Style, Tone};

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Title,
    Heading,
    Paragraph,
    /// A record, with all that is about it.
    Record,
    Table,
    Row,
    /// Names the cells of its column.
    ColumnHead,
    /// Names the cells of its row.
    RowHead,
    Cell,
    /// A part of what stands before it in its row.
    Same,
    List,
    Entry,
    /// Of every page, above.
    Head,
    /// Of every page, below.
    Foot,
    /// It stands somewhere else already.
    Again,
}

impl Kind {
    /// What it is to readers; `None` for what is no part of the text.
    fn tag(self, title: Option<&str>) -> Result<TagKind, ArtifactType> {
        let title = || title.map(str::to_owned);
        Ok(match self {
            Kind::Title => Tag::Hn(NonZeroU16::MIN, title()).into(),
            Kind::Heading => Tag::Hn(NonZeroU16::MIN.saturating_add(1), title()).into(),
            Kind::Paragraph | Kind::Same => Tag::P.into(),
            Kind::Record => Tag::Section.into(),
            Kind::Table => Tag::Table.into(),
            Kind::Row => Tag::TR.into(),
            Kind::ColumnHead => Tag::TH(TableHeaderScope::Column).into(),
            Kind::RowHead => Tag::TH(TableHeaderScope::Row).into(),
            Kind::Cell => Tag::TD.into(),
            Kind::List => Tag::L(ListNumbering::Disc).into(),
            Kind::Entry => Tag::LI.into(),
            Kind::Head => return Err(ArtifactType::Header),
            Kind::Foot => return Err(ArtifactType::Footer),
            Kind::Again => return Err(ArtifactType::PaginationOther),
        })
    }
}

/// Which text something is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Node(usize);

/// A thing to draw; in points from the left and from above.
#[derive(Debug)]
pub(super) enum Op {
    Text { node: Node, x: f32, y: f32, items: Vec<Item> },
    Rule { x: f32, to: f32, y: f32 },
    Bar { x: f32, from: f32, to: f32, side: Side },
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Node(usize),
    Text(Identifier),
}

#[derive(Debug)]
struct Element {
    kind: Kind,
    /// Of a heading.
    title: Option<String>,
    parts: Vec<Part>,
}

/// A PDF that is being made.
pub(super) struct Drawing {
    document: Document,
    /// Of the page that is being made.
    ops: Vec<Op>,
    elements: Vec<Element>,
    /// Of which `elements` a new one is a part.
    open: Vec<usize>,
    roots: Vec<usize>,
    bookmarks: Outline,
    /// Every line that was drawn.
    #[cfg(test)]
    pub(super) shown: Vec<Shown>,
    #[cfg(test)]
    pages: usize,
}

/// A line as tests see it, in points from the left and from above.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) page: usize,
    pub(super) kind: Kind,
    /// Left, top, right, bottom.
    pub(super) edges: [f32; 4],
    /// From left to right.
    pub(super) text: String,
}

impl Drawing {
    pub(super) fn new(metadata: Metadata, settings: SerializeSettings) -> Self {
        let mut document = Document::new_with(settings);
        document.set_metadata(metadata);
        Drawing {
            document,
            ops: Vec::new(),
            elements: Vec::new(),
            open: Vec::new(),
            roots: Vec::new(),
            bookmarks: Outline::new(),
            #[cfg(test)]
            shown: Vec::new(),
            #[cfg(test)]
            pages: 0,
        }
    }

    pub(super) fn push(&mut self, op: Op) {
        #[cfg(test)]
        self.see(&op);
        self.ops.push(op);
    }

    #[cfg(test)]
    fn see(&mut self, op: &Op) {
        let Op::Text { node: Node(node), x, y, items } = op else { return };
        let most = |of: &dyn Fn(&Item) -> f32| items.iter().map(of).fold(0.0, f32::max);
        let above = most(&|item| item.word.ascent * item.style.size);
        let below = most(&|item| item.word.descent * item.style.size);
        let width: f32 = items.iter().map(Item::width).sum();
        let words = items.iter().flat_map(|item| &item.word.pieces).map(|piece| &*piece.text);
        self.shown.push(Shown {
            page: self.pages,
            kind: self.elements[*node].kind,
            edges: [*x, y - above, x + width, y + below],
            text: words.collect(),
        });
    }

    /// A new element, a part of what is open.
    pub(super) fn leaf(&mut self, kind: Kind, title: Option<String>) -> Node {
        let at = self.elements.len();
        self.elements.push(Element { kind, title, parts: Vec::new() });
        if kind.tag(None).is_ok() {
            match self.open.last().and_then(|open| self.elements.get_mut(*open)) {
                Some(open) => open.parts.push(Part::Node(at)),
                None => self.roots.push(at),
            }
        }
        Node(at)
    }

    pub(super) fn open(&mut self, kind: Kind) {
        let Node(at) = self.leaf(kind, None);
        self.open.push(at);
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// Pages are counted from 1.
    pub(super) fn bookmark(&mut self, name: &str, page: u32, y: f32) {
        let page = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        let to = XyzDestination::new(page, Point::from_xy(0.0, (y - 12.0).max(0.0)));
        self.bookmarks.push_child(OutlineNode::new(name.to_owned(), to));
    }

    /// Draws what was added as a page.
    pub(super) fn page(&mut self, ty: &Type<'_>) {
        let settings = PageSettings::from_wh(PAPER.0, PAPER.1).unwrap_or_default();
        let mut page = self.document.start_page_with(settings);
        let mut surface = page.surface();
        let mut of = None;
        for op in self.ops.drain(..) {
            let node = match &op {
                Op::Text { node, .. } => Some(*node),
                _ => None,
            };
            if of.is_some() && (node.is_none() || node != of) {
                surface.end_tagged();
                of = None;
            }
            match op {
                Op::Text { node, x, y, items } => {
                    if of.is_none() {
                        begin(&mut surface, &mut self.elements, node);
                        of = Some(node);
                    }
                    text(&mut surface, ty.fonts, (x, y), &items);
                }
                Op::Rule { x, to, y } => layout(&mut surface, line((x, y), (to, y)), stroke(0.5, 0xbb)),
                Op::Bar { x, from, to, side } => {
                    let mut stroke = match side {
                        Side::History => stroke(1.0, 0xbb),
                        Side::Context => stroke(1.5, 0x77),
                    };
                    if side == Side::Context {
                        stroke.dash = Some(StrokeDash { array: vec![4.0, 2.5], offset: 0.0 });
                    }
                    layout(&mut surface, line((x, from), (x, to)), stroke);
                }
            }
        }
        if of.is_some() {
            surface.end_tagged();
        }
        surface.finish();
        page.finish();
        #[cfg(test)]
        {
            self.pages += 1;
        }
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, krilla::error::KrillaError> {
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        for root in &self.roots {
            if let Some(group) = group(&self.elements, *root) {
                tree.push(group);
            }
        }
        self.document.set_tag_tree(tree);
        self.document.set_outline(self.bookmarks);
        self.document.finish()
    }
}

/// An element with its parts; `None` without any.
fn group(elements: &[Element], at: usize) -> Option<TagGroup> {
    let element = elements.get(at)?;
    let mut group = TagGroup::new(element.kind.tag(element.title.as_deref()).ok()?);
    for part in &element.parts {
        match part {
            Part::Text(text) => group.push(*text),
            Part::Node(node) => {
                if let Some(part) = self::group(elements, *node) {
                    group.push(part);
                }
            }
        }
    }
    (!group.children.is_empty()).then_some(group)
}

fn begin(surface: &mut Surface<'_>, elements: &mut [Element], Node(at): Node) {
    let Some(element) = elements.get_mut(at) else { return };
    match element.kind.tag(None) {
        Err(artifact) => drop(surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(artifact)))),
        Ok(_) => element.parts.push(Part::Text(surface.start_tagged(ContentTag::Other))),
    }
}

/// Draws what is no text.
fn layout(surface: &mut Surface<'_>, path: Option<Path>, stroke: Stroke) {
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

fn line(from: (f32, f32), to: (f32, f32)) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    path.finish()
}

fn stroke(width: f32, grey: u8) -> Stroke {
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
fn text(surface: &mut Surface<'_>, fonts: Fonts<'_>, (mut x, y): (f32, f32), items: &[Item]) {
    let mut run: Option<Run> = None;
    let mut boxed: Option<(f32, Style)> = None;
    for item in items {
        match boxed {
            Some((from, style)) if style != item.style => {
                frame(surface, from, x, y, style);
                boxed = None;
            }
            _ => {}
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
