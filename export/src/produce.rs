//! Writing a production.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::io::Write;
use std::path::Path;

use custody_archive::{Archive, Record};
use custody_schemas::Position;
use custody_schemas::hash::Tree;

use crate::error::Error;
use crate::folder::{ENTRIES, Folder, Part};
use crate::line::{render, rfc3339_ms};
use crate::plan::{self, Hit};
use crate::receipt::{
    BatchEntry, Entry, EntryLines, RECEIPT_VERSION, RECORDS_BEGIN, RECORDS_END, Receipt, count_type,
};
use crate::request::{Request, production_id};
use crate::settings::{LINE_BYTES_MAX, ROWS_PER_FETCH};
use crate::{HOW_TO, RECORDS};

const HOW_TO_TEXT: &str = include_str!("how_to_verify.txt");

/// Writes the records of `hits` into the folder `out` and gives the receipt.
///
/// `out` is made; one that exists must be empty or the rest of a killed run,
/// which is begun anew. `hits` may come in any order and name a record twice;
/// `through_version` is the archive's version that they are complete through.
/// `progress` is told records done and records in all. Each record is re-hashed
/// when it is read: one that is not what was archived ends the production with
/// an error, and the folder stays without a receipt.
pub fn produce(
    archive: &Archive,
    hits: Vec<Hit>,
    through_version: u64,
    request: &Request,
    out: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Receipt, Error> {
    request.check()?;
    let runs = plan::runs(hits)?;
    let total = runs.iter().map(|run| run.rows.len() as u64).sum();
    let folder = Folder::begin(out)?;
    let mut writing = Writing::new(&folder)?;
    for run in &runs {
        for chunk in run.rows.chunks(ROWS_PER_FETCH) {
            let rows: Vec<u64> = chunk.iter().map(|(row, _)| *row).collect();
            let records = archive.fetch(&run.file, &rows)?;
            let with = records.iter().zip(chunk.iter().map(|(_, deliveries)| *deliveries));
            with.into_iter().try_for_each(|(record, deliveries)| writing.push(record, deliveries))?;
            progress(writing.tree.len(), total);
        }
    }
    let receipt = writing.finish(&folder, through_version, request)?;
    folder.publish()?;
    tracing::info!(
        production = receipt.production,
        records = receipt.count,
        through_version,
        folder = %out.display(),
        "production written"
    );
    Ok(receipt)
}

/// The files of a production, and what is counted on the way.
struct Writing {
    how_to: Part,
    records: Part,
    entries: Part,
    entry_lines: EntryLines,
    line: Vec<u8>,
    last: Option<Position>,
    tree: Tree,
    deliveries: u64,
    types: BTreeMap<String, u64>,
    batches: BTreeMap<String, BatchEntry>,
}

impl Writing {
    fn new(folder: &Folder) -> Result<Self, Error> {
        let mut how_to = folder.create(HOW_TO)?;
        how_to.put(HOW_TO_TEXT.as_bytes())?;
        Ok(Writing {
            how_to,
            records: folder.create(RECORDS)?,
            entries: folder.create(ENTRIES)?,
            entry_lines: EntryLines::default(),
            line: Vec::new(),
            last: None,
            tree: Tree::default(),
            deliveries: 0,
            types: BTreeMap::new(),
            batches: BTreeMap::new(),
        })
    }

    fn push(&mut self, record: &Record, deliveries: u64) -> Result<(), Error> {
        let position = &record.position;
        if let Some(last) = self.last.as_ref().filter(|last| *last >= position) {
            return Err(Error::corrupt(format!("{}: record {position} stands after {last}", record.file)));
        }
        self.line.clear();
        let kind = render(&record.into(), &mut self.line).map_err(|e| Error::json("a record", e))?;
        if self.line.len() as u64 > LINE_BYTES_MAX {
            return Err(Error::invalid(format!(
                "record {position} is larger than a line may be ({LINE_BYTES_MAX} bytes)"
            )));
        }
        self.records.put(&self.line)?;
        let entry = Entry {
            position: position.to_string(),
            leaf_hash: record.leaf,
            batch: record.batch.clone(),
            deliveries,
        };
        self.deliveries += deliveries;
        self.entry_lines.push(&entry, &mut self.entries).map_err(|e| self.entries.failed(e))?;
        self.count(record, &kind)?;
        self.last = Some(position.clone());
        Ok(())
    }

    fn count(&mut self, record: &Record, kind: &str) -> Result<(), Error> {
        self.tree.push(record.leaf);
        count_type(&mut self.types, kind);
        let entry = BatchEntry { root: record.batch_root, archived_time: rfc3339_ms(record.archived_ms) };
        match self.batches.entry(record.batch.clone()) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            btree_map::Entry::Occupied(known) if *known.get() != entry => {
                return Err(Error::corrupt(format!("{}: batch {} has two roots", record.file, record.batch)));
            }
            btree_map::Entry::Occupied(_) => {}
        }
        Ok(())
    }

    fn finish(mut self, folder: &Folder, through_version: u64, request: &Request) -> Result<Receipt, Error> {
        self.entry_lines.end(&mut self.entries).map_err(|e| self.entries.failed(e))?;
        self.entries.flush().map_err(|e| self.entries.failed(e))?;
        let custody_version = env!("CARGO_PKG_VERSION").to_owned();
        let receipt = Receipt {
            format_version: RECEIPT_VERSION,
            production: production_id(request, through_version, &custody_version, self.tree.root())?,
            custody_version,
            request: request.clone(),
            through_version,
            count: self.tree.len(),
            deliveries: self.deliveries,
            types: self.types,
            digest: self.tree.root(),
            files: vec![self.how_to.finish()?, self.records.finish()?],
            batches: self.batches,
        };
        let mut file = folder.receipt()?;
        file.put(receipt.head()?.as_bytes())?;
        file.put(RECORDS_BEGIN.as_bytes())?;
        folder.drain_entries(&mut file)?;
        file.put(RECORDS_END.as_bytes())?;
        file.finish()?;
        Ok(receipt)
    }
}
