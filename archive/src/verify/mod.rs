//! The proof of the whole archive: commits, files, leaves, roots and spans.
//!
//! It trusts nothing that it can make anew: every file is hashed, every record
//! re-hashed from its bytes, every root rebuilt, every span chained.

mod log;

use std::collections::{BTreeMap, BTreeSet};

use custody_schemas::hash::Tree;
use custody_schemas::manifest::Part;
use custody_schemas::{Hash, Incoming, Partition, Position, gap};
use serde::Serialize;

use crate::error::{Error, Kind};
use crate::log::{Commit, FileRef};
use crate::read::{Archive, Columns, manifest_of, rows_of};
use crate::rows::leaf_check;
use crate::template::Filler;
use crate::topics::{self, Reached, Topic};
use crate::view::Rows;

/// Something that is not as it was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Version, file or record.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// What was verified.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The newest version.
    pub version: u64,
    /// Batches seen.
    pub batches: u64,
    /// Files hashed and decoded.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Records re-hashed.
    pub records: u64,
    /// Gaps; the row of each was re-hashed as well, and is no record.
    pub gaps: u64,
    /// Records that could not be decoded when they came.
    pub quarantined: u64,
    /// Offsets that held no record for a consumer.
    pub skipped: u64,
    /// Offsets that were lost before they could be archived.
    pub lost: u64,
    /// The generation that each topic is at.
    pub generations: BTreeMap<String, i32>,
    /// Next offset of each partition: `topic:generation:partition`.
    pub next_offsets: BTreeMap<String, i64>,
    /// Checkpoints that were compared with the commits: the newest, for each says all of the past.
    pub checkpoints: u64,
    /// Data files that no commit names: writes that were cut short, and what is left of newest
    /// commits that were removed.
    pub unreferenced: Vec<String>,
    /// What is wrong: nothing, if the archive is sound.
    pub problems: Vec<Problem>,
    /// Problems beyond these.
    pub more: u64,
}

/// So many problems are told one by one.
const PROBLEMS_MAX: usize = 1_000;

impl Report {
    fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        self.problems.push(Problem { place: place.into(), what: what.into() });
    }
}

/// Verifies an archive. `progress` is called after each file with the number of
/// files done and of all.
pub fn verify(archive: &Archive, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    let mut report = Report::default();
    // Before the commits are read: what is committed meanwhile is named by none of them.
    let stored = archive.store.list("")?;
    let log = log::check(archive, &mut report)?;
    report.version = log.newest;
    report.checkpoints = log.checkpoints;
    report.generations = log.generations.clone();
    let total = log.commits.iter().map(|commit| commit.files.len() as u64).sum();
    for commit in &log.commits {
        for file in &commit.files {
            check_file(archive, commit.version, file, &mut report)?;
            progress(report.files, total);
        }
        for part in commit.files.iter().flat_map(|file| &file.manifest.parts) {
            report.next_offsets.insert(part.partition.to_string(), part.span.to);
        }
    }
    report.unreferenced = unreferenced(archive, stored, &log)?;
    // Whoever goes by the log as other engines do must be able to. Where nothing is wrong with
    // the log itself, it is the store or this program that fails.
    match archive.refresh() {
        Ok(_) => {}
        Err(error) if report.problems.is_empty() => return Err(error),
        Err(error) => report.problem("_delta_log", format!("the table cannot be opened: {error}")),
    }
    Ok(report)
}

/// Files that were there when the log was read, and that no commit names until now.
fn unreferenced(archive: &Archive, stored: Vec<String>, log: &log::Log) -> Result<Vec<String>, Error> {
    let since = archive.commits_after(Some(log.newest)).unwrap_or_default();
    let named: BTreeSet<&str> = log
        .commits
        .iter()
        .chain(&since)
        .flat_map(|commit| &commit.files)
        .map(|file| file.path.as_str())
        .collect();
    let data = stored.into_iter().filter(|path| path.ends_with(".parquet") && !path.starts_with('_'));
    let mut unreferenced: Vec<_> = data.filter(|path| !named.contains(path.as_str())).collect();
    unreferenced.sort_unstable();
    Ok(unreferenced)
}

