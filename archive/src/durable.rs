//! Local disk as an object store whose writes survive a power failure.
//!
//! `object_store`'s local store does not fsync. Here a put writes a temporary
//! file, syncs it, gives it its name (a link for put-if-absent, a rename
//! otherwise) and syncs the folder: a crash before the name leaves a stray
//! temporary file that nobody reads; after it, the whole object.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct DurableStore {
    inner: Arc<LocalFileSystem>,
}

impl DurableStore {
    pub(crate) fn new() -> Self {
        DurableStore { inner: Arc::new(LocalFileSystem::new()) }
    }
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local disk")
    }
}

fn failed(path: &FsPath, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return Error::AlreadyExists { path: path.display().to_string(), source: Box::new(source) };
    }
    let text = format!("cannot write {}: {source}", path.display());
    Error::Generic { store: "local disk", source: text.into() }
}

/// Makes missing folders, syncing each parent so that the names last.
pub(crate) fn make_folder(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Writes a whole file so that after a crash it is there whole or not at all.
fn put_durably(target: &FsPath, payload: &PutPayload, create_only: bool) -> io::Result<()> {
    let folder = target.parent().ok_or_else(|| io::Error::other("no folder to write in"))?;
    make_folder(folder)?;
    let mut file = tempfile::Builder::new().prefix(".custody-").suffix("#tmp").tempfile_in(folder)?;
    for chunk in payload.iter() {
        file.write_all(chunk)?;
    }
    file.as_file().sync_all()?;
    if create_only {
        file.persist_noclobber(target).map_err(|e| e.error)?;
    } else {
        file.persist(target).map_err(|e| e.error)?;
    }
    File::open(folder)?.sync_all()
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let create_only = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "conditional update".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let target: PathBuf = self.inner.path_to_filesystem(location)?;
        let written = tokio::task::spawn_blocking(move || {
            put_durably(&target, &payload, create_only).map_err(|source| failed(&target, source))
        });
        written.await.map_err(|source| Error::JoinError { source })??;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Buffered {
            store: DurableStore { inner: self.inner.clone() },
            location: location.clone(),
            parts: Vec::new(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Collects the parts of an upload and puts them as one: only checkpoints are
/// written in parts, and they are small enough to hold.
#[derive(Debug)]
struct Buffered {
    store: DurableStore,
    location: Path,
    parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Buffered {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data);
        Box::pin(async { Ok(()) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let whole: PutPayload =
            std::mem::take(&mut self.parts).iter().flat_map(|part| part.iter().cloned()).collect();
        self.store.put_opts(&self.location, whole, PutMode::Overwrite.into()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}
