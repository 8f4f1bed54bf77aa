//! EDRM XML 1.2: a load file in XML, with the fields and files of the DAT.
//!
//! Each document and its attachments are a batch of their own, so that their relationships stand
//! beside them and no more than one family has to be held to write or read it.

use crate::document::Document;
use crate::error::Error;
use crate::format::fields::{FIELDS, Facts, Field, Holds, each_member};
use crate::format::natives::{Member, Referred, family};
use crate::format::{Exception, Format, Line, Rendered};

/// The load file of a volume.
pub(crate) const LOAD: &str = "DATA/edrm.xml";

/// A load file in XML.
#[derive(Debug, Default)]
pub(crate) struct Edrm;

impl Format for Edrm {
    fn begin(&self) -> Result<Vec<Line>, Error> {
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root MajorVersion=\"1\" MinorVersion=\"2\" \
             Description=\"Custody production\" Locale=\"US\" DataInterchangeType=\"Update\">\n<Fields>\n",
        );
        for field in tagged() {
            let mut element = Element::new("Field", &mut xml);
            element.exact("Key", tag_name(field));
            element.exact("Name", field.name);
            element.exact("DataType", data_type(field.holds));
            element.empty();
        }
        xml.push_str("</Fields>\n");
        Ok(vec![line(xml)])
    }

    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let mut rendered = Rendered::default();
        let members = family(document, &mut rendered)?;
        let mut xml = String::from("<Batch>\n<Documents>\n");
        each_member(document, &members, |facts| {
            member(facts, &mut xml, &mut rendered.exceptions);
            Ok::<_, Error>(())
        })?;
        xml.push_str("</Documents>\n");
        relationships(document, &members, &mut xml);
        xml.push_str("</Batch>\n");
        rendered.lines.push(line(xml));
        Ok(rendered)
    }

    fn end(&self) -> Result<Vec<Line>, Error> {
        Ok(vec![line("</Root>\n".to_owned())])
    }
}

fn line(xml: String) -> Line {
    Line { path: LOAD, bytes: xml.into_bytes() }
}

/// What is said by elements of its own needs no tag.
fn tagged() -> impl Iterator<Item = &'static Field> {
    let elsewhere = ["ENDBATES", "SHA256", "NATIVEPATH", "TEXTPATH"];
    FIELDS.iter().filter(move |field| !elsewhere.contains(&field.name))
}

/// The names that EDRM has for some fields.
fn tag_name(field: &Field) -> &'static str {
    match field.name {
        "FROM" => "#From",
        "TO" => "#To",
        "SUBJECT" => "#Subject",
        "DATETIMESENT" => "#DateSent",
        "FILENAME" => "#FileName",
        "FILEEXT" => "#FileExtension",
        "FILESIZE" => "#FileSize",
        name => name,
    }
}

fn data_type(holds: Holds) -> &'static str {
    match holds {
        Holds::Number => "LongInteger",
        Holds::DateTime => "DateTime",
        Holds::Text | Holds::Date | Holds::Time | Holds::Several => "Text",
    }
}

fn member(facts: &Facts<'_>, xml: &mut String, exceptions: &mut Vec<Exception>) {
    let member = facts.member;
    let mut tell = |name: &str, replaced: usize, splits: bool| {
        let what = match (replaced, splits) {
            (0, false) => return,
            (0, true) => "a semicolon was written as a comma".to_owned(),
            (n, _) => format!("{n} characters that XML cannot hold are U+FFFD"),
        };
        exceptions.push(Exception {
            number: member.number.to_owned(),
            position: None,
            what: format!("{name} in {LOAD}: {what}; the native has it exactly"),
        });
    };
    let mut element = Element::new("Document", xml);
    element.exact("DocID", member.number);
    element.exact("DocType", if member.attachment.is_some() { "File" } else { "Message" });
    tell("MimeType", element.attribute("MimeType", facts.media_type()), false);
    element.open();
    xml.push_str("<Tags>\n");
    for field in tagged() {
        let (value, splits) = field.value(facts);
        if value.is_empty() {
            continue;
        }
        let mut element = Element::new("Tag", xml);
        element.exact("TagName", tag_name(field));
        element.exact("TagDataType", data_type(field.holds));
        tell(field.name, element.attribute("TagValue", &value), splits);
        element.empty();
    }
    xml.push_str("</Tags>\n<Files>\n");
    file("Native", &member.native, xml);
    if let Some(text) = &member.text {
        file("Text", text, xml);
    }
    xml.push_str("</Files>\n</Document>\n");
}

