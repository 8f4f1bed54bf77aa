//! XLSX: the columns of the CSV as sheets of spreadsheets (ECMA-376, Office Open XML).
//!
//! Every text is a text cell, so nothing that somebody wrote is a formula. Rows go to the file as they
//! come: memory is bounded by a document.

mod parts;
mod zip;

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::error::Error;
use crate::format::columns::{COLUMNS, Cell, Rows};
use crate::format::{Exception, Table};
use crate::item::Shown;
use crate::settings::{XLSX_CELL_UNITS_MAX, XLSX_ROWS_MAX, XLSX_SHEET_BYTES};
use zip::{Part, Zip};

/// Sheets of records, in files of one sheet each.
pub(crate) struct Xlsx {
    folder: PathBuf,
    /// Rows of a sheet at most, without its header.
    rows_max: u32,
    /// All of them; the last one is being written.
    files: Vec<PathBuf>,
    sheet: Sheet,
}

/// A sheet that is being written.
struct Sheet {
    part: Part,
    rows: u32,
    bytes: u64,
}

impl Xlsx {
    /// Begins `records.xlsx` in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        Self::of(folder, XLSX_ROWS_MAX)
    }

    fn of(folder: &Path, rows_max: u32) -> Result<Self, Error> {
        let path = folder.join("records.xlsx");
        let sheet = Sheet::new(&path)?;
        Ok(Xlsx { folder: folder.to_owned(), rows_max, files: vec![path], sheet })
    }

    /// Goes on in another file.
    fn go_on(&mut self) -> Result<(), Error> {
        let path = self.folder.join(format!("records-{}.xlsx", self.files.len() + 1));
        let full = std::mem::replace(&mut self.sheet, Sheet::new(&path)?);
        self.files.push(path);
        full.finish()
    }
}

impl Table for Xlsx {
    fn push(&mut self, rows: &Rows, shown: &[Shown]) -> Result<Vec<Exception>, Error> {
        let mut exceptions = Vec::new();
        for (row, shown) in shown.iter().enumerate() {
            if self.sheet.rows == self.rows_max || self.sheet.bytes >= XLSX_SHEET_BYTES {
                self.go_on()?;
            }
            let position = || shown.position.to_string();
            let tell = |what| Exception { number: rows.number.clone(), position: Some(position()), what };
            self.sheet.push(rows.row(row), |what| exceptions.push(tell(what)))?;
        }
        Ok(exceptions)
    }

    /// In order: `records.xlsx`, `records-2.xlsx` and so on.
    fn finish(self: Box<Self>) -> Result<Vec<PathBuf>, Error> {
        self.sheet.finish()?;
        Ok(self.files)
    }
}

impl Sheet {
    fn new(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|failed| Error::io("create", path, failed))?;
        let mut zip = Zip::new(file, path);
        for (name, content) in parts::FIXED {
            let mut part = zip.begin(name)?;
            part.write(content.as_bytes())?;
            zip = part.end()?;
        }
        let mut sheet = Sheet { part: zip.begin(parts::SHEET)?, rows: 0, bytes: 0 };
        let mut xml = parts::SHEET_BEGIN.to_owned();
        let names = COLUMNS.iter().zip(0..);
        row(1, names.map(|(column, at)| (at, Value::Text(Cow::Borrowed(column.name)))), &mut xml);
        sheet.write(&xml)?;
        Ok(sheet)
    }

    fn write(&mut self, xml: &str) -> Result<(), Error> {
        self.bytes += xml.len() as u64;
        self.part.write(xml.as_bytes())
    }

    /// Adds a row; hands on what could not be written as it is.
    fn push<'r>(
        &mut self,
        cells: impl Iterator<Item = (Cell<'r>, &'r str)>,
        mut tell: impl FnMut(String),
    ) -> Result<(), Error> {
        let cells = COLUMNS.iter().zip(cells).enumerate().filter_map(|(at, (column, (cell, time)))| {
            let text = match cell {
                Cell::Nothing => return None,
                Cell::Number(number) if is_exact(number) => return Some((at, Value::Number(number))),
                Cell::Number(number) => Cow::Owned(number.to_string()),
                Cell::Text(text) => text,
                Cell::Flag(flag) => Cow::Borrowed(if flag { "yes" } else { "no" }),
                Cell::Time(_) => Cow::Borrowed(time),
            };
            let (text, told) = fitting(text);
            if let Some(what) = told {
                tell(format!("{} in XLSX: {what}", column.name));
            }
            Some((at, Value::Text(text)))
        });
        let mut xml = String::with_capacity(4_096);
        self.rows += 1;
        row(self.rows + 1, cells, &mut xml);
        self.write(&xml)
    }

    fn finish(mut self) -> Result<(), Error> {
        self.write(parts::SHEET_END)?;
        self.part.end()?.finish()
    }
}

