//! From a split's file to something that can be searched.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use custody_schemas::Partition;
use tantivy::columnar::{Cardinality, Column};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, FileSlice, Lock, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{HasLen, Index, ReloadPolicy, Searcher, SegmentReader};

use super::format::{Footer, META, SEGMENT, STORE, read_footer};
use super::forms::{FORMS, Forms};
use super::segment::empty_store;
use crate::error::Error;
use crate::manifest::{Folder, SplitMeta};
use crate::schema::{IDENTITY, MESSAGE, TIME};
use crate::vocabulary::Vocabulary;

/// An open split.
pub(crate) struct OpenSplit {
    /// For messages.
    pub(crate) shown: String,
    pub(crate) footer: Footer,
    pub(crate) searcher: Searcher,
    /// What its parties are found by.
    pub(crate) forms: Forms,
    /// Absent when no record has a time.
    time: Option<Column<i64>>,
    identity: Column<u64>,
    /// Absent when no record is a version of a message.
    message: Option<Column<u64>>,
    /// The messages that it has an edit or a deletion of, ascending, once somebody looked.
    pub(crate) changed: OnceLock<Vec<u64>>,
    /// Its words, where somebody remembers them.
    pub(crate) words: Option<Vocabulary>,
    runs: Vec<Run>,
}

/// Documents that follow one another in one partition.
struct Run {
    first_doc: u32,
    partition: Partition,
    from: i64,
}

/// Where a record stands in its partition: ordered as its position is, though
/// only the archive's file knows the offset itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) partition: &'a Partition,
    /// Where the batch's span of the partition begins.
    pub(crate) from: i64,
    /// Counts the batch's records of the partition.
    pub(crate) nth: u32,
}

impl OpenSplit {
    /// Maps the file and opens the segment. Only the file's size and footer are
    /// checked; `verify` reads all of it.
    pub(crate) fn open(folder: &Folder, meta: &SplitMeta) -> Result<OpenSplit, Error> {
        let (shown, data) = (folder.split(meta), folder.map(meta)?);
        if data.len() as u64 != meta.bytes {
            let message = format!("{shown} has {} bytes instead of {}", data.len(), meta.bytes);
            return Err(Error::corrupt(message));
        }
        OpenSplit::of(&shown, data)
    }

    pub(crate) fn of(shown: &str, data: FileSlice) -> Result<OpenSplit, Error> {
        let footer = read_footer(shown, &data)?;
        let failed = |e| Error::tantivy(&format!("cannot open {shown}"), e);
        let directory = SplitDirectory::new(data, &footer)?;
        let forms = directory.forms().ok_or_else(|| Error::corrupt(format!("{shown} has no forms")))?;
        let index = Index::open(directory).map_err(failed)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
        let searcher = reader.searcher();
        let [segment] = searcher.segment_readers() else {
            return Err(Error::corrupt(format!("{shown} has not one segment")));
        };
        if segment.max_doc() != footer.docs || segment.has_deletes() {
            return Err(Error::corrupt(format!("{shown} has not the documents that it says")));
        }
        let forms = Forms::open(shown, &forms, segment)?;
        let time = segment.fast_fields().column_opt(TIME).map_err(failed)?;
        let identity = match segment.fast_fields().column_opt(IDENTITY).map_err(failed)? {
            Some(identity) => identity,
            None if footer.docs == 0 => Column::build_empty_column(0),
            None => return Err(Error::corrupt(format!("{shown} has no identities"))),
        };
        let message = segment.fast_fields().column_opt(MESSAGE).map_err(failed)?;
        let (shown, runs, searcher) = (shown.to_owned(), runs(&footer), searcher.clone());
        let changed = OnceLock::new();
        let words = None;
        Ok(OpenSplit { shown, footer, searcher, forms, time, identity, message, changed, words, runs })
    }

    pub(crate) fn segment(&self) -> &SegmentReader {
        // `of` made sure that there is one.
        self.searcher.segment_reader(0)
    }

    /// The documents that are there at an archive version are those before this.
    pub(crate) fn end_at(&self, version: u64) -> u32 {
        let after = self.footer.files.partition_point(|covered| covered.version <= version);
        self.footer.files.get(after).map_or(self.footer.docs, |covered| covered.first_doc)
    }

    pub(crate) fn identity(&self, doc: u32) -> u64 {
        self.identity.first(doc).unwrap_or_default()
    }

    pub(crate) fn time_ms(&self, doc: u32) -> Option<i64> {
        self.time.as_ref().and_then(|time| time.first(doc))
    }

    /// The identities of some documents, in their order.
    pub(crate) fn identities(&self, docs: &[u32], out: &mut Vec<Option<u64>>) {
        out.clear();
        out.resize(docs.len(), None);
        self.identity.first_vals(docs, out);
    }

