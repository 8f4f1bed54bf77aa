//! Checking a production without the archive.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Serialize;

use crate::check_files::{files, has_records};
use crate::check_lines::{Found, RecordLines};
use crate::check_receipt::{Listed, ReceiptLines};
use crate::check_signature::signature;
use crate::error::Error;
use crate::folder::part;
use crate::key::PublicKey;
use crate::receipt::Receipt;
use crate::request::production_id;
use crate::settings::{LINE_BYTES_MAX, PROBLEMS_MAX};
use crate::{RECEIPT, RECORDS};

/// Something that is not as the receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file's name in the folder.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The receipt, if it could be read.
    pub receipt: Option<Receipt>,
    /// Who the receipt says it is signed by; only with a key this was checked, and of that key.
    pub signers: Vec<String>,
    /// Records whose leaf hash was made anew, or which were redacted.
    pub records: u64,
    /// Whether the members that people read were made anew and compared: only when this
    /// version of Custody wrote them. Otherwise they are what the folder says.
    pub members_compared: bool,
    /// The differences, in the order in which they were found; at most a thousand.
    pub problems: Vec<Problem>,
    /// Differences beyond these.
    pub more: u64,
}

impl Report {
    /// There is a receipt, and everything is as it says.
    pub fn is_sound(&self) -> bool {
        self.receipt.is_some() && self.problems.is_empty()
    }
}

/// Collects problems, up to the limit.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    more: u64,
}

impl Problems {
    pub(crate) fn file(&mut self, file: &str, what: impl Into<String>) {
        self.push(Problem { file: file.to_owned(), line: None, what: what.into() });
    }

    pub(crate) fn line(&mut self, file: &str, line: u64, what: impl Into<String>) {
        self.push(Problem { file: file.to_owned(), line: Some(line), what: what.into() });
    }

