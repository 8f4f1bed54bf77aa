//! What stands around the records: what the document is, who takes part, and what proves it.

use super::face::Weight;
use super::record;
use super::shape::Type;
use super::sheet::{Cell, LEFT, Margins, RIGHT, Sheets};
use super::tags::Kind;
use super::text::{Paragraph, Style, Tone};
use crate::document::{Document, Person};
use crate::format::shown_time::exact;
use crate::format::transcript::{Transcript, about};
use crate::settings::PDF_TITLE_CHARS_MAX;

const NUMBER: Style = Style::new(Weight::Regular, 8.5, Tone::Quiet);
const TITLE: Style = Style::new(Weight::Bold, 17.0, Tone::Ink);
const DAY: Style = Style::new(Weight::Regular, 10.5, Tone::Quiet);
const HEADING: Style = Style::new(Weight::Bold, 11.0, Tone::Ink);
const LABEL: Style = Style::new(Weight::Regular, 8.0, Tone::Quiet);
const VALUE: Style = Style::new(Weight::Regular, 8.5, Tone::Ink);
const ROW: Style = Style::new(Weight::Bold, 8.5, Tone::Ink);
const SMALL: Style = Style::new(Weight::Regular, 6.5, Tone::Ink);
const HASH: Style = Style::new(Weight::Mono, 6.0, Tone::Ink);
const NOTE: Style = Style::new(Weight::Regular, 7.8, Tone::Quiet);
const MARGIN: Style = Style::new(Weight::Regular, 7.8, Tone::Quiet);
const BATES: Style = Style::new(Weight::Bold, 8.5, Tone::Ink);

/// People who are named on every page; the first page names all.
const MARGIN_PEOPLE_MAX: usize = 6;

/// All the width of a page.
const WIDTH: f32 = RIGHT - LEFT;

/// How the pages are to be read.
const NOTES: &str = "Records stand in order of time; edits, deletions, reactions and receipts stand under the \
message that they are about. Recipients and clients are named where they change. What was sent as HTML is shown \
as its text. A character that nobody would see is shown by its number, such as \u{27e6}U+202E\u{27e7}, and one \
that no font of this document has as [U+1F9D1]. Times are exact to the microsecond, in the zone named above, \
with its offset from UTC.";

/// A paragraph of one style.
pub(super) fn plain(ty: &mut Type<'_>, style: Style, leading: f32, text: &str) -> Paragraph {
    let mut paragraph = Paragraph::new(leading);
    ty.inline(&mut paragraph, style, text);
    paragraph
}

fn named(ty: &mut Type<'_>, style: Style, leading: f32, text: &str) -> Paragraph {
    let mut paragraph = Paragraph::new(leading);
    ty.name(&mut paragraph, style, text);
    paragraph
}

/// As much of a text as a page has room for in one line: a document may have thousands of pages.
fn clipped(text: &str) -> String {
    text.chars().take(PDF_TITLE_CHARS_MAX).collect()
}

/// What stands on every page of a document.
pub(super) fn margins(ty: &mut Type<'_>, document: &Document<'_>) -> Margins {
    let part = match document.parts {
        0 | 1 => String::new(),
        parts => format!(", part {} of {parts}", document.part),
    };
    let day = format!("{}, {}{part}", document.day, document.about.zone_name);
    let mut who = named(ty, MARGIN, 12.0, &clipped(&document.thread.label));
    for (n, person) in document.people.iter().take(MARGIN_PEOPLE_MAX).enumerate() {
        ty.inline(&mut who, MARGIN, if n == 0 { "  \u{b7}  " } else { ", " });
        ty.name(&mut who, MARGIN, &clipped(person.label()));
    }
    if let more @ 1.. = document.people.len().saturating_sub(MARGIN_PEOPLE_MAX) {
        ty.inline(&mut who, MARGIN, &format!(" and {more} more"));
    }
    Margins {
        head: (who, plain(ty, MARGIN, 12.0, &day)),
        foot: (
            plain(ty, MARGIN, 12.0, &format!("Production {}", document.about.production)),
            plain(ty, BATES, 12.0, &document.number),
        ),
        page: MARGIN,
    }
}

