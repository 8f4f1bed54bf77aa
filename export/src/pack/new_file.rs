//! A file that gets its name when it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use custody_schemas::Hash;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Written as `NAME.part`, which is removed if it is not published; one that a killed run left is
/// replaced.
pub(super) struct NewFile {
    path: PathBuf,
    part: PathBuf,
    /// Locked while this exists.
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
    /// It could not be written. What libraries still write while they are dropped is let go then.
    failed: bool,
    published: bool,
}

/// Refuses a path that is taken, or that is in the folder `dir`.
pub(super) fn refuse(path: &Path, dir: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(taken(path));
    }
    if path.file_name().is_none() {
        return Err(Error::invalid(format!("{} is no name for a file", path.display())));
    }
    let folder = folder(path);
    let (Ok(folder), Ok(dir)) = (fs::canonicalize(folder), fs::canonicalize(dir)) else {
        // What is not there is told when it is opened.
        return Ok(());
    };
    if folder.starts_with(dir) {
        let what = "is in the production, where no other file may be; name one outside of it";
        return Err(Error::invalid(format!("{} {what}", path.display())));
    }
    Ok(())
}

fn taken(path: &Path) -> Error {
    Error::invalid(format!("{} is there already; name a new file", path.display()))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl NewFile {
    /// Begins a file.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        remove_rest(&part)?;
        let file = File::create_new(&part).map_err(|e| Error::io("write", &part, e))?;
        let new = NewFile {
            path: path.to_owned(),
            part,
            file: BufWriter::new(file),
            hasher: Sha256::new(),
            bytes: 0,
            failed: false,
            published: false,
        };
        new.file.get_ref().lock().map_err(|e| Error::io("lock", &new.part, e))?;
        Ok(new)
    }

    /// Gives it its name, when all of it is on disk: its size and SHA-256. A file that came to be under
    /// this name meanwhile is left alone.
    pub(super) fn publish(mut self) -> Result<(u64, Hash), Error> {
        let written = if self.failed { Err(io::ErrorKind::Other.into()) } else { self.file.flush() };
        let synced = written.and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|e| Error::io("write", &self.part, e))?;
        rename_new(&self.part, &self.path)?;
        self.published = true;
        let folder = folder(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io("sync", folder, e))?;
        Ok((self.bytes, Hash(std::mem::take(&mut self.hasher).finalize().into())))
    }
}

/// Removes what a killed run left.
fn remove_rest(part: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(part) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(Error::invalid(format!("{} is no file; remove it", part.display()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("look at", part, e)),
    }
    let rest = OpenOptions::new().write(true).open(part).map_err(|e| Error::io("write", part, e))?;
    match rest.try_lock() {
        Ok(()) => fs::remove_file(part).map_err(|e| Error::io("remove", part, e)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::invalid(format!("another run is writing {}", part.display())))
        }
        Err(TryLockError::Error(e)) => Err(Error::io("lock", part, e)),
    }
}

fn rename_new(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |e| Error::io("rename", from, e);
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(taken(to)),
        // File systems of memory sticks and some servers know no such rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(taken(to));
            }
            fs::rename(from, to).map_err(failed)
        }
        Err(e) => Err(failed(e.into())),
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes);
        self.failed = matches!(&written, Err(e) if e.kind() != io::ErrorKind::Interrupted);
        let written = written?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    /// Nobody needs it flushed before it is published.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            // If it stays, it has not the name of a whole file, and the next run replaces it.
            let _ = fs::remove_file(&self.part);
        }
    }
}
