//! Payloads of a shape that was seen before, taken apart without reading them as JSON.
//!
//! Gateways write one event like another. A shape is a template (see [`template`](crate::template)) of a
//! fixed event type. A payload is of a shape when it has the template's text and, in each hole, a JSON
//! string, a number or a time in the form of the hole, and nothing else. What such a text says does not
//! change what the others mean, so every payload of a shape is decoded to the same row, with the texts of
//! its holes where those of any other have theirs. Where that is nobody has to know: `learn` fills the
//! template with texts that stand nowhere else, has that decoded, and looks where they are.
//!
//! Whatever is of no known shape is decoded, and so is what makes the smallest doubt.
//!
//! - `learn`: the row of a shape, by decoding one
//! - `held`: what stands in a hole; `tree`: which of many shapes a payload has

mod held;
mod learn;
mod tree;

use std::collections::HashSet;

use custody_schemas::Incoming;
use custody_schemas::decode::TIME_US_MIN;
use custody_schemas::event::Text;
use custody_schemas::kind::Kind;
use foldhash::fast::FixedState;

use crate::row::{CONVERSATION, CallTexts, DETAIL, FileTexts, Moment, Row, SOURCE};
use crate::template::{Form, KEYS};
use held::Held;
use tree::Tree;

/// A shape with more holes is not learned.
pub(crate) const HOLES_MAX: usize = 48;
/// So many shapes are known. To learn one takes as long as to decode some events.
const SHAPES_MAX: usize = 256;
/// So many times something is learned or not.
const TRIED_MAX: usize = 4 * SHAPES_MAX;

/// The shapes of some batches.
#[derive(Default)]
pub(crate) struct Shapes {
    tree: Tree,
    shapes: Vec<Shape>,
    /// Hashes of the templates and types that were learned, or cannot be. Two with one hash: the
    /// second is decoded every time.
    tried: HashSet<u64, FixedState>,
    hasher: FixedState,
    unescaped: String,
    composed: String,
}

/// See the module.
struct Shape {
    /// As it is, and for each of [`KEYS`] with that as the key.
    templates: [String; 1 + KEYS.len()],
    kind: Option<Kind>,
    /// By the columns of [`TEXTS`](crate::row::TEXTS).
    texts: [Source; 16],
    /// What the detail is made of, where it is more than one hole.
    detail: Vec<Source>,
    sequence: Number,
    time: Time,
    parties: Vec<[Source; 6]>,
    call: Option<Call>,
    file: Option<File>,
    /// Holes whose texts are escaped, and how.
    escaped: Vec<(usize, Form)>,
}

struct Call {
    texts: [Source; 5],
    media: Vec<Text<'static>>,
    times: [Time; 3],
    numbers: [Number; 3],
}

struct File {
    texts: [Source; 5],
    size: Number,
}

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Absent,
    /// It is the same in every payload.
    Fixed(String),
    Hole(usize),
    /// Several of these, one behind another.
    Composed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Absent,
    Fixed(i64),
    Hole(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Time {
    text: Source,
    us: Number,
}

/// What is in the holes of a payload, by the number of the hole.
type Holes<'p> = [Held<'p>; HOLES_MAX];

impl Source {
    fn text<'r>(&'r self, holes: &Holes<'r>, composed: &'r str) -> Option<&'r str> {
        match self {
            Source::Absent => None,
            Source::Fixed(text) => Some(text),
            Source::Hole(hole) => Some(holes[*hole].text),
            Source::Composed => Some(composed),
        }
    }
}

impl Number {
    fn number(self, holes: &Holes<'_>) -> Option<i64> {
        match self {
            Number::Absent => None,
            Number::Fixed(number) => Some(number),
            Number::Hole(hole) => Some(holes[hole].number),
        }
    }
}

impl Time {
    fn moment<'r>(&'r self, holes: &Holes<'r>) -> Moment<'r> {
        Moment { text: self.text.text(holes, ""), us: self.us.number(holes) }
    }
}

