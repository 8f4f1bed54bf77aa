//! An archive in memory, and what the reference evaluator says about it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use custody_archive::{CallRow, FileRef, FileRow, Relation};
use custody_schemas::manifest::{MANIFEST_VERSION, Manifest, Part};
use custody_schemas::{Hash, Partition, Span};

use crate::error::{Error, Kind};
use crate::exact::{Standing, decided};
use crate::manifest::SplitMeta;
use crate::query::Query;
use crate::source::{Added, Party, Row, Source};
use crate::store::IndexStore;
use crate::text::Said;

/// An index in a folder.
pub(crate) fn store(dir: &Path) -> IndexStore {
    IndexStore::folder(dir).unwrap()
}

/// The file of a split.
pub(crate) fn file_of(dir: &Path, meta: &SplitMeta) -> PathBuf {
    dir.join(meta.file_name())
}

/// A party that owns what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) relation: Relation,
    pub(crate) network: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) via: bool,
}

impl From<(Relation, Option<String>, Option<String>, Option<String>)> for Named {
    fn from(named: (Relation, Option<String>, Option<String>, Option<String>)) -> Self {
        let (relation, network, address, name) = named;
        Named { relation, network, address, name, scope: None, via: false }
    }
}

fn party(named: &Named) -> Party<'_> {
    Party {
        relation: named.relation,
        network: named.network.as_deref(),
        address: named.address.as_deref(),
        name: named.name.as_deref(),
        scope: named.scope.as_deref(),
        via: named.via,
    }
}

/// A call that owns what it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OwnCall {
    pub(crate) id: Option<String>,
    pub(crate) media: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) response_code: Option<i64>,
}

/// A file that owns what it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OwnFile {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) media_type: Option<String>,
    pub(crate) sha256: Option<String>,
}

/// A row that owns what it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Event {
    pub(crate) quarantined: bool,
    pub(crate) gap: bool,
    pub(crate) reason: Option<String>,
    pub(crate) kind: String,
    pub(crate) time_ms: Option<i64>,
    pub(crate) archived_ms: Option<i64>,
    pub(crate) tenant: Option<String>,
    pub(crate) conversation: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) message_id: Option<String>,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) identity: u64,
    pub(crate) call: Option<OwnCall>,
    pub(crate) file: Option<OwnFile>,
    pub(crate) parties: Vec<Named>,
}

/// A message that says something, different from all others with another number.
pub(crate) fn said(number: u64, body: &str) -> Event {
    Event {
        kind: "federation.im.message.sent.v1".to_owned(),
        time_ms: Some(1_000 * number.cast_signed()),
        body: Some(body.to_owned()),
        tenant: Some("contoso.example".to_owned()),
        identity: number,
        ..Event::default()
    }
}

/// Where everything comes from.
const TOPIC: &str = "federation.events";

impl Event {
    pub(crate) fn row(&self) -> Row<'_> {
        Row {
            quarantined: self.quarantined,
            gap: self.gap,
            reason: self.reason.as_deref(),
            kind: &self.kind,
            time_ms: self.time_ms,
            archived_ms: self.archived_ms,
            tenant: self.tenant.as_deref(),
            conversation: self.conversation.as_deref(),
            client: self.client.as_deref(),
            message_id: self.message_id.as_deref(),
            in_reply_to: self.in_reply_to.as_deref(),
            body: self.body.as_deref(),
            content_type: self.content_type.as_deref(),
            detail: self.detail.as_deref(),
            title: self.title.as_deref(),
            identity: self.identity,
            call: self.call.as_ref().map(|call| CallRow {
                id: call.id.as_deref(),
                media: call.media.as_deref(),
                duration_ms: call.duration_ms,
                response_code: call.response_code,
            }),
            file: self.file.as_ref().map(|file| FileRow {
                id: file.id.as_deref(),
                name: file.name.as_deref(),
                media_type: file.media_type.as_deref(),
                sha256: file.sha256.as_deref(),
            }),
            parties: self.parties.iter().map(party).collect(),
        }
    }

    /// What a search by words looks at.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            content_type: self.content_type.as_deref(),
            body: self.body.as_deref(),
            detail: self.detail.as_deref(),
            title: self.title.as_deref(),
            reason: self.reason.as_deref(),
        }
    }

    /// What the reference evaluator says, when no other event says anything of it.
    pub(crate) fn matches(&self, query: &Query) -> bool {
        self.matches_among(query, Standing::default())
    }

    /// The same when others say this of it.
    pub(crate) fn matches_among(&self, query: &Query, standing: Standing) -> bool {
        decided(query, &self.row(), Some(TOPIC), standing)
    }
}

/// An archive in memory; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    commits: Vec<Added>,
    rows: BTreeMap<String, Vec<Event>>,
    /// Next offset of each partition.
    next: BTreeMap<i32, i64>,
}

/// A record of the memory and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) path: String,
    pub(crate) row: u64,
    pub(crate) event: Event,
}

impl Memory {
    /// Commits one file; `parts` are partitions, ascending, with their rows.
    pub(crate) fn commit(&self, parts: Vec<(i32, Vec<Event>)>) -> u64 {
        self.commit_files(vec![parts])
    }

    pub(crate) fn commit_files(&self, files: Vec<Vec<(i32, Vec<Event>)>>) -> u64 {
        let mut state = self.0.lock().unwrap();
        let version = state.commits.len() as u64;
        let files = files.into_iter().enumerate().map(|(at, parts)| state.file(version, at, parts)).collect();
        state.commits.push(Added { version, files, moved: Vec::new() });
        version
    }

