//! Pages: what goes on which, from the top to the bottom.
//!
//! A document is set twice: first to count its pages, as each says how many there are, then to draw them.
//! So no more than one page is held, however long the document is.

use super::draw::{Drawing, Op};
use super::lines::{Item, Line};
use super::shape::Type;
use super::tags::{Kind, Node};
use super::text::{Paragraph, Style, is_isolate};
use crate::settings::PDF_TITLE_CHARS_MAX;

/// Size of the paper, A4, in points. What is printed is inside of Letter's 792 as well.
pub(super) const PAPER: (f32, f32) = (595.28, 841.89);
/// Where text begins and ends from the left.
pub(super) const LEFT: f32 = 50.0;
/// See [`LEFT`].
pub(super) const RIGHT: f32 = PAPER.0 - 50.0;
/// Where it begins and ends from above.
const TOP: f32 = 70.0;
/// See [`TOP`].
const BOTTOM: f32 = PAPER.1 - 72.0;
/// Base line and rule of the head of a page.
const HEAD: (f32, f32) = (47.0, 54.0);
/// Rule and base line of its foot.
const FOOT: (f32, f32) = (PAPER.1 - 60.0, PAPER.1 - 48.0);

/// A line down the side of what belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What became of a message.
    History,
    /// No hit.
    Context,
}

struct Bar {
    x: f32,
    from: f32,
    side: Side,
}

/// What stands on every page.
pub(super) struct Margins {
    /// At the left and at the right above.
    pub(super) head: (Paragraph, Paragraph),
    /// At the left and at the right below.
    pub(super) foot: (Paragraph, Paragraph),
    /// How the number of the page looks.
    pub(super) page: Style,
}

/// A paragraph of a row: where it is, and how wide.
pub(super) struct Cell<'p> {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) paragraph: &'p Paragraph,
    pub(super) kind: Kind,
}

/// What is counted or drawn, page by page.
pub(super) struct Sheets<'m> {
    margins: &'m Margins,
    y: f32,
    number: u32,
    /// Pages in all; they are drawn when it is known.
    total: u32,
    bars: Vec<Bar>,
    drawing: Option<Drawing>,
}

impl<'m> Sheets<'m> {
    /// Counts the pages.
    pub(super) fn counting(margins: &'m Margins) -> Self {
        Sheets { margins, y: TOP, number: 1, total: 0, bars: Vec::new(), drawing: None }
    }

    /// Draws as many pages.
    pub(super) fn drawing(margins: &'m Margins, total: u32, drawing: Drawing) -> Self {
        Sheets { drawing: Some(drawing), total, ..Sheets::counting(margins) }
    }

    /// Ends the last page. How many there are, and what was drawn.
    pub(super) fn finish(mut self, ty: &mut Type<'_>) -> (u32, Option<Drawing>) {
        self.end_page(ty);
        (self.number, self.drawing)
    }

    /// Begins something that has parts.
    pub(super) fn open(&mut self, kind: Kind) {
        if let Some(drawing) = &mut self.drawing {
            drawing.tags.open(kind);
        }
    }

    /// Ends it.
    pub(super) fn close(&mut self) {
        if let Some(drawing) = &mut self.drawing {
            drawing.tags.close();
        }
    }

    /// A bookmark to this place.
    pub(super) fn bookmark(&mut self, name: &str) {
        if let Some(drawing) = &mut self.drawing {
            drawing.bookmark(name, self.number, self.y);
        }
    }

    /// Room between two things; at the top of a page there is none.
    pub(super) fn space(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    /// Whether so much fits on this page.
    pub(super) fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM || self.y <= TOP
    }

    /// Begins another page unless so much fits on this one.
    pub(super) fn need(&mut self, ty: &mut Type<'_>, height: f32) {
        if !self.fits(height) {
            self.next_page(ty);
        }
    }

    /// Begins another page.
    pub(super) fn next_page(&mut self, ty: &mut Type<'_>) {
        self.end_page(ty);
        self.number += 1;
        self.y = TOP;
        self.bars.iter_mut().for_each(|bar| bar.from = TOP);
    }

    /// A rule across the page.
    pub(super) fn rule(&mut self, x: f32) {
        if self.y > TOP {
            self.op(Op::Rule { x, to: RIGHT, y: self.y });
        }
    }

    /// From here on a line goes down at the side.
    pub(super) fn begin_bar(&mut self, x: f32, side: Side) {
        self.bars.push(Bar { x, from: self.y, side });
    }

    /// It ends here.
    pub(super) fn end_bar(&mut self) {
        if let Some(Bar { x, from, side }) = self.bars.pop() {
            self.op(Op::Bar { x, from, to: self.y, side });
        }
    }

