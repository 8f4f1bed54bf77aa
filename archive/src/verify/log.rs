//! The table's log, action by action: everything in it follows from the manifests of the
//! batches, so everything in it can be made anew and compared.
//!
//! It is read without the kernel, which stops at the first damage that it meets and looks at
//! few commits when there is a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::Report;
use super::chain::Chain;
use super::files::StoredFile;
use crate::actions::Action;
use crate::columns::PARTITION_COLUMNS;
use crate::error::{Error, Kind};
use crate::log::{self, Commit};
use crate::read::{Archive, parquet_as_json};
use crate::table::{REMOVED_KEPT_MS, configuration, schema_string};
use crate::topics::{Topic, domain};

/// The newest checkpoints are compared with the commits; each costs what all commits until its
/// version do.
const CHECKPOINTS_MAX: usize = 2;
const FOLDER: &str = "_delta_log";
const LAST: &str = "_last_checkpoint";

/// Members of `commitInfo` that tell who wrote a commit and when, no more.
pub(super) const TRIVIA: [&str; 7] = [
    "timestamp",
    "operation",
    "operationParameters",
    "kernelVersion",
    "engineInfo",
    "txnId",
    "isBlindAppend",
];

/// What the folder of the log holds.
#[derive(Debug, Default)]
struct Listing {
    commits: BTreeSet<u64>,
    /// Checkpoints by version.
    checkpoints: BTreeMap<u64, String>,
    has_last: bool,
}

/// What the log says, as far as it can be read.
pub(super) struct Log {
    /// Live files, in order of the version that added them.
    pub(super) live: Vec<StoredFile>,
    /// Paths of files that were replaced.
    pub(super) replaced: BTreeSet<String>,
    /// Next offset of each partition.
    pub(super) next_offsets: BTreeMap<String, i64>,
    pub(super) newest: u64,
    /// Checkpoints that were compared.
    pub(super) checkpoints: u64,
    /// The generation that each topic is at.
    pub(super) generations: BTreeMap<String, i32>,
}

/// Reads and checks the log.
pub(super) fn check(
    archive: &Archive,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Log, Error> {
    let listing = list(archive, report)?;
    let mut checker = Checker::default();
    let mut expected = 0;
    // Every checkpoint says all of the past: a few are enough to go by.
    let recent: BTreeSet<u64> = listing.checkpoints.keys().rev().take(CHECKPOINTS_MAX).copied().collect();
    let all = listing.commits.len() as u64;
    for (done, version) in (1..).zip(&listing.commits) {
        progress(done, all);
        missing(expected..*version, report);
        expected = version.saturating_add(1);
        let Some(text) = archive.store.get(&log::commit_path(*version))? else {
            missing(*version..expected, report);
            continue;
        };
        checker.commit(*version, &text, report);
        if let Some(name) = listing.checkpoints.get(version).filter(|_| recent.contains(version)) {
            checker.checkpoint(archive, name, report)?;
        }
    }
    let strays = listing.checkpoints.iter().filter(|(version, _)| !listing.commits.contains(version));
    for (version, name) in strays {
        report.problem(format!("{FOLDER}/{name}"), format!("is of version {version}, which no commit made"));
    }
    if listing.has_last {
        last(archive, &listing, report)?;
    }
    let newest = listing.commits.last().copied().unwrap_or(0);
    let Chain { next, live, removed, topics, .. } = checker.chain;
    let mut live: Vec<_> = live.into_values().collect();
    live.sort_by_key(|file| file.version);
    Ok(Log {
        live,
        replaced: removed.into_keys().collect(),
        next_offsets: next.into_iter().map(|(partition, next)| (partition.to_string(), next)).collect(),
        newest,
        checkpoints: recent.len() as u64,
        generations: topics.into_iter().map(|(topic, state)| (topic, state.generation)).collect(),
    })
}

/// Commits that should be there, as one problem.
fn missing(versions: Range<u64>, report: &mut Report) {
    let place = format!("version {}", versions.start);
    match versions.end.saturating_sub(versions.start) {
        0 => {}
        1 => report.problem(place, "its commit file is missing from _delta_log"),
        many => {
            let last = versions.end - 1;
            report.problem(
                place,
                format!("{many} commit files, to version {last}, are missing from _delta_log"),
            );
        }
    }
}

fn list(archive: &Archive, report: &mut Report) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for path in archive.store.list(FOLDER)? {
        let name = path.strip_prefix(FOLDER).unwrap_or(&path).trim_start_matches('/');
        let version = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
        match (version, name.get(20..)) {
            (Some(version), Some(".json")) => drop(listing.commits.insert(version)),
            (Some(version), Some(".checkpoint.parquet")) => {
                drop(listing.checkpoints.insert(version, name.to_owned()));
            }
            _ if name == LAST => listing.has_last = true,
            // A write that was cut short, which nothing reads.
            _ if name.starts_with(".custody-") => {}
            _ => report.problem(format!("{FOLDER}/{name}"), "is nothing that Custody writes"),
        }
    }
    Ok(listing)
}

