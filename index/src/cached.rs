//! Splits of a remote index on local disk, bounded in bytes.
//!
//! A split's name is its SHA-256, so what is in the cache can be checked, and is, when it is
//! used for the first time. The folder can be deleted at any time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use custody_schemas::Hash;
use tantivy::directory::FileSlice;

use crate::error::Error;
use crate::manifest::SplitMeta;
use crate::store::map;

/// A folder of splits.
pub(crate) struct Cached {
    folder: PathBuf,
    bytes_max: u64,
    /// Latest use last.
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    name: String,
    bytes: u64,
    /// Its hash was compared since this process started.
    proven: bool,
}

impl Cached {
    /// Takes up what an earlier process left there.
    pub(crate) fn open(folder: &Path, bytes_max: u64) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
        let failed = |e| Error::io("list", folder, e);
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let meta = entry.metadata().map_err(failed)?;
            if name.ends_with(".split") {
                found.push((meta.modified().ok(), Entry { name, bytes: meta.len(), proven: false }));
            }
        }
        found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        let entries = Mutex::new(found.into_iter().map(|(_, entry)| entry).collect());
        let cached = Cached { folder: folder.to_owned(), bytes_max, entries };
        cached.with(|entries| cached.make_room(entries, 0));
        Ok(cached)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        f(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The split, from the cache or else by `fetch`.
    pub(crate) fn map(
        &self,
        meta: &SplitMeta,
        fetch: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Result<FileSlice, Error> {
        let name = meta.file_name();
        if let Some(data) = self.known(&name, meta) {
            return Ok(data);
        }
        let bytes = fetch()?;
        if Hash::of(&bytes).to_string() != meta.id {
            return Err(Error::corrupt(format!(
                "split {} does not have the bytes that it is named after",
                meta.id
            )));
        }
        if bytes.len() as u64 > self.bytes_max {
            return Ok(FileSlice::from(bytes));
        }
        self.keep(&name, &bytes)?;
        map(&self.folder.join(name))
    }

    /// What is there and is what it is named after.
    fn known(&self, name: &str, meta: &SplitMeta) -> Option<FileSlice> {
        let proven = self.with(|entries| {
            let at = entries.iter().rposition(|entry| entry.name == name)?;
            entries[at..].rotate_left(1);
            entries.last().map(|entry| entry.proven)
        })?;
        let data = map(&self.folder.join(name)).ok();
        let sound = data.filter(|data| {
            proven || data.read_bytes().is_ok_and(|bytes| Hash::of(&bytes).to_string() == meta.id)
        });
        self.with(|entries| match &sound {
            Some(_) => {
                entries.iter_mut().filter(|entry| entry.name == name).for_each(|entry| entry.proven = true)
            }
            None => entries.retain(|entry| entry.name != name),
        });
        sound
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        let failed = |e| Error::io("write", &path, e);
        // Processes that share the cache each write their own; the last name stays.
        let mut file = tempfile::Builder::new().suffix(".tmp").tempfile_in(&self.folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        self.with(|entries| {
            entries.retain(|entry| entry.name != name);
            self.make_room(entries, bytes.len() as u64);
            file.persist(&path).map_err(|e| failed(e.error))?;
            entries.push(Entry { name: name.to_owned(), bytes: bytes.len() as u64, proven: true });
            Ok(())
        })
    }

    /// Removes what was not used for longest. A search that has it open goes on with it.
    fn make_room(&self, entries: &mut Vec<Entry>, bytes: u64) {
        let mut held: u64 = entries.iter().map(|entry| entry.bytes).sum();
        while held + bytes > self.bytes_max && !entries.is_empty() {
            let oldest = entries.remove(0);
            held -= oldest.bytes;
            // One that cannot be removed is found again by the next process.
            if let Err(error) = fs::remove_file(self.folder.join(&oldest.name)) {
                tracing::debug!(split = oldest.name, %error, "cannot remove from the cache");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(content: &[u8]) -> SplitMeta {
        SplitMeta {
            id: Hash::of(content).to_string(),
            bytes: content.len() as u64,
            first_version: 0,
            last_version: 0,
            files: 1,
            docs: 1,
            time_ms_min: None,
            time_ms_max: None,
            tenants: None,
            compacted: false,
        }
    }

    /// Gets a split and says whether it had to be fetched.
    fn get(cached: &Cached, content: &[u8]) -> bool {
        let mut fetched = false;
        let data = cached.map(&meta(content), || {
            fetched = true;
            Ok(content.to_vec())
        });
        assert_eq!(data.unwrap().read_bytes().unwrap().as_slice(), content);
        fetched
    }

    #[test]
    fn it_holds_what_was_used_last_and_nothing_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        let cached = Cached::open(&folder, 10).unwrap();
        assert!(get(&cached, b"aaaa") && get(&cached, b"bbbb"));
        assert!(!get(&cached, b"aaaa"));
        // Makes room by giving up b.
        assert!(get(&cached, b"cccc") && !get(&cached, b"aaaa") && get(&cached, b"bbbb"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        // Larger than all of it: not kept.
        assert!(get(&cached, b"0123456789ab") && get(&cached, b"0123456789ab"));
        assert!(!get(&cached, b"bbbb"));
        // Another process finds them, and does not trust them.
        fs::write(folder.join(meta(b"bbbb").file_name()), b"bbbx").unwrap();
        let cached = Cached::open(&folder, 10).unwrap();
        assert!(!get(&cached, b"aaaa") && get(&cached, b"bbbb"));
        // What the store hands out is not trusted either.
        let other = cached.map(&meta(b"dddd"), || Ok(b"dddx".to_vec()));
        assert_eq!(other.unwrap_err().kind, crate::error::Kind::Corrupt);
    }
}
