//! Concordance DAT: a load file with a document or an attachment in a row, and the files that it names.
//!
//! Columns are told apart by U+0014, values are in `þ`, line ends in a value are `®`, several values
//! are told apart by `;`. UTF-8 with a byte order mark, by which importers tell it, and CR LF.

use crate::document::Document;
use crate::error::Error;
use crate::format::csv::BOM;
use crate::format::fields::{FIELDS, Facts, each_member};
use crate::format::natives::family;
use crate::format::{Exception, Format, Line, Rendered};

/// Where the rows of a volume are.
pub(crate) const LOAD: &str = "DATA/load.dat";

const COLUMN: char = '\u{14}';
const QUOTE: char = 'þ';
const NEWLINE: char = '®';

/// A load file of documents and attachments.
#[derive(Debug, Default)]
pub(crate) struct Dat;

impl Format for Dat {
    fn begin(&self) -> Result<Vec<Line>, Error> {
        let mut row = BOM.to_owned();
        FIELDS.iter().enumerate().for_each(|(n, field)| add(n, field.name, &mut row));
        row.push_str("\r\n");
        Ok(vec![Line { path: LOAD, bytes: row.into_bytes() }])
    }

    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let mut rendered = Rendered::default();
        let members = family(document, &mut rendered)?;
        let mut rows = String::new();
        each_member(document, &members, |facts| {
            row(facts, &mut rows, &mut rendered.exceptions);
            Ok::<_, Error>(())
        })?;
        rendered.lines.push(Line { path: LOAD, bytes: rows.into_bytes() });
        Ok(rendered)
    }
}

fn row(facts: &Facts<'_>, out: &mut String, exceptions: &mut Vec<Exception>) {
    for (n, field) in FIELDS.iter().enumerate() {
        let (value, splits) = field.value(facts);
        if let Some(what) = unfaithful(&value, splits) {
            exceptions.push(Exception {
                number: facts.member.number.to_owned(),
                position: None,
                what: format!("{} in {LOAD}: {what}; the native has it exactly", field.name),
            });
        }
        add(n, &value, out);
    }
    out.push_str("\r\n");
}

/// Appends a value: line ends are `®`, `þ` is doubled.
fn add(n: usize, value: &str, out: &mut String) {
    if n > 0 {
        out.push(COLUMN);
    }
    out.push(QUOTE);
    // Nothing to replace in nearly all of them; 0xc3 is the first byte of `þ`.
    if !value.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | 0xc3)) {
        out.push_str(value);
        out.push(QUOTE);
        return;
    }
    let mut before = ' ';
    for c in value.chars() {
        match c {
            // The end of a line is one character, however it was written.
            '\n' if before == '\r' => {}
            '\n' | '\r' => out.push(NEWLINE),
            QUOTE => out.extend([QUOTE, QUOTE]),
            c => out.push(c),
        }
        before = c;
    }
    out.push(QUOTE);
}

