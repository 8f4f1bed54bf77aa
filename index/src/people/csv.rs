//! A register from a CSV file, as spreadsheets write them.
//!
//! ```text
//! person,department,address,network,valid_from,valid_to,id
//! Alice Archer,Trading,alice@contoso.example,,2019-02-01,,1007
//! ```
//!
//! The first row names the columns, in any order and without regard to case, with spaces for
//! underscores if need be; `person` and `address` must be there. Columns are separated by commas,
//! semicolons or tabs, whichever the first row has most of; the file is UTF-8. `valid_from` is the
//! first day (in UTC) or instant at which the address is held, `valid_to` the first at which it is
//! not held any more; empty, they are open.

use csv::{ByteRecord, ReaderBuilder};

use super::overlap::bare;
use super::register::{Entry, People, ROWS_MAX, Row};
use super::when::instant_ms;
use crate::query::nearest::nearest;
use crate::text::lower_case;

/// The largest file: a million rows of 250 bytes.
pub const FILE_BYTES_MAX: usize = 256 << 20;

/// Mistakes that are told at once; more do not help whoever corrects them.
pub const PROBLEMS_MAX: usize = 20;

const COLUMNS: [&str; 7] = ["person", "department", "address", "network", "valid_from", "valid_to", "id"];
const PERSON: usize = 0;
const DEPARTMENT: usize = 1;
const ADDRESS: usize = 2;
const NETWORK: usize = 3;
const VALID_FROM: usize = 4;
const VALID_TO: usize = 5;
const ID: usize = 6;

/// What a file holds.
#[derive(Debug)]
pub struct ReadCsv {
    /// The register.
    pub people: People,
    /// What was passed over, or finds more than it says.
    pub warnings: Vec<String>,
}

/// Why a file is no register: nothing of it was taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The first [`PROBLEMS_MAX`], each with its line.
    pub shown: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl From<Vec<String>> for Mistakes {
    fn from(mut all: Vec<String>) -> Self {
        let more = all.len().saturating_sub(PROBLEMS_MAX);
        all.truncate(PROBLEMS_MAX);
        Mistakes { shown: all, more }
    }
}

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown.join("\n"))?;
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

/// Reads a file whole.
///
/// # Errors
///
/// Every mistake in it, in order of lines as far as a line is wrong by itself.
pub fn read_csv(bytes: &[u8]) -> Result<ReadCsv, Mistakes> {
    let one = |mistake: String| Mistakes::from(vec![mistake]);
    let text = encoded(bytes).map_err(one)?;
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(text)).from_reader(text);
    let mut record = ByteRecord::new();
    let (mut columns, mut rows, mut mistakes, mut warnings) = (None, Vec::new(), Vec::new(), Vec::new());
    let mut lines = Lines { text, at: 0, line: 1 };
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => return Err(one(format!("the file cannot be read: {e}"))),
        }
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        let Some(columns) = &columns else {
            let (found, unknown) = header(&record).map_err(|e| one(format!("line {line}: {e}")))?;
            warnings.extend(unknown);
            columns = Some(found);
            continue;
        };
        match row(&record, columns, line) {
            Ok(row) => rows.push(row),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(|e| format!("line {line}: {e}"))),
        }
        if rows.len() > ROWS_MAX {
            return Err(one(format!("line {line}: more than {ROWS_MAX} rows; a register holds no more")));
        }
    }
    if columns.is_none() || (rows.is_empty() && mistakes.is_empty()) {
        return Err(one(format!(
            "there is no row in it; the first names the columns: {}",
            COLUMNS.join(",")
        )));
    }
    warnings.extend(words(&rows));
    match People::new(rows) {
        Ok(people) if mistakes.is_empty() => Ok(ReadCsv { people, warnings }),
        Ok(_) => Err(Mistakes::from(mistakes)),
        Err(more) => {
            mistakes.extend(more);
            Err(Mistakes::from(mistakes))
        }
    }
}

