//! The plain text of a body: what a person reads and a search finds.
//!
//! Of HTML it is what a browser shows, and what a search must find beside it:
//!
//! - Character references are decoded as the HTML standard says, all named ones too.
//! - Tags and comments are gone, with the contents of those that are never shown (`script`,
//!   `style`, `title`). A block, a line of a table and `<br>` begin a line of their own.
//! - An image and an emoji are their `alt`. A mention (`<at>`, or a `span`) is the name in it.
//! - The address of a link follows its text in brackets, `the plan (https://x.example/plan)`, unless
//!   the text is the address already.
//!
//! Nothing vanishes because a body is broken or cut off: what no browser would take for whole (a tag
//! or a comment without its end) stays as it is written.

mod html;
mod map;
mod reference;

use std::borrow::Cow;

use html::html_text;
pub use map::Map;
use map::Mapped;
use reference::references;

/// A body's plain text, and where it stands in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The same as [`plain`].
    pub text: Cow<'a, str>,
    /// From ranges of the text to ranges of the body.
    pub map: Map,
}

/// The readable text of a body of this content type. HTML loses its tags and
/// has its entities decoded; anything else is taken as it is.
pub fn plain<'a>(content_type: Option<&str>, body: &'a str) -> Cow<'a, str> {
    if !is_marked_up(content_type, body) {
        return Cow::Borrowed(body);
    }
    let mut text = String::with_capacity(body.len());
    html_text(body, &mut text);
    Cow::Owned(text)
}

/// The same, with the way back into the body: to show a hit in the message as it was sent.
pub fn plain_with_map<'a>(content_type: Option<&str>, body: &'a str) -> Plain<'a> {
    if !is_marked_up(content_type, body) {
        return Plain { text: Cow::Borrowed(body), map: Map::identity(body.len()) };
    }
    let mut mapped = Mapped::default();
    html_text(body, &mut mapped);
    let (text, map) = mapped.finish();
    Plain { text: Cow::Owned(text), map }
}

/// A body with its character references decoded and its markup left as it is: what stands in
/// attributes, comments and scripts, whatever it is written as.
pub fn references_with_map(body: &str) -> Plain<'_> {
    if !body.contains('&') {
        return Plain { text: Cow::Borrowed(body), map: Map::identity(body.len()) };
    }
    let mut mapped = Mapped::default();
    references(body, &mut mapped);
    let (text, map) = mapped.finish();
    Plain { text: Cow::Owned(text), map }
}

fn is_marked_up(content_type: Option<&str>, body: &str) -> bool {
    let html =
        content_type.is_some_and(|t| t.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html")));
    html && body.contains(['<', '&'])
}

#[cfg(test)]
mod tests;
