//! The commit protocol: write, read back, re-hash, check the fence, commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use custody_schemas::{Hash, Manifest, Partition};

use crate::batch::Sealed;
use crate::clock::{Clock, SystemClock};
use crate::encode::encode;
use crate::error::{Error, Kind};
use crate::log::{self, CommitFile, FileRef, What};
use crate::read::{Archive, file_leaves};
use crate::recent::Recent;
use crate::store::{Location, S3Settings, Store};
use crate::table::{Append, Outcome, Table};
use crate::topics::{self, Topic};

/// How often one commit is tried before the caller is told: other workers may
/// win the race for a version a few times.
pub(crate) const ATTEMPTS_MAX: u32 = 20;
/// Pause after an attempt whose outcome is unknown.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Settings of a writer.
#[derive(Debug, Clone)]
pub struct WriterSettings {
    /// A Delta checkpoint after this many commits.
    pub checkpoint_every: u64,
    /// Bytes of rows that were read back and are held for an index in the same process.
    pub recent_bytes_max: usize,
}

impl Default for WriterSettings {
    fn default() -> Self {
        WriterSettings { checkpoint_every: 100, recent_bytes_max: 0 }
    }
}

/// A batch as the bytes of its file, ready to be stored.
pub struct Encoded {
    /// What the batch covers.
    pub manifest: Manifest,
    path: String,
    sha256: Hash,
    bytes: Bytes,
}

impl Encoded {
    /// Encodes a sealed batch.
    pub fn new(sealed: Sealed) -> Result<Self, Error> {
        let (manifest, bytes) = encode(sealed)?;
        let sha256 = Hash::of(&bytes);
        let month = month(manifest.archived_ms);
        let (class, batch) = (&manifest.retention_class, &manifest.batch);
        // The name holds the hash: it stays provable when the commit file is
        // long gone and only a checkpoint names the file.
        let path = format!("retention_class={class}/archive_month={month}/{batch}-{sha256}.parquet");
        Ok(Encoded { manifest, path, sha256, bytes: bytes.into() })
    }

    /// Size of the file.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Never: a Parquet file has a footer.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// `2013-05`, in UTC.
pub(crate) fn month(ms: i64) -> String {
    let (year, month, _) = custody_schemas::time::civil(ms.div_euclid(86_400_000));
    format!("{year:04}-{month:02}")
}

/// What a commit did and how long it took.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The archive's version that holds the batch.
    pub version: u64,
    /// The file.
    pub file: FileRef,
    /// Storing the file durably.
    pub put: Duration,
    /// Reading it back and re-hashing every record.
    pub read_back: Duration,
    /// The Delta commit.
    pub commit: Duration,
}

/// Appends batches to one archive.
pub struct Writer {
    pub(crate) store: Arc<Store>,
    recent: Arc<Recent>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Table,
    /// Next offsets by application id, as of the table's version.
    next: HashMap<String, Option<i64>>,
    /// Which life of a topic the archive is at, as of the table's version.
    topics: HashMap<String, Option<Topic>>,
    /// Batches seen in the log since this writer was opened, and their version:
    /// this is how an unknown outcome is resolved.
    landed: HashMap<String, u64>,
}

