//! Whether a search finds exactly what reading everything finds.

use std::collections::{BTreeMap, HashMap};

use custody_archive::Relation;
use custody_schemas::kind::short_name;
use custody_schemas::text::plain;
use serde::Serialize;

use crate::attributes::attributes;
use crate::error::Error;
use crate::places::Places;
use crate::query::{Doc, Query, matches};
use crate::search::Searcher;
use crate::source::{Row, Source, topics};
use crate::text::{address_terms, joined};

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

/// An event as somebody found it: where its first record is, and how many there are.
type Events = BTreeMap<(String, u64), u64>;

/// Reads every record through the version of the searcher, decides each by the query alone, and
/// compares with what the index finds. Holds what one query finds, about 200 bytes for each event;
/// reads the archive once for each query. `each` is told how many records were read.
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
    let commits = places.applied(commits)?;
    let mut out = Vec::with_capacity(queries.len());
    let mut read = 0;
    for query in queries {
        let mut expected: Events = BTreeMap::new();
        let mut first: HashMap<u64, (String, u64)> = HashMap::new();
        for commit in commits.iter().filter(|commit| commit.version <= through) {
            for file in &commit.files {
                let (mut row, mut topics) = (0, topics(&file.manifest));
                source.rows(&[(commit.version, file.clone())], &mut |found| {
                    if decided(query, found, topics.next()) {
                        let place = (file.manifest.batch.clone(), row);
                        let first = first.entry(found.identity).or_insert(place);
                        *expected.entry(first.clone()).or_default() += 1;
                    }
                    row += 1;
                    Ok(())
                })?;
                read += row;
                each(read);
            }
        }
        let found = searcher.positions(query, Some(through))?;
        let answered: Events = found
            .rows
            .iter()
            .map(|row| ((found.files[row.file].manifest.batch.clone(), row.row), row.copies))
            .collect();
        out.push(compared(query, &expected, &answered));
    }
    Ok(out)
}

fn compared(query: &Query, expected: &Events, answered: &Events) -> Exactness {
    let mut out = Exactness {
        query: query.to_string(),
        total: answered.len() as u64,
        copies: answered.values().sum(),
        different: 0,
        differences: Vec::new(),
    };
    let all = expected.keys().chain(answered.keys().filter(|place| !expected.contains_key(*place)));
    for place in all {
        let (read, index) = (expected.get(place), answered.get(place));
        if read == index {
            continue;
        }
        out.different += 1;
        if out.differences.len() < NAMED_MAX {
            let (batch, row) = place;
            let count = |found: Option<&u64>| found.copied().unwrap_or(0);
            out.differences.push(format!(
                "batch {batch}, row {row}: {} by the index, {} by reading",
                count(index),
                count(read)
            ));
        }
    }
    out
}

/// Whether a record matches, by the reference evaluator.
pub(crate) fn decided(query: &Query, row: &Row<'_>, topic: Option<&str>) -> bool {
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
    let doc = Doc {
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
        time_ms: row.time_ms,
        archived_ms: row.archived_ms,
        duration_ms: row.call.and_then(|call| call.duration_ms),
    };
    matches(query, &doc)
}
