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

/// A file under a name that nobody reads.
#[derive(Debug)]
pub struct Temporary {
    /// Its name.
    pub path: PathBuf,
    /// As it was written, where it is a file of this machine: what failed to reach the disk is told to
    /// whoever wrote it.
    pub file: Option<File>,
}

/// The calls that make a file last, one by one, so that a test can lose what was not synced.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Whether there is a folder of this name.
    fn is_folder(&self, folder: &FsPath) -> bool;
    /// Makes a folder in one that exists; not an error when it is there already.
    fn make_folder(&self, folder: &FsPath) -> io::Result<()>;
    /// Writes a new file.
    fn write_temporary(&self, folder: &FsPath, payload: &PutPayload) -> io::Result<Temporary>;
    /// Makes the bytes of a file last.
    fn sync_file(&self, file: &Temporary) -> io::Result<()>;
    /// Gives a temporary file its name, instead of what has the name.
    fn replace(&self, temporary: &FsPath, target: &FsPath) -> io::Result<()>;
    /// Gives a temporary file its name; fails with `AlreadyExists` when the name is taken.
    fn create(&self, temporary: &FsPath, target: &FsPath) -> io::Result<()>;
    /// Removes a temporary file that got no name.
    fn discard(&self, temporary: &FsPath);
    /// Makes the names in a folder last.
    fn sync_folder(&self, folder: &FsPath) -> io::Result<()>;
}

/// The disk itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn is_folder(&self, folder: &FsPath) -> bool {
        folder.is_dir()
    }

    fn make_folder(&self, folder: &FsPath) -> io::Result<()> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn write_temporary(&self, folder: &FsPath, payload: &PutPayload) -> io::Result<Temporary> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".custody-").suffix("#tmp");
        // As any file: the operator's umask decides who may read the archive.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        for chunk in payload.iter() {
            file.write_all(chunk)?;
        }
        let (file, path) = file.keep().map_err(|e| e.error)?;
        Ok(Temporary { path, file: Some(file) })
    }

    fn sync_file(&self, file: &Temporary) -> io::Result<()> {
        file.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    fn replace(&self, temporary: &FsPath, target: &FsPath) -> io::Result<()> {
        fs::rename(temporary, target)
    }

    fn create(&self, temporary: &FsPath, target: &FsPath) -> io::Result<()> {
        let temporary = tempfile::TempPath::try_from_path(temporary)?;
        temporary.persist_noclobber(target).map_err(|e| {
            // Whoever called discards it.
            let _ = e.path.keep();
            e.error
        })
    }

    fn discard(&self, temporary: &FsPath) {
        // What stays is a file that nobody reads.
        let _ = fs::remove_file(temporary);
    }

    fn sync_folder(&self, folder: &FsPath) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Makes missing folders, syncing each parent so that the names last.
pub(crate) fn make_folder(disk: &dyn Disk, folder: &FsPath) -> io::Result<()> {
    if disk.is_folder(folder) {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folder(disk, parent)?;
    disk.make_folder(folder)?;
    disk.sync_folder(parent)
}

/// Writes a whole file so that after a crash it is there whole or not at all. Its name lasts when
/// this returns; `create_only` fails with `AlreadyExists` when the name is taken.
pub fn put_durably(
    disk: &dyn Disk,
    target: &FsPath,
    payload: &PutPayload,
    create_only: bool,
) -> io::Result<()> {
    let folder = target.parent().ok_or_else(|| io::Error::other("no folder to write in"))?;
    make_folder(disk, folder)?;
    let temporary = disk.write_temporary(folder, payload)?;
    let name = if create_only { Disk::create } else { Disk::replace };
    let named = disk.sync_file(&temporary).and_then(|()| name(disk, &temporary.path, target));
    if named.is_err() {
        disk.discard(&temporary.path);
    }
    named?;
    disk.sync_folder(folder)
}

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
            put_durably(&LocalDisk, &target, &payload, create_only).map_err(|source| failed(&target, source))
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