/// What is in a cell.
enum Value<'v> {
    Text(Cow<'v, str>),
    Number(i64),
}

/// Appends a row; `at` counts columns from 0. An empty text is no cell.
fn row<'v>(row: u32, cells: impl Iterator<Item = (usize, Value<'v>)>, xml: &mut String) {
    let row = row.to_string();
    let say = |xml: &mut String, all: &[&str]| all.iter().for_each(|text| xml.push_str(text));
    say(xml, &["<row r=\"", &row, "\">"]);
    for (at, value) in cells {
        let column = LETTERS.get(at).map_or("", String::as_str);
        match value {
            Value::Number(number) => {
                say(xml, &["<c r=\"", column, &row, "\"><v>", &number.to_string(), "</v></c>"]);
            }
            Value::Text(text) if text.is_empty() => {}
            Value::Text(text) => {
                let open = "\" t=\"inlineStr\"><is><t xml:space=\"preserve\">";
                say(xml, &["<c r=\"", column, &row, open]);
                escape(&text, xml);
                xml.push_str("</t></is></c>");
            }
        }
    }
    xml.push_str("</row>\n");
}

/// Of every column.
static LETTERS: LazyLock<Vec<String>> = LazyLock::new(|| (0..COLUMNS.len()).map(letters).collect());

/// `A` to `Z`, then `AA` and so on.
fn letters(column: usize) -> String {
    let letter = |n: usize| char::from(b'A' + (n % 26) as u8);
    match column / 26 {
        0 => letter(column).to_string(),
        first => [letter(first - 1), letter(column)].iter().collect(),
    }
}

/// Excel's numbers are floating: what they cannot hold exactly is text.
fn is_exact(number: i64) -> bool {
    number.unsigned_abs() <= 1 << 53
}

/// Appends a text. What XML cannot hold, and CR, which it does not keep, is `_xHHHH_`; what looks like
/// that gets its `_` written so.
///
/// Source: ECMA-376 part 1, section 22.9.2.19, `ST_Xstring`.
fn escape(text: &str, xml: &mut String) {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let number;
        let instead = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '_' if is_escape(&text.as_bytes()[at..]) => "_x005F_",
            '\t' | '\n' => continue,
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                number = format!("_x{:04X}_", u32::from(c));
                &number
            }
            _ => continue,
        };
        xml.push_str(&text[from..at]);
        xml.push_str(instead);
        from = at + c.len_utf8();
    }
    xml.push_str(&text[from..]);
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'_', b'x', digits @ .., ] if digits.len() >= 5
        && digits[..4].iter().all(u8::is_ascii_hexdigit) && digits[4] == b'_')
}

