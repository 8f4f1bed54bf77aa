//! A record of the pages, and what is about it.

use super::face::Weight;
use super::page::plain;
use super::shape::Type;
use super::sheet::{Cell, LEFT, RIGHT, Sheets, Side};
use super::tags::Kind;
use super::text::{Paragraph, Style, Tone};
use crate::document::{Attachment, Content, Document, party_label};
use crate::format::html::file_path;
use crate::format::shown_time::{ShownTime, exact};
use crate::format::transcript::{Answer, Entry, What};

const WHO: Style = Style::new(Weight::Bold, 9.5, Tone::Ink);
const PARTY: Style = Style::new(Weight::Regular, 7.8, Tone::Quiet);
const BODY: Style = Style::new(Weight::Regular, 9.5, Tone::Ink);
const TIME: Style = Style::new(Weight::Regular, 8.5, Tone::Ink);
const OFFSET: Style = Style::new(Weight::Regular, 7.0, Tone::Quiet);
const FACTS: Style = Style::new(Weight::Regular, 7.5, Tone::Quiet);
const FACT: Style = Style::new(Weight::Regular, 7.5, Tone::Ink);
const FLAG: Style = Style { is_boxed: true, ..Style::new(Weight::Regular, 7.0, Tone::Flag) };
const HASH: Style = Style::new(Weight::Mono, 6.2, Tone::Quiet);

/// From one base line to the next.
const LEADING: f32 = 13.0;
/// Digits of a leaf hash that stand by a record: the evidence has all 64.
const LEAF_DIGITS: usize = 16;

/// Where a record stands.
#[derive(Clone, Copy)]
struct Place {
    /// Of the time.
    time: f32,
    /// Of all else.
    what: f32,
}

impl Place {
    const LOG: Place = Place { time: LEFT, what: LEFT + 98.0 };
    const HISTORY: Place = Place { time: LEFT + 108.0, what: LEFT + 202.0 };
}

/// A record in the order of time, and what became of it.
pub(super) fn write(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, document: &Document<'_>, entry: &Entry<'_>) {
    sheets.need(ty, room(entry));
    sheets.rule(LEFT);
    sheets.space(5.0);
    Log { sheets, ty, document, place: Place::LOG }.entry(entry);
    sheets.space(5.0);
}

/// Room that a record has to have on a page to be begun there: a short one is not cut.
fn room(entry: &Entry<'_>) -> f32 {
    let text = match &entry.what {
        What::Message { text, .. } => Some(text),
        What::Event { text, .. } => text.as_ref(),
    };
    let of_text = text.map_or(0, |text| text.len() / 90 + text.lines().count().max(1));
    let lines = of_text + 2 * entry.attachments.len();
    (34.0 + if entry.facts.is_empty() { 0.0 } else { 10.5 } + LEADING * lines as f32).min(140.0)
}

struct Log<'l, 'm, 't, 'f, 'd> {
    sheets: &'l mut Sheets<'m>,
    ty: &'t mut Type<'f>,
    document: &'d Document<'d>,
    place: Place,
}

