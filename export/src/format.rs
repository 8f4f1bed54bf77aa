//! What a format is: a pure function from a document to files and to lines of files.

pub(crate) mod calls;
pub(crate) mod cdr;
pub(crate) mod chat_xml;
pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod dat;
pub(crate) mod edrm;
pub(crate) mod eml;
pub(crate) mod fields;
#[cfg(test)]
mod for_readers;
pub(crate) mod html;
pub(crate) mod mbox;
pub(crate) mod natives;
pub(crate) mod parquet;
pub(crate) mod pdf;
pub(crate) mod plain_text;
pub(crate) mod rsmf;
#[cfg(test)]
mod samples;
mod shown_time;
#[cfg(test)]
pub(crate) mod testing;
mod transcript;
pub(crate) mod vcon;
pub(crate) mod visible;
pub(crate) mod xlsx;
pub(crate) mod xml;

use std::path::PathBuf;

use custody_schemas::time::time_text;

use crate::document::Document;
use crate::error::Error;
use crate::format::columns::Rows;
use crate::item::Shown;

/// Whether formats make files or folders of this name at the top of a production.
pub(crate) fn is_top(name: &str) -> bool {
    let volume = |digits: &str| digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    let sheet = |name: &str| name.starts_with("records") && name.ends_with(".xlsx");
    TOPS.contains(&name) || sheet(name) || name.strip_prefix("VOL").is_some_and(volume)
}

/// What formats make where there are no volumes.
const TOPS: [&str; 13] = [
    "DATA",
    "NATIVES",
    "TEXT",
    "calls.csv",
    "chat-xml",
    "eml",
    "html",
    "mbox",
    "pdf",
    "records.csv",
    "records.parquet",
    "rsmf",
    "vcon",
];

/// A form that documents are written in.
///
/// Documents are rendered by several threads and written in their order, so nothing may depend on
/// what was rendered before. The same document gives the same bytes: no clock, no chance, no order
/// of a hash map. All paths are relative to the volume, with `/`.
pub(crate) trait Format: Sync {
    /// Lines that a volume's files begin with, such as a header.
    fn begin(&self) -> Result<Vec<Line>, Error> {
        Ok(Vec::new())
    }

    /// The files of a document, and its lines in files of the volume.
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error>;

    /// Lines that a volume's files end with.
    fn end(&self) -> Result<Vec<Line>, Error> {
        Ok(Vec::new())
    }
}

/// A form that all documents are written in together, one after another, in one file or a few. It is
/// not cut into volumes.
pub(crate) trait Table {
    /// Adds the rows of a document, and its records as they are; what could not be written as it is.
    fn push(&mut self, rows: &Rows, shown: &[Shown]) -> Result<Vec<Exception>, Error>;

    /// Ends the files and gives their paths.
    fn finish(self: Box<Self>) -> Result<Vec<PathBuf>, Error>;
}

/// What a document becomes.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    /// Files of its own, named by its number.
    pub(crate) files: Vec<NewFile>,
    /// What it adds to files of the volume.
    pub(crate) lines: Vec<Line>,
    /// What could not be written as it is.
    pub(crate) exceptions: Vec<Exception>,
}

/// A file of a document.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Each part of it is safe as a file's name.
    pub(crate) path: String,
    pub(crate) body: Body,
}

/// What is in it.
#[derive(Debug)]
pub(crate) enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A copy of a file.
    Copy(PathBuf),
}

/// Bytes that are added to the end of a file of the volume.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) path: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Something that a reader would expect and does not get: a line of `exceptions.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    /// The document's number, or the attachment's.
    pub(crate) number: String,
    /// The record's position, if it is about one.
    pub(crate) position: Option<String>,
    /// What is missing or was changed, and why.
    pub(crate) what: String,
}

impl Rendered {
    /// One file.
    pub(crate) fn file(path: String, bytes: Vec<u8>) -> Self {
        Rendered { files: vec![NewFile { path, body: Body::Bytes(bytes) }], ..Rendered::default() }
    }
}

/// A time of microseconds since 1970 as RFC 3339 in UTC, with milliseconds, or microseconds where they are
/// not nought; `None` outside of the years 1 to 9999.
pub(crate) fn utc(us: i64) -> Option<String> {
    let mut out = Vec::with_capacity(27);
    time_text(us, if us % 1_000 == 0 { 3 } else { 6 }, &mut out)?;
    String::from_utf8(out).ok()
}