/// Where each partition stands, and which batches were seen.
#[derive(Default)]
struct Chain {
    next: BTreeMap<Partition, i64>,
    batches: BTreeSet<String>,
    /// The life that each topic is at.
    topics: BTreeMap<String, Topic>,
}

/// What the commit says of topics must follow from its record, and the record from what was before.
/// The states of topics that it makes known.
fn check_topics(commit: &Commit, chain: &mut Chain, report: &mut Report) -> Vec<(String, Topic)> {
    let place = format!("version {}", commit.version);
    let mut opened = Vec::new();
    for manifest in commit.files.iter().map(|file| &file.manifest) {
        match topics::after_batch(manifest, |topic| chain.topics.get(topic)) {
            Ok(states) => opened.extend(states),
            Err(what) => report.problem(&place, what),
        }
    }
    if let Some(accept) = &commit.accept {
        match topics::after_accept(accept, chain.topics.get(&accept.topic)) {
            Ok(state) => opened.push((accept.topic.clone(), state)),
            Err(what) => report.problem(&place, what),
        }
        let ended = accept.generation.saturating_sub(1);
        let is_ended = |of: &Partition| of.topic == accept.topic && of.generation == ended;
        let reached = chain.next.iter().filter(|(of, _)| is_ended(of));
        let through: Vec<_> =
            reached.map(|(of, next)| Reached { partition: of.partition, next: *next }).collect();
        if through != accept.through {
            let what = format!(
                "accepts that {} was archived through {:?}, but it was through {through:?}",
                accept.topic, accept.through
            );
            report.problem(&place, what);
        }
    }
    chain.topics.extend(opened.iter().cloned());
    opened
}

fn check_commit(commit: &Commit, chain: &mut Chain, report: &mut Report) -> Vec<(String, Topic)> {
    let opened = check_topics(commit, chain, report);
    let place = format!("version {}", commit.version);
    let named: Vec<_> = commit.files.iter().map(|file| (file.path.clone(), file.bytes)).collect();
    if named != commit.adds {
        report.problem(&place, format!("adds {:?} but its manifest names {named:?}", commit.adds));
    }
    for file in &commit.files {
        if !file.path.ends_with(&format!("{}-{}.parquet", file.manifest.batch, file.sha256)) {
            report.problem(&place, format!("the name of {} does not hold its batch and SHA-256", file.path));
        }
    }
    for removed in &commit.removes {
        report.problem(&place, format!("removes {removed}, which nothing of Custody does"));
    }
    let mut expected = BTreeMap::new();
    for manifest in commit.files.iter().map(|file| &file.manifest) {
        report.batches += 1;
        if let Some(fault) = manifest.fault() {
            report.problem(&place, format!("batch {}: {fault}", manifest.batch));
        }
        if !chain.batches.insert(manifest.batch.clone()) {
            report.problem(&place, format!("batch {} was already archived", manifest.batch));
        }
        for part in &manifest.parts {
            let next = chain.next.entry(part.partition.clone()).or_insert(0);
            if *next != part.span.from {
                let what = format!("{} {} does not follow offset {next}", part.partition, part.span);
                report.problem(&place, what);
            }
            *next = part.span.to;
            expected.insert(part.partition.app_id(), part.span.to);
            report.quarantined += part.quarantined;
            report.skipped += part.skipped;
            report.lost += part.lost();
        }
    }
    if commit.txns.iter().cloned().collect::<BTreeMap<_, _>>() != expected {
        report.problem(&place, "its txn entries are not the next offsets of its spans");
    }
    opened
}

/// Damage of one file is a problem to name; a store that does not answer is not.
fn check_file(archive: &Archive, version: u64, file: &FileRef, report: &mut Report) -> Result<(), Error> {
    report.files += 1;
    match check_content(archive, version, file, report) {
        Err(error) if error.kind == Kind::Corrupt => {
            report.problem(&file.path, error.to_string());
            Ok(())
        }
        other => other,
    }
}

