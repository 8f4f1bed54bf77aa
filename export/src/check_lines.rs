//! The lines of a production, each checked by itself.

use std::collections::{BTreeMap, BTreeSet};

use custody_schemas::hash::Tree;
use custody_schemas::{Hash, Position};

use crate::check::{Lines, Problems};
use crate::error::Error;
use crate::line::Evidence;
use crate::receipt::{BatchEntry, Receipt, count_type};

/// A line whose bytes were read.
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) position: Position,
    /// Made anew from the line's bytes; of what was redacted, as the line says.
    pub(crate) leaf: Hash,
    pub(crate) is_redacted: bool,
    pub(crate) batch: String,
}

/// Whether the members for people are made anew and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoding {
    /// The same Custody wrote the lines: they must be equal to the byte.
    Compared,
    /// Another one did, and may have decoded more or less.
    Trusted,
}

/// Reads `records.jsonl`.
pub(crate) struct RecordLines {
    lines: Lines,
    /// As the receipt says; `None` when it cannot be read.
    batches: Option<BTreeMap<String, BatchEntry>>,
    decoding: Decoding,
    batches_seen: BTreeSet<String>,
    last: Option<Position>,
    tree: Tree,
    types: BTreeMap<String, u64>,
    rendered: Vec<u8>,
}

impl RecordLines {
    pub(crate) fn new(lines: Lines, receipt: Option<&Receipt>) -> Self {
        let same = receipt.is_none_or(|receipt| receipt.custody_version == env!("CARGO_PKG_VERSION"));
        RecordLines {
            lines,
            batches: receipt.map(|receipt| receipt.batches.clone()),
            decoding: if same { Decoding::Compared } else { Decoding::Trusted },
            batches_seen: BTreeSet::new(),
            last: None,
            tree: Tree::default(),
            types: BTreeMap::new(),
            rendered: Vec::new(),
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.tree.len()
    }

    pub(crate) fn members_compared(&self) -> bool {
        self.decoding == Decoding::Compared
    }

    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    pub(crate) fn types(&self) -> &BTreeMap<String, u64> {
        &self.types
    }

    pub(crate) fn batches_seen(&self) -> &BTreeSet<String> {
        &self.batches_seen
    }

    /// The next line that can be read; those that cannot are problems.
    pub(crate) fn next(&mut self, problems: &mut Problems) -> Result<Option<Found>, Error> {
        loop {
            let Some(line) = self.lines.next(problems)? else { return Ok(None) };
            let read = Evidence::parse(line);
            let mut rendered = std::mem::take(&mut self.rendered);
            rendered.clear();
            if let (Ok(evidence), Decoding::Compared) = (&read, self.decoding) {
                evidence.render(&mut rendered).map_err(|e| Error::json("a record", e))?;
            }
            let differs = !rendered.is_empty() && rendered != line;
            self.rendered = rendered;
            let (name, number) = (self.lines.name, self.lines.number);
            if differs {
                problems.line(name, number, "a member is not what key, headers and payload say");
            }
            match read {
                Ok(evidence) => return Ok(Some(self.check(evidence, problems))),
                Err(what) => problems.line(name, number, what),
            }
        }
    }

    fn check(&mut self, evidence: Evidence, problems: &mut Problems) -> Found {
        let (name, number) = (self.lines.name, self.lines.number);
        let is_redacted = evidence.redactions > 0;
        let leaf = if is_redacted { evidence.leaf_hash } else { evidence.leaf() };
        let position = evidence.position;
        if leaf != evidence.leaf_hash {
            let what = format!(
                "{position} is not what was archived: its leaf hash is {leaf}, not {}",
                evidence.leaf_hash
            );
            problems.line(name, number, what);
        }
        if let Some(last) = self.last.as_ref().filter(|last| **last >= position) {
            let how = if *last == position { "repeats" } else { "does not come after" };
            problems.line(name, number, format!("{position} {how} {last}"));
        }
        if let Some(batches) = &self.batches {
            let same = |listed: &BatchEntry| {
                (listed.root, &listed.archived_time) == (evidence.batch_root, &evidence.archived_time)
            };
            match batches.get(&evidence.batch) {
                None => {
                    problems.line(name, number, format!("batch {} is not in the receipt", evidence.batch))
                }
                Some(listed) if !same(listed) => {
                    problems.line(
                        name,
                        number,
                        format!("batch {} is another in the receipt", evidence.batch),
                    );
                }
                Some(_) => {}
            }
        }
        self.tree.push(leaf);
        count_type(&mut self.types, &evidence.kind);
        if !self.batches_seen.contains(&evidence.batch) {
            self.batches_seen.insert(evidence.batch.clone());
        }
        self.last = Some(position.clone());
        Found { number, position, leaf, is_redacted, batch: evidence.batch }
    }
}
