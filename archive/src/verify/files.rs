//! One file: its bytes, its record, every row of each of its batches.

use std::slice;

use bytes::Bytes;
use custody_schemas::hash::Tree;
use custody_schemas::manifest::Part;
use custody_schemas::{Hash, Incoming, Manifest, Position, gap};

use super::Report;
use crate::actions::{Action, Change, DataFile};
use crate::error::{Error, Kind};
use crate::groups::Input;
use crate::log::{self, Compaction, FileRef};
use crate::read::{Archive, Columns, Footer, footer, rows_of};
use crate::rows::is_check;
use crate::template::Filler;
use crate::view::{Rows, Verbatim};
use crate::writer::month;

/// A live file, as the commit that added it describes it. There may be very many: what its footer
/// must say is read again from the commit when it is this file's turn.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    /// The version of that commit.
    pub(super) version: u64,
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: Hash,
    /// The versions that archived its batches, and what stands for their manifests.
    pub(super) batches: Vec<(u64, Hash)>,
    rows: u64,
    retention_class: String,
    archive_month: String,
    modified_ms: i64,
    change: Change,
}

impl StoredFile {
    pub(super) fn archived(version: u64, file: &FileRef) -> Self {
        StoredFile {
            version,
            path: file.path.clone(),
            bytes: file.bytes,
            sha256: file.sha256,
            batches: vec![(version, digest(&file.manifest))],
            rows: file.manifest.rows,
            retention_class: file.manifest.retention_class.clone(),
            archive_month: month(file.manifest.archived_ms),
            modified_ms: file.manifest.archived_ms,
            change: Change::Data,
        }
    }

    pub(super) fn compacted(version: u64, compaction: &Compaction) -> Self {
        let Compaction { file, compacted_ms, compacted } = compaction;
        let batches = compacted.batches.iter();
        StoredFile {
            version,
            path: file.path.clone(),
            bytes: file.bytes,
            sha256: file.sha256,
            batches: batches.map(|batch| (batch.version, digest(&batch.manifest))).collect(),
            rows: compacted.rows(),
            retention_class: compacted.class().to_owned(),
            archive_month: compacted.month(),
            modified_ms: *compacted_ms,
            change: Change::Layout,
        }
    }

    /// The action that added it.
    pub(super) fn add(&self) -> Action {
        let file = DataFile {
            path: &self.path,
            bytes: self.bytes,
            retention_class: &self.retention_class,
            archive_month: &self.archive_month,
        };
        file.add(self.rows, self.modified_ms, self.change)
    }

    /// What its footer must say.
    fn record(&self, archive: &Archive) -> Result<Footer, Error> {
        let commit = log::read(&archive.store, self.version)?;
        let (file, record) = match commit.map(|commit| (commit.compaction, commit.files.into_iter().next())) {
            Some((Some(compaction), _)) => {
                (StoredFile::compacted(self.version, &compaction), Footer::Compacted(compaction.compacted))
            }
            Some((None, Some(file))) => {
                (StoredFile::archived(self.version, &file), Footer::Batch(file.manifest))
            }
            _ => return Err(self.changed()),
        };
        let same = (&file.path, file.sha256, &file.batches) == (&self.path, self.sha256, &self.batches);
        if same { Ok(record) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::corrupt(format!("version {}: its commit was changed while it was verified", self.version))
    }
}

/// Equal for the same manifests and for no others.
fn digest(manifest: &Manifest) -> Hash {
    // A manifest can always be written: it was read from a text.
    Hash::of(&serde_json::to_vec(manifest).unwrap_or_default())
}

/// Damage of one file is a problem to name; a store that does not answer is not.
pub(super) fn check(
    archive: &Archive,
    file: &StoredFile,
    bytes: Bytes,
    report: &mut Report,
) -> Result<(), Error> {
    match check_content(archive, file, bytes, report) {
        Err(error) if error.kind == Kind::Corrupt => {
            report.problem(&file.path, error.to_string());
            Ok(())
        }
        other => other,
    }
}

fn check_content(
    archive: &Archive,
    file: &StoredFile,
    bytes: Bytes,
    report: &mut Report,
) -> Result<(), Error> {
    let record = file.record(archive)?;
    report.bytes += bytes.len() as u64;
    if bytes.len() as u64 != file.bytes {
        report.problem(&file.path, format!("has {} bytes, was archived with {}", bytes.len(), file.bytes));
    }
    let intact = Hash::of(&bytes) == file.sha256;
    if !intact {
        report.problem(&file.path, "its SHA-256 is not the one in the commit");
    }
    if footer(&file.path, &Input::Memory(bytes.clone()))? != record {
        if intact {
            // The file is as it was written, so its footer is right.
            let what = format!("its record is not the one in the footer of {}", file.path);
            report.problem(format!("version {}", file.version), what);
        } else {
            report.problem(&file.path, "the record in its footer is not the one in the commit");
        }
    }
    let batches: Vec<&Manifest> = match &record {
        Footer::Batch(manifest) => vec![manifest],
        Footer::Compacted(compacted) => compacted.batches.iter().map(|batch| &batch.manifest).collect(),
    };
    // A record without batches is a fault of its commit, and named there.
    let Some((first, left)) = batches.split_first() else { return Ok(()) };
    let mut proof = Proof::new(file, first, left);
    for rows in rows_of(&file.path, bytes, Columns::Leaves)? {
        proof.rows(&rows?, report)?;
    }
    proof.finish(report);
    Ok(())
}

/// Follows the rows of a file through its batches.
struct Proof<'a> {
    file: &'a StoredFile,
    batch: &'a Manifest,
    left: slice::Iter<'a, &'a Manifest>,
    tree: Tree,
    places: Places<'a>,
    filler: Filler,
}

