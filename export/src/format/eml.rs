//! A document as one mail: a transcript as text and as HTML, and the attachments.
//!
//! Sources: RFC 5322 (the mail), 2045 and 2046 (its parts), 2047 (words in headers), 2231 (names of
//! files). Lines end with CRLF and have 76 characters at most, but where one address has more.

mod address;
mod body;
mod header;
mod message;
mod parts;
mod plain;
#[cfg(test)]
mod tests;

use crate::document::Document;
use crate::error::Error;
use crate::format::{Format, Rendered};

pub(crate) use message::{Mail, mail};

/// `eml/NUMBER.eml`; attachments too large for a mail in `eml/NUMBER/`.
pub(crate) struct Eml;

impl Format for Eml {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let Mail { bytes, beside, exceptions, .. } = mail(document, "eml")?;
        let mut rendered = Rendered::file(format!("eml/{}.eml", document.number), bytes);
        rendered.files.extend(beside);
        rendered.exceptions = exceptions;
        Ok(rendered)
    }
}
