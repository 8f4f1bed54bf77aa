//! What a production says of every record, in order of position: the first pass.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use custody_archive::{Archive, FileRef};
use custody_schemas::hash::{ProofError, Prover, Tree, root_of};
use custody_schemas::{Hash, Position};

use crate::RECORDS;
use crate::error::Error;
use crate::item::Shown;
use crate::line::{render, rfc3339_ms};
use crate::output::OutFile;
use crate::receipt::{BatchEntry, Entry, EntryLines, FileEntry, count_type};
use crate::redact::Applied;
use crate::settings::LINE_BYTES_MAX;

/// Rows of a batch that are produced.
struct Rows {
    file: Arc<FileRef>,
    rows: Vec<(u64, Hash)>,
}

/// Collects it.
pub(crate) struct Evidence {
    /// `records.jsonl`, if it is asked for.
    records: Option<OutFile>,
    /// The receipt's list of records, until it is known what goes before it.
    entries: BufWriter<File>,
    entry_lines: EntryLines,
    work: std::path::PathBuf,
    line: Vec<u8>,
    last: Option<Position>,
    tree: Tree,
    deliveries: u64,
    context: u64,
    types: BTreeMap<String, u64>,
    redactions: BTreeMap<String, u64>,
    batches: BTreeMap<String, Rows>,
}

/// What the receipt says of all records together.
pub(crate) struct Collected {
    pub(crate) count: u64,
    pub(crate) deliveries: u64,
    /// Records that are no hits.
    pub(crate) context: u64,
    pub(crate) types: BTreeMap<String, u64>,
    /// Places, by rule; of rules that found nothing there is none.
    pub(crate) redactions: BTreeMap<String, u64>,
    pub(crate) digest: Hash,
    pub(crate) batches: BTreeMap<String, BatchEntry>,
    /// How many records of a batch are produced, by its id.
    pub(crate) produced: BTreeMap<String, u64>,
    pub(crate) records: Option<FileEntry>,
    pub(crate) entries: Entries,
}

/// The lines of the receipt's list of records.
pub(crate) struct Entries(File);

impl Entries {
    /// Copies them to the end of a file.
    pub(crate) fn copy(mut self, into: &mut OutFile) -> Result<(), Error> {
        let copied = self.0.rewind().and_then(|()| io::copy(&mut self.0, into));
        copied.map(drop).map_err(|e| into.failed(e))
    }
}

