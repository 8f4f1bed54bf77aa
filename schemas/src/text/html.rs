//! The text of HTML, in one pass over it.

use std::ops::Range;

use super::map::Sink;
use super::reference::{Within, attribute, reference};

/// Elements that begin a line of their own, `br` and those of tables, forms and Teams among them.
const BLOCKS: [&str; 61] = [
    "address",
    "article",
    "aside",
    "attachment",
    "blockquote",
    "body",
    "br",
    "caption",
    "center",
    "codeblock",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "listing",
    "main",
    "menu",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "plaintext",
    "pre",
    "search",
    "section",
    "select",
    "summary",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
    "xmp",
    "iframe",
];
/// Elements whose content is no markup, and is never shown.
const UNSHOWN: [&str; 6] = ["script", "style", "title", "iframe", "noembed", "noframes"];
/// Elements that are shown as what their `alt` says.
const PICTURES: [&str; 4] = ["img", "emoji", "customemoji", "area"];

/// Appends the text of a body.
pub(super) fn html_text(body: &str, out: &mut impl Sink) {
    Walk { body, at: 0, link: None, unended: [false; UNSHOWN.len()], comments_end: true, tags_end: true }
        .walk(out);
}

struct Walk<'a> {
    body: &'a str,
    at: usize,
    link: Option<Link>,
    /// Of which of [`UNSHOWN`] there is no end tag any more. Each is looked for once, so that a
    /// body of nothing but beginnings takes no longer than another.
    unended: [bool; UNSHOWN.len()],
    /// The same of comments, and of tags.
    comments_end: bool,
    tags_end: bool,
}

/// A link that was not ended yet.
struct Link {
    address: String,
    /// Where its text begins.
    from: usize,
}

struct Tag<'a> {
    name: &'a str,
    ends: bool,
    href: Option<&'a str>,
    alt: Option<&'a str>,
    title: Option<&'a str>,
    /// How many bytes it has.
    bytes: usize,
}

impl Walk<'_> {
    fn walk(mut self, out: &mut impl Sink) {
        while let Some(found) = self.body[self.at..].find(['<', '&']) {
            let from = self.at + found;
            out.copy(self.body, self.at..from);
            self.at = from;
            let rest = &self.body[from..];
            let taken = match rest.strip_prefix('&') {
                Some(after) => reference(after, Within::Text).map(|(decoded, bytes)| {
                    out.put(decoded.text(&mut [0; 4]), from..from + 1 + bytes);
                    1 + bytes
                }),
                None => self.markup(rest, out),
            };
            // What is no markup is text.
            let bytes = taken.unwrap_or_else(|| {
                out.copy(self.body, from..from + 1);
                1
            });
            self.at = from + bytes;
        }
        let end = self.body.len();
        out.copy(self.body, self.at..end);
        self.end_link(end..end, out);
    }

    /// Takes what begins with `<`: how many bytes, `None` when it is text.
    fn markup(&mut self, rest: &str, out: &mut impl Sink) -> Option<usize> {
        let bytes = rest.as_bytes();
        match (*bytes.get(1)?, bytes.get(2)) {
            (b'!', _) if rest.starts_with("<!--") => self.comment(rest),
            // A tag that ends nothing, a document type or an instruction: none of them is shown.
            (b'!' | b'?', _) => self.to(rest, '>'),
            (b'/', Some(next)) if !next.is_ascii_alphabetic() => self.to(rest, '>'),
            (b'/', None) => None,
            (first, _) if first == b'/' || first.is_ascii_alphabetic() => {
                if !self.tags_end {
                    return None;
                }
                let Some(tag) = parse(rest) else {
                    self.tags_end = false;
                    return None;
                };
                Some(self.tag(&tag, rest, out))
            }
            _ => None,
        }
    }

    fn to(&mut self, rest: &str, end: char) -> Option<usize> {
        if !self.tags_end {
            return None;
        }
        let at = rest.find(end);
        self.tags_end = at.is_some();
        at.map(|at| at + end.len_utf8())
    }

    fn comment(&mut self, rest: &str) -> Option<usize> {
        for empty in ["<!-->", "<!--->"] {
            if rest.starts_with(empty) {
                return Some(empty.len());
            }
        }
        if !self.comments_end {
            return None;
        }
        let inside = &rest[4..];
        let ended = |before: &str| before.ends_with("--") || before.ends_with("--!");
        let end = inside.match_indices('>').map(|(at, _)| at).find(|at| ended(&inside[..*at]));
        self.comments_end = end.is_some();
        end.map(|end| 4 + end + 1)
    }

    /// Does what a tag says, and takes it with what is never shown after it.
    fn tag(&mut self, tag: &Tag<'_>, rest: &str, out: &mut impl Sink) -> usize {
        let range = self.at..self.at + tag.bytes;
        let is = |names: &[&str]| names.iter().position(|name| tag.name.eq_ignore_ascii_case(name));
        if is(&["a"]).is_some() {
            // A link within a link ends the outer one.
            self.end_link(range, out);
            if let Some(address) = tag.href.filter(|_| !tag.ends) {
                self.link = Some(Link { address: attribute(address).into_owned(), from: out.text().len() });
            }
        } else if is(&PICTURES).is_some() && !tag.ends {
            let shown = tag.alt.filter(|alt| !alt.is_empty()).or(tag.title).unwrap_or_default();
            out.put(&attribute(shown), range);
        } else if is(&BLOCKS).is_some() && !out.text().is_empty() && !out.text().ends_with('\n') {
            out.add("\n", range);
        }
        match is(&UNSHOWN) {
            Some(at) if !tag.ends => tag.bytes + self.unshown(at, &rest[tag.bytes..]),
            _ => tag.bytes,
        }
    }

    /// How many bytes there are before the end tag of what is never shown; none without one.
    fn unshown(&mut self, which: usize, rest: &str) -> usize {
        if self.unended[which] {
            return 0;
        }
        let name = UNSHOWN[which];
        let end = rest.match_indices("</").map(|(at, _)| at).find(|at| {
            let after = &rest[at + 2..];
            let named = after.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
            named && after[name.len()..].starts_with(['>', '/', ' ', '\t', '\n', '\r', '\u{c}'])
        });
        self.unended[which] = end.is_none();
        end.unwrap_or(0)
    }

    /// The address of a link follows its text, unless that says it.
    fn end_link(&mut self, range: Range<usize>, out: &mut impl Sink) {
        let Some(link) = self.link.take() else { return };
        let (address, text) = (link.address.trim(), out.text().get(link.from..).unwrap_or_default().trim());
        let nowhere = address.is_empty() || address.starts_with('#') || bare(address) == bare(text);
        if nowhere || scheme_is(address, "javascript:") {
            return;
        }
        let apart = out.text().chars().next_back().is_none_or(char::is_whitespace);
        out.add(&format!("{}({address})", if apart { "" } else { " " }), range);
    }
}

