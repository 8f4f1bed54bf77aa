//! Files that are there whole or not at all, and stay.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::Error;

/// Makes the folder and those above it, each name synced.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    make(folder).map_err(|e| Error::io("make the folder", folder, e))
}

fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    make(parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_folder(parent)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Writes a new file; `false` when the name is taken, which changes nothing.
///
/// The bytes are synced before they get the name, and the folder after: a crash
/// before the name leaves a stray temporary file that nobody reads.
pub(crate) fn put_if_absent(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    put(path, bytes).map_err(|e| Error::io("write", path, e))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    // Two writers of one name, in one process or two, each have their own.
    let temporary = folder.join(format!(".{name}.{}.tmp", uuid::Uuid::new_v4()));
    let written = write_synced(&temporary, bytes).and_then(|()| link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    let new = written?;
    removed?;
    sync_folder(folder)?;
    Ok(new)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn link(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}