impl<'a> Proof<'a> {
    fn new(file: &'a StoredFile, batch: &'a Manifest, left: &'a [&'a Manifest]) -> Self {
        let (tree, places, filler) = (Tree::default(), Places::new(&batch.parts), Filler::default());
        Proof { file, batch, left: left.iter(), tree, places, filler }
    }

    fn rows(&mut self, rows: &Rows, report: &mut Report) -> Result<(), Error> {
        let verbatim = rows.verbatim()?;
        let (stored, batches) = (rows.stored_checks()?, rows.batch_ids()?);
        for (row, leaf) in verbatim.leaves(&mut self.filler).into_iter().enumerate() {
            self.before_row(report);
            let partition =
                (verbatim.topic.value(row), verbatim.generation.value(row), verbatim.partition.value(row));
            let offset = verbatim.offset.value(row);
            let placed = self.places.step(partition, offset);
            if let Ok(Step::Gap(part)) = &placed
                && let Ok(payload) = verbatim.payload(row, &mut self.filler)
            {
                gap_row(self.file, &verbatim, row, part, payload, report);
            }
            // Without a leaf the root cannot be right either.
            self.tree.push(leaf.unwrap_or(Hash([0; 32])));
            let mut problem = |what: &str| {
                let (topic, generation, number) = partition;
                let place = format!("{} record {topic}:{generation}:{number}:{offset}", self.file.path);
                report.problem(place, what);
            };
            match leaf {
                Ok(leaf) if is_check(stored.value(row), &leaf) => {}
                Ok(_) => problem("its bytes do not have the leaf hash that was archived with them"),
                Err(unfillable) => problem(&unfillable.to_string()),
            }
            if batches.value(row) != self.batch.batch {
                problem("it names another batch than the one that it stands in");
            }
            if let Err(what) = placed {
                problem(what);
            }
        }
        Ok(())
    }

    /// Moves on over batches whose rows were all there. Rows that are too many count to the last.
    fn before_row(&mut self, report: &mut Report) {
        while self.tree.len() >= self.batch.rows {
            let Some(next) = self.left.next() else { return };
            self.batch_ends(report);
            self.batch = next;
            self.places = Places::new(&next.parts);
        }
    }

    fn batch_ends(&mut self, report: &mut Report) {
        let (tree, batch) = (std::mem::take(&mut self.tree), self.batch);
        let place = match self.file.change {
            Change::Data => self.file.path.clone(),
            Change::Layout => format!("{} batch {}", self.file.path, batch.batch),
        };
        report.records += tree.len().saturating_sub(self.places.gaps);
        report.gaps += self.places.gaps;
        if tree.len() != batch.rows {
            report.problem(&place, format!("has {} rows, its manifest {}", tree.len(), batch.rows));
        }
        if tree.root() != batch.root {
            let what = format!("its Merkle root is {}, its manifest's {}", tree.root(), batch.root);
            report.problem(&place, what);
        }
        let places = std::mem::replace(&mut self.places, Places::new(&[]));
        if let Some(what) = places.finish() {
            report.problem(&place, what);
        }
    }

    fn finish(mut self, report: &mut Report) {
        self.batch_ends(report);
        while let Some(next) = self.left.next() {
            self.batch = next;
            self.places = Places::new(&next.parts);
            self.batch_ends(report);
        }
    }
}

