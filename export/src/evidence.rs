//! What a production says of every record, in order of position: the first pass.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use custody_archive::{Archive, FileRef, at_once};
use custody_schemas::hash::{ProofError, Prover, Tree, root_of};
use custody_schemas::{Hash, Position};

use crate::RECORDS;
use crate::error::Error;
use crate::item::Item;
use crate::line;
use crate::output::OutFile;
use crate::plan::Run;
use crate::receipt::{BatchEntry, Entry, EntryLines, FileEntry, count_type};
use crate::redact::Applied;
use crate::settings::{LINE_BYTES_MAX, READ_BYTES};

/// Bytes of a line beside twice the payload, and of an entry: guesses that save growing.
const LINE_BYTES: usize = 1_024;
/// See [`LINE_BYTES`].
const ENTRY_BYTES: usize = 256;

/// Some records in their order, as files and lists have them: threads make it.
pub(crate) struct Listed {
    /// Lines of `records.jsonl`, if it is asked for.
    lines: Option<Vec<u8>>,
    /// The receipt's entries, as its list has them.
    entries: Vec<u8>,
    entry_lines: EntryLines,
    records: Vec<Counted>,
}

/// What is counted of a record, and compared.
struct Counted {
    position: Position,
    leaf: Hash,
    batch_root: Hash,
    kind: String,
    /// How many deliveries it stands for: none where it is no hit.
    deliveries: u64,
    redacted: Vec<Applied>,
}

impl Listed {
    /// No records yet, with or without lines; room for so many, and bytes of their payloads.
    pub(crate) fn new(has_lines: bool, records: usize, bytes: usize) -> Self {
        Listed {
            lines: has_lines.then(|| Vec::with_capacity(2 * bytes + records * LINE_BYTES)),
            entries: Vec::with_capacity(records * ENTRY_BYTES),
            entry_lines: EntryLines::default(),
            records: Vec::with_capacity(records),
        }
    }

