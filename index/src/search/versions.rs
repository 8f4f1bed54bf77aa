//! The versions of the messages on a page, where these were edited or deleted.
//!
//! Which messages were changed is known of every split, 8 bytes for each change, and looked up for
//! the hits of the page alone. Their versions are then those documents of their conversations that
//! belong to the message.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED, Term};

use super::asked::{Hit, Versions};
use super::collect::Matches;
use super::marks::each_value;
use super::run::Run;
use super::{FirstOf, Scope, Searcher};
use crate::damage::guarded;
use crate::error::{Error, Kind};
use crate::message::Change;
use crate::query::Query;
use crate::schema::{Fields, kind_term};
use crate::source::Source;
use crate::split::OpenSplit;
use crate::stop::Stop;

/// Versions of one message that a hit has, the first and the last ones.
const VERSIONS_MAX: usize = 20;

/// Where a version is.
#[derive(Debug, Clone, Copy)]
struct Version {
    time_ms: Option<i64>,
    identity: u64,
    split: usize,
    doc: u32,
}

/// The versions of each changed message, oldest first, and how many more there are.
type Found = HashMap<u64, (Vec<Version>, u64)>;

impl<S: Source> Searcher<S> {
    /// Gives the hits of a page the versions of their messages. An edit may be in any split, be it
    /// one that the query was not run on.
    pub(super) fn add_versions(
        &self,
        scope: &Scope,
        found: &[FirstOf],
        hits: &mut [Hit<S::Record>],
        stop: &Stop,
    ) -> Result<(), Error> {
        let message = |found: &FirstOf| scope.splits[found.first.split].message(found.first.doc);
        // A damaged split must not end more than the search.
        let messages: Vec<Option<u64>> = guarded(&self.folder, || Ok(found.iter().map(message).collect()))?;
        if messages.iter().all(Option::is_none) {
            return Ok(());
        }
        let splits = self.all_of(scope, stop)?;
        let run = self.run_over(&splits, stop);
        let mut changed: HashSet<u64> = messages.iter().flatten().copied().collect();
        guarded(&self.folder, || keep_changed(&run, &self.fields, &mut changed))?;
        let mut conversations: Vec<&str> = Vec::new();
        for (hit, message) in hits.iter().zip(&messages) {
            if message.is_some_and(|message| changed.contains(&message)) {
                conversations.extend(S::conversation(&hit.record));
            }
        }
        if conversations.is_empty() {
            return Ok(());
        }
        let found = guarded(&self.folder, || {
            versions(&run, &self.fields, scope.through_version, &changed, &conversations)
        })?;
        let wanted = found.values().flat_map(|(versions, _)| versions);
        let records = self.fetched(&splits, wanted.map(|version| (version.split, version.doc)), stop)?;
        let records: HashMap<(usize, u32), Arc<S::Record>> =
            records.into_iter().map(|(place, (_, record))| (place, Arc::new(record))).collect();
        for (hit, message) in hits.iter_mut().zip(messages) {
            let Some((versions, left_out)) = message.and_then(|message| found.get(&message)) else {
                continue;
            };
            let record = |version: &Version| records.get(&(version.split, version.doc)).cloned();
            hit.versions =
                Versions { records: versions.iter().filter_map(record).collect(), left_out: *left_out };
        }
        Ok(())
    }

    /// Every split, of a later index where an indexer has removed some of this one's: what was
    /// archived through a version is the same.
    fn all_of(&self, scope: &Scope, stop: &Stop) -> Result<Vec<Arc<OpenSplit>>, Error> {
        match self.open_all(&scope.manifest.splits.iter().collect::<Vec<_>>(), stop) {
            Err(e) if e.kind == Kind::Corrupt => {
                let newer = self.take_up()?;
                self.open_all(&newer.splits.iter().collect::<Vec<_>>(), stop)
            }
            opened => opened,
        }
    }
}

/// Keeps those of the messages that some split has a change of.
fn keep_changed(run: &Run<'_>, fields: &Fields, messages: &mut HashSet<u64>) -> Result<(), Error> {
    let all = &*messages;
    let parts = run.all(|at| {
        let changed = changed_in(&run.splits[at], fields)?;
        Ok(all.iter().filter(|message| changed.binary_search(message).is_ok()).copied().collect::<Vec<_>>())
    })?;
    *messages = parts.into_iter().flatten().collect();
    Ok(())
}

/// The messages that a split has a change of, ascending; looked up once for each open split.
fn changed_in<'s>(split: &'s OpenSplit, fields: &Fields) -> Result<&'s [u64], Error> {
    if let Some(known) = split.changed.get() {
        return Ok(known);
    }
    let failed = |e| Error::tantivy(&format!("cannot read {}", split.shown), e);
    let index = split.segment().inverted_index(fields.kind).map_err(failed)?;
    let mut changed = Vec::new();
    for change in [Change::Edited, Change::Deleted] {
        let term = Term::from_field_text(fields.kind, &kind_term(change.short()));
        let postings = index.read_postings(&term, IndexRecordOption::Basic);
        let Some(mut postings) = postings.map_err(|e| failed(e.into()))? else { continue };
        while postings.doc() != TERMINATED {
            changed.extend(split.message(postings.doc()));
            postings.advance();
        }
    }
    changed.sort_unstable();
    changed.dedup();
    Ok(split.changed.get_or_init(|| changed))
}

/// The versions of changed messages of these conversations, as of a version of the archive.
fn versions(
    run: &Run<'_>,
    fields: &Fields,
    through: u64,
    changed: &HashSet<u64>,
    conversations: &[&str],
) -> Result<Found, Error> {
    let query = Query::or(conversations.iter().map(|id| Query::Conversation((*id).into())).collect());
    let docs = Matches::unmarked(&query, run, fields)?.docs(run, through)?;
    let parts = run.all(|at| {
        let (split, mut found) = (&run.splits[at], Vec::new());
        each_value(run, at, OpenSplit::messages, &docs[at], |doc, message| {
            if changed.contains(&message) {
                let (time_ms, identity) = (split.time_ms(doc), split.identity(doc));
                found.push((message, Version { time_ms, identity, split: at, doc }));
            }
        })?;
        Ok(found)
    })?;
    let mut found: HashMap<u64, Vec<Version>> = HashMap::new();
    parts
        .into_iter()
        .flatten()
        .for_each(|(message, version)| found.entry(message).or_default().push(version));
    let all = found.into_iter().map(|(message, versions)| (message, cut(versions)));
    // What was changed only after that version is not there yet: then it has been sent, no more.
    Ok(all.filter(|(_, (versions, _))| versions.len() > 1).collect())
}

/// Each version once, by its first delivery, oldest first; the first and the last ones of many.
fn cut(mut versions: Vec<Version>) -> (Vec<Version>, u64) {
    versions.sort_by_key(|version| (version.identity, version.split, version.doc));
    versions.dedup_by_key(|version| version.identity);
    versions.sort_by_key(|version| (version.time_ms.is_none(), version.time_ms, version.split, version.doc));
    let more = versions.len().saturating_sub(VERSIONS_MAX);
    if more > 0 {
        versions.drain(1..=more);
    }
    (versions, more as u64)
}