fn file(kind: &str, file: &Referred, xml: &mut String) {
    let mut element = Element::new("File", xml);
    element.exact("FileType", kind);
    element.open();
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let mut element = Element::new("ExternalFile", xml);
    element.exact("FilePath", folder);
    element.exact("FileName", name);
    element.exact("FileSize", &file.bytes.to_string());
    if let Some(hash) = &file.sha256 {
        element.attribute("Hash", hash);
        element.exact("HashType", "SHA256");
    }
    element.empty();
    xml.push_str("</File>\n");
}

fn relationships(document: &Document<'_>, members: &[Member<'_>], xml: &mut String) {
    xml.push_str("<Relationships>\n");
    for child in members.iter().filter(|member| member.attachment.is_some()) {
        let mut element = Element::new("Relationship", xml);
        element.exact("Type", "Attachment");
        element.exact("ParentDocId", &document.number);
        element.exact("ChildDocId", child.number);
        element.empty();
    }
    xml.push_str("</Relationships>\n");
}

/// The start of an element while its attributes are written.
struct Element<'x>(&'x mut String);

impl<'x> Element<'x> {
    fn new(name: &str, xml: &'x mut String) -> Self {
        xml.push('<');
        xml.push_str(name);
        Element(xml)
    }

    /// Gives the number of characters that XML cannot hold; they are U+FFFD.
    fn attribute(&mut self, name: &str, value: &str) -> usize {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        let replaced = escape(value, self.0);
        self.0.push('"');
        replaced
    }

    /// An attribute of our own words, which XML can hold.
    fn exact(&mut self, name: &str, value: &str) {
        self.attribute(name, value);
    }

    fn open(self) {
        self.0.push_str(">\n");
    }

    fn empty(self) {
        self.0.push_str("/>\n");
    }
}

/// Appends a text as an attribute's value. Line ends and tabs are references: a reader would make
/// spaces of them. What XML 1.0 cannot hold (its `Char`, section 2.2) is U+FFFD, and counted.
///
/// Source: <https://www.w3.org/TR/xml/#charsets> and section 3.3.3.
fn escape(text: &str, out: &mut String) -> usize {
    let (mut replaced, mut from) = (0, 0);
    for (at, c) in text.char_indices() {
        let instead = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\t' => "&#9;",
            '\n' => "&#10;",
            '\r' => "&#13;",
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                replaced += 1;
                "\u{fffd}"
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(instead);
        from = at + c.len_utf8();
    }
    out.push_str(&text[from..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{HOSTILE, hostile, sample, with_document};
    use crate::format::testing::{self, attach, golden, whole};

    #[test]
    fn characters() {
        let check = |text: &str, expected: &str, replaced: usize| {
            let mut out = String::new();
            assert_eq!((escape(text, &mut out), out.as_str()), (replaced, expected), "{text:?}");
        };
        check("a&<>\"'b", "a&amp;&lt;&gt;&quot;'b", 0);
        check("\t\r\n", "&#9;&#13;&#10;", 0);
        check("\0\u{7}\u{1f}\u{fffe}\u{ffff}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", 5);
        check("\u{7f}\u{85}\u{fffd}\u{10ffff}👍", "\u{7f}\u{85}\u{fffd}\u{10ffff}👍", 0);
    }

    #[test]
    fn a_family() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = with_document(&sample(), |mut document| {
            attach(&mut document, folder.path());
            whole(&Edrm, &document, LOAD)
        });
        golden("edrm.xml", &bytes);
    }

    #[test]
    fn hostile_texts_come_back_or_are_told() {
        for (n, said) in HOSTILE.iter().enumerate() {
            let (xml, exceptions) = with_document(&hostile()[n..=n], |document| {
                let bytes = whole(&Edrm, &document, LOAD);
                (String::from_utf8(bytes).unwrap(), Edrm.render(&document).unwrap().exceptions)
            });
            let mut value = String::new();
            let label = if said.trim().is_empty() { "(unknown)" } else { said };
            let replaced = escape(&label.replace(';', ","), &mut value);
            let tag = format!("<Tag TagName=\"#From\" TagDataType=\"Text\" TagValue=\"{value}\"/>\n");
            assert!(xml.contains(&tag), "{said:?} {xml}");
            // FROM and PARTICIPANTS have it.
            assert_eq!(
                exceptions.len(),
                if replaced > 0 || said.contains(';') { 2 } else { 0 },
                "{said:?} {exceptions:?}"
            );
        }
    }

    #[test]
    fn for_readers() {
        testing::for_readers("edrm", |folder, document| testing::write(folder, &Edrm, document));
    }
}