impl Evidence {
    pub(crate) fn begin(work: &Path, with_records: bool) -> Result<Self, Error> {
        let entries = tempfile::tempfile_in(work).map_err(|e| Error::io("write into", work, e))?;
        Ok(Evidence {
            records: if with_records { Some(OutFile::create(work, RECORDS)?) } else { None },
            entries: BufWriter::new(entries),
            entry_lines: EntryLines::default(),
            work: work.to_owned(),
            line: Vec::new(),
            last: None,
            tree: Tree::default(),
            deliveries: 0,
            context: 0,
            types: BTreeMap::new(),
            redactions: BTreeMap::new(),
            batches: BTreeMap::new(),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.tree.len()
    }

    /// The next record: row `row` of its batch, which is in `file`; `kind` is its short type.
    pub(crate) fn push(
        &mut self,
        shown: &Shown,
        kind: &str,
        (file, row): (&Arc<FileRef>, u64),
        redacted: Vec<Applied>,
    ) -> Result<(), Error> {
        let position = &shown.position;
        if let Some(last) = self.last.as_ref().filter(|last| *last >= position) {
            return Err(Error::corrupt(format!("{}: record {position} stands after {last}", file.path)));
        }
        if let Some(records) = &mut self.records {
            self.line.clear();
            render(&shown.into(), &mut self.line).map_err(|e| Error::json("a record", e))?;
            if self.line.len() as u64 > LINE_BYTES_MAX {
                return Err(Error::invalid(format!(
                    "record {position} is larger than a line may be ({LINE_BYTES_MAX} bytes)"
                )));
            }
            records.put(&self.line)?;
        }
        let entry = Entry {
            position: position.to_string(),
            leaf_hash: shown.leaf,
            batch: shown.batch.clone(),
            row: Some(row),
            deliveries: shown.deliveries,
            context: shown.is_context,
            redactions: (!redacted.is_empty())
                .then(|| redacted.iter().map(|applied| (applied.rule.clone(), applied.count)).collect()),
        };
        self.entry_lines
            .push(&entry, &mut self.entries)
            .map_err(|e| Error::io("write into", &self.work, e))?;
        self.tree.push(shown.leaf);
        count_type(&mut self.types, kind);
        match shown.is_context {
            true => self.context += 1,
            false => self.deliveries += shown.deliveries,
        }
        for Applied { rule, count } in redacted {
            *self.redactions.entry(rule).or_default() += count;
        }
        self.last = Some(position.clone());
        match self.batches.entry(shown.batch.clone()) {
            btree_map::Entry::Vacant(new) => {
                new.insert(Rows { file: file.clone(), rows: vec![(row, shown.leaf)] });
            }
            btree_map::Entry::Occupied(mut known) => {
                if known.get().file.manifest.root != shown.batch_root {
                    return Err(Error::corrupt(format!(
                        "{}: batch {} has two roots",
                        file.path, shown.batch
                    )));
                }
                known.get_mut().rows.push((row, shown.leaf));
            }
        }
        Ok(())
    }

    /// No more come. Proves each batch's root anew from its records, those that are not produced
    /// included.
    pub(crate) fn finish(mut self, archive: &Archive) -> Result<Collected, Error> {
        let failed = |e| Error::io("write into", &self.work, e);
        self.entry_lines.end(&mut self.entries).map_err(failed)?;
        self.entries.flush().map_err(failed)?;
        let entries =
            self.entries.into_inner().map_err(|e| Error::io("write into", &self.work, e.into_error()))?;
        let (mut batches, mut produced) = (BTreeMap::new(), BTreeMap::new());
        for (id, batch) in self.batches {
            produced.insert(id.clone(), batch.rows.len() as u64);
            batches.insert(id, prove(archive, batch)?);
        }
        Ok(Collected {
            count: self.tree.len(),
            deliveries: self.deliveries,
            context: self.context,
            types: self.types,
            redactions: self.redactions,
            digest: self.tree.root(),
            batches,
            produced,
            records: self.records.map(OutFile::finish).transpose()?,
            entries: Entries(entries),
        })
    }
}

/// The hashes that lead from the produced records of a batch to its root.
fn prove(archive: &Archive, batch: Rows) -> Result<BatchEntry, Error> {
    let Rows { file, mut rows } = batch;
    let manifest = &file.manifest;
    rows.sort_unstable();
    let numbers: Vec<u64> = rows.iter().map(|(row, _)| *row).collect();
    // Of a batch that is produced whole the records themselves are the proof.
    let proof =
        if numbers.len() as u64 == manifest.rows { Vec::new() } else { path(archive, &file, &numbers)? };
    let wrong = |what: &str| Error::corrupt(format!("{}: batch {}: {what}", file.path, manifest.batch));
    let root = root_of(manifest.rows, &rows, &proof).map_err(|e| wrong(&e.to_string()))?;
    if root != manifest.root {
        return Err(wrong("its records do not give the root that it was sealed with; run `custody verify`"));
    }
    let archived_time = rfc3339_ms(manifest.archived_ms);
    Ok(BatchEntry { root, archived_time, rows: Some(manifest.rows), proof: Some(proof) })
}

fn path(archive: &Archive, file: &FileRef, rows: &[u64]) -> Result<Vec<Hash>, Error> {
    let wrong = |e: ProofError| Error::corrupt(format!("{}: {e}", file.path));
    let mut prover = Prover::new(rows).map_err(wrong)?;
    archive.leaves(file, &mut |leaf| prover.push(leaf))?;
    prover.finish().map_err(wrong)
}
