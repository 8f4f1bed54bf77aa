//! CSV for people and spreadsheets: a record in a row.
//!
//! RFC 4180 in UTF-8, with a byte order mark because spreadsheets tell the encoding by nothing else.

use std::borrow::Cow;

use crate::document::Document;
use crate::error::{Error, Kind};
use crate::format::columns::{COLUMNS, each_row};
use crate::format::{Format, Line, Rendered};

/// Where the rows of a volume are.
pub(crate) const RECORDS: &str = "records.csv";

/// What UTF-8 text begins with for programs that would take it for something else.
pub(crate) const BOM: &str = "\u{feff}";

/// Rows of records.
#[derive(Debug, Default)]
pub(crate) struct Csv;

impl Format for Csv {
    fn begin(&self) -> Result<Vec<Line>, Error> {
        let mut table = Table::new();
        table.row(COLUMNS.iter().map(|column| Cow::Borrowed(column.name)))?;
        Ok(vec![Line { path: RECORDS, bytes: [BOM.as_bytes(), &table.finish()?].concat() }])
    }

    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let (mut table, zone) = (Table::new(), &document.about.zone);
        each_row(document, |row| table.row(COLUMNS.iter().map(|column| (column.of)(row).shown(zone))))?;
        let lines = vec![Line { path: RECORDS, bytes: table.finish()? }];
        Ok(Rendered { lines, ..Rendered::default() })
    }
}

/// A cell that no spreadsheet takes for a formula.
///
/// What begins like one gets a `'` before it. So does what begins like that already: whoever takes
/// one `'` away from each cell that begins with some, and then like a formula, has what was said.
pub(crate) fn harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell.trim_start_matches('\'').as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => Cow::Owned(format!("'{cell}")),
        _ => cell,
    }
}

/// Rows, written to memory.
pub(crate) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    /// No rows.
    pub(crate) fn new() -> Self {
        Table(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }

    /// Adds one; its cells are made harmless.
    pub(crate) fn row<'c>(&mut self, cells: impl Iterator<Item = Cow<'c, str>>) -> Result<(), Error> {
        for cell in cells {
            self.0.write_field(harmless(cell).as_bytes()).map_err(unwritten)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(unwritten)
    }

    /// The bytes of all rows.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        self.0.into_inner().map_err(|failed| unwritten(failed.into_error().into()))
    }
}

/// Memory does not fail, and rows are of one length; if not, it is our fault.
fn unwritten(source: csv::Error) -> Error {
    Error::with(Kind::Corrupt, "cannot write CSV", source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{HOSTILE, hostile, sample, with_document};
    use crate::format::testing::{self, whole};

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = std::str::from_utf8(bytes).unwrap().strip_prefix(BOM).unwrap();
        let rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows = rows.into_records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        rows.collect()
    }

    #[test]
    fn cells_are_no_formulas_and_can_be_undone() {
        let check = |said: &str, expected: &str| {
            assert_eq!(harmless(Cow::Borrowed(said)), expected);
            let is_marked = expected.starts_with('\'') && harmless(Cow::Borrowed(expected)) != expected;
            assert_eq!(if is_marked { &expected[1..] } else { expected }, said);
        };
        check("=1", "'=1");
        check("+1", "'+1");
        check("-1", "'-1");
        check("@a", "'@a");
        check("\t=1", "'\t=1");
        check("\rx", "'\rx");
        check("'=1", "''=1");
        check("''-", "'''-");
        check("'tis", "'tis");
        check("'", "'");
        check("", "");
        check(" =1", " =1");
        check("1", "1");
    }

    #[test]
    fn hostile_texts_come_back() {
        let rows = with_document(&hostile(), |document| read(&whole(&Csv, &document, RECORDS)));
        let at = |name: &str| rows[0].iter().position(|header| header == name).unwrap();
        assert_eq!(rows.len(), HOSTILE.len() + 1);
        for (row, said) in rows[1..].iter().zip(HOSTILE) {
            assert_eq!(row.len(), COLUMNS.len());
            for column in ["text", "from_name", "from_address", "title", "file_name", "file_media_type"] {
                assert_eq!(row[at(column)], *harmless(Cow::Borrowed(said)), "{column}");
            }
        }
    }

    #[test]
    fn a_sample() {
        let bytes = with_document(&sample(), |document| whole(&Csv, &document, RECORDS));
        testing::golden("records.csv", &bytes);
        let rows = read(&bytes);
        let cell = |n: usize, name: &str| {
            rows[n + 1][rows[0].iter().position(|header| header == name).unwrap()].as_str()
        };
        assert_eq!((cell(0, "context"), cell(1, "context")), ("no", "yes"));
        assert_eq!((cell(0, "copies"), cell(1, "copies")), ("1", "2"));
        assert_eq!(cell(0, "time"), "2013-05-29T09:15:00.000000+00:00");
        assert_eq!(cell(0, "text"), "Can we talk about the merger?\nToday.");
        assert_eq!(cell(11, "call_duration_ms"), "600000");
        assert_eq!((cell(23, "type"), cell(23, "time_from")), ("quarantined", "broker"));
    }
}
