//! A disk in memory on which nothing lasts that was not synced: neither bytes, nor names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use custody_archive::Temporary;
use object_store::PutPayload;

#[derive(Debug, Clone)]
struct File {
    bytes: Bytes,
    synced: bool,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Files by number; a name is a number.
    files: BTreeMap<u64, File>,
    /// Folders, and the names in them.
    folders: BTreeMap<PathBuf, BTreeMap<String, Entry>>,
    /// What a crash leaves of each folder's names.
    lasting: BTreeMap<PathBuf, BTreeMap<String, Entry>>,
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(u64),
    Folder,
}

/// See the module.
#[derive(Debug)]
pub struct Disk {
    state: Mutex<State>,
    changes: AtomicU64,
    /// Calls that still work before the power fails.
    calls_left: Mutex<Option<u64>>,
}

impl Default for Disk {
    fn default() -> Self {
        let mut state = State::default();
        state.folders.insert(PathBuf::from("/"), BTreeMap::new());
        state.lasting = state.folders.clone();
        Disk { state: Mutex::new(state), changes: AtomicU64::new(0), calls_left: Mutex::new(None) }
    }
}

fn split(path: &Path) -> (PathBuf, String) {
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    (folder, path.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power fails after so many more calls; what it leaves is seen after [`crash`](Self::crash).
    pub fn fail_after(&self, calls: u64) {
        *self.calls_left.lock().unwrap_or_else(PoisonError::into_inner) = Some(calls);
    }

    fn call(&self) -> io::Result<()> {
        match &mut *self.calls_left.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power has failed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// Grows with every change of a name.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The power fails: what was not synced is gone. A file whose bytes were not synced, but whose
    /// name was, is cut in the middle.
    pub fn crash(&self) {
        *self.calls_left.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut state = self.state();
        state.folders = state.lasting.clone();
        for file in state.files.values_mut().filter(|file| !file.synced) {
            let half = file.bytes.len() / 2;
            file.bytes = file.bytes.slice(..half);
            file.synced = true;
        }
        // A folder that has no lasting name is gone with all that is in it.
        loop {
            let gone: Vec<PathBuf> =
                state.folders.keys().filter(|folder| !named(&state, folder)).cloned().collect();
            if gone.is_empty() {
                break;
            }
            for folder in gone {
                state.folders.remove(&folder);
                state.lasting.remove(&folder);
            }
        }
        drop(state);
        self.changed();
    }

    /// A file's bytes.
    pub fn read(&self, path: &Path) -> Option<Bytes> {
        let (folder, name) = split(path);
        let state = self.state();
        match state.folders.get(&folder)?.get(&name)? {
            Entry::File(number) => state.files.get(number).map(|file| file.bytes.clone()),
            Entry::Folder => None,
        }
    }

    /// Every file in a folder and below it that was given a name, with its size.
    pub fn list(&self, below: &Path) -> Vec<(PathBuf, u64)> {
        let state = self.state();
        let folders = state.folders.iter().filter(|(folder, _)| folder.starts_with(below));
        let files = folders.flat_map(|(folder, names)| {
            names.iter().filter_map(|(name, entry)| match entry {
                Entry::File(number) if !name.contains('#') => {
                    Some((folder.join(name), state.files[number].bytes.len() as u64))
                }
                _ => None,
            })
        });
        files.collect()
    }

    /// Removes a file. That it is gone lasts: nobody relies on its coming back.
    pub fn remove(&self, path: &Path) -> bool {
        let (folder, name) = split(path);
        let mut state = self.state();
        let lasting = state.lasting.get_mut(&folder).and_then(|names| names.remove(&name));
        let found = state.folders.get_mut(&folder).and_then(|names| names.remove(&name));
        drop(state);
        self.changed();
        found.or(lasting).is_some()
    }

    fn give_name(&self, temporary: &Path, target: &Path, only_new: bool) -> io::Result<()> {
        let (folder, name) = split(target);
        let (_, temporary) = split(temporary);
        let mut state = self.state();
        let names = state.folders.get_mut(&folder).ok_or_else(missing)?;
        if only_new && names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let entry = names.remove(&temporary).ok_or_else(missing)?;
        names.insert(name, entry);
        drop(state);
        self.changed();
        Ok(())
    }
}

fn named(state: &State, folder: &Path) -> bool {
    if folder == Path::new("/") {
        return true;
    }
    let (parent, name) = split(folder);
    state.folders.get(&parent).is_some_and(|names| names.get(&name) == Some(&Entry::Folder))
}

impl custody_archive::Disk for Disk {
    fn is_folder(&self, folder: &Path) -> bool {
        self.state().folders.contains_key(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.call()?;
        let (parent, name) = split(folder);
        let mut state = self.state();
        state.folders.get_mut(&parent).ok_or_else(missing)?.insert(name, Entry::Folder);
        state.folders.entry(folder.to_owned()).or_default();
        state.lasting.entry(folder.to_owned()).or_default();
        Ok(())
    }

    fn write_temporary(&self, folder: &Path, payload: &PutPayload) -> io::Result<Temporary> {
        self.call()?;
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let bytes: Vec<u8> = payload.iter().flat_map(|chunk| chunk.iter().copied()).collect();
        state.files.insert(number, File { bytes: bytes.into(), synced: false });
        let name = format!(".custody-{number}#tmp");
        state.folders.get_mut(folder).ok_or_else(missing)?.insert(name.clone(), Entry::File(number));
        Ok(Temporary { path: folder.join(name), file: None })
    }

    fn sync_file(&self, file: &Temporary) -> io::Result<()> {
        self.call()?;
        let (folder, name) = split(&file.path);
        let mut state = self.state();
        let entry = state.folders.get(&folder).and_then(|names| names.get(&name)).copied();
        let Some(Entry::File(number)) = entry else { return Err(missing()) };
        state.files.get_mut(&number).ok_or_else(missing)?.synced = true;
        Ok(())
    }

    fn replace(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        self.call()?;
        self.give_name(temporary, target, false)
    }

    fn create(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        self.call()?;
        self.give_name(temporary, target, true)
    }

    fn discard(&self, temporary: &Path) {
        let (folder, name) = split(temporary);
        if let Some(names) = self.state().folders.get_mut(&folder) {
            names.remove(&name);
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call()?;
        let mut state = self.state();
        let names = state.folders.get(folder).cloned().ok_or_else(missing)?;
        state.lasting.insert(folder.to_owned(), names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use custody_archive::put_durably;

    use super::*;

    /// Each call of `put_durably` is needed: without any of them a crash loses the file.
    #[test]
    fn what_was_put_durably_survives_and_nothing_else_does() {
        let disk = Disk::default();
        let path = Path::new("/a/b/file");
        put_durably(&disk, path, &PutPayload::from_static(b"whole"), true).unwrap();
        disk.crash();
        assert_eq!(disk.read(path).unwrap(), "whole");
        // Without the folder's sync the name is gone.
        let other =
            custody_archive::Disk::write_temporary(&disk, Path::new("/a/b"), &PutPayload::from_static(b"x"));
        let other = other.unwrap();
        custody_archive::Disk::sync_file(&disk, &other).unwrap();
        custody_archive::Disk::create(&disk, &other.path, Path::new("/a/b/other")).unwrap();
        disk.crash();
        assert!(disk.read(Path::new("/a/b/other")).is_none());
        // Without the file's sync its bytes are cut.
        let cut = custody_archive::Disk::write_temporary(
            &disk,
            Path::new("/a/b"),
            &PutPayload::from_static(b"four"),
        );
        custody_archive::Disk::create(&disk, &cut.unwrap().path, Path::new("/a/b/cut")).unwrap();
        custody_archive::Disk::sync_folder(&disk, Path::new("/a/b")).unwrap();
        disk.crash();
        assert_eq!(disk.read(Path::new("/a/b/cut")).unwrap(), "fo");
    }
}