/// All pages of a document.
pub(super) fn write(
    sheets: &mut Sheets<'_>,
    ty: &mut Type<'_>,
    document: &Document<'_>,
    transcript: &Transcript<'_>,
) {
    title(sheets, ty, document);
    facts(sheets, ty, document);
    people(sheets, ty, document);
    heading(sheets, ty, "Records");
    for entry in &transcript.entries {
        record::write(sheets, ty, document, entry);
    }
    sheets.rule(LEFT);
    evidence(sheets, ty, document, transcript);
    sheets.space(14.0);
    sheets.rule(LEFT);
    sheets.space(6.0);
    let notes = plain(ty, NOTE, 10.5, NOTES);
    sheets.block(ty, LEFT, WIDTH, &notes, Kind::Paragraph);
}

fn title(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, document: &Document<'_>) {
    let number = plain(ty, NUMBER, 13.0, &format!("Transcript {}", document.number));
    sheets.block(ty, LEFT, WIDTH, &number, Kind::Paragraph);
    let title = named(ty, TITLE, 22.0, &document.thread.label);
    sheets.block(ty, LEFT, WIDTH, &title, Kind::Title);
    let mut day = document.day.strftime("%A, %-d %B %Y").to_string();
    if document.parts > 1 {
        day += &format!(", part {} of {}", document.part, document.parts);
    }
    let day = plain(ty, DAY, 16.0, &day);
    sheets.block(ty, LEFT, WIDTH, &day, Kind::Paragraph);
    sheets.space(10.0);
}

fn facts(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, document: &Document<'_>) {
    sheets.rule(LEFT);
    sheets.space(6.0);
    sheets.open(Kind::Table);
    for (what, value) in about(document) {
        let (what, value) = (plain(ty, LABEL, 13.0, what), plain(ty, VALUE, 13.0, &value));
        sheets.open(Kind::Row);
        sheets.row(
            ty,
            &[
                Cell { x: LEFT, width: 86.0, paragraph: &what, kind: Kind::RowHead },
                Cell { x: LEFT + 90.0, width: WIDTH - 90.0, paragraph: &value, kind: Kind::Cell },
            ],
        );
        sheets.close();
    }
    sheets.close();
    sheets.space(6.0);
    sheets.rule(LEFT);
}

fn heading(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, text: &str) {
    sheets.space(18.0);
    sheets.need(ty, 80.0);
    sheets.bookmark(text);
    let heading = plain(ty, HEADING, 15.0, text);
    sheets.block(ty, LEFT, WIDTH, &heading, Kind::Heading);
    sheets.space(4.0);
}

/// A column of a table: where it is, and how wide.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    x: f32,
    width: f32,
}

/// A table that names its columns again on every page.
struct Table<'c> {
    columns: &'c [Column],
    heads: Vec<Paragraph>,
    told: Told,
}

/// How a table is told to readers that do not see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Cell by cell, each with what names it.
    ByCell,
    /// Each row as one text: cells of thousands of records would be most of a file.
    ByRow,
}

impl<'c> Table<'c> {
    fn begin(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, columns: &'c [Column], told: Told) -> Self {
        let heads = columns.iter().map(|column| plain(ty, LABEL, 12.0, column.name)).collect();
        let table = Table { columns, heads, told };
        if told == Told::ByRow {
            table.head(sheets, ty, [Kind::Paragraph, Kind::Same]);
            return table;
        }
        sheets.open(Kind::Table);
        sheets.open(Kind::Row);
        table.head(sheets, ty, [Kind::ColumnHead; 2]);
        sheets.close();
        table
    }

    /// Its cells are of the first kind, then of the second.
    fn cells<'p>(&self, paragraphs: &'p [Paragraph], [first, others]: [Kind; 2]) -> Vec<Cell<'p>> {
        let cell = |(at, (column, paragraph)): (usize, (&Column, &'p Paragraph))| {
            let kind = if at == 0 { first } else { others };
            Cell { x: column.x, width: column.width, paragraph, kind }
        };
        self.columns.iter().zip(paragraphs).enumerate().map(cell).collect()
    }

    fn head(&self, sheets: &mut Sheets<'_>, ty: &mut Type<'_>, kinds: [Kind; 2]) {
        sheets.row(ty, &self.cells(&self.heads, kinds));
        sheets.space(1.5);
        sheets.rule(LEFT);
        sheets.space(2.5);
    }

    /// A row; its first cell names it.
    fn row(&self, sheets: &mut Sheets<'_>, ty: &mut Type<'_>, paragraphs: &[Paragraph]) {
        let kinds = match self.told {
            Told::ByCell => [Kind::RowHead, Kind::Cell],
            Told::ByRow => [Kind::Paragraph, Kind::Same],
        };
        let cells = self.cells(paragraphs, kinds);
        if self.told == Told::ByCell {
            sheets.open(Kind::Row);
        }
        sheets.row_under(ty, &cells, &mut |sheets, ty| self.head(sheets, ty, [Kind::Again; 2]));
        if self.told == Told::ByCell {
            sheets.close();
        }
        sheets.space(2.0);
    }

    fn end(self, sheets: &mut Sheets<'_>) {
        if self.told == Told::ByCell {
            sheets.close();
        }
    }
}