/// What a value says that not every importer will read as it was said.
fn unfaithful(value: &str, splits: bool) -> Option<String> {
    let mut found = Vec::new();
    let mut tell = |is: bool, what: &'static str| is.then(|| found.push(what));
    tell(splits, "a semicolon was written as a comma");
    tell(value.contains(NEWLINE), "it holds ®, which is read as the end of a line");
    tell(value.contains(COLUMN), "it holds U+0014, which some importers take for the end of a column");
    tell(value.contains('\0'), "it holds U+0000, at which some importers stop");
    (!found.is_empty()).then(|| found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Content;
    use crate::fixture::{HOSTILE, hostile, sample, with_document};
    use crate::format::Body;
    use crate::format::fields::several;
    use crate::format::testing::{self, attach, golden, whole};

    /// What a reader of the rules makes of the rows.
    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = std::str::from_utf8(bytes).unwrap().strip_prefix(BOM).unwrap();
        let rows = text.strip_suffix("þ\r\n").unwrap().split("þ\r\nþ");
        // The first row begins with the quote that the others lost with their line end.
        let rows = rows.enumerate().map(|(n, row)| if n == 0 { row.strip_prefix('þ').unwrap() } else { row });
        rows.map(|row| row.split("þ\u{14}þ").map(|value| value.replace("þþ", "þ")).collect()).collect()
    }

    fn cell<'r>(rows: &'r [Vec<String>], row: usize, name: &str) -> &'r str {
        &rows[row][rows[0].iter().position(|field| field == name).unwrap()]
    }

    fn check(value: &str, written: &str, told: Option<&str>) {
        let mut out = String::new();
        add(0, value, &mut out);
        assert_eq!((out.as_str(), unfaithful(value, false).as_deref()), (written, told), "{value:?}");
    }

    #[test]
    fn values() {
        let stops = "it holds U+0000, at which some importers stop";
        let ends = "it holds ®, which is read as the end of a line";
        let splits = "it holds U+0014, which some importers take for the end of a column";
        check("", "þþ", None);
        check("  a ", "þ  a þ", None);
        check("þ", "þþþþ", None);
        check("a\r\nb\rc\nd\n\re", "þa®b®c®d®®eþ", None);
        check("\u{14}", "þ\u{14}þ", Some(splits));
        check("®", "þ®þ", Some(ends));
        check("a\0b", "þa\0bþ", Some(stops));
        check(&"x".repeat(1 << 20), &format!("þ{}þ", "x".repeat(1 << 20)), None);
        assert_eq!(several(&["a;b".into(), "c".into()]), ("a,b;c".to_owned(), true));
        assert_eq!(several(&["a".into(), "b".into()]), ("a;b".to_owned(), false));
    }

    #[test]
    fn a_family() {
        let folder = tempfile::tempdir().unwrap();
        let (bytes, rendered) = with_document(&sample(), |mut document| {
            attach(&mut document, folder.path());
            (whole(&Dat, &document, LOAD), Dat.render(&document).unwrap())
        });
        golden("load.dat", &bytes);
        let rows = read(&bytes);
        assert_eq!(rows.len(), 4);
        for row in 1..4 {
            assert_eq!(rows[row].len(), FIELDS.len());
            assert_eq!(cell(&rows, row, "BEGATTACH"), "CUST00000001");
            assert_eq!(cell(&rows, row, "ENDATTACH"), "CUST00000003");
        }
        assert_eq!(
            ["PARENTID", "NATIVEPATH"].map(|name| cell(&rows, 1, name)),
            ["", "NATIVES\\CUST00000001.json"]
        );
        let here = ["PARENTID", "NATIVEPATH", "TEXTPATH", "FILENAME"].map(|name| cell(&rows, 2, name));
        assert_eq!(here, ["CUST00000001", "NATIVES\\CUST00000002.pdf", "", "plan.pdf"]);
        assert_eq!(cell(&rows, 3, "NATIVEPATH"), "NATIVES\\CUST00000003.txt");
        assert_eq!(cell(&rows, 3, "MISSING"), "the store has no such file");
        let told: Vec<_> =
            rendered.exceptions.iter().map(|e| (e.number.as_str(), e.position.as_deref())).collect();
        assert_eq!(told, [("CUST00000003", Some("chat:1:0:5")), ("CUST00000003", None)]);
        let native = rendered.files.iter().find(|file| file.path == "NATIVES/CUST00000001.json").unwrap();
        let Body::Bytes(native) = &native.body else { panic!("a document has no file to copy") };
        golden("native.json", native);
    }

    #[test]
    fn hostile_texts_come_back() {
        for (n, said) in HOSTILE.iter().enumerate() {
            let record = &hostile()[n..=n];
            let (bytes, exceptions) = with_document(record, |document| {
                (whole(&Dat, &document, LOAD), Dat.render(&document).unwrap().exceptions)
            });
            let rows = read(&bytes);
            assert_eq!((rows.len(), rows[1].len()), (2, FIELDS.len()), "{said:?}");
            // Name and address are the same, so there is no address beside the name.
            let label = if said.trim().is_empty() { "(unknown)" } else { said };
            let expected = label.replace("\r\n", "®").replace('\n', "®").replace(';', ",");
            assert_eq!(cell(&rows, 1, "FROM"), expected);
            let is_told = said.contains([';', '®', '\u{14}', '\0']);
            assert_eq!(!exceptions.is_empty(), is_told, "{said:?} {exceptions:?}");
        }
    }

    #[test]
    fn a_document_alone_is_no_family() {
        let rows = with_document(&sample(), |document| read(&whole(&Dat, &document, LOAD)));
        let empty = ["BEGATTACH", "ENDATTACH", "PARENTID", "ATTACHIDS"].map(|name| cell(&rows, 1, name));
        assert_eq!((rows.len(), empty), (2, ["", "", "", ""]));
    }

    #[test]
    fn for_readers() {
        testing::for_readers("dat", |folder, document| {
            assert!(document.attachments.iter().any(|one| matches!(one.content, Content::Here { .. })));
            testing::write(folder, &Dat, document);
        });
    }
}
