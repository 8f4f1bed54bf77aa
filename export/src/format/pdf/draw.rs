//! Pages as PDF.

use krilla::destination::XyzDestination;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::StrokeDash;
use krilla::{Document, SerializeSettings};

use super::ink;
use super::lines::Item;
use super::shape::Type;
use super::sheet::{PAPER, Side};
#[cfg(test)]
use super::tags::Kind;
use super::tags::{Node, Tags};

/// A thing to draw; in points from the left and from above.
#[derive(Debug)]
pub(super) enum Op {
    Text { node: Node, x: f32, y: f32, items: Vec<Item> },
    Rule { x: f32, to: f32, y: f32 },
    Bar { x: f32, from: f32, to: f32, side: Side },
}

/// A PDF that is being made.
pub(super) struct Drawing {
    document: Document,
    /// Of the page that is being made.
    ops: Vec<Op>,
    /// What each text is.
    pub(super) tags: Tags,
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
            tags: Tags::default(),
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
        let Op::Text { node, x, y, items } = op else { return };
        let most = |of: &dyn Fn(&Item) -> f32| items.iter().map(of).fold(0.0, f32::max);
        let above = most(&|item| item.word.ascent * item.style.size);
        let below = most(&|item| item.word.descent * item.style.size);
        let width: f32 = items.iter().map(Item::width).sum();
        let words = items.iter().flat_map(|item| &item.word.pieces).map(|piece| &*piece.text);
        self.shown.push(Shown {
            page: self.pages,
            kind: self.tags.kind(*node),
            edges: [*x, y - above, x + width, y + below],
            text: words.collect(),
        });
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
                        self.tags.begin(&mut surface, node);
                        of = Some(node);
                    }
                    ink::text(&mut surface, ty.fonts, (x, y), &items);
                }
                Op::Rule { x, to, y } => {
                    ink::layout(&mut surface, ink::line((x, y), (to, y)), ink::stroke(0.5, 0xbb))
                }
                Op::Bar { x, from, to, side } => {
                    let mut stroke = match side {
                        Side::History => ink::stroke(1.0, 0xbb),
                        Side::Context => ink::stroke(1.5, 0x77),
                    };
                    if side == Side::Context {
                        stroke.dash = Some(StrokeDash { array: vec![4.0, 2.5], offset: 0.0 });
                    }
                    ink::layout(&mut surface, ink::line((x, from), (x, to)), stroke);
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
        self.document.set_tag_tree(self.tags.tree());
        self.document.set_outline(self.bookmarks);
        self.document.finish()
    }
}