/// The text without a byte order mark.
fn encoded(bytes: &[u8]) -> Result<&[u8], String> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {} MiB; it cannot be a register", FILE_BYTES_MAX >> 20));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is written in UTF-16; save it as \"CSV UTF-8\"".to_owned());
    }
    if bytes.contains(&0) {
        return Err("it is no text file; save it as \"CSV UTF-8\"".to_owned());
    }
    Ok(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// What the first row with anything in it has most of.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|b| matches!(b, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty());
    let count = |d: u8| first.unwrap_or_default().iter().filter(|b| **b == d).count();
    // The last of equals wins.
    *b"\t;,".iter().max_by_key(|d| count(**d)).unwrap_or(&b',')
}

/// Where records begin, counted in lines from 1.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// `byte` is where the reader stood before the record: at its first line, or an empty one above.
    fn of(&mut self, byte: u64) -> u64 {
        let mut to = usize::try_from(byte).unwrap_or(self.text.len()).min(self.text.len());
        while matches!(self.text.get(to), Some(b'\n' | b'\r')) {
            to += 1;
        }
        let passed = self.text.get(self.at..to).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
        self.at = self.at.max(to);
        self.line
    }
}

/// Where each of [`COLUMNS`] is, and a warning for every other.
fn header(record: &ByteRecord) -> Result<([Option<usize>; 7], Vec<String>), String> {
    let (mut found, mut warnings) = ([None; 7], Vec::new());
    for (at, field) in record.iter().enumerate() {
        let written = String::from_utf8_lossy(field).trim().to_owned();
        let name = lower_case(&written).split_whitespace().collect::<Vec<_>>().join("_");
        let Some(known) = COLUMNS.iter().position(|column| *column == name) else {
            if !name.is_empty() {
                let meant = nearest(&name, COLUMNS.into_iter());
                let meant = meant.map(|meant| format!("; is it meant to be {meant}?")).unwrap_or_default();
                warnings.push(format!("column {written:?} is not known and passed over{meant}"));
            }
            continue;
        };
        if found[known].replace(at).is_some() {
            return Err(format!("there are two columns {name}; remove one"));
        }
    }
    for needed in [PERSON, ADDRESS] {
        if found[needed].is_none() {
            let all = COLUMNS.join(", ");
            let odd: String = warnings.iter().map(|warning| format!("; {warning}")).collect();
            return Err(format!(
                "there is no column {}; the first row names the columns, of {all}{odd}",
                COLUMNS[needed]
            ));
        }
    }
    Ok((found, warnings))
}

fn row(record: &ByteRecord, columns: &[Option<usize>; 7], line: u64) -> Result<Row, Vec<String>> {
    let mut wrong = Vec::new();
    let mut field = |column: usize| -> Option<String> {
        let bytes = record.get(columns[column]?)?;
        let Ok(text) = std::str::from_utf8(bytes) else {
            wrong.push(format!("{} is not UTF-8; save the file as \"CSV UTF-8\"", COLUMNS[column]));
            return None;
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let [name, department, address, network, from, to, id] =
        [PERSON, DEPARTMENT, ADDRESS, NETWORK, VALID_FROM, VALID_TO, ID].map(&mut field);
    let mut date = |column: usize, text: Option<String>| {
        let read = text.map(|text| instant_ms(&text).map_err(|e| format!("{}: {e}", COLUMNS[column])));
        read.transpose().unwrap_or_else(|e| {
            wrong.push(e);
            None
        })
    };
    let (from_ms, to_ms) = (date(VALID_FROM, from), date(VALID_TO, to));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let entry = Entry {
        name: name.unwrap_or_default(),
        department,
        network: network.map(|network| lower_case(&network)),
        address: address.unwrap_or_default(),
        from_ms,
        to_ms,
    };
    Ok(Row { place: format!("line {line}"), id, entry })
}

/// An address of one word is found in display names too.
fn words(rows: &[Row]) -> Option<String> {
    let word = |row: &&Row| {
        let form = bare(&row.entry.address);
        !form.is_empty()
            && form.chars().all(|c| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-'))
            && !form.chars().all(|c| c.is_ascii_digit())
    };
    let mut words = rows.iter().filter(word);
    let first = words.next()?;
    Some(format!(
        "{}: address {:?} is a word, which also finds people with it in their display name; so are {} more",
        first.place,
        first.entry.address,
        words.count()
    ))
}