/// A text as a cell can hold it, and what was done to it.
fn fitting(text: Cow<'_, str>) -> (Cow<'_, str>, Option<String>) {
    // A character has no more units than bytes.
    if text.len() <= XLSX_CELL_UNITS_MAX {
        return (text, None);
    }
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= XLSX_CELL_UNITS_MAX
    };
    let end: usize = text.chars().take_while(fits).map(char::len_utf8).sum();
    if end == text.len() {
        return (text, None);
    }
    let all = text.encode_utf16().count();
    let told = format!("cut after {XLSX_CELL_UNITS_MAX} of {all} UTF-16 units");
    (Cow::Owned(text[..end].to_owned()), Some(told))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use custody_schemas::Hash;

    use super::*;
    use crate::fixture::{HOSTILE, event, hostile, sample, shown};
    use crate::format::testing::{self, pushed, pushed_document};

    fn check(text: &str, expected: &str, told: Option<&str>) {
        let (fitted, why) = fitting(Cow::Borrowed(text));
        assert!(fitted == expected, "{} characters of {}", fitted.len(), text.len());
        assert_eq!(why.as_deref(), told);
    }

    #[test]
    fn cells_fit() {
        check("", "", None);
        check("=1\0", "=1\0", None);
        let longest = "a".repeat(XLSX_CELL_UNITS_MAX);
        check(&longest, &longest, None);
        check(&format!("{longest}b"), &longest, Some("cut after 32767 of 32768 UTF-16 units"));
        // Outside of the basic plane a character is two units: half of one is never written.
        let wide = "👍".repeat(16_384);
        check(&wide, &"👍".repeat(16_383), Some("cut after 32767 of 32768 UTF-16 units"));
    }

    #[test]
    fn texts_are_escaped_and_can_be_undone() {
        let check = |text: &str, expected: &str| {
            let mut xml = String::new();
            escape(text, &mut xml);
            assert_eq!(xml, expected);
        };
        check("a<b>&\"'", "a&lt;b&gt;&amp;\"'");
        check("\t\n\r\0\u{1f}", "\t\n_x000D__x0000__x001F_");
        check("\u{fffe}\u{ffff}\u{fffd}\u{7f}", "_xFFFE__xFFFF_\u{fffd}\u{7f}");
        check("_x0041_ _x00g1_ _x004", "_x005F_x0041_ _x00g1_ _x004");
        check("__x0041_x0041_", "__x005F_x0041_x005F_x0041_");
        check("_xäöüß_", "_xäöüß_");
    }

    #[test]
    fn columns_have_letters() {
        let all = [(0, "A"), (25, "Z"), (26, "AA"), (47, "AV"), (52, "BA"), (701, "ZZ")];
        assert!(all.iter().all(|(at, expected)| letters(*at) == *expected), "{all:?}");
    }

    #[test]
    fn a_number_is_exact_or_text() {
        let all = [(0, true), (-1, true), (1 << 53, true), ((1 << 53) + 1, false), (i64::MIN, false)];
        assert!(all.iter().all(|(number, expected)| is_exact(*number) == *expected), "{all:?}");
    }

    /// Writes documents; gives the names of the files, and their bytes.
    fn written(documents: usize, rows_max: u32) -> (Vec<String>, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let mut xlsx = Box::new(Xlsx::of(folder.path(), rows_max).unwrap());
        for _ in 0..documents {
            assert_eq!(pushed(&mut *xlsx, &hostile()).unwrap(), []);
        }
        let files = xlsx.finish().unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files.len());
        (files.iter().map(name).collect(), files.iter().map(|path| fs::read(path).unwrap()).collect())
    }

    #[test]
    fn sheets_go_on_in_other_files() {
        let rows = u32::try_from(HOSTILE.len()).unwrap();
        assert_eq!(written(0, rows).0, ["records.xlsx"]);
        assert_eq!(written(1, rows).0, ["records.xlsx"]);
        assert_eq!(written(2, rows).0, ["records.xlsx", "records-2.xlsx"]);
        assert_eq!(written(2, rows - 1).0, ["records.xlsx", "records-2.xlsx", "records-3.xlsx"]);
        assert_eq!(written(2, rows), written(2, rows));
    }

    #[test]
    fn what_is_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let data = format!(r#"{{"message":{{"text":"{}"}}}}"#, "x".repeat(XLSX_CELL_UNITS_MAX + 3));
        let records = [shown(0, &event("im.message.sent", 0, &data))];
        let mut xlsx = Box::new(Xlsx::new(folder.path()).unwrap());
        let told = pushed(&mut *xlsx, &records).unwrap();
        let expected = ["text", "what_happened"].map(|column| Exception {
            number: "CUST00000001".into(),
            position: Some("chat:1:0:0".into()),
            what: format!("{column} in XLSX: cut after 32767 of 32770 UTF-16 units"),
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn a_sample() {
        let folder = tempfile::tempdir().unwrap();
        let mut xlsx = Box::new(Xlsx::new(folder.path()).unwrap());
        assert_eq!(pushed(&mut *xlsx, &sample()).unwrap(), []);
        let bytes = fs::read(&xlsx.finish().unwrap()[0]).unwrap();
        // Changes with the version of the library that compresses; the cells do not.
        testing::golden("records.xlsx.sha256", Hash::of(&bytes).to_string().as_bytes());
    }

    #[test]
    fn for_readers() {
        testing::for_readers("xlsx", |folder, document| {
            let mut xlsx = Box::new(Xlsx::new(folder).unwrap());
            pushed_document(&mut *xlsx, document).unwrap();
            xlsx.finish().unwrap();
        });
    }
}
