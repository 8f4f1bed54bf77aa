//! Reading a receipt line by line, in the one form that it has.

use std::collections::BTreeMap;

use custody_schemas::hash::{Tree, root_of};
use custody_schemas::{Hash, Position};
use serde::Deserialize;

use crate::check::{Lines, Problems};
use crate::error::Error;
use crate::receipt::{Entry, RECEIPT_VERSION, RECEIPT_VERSION_1, RECORDS_BEGIN, RECORDS_END, Receipt};

/// Lines before the records are as many as the receipt has members; a few more
/// are read to say what is wrong.
const HEAD_LINES_MAX: u64 = 64;

const OTHER_FORM: &str = "it is not in the form in which custody writes a receipt";

/// A record as the receipt lists it.
pub(crate) struct Listed {
    pub(crate) number: u64,
    pub(crate) position: Position,
    pub(crate) entry: Entry,
}

/// Reads `receipt.json`.
pub(crate) struct ReceiptLines {
    pub(crate) receipt: Receipt,
    lines: Lines,
    /// Deliveries of the records that were read.
    pub(crate) deliveries: u64,
    /// Their leaves, in order of position.
    pub(crate) tree: Tree,
    /// Their leaves by row, by batch.
    leaves: BTreeMap<String, Vec<(u64, Hash)>>,
    /// Places that were redacted, by rule.
    redactions: BTreeMap<String, u64>,
    /// The last line before the records.
    head_end: u64,
    last: Option<Position>,
    /// The line before said that another follows.
    more: bool,
    ended: bool,
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

impl ReceiptLines {
    /// Reads what goes before the records; `None` when it cannot be read.
    pub(crate) fn open(mut lines: Lines, problems: &mut Problems) -> Result<Option<Self>, Error> {
        let Some(head) = head(&mut lines, problems)? else { return Ok(None) };
        let receipt = match Receipt::parse_head(&head) {
            Ok(receipt) if is_known(receipt.format_version) => receipt,
            Ok(Receipt { format_version, .. }) => {
                problems.file(lines.name, unknown(format_version));
                return Ok(None);
            }
            Err(error) => {
                problems.file(lines.name, unreadable(&head, &error));
                return Ok(None);
            }
        };
        if receipt.head()?.as_bytes() != head {
            problems.file(lines.name, OTHER_FORM);
        }
        let head_end = lines.number;
        Ok(Some(ReceiptLines {
            receipt,
            lines,
            deliveries: 0,
            tree: Tree::default(),
            leaves: BTreeMap::new(),
            redactions: BTreeMap::new(),
            head_end,
            last: None,
            more: false,
            ended: false,
        }))
    }

    /// The next record; lines that cannot be read are problems.
    pub(crate) fn next(&mut self, problems: &mut Problems) -> Result<Option<Listed>, Error> {
        while !self.ended {
            let (name, first) = (self.lines.name, self.lines.number == self.head_end);
            let Some(line) = self.lines.next(problems)? else {
                problems.file(name, "it ends before its end: the file was cut");
                self.ended = true;
                break;
            };
            if line == RECORDS_END.as_bytes() {
                self.ended = true;
                self.end(problems)?;
                break;
            }
            let (json, more) = match (line.strip_suffix(b",\n"), line.strip_suffix(b"\n")) {
                (Some(json), _) => (json, true),
                (None, Some(json)) => (json, false),
                (None, None) => (line, false),
            };
            let read = listed(json);
            let number = self.lines.number;
            if !first && !self.more {
                problems.line(name, number, OTHER_FORM);
            }
            self.more = more;
            match read {
                Ok((position, entry)) => {
                    if !entry.context {
                        self.deliveries = self.deliveries.saturating_add(entry.deliveries);
                    }
                    self.redacted(&entry);
                    self.tree.push(entry.leaf_hash);
                    match (entry.row, self.receipt.format_version) {
                        (Some(row), RECEIPT_VERSION) => self.prove(&entry, row),
                        (None, RECEIPT_VERSION_1) => {}
                        _ => problems.line(name, number, OTHER_FORM),
                    }
                    if entry.deliveries == 0 {
                        problems.line(name, number, format!("{position} was never delivered"));
                    }
                    let before = self.last.replace(position.clone()).filter(|last| *last >= position);
                    if let Some(last) = before {
                        problems.line(name, number, format!("{position} does not come after {last}"));
                    }
                    return Ok(Some(Listed { number, position, entry }));
                }
                Err(what) => problems.line(name, number, what),
            }
        }
        Ok(None)
    }

