//! In which order the records of a production are fetched. Decides only.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody_archive::FileRef;
use custody_schemas::Partition;

use crate::error::Error;
use crate::settings::RECORDS_MAX;

/// One record to be produced, as a search names it.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Its batch, and the file that holds it.
    pub file: Arc<FileRef>,
    /// Its row in the batch.
    pub row: u64,
    /// How many records that match are deliveries of its event, itself included.
    pub deliveries: u64,
    /// It does not match: it stands near what does.
    pub is_context: bool,
}

/// A row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) row: u64,
    /// A hit comes before the same row as context.
    pub(crate) is_context: bool,
    pub(crate) deliveries: u64,
}

/// How many records of each batch are produced, by its id, and how many of all are context.
pub(crate) fn produced(runs: &[Run]) -> (BTreeMap<String, u64>, u64) {
    let mut produced = BTreeMap::<String, u64>::new();
    for run in runs {
        *produced.entry(run.file.manifest.batch.clone()).or_default() += run.rows.len() as u64;
    }
    let context = runs.iter().flat_map(|run| &run.rows).filter(|row| row.is_context).count();
    (produced, context as u64)
}

/// Rows of one partition in one batch.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) file: Arc<FileRef>,
    /// Ascending, each once, with its event's deliveries.
    pub(crate) rows: Vec<Row>,
    partition: Partition,
    from: i64,
}

/// The hits as runs in order of position: fetching the runs one after another,
/// each in order of rows, gives the records in order of topic, generation,
/// partition and offset.
///
/// That needs no record to be read: a batch's rows stand in order of position,
/// its manifest says how many each partition has, and the spans of a partition
/// never overlap.
pub(crate) fn runs(hits: Vec<Hit>) -> Result<Vec<Run>, Error> {
    if hits.len() > RECORDS_MAX {
        let message = format!("{} records are more than one production may hold ({RECORDS_MAX})", hits.len());
        return Err(Error::invalid(message));
    }
    // By batch: a file may hold several, and rows are counted within each.
    let mut files: BTreeMap<String, (Arc<FileRef>, Vec<Row>)> = BTreeMap::new();
    for hit in hits {
        let row = Row { row: hit.row, is_context: hit.is_context, deliveries: hit.deliveries };
        match files.get_mut(&hit.file.manifest.batch) {
            Some((_, rows)) => rows.push(row),
            None => {
                let batch = hit.file.manifest.batch.clone();
                files.insert(batch, (hit.file, vec![row]));
            }
        }
    }
    let mut runs = Vec::with_capacity(files.len());
    for (file, mut rows) in files.into_values() {
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.row);
        split(&file, &rows, &mut runs)?;
    }
    runs.sort_by(|a, b| (&a.partition, a.from).cmp(&(&b.partition, b.from)));
    Ok(runs)
}

/// The rows of a batch, partition by partition.
fn split(file: &Arc<FileRef>, mut rows: &[Row], out: &mut Vec<Run>) -> Result<(), Error> {
    let mut end = 0;
    for part in &file.manifest.parts {
        end += part.rows;
        let (own, rest) = rows.split_at(rows.partition_point(|row| row.row < end));
        rows = rest;
        if !own.is_empty() {
            let (partition, from) = (part.partition.clone(), part.span.from);
            out.push(Run { file: file.clone(), rows: own.to_vec(), partition, from });
        }
    }
    match rows.first() {
        Some(Row { row, .. }) => {
            Err(Error::corrupt(format!("{}: there is no row {row}: it has {end}", file.path)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use custody_schemas::manifest::Part;
    use custody_schemas::{Hash, Manifest, Span};

    use super::*;

    fn file(path: &str, parts: &[(&str, i32, i64, u64)]) -> Arc<FileRef> {
        let parts = parts.iter().map(|&(topic, partition, from, rows)| Part {
            partition: Partition { topic: topic.into(), generation: 1, partition },
            span: Span { from, to: from + i64::try_from(rows).unwrap() },
            rows,
            quarantined: 0,
            skipped: 0,
            gaps: Vec::new(),
        });
        let manifest = Manifest {
            version: 1,
            batch: path.into(),
            rows: 0,
            root: Hash::of(b""),
            archived_ms: 0,
            retention_class: "default".into(),
            topics: Default::default(),
            parts: parts.collect(),
        };
        Arc::new(FileRef { path: path.into(), bytes: 0, sha256: Hash::of(b""), first_row: None, manifest })
    }

    fn check(hits: &[(&Arc<FileRef>, u64)], expected: &str) {
        let hits = hits
            .iter()
            .map(|(file, row)| Hit { file: (*file).clone(), row: *row, deliveries: 1, is_context: false })
            .collect();
        let found = match runs(hits) {
            Ok(runs) => runs
                .iter()
                .map(|run| (run, run.rows.iter().map(|row| row.row).collect::<Vec<_>>()))
                .map(|(run, rows)| format!("{}{rows:?}", run.file.path))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn runs_are_in_order_of_position() {
        let early = file("z", &[("t", 0, 0, 3), ("t", 1, 0, 2)]);
        let late = file("a", &[("s", 0, 0, 1), ("t", 0, 3, 4), ("t", 1, 2, 1)]);
        check(&[], "");
        check(&[(&late, 1), (&early, 2), (&early, 0)], "z[0, 2] a[1]");
        check(&[(&late, 5), (&late, 0), (&late, 4), (&early, 3), (&early, 2)], "a[0] z[2] a[4] z[3] a[5]");
        check(&[(&early, 1), (&early, 1)], "z[1]");
        check(&[(&early, 5)], "z: there is no row 5: it has 5");
    }
}
