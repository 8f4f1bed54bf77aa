//! What must hold after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use custody_archive::{Archive, Commit, verify};
use custody_index::verify_index;
use custody_schemas::{Partition, TopicId};

use super::World;
use super::kafka::{Entry, Log, Place};

/// What the archive says of one partition.
#[derive(Debug, Default)]
struct Archived {
    next: i64,
    rows: BTreeSet<i64>,
    /// Offsets in recorded gaps.
    lost: BTreeSet<i64>,
}

impl World {
    /// The archive is proven, the index is what it should be, and both say what was published:
    /// each message once, with its bytes, and of every other offset why it holds none. Panics with
    /// what is wrong.
    pub fn check(&mut self) {
        let mut faults = self
            .workers
            .iter()
            .map(|process| &process.faults)
            .chain([&self.indexer.faults, &self.compactor.faults]);
        let unharmed = self.checks_after_fault_only && faults.any(|faults| faults.is_planned());
        if unharmed || self.checked == self.backing.changes() {
            return;
        }
        self.checked = self.backing.changes();
        self.checks += 1;
        let archive = match self.archive() {
            Ok(archive) => archive,
            // It was not made yet: the table's first commit makes it.
            Err(error) if error.kind == custody_archive::Kind::Invalid => return,
            Err(error) => panic!("the archive cannot be opened: {error}"),
        };
        let report = verify(&archive, &mut |_| {}).unwrap_or_else(|e| panic!("cannot verify: {e}"));
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        self.check_archived(&archive);
        let store = self.index_store();
        if store.exists().unwrap_or_else(|e| panic!("{e}")) {
            let index = verify_index(&store, &archive).unwrap_or_else(|e| panic!("cannot compare: {e}"));
            assert!(index.is_sound(), "{:#?}", index.differences);
        }
    }

    /// As `check`, and nothing is left to be done.
    pub fn check_complete(&mut self) {
        self.check();
        let archive = self.archive().unwrap_or_else(|e| panic!("{e}"));
        let next = self.next_offsets();
        for (place, end) in self.kafka.message_ends() {
            let next = next.get(&place).copied().unwrap_or(0);
            assert!(next >= end, "{place:?} is archived through {next} of {end}");
        }
        let index = verify_index(&self.index_store(), &archive).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(index.through_version, Some(index.archive_version), "the index is behind");
    }

    /// Where each partition of the topic's present life stands; nothing where there is no archive.
    pub fn next_offsets(&self) -> BTreeMap<Place, i64> {
        let history = self.archive().and_then(|archive| archive.history()).unwrap_or_default();
        let id = self.kafka.topic_id();
        let life = history.generations.into_iter().find(|life| life.topic_id.as_ref() == Some(&id));
        let through = life.map(|life| (life.topic, life.through));
        through
            .into_iter()
            .flat_map(|(topic, through)| {
                through.into_iter().map(move |(number, next)| ((topic.clone(), number), next))
            })
            .collect()
    }

    /// Whether the archive is at another life of the topic than Kafka.
    pub fn is_to_be_accepted(&self) -> Option<i32> {
        let history = self.archive().and_then(|archive| archive.history()).unwrap_or_default();
        let newest = history.generations.last()?;
        (newest.topic_id.as_ref() != Some(&self.kafka.topic_id())).then_some(newest.generation)
    }

    /// Records in the archive, gaps not counted.
    pub fn archived_rows(&self) -> u64 {
        let archive = self.archive().unwrap_or_else(|e| panic!("{e}"));
        commits(&archive).iter().flat_map(|commit| &commit.files).map(|file| file.manifest.records()).sum()
    }

    /// The names of the archive's files that name their content: what the log holds besides has
    /// random numbers in it.
    pub fn files(&self) -> Vec<PathBuf> {
        let all = self.disk.list(Path::new("/archive")).into_iter().map(|(path, _)| path);
        all.filter(|path| !path.starts_with("/archive/_delta_log")).collect()
    }

    fn check_archived(&self, archive: &Archive) {
        let mut archived: BTreeMap<Partition, Archived> = BTreeMap::new();
        let history = archive.history().unwrap_or_else(|e| panic!("{e}"));
        let ids: BTreeMap<i32, TopicId> = history
            .generations
            .into_iter()
            .filter_map(|life| Some((life.generation, life.topic_id?)))
            .collect();
        let truth = |partition: &Partition| {
            let place: Place = (partition.topic.clone(), partition.partition);
            self.kafka.log_of(&ids[&partition.generation], &place)
        };
        for file in commits(archive).iter().flat_map(|commit| &commit.files) {
            for part in &file.manifest.parts {
                let of = archived.entry(part.partition.clone()).or_default();
                assert_eq!(of.next, part.span.from, "{} does not chain", part.partition);
                of.next = part.span.to;
                of.lost.extend(part.gaps.iter().flat_map(|gap| gap.span.from..gap.span.to));
            }
            let all: Vec<u64> = (0..file.manifest.rows).collect();
            for record in archive.fetch(file, &all).unwrap_or_else(|e| panic!("{e}")) {
                let position = record.position;
                if record.gap.is_some() {
                    continue;
                }
                let log = truth(&position.partition);
                let Some(Entry::Message(truth) | Entry::Compacted(truth)) = log.at(position.offset) else {
                    panic!("{position} was never published");
                };
                assert_eq!(record.key, truth.key, "{position}");
                assert_eq!(record.payload, truth.payload, "{position}");
                assert_eq!(record.broker_time_ms, Some(truth.broker_time_ms), "{position}");
                let of = archived.entry(position.partition.clone()).or_default();
                assert!(of.rows.insert(position.offset), "{position} is archived twice");
            }
        }
        for (partition, of) in &archived {
            check_fates(partition, of, &truth(partition));
        }
    }
}

/// Every offset that is accounted for is a record, or there is a reason why it is none.
fn check_fates(partition: &Partition, of: &Archived, log: &Log) {
    assert!(of.next <= log.end(), "{partition} stands at {} of {}", of.next, log.end());
    for offset in (0..of.next).filter(|offset| !of.rows.contains(offset)) {
        let holds_none = matches!(log.at(offset), Some(Entry::Marker | Entry::Compacted(_)));
        let was_deleted = of.lost.contains(&offset) && offset < log.low;
        assert!(holds_none || was_deleted, "{partition}:{offset} is missing");
    }
    assert!(of.rows.is_disjoint(&of.lost), "{partition} has records in its gaps");
}

fn commits(archive: &Archive) -> Vec<Commit> {
    archive.commits_after(None).unwrap_or_else(|e| panic!("{e}"))
}