/// An event whose payload is of a known shape.
pub(crate) struct Known<'k> {
    pub(crate) template: &'k str,
    /// No other template of a batch has it.
    pub(crate) number: usize,
    pub(crate) row: Row<'k>,
    /// The template says what the key is.
    pub(crate) keyed: bool,
}

/// Which of [`KEYS`] the key is.
#[inline]
pub(crate) fn keyed(
    incoming: &Incoming<'_>,
    conversation: Option<&str>,
    source: Option<&str>,
) -> Option<usize> {
    let key = incoming.key?;
    [conversation, source].iter().position(|text| text.is_some_and(|text| text.as_bytes() == key))
}

impl Shapes {
    /// It learns no more, or soon not.
    pub(crate) fn is_full(&self) -> bool {
        self.shapes.len() == SHAPES_MAX || self.tried.len() > TRIED_MAX / 2
    }

    /// The row of a payload of a known shape.
    #[inline]
    pub(crate) fn row<'k>(&'k mut self, incoming: &Incoming<'k>) -> Option<Known<'k>> {
        if self.shapes.is_empty() || incoming.is_binary() {
            return None;
        }
        let payload = std::str::from_utf8(incoming.payload?).ok()?;
        let mut holes: Holes<'k> = [Held::default(); HOLES_MAX];
        let found = self.tree.find(payload, &mut holes)?;
        let shape = self.shapes.get(found)?;
        if !shape.escaped.is_empty() {
            unescape(&shape.escaped, &mut holes, &mut self.unescaped)?;
        }
        let unescaped: &'k str = &self.unescaped;
        let mut from = 0;
        for (hole, _) in &shape.escaped {
            let to = from + usize::try_from(holes[*hole].number).ok()?;
            holes[*hole].text = unescaped.get(from..to)?;
            from = to;
        }
        shape.compose(&holes, &mut self.composed);
        let row = shape.row(&holes, &self.composed);
        if let Some(us) = row.time.us {
            let late = incoming.latest_us().is_some_and(|latest| us > latest);
            if late || (us < TIME_US_MIN && matches!(shape.time.us, Number::Hole(_))) {
                return None;
            }
        }
        let keyed = keyed(incoming, row.texts[CONVERSATION], row.texts[SOURCE]);
        let nth = keyed.map_or(0, |nth| nth + 1);
        let (template, number) = (&shape.templates[nth], found * shape.templates.len() + nth);
        Some(Known { template, number, row, keyed: keyed.is_some() })
    }
}

/// The texts of escaped holes, one behind another in `out`, and their lengths as the holes' numbers.
/// `None` when one is not escaped as the hole says.
fn unescape(escaped: &[(usize, Form)], holes: &mut Holes<'_>, out: &mut String) -> Option<()> {
    out.clear();
    for (hole, form) in escaped {
        let text = held::unescaped(holes[*hole].text, *form)?;
        holes[*hole].number = i64::try_from(text.len()).ok()?;
        out.push_str(&text);
    }
    Some(())
}

impl Shape {
    fn compose(&self, holes: &Holes<'_>, out: &mut String) {
        if self.texts[DETAIL] == Source::Composed {
            out.clear();
            self.detail.iter().filter_map(|part| part.text(holes, "")).for_each(|text| out.push_str(text));
        }
    }

    #[inline]
    fn row<'r>(&'r self, holes: &Holes<'r>, detail: &'r str) -> Row<'r> {
        let text = |source: &'r Source| source.text(holes, detail);
        Row {
            texts: self.texts.each_ref().map(text),
            kind: self.kind,
            sequence: self.sequence.number(holes),
            time: self.time.moment(holes),
            parties: self.parties.iter().map(|party| party.each_ref().map(text)).collect(),
            call: self.call.as_ref().map(|call| {
                Box::new(CallTexts {
                    texts: call.texts.each_ref().map(text),
                    media: &call.media,
                    times: call.times.each_ref().map(|time| time.moment(holes)),
                    numbers: call.numbers.map(|number| number.number(holes)),
                })
            }),
            file: self.file.as_ref().map(|file| {
                Box::new(FileTexts { texts: file.texts.each_ref().map(text), size: file.size.number(holes) })
            }),
        }
    }
}

#[cfg(test)]
mod tests;
