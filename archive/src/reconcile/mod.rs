//! Did we capture everything? What the archive can say about it by itself: the fate of every offset,
//! the holes in the counters of the sources, and what ended sessions claim to have carried.

mod sequences;
mod sessions;

use std::collections::BTreeMap;

use arrow_array::{Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use custody_schemas::manifest::Gap;
use custody_schemas::{Kind, Manifest, Partition, Span};
use serde::Serialize;
use serde_json::Value;

use crate::columns::STATUS_GAP;
use crate::error::Error;
use crate::log::FileRef;
use crate::read::{Archive, Columns};
use crate::view::{Rows, text_at};
pub use sequences::Hole;
use sequences::Numbers;
use sessions::Claims;
pub use sessions::Session;

/// Distinct reasons that are told of one partition; the rest is told as one.
const REASONS_MAX: usize = 50;
/// Outages of a source that are told.
const OUTAGES_MAX: usize = 10_000;
/// Sources that are told apart.
const SOURCES_MAX: usize = 100_000;

/// What became of the offsets of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionAccount {
    /// Spans that are accounted for; one, if nothing is wrong with the archive.
    pub spans: Vec<Span>,
    /// Records archived.
    pub records: u64,
    /// Of these, records that could not be decoded, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Offsets that held nothing for a consumer.
    pub skipped: u64,
    /// Offsets that were lost before they could be archived.
    pub gaps: Vec<Gap>,
}

impl PartitionAccount {
    /// The next offset that is to be archived.
    pub fn next(&self) -> i64 {
        self.spans.last().map_or(0, |span| span.to)
    }

    /// Offsets in gaps.
    pub fn lost(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.span.len()).sum()
    }

    fn take(&mut self, span: Span) {
        match self.spans.last_mut().and_then(|last| Some((last.then(span)?, last))) {
            Some((joined, last)) => *last = joined,
            None => self.spans.push(span),
        }
    }
}

/// An interval in which a source could not record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// Where it stands in the archive.
    pub position: String,
    /// When it began, microseconds since 1970 UTC.
    pub from_us: Option<i64>,
    /// When it ended.
    pub to_us: Option<i64>,
    /// Why.
    pub reason: String,
}

/// What one source counted, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceAccount {
    /// Records, every delivery counted.
    pub records: u64,
    /// Of these, records without a number.
    pub unnumbered: u64,
    /// The first and the last number.
    pub numbers: Option<(i64, i64)>,
    /// Numbers in between that no record has. `None`: there are too many holes to keep.
    pub holes: Option<Vec<Hole>>,
    /// Intervals in which it says that it could not record.
    pub outages: Vec<Outage>,
}

impl SourceAccount {
    /// Holes that no outage of the source explains.
    pub fn unexplained(&self) -> impl Iterator<Item = &Hole> {
        self.holes.iter().flatten().filter(|hole| !self.outages.iter().any(|outage| overlaps(hole, outage)))
    }
}

/// An outage explains a hole if it was going on between the records around it.
fn overlaps(hole: &Hole, outage: &Outage) -> bool {
    let (Some(after), Some(before)) = (hole.after_us, hole.before_us) else { return false };
    let (first, last) = (after.min(before), after.max(before));
    outage.from_us.is_some_and(|from| from <= last) && outage.to_us.is_none_or(|to| to >= first)
}

/// What the archive says of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Account {
    /// The version through which it was read; `None` before the first commit.
    pub version: Option<u64>,
    /// Records archived.
    pub records: u64,
    /// Partitions by name: `topic:generation:partition`.
    pub partitions: BTreeMap<String, PartitionAccount>,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceAccount>,
    /// Records of sources beyond those that are told apart.
    pub other_sources: u64,
    #[serde(skip)]
    numbers: BTreeMap<String, Numbers>,
}

/// Ended calls and sessions that say how many messages they carried.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sessions {
    /// One by one.
    pub all: Vec<Session>,
    /// Those beyond the number that is looked at.
    pub more: u64,
}

/// Reads the archive twice: the claims, then the messages that they are about. Nothing is proven
/// here: that is what [`verify`](crate::verify()) does.
pub fn sessions(archive: &Archive) -> Result<Sessions, Error> {
    let mut found = Claims::default();
    let commits = archive.commits_after(None)?;
    let files: Vec<&FileRef> = commits.iter().flat_map(|commit| &commit.files).collect();
    for file in &files {
        for rows in archive.read(file, Columns::Account)? {
            found.claims(&rows?)?;
        }
    }
    if !found.is_empty() {
        for file in &files {
            for rows in archive.read(file, Columns::Account)? {
                found.messages(&rows?)?;
            }
        }
    }
    let more = found.more;
    Ok(Sessions { all: found.into_all(), more })
}