    /// Moves what these versions archived into one file, as a compaction does. The files that they
    /// were in are gone at once.
    pub(crate) fn compact(&self, versions: std::ops::Range<u64>) -> u64 {
        let mut state = self.0.lock().unwrap();
        let version = state.commits.len() as u64;
        let path = format!("c{version}.parquet");
        let (mut rows, mut moved, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for of in versions {
            for batch in state.commits[of as usize].files.clone() {
                let now = state.place(&batch);
                let (first_row, events) = (rows.len() as u64, state.events(&now).unwrap());
                rows.extend(events);
                gone.push(now.path.clone());
                let sha256 = Hash::of(path.as_bytes());
                moved.push((of, FileRef { path: path.clone(), sha256, first_row: Some(first_row), ..now }));
            }
        }
        gone.iter().for_each(|path| drop(state.rows.remove(path)));
        state.rows.insert(path, rows);
        state.commits.push(Added { version, files: Vec::new(), moved });
        version
    }

    pub(crate) fn say(&self, events: Vec<Event>) -> u64 {
        self.commit(vec![(0, events)])
    }

    /// Every event with its version, file and row, in order of the archive.
    pub(crate) fn all(&self) -> Vec<(u64, Stored)> {
        let state = self.0.lock().unwrap();
        let files =
            state.commits.iter().flat_map(|commit| commit.files.iter().map(|file| (commit.version, file)));
        files
            .flat_map(|(version, file)| {
                let stored = |(row, event): (usize, Event)| {
                    (version, Stored { path: file.path.clone(), row: row as u64, event })
                };
                let events = state.events(&state.place(file)).unwrap();
                events.into_iter().enumerate().map(stored).collect::<Vec<_>>()
            })
            .collect()
    }

    pub(crate) fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<Event>)) {
        change(self.0.lock().unwrap().rows.get_mut(path).unwrap());
    }

    pub(crate) fn truncate(&self, commits: usize) {
        self.0.lock().unwrap().commits.truncate(commits);
    }
}

impl State {
    /// Where a batch is now.
    fn place(&self, file: &FileRef) -> FileRef {
        let mut moved = self.commits.iter().flat_map(|commit| &commit.moved);
        let last = moved.rfind(|(_, moved)| moved.manifest.batch == file.manifest.batch);
        last.map_or_else(|| file.clone(), |(_, moved)| moved.clone())
    }

    /// The rows of a batch in this place.
    fn events(&self, file: &FileRef) -> Option<Vec<Event>> {
        let rows = self.rows.get(&file.path)?;
        match file.first_row {
            None => Some(rows.clone()),
            Some(first) => Some(rows[first as usize..(first + file.manifest.rows) as usize].to_vec()),
        }
    }

    fn file(&mut self, version: u64, at: usize, parts: Vec<(i32, Vec<Event>)>) -> FileRef {
        let path = format!("v{version}-{at}.parquet");
        let mut events = Vec::new();
        let mut described = Vec::new();
        for (number, rows) in parts {
            let from = self.next.entry(number).or_default();
            let span = Span::new(*from, *from + rows.len() as i64).unwrap();
            *from = span.to;
            let partition = Partition { topic: TOPIC.to_owned(), generation: 1, partition: number };
            let (rows_len, quarantined) = (rows.len() as u64, 0);
            described.push(Part { partition, span, rows: rows_len, quarantined, skipped: 0, gaps: vec![] });
            events.extend(rows);
        }
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            batch: format!("b{version}-{at}"),
            rows: events.len() as u64,
            root: Hash::of(path.as_bytes()),
            archived_ms: 0,
            retention_class: "default".to_owned(),
            topics: Default::default(),
            parts: described,
        };
        assert_eq!(manifest.fault(), None);
        let file = FileRef {
            path: path.clone(),
            bytes: 100,
            sha256: Hash::of(path.as_bytes()),
            first_row: None,
            manifest,
        };
        self.rows.insert(path, events);
        file
    }
}

impl Source for Memory {
    type Record = Stored;

    fn newest(&self) -> Result<u64, Error> {
        let commits = self.0.lock().unwrap().commits.len() as u64;
        commits.checked_sub(1).ok_or_else(|| Error::new(Kind::Retry, "no commit"))
    }

    fn commits_after(&self, version: Option<u64>) -> Result<Vec<Added>, Error> {
        let state = self.0.lock().unwrap();
        Ok(state.commits.iter().filter(|commit| Some(commit.version) > version).cloned().collect())
    }

    fn rows(
        &self,
        batches: &[(u64, FileRef)],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (_, file) in batches {
            let events = self.0.lock().unwrap().events(file);
            let events = events.ok_or_else(|| Error::corrupt(format!("{} is missing", file.path)))?;
            events.iter().try_for_each(|event| each(&event.row()))?;
        }
        Ok(())
    }

    fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Stored>, Error> {
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "rows must ascend: {rows:?}");
        let state = self.0.lock().unwrap();
        // A file that is gone is found in the log, as the archive does.
        let events = state.events(file).or_else(|| state.events(&state.place(file))).unwrap();
        let stored =
            |row: &u64| Stored { path: file.path.clone(), row: *row, event: events[*row as usize].clone() };
        Ok(rows.iter().map(stored).collect())
    }

    fn conversation(record: &Stored) -> Option<&str> {
        record.event.conversation.as_deref()
    }

    fn said(record: &Stored) -> Said<'_> {
        record.event.said()
    }
}
