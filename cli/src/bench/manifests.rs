//! The manifests of an index, as a searcher sees them appear.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use custody_index::Manifest;
use custody_ingest::Stop;

use super::cost::now_us;
use super::folder::at;
use super::go_on;
use crate::failure::Failure;

/// How often it is looked for a new one.
const LOOK: Duration = Duration::from_millis(10);
/// How long the index may take to have what is archived.
const LATE: Duration = Duration::from_secs(300);

/// The newest manifest of an index in a folder, with its size; `None` while there is none.
pub(super) fn newest(index: &Path) -> Result<Option<(Manifest, u64)>, Failure> {
    newer(index, 0)
}

/// The same, if its number is higher.
fn newer(index: &Path, than: u64) -> Result<Option<(Manifest, u64)>, Failure> {
    let folder = index.join("manifest");
    let Some((number, path)) = last_file(&folder).map_err(at(&folder, "read"))? else { return Ok(None) };
    if number <= than {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(at(&path, "read"))?;
    let manifest = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Some((manifest, bytes.len() as u64)))
}

/// The file with the highest number, and the number.
fn last_file(folder: &Path) -> std::io::Result<Option<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut last = None;
    for entry in entries {
        let path = entry?.path();
        let is_manifest = path.extension().is_some_and(|extension| extension == "json");
        let number = path.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| is_manifest) {
            last = last.max(Some((number, path)));
        }
    }
    Ok(last)
}

/// What was seen, and when: archive versions through which the index was complete, ascending.
#[derive(Default)]
struct Seen {
    through: Vec<(u64, u64)>,
    failed: Option<String>,
}

/// A thread that looks for new manifests.
pub(super) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    ended: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watcher {
    /// Begins to watch the index in a folder; there may be none yet.
    pub(super) fn start(index: &Path) -> Watcher {
        let (seen, ended) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (index, seen, ended) = (index.to_owned(), seen.clone(), ended.clone());
            thread::spawn(move || watch(&index, &seen, &ended))
        };
        Watcher { seen, ended, thread: Some(thread) }
    }

    fn with<T>(&self, f: impl FnOnce(&Seen) -> T) -> T {
        f(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the index was first seen to have this version.
    pub(super) fn covered_us(&self, version: u64) -> Option<u64> {
        self.with(|seen| covered_us(&seen.through, version))
    }

    /// The same; waits for it.
    pub(super) fn wait_for(&self, version: u64, stop: &Stop) -> Result<u64, Failure> {
        let started = Instant::now();
        loop {
            if let Some(at_us) = self.covered_us(version) {
                return Ok(at_us);
            }
            if let Some(failed) = self.with(|seen| seen.failed.clone()) {
                return Err(Failure::failed(failed));
            }
            go_on(stop)?;
            if started.elapsed() > LATE {
                return Err(Failure::failed(format!(
                    "the index does not have version {version} of the archive after {} s",
                    LATE.as_secs()
                )));
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // It cannot fail: it notes what goes wrong.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// `through` holds pairs of version and time, both ascending.
fn covered_us(through: &[(u64, u64)], version: u64) -> Option<u64> {
    let first = through.partition_point(|(through, _)| *through < version);
    through.get(first).map(|(_, at_us)| *at_us)
}

fn watch(index: &Path, seen: &Mutex<Seen>, ended: &AtomicBool) {
    let mut number = 0;
    while !ended.load(Ordering::Acquire) {
        let found = newer(index, number);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(Some((manifest, _))) => {
                number = manifest.number;
                // One that only joins splits has nothing new.
                let has = seen.through.last().map(|(through, _)| *through);
                if let Some(through) = manifest.through_version.filter(|through| has < Some(*through)) {
                    seen.through.push((through, now_us()));
                }
            }
            Ok(None) => {}
            Err(error) => {
                seen.failed = Some(error.to_string());
                return;
            }
        }
        drop(seen);
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(number: u64, through: u64) -> String {
        let manifest = Manifest {
            version: custody_index::MANIFEST_VERSION,
            split_version: 1,
            number,
            through_version: Some(through),
            splits: Vec::new(),
        };
        serde_json::to_string(&manifest).unwrap()
    }

    #[test]
    fn a_version_is_covered_from_the_first_manifest_that_has_it() {
        let through = [(0, 10), (3, 20), (4, 30)];
        let found = [0, 1, 3, 4, 5].map(|version| covered_us(&through, version));
        assert_eq!(found, [Some(10), Some(20), Some(20), Some(30), None]);
    }

    #[test]
    fn manifests_are_seen_as_they_appear() {
        let dir = tempfile::tempdir().unwrap();
        assert!(newest(dir.path()).unwrap().is_none());
        let watcher = Watcher::start(dir.path());
        let folder = dir.path().join("manifest");
        fs::create_dir(&folder).unwrap();
        for (number, through) in [(9, 0), (10, 2)] {
            let before = now_us();
            let new = dir.path().join("new");
            fs::write(&new, manifest(number, through)).unwrap();
            fs::rename(&new, folder.join(format!("{number:020}.json"))).unwrap();
            assert!(watcher.wait_for(through, &Stop::default()).unwrap() >= before);
        }
        assert_eq!(watcher.covered_us(3), None);
        assert_eq!(newest(dir.path()).unwrap().unwrap().0.number, 10);
        fs::write(folder.join("00000000000000000011.json"), "{").unwrap();
        assert!(watcher.wait_for(3, &Stop::default()).is_err());
    }
}