const PEOPLE: [Column; 5] = [
    Column { name: "Name", x: LEFT, width: 142.0 },
    Column { name: "Network", x: LEFT + 150.0, width: 54.0 },
    Column { name: "Address", x: LEFT + 212.0, width: 158.0 },
    Column { name: "Scope", x: LEFT + 378.0, width: 54.0 },
    Column { name: "Role", x: LEFT + 440.0, width: WIDTH - 440.0 },
];

fn people(sheets: &mut Sheets<'_>, ty: &mut Type<'_>, document: &Document<'_>) {
    heading(sheets, ty, "Participants");
    if document.people.is_empty() {
        let nobody = plain(ty, VALUE, 12.0, "The records name nobody.");
        sheets.block(ty, LEFT, WIDTH, &nobody, Kind::Paragraph);
        return;
    }
    let table = Table::begin(sheets, ty, &PEOPLE, Told::ByCell);
    for person in &document.people {
        let Person { network, address, scope, role, .. } = person;
        let mut cells = vec![named(ty, ROW, 12.0, person.label())];
        for text in [network, address, scope, role] {
            cells.push(named(ty, VALUE, 12.0, text.as_deref().unwrap_or_default()));
        }
        table.row(sheets, ty, &cells);
    }
    table.end(sheets);
}

const EVIDENCE: [Column; 5] = [
    Column { name: "Record", x: LEFT, width: 26.0 },
    Column { name: "Position", x: LEFT + 30.0, width: 96.0 },
    Column { name: "Leaf hash", x: LEFT + 131.0, width: 233.0 },
    Column { name: "Batch", x: LEFT + 369.0, width: 22.0 },
    Column { name: "Archived", x: LEFT + 394.0, width: WIDTH - 394.0 },
];

const BATCHES: [Column; 3] = [
    Column { name: "Batch", x: LEFT, width: 28.0 },
    Column { name: "Id", x: LEFT + 32.0, width: 200.0 },
    Column { name: "Merkle root", x: LEFT + 238.0, width: WIDTH - 238.0 },
];

fn evidence(
    sheets: &mut Sheets<'_>,
    ty: &mut Type<'_>,
    document: &Document<'_>,
    transcript: &Transcript<'_>,
) {
    heading(sheets, ty, "Evidence");
    let what = "Each record's place in the archive, and the hash that the archive's proof covers.";
    let what = plain(ty, NOTE, 11.0, what);
    sheets.block(ty, LEFT, WIDTH, &what, Kind::Paragraph);
    sheets.space(5.0);
    let table = Table::begin(sheets, ty, &EVIDENCE, Told::ByRow);
    for (at, (item, batch)) in document.items.iter().zip(&transcript.batch_of).enumerate() {
        let archived = exact(item.shown.archived_ms.saturating_mul(1_000), &document.about.zone);
        let cells = [
            plain(ty, SMALL, 9.0, &(at + 1).to_string()),
            plain(ty, SMALL, 9.0, &item.shown.position.to_string()),
            plain(ty, HASH, 9.0, &item.shown.leaf.to_string()),
            plain(ty, SMALL, 9.0, &(batch + 1).to_string()),
            plain(ty, SMALL, 9.0, &archived),
        ];
        table.row(sheets, ty, &cells);
    }
    table.end(sheets);
    sheets.space(10.0);
    sheets.need(ty, 40.0);
    let table = Table::begin(sheets, ty, &BATCHES, Told::ByRow);
    for (at, (id, root)) in transcript.batches.iter().enumerate() {
        let cells = [
            plain(ty, SMALL, 9.0, &(at + 1).to_string()),
            plain(ty, SMALL, 9.0, id),
            plain(ty, HASH, 9.0, &root.to_string()),
        ];
        table.row(sheets, ty, &cells);
    }
    table.end(sheets);
    sheets.space(10.0);
    let mut digest = plain(ty, NOTE, 11.0, "SHA-256 over the leaf hashes of all records, in their order: ");
    ty.inline(&mut digest, HASH, &transcript.leaf_digest.to_string());
    sheets.block(ty, LEFT, WIDTH, &digest, Kind::Paragraph);
}