/// What the log has said so far.
#[derive(Default)]
struct Checker {
    chain: Chain,
    next: BTreeMap<String, i64>,
    /// What each domain holds.
    domains: BTreeMap<String, String>,
    meta_data: Option<Value>,
}

impl Checker {
    fn commit(&mut self, version: u64, text: &[u8], report: &mut Report) {
        let path = log::commit_path(version);
        let place = format!("version {version}");
        let actions = match actions(text) {
            Ok(actions) => actions,
            Err((line, error)) => {
                report.problem(&place, format!("{path} line {line} is not a Delta action: {error}"));
                return;
            }
        };
        let commit = match log::parse(version, &path, text) {
            Ok(commit) => commit,
            Err(error) => {
                report.problem(&place, error.to_string());
                return;
            }
        };
        let opened = self.chain.topics(&commit, report);
        let info = actions.iter().filter(|(name, _)| name == "commitInfo").map(|(_, info)| info);
        let members = info.filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str);
        for member in members.filter(|member| *member != "custody" && !TRIVIA.contains(member)) {
            report.problem(&place, format!("its commitInfo has {member:?}, which nothing of Custody writes"));
        }
        if version == 0 {
            self.created(&actions, &place, report);
        } else {
            self.changed(&commit, &opened, &actions, &place, report);
        }
        self.domains.extend(commit.domains);
        self.next.extend(commit.txns);
    }

    /// The first commit makes the table and adds nothing.
    fn created(&mut self, actions: &[(String, Value)], place: &str, report: &mut Report) {
        for (name, action) in actions {
            match name.as_str() {
                "commitInfo" => {}
                "protocol" if *action == protocol() => {}
                "metaData" => {
                    if let Some(what) = fault_of_meta_data(action) {
                        report.problem(place, what);
                    }
                    self.meta_data = Some(action.clone());
                }
                _ => report.problem(place, format!("its action {name} is not what makes an archive")),
            }
        }
        let names: Vec<_> = actions.iter().map(|(name, _)| name.as_str()).collect();
        if names != ["commitInfo", "protocol", "metaData"] {
            report.problem(place, format!("its actions are {names:?} instead of those that make an archive"));
        }
    }

    /// Every later one archives a batch and moves its partitions on, opens a generation of a topic, or
    /// moves batches.
    fn changed(
        &mut self,
        commit: &Commit,
        opened: &[(String, Topic)],
        actions: &[Action],
        place: &str,
        report: &mut Report,
    ) {
        let mut expected = match &commit.compaction {
            Some(compaction) if commit.files.is_empty() && commit.accept.is_none() => {
                self.chain.compacted(commit.version, compaction, report)
            }
            Some(_) => {
                report.problem(place, "is a compaction and something else as well");
                return;
            }
            None => self.chain.archived(commit, report),
        };
        if expected.is_empty() && commit.accept.is_none() {
            report.problem(place, "holds no batch and opens no generation");
        }
        // A compaction moves no partition on.
        for (app_id, next) in commit.txns.iter().filter(|_| commit.compaction.is_none()) {
            expected.push(("txn".to_owned(), json!({ "appId": app_id, "version": next })));
        }
        for (topic, state) in opened {
            match state.configuration() {
                Ok(holds) => expected.push(("domainMetadata".to_owned(), held(&domain(topic), &holds))),
                Err(error) => report.problem(place, error.to_string()),
            }
        }
        let found = actions.iter().filter(|(name, _)| name != "commitInfo");
        let found: Vec<_> = found.map(|(name, action)| (name.clone(), proper(name, action))).collect();
        if found != expected {
            let (name, action) = found
                .iter()
                .find(|action| !expected.contains(action))
                .map_or(("", &Value::Null), |(name, action)| (name.as_str(), action));
            let what = format!("its actions do not follow from its record: {name} {action}");
            report.problem(place, what);
        }
    }

    /// A checkpoint says what all commits until its version say.
    fn checkpoint(&self, archive: &Archive, name: &str, report: &mut Report) -> Result<(), Error> {
        let path = format!("{FOLDER}/{name}");
        let rows = match archive.bytes(&path).and_then(|bytes| parquet_as_json(&path, bytes)) {
            Ok(rows) => rows,
            Err(error) if error.kind == Kind::Corrupt => {
                report.problem(&path, error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let expected = self.expected();
        // A removal that is older than other engines need it may stand in the checkpoint or not.
        let now_ms = now_ms();
        let is_old = |removal: &&Action| {
            let removed_ms = removal.1.get("deletionTimestamp").and_then(Value::as_i64).unwrap_or(0);
            removed_ms.saturating_add(REMOVED_KEPT_MS) <= now_ms
        };
        let text = |(name, action): &Action| (name.clone(), action.to_string());
        let old: BTreeSet<_> = self.chain.removed.values().filter(is_old).map(text).collect();
        let found: Vec<(String, String)> = rows
            .iter()
            .flat_map(|row| row.as_object().into_iter().flatten())
            .map(|(name, action)| (name.clone(), proper(name, action).to_string()))
            .collect();
        let set: BTreeSet<_> = found.iter().cloned().collect();
        if let Some((name, action)) = set.difference(&expected).find(|action| !old.contains(*action)) {
            report.problem(&path, format!("no commit until its version says: {name} {action}"));
        }
        if let Some((name, action)) = expected.difference(&set).find(|action| !old.contains(*action)) {
            report.problem(&path, format!("leaves out what a commit says: {name} {action}"));
        }
        if found.len() != set.len() {
            report.problem(&path, "says something twice");
        }
        Ok(())
    }

    /// What all commits so far say, as a checkpoint does.
    fn expected(&self) -> BTreeSet<(String, String)> {
        let mut expected = vec![("protocol".to_owned(), protocol())];
        expected.extend(self.meta_data.clone().map(|meta_data| ("metaData".to_owned(), meta_data)));
        expected.extend(self.chain.live.values().map(StoredFile::add));
        expected.extend(self.chain.removed.values().cloned());
        let txn =
            |(app_id, next): (&String, &i64)| ("txn".to_owned(), json!({ "appId": app_id, "version": next }));
        expected.extend(self.next.iter().map(txn));
        let domains = self.domains.iter();
        expected.extend(domains.map(|(domain, holds)| ("domainMetadata".to_owned(), held(domain, holds))));
        expected.into_iter().map(|(name, action)| (name, action.to_string())).collect()
    }
}

/// How old a removal is now says whether a checkpoint had to tell it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The actions of a commit file, one a line, by their names.
fn actions(text: &[u8]) -> Result<Vec<(String, Value)>, (usize, String)> {
    let mut actions = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let bad = |what: &dyn ToString| (at + 1, what.to_string());
        let action: Map<String, Value> = serde_json::from_slice(line).map_err(|e| bad(&e))?;
        match action.into_iter().collect::<Vec<_>>().as_slice() {
            [(name, action)] => actions.push((name.clone(), action.clone())),
            several => return Err(bad(&format!("it has {} members", several.len()))),
        }
    }
    Ok(actions)
}

/// An action without what tells nothing of the table: when a `txn` was written, and members that
/// are there without a value.
fn proper(name: &str, action: &Value) -> Value {
    let mut action = action.clone();
    if let Some(members) = action.as_object_mut() {
        members.retain(|member, value| !value.is_null() && (name, member.as_str()) != ("txn", "lastUpdated"));
    }
    action
}

fn held(domain: &str, holds: &str) -> Value {
    json!({ "domain": domain, "configuration": holds, "removed": false })
}

fn protocol() -> Value {
    json!({
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": [],
        "writerFeatures": ["domainMetadata"],
    })
}

fn fault_of_meta_data(action: &Value) -> Option<String> {
    let is = |name: &str, expected: &Value| (action.get(name) != Some(expected)).then(|| name.to_owned());
    // The columns are compared as what they say: their text may be written in other ways.
    let schema = |text: &Value| serde_json::from_str::<Value>(text.as_str()?).ok();
    let columns = action.get("schemaString").and_then(schema);
    let expected = serde_json::from_str::<Value>(&schema_string().ok()?).ok();
    let fault = is("partitionColumns", &json!(PARTITION_COLUMNS))
        .or_else(|| is("configuration", &configuration()))
        .or_else(|| is("format", &json!({ "provider": "parquet", "options": {} })))
        .or_else(|| (columns != expected).then(|| "schemaString".to_owned()));
    fault.map(|name| format!("the table's {name} is not that of an archive"))
}

/// A hint for readers: where to begin.
fn last(archive: &Archive, listing: &Listing, report: &mut Report) -> Result<(), Error> {
    let path = format!("{FOLDER}/{LAST}");
    let bytes = archive.bytes(&path)?;
    let hint = serde_json::from_slice::<Value>(&bytes).ok();
    let version = hint.as_ref().and_then(|hint| hint.get("version")?.as_u64());
    match version {
        Some(version) if listing.checkpoints.contains_key(&version) => {}
        // It may have been written since the folder was listed.
        Some(version)
            if archive.store.get(&format!("{FOLDER}/{version:020}.checkpoint.parquet"))?.is_some() => {}
        Some(version) => {
            report.problem(path, format!("names a checkpoint of version {version}, which is not there"))
        }
        None => report.problem(path, "names no version"),
    }
    Ok(())
}