    /// Adds a record: row `row` of its batch.
    pub(crate) fn push(&mut self, item: &Item<'_>, row: u64, redacted: Vec<Applied>) -> Result<(), Error> {
        let (shown, position) = (item.shown, &item.shown.position);
        if let Some(lines) = &mut self.lines {
            let before = lines.len();
            line::write(item, lines).map_err(|e| Error::json("a record", e))?;
            if (lines.len() - before) as u64 > LINE_BYTES_MAX {
                return Err(Error::invalid(format!(
                    "record {position} is larger than a line may be ({LINE_BYTES_MAX} bytes)"
                )));
            }
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
        let written = self.entry_lines.push(&entry, &mut self.entries);
        written.map_err(|e| Error::corrupt(format!("cannot write an entry of the receipt: {e}")))?;
        self.records.push(Counted {
            position: position.clone(),
            leaf: shown.leaf,
            batch_root: shown.batch_root,
            kind: item.kind.clone(),
            deliveries: if shown.is_context { 0 } else { shown.deliveries },
            redacted,
        });
        Ok(())
    }
}

/// Collects it.
pub(crate) struct Evidence {
    /// `records.jsonl`, if it is asked for.
    records: Option<OutFile>,
    /// The receipt's list of records, until it is known what goes before it.
    entries: BufWriter<File>,
    entry_lines: EntryLines,
    /// The leaf hashes, until each batch is proven: they are more than memory should hold.
    leaves: BufWriter<File>,
    work: PathBuf,
    last: Option<Position>,
    tree: Tree,
    deliveries: u64,
    types: BTreeMap<String, u64>,
    redactions: BTreeMap<String, u64>,
}

/// What the receipt says of all records together.
pub(crate) struct Collected {
    pub(crate) count: u64,
    pub(crate) deliveries: u64,
    pub(crate) types: BTreeMap<String, u64>,
    /// Places, by rule; of rules that found nothing there is none.
    pub(crate) redactions: BTreeMap<String, u64>,
    pub(crate) digest: Hash,
    pub(crate) batches: BTreeMap<String, BatchEntry>,
    pub(crate) records: Option<FileEntry>,
    pub(crate) entries: Entries,
}

/// The lines of the receipt's list of records.
pub(crate) struct Entries(File);

impl Entries {
    /// Copies them to the end of a file.
    pub(crate) fn copy(mut self, into: &mut OutFile) -> Result<(), Error> {
        let copied = self.0.rewind().and_then(|()| {
            let (mut buffer, mut from) = (vec![0; READ_BYTES], &self.0);
            loop {
                match from.read(&mut buffer)? {
                    0 => return Ok(()),
                    read => into.write_all(&buffer[..read])?,
                }
            }
        });
        copied.map_err(|e| into.failed(e))
    }
}

impl Evidence {
    pub(crate) fn begin(work: &Path, with_records: bool) -> Result<Self, Error> {
        let temporary = || {
            let file = tempfile::tempfile_in(work).map_err(|e| Error::io("write into", work, e))?;
            Ok::<_, Error>(BufWriter::with_capacity(READ_BYTES, file))
        };
        Ok(Evidence {
            records: if with_records { Some(OutFile::create(work, RECORDS)?) } else { None },
            entries: temporary()?,
            entry_lines: EntryLines::default(),
            leaves: temporary()?,
            work: work.to_owned(),
            last: None,
            tree: Tree::default(),
            deliveries: 0,
            types: BTreeMap::new(),
            redactions: BTreeMap::new(),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether lines of `records.jsonl` are to be made.
    pub(crate) fn has_lines(&self) -> bool {
        self.records.is_some()
    }

    /// The next records, all of them of one batch, which is in `file`.
    pub(crate) fn push(&mut self, listed: Listed, file: &FileRef) -> Result<(), Error> {
        for record in &listed.records {
            if let Some(last) = self.last.as_ref().filter(|last| *last >= &record.position) {
                let (path, position) = (&file.path, &record.position);
                return Err(Error::corrupt(format!("{path}: record {position} stands after {last}")));
            }
            if record.batch_root != file.manifest.root {
                let (path, batch) = (&file.path, &file.manifest.batch);
                return Err(Error::corrupt(format!("{path}: batch {batch} has two roots")));
            }
            self.count(record);
            self.leaves.write_all(&record.leaf.0).map_err(|e| self.failed(e))?;
            self.last = Some(record.position.clone());
        }
        if let (Some(records), Some(lines)) = (&mut self.records, &listed.lines) {
            records.put(lines)?;
        }
        if !listed.records.is_empty() {
            let written = self.entry_lines.push_all(&listed.entries, &mut self.entries);
            written.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    fn count(&mut self, record: &Counted) {
        self.tree.push(record.leaf);
        self.deliveries += record.deliveries;
        count_type(&mut self.types, &record.kind);
        for Applied { rule, count } in &record.redacted {
            *self.redactions.entry(rule.clone()).or_default() += count;
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io("write into", &self.work, error)
    }

    /// No more come of these runs. Proves each batch's root anew from its records, those that are not
    /// produced included.
    pub(crate) fn finish(
        mut self,
        archive: &Archive,
        runs: &[Run],
        threads: NonZeroUsize,
    ) -> Result<Collected, Error> {
        let work = self.work;
        let failed = |e| Error::io("write into", &work, e);
        self.entry_lines.end(&mut self.entries).map_err(failed)?;
        let whole = |file: BufWriter<File>| file.into_inner().map_err(|e| failed(e.into_error()));
        let (entries, leaves) = (whole(self.entries)?, whole(self.leaves)?);
        Ok(Collected {
            count: self.tree.len(),
            deliveries: self.deliveries,
            types: self.types,
            redactions: self.redactions,
            digest: self.tree.root(),
            batches: proven(archive, runs, &leaves, threads)?,
            records: self.records.map(OutFile::finish).transpose()?,
            entries: Entries(entries),
        })
    }
}

/// A batch that records of a production are of.
struct Batch<'r> {
    /// Its runs, each with the number of the first record among all.
    runs: Vec<(&'r Run, u64)>,
}

/// Proves every batch, with the leaf hashes of all records in their order.
fn proven(
    archive: &Archive,
    runs: &[Run],
    leaves: &File,
    threads: NonZeroUsize,
) -> Result<BTreeMap<String, BatchEntry>, Error> {
    let (mut batches, mut first) = (BTreeMap::<&str, Batch<'_>>::new(), 0);
    for run in runs {
        let batch = batches.entry(&run.file.manifest.batch);
        batch.or_insert(Batch { runs: Vec::new() }).runs.push((run, first));
        first += run.rows.len() as u64;
    }
    let waiting = Mutex::new(batches.into_iter());
    let next = || {
        let (id, batch) = waiting.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        Some(batch.prove(archive, leaves).map(|entry| (id.to_owned(), entry)))
    };
    let mut proven = BTreeMap::new();
    at_once(threads, next, |(id, entry)| {
        proven.insert(id, entry);
    })?;
    Ok(proven)
}

impl Batch<'_> {
    /// Its rows that are produced, in order, with their leaf hashes.
    fn rows(&self, leaves: &File) -> io::Result<Vec<(u64, Hash)>> {
        let mut rows = Vec::with_capacity(self.runs.iter().map(|(run, _)| run.rows.len()).sum());
        for (run, first) in &self.runs {
            let mut bytes = vec![[0; 32]; run.rows.len()];
            leaves.read_exact_at(bytes.as_flattened_mut(), first * 32)?;
            rows.extend(run.rows.iter().zip(bytes).map(|(row, leaf)| (row.row, Hash(leaf))));
        }
        rows.sort_unstable();
        Ok(rows)
    }

    /// The hashes that lead from its produced records to its root.
    fn prove(&self, archive: &Archive, leaves: &File) -> Result<BatchEntry, Error> {
        let Some((Run { file, .. }, _)) = self.runs.first() else {
            return Err(Error::corrupt("a batch without a record"));
        };
        let manifest = &file.manifest;
        let wrong = |what: &str| Error::corrupt(format!("{}: batch {}: {what}", file.path, manifest.batch));
        let rows = self.rows(leaves).map_err(|e| wrong(&format!("its leaf hashes cannot be read: {e}")))?;
        let numbers: Vec<u64> = rows.iter().map(|(row, _)| *row).collect();
        // Of a batch that is produced whole the records themselves are the proof.
        let proof =
            if numbers.len() as u64 == manifest.rows { Vec::new() } else { path(archive, file, &numbers)? };
        let root = root_of(manifest.rows, &rows, &proof).map_err(|e| wrong(&e.to_string()))?;
        if root != manifest.root {
            let what = "its records do not give the root that it was sealed with; run `custody verify`";
            return Err(wrong(what));
        }
        let archived_time = line::rfc3339_ms(manifest.archived_ms);
        Ok(BatchEntry { root, archived_time, rows: Some(manifest.rows), proof: Some(proof) })
    }
}

fn path(archive: &Archive, file: &FileRef, rows: &[u64]) -> Result<Vec<Hash>, Error> {
    let wrong = |e: ProofError| Error::corrupt(format!("{}: {e}", file.path));
    let mut prover = Prover::new(rows).map_err(wrong)?;
    archive.leaves(file, &mut |leaf| prover.push(leaf))?;
    prover.finish().map_err(wrong)
}