    /// The identities of at most `count` documents from `first` on.
    pub(crate) fn identities_from(&self, first: u32, count: usize, out: &mut Vec<u64>) {
        let count = count.min(self.footer.docs.saturating_sub(first) as usize);
        out.clear();
        out.resize(count, 0);
        if self.identity.get_cardinality() == Cardinality::Full {
            self.identity.values.get_range(u64::from(first), out);
            return;
        }
        let docs = first..self.footer.docs;
        docs.zip(out).for_each(|(doc, out)| *out = self.identity(doc));
    }

    /// The times of some documents, in their order.
    pub(crate) fn times_ms(&self, docs: &[u32], out: &mut Vec<Option<i64>>) {
        out.clear();
        out.resize(docs.len(), None);
        if let Some(time) = &self.time {
            time.first_vals(docs, out);
        }
    }

    /// Which message a document is a version of, see [`Message::hash_in`](crate::message::Message::hash_in).
    pub(crate) fn message(&self, doc: u32) -> Option<u64> {
        self.message.as_ref().and_then(|message| message.first(doc))
    }

    /// Which messages some documents are versions of, in their order.
    pub(crate) fn messages(&self, docs: &[u32], out: &mut Vec<Option<u64>>) {
        out.clear();
        out.resize(docs.len(), None);
        if let Some(message) = &self.message {
            message.first_vals(docs, out);
        }
    }

    /// Which of the footer's files a document is from, and its row there.
    pub(crate) fn locate(&self, doc: u32) -> (usize, u64) {
        let after = self.footer.files.partition_point(|covered| covered.first_doc <= doc);
        // Files without rows share their first document with the next one.
        let at = after.saturating_sub(1);
        let first = self.footer.files.get(at).map_or(0, |covered| covered.first_doc);
        (at, u64::from(doc - first))
    }

    pub(crate) fn place(&self, doc: u32) -> Option<Place<'_>> {
        let after = self.runs.partition_point(|run| run.first_doc <= doc);
        let run = self.runs.get(after.checked_sub(1)?)?;
        Some(Place { partition: &run.partition, from: run.from, nth: doc - run.first_doc })
    }

    /// The partitions that its records are from, some more than once.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.runs.iter().map(|run| &run.partition)
    }
}

fn runs(footer: &Footer) -> Vec<Run> {
    let mut runs = Vec::new();
    for covered in &footer.files {
        let mut first_doc = covered.first_doc;
        for part in &covered.file.manifest.parts {
            if part.rows > 0 {
                runs.push(Run { first_doc, partition: part.partition.clone(), from: part.span.from });
            }
            // The footer was checked: all rows together fit.
            first_doc = first_doc.saturating_add(u32::try_from(part.rows).unwrap_or(u32::MAX));
        }
    }
    runs
}

/// The segment's files as pieces of the split. Nothing can be written.
#[derive(Clone)]
pub(super) struct SplitDirectory {
    data: FileSlice,
    parts: Arc<BTreeMap<PathBuf, Range<usize>>>,
    /// What stands for the store, which a split has not.
    store: FileSlice,
}

/// The same for every split.
static EMPTY_STORE: OnceLock<FileSlice> = OnceLock::new();

impl SplitDirectory {
    pub(super) fn new(data: FileSlice, footer: &Footer) -> Result<SplitDirectory, Error> {
        let store = match EMPTY_STORE.get() {
            Some(store) => store.clone(),
            None => {
                let made = FileSlice::from(empty_store()?);
                EMPTY_STORE.get_or_init(|| made).clone()
            }
        };
        let parts = footer.parts.iter().map(|part| {
            let name = if part.name == META { META.to_owned() } else { format!("{SEGMENT}.{}", part.name) };
            // The footer was checked: every part is inside the file.
            let at = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
            (PathBuf::from(name), at(part.offset)..at(part.offset + part.length))
        });
        Ok(SplitDirectory { data, parts: Arc::new(parts.collect()), store })
    }

    /// The part that is not Tantivy's.
    fn forms(&self) -> Option<FileSlice> {
        let range = self.parts.get(Path::new(&format!("{SEGMENT}.{FORMS}")))?;
        Some(self.data.slice(range.clone()))
    }
}

impl fmt::Debug for SplitDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplitDirectory({} bytes)", self.data.len())
    }
}

fn is_store(path: &Path) -> bool {
    path.to_str().and_then(|name| name.strip_prefix(SEGMENT)?.strip_prefix('.')) == Some(STORE)
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a split is never changed")
}

impl Directory for SplitDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.open_read(path)?))
    }

    fn open_read(&self, path: &Path) -> Result<FileSlice, OpenReadError> {
        if let Some(range) = self.parts.get(path) {
            return Ok(self.data.slice(range.clone()));
        }
        if is_store(path) {
            return Ok(self.store.clone());
        }
        Err(OpenReadError::FileDoesNotExist(path.to_owned()))
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.parts.contains_key(path) || is_store(path))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let bytes = self.open_read(path)?.read_bytes();
        let bytes = bytes.map_err(|e| OpenReadError::wrap_io_error(e, path.to_owned()))?;
        Ok(bytes.as_slice().to_owned())
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        // Nothing that could be locked against ever changes.
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
