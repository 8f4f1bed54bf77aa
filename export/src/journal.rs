//! What of a production's documents is written, so that a run that was killed goes on where it was.
//!
//! A line is added when some documents are written whole. The next run takes files over when they are
//! what the lines say, by their hashes, and when the production is the same one: its id covers the
//! request, the version and every record. Nothing of the journal gets into the production.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::hashing::hashed;
use crate::receipt::FileEntry;

/// Its file in the folder where a production is made.
pub(crate) const JOURNAL: &str = "journal.part";

/// Of what production the steps are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Its id.
    pub(crate) production: String,
    /// What the folder of attached files held, see [`Files::listed`](crate::files::Files::listed).
    pub(crate) attached: Option<Hash>,
}

/// All that was written up to here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Documents,
    pub(crate) documents: u64,
    /// their records,
    pub(crate) records: u64,
    /// numbers given,
    pub(crate) numbered: u64,
    /// and exceptions told.
    pub(crate) exceptions: u64,
    /// The volume that grows.
    pub(crate) volume: VolumeState,
    /// Files that grow: those of the volume by their paths in it, and the two lists.
    pub(crate) growing: Vec<Grown>,
    /// Files that were finished since the step before.
    pub(crate) files: Vec<FileEntry>,
}

/// How far a volume is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeState {
    pub(crate) number: u32,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

/// The beginning of a file that grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grown {
    /// Its path in its volume; `None` for one beside the volumes.
    pub(crate) in_volume: Option<String>,
    /// What there is of it.
    pub(crate) begun: FileEntry,
}

/// The journal of a run.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

/// What is there of a run that was killed, once it is where this run writes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The last step; nothing was written without one.
    pub(crate) step: Step,
    /// Every finished file.
    pub(crate) files: Vec<FileEntry>,
}

impl Journal {
    /// Begins the journal of a production in `work`, after taking over what a run that was killed left
    /// of the same one in `earlier`, which is empty then. What it left of another stays where it is.
    pub(crate) fn begin(
        work: &Path,
        earlier: Option<&Path>,
        head: &Head,
    ) -> Result<(Journal, Option<Taken>), Error> {
        let steps = match earlier {
            Some(earlier) => whole_steps(earlier, head)?,
            None => Vec::new(),
        };
        let mut taken = None;
        if let (Some(earlier), Some(last)) = (earlier, steps.last()) {
            let files: Vec<FileEntry> = steps.iter().flat_map(|step| &step.files).cloned().collect();
            let growing = last.growing.iter().map(|grown| &grown.begun);
            for entry in files.iter().chain(growing) {
                take(earlier, work, &entry.name)?;
            }
            taken = Some(Taken { step: last.clone(), files });
        }
        let path = work.join(JOURNAL);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let mut journal = Journal { file: file.map_err(|e| Error::io("write", &path, e))?, path };
        // Taken over files are only known once it has all lines; until then they are begun anew.
        let mut lines = line(head)?;
        for step in &steps {
            lines.extend(line(step)?);
        }
        journal.put(&lines)?;
        Ok((journal, taken))
    }

    /// Notes that everything up to here is written: it must be with the system, not in a buffer.
    pub(crate) fn push(&mut self, step: &Step) -> Result<(), Error> {
        let line = line(step)?;
        self.put(&line)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|e| Error::io("write", &self.path, e))
    }
}

fn line(of: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(of).map_err(|e| Error::json("the journal", e))?;
    line.push(b'\n');
    Ok(line)
}

/// The steps of a run of this production, if all that they tell of is there as it was written.
fn whole_steps(earlier: &Path, head: &Head) -> Result<Vec<Step>, Error> {
    let path = earlier.join(JOURNAL);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", &path, e)),
    };
    // What was not written to its end is no line.
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let is_same =
        lines.next().and_then(|line| serde_json::from_slice(line).ok()).is_some_and(|of: Head| of == *head);
    if !is_same {
        return Ok(Vec::new());
    }
    let steps: Vec<Step> = lines.map_while(|line| serde_json::from_slice(line).ok()).collect();
    let Some(last) = steps.last() else { return Ok(steps) };
    for entry in steps.iter().flat_map(|step| &step.files) {
        if !is_there(earlier, entry, |file| Ok(hashed(file)? == (entry.sha256, entry.bytes)))? {
            return Ok(Vec::new());
        }
    }
    for Grown { begun, .. } in &last.growing {
        // More may have been written behind it.
        let begins = |file: File| {
            use std::io::Read as _;
            Ok(hashed(file.take(begun.bytes))? == (begun.sha256, begun.bytes))
        };
        if !is_there(earlier, begun, begins)? {
            return Ok(Vec::new());
        }
    }
    Ok(steps)
}

