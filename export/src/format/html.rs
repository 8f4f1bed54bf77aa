//! A transcript as one page of HTML that needs nothing else: to read, to search in and to print.
//!
//! It has no script and loads nothing. What people wrote is text in it, never markup; a policy in the
//! page tells browsers to refuse all but its own style sheet, should that ever fail.

mod page;
mod record;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use std::collections::BTreeSet;

use crate::document::{Content, Document};
use crate::error::Error;
use crate::format::{Body, Exception, Format, NewFile, Rendered};

pub(crate) use page::{STYLE, page, style_hash};

/// `html/NUMBER.html`, with its attachments in `html/NUMBER/`.
pub(crate) struct Html;

/// Where the attachments are that a page names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files<'f> {
    /// In a folder beside it, with links to them.
    Beside,
    /// In the mail that it is a part of, those with these numbers; the others in a folder beside it.
    InTheMail(&'f BTreeSet<&'f str>),
}

impl Format for Html {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let number = &document.number;
        let bytes = page(document, Files::Beside).into_bytes();
        let mut rendered = Rendered::file(format!("html/{number}.html"), bytes);
        for attachment in &document.attachments {
            match &attachment.content {
                Content::Here { path, .. } => rendered.files.push(NewFile {
                    path: format!("html/{}", file_path(number, &attachment.number, &attachment.name)),
                    body: Body::Copy(path.clone()),
                }),
                Content::Missing(why) => rendered.exceptions.push(Exception {
                    number: attachment.number.clone(),
                    position: document.items.get(attachment.item).map(|i| i.shown.position.to_string()),
                    what: format!("the file is not in the HTML transcript: {why}"),
                }),
            }
        }
        Ok(rendered)
    }
}

/// Relative to the page.
pub(crate) fn file_path(document: &str, attachment: &str, name: &str) -> String {
    format!("{document}/{attachment}-{name}")
}
