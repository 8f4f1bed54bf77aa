//! Attachments as files of `rsmf.zip`.

use std::collections::HashMap;

use super::manifest::Attachment as Named;
use crate::document::{Attachment, Content, Document};
use crate::format::Exception;

/// A file of the zip.
pub(super) struct File<'d> {
    pub(super) name: String,
    pub(super) content: Source<'d>,
}

/// Where a file's bytes are from.
pub(super) enum Source<'d> {
    /// A file that was handed over.
    Attached(&'d Attachment),
    /// What stands in for one that was not.
    Placeholder(String),
}

/// The attachments of a document by the record that they came with.
pub(super) struct Files<'d>(HashMap<usize, Vec<&'d Attachment>>);

impl<'d> Files<'d> {
    pub(super) fn new(document: &'d Document<'_>) -> Self {
        let mut all: HashMap<usize, Vec<&Attachment>> = HashMap::new();
        for attachment in &document.attachments {
            all.entry(attachment.item).or_default().push(attachment);
        }
        Files(all)
    }

    /// What an event says of the attachments of a record; the files are added to `files`.
    pub(super) fn of(
        &mut self,
        item: usize,
        files: &mut Vec<File<'d>>,
        exceptions: &mut Vec<Exception>,
    ) -> Vec<Named> {
        let mut named = Vec::new();
        for attachment in self.0.remove(&item).unwrap_or_default() {
            // The number makes it unique, whatever it is called.
            let (suffix, size, content) = match &attachment.content {
                Content::Here { bytes, .. } => ("", *bytes, Source::Attached(attachment)),
                Content::Missing(why) => {
                    let what = format!("the file {} is not in the production: {why}", attachment.name);
                    let number = attachment.number.clone();
                    exceptions.push(Exception { number, position: None, what: what.clone() });
                    let text = placeholder(attachment, why);
                    (".missing.txt", text.len() as u64, Source::Placeholder(text))
                }
            };
            let display = format!("{}{suffix}", attachment.name);
            let name = format!("{}-{display}", attachment.number);
            named.push(Named { id: name.clone(), display, size });
            files.push(File { name, content });
        }
        named
    }
}

/// The text that stands in for a file.
fn placeholder(attachment: &Attachment, why: &str) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "(not said)".to_owned());
    format!(
        "This file is not in the production.\r\n\r\nName: {}\r\nMedia type: {}\r\nSHA-256: {}\r\nWhy: {why}\r\n",
        attachment.name,
        said(&attachment.media_type).escape_debug(),
        said(&attachment.sha256).escape_debug(),
    )
}