/// Whether a file is there, no link, and what it should be.
fn is_there(
    root: &Path,
    entry: &FileEntry,
    is_it: impl FnOnce(File) -> std::io::Result<bool>,
) -> Result<bool, Error> {
    // A journal that leads out of its folder is none of ours.
    if !Path::new(&entry.name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(false);
    }
    let path = root.join(&entry.name);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {
            File::open(&path).and_then(is_it).map_err(|e| Error::io("read", &path, e))
        }
        Ok(_) => Ok(false),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("read", &path, e)),
    }
}

fn take(from: &Path, to: &Path, name: &str) -> Result<(), Error> {
    let (from, to) = (from.join(name), to.join(name));
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, e))?;
    }
    fs::rename(&from, &to).map_err(|e| Error::io("rename", &from, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(production: &str) -> Head {
        Head { production: production.to_owned(), attached: None }
    }

    fn entry(name: &str, bytes: &[u8]) -> FileEntry {
        FileEntry { name: name.to_owned(), bytes: bytes.len() as u64, sha256: Hash::of(bytes) }
    }

    fn step(documents: u64, files: &[FileEntry], grown: &[u8]) -> Step {
        Step {
            documents,
            growing: vec![Grown { in_volume: None, begun: entry("list", grown) }],
            files: files.to_vec(),
            ..Step::default()
        }
    }

    /// A run that wrote two steps and some more, and was killed.
    fn killed() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let earlier = dir.path().join("earlier");
        fs::create_dir_all(earlier.join("a")).unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        let (mut journal, taken) = Journal::begin(&earlier, None, &head("p")).unwrap();
        assert!(taken.is_none());
        fs::write(earlier.join("a/1"), "one").unwrap();
        journal.push(&step(1, &[entry("a/1", b"one")], b"x")).unwrap();
        fs::write(earlier.join("a/2"), "two").unwrap();
        journal.push(&step(2, &[entry("a/2", b"two")], b"xy")).unwrap();
        fs::write(earlier.join("list"), "xyz").unwrap();
        fs::write(earlier.join("a/3"), "thr").unwrap();
        dir
    }

    fn resumed(dir: &Path, production: &str) -> Option<u64> {
        let (work, earlier) = (dir.join("work"), dir.join("earlier"));
        let (_, taken) = Journal::begin(&work, Some(&earlier), &head(production)).unwrap();
        taken.map(|taken| {
            assert_eq!(fs::read(work.join("a/1")).unwrap(), b"one");
            assert!(!work.join("a/3").exists() && work.join("list").exists());
            assert_eq!(taken.files.len() as u64, taken.step.documents);
            taken.step.documents
        })
    }

    #[test]
    fn what_was_written_whole_is_taken_over() {
        let dir = killed();
        assert_eq!(resumed(dir.path(), "p"), Some(2));
        // And once more, from where it is now.
        let again = tempfile::tempdir().unwrap();
        let (_, taken) = Journal::begin(again.path(), Some(&dir.path().join("work")), &head("p")).unwrap();
        assert_eq!(taken.unwrap().step.documents, 2);
        assert_eq!(resumed(killed().path(), "another"), None);
    }

    #[test]
    fn what_is_not_as_it_was_written_is_not_taken_over() {
        let change = |change: &dyn Fn(&Path)| {
            let dir = killed();
            change(&dir.path().join("earlier"));
            resumed(dir.path(), "p")
        };
        let append = |path: PathBuf, text: &str| {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        assert_eq!(change(&|earlier| append(earlier.join(JOURNAL), "{\"documents\":3,")), Some(2));
        assert_eq!(change(&|earlier| append(earlier.join("list"), "more")), Some(2));
        assert_eq!(change(&|earlier| append(earlier.join("a/2"), "more")), None);
        assert_eq!(change(&|earlier| fs::write(earlier.join("a/1"), "eno").unwrap()), None);
        assert_eq!(change(&|earlier| fs::write(earlier.join("list"), "x").unwrap()), None);
        assert_eq!(change(&|earlier| fs::remove_file(earlier.join("a/2")).unwrap()), None);
        assert_eq!(change(&|earlier| fs::remove_file(earlier.join(JOURNAL)).unwrap()), None);
        let outside = |earlier: &Path| {
            fs::write(earlier.join("../outside"), "one").unwrap();
            let text = fs::read_to_string(earlier.join(JOURNAL)).unwrap();
            fs::write(earlier.join(JOURNAL), text.replace("a/1", "../outside")).unwrap();
        };
        assert_eq!(change(&outside), None);
        let linked = |earlier: &Path| {
            fs::rename(earlier.join("a/1"), earlier.join("b")).unwrap();
            std::os::unix::fs::symlink(earlier.join("b"), earlier.join("a/1")).unwrap();
        };
        assert_eq!(change(&linked), None);
    }
}
