//! Where an index keeps its files: a folder, or an object store with a cache on local disk.

use std::path::Path;
use std::sync::Arc;

use custody_archive::{Location, S3Settings, Store};
use tantivy::directory::error::OpenReadError;
use tantivy::directory::{Directory, FileSlice, MmapDirectory};

use crate::cached::Cached;
use crate::error::{Error, Kind};
use crate::manifest::SplitMeta;

/// Where an index is.
#[derive(Clone)]
pub struct IndexStore {
    store: Arc<Store>,
    /// Splits that were fetched from a store that is not on this machine.
    cache: Option<Arc<Cached>>,
}

impl IndexStore {
    /// A folder on local disk.
    ///
    /// # Errors
    ///
    /// `Invalid` when the path cannot be one.
    pub fn folder(path: &Path) -> Result<Self, Error> {
        let location = Location::Folder(path.to_owned());
        let store = Store::open(&location, &S3Settings::default()).map_err(Error::store)?;
        Ok(IndexStore::of(Arc::new(store)))
    }

    /// Any store. Where it is not on this machine splits are held in memory while they are used.
    pub fn of(store: Arc<Store>) -> Self {
        IndexStore { store, cache: None }
    }

    /// Keeps fetched splits in a folder of its own, up to so many bytes.
    ///
    /// # Errors
    ///
    /// `Retry` when the folder cannot be made or read.
    pub fn with_cache(self, folder: &Path, bytes_max: u64) -> Result<Self, Error> {
        let cache = Cached::open(folder, bytes_max)?;
        Ok(IndexStore { cache: Some(Arc::new(cache)), ..self })
    }

    /// A file for messages.
    pub fn shown(&self, name: &str) -> String {
        self.store.shown(name)
    }

    /// Whether there is anything of an index.
    ///
    /// # Errors
    ///
    /// `Retry` when the store does not say.
    pub fn exists(&self) -> Result<bool, Error> {
        Ok(!self.list("manifest")?.is_empty())
    }

    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.store.list(folder).map_err(Error::store)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.store.get(name).map_err(Error::store)?.map(Vec::from))
    }

    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.store.size(name).map_err(Error::store)
    }

    pub(crate) fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        self.store.put_new(name, bytes).map_err(Error::store)
    }

    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.store.put(name, bytes).map_err(Error::store)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        self.store.remove(name).map_err(Error::store)
    }

    /// A split, in memory as far as it is used.
    pub(crate) fn map(&self, meta: &SplitMeta) -> Result<FileSlice, Error> {
        let name = meta.file_name();
        if let Some(path) = self.store.on_disk(&name) {
            return map(&path);
        }
        let fetch = || self.get(&name)?.ok_or_else(|| missing(&self.shown(&name)));
        match &self.cache {
            Some(cache) => cache.map(meta, fetch),
            None => Ok(FileSlice::from(fetch()?)),
        }
    }
}

fn missing(shown: &str) -> Error {
    Error::corrupt(format!("{shown} is missing"))
}

/// A file of this machine.
pub(crate) fn map(path: &Path) -> Result<FileSlice, Error> {
    let failed = |e: OpenReadError| match e {
        OpenReadError::FileDoesNotExist(_) => missing(&path.display().to_string()),
        e => Error::with(Kind::Retry, format!("cannot open {}", path.display()), e),
    };
    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
    let directory = MmapDirectory::open(folder)
        .map_err(|e| Error::with(Kind::Retry, format!("cannot open {}", folder.display()), e))?;
    directory.open_read(Path::new(name)).map_err(failed)
}