fn check_content(archive: &Archive, version: u64, file: &FileRef, report: &mut Report) -> Result<(), Error> {
    let bytes = archive.bytes(&file.path)?;
    report.bytes += bytes.len() as u64;
    if bytes.len() as u64 != file.bytes {
        report.problem(&file.path, format!("has {} bytes, was archived with {}", bytes.len(), file.bytes));
    }
    let intact = Hash::of(&bytes) == file.sha256;
    if !intact {
        report.problem(&file.path, "its SHA-256 is not the one in the commit");
    }
    if manifest_of(&file.path, bytes.clone())? != file.manifest {
        if intact {
            // The file is as it was written, so its footer is right.
            let what = format!("its manifest is not the one in the footer of {}", file.path);
            report.problem(format!("version {version}"), what);
        } else {
            report.problem(&file.path, "the manifest in its footer is not the one in the commit");
        }
    }
    let mut tree = Tree::default();
    let mut places = Places::new(&file.manifest.parts);
    let mut filler = Filler::default();
    for rows in rows_of(&file.path, bytes, Columns::Leaves)? {
        check_rows(&rows?, file, &mut tree, &mut places, &mut filler, report)?;
    }
    report.records += tree.len().saturating_sub(places.gaps);
    report.gaps += places.gaps;
    if tree.len() != file.manifest.rows {
        report.problem(&file.path, format!("has {} rows, its manifest {}", tree.len(), file.manifest.rows));
    }
    if tree.root() != file.manifest.root {
        report.problem(
            &file.path,
            format!("its Merkle root is {}, its manifest's {}", tree.root(), file.manifest.root),
        );
    }
    if let Some(what) = places.finish() {
        report.problem(&file.path, what);
    }
    Ok(())
}

fn check_rows(
    rows: &Rows,
    file: &FileRef,
    tree: &mut Tree,
    places: &mut Places<'_>,
    filler: &mut Filler,
    report: &mut Report,
) -> Result<(), Error> {
    let verbatim = rows.verbatim()?;
    let (stored, batches) = (rows.stored_checks()?, rows.batch_ids()?);
    for row in 0..rows.len() {
        let payload = verbatim.payload(row, filler);
        let partition =
            (verbatim.topic.value(row), verbatim.generation.value(row), verbatim.partition.value(row));
        let offset = verbatim.offset.value(row);
        let place = places.step(partition, offset);
        if let (Ok(Step::Gap(part)), Ok(payload)) = (&place, &payload) {
            let headers: Vec<_> = verbatim.headers(row).collect();
            let incoming = Incoming {
                key: verbatim.key(row),
                headers: &headers,
                payload: *payload,
                broker_time_ms: verbatim.broker_time_ms(row),
            };
            let position = Position { partition: part.partition.clone(), offset };
            if gap::parse(&position, &incoming).as_ref() != part.gap_at(offset) {
                report.problem(
                    format!("{} record {position}", file.path),
                    "it is the row of a gap, and does not say what its manifest says of it",
                );
            }
        }
        let leaf = payload.map(|payload| verbatim.leaf(row, payload));
        // Without a leaf the root cannot be right either.
        tree.push(leaf.unwrap_or(Hash([0; 32])));
        let mut problem = |what: &str| {
            let place =
                format!("{} record {}:{}:{}:{offset}", file.path, partition.0, partition.1, partition.2);
            report.problem(place, what);
        };
        match leaf {
            Ok(leaf) if stored.value(row) == leaf_check(&leaf) => {}
            Ok(_) => problem("its bytes do not have the leaf hash that was archived with them"),
            Err(unfillable) => problem(&unfillable.to_string()),
        }
        if batches.value(row) != file.manifest.batch {
            problem("it names another batch than its file");
        }
        if let Err(what) = place {
            problem(what);
        }
    }
    Ok(())
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

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod sweep_tests;