impl Log<'_, '_, '_, '_, '_> {
    fn entry(&mut self, entry: &Entry<'_>) {
        let item = &self.document.items[entry.item];
        self.sheets.open(Kind::Record);
        if item.shown.is_context {
            self.sheets.begin_bar(self.place.time - 7.0, Side::Context);
        }
        let time = self.time(item.at_us());
        let first = self.first(entry);
        let Place { time: x, what } = self.place;
        let cells = [
            Cell { x, width: what - x - 6.0, paragraph: &time, kind: Kind::Paragraph },
            Cell { x: what, width: RIGHT - what, paragraph: &first, kind: Kind::Same },
        ];
        self.sheets.row(self.ty, &cells);
        self.rest(entry);
        self.files(entry);
        self.facts(entry);
        self.history(entry);
        if item.shown.is_context {
            self.sheets.end_bar();
        }
        self.sheets.close();
    }

    fn block(&mut self, paragraph: &Paragraph) {
        let x = self.place.what;
        self.sheets.block(self.ty, x, RIGHT - x, paragraph, Kind::Paragraph);
    }

    fn time(&mut self, us: i64) -> Paragraph {
        let about = self.document.about;
        let mut out = Paragraph::new(LEADING);
        let Some(time) = ShownTime::new(us, &about.zone) else {
            self.ty.inline(&mut out, TIME, &exact(us, &about.zone));
            return out;
        };
        // Midnight of the zone divides documents; a record of another day would be out of place.
        if time.date() != self.document.day.to_string() {
            self.ty.inline(&mut out, TIME, &format!("{} ", time.date()));
        }
        self.ty.inline(&mut out, TIME, &time.clock());
        self.ty.inline(&mut out, OFFSET, &format!(" {}", time.offset()));
        out
    }

    /// Who said it, or what happened.
    fn first(&mut self, entry: &Entry<'_>) -> Paragraph {
        let mut out = Paragraph::new(LEADING);
        match &entry.what {
            What::Message { from, .. } => {
                self.ty.name(&mut out, WHO, from.map_or("(unknown)", party_label));
                let address = from.and_then(|from| from.address.as_deref()).filter(|text| !text.is_empty());
                let network = from.and_then(|from| from.network.as_deref());
                let scope = from.and_then(|from| from.scope.as_deref());
                for (n, text) in [address, network, scope].into_iter().flatten().enumerate() {
                    self.ty.inline(&mut out, PARTY, if n == 0 { "  " } else { ", " });
                    self.ty.name(&mut out, PARTY, text);
                }
            }
            What::Event { sentence, .. } => self.ty.inline(&mut out, BODY, sentence),
        }
        for flag in &entry.flags {
            self.ty.inline(&mut out, PARTY, "  ");
            self.ty.inline(&mut out, FLAG, &format!("\u{a0}{flag}\u{a0}"));
        }
        out
    }

    /// What it answers, and its text.
    fn rest(&mut self, entry: &Entry<'_>) {
        match &entry.what {
            What::Message { text, .. } => {
                if let Some(answer) = entry.answers {
                    self.answer(answer);
                }
                if text.is_empty() {
                    let nothing = plain(self.ty, PARTY, LEADING, "(no text)");
                    self.block(&nothing);
                } else {
                    self.text(text);
                }
            }
            What::Event { text, .. } => {
                if let Some(text) = text {
                    self.text(text);
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer<'_>) {
        let mut out = Paragraph::new(11.0);
        match answer.item {
            Some(item) => {
                let from = self.document.items[item].from().map_or("(unknown)", party_label);
                self.ty.inline(&mut out, PARTY, &format!("in answer to record {} of ", item + 1));
                self.ty.name(&mut out, PARTY, from);
            }
            None => {
                self.ty.inline(&mut out, PARTY, "in answer to message ");
                self.ty.name(&mut out, PARTY, answer.id);
                self.ty.inline(&mut out, PARTY, ", which is not in this document");
            }
        }
        self.block(&out);
    }

    fn text(&mut self, text: &str) {
        let (sheets, x) = (&mut *self.sheets, self.place.what);
        self.ty.lines(BODY, LEADING, text, &mut |ty, line| {
            sheets.block(ty, x, RIGHT - x, line, Kind::Paragraph);
        });
        self.sheets.space(1.5);
    }

    /// What is quiet about a record: its facts, and where it is from.
    fn facts(&mut self, entry: &Entry<'_>) {
        let item = &self.document.items[entry.item];
        let mut facts = Paragraph::new(10.5);
        for (n, (what, value)) in entry.facts.iter().enumerate() {
            self.ty.inline(&mut facts, FACTS, if n == 0 { "" } else { "  \u{b7}  " });
            self.ty.inline(&mut facts, FACT, &format!("{what} "));
            self.ty.inline(&mut facts, FACTS, value);
        }
        if !entry.facts.is_empty() {
            self.block(&facts);
        }
        let mut place = Paragraph::new(10.5);
        self.ty.inline(&mut place, FACTS, &format!("record {}  {}  ", entry.item + 1, item.shown.position));
        let leaf = item.shown.leaf.to_string();
        self.ty.inline(&mut place, HASH, leaf.get(..LEAF_DIGITS).unwrap_or(&leaf));
        self.block(&place);
    }

    fn files(&mut self, entry: &Entry<'_>) {
        if entry.attachments.is_empty() {
            return;
        }
        let x = self.place.what;
        self.sheets.open(Kind::List);
        for attachment in &entry.attachments {
            let paragraph = self.file(attachment);
            self.sheets.block(self.ty, x + 8.0, RIGHT - x - 8.0, &paragraph, Kind::Entry);
        }
        self.sheets.close();
        self.sheets.space(1.5);
    }

    fn file(&mut self, attachment: &Attachment) -> Paragraph {
        let mut out = Paragraph::new(11.5);
        let Attachment { number, name, media_type, sha256, content, .. } = attachment;
        self.ty.inline(&mut out, PARTY, "\u{2022} ");
        self.ty.name(&mut out, BODY, name);
        if let Content::Missing(why) = content {
            self.ty.inline(&mut out, BODY, ", not in this production: ");
            self.ty.inline(&mut out, BODY, why);
        }
        self.ty.inline(&mut out, PARTY, &format!("  {number}"));
        if let Some(media_type) = media_type {
            self.ty.inline(&mut out, PARTY, " \u{b7} ");
            self.ty.inline(&mut out, PARTY, media_type);
        }
        if let Content::Here { bytes, .. } = content {
            self.ty.inline(&mut out, PARTY, &format!(" \u{b7} {bytes} bytes \u{b7} "));
            self.ty.name(&mut out, PARTY, &file_path(&self.document.number, number, name));
        }
        if let Some(sha256) = sha256 {
            self.ty.inline(&mut out, PARTY, " \u{b7} SHA-256 ");
            self.ty.inline(&mut out, HASH, sha256);
        }
        out
    }

    fn history(&mut self, entry: &Entry<'_>) {
        if entry.history.is_empty() {
            return;
        }
        let before = self.place;
        self.sheets.space(3.0);
        self.sheets.begin_bar(before.what + 2.0, Side::History);
        self.place = Place::HISTORY;
        for (n, entry) in entry.history.iter().enumerate() {
            self.sheets.space(if n == 0 { 0.0 } else { 3.0 });
            self.entry(entry);
        }
        self.place = before;
        self.sheets.end_bar();
    }
}