/// The row of a gap says what the manifest says of it.
fn gap_row(
    file: &StoredFile,
    verbatim: &Verbatim<'_>,
    row: usize,
    part: &Part,
    payload: Option<&[u8]>,
    report: &mut Report,
) {
    let headers: Vec<_> = verbatim.headers(row).collect();
    let incoming = Incoming {
        // It has none; one that cannot be filled in is not none.
        key: verbatim.key(row).unwrap_or(Some(&[])),
        headers: &headers,
        payload,
        broker_time_ms: verbatim.broker_time_ms(row),
    };
    let offset = verbatim.offset.value(row);
    let position = Position { partition: part.partition.clone(), offset };
    if gap::parse(&position, &incoming).as_ref() != part.gap_at(offset) {
        report.problem(
            format!("{} record {position}", file.path),
            "it is the row of a gap, and does not say what its manifest says of it",
        );
    }
}

/// Follows a file's rows along the spans of its manifest: partitions in order, offsets rising inside
/// the span, of each gap its first and no other, the counts exact.
struct Places<'a> {
    parts: &'a [Part],
    at: usize,
    rows: u64,
    next: i64,
    /// Rows of gaps in all parts, and the gaps of this one that had theirs.
    gaps: u64,
    gaps_of_part: usize,
    fault: Option<String>,
}

/// What a row is by its place.
enum Step<'a> {
    Record,
    Gap(&'a Part),
}

impl<'a> Places<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let next = parts.first().map_or(0, |part| part.span.from);
        Places { parts, at: 0, rows: 0, next, gaps: 0, gaps_of_part: 0, fault: None }
    }

    fn step(
        &mut self,
        (topic, generation, number): (&str, i32, i32),
        offset: i64,
    ) -> Result<Step<'a>, &'static str> {
        let is = |part: &Part| {
            let partition = &part.partition;
            partition.topic == topic && partition.generation == generation && partition.partition == number
        };
        while self.parts.get(self.at).is_some_and(|part| !is(part)) {
            self.leave();
        }
        let Some(part) = self.parts.get(self.at) else {
            return Err("its partition is not in the manifest, or out of order");
        };
        self.rows += 1;
        if !part.span.contains(offset) {
            return Err("its offset is outside the span of its batch");
        }
        let gap = part.gap_at(offset);
        if gap.is_some_and(|gap| gap.span.from != offset) {
            return Err("its offset is in a recorded gap");
        }
        if offset < self.next {
            return Err("its offset does not rise");
        }
        self.next = offset + 1;
        self.pass(part, offset);
        if gap.is_none() {
            return Ok(Step::Record);
        }
        self.gaps += 1;
        self.gaps_of_part += 1;
        Ok(Step::Gap(part))
    }

    /// Every gap before this offset must have had its row.
    fn pass(&mut self, part: &Part, offset: i64) {
        while let Some(gap) = part.gaps.get(self.gaps_of_part).filter(|gap| gap.span.from < offset) {
            let what = format!("{}: the row of gap {} is missing", part.partition, gap.span);
            self.fault.get_or_insert(what);
            self.gaps_of_part += 1;
        }
    }

    fn leave(&mut self) {
        if let Some(part) = self.parts.get(self.at) {
            self.pass(part, part.span.to);
            if part.rows != self.rows {
                let what = format!(
                    "{} {}: {} rows, its manifest says {}",
                    part.partition, part.span, self.rows, part.rows
                );
                self.fault.get_or_insert(what);
            }
        }
        self.at += 1;
        (self.rows, self.gaps_of_part) = (0, 0);
        self.next = self.parts.get(self.at).map_or(0, |part| part.span.from);
    }

    fn finish(mut self) -> Option<String> {
        while self.at < self.parts.len() {
            self.leave();
        }
        self.fault
    }
}
