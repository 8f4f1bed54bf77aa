//! The folder of a production while it is written.
//!
//! Everything is written into `production.part` in it, under the names that it will have; at the very
//! end it is synced and moved to where it belongs, and the receipt gets its name last.
//! `receipt.json.part` is made first and locked, so a folder that holds it and no `receipt.json`
//! belongs to a run that was killed (or, if the lock is taken, to one that is not finished), whatever
//! else of ours is in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::format::is_top;
use crate::journal::JOURNAL;
use crate::output::OutFile;
use crate::{CROSS_REFERENCE, EXCEPTIONS, HOW_TO, RECEIPT, RECEIPT_PAGE, RECORDS, SIGNATURE, VERIFY_PY};

const PART: &str = ".part";
/// Where files are until all of them are whole.
const WORK: &str = "production.part";
/// Where those of a run that was killed are until it is known what of them can be taken over.
const EARLIER: &str = "production.earlier";
/// What version 1 left behind when it was killed.
const OLD: [&str; 3] = ["records.jsonl.part", "HOW-TO-VERIFY.txt.part", "entries.part"];

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

/// Everything that was written to the file system of a folder: one call for however many files.
fn sync_all(folder: &Path) -> Result<(), Error> {
    let synced = File::open(folder).and_then(|file| Ok(rustix::fs::syncfs(file)?));
    synced.map_err(|e| Error::io("sync", folder, e))
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
        [RECORDS, HOW_TO, VERIFY_PY, SIGNATURE, EXCEPTIONS, CROSS_REFERENCE, RECEIPT_PAGE, WORK, EARLIER]
            .contains(&name)
            || OLD.contains(&name)
            || name == part(RECEIPT)
            || is_top(name)
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
        let (work, earlier) = (self.work(), self.path.join(EARLIER));
        // One without a journal was killed before it had written more than the run before it.
        if work.join(JOURNAL).exists() {
            if earlier.exists() {
                self.remove(EARLIER)?;
            }
            fs::rename(&work, &earlier).map_err(|e| Error::io("rename", &work, e))?;
        }
        for name in names(&self.path)?.iter().filter(|name| **name != part(RECEIPT) && *name != EARLIER) {
            self.remove(name)?;
        }
        fs::create_dir(&work).map_err(|e| Error::io("make", &work, e))?;
        sync(&self.path)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        // Of a link the link itself goes, never what it leads to.
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|e| Error::io("remove", &path, e))
    }

    /// The folder that files are made in.
    pub(crate) fn work(&self) -> PathBuf {
        self.path.join(WORK)
    }

    /// What a run that was killed left.
    pub(crate) fn earlier(&self) -> Option<PathBuf> {
        Some(self.path.join(EARLIER)).filter(|earlier| earlier.exists())
    }

    /// What could be taken over is: the rest goes.
    pub(crate) fn forget_earlier(&self) -> Result<(), Error> {
        match self.earlier() {
            Some(_) => self.remove(EARLIER),
            None => Ok(()),
        }
    }

    /// The receipt's file.
    pub(crate) fn receipt(&self) -> Result<OutFile, Error> {
        let path = self.path.join(part(RECEIPT));
        let file = self.receipt.try_clone().map_err(|e| Error::io("write", &path, e))?;
        Ok(OutFile::opened(RECEIPT, path, file))
    }

    /// Puts the files where they belong. A crash before the last rename leaves a folder without a
    /// receipt, which the next run cleans; after it, the whole production.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let work = self.work();
        match fs::remove_file(work.join(JOURNAL)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &work.join(JOURNAL), e));
            }
            _ => {}
        }
        sync_all(&work)?;
        let rename = |from: PathBuf, name: &str| {
            fs::rename(&from, self.path.join(name)).map_err(|e| Error::io("rename", &from, e))
        };
        for name in names(&work)? {
            rename(work.join(&name), &name)?;
        }
        fs::remove_dir(&work).map_err(|e| Error::io("remove", &work, e))?;
        sync(&self.path)?;
        rename(self.path.join(part(RECEIPT)), RECEIPT)?;
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
