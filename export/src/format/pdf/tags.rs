//! What each text is for readers that do not see it: a tree of elements, with the texts that are of each.

use std::num::NonZeroU16;

use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, TableHeaderScope, Tag, TagGroup, TagKind,
    TagTree,
};

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
    /// What it is to readers that do not see it; an error says what it is where it is no part of the text.
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

/// The elements of a document.
#[derive(Default)]
pub(super) struct Tags {
    elements: Vec<Element>,
    /// Of which a new one is a part.
    open: Vec<usize>,
    roots: Vec<usize>,
}

impl Tags {
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

    /// The same, and what comes is a part of it.
    pub(super) fn open(&mut self, kind: Kind) {
        let Node(at) = self.leaf(kind, None);
        self.open.push(at);
    }

    /// What comes is no part of the last one any more.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    #[cfg(test)]
    pub(super) fn kind(&self, Node(at): Node) -> Kind {
        self.elements[at].kind
    }

    /// What is drawn from here on, until it is ended, is of an element.
    pub(super) fn begin(&mut self, surface: &mut Surface<'_>, Node(at): Node) {
        let Some(element) = self.elements.get_mut(at) else { return };
        match element.kind.tag(None) {
            Err(artifact) => {
                surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(artifact)));
            }
            Ok(_) => element.parts.push(Part::Text(surface.start_tagged(ContentTag::Other))),
        }
    }

    /// The tree of those that have texts.
    pub(super) fn tree(&self) -> TagTree {
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        self.roots.iter().filter_map(|root| group(&self.elements, *root)).for_each(|group| tree.push(group));
        tree
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