impl Writer {
    /// Opens an archive, making it where there is none.
    pub fn open(location: &Location, s3: &S3Settings, settings: &WriterSettings) -> Result<Self, Error> {
        let store = Arc::new(Store::open(location, s3)?);
        if let Location::Folder(folder) = location
            && let Some(stranger) = foreign_folder(folder)
        {
            let message = format!(
                "{location} is not an archive: it holds {stranger:?} and no _delta_log; choose an empty or a new folder"
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        Writer::in_store(store, settings, Arc::new(SystemClock::default()))
    }

    /// Opens the archive in a store, making it where there is none.
    pub fn in_store(
        store: Arc<Store>,
        settings: &WriterSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let table = match Table::open(&store, settings.checkpoint_every)? {
            Some(table) => table,
            None => Table::create(&store, settings.checkpoint_every)?,
        };
        let recent = Arc::new(Recent::new(settings.recent_bytes_max));
        let (next, topics, landed) = (HashMap::new(), HashMap::new(), HashMap::new());
        Ok(Writer { store, recent, clock, table, next, topics, landed })
    }

    /// A reader of the same archive.
    pub fn reader(&self) -> Archive {
        Archive::new(self.store.clone(), self.recent.clone())
    }

    /// The version that the writer stands at.
    pub fn version(&self) -> u64 {
        self.table.version()
    }

    /// The next offset of a partition at the newest version; `None` when nothing
    /// of it was archived yet.
    pub fn next_offset(&mut self, partition: &Partition) -> Result<Option<i64>, Error> {
        self.catch_up()?;
        self.known_next(&partition.app_id())
    }

    fn known_next(&mut self, app_id: &str) -> Result<Option<i64>, Error> {
        if let Some(next) = self.next.get(app_id) {
            return Ok(*next);
        }
        let next = self.table.txn(app_id)?;
        self.next.insert(app_id.to_owned(), next);
        Ok(next)
    }

    /// Which life of a topic the archive is at in the newest version; `None` when nothing of it was
    /// archived yet.
    pub fn topic(&mut self, topic: &str) -> Result<Option<Topic>, Error> {
        self.catch_up()?;
        Ok(self.known_topic(topic)?.cloned())
    }

    pub(crate) fn known_topic(&mut self, topic: &str) -> Result<Option<&Topic>, Error> {
        if !self.topics.contains_key(topic) {
            let held = self.table.domain(&topics::domain(topic))?;
            let state = held.map(|held| Topic::parse(topic, &held)).transpose()?;
            self.topics.insert(topic.to_owned(), state);
        }
        Ok(self.topics.get(topic).and_then(Option::as_ref))
    }

    pub(crate) fn now_at(&mut self, topic: &str, state: Topic) {
        self.topics.insert(topic.to_owned(), Some(state));
    }

    /// Reads what others committed since: all of it, or the writer stays where it was. A fence that
    /// stood at a version without knowing what its commits said would let pass what it must refuse.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        let newest = self.table.newest()?;
        let (mut next, mut topics, mut landed) = (Vec::new(), Vec::new(), Vec::new());
        for version in self.table.version() + 1..=newest.version() {
            let commit = log::existing(&self.store, version)?;
            next.extend(commit.txns.into_iter().map(|(app_id, next)| (app_id, Some(next))));
            for (domain, holds) in commit.domains {
                if let Some(topic) = topics::topic_of(&domain) {
                    topics.push((topic.to_owned(), Some(Topic::parse(topic, &holds)?)));
                }
            }
            landed.extend(commit.files.into_iter().map(|file| (file.manifest.batch, version)));
        }
        self.table.move_to(newest);
        self.next.extend(next);
        self.topics.extend(topics);
        self.landed.extend(landed);
        Ok(())
    }

    /// Archives a batch: after `Ok` it is durable and proven. After an error of
    /// kind `Retry` the same call may be made again: it never archives twice.
    pub fn archive(&mut self, encoded: &Encoded) -> Result<Committed, Error> {
        let started = self.clock.elapsed();
        self.fence(&encoded.manifest)?;
        self.store.put(&encoded.path, encoded.bytes.clone())?;
        let put = self.clock.elapsed().saturating_sub(started);
        let rows = self.read_back(encoded)?;
        let read_back = self.clock.elapsed().saturating_sub(started + put);
        let version = self.commit(encoded)?;
        if !self.recent.is_off() {
            self.recent.put(&encoded.path, rows);
        }
        let commit = self.clock.elapsed().saturating_sub(started + put + read_back);
        let file = FileRef {
            path: encoded.path.clone(),
            bytes: encoded.len(),
            sha256: encoded.sha256,
            first_row: None,
            manifest: encoded.manifest.clone(),
        };
        Ok(Committed { version, file, put, read_back, commit })
    }

    /// Every span must start where the archive ends, in the life of its topic that the archive is
    /// at, unless the batch itself is already there. What it makes known of its topics.
    fn fence(&mut self, manifest: &Manifest) -> Result<Vec<(String, Topic)>, Error> {
        if self.landed.contains_key(&manifest.batch) {
            return Ok(Vec::new());
        }
        for (topic, _) in topics::lives(manifest) {
            self.known_topic(topic)?;
        }
        let known = |topic: &str| self.topics.get(topic).and_then(Option::as_ref);
        let opened = topics::after_batch(manifest, known).map_err(|what| Error::new(Kind::Fenced, what))?;
        for part in &manifest.parts {
            let next = self.known_next(&part.partition.app_id())?.unwrap_or(0);
            if next != part.span.from {
                let message = format!(
                    "{} {}: the archive already stands at {next}: another worker has archived it",
                    part.partition, part.span
                );
                return Err(Error::new(Kind::Fenced, message));
            }
        }
        Ok(opened)
    }

    /// What the store gives back must be what was written, record by record. The rows that
    /// the index is made from, if they are to be held.
    fn read_back(&self, encoded: &Encoded) -> Result<Vec<RecordBatch>, Error> {
        let path = &encoded.path;
        let stored = self
            .store
            .get(path)?
            .ok_or_else(|| Error::new(Kind::Retry, format!("{path} was written but cannot be found")))?;
        if Hash::of(&stored) != encoded.sha256 {
            return Err(Error::new(Kind::Retry, format!("{path} reads back other bytes than were written")));
        }
        let mut kept = Vec::new();
        // The bytes are those that were encoded: what does not fit from here on is their fault.
        let unfaithful = |e| Error::with(Kind::Unfaithful, format!("{path} cannot be read back"), e);
        let (rows, root) =
            file_leaves(path, stored, (!self.recent.is_off()).then_some(&mut kept)).map_err(unfaithful)?;
        if rows != encoded.manifest.rows || root != encoded.manifest.root {
            let message = format!("{path} does not give back the records that were sealed");
            return Err(Error::new(Kind::Unfaithful, message));
        }
        Ok(kept)
    }

    fn commit(&mut self, encoded: &Encoded) -> Result<u64, Error> {
        let manifest = &encoded.manifest;
        let file = CommitFile { path: encoded.path.clone(), bytes: encoded.len(), sha256: encoded.sha256 };
        let record = What::Batch { file, manifest: manifest.clone() }.into_text()?;
        let txns: Vec<_> =
            manifest.parts.iter().map(|part| (part.partition.app_id(), part.span.to)).collect();
        let month = month(manifest.archived_ms);
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(version) = self.landed.get(&manifest.batch) {
                return Ok(*version);
            }
            let opened = self.fence(manifest)?;
            let domains = opened
                .iter()
                .map(|(topic, state)| Ok((topics::domain(topic), state.configuration()?)))
                .collect::<Result<Vec<_>, Error>>()?;
            let append = Append {
                path: &encoded.path,
                bytes: encoded.len(),
                rows: manifest.rows,
                modified_ms: manifest.archived_ms,
                retention_class: &manifest.retention_class,
                archive_month: &month,
                txns: &txns,
                domains: &domains,
                record: record.clone(),
            };
            match self.table.commit(&append)? {
                Outcome::Committed(version) => {
                    self.next.extend(txns.into_iter().map(|(app_id, next)| (app_id, Some(next))));
                    self.topics.extend(opened.into_iter().map(|(topic, state)| (topic, Some(state))));
                    return Ok(version);
                }
                Outcome::Conflict => self.catch_up()?,
                Outcome::Unknown(error) => {
                    tracing::warn!(batch = manifest.batch, %error, "commit outcome unknown; reading the log");
                    last = Some(error);
                    self.clock.sleep(PAUSE);
                    self.catch_up()?;
                }
            }
        }
        let message = format!("batch {} could not be committed in {ATTEMPTS_MAX} attempts", manifest.batch);
        Err(match last {
            Some(error) => Error::with(Kind::Retry, message, error),
            None => Error::new(Kind::Retry, message),
        })
    }
}

/// Something in the folder that shows it is in use for other things.
fn foreign_folder(folder: &std::path::Path) -> Option<String> {
    if folder.join("_delta_log").exists() {
        return None;
    }
    let mut names = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    // A register of people may be there before the first record.
    names.find(|name| !name.starts_with(['.', '_']) && name != "lost+found" && name != "people")
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
