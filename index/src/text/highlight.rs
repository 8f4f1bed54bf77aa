//! Where in a record stands what a query asks for, and the piece of it that shows that.

use std::ops::Range;

use custody_schemas::text::{plain, plain_with_map};

use super::append_part;
use super::found::{Hit, Wanted};
use super::snippet::{Snippet, snippet};
use super::words::Words;
use crate::query::Query;

#[cfg(test)]
mod tests;

/// Ranges of one record at most: as many as anybody looks at, and a text of one repeated word stays
/// cheap.
pub const HIGHLIGHTS_MAX: usize = 1_000;

/// The text of a record by its parts; what a search by words looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said<'a> {
    /// The body's content type.
    pub content_type: Option<&'a str>,
    /// The body as it was archived.
    pub body: Option<&'a str>,
    /// Words of an event that is no message.
    pub detail: Option<&'a str>,
    /// The title of the conversation.
    pub title: Option<&'a str>,
    /// Why it could not be decoded, or why the records of a gap are missing.
    pub reason: Option<&'a str>,
}

/// A part of a record's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The body.
    Body,
    /// See [`Said::detail`].
    Detail,
    /// See [`Said::title`].
    Title,
    /// See [`Said::reason`].
    Reason,
}

impl Part {
    /// Its name in an answer.
    pub fn name(self) -> &'static str {
        match self {
            Part::Body => "body",
            Part::Detail => "detail",
            Part::Title => "title",
            Part::Reason => "reason",
        }
    }
}

impl Said<'_> {
    /// All of it, as it is indexed.
    pub fn text(&self) -> String {
        self.whole(self.body.map(|body| plain(self.content_type, body)).as_deref()).0
    }

    /// All of it, and where its parts are. `body` is the plain text of the body.
    fn whole(&self, body: Option<&str>) -> (String, Vec<(Part, Range<usize>)>) {
        let (mut text, mut parts) = (String::new(), Vec::new());
        let all = [
            (Part::Body, body),
            (Part::Detail, self.detail),
            (Part::Title, self.title),
            (Part::Reason, self.reason),
        ];
        for (part, said) in all {
            if let Some(said) = said {
                append_part(said, &mut text);
                parts.push((part, text.len() - said.len()..text.len()));
            }
        }
        (text, parts)
    }
}

/// Where a record has what the query asks for: words and phrases, and of proximity those that stand
/// so close. What is under `NOT` is not among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlights {
    /// Byte ranges of the body as it was archived: in order, apart, of whole characters. Of HTML
    /// there is no markup in them, so that what a tag parts has several; a character reference is in
    /// them as a whole, and so is the tag of a picture. The address of a link has none.
    pub body: Vec<Range<usize>>,
    /// The body has more: these are the first [`HIGHLIGHTS_MAX`].
    pub more: bool,
    /// Every part that has some, the body too if it does.
    pub parts: Vec<Part>,
}

/// Why a query finds a record: a piece of at most `width_chars` characters (at least 16), and all
/// places.
pub fn highlighted(said: &Said<'_>, query: &Query, width_chars: usize) -> (Snippet, Highlights) {
    let body = said.body.map(|body| plain_with_map(said.content_type, body));
    let (text, parts) = said.whole(body.as_ref().map(|body| &*body.text));
    let (words, wanted) = (Words::of(&text), Wanted::of(query));
    let (mut all, mut out) = (Vec::new(), Highlights::default());
    for (part, bytes) in parts {
        let (hits, more) = wanted.hits(&words, &bytes, HIGHLIGHTS_MAX);
        if hits.is_empty() {
            continue;
        }
        out.parts.push(part);
        // The body is the first part.
        if let Some(body) = body.as_ref().filter(|_| part == Part::Body) {
            for range in merged(&hits) {
                add(&mut out.body, body.map.shown(range));
            }
            out.more = more || out.body.len() > HIGHLIGHTS_MAX;
            out.body.truncate(HIGHLIGHTS_MAX);
        }
        all.extend(hits);
    }
    (snippet(&text, &all, width_chars), out)
}

/// Hits, which are in order, with overlapping ones as one.
pub(super) fn merged(hits: &[Hit]) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for Hit { range, .. } in hits {
        match out.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => out.push(range.clone()),
        }
    }
    out
}

/// Two words of the text may be parts of one picture.
fn add(out: &mut Vec<Range<usize>>, pieces: Vec<Range<usize>>) {
    for piece in pieces {
        match out.last_mut() {
            Some(last) if piece.start < last.end => last.end = last.end.max(piece.end),
            _ => out.push(piece),
        }
    }
}
