//! Which format is which.

use crate::format::html::Html;
use crate::format::Format as Documents;
use crate::request::Format;

/// What writes a format; `None` for JSON lines, which are the evidence itself.
pub(crate) fn of(format: Format) -> Option<Box<dyn Documents>> {
    match format {
        Format::JsonLines => None,
        Format::Html => Some(Box::new(Html)),
    }
}
