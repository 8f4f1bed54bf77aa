//! Whether a search finds exactly what reading everything finds.
//!
//! - `pass`: one reading of the archive, which decides some queries
//! - `rest`: what other records say of one

use std::collections::{BTreeSet, HashMap};

use custody_archive::{FileRef, Relation};
use custody_schemas::kind::short_name;
use custody_schemas::text::plain;
use serde::Serialize;

use crate::attributes::attributes;
use crate::error::Error;
use crate::places::Places;
#[cfg(test)]
use crate::query::matches;
use crate::query::{Doc, Query};
use crate::search::{Found, Searcher};
use crate::source::{Row, Source};
use crate::text::{address_terms, joined};

mod pass;
mod rest;
#[cfg(test)]
mod tests;

use pass::{Events, Reading};
pub(crate) use rest::{Rest, Standing};

/// Differences of one query that are named.
const NAMED_MAX: usize = 10;

/// What became of one query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exactness {
    /// The query in its canonical form.
    pub query: String,
    /// Events that the index finds.
    pub total: u64,
    /// Records that it finds, every delivery counted.
    pub copies: u64,
    /// How many events differ.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<String>,
}

/// Reads every record through the version of the searcher, decides each by the queries alone, and
/// compares with what the index finds. `each` is told how many records were read.
///
/// The archive is read once for all queries; twice when one asks what was edited, deleted or
/// delivered again, which takes 8 bytes for each record and the ids of each changed message. What
/// the queries find is held, about 60 bytes for each event of each query: when that is more than
/// [`Settings::matches_held_max`](crate::Settings::matches_held_max) events, those that find most
/// are put off, and the archive is read again for them. One query alone holds as much as it finds.
///
/// # Errors
///
/// When the archive or the index cannot be read, or a query is refused.
pub fn verify_queries<S: Source>(
    searcher: &Searcher<S>,
    source: &S,
    queries: &[Query],
    each: &mut dyn FnMut(u64),
) -> Result<Vec<Exactness>, Error> {
    let through = searcher.through_version()?;
    let commits = source.commits_after(None)?;
    let places = Places::after(&commits);
    let commits = places.applied(commits)?.into_iter().filter(|commit| commit.version <= through);
    let files: Vec<(u64, FileRef)> =
        commits.flat_map(|commit| commit.files.into_iter().map(move |file| (commit.version, file))).collect();
    let mut reading = Reading { source, files: &files, read: 0, each };
    let mut rest = Rest::asked(queries);
    if rest.is_needed() {
        reading.rows(&mut |_, row, _| rest.read(row))?;
        rest.end();
    }
    let mut out: Vec<Option<Exactness>> = vec![None; queries.len()];
    while out.contains(&None) {
        let left = (0..queries.len()).filter(|at| out[*at].is_none()).collect();
        for (at, expected) in reading.pass(queries, left, &rest, searcher.held_max())? {
            let found = searcher.positions(&queries[at], Some(through))?;
            out[at] = Some(compared(&queries[at], &files, expected, &found));
        }
    }
    Ok(out.into_iter().flatten().collect())
}

/// The place of a record: which of the files, and the row of it.
type At = (usize, u64);

fn compared(query: &Query, files: &[(u64, FileRef)], expected: Events, found: &Found) -> Exactness {
    let known: HashMap<&str, usize> =
        (0..).zip(files).map(|(at, (_, file))| (file.manifest.batch.as_str(), at)).collect();
    // What only the index knows of stands behind.
    let batches = found.files.iter().map(|file| file.manifest.batch.as_str()).enumerate();
    let places: Vec<usize> = batches
        .map(|(at, batch)| known.get(batch).copied().unwrap_or(files.len().saturating_add(at)))
        .collect();
    let answered: HashMap<At, u64> =
        found.rows.iter().map(|row| ((places[row.file], row.row), row.copies)).collect();
    let expected: HashMap<At, u64> =
        expected.into_values().map(|event| ((event.file, event.row), event.copies)).collect();
    let all = expected.keys().chain(answered.keys());
    let different: BTreeSet<At> =
        all.filter(|place| expected.get(place) != answered.get(place)).copied().collect();
    let named = different.iter().take(NAMED_MAX).map(|(file, row)| {
        let known = files.get(*file).map(|(_, file)| file);
        let batch = known.or_else(|| found.files.get(file.checked_sub(files.len())?));
        let batch = batch.map_or("", |file| file.manifest.batch.as_str());
        let count = |all: &HashMap<At, u64>| all.get(&(*file, *row)).copied().unwrap_or_default();
        format!(
            "batch {batch}, row {row}: {} by the index, {} by reading",
            count(&answered),
            count(&expected)
        )
    });
    Exactness {
        query: query.to_string(),
        total: answered.len() as u64,
        copies: answered.values().sum(),
        different: different.len() as u64,
        differences: named.collect(),
    }
}

/// Whether a record matches, by the reference evaluator.
#[cfg(test)]
pub(crate) fn decided(query: &Query, row: &Row<'_>, topic: Option<&str>, standing: Standing) -> bool {
    with_doc(row, topic, standing, |doc| matches(query, doc))
}

/// What queries can ask of a record.
fn with_doc<T>(row: &Row<'_>, topic: Option<&str>, standing: Standing, ask: impl FnOnce(&Doc<'_>) -> T) -> T {
    let body = row.body.map(|body| plain(row.content_type, body));
    let text = joined([body.as_deref(), row.detail, row.title, row.reason].into_iter().flatten());
    let mut found_by = Vec::new();
    attributes(row, body.as_deref(), topic, &mut |attribute, value| {
        found_by.push((attribute, value.to_owned()))
    });
    let terms = |wanted: &dyn Fn(Relation, bool) -> bool| {
        let mut terms = Vec::new();
        for party in row.parties.iter().filter(|party| wanted(party.relation, party.via)) {
            address_terms(party.address.unwrap_or_default(), party.name, &mut terms);
        }
        terms
    };
    let networks: Vec<String> =
        row.parties.iter().filter_map(|party| party.network).map(str::to_owned).collect();
    ask(&Doc {
        text: &text,
        from_terms: &terms(&|relation, _| relation == Relation::From),
        to_terms: &terms(&|relation, _| relation == Relation::To),
        other_terms: &terms(&|relation, _| relation == Relation::Other),
        via_terms: &terms(&|_, via| via),
        conversation: row.conversation,
        type_short: &short_name(row.kind),
        tenant: row.tenant,
        networks: &networks,
        attributes: &found_by,
        quarantined: row.quarantined,
        gap: row.gap,
        edited: standing.edited,
        deleted: standing.deleted,
        duplicate: standing.duplicate,
        time_ms: row.time_ms,
        archived_ms: row.archived_ms,
        duration_ms: row.call.and_then(|call| call.duration_ms),
    })
}