fn scheme_is(address: &str, scheme: &str) -> bool {
    address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// An address without what people leave out when they write it.
fn bare(address: &str) -> &str {
    let scheme =
        ["https://", "http://", "mailto:", "tel:"].into_iter().find(|scheme| scheme_is(address, scheme));
    let bare = scheme.map_or(address, |scheme| &address[scheme.len()..]);
    bare.strip_suffix('/').unwrap_or(bare)
}

/// The tag that this begins with; `None` when it has no end.
fn parse(rest: &str) -> Option<Tag<'_>> {
    let bytes = rest.as_bytes();
    let ends = bytes.get(1) == Some(&b'/');
    let from = 1 + usize::from(ends);
    let mut at = from + bytes[from..].iter().position(|b| breaks(*b))?;
    let mut tag = Tag { name: &rest[from..at], ends, href: None, alt: None, title: None, bytes: 0 };
    loop {
        at += bytes[at..].iter().position(|b| !b.is_ascii_whitespace() && *b != b'/')?;
        if bytes[at] == b'>' {
            tag.bytes = at + 1;
            return Some(tag);
        }
        // A name may begin with `=`.
        let name = at;
        at += 1 + bytes[at + 1..].iter().position(|b| breaks(*b) || *b == b'=')?;
        let name = &rest[name..at];
        let value = at + bytes[at..].iter().position(|b| !b.is_ascii_whitespace())?;
        if bytes[value] != b'=' {
            continue;
        }
        let value = value + 1 + bytes[value + 1..].iter().position(|b| !b.is_ascii_whitespace())?;
        let text = match bytes[value] {
            quote @ (b'"' | b'\'') => {
                let end = value + 1 + bytes[value + 1..].iter().position(|b| *b == quote)?;
                at = end + 1;
                &rest[value + 1..end]
            }
            _ => {
                at = value + bytes[value..].iter().position(|b| b.is_ascii_whitespace() || *b == b'>')?;
                &rest[value..at]
            }
        };
        // The first of one name counts.
        for (of, member) in [("href", &mut tag.href), ("alt", &mut tag.alt), ("title", &mut tag.title)] {
            if name.eq_ignore_ascii_case(of) {
                member.get_or_insert(text);
            }
        }
    }
}

/// What ends the name of a tag or of an attribute.
fn breaks(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')
}
