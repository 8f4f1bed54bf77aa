//! The compliance XML of Persistent Chat (Lync, Skype for Business), as its adapter wrote it.
//!
//! Source: learn.microsoft.com, "Configure the compliance service for Persistent Chat", with its XML
//! Schema. The schema knows no fields of our own, so what they would hold is in processing
//! instructions (XML 1.0, section 2.6), which it allows everywhere and nobody's text can make.

mod escape;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use custody_schemas::Kind;

use self::escape::{Xml, pseudo, uri};
use crate::describe::describe;
use crate::document::{Attachment, Content, Document};
use crate::error::Error;
use crate::format::{Body, Exception, Format, NewFile, Rendered, utc};
use crate::item::Item;

/// Ticks of .NET, 100 nanoseconds each, from the beginning of year 1 until 1970.
const TICKS_TO_1970: i64 = 621_355_968_000_000_000;

/// One `chat-xml/NUMBER.xml` for each document, and its files in `chat-xml/files`.
#[derive(Debug)]
pub(crate) struct ChatXml;

impl Format for ChatXml {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let mut out = Rendered::default();
        let mut xml = Writer { xml: Xml::default(), document, exceptions: &mut out.exceptions };
        let files = xml.files(&mut out.files);
        xml.conversation(&files);
        let bytes = xml.xml.0.into_bytes();
        let path = format!("chat-xml/{}.xml", document.number);
        out.files.insert(0, NewFile { path, body: Body::Bytes(bytes) });
        Ok(out)
    }
}

/// What a message is in the schema.
fn kind(item: &Item<'_>) -> &'static str {
    let action = item.data().action.as_deref().filter(|_| item.data().participant.is_some());
    match (item.contract(), action) {
        (Some(Kind::ConversationParticipant), Some("joined")) => "JOIN",
        (Some(Kind::ConversationParticipant), Some("left")) => "PART",
        (Some(Kind::ConversationHistoryViewed), _) => "BACKCHAT",
        (Some(Kind::FileShared), _) => "FILEUPLOAD",
        (Some(Kind::FileDownloaded), _) => "FILEDOWNLOAD",
        _ => "CHAT",
    }
}

/// What it says: a message its text, a file its name. What the schema has no type for is a chat
/// message in words, with its own type before them.
fn content(item: &Item<'_>, stored: Option<&str>) -> String {
    let file = || {
        let file = item.data().file.as_ref();
        let said = file.and_then(|file| file.name.as_deref().or(file.id.as_deref()));
        stored.or(said).unwrap_or_default().to_owned()
    };
    match (kind(item), item.contract()) {
        ("JOIN" | "PART", _) => String::new(),
        ("BACKCHAT", _) => describe(item),
        ("FILEUPLOAD" | "FILEDOWNLOAD", _) => file(),
        (_, Some(Kind::MessageSent)) => item.text().unwrap_or_default().into_owned(),
        _ => format!("[{}] {}", item.kind, describe(item)),
    }
}

/// A file of a record, under the name that it has in `chat-xml/files`.
struct Stored<'d> {
    name: String,
    attachment: &'d Attachment,
}

struct Writer<'d, 'a, 'o> {
    xml: Xml,
    document: &'d Document<'a>,
    exceptions: &'o mut Vec<Exception>,
}

