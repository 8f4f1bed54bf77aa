//! What follows from one another: the spans of each partition, and the files that hold their
//! batches. A batch is archived once, and every compaction carries it on whole.

use std::collections::BTreeMap;

use custody_schemas::{Manifest, Partition};

use super::Report;
use super::files::StoredFile;
use crate::actions::{self, Action};
use crate::log::{Commit, Compaction};
use crate::topics::{self, Reached, Topic};

/// What the commits so far have said.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) next: BTreeMap<Partition, i64>,
    /// And the versions that archived them.
    batches: BTreeMap<String, u64>,
    /// Live files by their paths.
    pub(super) live: BTreeMap<String, StoredFile>,
    /// The actions that removed others.
    pub(super) removed: BTreeMap<String, Action>,
    /// The life that each topic is at.
    pub(super) topics: BTreeMap<String, Topic>,
}

impl Chain {
    /// What the commit says of topics must follow from its record, and the record from what was before.
    /// The states of topics that it makes known.
    pub(super) fn topics(&mut self, commit: &Commit, report: &mut Report) -> Vec<(String, Topic)> {
        let place = format!("version {}", commit.version);
        let mut opened = Vec::new();
        for manifest in commit.files.iter().map(|file| &file.manifest) {
            match topics::after_batch(manifest, |topic| self.topics.get(topic)) {
                Ok(states) => opened.extend(states),
                Err(what) => report.problem(&place, what),
            }
        }
        if let Some(accept) = &commit.accept {
            match topics::after_accept(accept, self.topics.get(&accept.topic)) {
                Ok(state) => opened.push((accept.topic.clone(), state)),
                Err(what) => report.problem(&place, what),
            }
            let ended = accept.generation.saturating_sub(1);
            let is_ended = |of: &Partition| of.topic == accept.topic && of.generation == ended;
            let reached = self.next.iter().filter(|(of, _)| is_ended(of));
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
        self.topics.extend(opened.iter().cloned());
        opened
    }

    /// A commit that archives a batch. What its file actions must be.
    pub(super) fn archived(&mut self, commit: &Commit, report: &mut Report) -> Vec<Action> {
        let place = format!("version {}", commit.version);
        let named: Vec<_> = commit.files.iter().map(|file| (file.path.clone(), file.bytes)).collect();
        if named != commit.adds {
            report.problem(&place, format!("adds {:?} but its manifest names {named:?}", commit.adds));
        }
        for removed in &commit.removes {
            report.problem(&place, format!("removes {removed}, which only a compaction does"));
        }
        let (mut expected, mut actions) = (BTreeMap::new(), Vec::new());
        for file in &commit.files {
            if !file.path.ends_with(&format!("{}-{}.parquet", file.manifest.batch, file.sha256)) {
                let what = format!("the name of {} does not hold its batch and SHA-256", file.path);
                report.problem(&place, what);
            }
            self.batch(commit.version, &file.manifest, &mut expected, report);
            let file = StoredFile::archived(commit.version, file);
            actions.push(file.add());
            self.live.insert(file.path.clone(), file);
        }
        if commit.txns.iter().cloned().collect::<BTreeMap<_, _>>() != expected {
            report.problem(&place, "its txn entries are not the next offsets of its spans");
        }
        actions
    }

    fn batch(
        &mut self,
        version: u64,
        manifest: &Manifest,
        expected: &mut BTreeMap<String, i64>,
        report: &mut Report,
    ) {
        let place = &format!("version {version}");
        report.batches += 1;
        if let Some(fault) = manifest.fault() {
            report.problem(place, format!("batch {}: {fault}", manifest.batch));
        }
        if let Some(first) = self.batches.insert(manifest.batch.clone(), version) {
            report
                .problem(place, format!("batch {} was already archived by version {first}", manifest.batch));
        }
        for part in &manifest.parts {
            let next = self.next.entry(part.partition.clone()).or_insert(0);
            if *next != part.span.from {
                let what = format!("{} {} does not follow offset {next}", part.partition, part.span);
                report.problem(place, what);
            }
            *next = part.span.to;
            expected.insert(part.partition.app_id(), part.span.to);
            report.quarantined += part.quarantined;
            report.skipped += part.skipped;
            report.lost += part.lost();
        }
    }

    /// A commit that moves batches: the files that it replaces are live, their batches are carried on
    /// whole and unchanged. What its file actions must be.
    pub(super) fn compacted(
        &mut self,
        version: u64,
        compaction: &Compaction,
        report: &mut Report,
    ) -> Vec<Action> {
        let place = format!("version {version}");
        let Compaction { file, compacted_ms, compacted } = compaction;
        if let Some(fault) = compacted.fault() {
            report.problem(&place, format!("its compaction is not sound: {fault}"));
        }
        let (class, month) = (compacted.class(), compacted.month());
        let name = format!("retention_class={class}/archive_month={month}/compacted-{}.parquet", file.sha256);
        if file.path != name {
            let what = format!("the name of {} does not hold its class, month and SHA-256", file.path);
            report.problem(&place, what);
        }
        let mut replaced = Vec::with_capacity(compacted.replaces.len());
        for path in &compacted.replaces {
            match self.live.remove(path) {
                Some(file) => replaced.push(file),
                None => report.problem(&place, format!("replaces {path}, which is not live")),
            }
        }
        let made = StoredFile::compacted(version, compaction);
        let before: Vec<_> = replaced.iter().flat_map(|file| &file.batches).copied().collect();
        if before != made.batches {
            let lost = before.iter().find(|batch| !made.batches.contains(batch));
            let what = lost.map_or_else(
                || "holds other batches than the files that it replaces".to_owned(),
                |(of, _)| format!("the batch of version {of} is left out, or not as it was archived"),
            );
            report.problem(&place, what);
        }
        let bytes: Vec<u64> = replaced.iter().map(|file| file.bytes).collect();
        let actions = actions::compaction(file, compacted, *compacted_ms, &bytes);
        for (file, action) in replaced.iter().zip(&actions) {
            self.removed.insert(file.path.clone(), action.clone());
        }
        self.live.insert(file.path.clone(), made);
        actions
    }
}