    /// A paragraph, line by line: it may be longer than memory has room for all at once.
    pub(super) fn block(&mut self, ty: &mut Type<'_>, x: f32, width: f32, paragraph: &Paragraph, kind: Kind) {
        let title = || paragraph.text.chars().filter(|c| !is_isolate(*c)).take(PDF_TITLE_CHARS_MAX).collect();
        let title = matches!(kind, Kind::Title | Kind::Heading).then(title);
        let node = self.leaf(kind, title);
        ty.set(paragraph, width, &mut |ty, line| {
            self.need(ty, line.height);
            self.put(node, x, self.y + line.base, &line);
            self.y += line.height;
        });
    }

    /// Paragraphs side by side, on common base lines.
    pub(super) fn row(&mut self, ty: &mut Type<'_>, cells: &[Cell<'_>]) {
        self.row_under(ty, cells, &mut |_, _| {});
    }

    /// The same; `again` repeats the head of a table where a row begins another page.
    pub(super) fn row_under(
        &mut self,
        ty: &mut Type<'_>,
        cells: &[Cell<'_>],
        again: &mut dyn FnMut(&mut Self, &mut Type<'_>),
    ) {
        let mut set: Vec<Vec<Line>> = Vec::with_capacity(cells.len());
        for cell in cells {
            let mut lines = Vec::new();
            ty.set(cell.paragraph, cell.width, &mut |_, line| lines.push(line));
            set.push(lines);
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(cells.len());
        for cell in cells {
            let of_last = nodes.last().copied().filter(|_| cell.kind == Kind::Same);
            nodes.push(of_last.unwrap_or_else(|| self.leaf(cell.kind, None)));
        }
        let count = set.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..count {
            let lines = || set.iter().filter_map(|lines| lines.get(at)).filter(|line| !line.items.is_empty());
            let base = lines().map(|line| line.base).fold(0.0, f32::max);
            let height = lines().map(|line| base - line.base + line.height).fold(0.0, f32::max);
            if !self.fits(height.max(1.0)) {
                self.next_page(ty);
                again(self, ty);
            }
            for ((cell, lines), node) in cells.iter().zip(&set).zip(&nodes) {
                if let Some(line) = lines.get(at) {
                    self.put(*node, cell.x, self.y + base, line);
                }
            }
            self.y += height;
        }
    }

    fn leaf(&mut self, kind: Kind, title: Option<String>) -> Node {
        self.drawing.as_mut().map_or(Node::default(), |drawing| drawing.tags.leaf(kind, title))
    }

    fn put(&mut self, node: Node, x: f32, y: f32, line: &Line) {
        if self.drawing.is_some() && !line.items.is_empty() {
            let items: Vec<Item> = line.items.clone();
            self.op(Op::Text { node, x: x + line.shift, y, items });
        }
    }

    fn op(&mut self, op: Op) {
        if let Some(drawing) = &mut self.drawing {
            drawing.push(op);
        }
    }

    fn end_page(&mut self, ty: &mut Type<'_>) {
        let bottom = self.y;
        let bars: Vec<Op> = self.bars.iter().map(|bar| bar.until(bottom)).collect();
        bars.into_iter().for_each(|op| self.op(op));
        if self.drawing.is_some() {
            self.margins(ty);
        }
        if let Some(drawing) = &mut self.drawing {
            drawing.page(ty);
        }
    }

    /// Head and foot of the page.
    fn margins(&mut self, ty: &mut Type<'_>) {
        let margins = self.margins;
        let width = RIGHT - LEFT;
        let mut page = Paragraph::new(12.0);
        ty.inline(&mut page, margins.page, &format!("Page {} of {}", self.number, self.total));
        for (kind, y, (left, right), rule) in
            [(Kind::Head, HEAD.0, &margins.head, HEAD.1), (Kind::Foot, FOOT.1, &margins.foot, FOOT.0)]
        {
            let node = self.leaf(kind, None);
            let right = ty.set_one(right, width * 0.35);
            let middle = (kind == Kind::Foot).then(|| ty.set_one(&page, width));
            let taken = right.width + if middle.is_some() { width * 0.3 } else { 16.0 };
            let left = ty.set_one(left, width - taken);
            self.put(node, LEFT, y, &left);
            if let Some(middle) = middle {
                self.put(node, LEFT + (width - middle.width) / 2.0, y, &middle);
            }
            self.put(node, RIGHT - right.width, y, &right);
            self.op(Op::Rule { x: LEFT, to: RIGHT, y: rule });
        }
    }
}

impl Bar {
    fn until(&self, to: f32) -> Op {
        Op::Bar { x: self.x, from: self.from, to, side: self.side }
    }
}
