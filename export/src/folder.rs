//! The folder of a production while it is written.
//!
//! Every file is written as `NAME.part`, synced, and renamed at the very end,
//! the receipt last. `receipt.json.part` is made first and locked, so a folder
//! that holds it and no `receipt.json` belongs to a run that was killed (or, if
//! the lock is taken, to one that is not finished), whatever else of ours is in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use custody_schemas::Hash;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::receipt::FileEntry;
use crate::{HOW_TO, RECEIPT, RECORDS};

/// The receipt's list of records, until it is known what goes before it.
pub(crate) const ENTRIES: &str = "entries";

const PART: &str = ".part";

/// A folder that nobody else writes into.
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked while this exists.
    receipt: File,
}

pub(crate) fn part(name: &str) -> String {
    format!("{name}{PART}")
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io("sync", folder, e))
}

/// The names in a folder; one that is no Unicode is shown, it is not ours.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, Error> {
    let fail = |e| Error::io("list", path, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Why nothing may be written into a folder that holds these names.
fn refusal(names: &[String]) -> Option<String> {
    let has = |name: &str| names.iter().any(|held| held == name);
    if has(RECEIPT) {
        return Some("it already holds a production".to_owned());
    }
    let ours = |name: &str| {
        [RECORDS, HOW_TO].contains(&name)
            || [RECORDS, HOW_TO, RECEIPT, ENTRIES].iter().any(|ours| part(ours) == name)
    };
    let stranger = names.iter().find(|name| !ours(name) || !has(&part(RECEIPT)));
    stranger.map(|stranger| format!("it is not empty, it holds {stranger:?}"))
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::invalid(format!("cannot write a production into {}: {why}", path.display()))
}

impl Folder {
    /// Makes the folder, or takes over an empty one or that of a killed run.
    pub(crate) fn begin(path: &Path) -> Result<Self, Error> {
        make(path)?;
        match refusal(&names(path)?) {
            Some(why) => Err(refuse(path, &format!("{why}; name a new folder"))),
            None => Folder::take(path),
        }
    }

    /// Locks a folder that was free a moment ago.
    fn take(path: &Path) -> Result<Self, Error> {
        let receipt_path = path.join(part(RECEIPT));
        let receipt = OpenOptions::new().write(true).create(true).truncate(false).open(&receipt_path);
        let receipt = receipt.map_err(|e| Error::io("write", &receipt_path, e))?;
        match receipt.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refuse(path, "another run is writing into it")),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &receipt_path, e)),
        }
        let folder = Folder { path: path.to_owned(), receipt };
        // The run that held the lock may have finished in between.
        let held = names(path)?;
        if let Some(why) = refusal(&held) {
            // Then this file is not its, and would stand in a production as a stranger.
            if held.iter().any(|name| name == RECEIPT) && held.contains(&part(RECEIPT)) {
                folder.remove(&part(RECEIPT))?;
            }
            return Err(refuse(path, &format!("{why}; name a new folder")));
        }
        folder.clean(&receipt_path)?;
        Ok(folder)
    }

    fn clean(&self, receipt_path: &Path) -> Result<(), Error> {
        self.receipt.set_len(0).map_err(|e| Error::io("empty", receipt_path, e))?;
        for name in names(&self.path)?.iter().filter(|name| **name != part(RECEIPT)) {
            self.remove(name)?;
        }
        sync(&self.path)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))
    }

    /// A new file of the production.
    pub(crate) fn create(&self, name: &'static str) -> Result<Part, Error> {
        let path = self.path.join(part(name));
        let file = File::create_new(&path).map_err(|e| Error::io("write", &path, e))?;
        Ok(Part::new(name, path, file))
    }

    /// The receipt's file.
    pub(crate) fn receipt(&self) -> Result<Part, Error> {
        let path = self.path.join(part(RECEIPT));
        let file = self.receipt.try_clone().map_err(|e| Error::io("write", &path, e))?;
        Ok(Part::new(RECEIPT, path, file))
    }

    /// Copies the file of entries to the end of another and removes it.
    pub(crate) fn drain_entries(&self, into: &mut Part) -> Result<(), Error> {
        let path = self.path.join(part(ENTRIES));
        let copied = File::open(&path).and_then(|mut entries| io::copy(&mut entries, into));
        copied.map_err(|e| Error::io("copy", &path, e))?;
        self.remove(&part(ENTRIES))
    }

    /// Gives the files their names. A crash before the last rename leaves a
    /// folder without a receipt, which the next run cleans; after it, the whole
    /// production.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let rename = |name: &str| {
            let (from, to) = (self.path.join(part(name)), self.path.join(name));
            fs::rename(&from, &to).map_err(|e| Error::io("rename", &from, e))
        };
        rename(HOW_TO)?;
        rename(RECORDS)?;
        sync(&self.path)?;
        rename(RECEIPT)?;
        sync(&self.path)
    }
}

fn make(path: &Path) -> Result<(), Error> {
    match fs::create_dir(path) {
        Ok(()) => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync(parent.unwrap_or(Path::new(".")))
        }
        Err(_) if path.is_dir() => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::invalid(format!("{} is a file; name a new folder", path.display())))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(Error::invalid(format!("cannot make {}: the folder above it does not exist", path.display())))
        }
        Err(e) => Err(Error::io("make", path, e)),
    }
}

/// A file of the production that is being written.
pub(crate) struct Part {
    name: &'static str,
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
}

impl Part {
    fn new(name: &'static str, path: PathBuf, file: File) -> Self {
        Part { name, path, file: BufWriter::new(file), hasher: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(|e| self.failed(e))
    }

    pub(crate) fn failed(&self, error: io::Error) -> Error {
        Error::io("write", &self.path, error)
    }

    /// Makes it durable; what the receipt says of it.
    pub(crate) fn finish(mut self) -> Result<FileEntry, Error> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|e| self.failed(e))?;
        let sha256 = Hash(self.hasher.finalize().into());
        Ok(FileEntry { name: self.name.to_owned(), bytes: self.bytes, sha256 })
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another run ended between the look into the folder and the lock.
    #[test]
    fn a_production_that_was_just_finished_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(RECEIPT), "{}").unwrap();
        let error = Folder::take(dir.path()).err().unwrap().to_string();
        assert!(error.contains("it already holds a production"), "{error}");
        assert_eq!(names(dir.path()).unwrap(), [RECEIPT]);
    }
}
