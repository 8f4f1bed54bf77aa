//! A record of the page, and what is about it.

use std::fmt::Write as _;

use super::write::{block, href, inline, name};
use super::{Files, file_path};
use crate::document::{Attachment, Content, Document, party_label};
use crate::format::shown_time::{ShownTime, exact};
use crate::format::transcript::{Answer, Entry, What};

/// Where a record is written, and how.
pub(super) struct Log<'p, 'd> {
    pub(super) out: &'p mut String,
    pub(super) document: &'d Document<'d>,
    pub(super) files: Files<'p>,
}

impl Log<'_, '_> {
    /// An item of the list of records.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        let item = &self.document.items[entry.item];
        let mut class = match entry.what {
            What::Message { .. } => "message".to_owned(),
            What::Event { .. } => "event".to_owned(),
        };
        if item.shown.is_context {
            class += " context";
        }
        let number = entry.item + 1;
        let position = item.shown.position.to_string();
        let _ = write!(self.out, "<li class=\"{class}\" id=\"r{number}\" data-position=\"");
        super::write::bare(self.out, &position);
        let _ = write!(self.out, "\" data-leaf=\"{}\">\n<p class=\"when\">", item.shown.leaf);
        self.time(item.at_us());
        self.out.push_str("</p>\n<div class=\"what\">\n");
        self.what(entry);
        self.files(entry);
        self.facts(entry, &position);
        if !entry.history.is_empty() {
            self.out.push_str("<ol class=\"history\">\n");
            entry.history.iter().for_each(|entry| self.entry(entry));
            self.out.push_str("</ol>\n");
        }
        self.out.push_str("</div>\n</li>\n");
    }

    fn time(&mut self, us: i64) {
        let Some(time) = ShownTime::new(us, &self.document.about.zone) else {
            inline(self.out, &exact(us, &self.document.about.zone));
            return;
        };
        let (clock, offset) = (time.clock(), time.offset());
        // Midnight of the zone divides documents; a record of another day would be out of place.
        let day = if time.date() == self.document.day.to_string() {
            String::new()
        } else {
            format!("{} ", time.date())
        };
        let _ = write!(
            self.out,
            "<time datetime=\"{}\">{day}{clock}</time> <span class=\"offset\">{offset}</span>",
            time.rfc3339()
        );
    }

    fn what(&mut self, entry: &Entry<'_>) {
        match &entry.what {
            What::Message { from, text } => {
                self.out.push_str("<p class=\"who\"><b>");
                name(self.out, from.map_or("(unknown)", party_label));
                self.out.push_str("</b>");
                let address = from.and_then(|from| from.address.as_deref()).filter(|text| !text.is_empty());
                let more = [
                    address,
                    from.and_then(|from| from.network.as_deref()),
                    from.and_then(|from| from.scope.as_deref()),
                ];
                let more: Vec<&str> = more.into_iter().flatten().collect();
                if !more.is_empty() {
                    self.out.push_str(" <span class=\"party\">");
                    for (n, text) in more.iter().enumerate() {
                        self.out.push_str(if n == 0 { "" } else { ", " });
                        name(self.out, text);
                    }
                    self.out.push_str("</span>");
                }
                self.flags(entry);
                self.out.push_str("</p>\n");
                if let Some(answer) = entry.answers {
                    self.answer(answer);
                }
                if text.is_empty() {
                    self.out.push_str("<p class=\"nothing\">(no text)</p>\n");
                } else {
                    self.text(text);
                }
            }
            What::Event { sentence, text } => {
                self.out.push_str("<p class=\"sentence\">");
                inline(self.out, sentence);
                self.flags(entry);
                self.out.push_str("</p>\n");
                if let Some(text) = text {
                    self.text(text);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push_str("<div class=\"text\" dir=\"auto\" lang=\"\">");
        // A parser takes away a line break that stands first in some elements; not in this one.
        block(self.out, text);
        self.out.push_str("</div>\n");
    }

    fn flags(&mut self, entry: &Entry<'_>) {
        for flag in &entry.flags {
            self.out.push_str(" <span class=\"flag\">");
            inline(self.out, flag);
            self.out.push_str("</span>");
        }
    }

    fn answer(&mut self, answer: Answer<'_>) {
        self.out.push_str("<p class=\"answers\">in answer to ");
        if let Some(item) = answer.item {
            let number = item + 1;
            let from = self.document.items[item].from().map_or("(unknown)", party_label);
            let _ = write!(self.out, "<a href=\"#r{number}\">record {number}</a> of ");
            name(self.out, from);
        } else {
            self.out.push_str("message ");
            name(self.out, answer.id);
            self.out.push_str(", which is not in this document");
        }
        self.out.push_str("</p>\n");
    }

    /// What is quiet about a record: its facts, and where it is from.
    fn facts(&mut self, entry: &Entry<'_>, position: &str) {
        self.out.push_str("<p class=\"facts\">");
        for (what, value) in &entry.facts {
            let _ = write!(self.out, "<i>{what}</i> ");
            inline(self.out, value);
            self.out.push_str(" \u{b7} ");
        }
        let number = entry.item + 1;
        let _ = write!(self.out, "<a href=\"#e{number}\">record {number}</a> ");
        inline(self.out, position);
        self.out.push_str("</p>\n");
    }

    fn files(&mut self, entry: &Entry<'_>) {
        if entry.attachments.is_empty() {
            return;
        }
        self.out.push_str("<ul class=\"files\">\n");
        for attachment in &entry.attachments {
            self.out.push_str("<li>");
            self.file(attachment);
            self.out.push_str("</li>\n");
        }
        self.out.push_str("</ul>\n");
    }

    fn file(&mut self, attachment: &Attachment) {
        match (&attachment.content, self.files) {
            (Content::Here { .. }, Files::Beside) => {
                let path = file_path(&self.document.number, &attachment.number, &attachment.name);
                self.out.push_str("<a href=\"");
                href(self.out, &path);
                self.out.push_str("\">");
                name(self.out, &attachment.name);
                self.out.push_str("</a>");
            }
            (Content::Here { .. }, Files::InTheMail(attached)) => {
                name(self.out, &attachment.name);
                if attached.contains(attachment.number.as_str()) {
                    self.out.push_str(", attached to this mail");
                } else {
                    self.out.push_str(", too large for a mail; it is beside it");
                }
            }
            (Content::Missing(why), _) => {
                name(self.out, &attachment.name);
                self.out.push_str(", not in this production: ");
                inline(self.out, why);
            }
        }
        self.out.push_str(" <span class=\"party\">");
        inline(self.out, &attachment.number);
        if let Some(media_type) = &attachment.media_type {
            self.out.push_str(" \u{b7} ");
            inline(self.out, media_type);
        }
        if let Content::Here { bytes, .. } = &attachment.content {
            let _ = write!(self.out, " \u{b7} {bytes} bytes");
        }
        if let Some(sha256) = &attachment.sha256 {
            self.out.push_str(" \u{b7} SHA-256 <span class=\"hash\">");
            inline(self.out, sha256);
            self.out.push_str("</span>");
        }
        self.out.push_str("</span>");
    }
}