impl<'d> Writer<'d, '_, '_> {
    /// The files of each record, and the names under which they are stored.
    fn files(&mut self, files: &mut Vec<NewFile>) -> Vec<Vec<Stored<'d>>> {
        let mut all: Vec<Vec<Stored<'d>>> = self.document.items.iter().map(|_| Vec::new()).collect();
        for attachment in &self.document.attachments {
            let (name, body) = stored(attachment);
            if let Content::Missing(why) = &attachment.content {
                let what = format!("the file {} is not in the production: {why}", attachment.name);
                self.exceptions.push(Exception { number: attachment.number.clone(), position: None, what });
            }
            files.push(NewFile { path: format!("chat-xml/files/{name}"), body });
            if let Some(stored) = all.get_mut(attachment.item) {
                stored.push(Stored { name, attachment });
            }
        }
        all
    }

    fn conversation(&mut self, files: &[Vec<Stored<'_>>]) {
        let document = self.document;
        self.xml.0.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        self.production();
        self.xml.0.push_str("<Conversations>\n  <Conversation>\n");
        let id = document.thread.id.as_deref().unwrap_or(&document.thread.label);
        self.xml.0.push_str("    <Channel");
        self.xml.attribute("uri", &format!("ma-chan://custody.invalid/{}", uri::encoded(id)));
        let replaced = self.xml.attribute("name", &document.thread.label);
        self.told(None, replaced);
        self.xml.0.push_str(" />\n");
        let items = document.items;
        if let Some(first) = items.first() {
            // What is replaced in it is told where it stands again.
            self.message("    ", "FirstMessage", (0, first), &files[0]);
        }
        self.xml.0.push_str("    <Messages>\n");
        for (at, item) in items.iter().enumerate() {
            let replaced = self.message("      ", "Message", (at, item), &files[at]);
            self.told(Some(item), replaced);
        }
        self.xml.0.push_str("    </Messages>\n");
        for (name, item) in [("StartTimeUTC", items.first()), ("EndTimeUTC", items.last())] {
            if let Some(item) = item {
                self.time("    ", name, item.at_us());
            }
        }
        self.xml.0.push_str("  </Conversation>\n</Conversations>\n");
    }

    /// What the document is of.
    fn production(&mut self) {
        let (document, about) = (self.document, self.document.about);
        let _ = writeln!(
            self.xml.0,
            "<?custody-document number=\"{}\" production=\"{}\" through-version=\"{}\" day=\"{}\" part=\"{}\" parts=\"{}\" records=\"{}\"?>",
            pseudo(&document.number),
            pseudo(&about.production),
            about.through_version,
            document.day,
            document.part,
            document.parts,
            document.items.len()
        );
    }

    /// A message; gives how many characters had to be replaced.
    fn message(
        &mut self,
        indent: &str,
        name: &str,
        (at, item): (usize, &Item<'_>),
        files: &[Stored<'_>],
    ) -> usize {
        let _ = write!(self.xml.0, "{indent}<{name}");
        self.xml.attribute("type", kind(item));
        let mut replaced =
            self.xml.attribute("content", &content(item, files.first().map(|file| file.name.as_str())));
        self.xml.attribute("id", &(at + 1).to_string());
        self.xml.0.push_str(">\n");
        let inner = format!("{indent}  ");
        if name == "Message" {
            self.record(&inner, item);
            for file in files {
                self.file(&inner, file);
            }
        }
        replaced += self.sender(&inner, item);
        if !self.time(&inner, "DateTimeUTC", item.at_us()) && name == "Message" {
            let what = "its time is outside of the years 1 to 9999: the message has none".to_owned();
            self.exception(Some(item), what);
        }
        let _ = writeln!(self.xml.0, "{indent}</{name}>");
        replaced
    }

    /// Where a record came from, and what is special about it.
    fn record(&mut self, indent: &str, item: &Item<'_>) {
        let shown = item.shown;
        let _ = writeln!(
            self.xml.0,
            "{indent}<?custody-record position=\"{}\" leaf-sha256=\"{}\" type=\"{}\" context=\"{}\" deliveries=\"{}\" redactions=\"{}\"?>",
            pseudo(&shown.position.to_string()),
            shown.leaf,
            pseudo(&item.kind),
            if shown.is_context { "yes" } else { "no" },
            shown.deliveries,
            shown.redactions
        );
    }

    /// A file of a record: the schema has room for the name of one.
    fn file(&mut self, indent: &str, file: &Stored<'_>) {
        let attachment = file.attachment;
        let _ = writeln!(
            self.xml.0,
            "{indent}<?custody-file name=\"{}\" number=\"{}\" missing=\"{}\" sha256=\"{}\"?>",
            pseudo(&file.name),
            pseudo(&attachment.number),
            if matches!(attachment.content, Content::Missing(_)) { "yes" } else { "no" },
            pseudo(attachment.sha256.as_deref().unwrap_or_default())
        );
    }

    /// Who did it: of one who joins or left, that person.
    fn sender(&mut self, indent: &str, item: &Item<'_>) -> usize {
        let changes = matches!(kind(item), "JOIN" | "PART");
        let party = if changes { item.data().participant.as_deref() } else { item.from() };
        let Some(person) = party.and_then(|party| self.document.person(party)) else { return 0 };
        let known = &self.document.people[person];
        let _ = write!(self.xml.0, "{indent}<Sender");
        let replaced = self.xml.attribute("UserName", known.label());
        self.xml.attribute("id", &(person + 1).to_string());
        match known.scope.as_deref() {
            Some("internal") => drop(self.xml.attribute("internal", "true")),
            Some("federated" | "anonymous") => drop(self.xml.attribute("internal", "false")),
            // The schema knows nothing between the two.
            _ => {}
        }
        if let Some(address) = known.address.as_deref().filter(|address| !address.is_empty()) {
            self.xml.attribute("uri", &uri::reference(address));
        }
        self.xml.0.push_str(" />\n");
        replaced
    }

    /// A time in the three forms of the schema; `false` for one that .NET does not know.
    fn time(&mut self, indent: &str, name: &str, us: i64) -> bool {
        let Some(text) = utc(us) else { return false };
        let _ = writeln!(
            self.xml.0,
            "{indent}<{name} since1970=\"{}\" string=\"{text}\" long=\"{}\" />",
            us.div_euclid(1_000),
            us * 10 + TICKS_TO_1970
        );
        true
    }

    fn told(&mut self, item: Option<&Item<'_>>, replaced: usize) {
        if replaced > 0 {
            self.exception(item, format!("{replaced} characters that XML 1.0 cannot hold are U+FFFD"));
        }
    }

    fn exception(&mut self, item: Option<&Item<'_>>, what: String) {
        let position = item.map(|item| item.shown.position.to_string());
        self.exceptions.push(Exception { number: self.document.number.clone(), position, what });
    }
}

/// A file's name in `chat-xml/files`, and what is in it.
fn stored(attachment: &Attachment) -> (String, Body) {
    let name = format!("{}-{}", attachment.number, attachment.name);
    match &attachment.content {
        Content::Here { path, .. } => (name, Body::Copy(path.clone())),
        Content::Missing(why) => {
            let text = format!("This file is not in the production: {why}\r\n");
            (format!("{name}.missing.txt"), Body::Bytes(text.into_bytes()))
        }
    }
}