impl Account {
    /// Goes on through the newest version, reading only the columns that it needs. `progress` is told
    /// batches done and of all.
    pub fn advance(&mut self, archive: &Archive, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let commits = archive.commits_after(self.version)?;
        let total = commits.iter().map(|commit| commit.files.len() as u64).sum();
        let mut done = 0;
        for commit in &commits {
            for file in &commit.files {
                self.manifest(&file.manifest);
                let mut first = 0;
                for rows in archive.read(file, Columns::Account)? {
                    let rows = rows?;
                    self.rows(archive, file, &rows, first)?;
                    first += rows.len() as u64;
                }
                done += 1;
                progress(done, total);
            }
            self.version = Some(commit.version);
        }
        for (source, numbers) in &self.numbers {
            if let Some(of) = self.sources.get_mut(source) {
                (of.numbers, of.holes) = (numbers.ends(), numbers.holes());
            }
        }
        Ok(())
    }

    fn manifest(&mut self, manifest: &Manifest) {
        for part in &manifest.parts {
            let of = self.partitions.entry(part.partition.to_string()).or_default();
            of.take(part.span);
            of.records += part.records();
            of.skipped += part.skipped;
            of.gaps.extend(part.gaps.iter().cloned());
            self.records += part.records();
        }
    }

    fn rows(&mut self, archive: &Archive, file: &FileRef, rows: &Rows, first: u64) -> Result<(), Error> {
        let sources = rows.column::<StringViewArray>("source")?;
        let kinds = rows.column::<StringViewArray>("type")?;
        let reasons = rows.column::<StringViewArray>("reason")?;
        let sequences = rows.column::<Int64Array>("sequence")?;
        let times = rows.column::<TimestampMicrosecondArray>("event_time")?;
        let statuses = rows.column::<StringViewArray>("status")?;
        for row in 0..rows.len() {
            if text_at(statuses, row) == Some(STATUS_GAP) {
                continue;
            }
            if let Some(reason) = text_at(reasons, row) {
                self.quarantined(&rows.position(row)?.partition, reason);
            }
            let Some(source) = text_at(sources, row) else { continue };
            if !self.sources.contains_key(source) {
                if self.sources.len() == SOURCES_MAX {
                    self.other_sources += 1;
                    continue;
                }
                self.sources.insert(source.to_owned(), SourceAccount::default());
                self.numbers.insert(source.to_owned(), Numbers::default());
            }
            let (Some(of), Some(seen)) = (self.sources.get_mut(source), self.numbers.get_mut(source)) else {
                continue;
            };
            of.records += 1;
            let time_us = times.is_valid(row).then(|| times.value(row));
            if sequences.is_valid(row) {
                seen.add(sequences.value(row), time_us);
            } else {
                of.unnumbered += 1;
            }
            if text_at(kinds, row) == Some(Kind::GatewayOutage.full()) && of.outages.len() < OUTAGES_MAX {
                of.outages.extend(outage(archive, file, first + row as u64)?);
            }
        }
        Ok(())
    }

    fn quarantined(&mut self, partition: &Partition, reason: &str) {
        let of = &mut self.partitions.entry(partition.to_string()).or_default().quarantined;
        let told = of.len() < REASONS_MAX || of.contains_key(reason);
        *of.entry(if told { reason } else { "other reasons" }.to_owned()).or_default() += 1;
    }
}

/// What a record says of an outage; re-hashed, as everything that is shown.
fn outage(archive: &Archive, file: &FileRef, row: u64) -> Result<Option<Outage>, Error> {
    let Some(record) = archive.fetch(file, &[row])?.pop() else { return Ok(None) };
    let payload: Value =
        record.payload.as_deref().and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    // In binary mode the payload is the data.
    let said = payload.pointer("/data/outage").or_else(|| payload.get("outage"));
    let time = |name: &str| said?.get(name)?.as_str().and_then(custody_schemas::time::time_us);
    let reason = said.and_then(|said| said.get("reason")?.as_str()).unwrap_or("no reason given");
    Ok(Some(Outage {
        position: record.position.to_string(),
        from_us: time("from").or(record.time_us),
        to_us: time("to"),
        reason: reason.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_explains_the_hole_that_it_made() {
        let hole = |after_us, before_us| Hole { from: 4, to: 6, after_us, before_us };
        let outage =
            |from_us, to_us| Outage { position: String::new(), from_us, to_us, reason: String::new() };
        for (hole, outage, explained) in [
            (hole(Some(10), Some(20)), outage(Some(12), Some(18)), true),
            (hole(Some(10), Some(20)), outage(Some(5), Some(10)), true),
            (hole(Some(10), Some(20)), outage(Some(21), None), false),
            (hole(Some(10), Some(20)), outage(Some(1), Some(9)), false),
            (hole(Some(10), Some(20)), outage(Some(1), None), true),
            (hole(Some(10), Some(20)), outage(None, None), false),
            // Clocks of sources go wrong: the order of the two does not matter.
            (hole(Some(20), Some(10)), outage(Some(12), Some(18)), true),
            (hole(None, Some(20)), outage(Some(12), Some(18)), false),
        ] {
            assert_eq!(overlaps(&hole, &outage), explained, "{hole:?} {outage:?}");
        }
    }

    #[test]
    fn spans_that_follow_are_one() {
        let span = |from, to| Span { from, to };
        let mut account = PartitionAccount::default();
        [span(0, 3), span(3, 3), span(3, 9), span(10, 12)].into_iter().for_each(|s| account.take(s));
        assert_eq!(account.spans, [span(0, 9), span(10, 12)]);
        assert_eq!(account.next(), 12);
    }
}