    fn redacted(&mut self, entry: &Entry) {
        for (rule, count) in entry.redactions.iter().flatten() {
            let sum = self.redactions.entry(rule.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    fn prove(&mut self, entry: &Entry, row: u64) {
        match self.leaves.get_mut(&entry.batch) {
            Some(leaves) => leaves.push((row, entry.leaf_hash)),
            None => {
                self.leaves.insert(entry.batch.clone(), vec![(row, entry.leaf_hash)]);
            }
        }
    }

    /// After the last record: what all of them together say, and that they are of their batches.
    pub(crate) fn totals(&mut self, problems: &mut Problems) {
        let (name, receipt) = (self.lines.name, &self.receipt);
        if self.deliveries != receipt.deliveries {
            let says = receipt.deliveries;
            problems
                .file(name, format!("deliveries is {says}; those of the records are {}", self.deliveries));
        }
        if receipt.format_version == RECEIPT_VERSION_1 {
            return;
        }
        if self.tree.len() != receipt.count {
            let listed = self.tree.len();
            problems.file(name, format!("count is {}; it lists {listed} records", receipt.count));
        }
        if self.tree.root() != receipt.digest {
            let (says, root) = (receipt.digest, self.tree.root());
            problems.file(name, format!("digest is {says}; that of the records that it lists is {root}"));
        }
        if receipt.types.values().copied().fold(0, u64::saturating_add) != receipt.count {
            problems.file(name, format!("types are not those of {} records", receipt.count));
        }
        let told = receipt.redactions.iter().flatten().map(|(rule, redacted)| (rule, redacted.count));
        let told: BTreeMap<_, _> = told.filter(|(_, count)| *count > 0).collect();
        let found: BTreeMap<_, _> = self
            .redactions
            .iter()
            .map(|(rule, count)| (rule, *count))
            .filter(|(_, count)| *count > 0)
            .collect();
        if told != found {
            problems.file(name, "redactions are not those of the records");
        }
        for batch in self.leaves.keys().filter(|batch| !receipt.batches.contains_key(*batch)) {
            problems.file(name, format!("batch {batch} is not in its list of batches"));
        }
        for (batch, entry) in &receipt.batches {
            let Some(leaves) = self.leaves.get_mut(batch) else {
                problems.file(name, format!("no record is of batch {batch}"));
                continue;
            };
            leaves.sort_unstable();
            match (entry.rows, &entry.proof) {
                (Some(rows), Some(proof)) => match root_of(rows, leaves, proof) {
                    Ok(root) if root == entry.root => {}
                    Ok(root) => problems.file(
                        name,
                        format!("the records of batch {batch} lead to root {root}, not {}", entry.root),
                    ),
                    Err(error) => problems.file(name, format!("the proof of batch {batch}: {error}")),
                },
                _ => problems.file(name, OTHER_FORM),
            }
        }
    }

    /// After the end nothing may follow, and before it no comma.
    fn end(&mut self, problems: &mut Problems) -> Result<(), Error> {
        let (name, number) = (self.lines.name, self.lines.number);
        if self.more {
            problems.line(name, number, OTHER_FORM);
        }
        if self.lines.next(problems)?.is_some() {
            problems.line(name, number + 1, "something follows the end of the receipt");
        }
        Ok(())
    }
}

fn head(lines: &mut Lines, problems: &mut Problems) -> Result<Option<Vec<u8>>, Error> {
    let mut head = Vec::new();
    while let Some(line) = lines.next(problems)? {
        if line == RECORDS_BEGIN.as_bytes() {
            return Ok(Some(head));
        }
        head.extend_from_slice(line);
        if lines.number == HEAD_LINES_MAX {
            break;
        }
    }
    problems.file(lines.name, format!("{OTHER_FORM}: the list of records is not found"));
    Ok(None)
}

fn is_known(version: u32) -> bool {
    [RECEIPT_VERSION_1, RECEIPT_VERSION].contains(&version)
}

fn unknown(version: u32) -> String {
    format!("its format version is {version}; this custody knows {RECEIPT_VERSION_1} and {RECEIPT_VERSION}")
}

fn unreadable(head: &[u8], error: &serde_json::Error) -> String {
    let trimmed = head.trim_ascii_end();
    let object = [trimmed.strip_suffix(b",").unwrap_or(trimmed), b"}"].concat();
    match serde_json::from_slice(&object) {
        Ok(Version { format_version }) if !is_known(format_version) => unknown(format_version),
        _ => format!("it cannot be read: {error}"),
    }
}

fn listed(json: &[u8]) -> Result<(Position, Entry), String> {
    let entry: Entry =
        serde_json::from_slice(json).map_err(|e| format!("it is not the entry of a record: {e}"))?;
    let position: Position =
        entry.position.parse().map_err(|e: custody_schemas::position::NotAPosition| e.to_string())?;
    let rendered = serde_json::to_vec(&entry).map_err(|e| e.to_string())?;
    if rendered != json || position.to_string() != entry.position {
        return Err(OTHER_FORM.to_owned());
    }
    Ok((position, entry))
}