    fn push(&mut self, problem: Problem) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Checks a production by itself: each file that the receipt lists is there with
/// its size and SHA-256 and no other is; the leaf hash of each line, made anew
/// from its bytes, is the line's and the receipt's; what people read is what the
/// bytes say (when this version of Custody wrote it, see [`Report::members_compared`]); positions ascend; counts
/// and digest agree; the receipt is in the form in which it was written.
///
/// Whoever can rewrite the whole folder can rewrite the receipt with it: compare
/// the receipt's `digest` with what was told another way, or with the archive.
///
/// With `key`, the receipt must be signed by it.
///
/// An error means that the folder could not be read, not that it is damaged.
pub fn verify(dir: &Path, key: Option<&PublicKey>) -> Result<Report, Error> {
    if !dir.is_dir() {
        return Err(Error::invalid(format!("there is no production at {}: no such folder", dir.display())));
    }
    let is_there = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok();
    let unfinished = is_there(&part(RECEIPT));
    if !unfinished && !is_there(RECEIPT) && !is_there(RECORDS) {
        return Err(Error::invalid(format!("{} holds no production", dir.display())));
    }
    let mut problems = Problems::default();
    let mut listed = match open(dir, RECEIPT)? {
        Ok(lines) => ReceiptLines::open(lines, &mut problems)?,
        Err(_) if unfinished && !is_there(RECEIPT) => {
            problems.file(
                RECEIPT,
                "it is not there yet: the export is not finished, or was cut short; run it again",
            );
            None
        }
        Err(what) => {
            problems.file(RECEIPT, what);
            None
        }
    };
    if let Some(listed) = &listed {
        request(&listed.receipt, &mut problems)?;
        files(dir, &listed.receipt, &mut problems)?;
    }
    let has_records = listed.as_ref().is_none_or(|listed| has_records(&listed.receipt));
    let (records, members_compared) = match (has_records, open(dir, RECORDS)?) {
        (true, Ok(lines)) => records(lines, listed.as_mut(), &mut problems)?,
        (true, Err(what)) => {
            problems.file(RECORDS, what);
            (0, false)
        }
        // The receipt alone says what the records are; whether they are of their batches it proves.
        (false, _) => {
            while let Some(listed) = &mut listed
                && listed.next(&mut problems)?.is_some()
            {}
            (0, false)
        }
    };
    let mut signers = Vec::new();
    if let Some(listed) = &mut listed {
        listed.totals(&mut problems);
        signers = signature(dir, &listed.receipt.production, key, &mut problems)?;
    }
    let Problems { found, more } = problems;
    let receipt = listed.map(|listed| listed.receipt);
    Ok(Report { receipt, signers, records, members_compared, problems: found, more })
}

/// Opens a regular file, or says why it cannot be one of a production.
fn open(dir: &Path, name: &'static str) -> Result<Result<Lines, &'static str>, Error> {
    let path = dir.join(name);
    // Opening a pipe would wait for ever, and a link may lead out of the folder.
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {
            let file = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
            Ok(Ok(Lines { name, path, reader: BufReader::new(file), number: 0, bytes: Vec::new() }))
        }
        Ok(_) => Ok(Err("it is not a regular file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Err("it is missing")),
        Err(e) => Err(Error::io("read", &path, e)),
    }
}

fn request(receipt: &Receipt, problems: &mut Problems) -> Result<(), Error> {
    let id =
        production_id(&receipt.request, receipt.through_version, &receipt.custody_version, receipt.digest)?;
    if id != receipt.production {
        let what = format!("production {} is not the id of its request, which is {id}", receipt.production);
        problems.file(RECEIPT, what);
    }
    Ok(())
}

/// Checks the lines, against the receipt if there is one; how many there are, and whether
/// the members that people read were compared.
fn records(
    lines: Lines,
    listed: Option<&mut ReceiptLines>,
    problems: &mut Problems,
) -> Result<(u64, bool), Error> {
    let mut lines = RecordLines::new(lines, listed.as_ref().map(|listed| &listed.receipt));
    match listed {
        None => while lines.next(problems)?.is_some() {},
        Some(listed) => {
            compare(&mut lines, listed, problems)?;
            totals(&lines, &listed.receipt, problems);
        }
    }
    Ok((lines.records(), lines.members_compared()))
}

/// Lines and the receipt's records side by side, both in order of position.
fn compare(lines: &mut RecordLines, listed: &mut ReceiptLines, problems: &mut Problems) -> Result<(), Error> {
    let (mut line, mut entry) = (lines.next(problems)?, listed.next(problems)?);
    loop {
        let order = match (&line, &entry) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(line), Some(entry)) => line.position.cmp(&entry.position),
        };
        let found = if order.is_le() { line.take() } else { None };
        let named = if order.is_ge() { entry.take() } else { None };
        pair(found, named, problems);
        if order.is_le() {
            line = lines.next(problems)?;
        }
        if order.is_ge() {
            entry = listed.next(problems)?;
        }
    }
}

/// A line and the entry of the same position, or what one of them lacks.
fn pair(found: Option<Found>, named: Option<Listed>, problems: &mut Problems) {
    match (found, named) {
        (Some(Found { number, position, leaf, is_redacted, batch }), Some(Listed { entry, .. })) => {
            // A record that was withheld without a text in it is whole.
            let places = entry.redactions.iter().flat_map(|rules| rules.values()).any(|count| *count > 0);
            if is_redacted != places {
                let is = if is_redacted { "is redacted, but not" } else { "is not redacted, but" };
                problems.line(RECORDS, number, format!("{position} {is} in the receipt"));
            }
            if leaf != entry.leaf_hash {
                problems.line(RECORDS, number, format!("{position} has another leaf hash in the receipt"));
            }
            if batch != entry.batch {
                problems.line(RECORDS, number, format!("{position} is of another batch in the receipt"));
            }
        }
        (Some(Found { number, position, .. }), None) => {
            problems.line(RECORDS, number, format!("{position} is not in the receipt"));
        }
        (None, Some(Listed { number, position, .. })) => {
            problems.file(RECORDS, format!("{position} is missing; it is in {RECEIPT} line {number}"));
        }
        (None, None) => {}
    }
}

fn totals(lines: &RecordLines, receipt: &Receipt, problems: &mut Problems) {
    if lines.records() != receipt.count {
        problems.file(RECEIPT, format!("count is {}; there are {} records", receipt.count, lines.records()));
    }
    let types = lines.types();
    let names: BTreeSet<&String> = types.keys().chain(receipt.types.keys()).collect();
    for name in names {
        let (found, says) = (types.get(name).unwrap_or(&0), receipt.types.get(name).unwrap_or(&0));
        if found != says {
            problems.file(RECEIPT, format!("types says {says} of {name}; there are {found}"));
        }
    }
    if lines.root() != receipt.digest {
        problems
            .file(RECEIPT, format!("digest is {}; that of the records is {}", receipt.digest, lines.root()));
    }
    for batch in receipt.batches.keys().filter(|batch| !lines.batches_seen().contains(*batch)) {
        problems.file(RECEIPT, format!("no record is of batch {batch}"));
    }
}

/// A file line by line, each with its line end.
pub(crate) struct Lines {
    pub(crate) name: &'static str,
    path: std::path::PathBuf,
    reader: BufReader<File>,
    /// Of the line last read, from 1.
    pub(crate) number: u64,
    bytes: Vec<u8>,
}

impl Lines {
    /// The next line, if there is one and it is not too long to be one of ours.
    pub(crate) fn next(&mut self, problems: &mut Problems) -> Result<Option<&[u8]>, Error> {
        self.bytes.clear();
        let mut limited = (&mut self.reader).take(LINE_BYTES_MAX + 1);
        let read =
            limited.read_until(b'\n', &mut self.bytes).map_err(|e| Error::io("read", &self.path, e))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.bytes.len() as u64 > LINE_BYTES_MAX {
            problems.line(self.name, self.number, "it is too long; the rest of the file was not read");
            return Ok(None);
        }
        Ok(Some(&self.bytes))
    }
}
