//! What a verification has proven so far, in a file: one that was cut short is gone on with.
//!
//! JSON Lines: the first says of which archive and choice, each other one thing that was found
//! sound. A last line that was cut short is as if it had not been written. The log is read again by
//! every run, so a file is known by what a commit says of it now.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};

use super::Choice;
use crate::error::{Error, Kind};
use crate::log::commit_path;
use crate::read::Archive;

const FORMAT: u32 = 1;

/// What one run leaves to the next.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    head: Head,
    known: HashMap<String, Proven>,
    file: Mutex<File>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    custody_verify: u32,
    /// SHA-256 of the commit that made the archive.
    archive: Hash,
    choice: Choice,
    begun_ms: i64,
}

/// How much was found sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Its size.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Gaps in it.
    pub gaps: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sound: String,
    #[serde(flatten)]
    proven: Proven,
}

impl Journal {
    /// Opens a journal, or begins one. A sample's seed is then the one that was begun with.
    ///
    /// # Errors
    ///
    /// `Invalid` when the file is no journal, or one of another archive or choice.
    pub fn open(path: &Path, archive: &Archive, choice: Choice) -> Result<Journal, Error> {
        let first = archive.store.get(&commit_path(0))?.unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let begun_ms = i64::try_from(now).unwrap_or(i64::MAX);
        let ours = Head { custody_verify: FORMAT, archive: Hash::of(&first), choice, begun_ms };
        let failed = |e: io::Error| Error::with(Kind::Invalid, format!("cannot use {}", path.display()), e);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(e)),
        };
        // Nothing after the last line's end was written whole.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let mut lines = text[..whole].lines();
        let head = lines.next().map(|line| head(path, line, &ours)).transpose()?;
        // A first line that was cut short is begun anew; what others wrote is left alone.
        if head.is_none() && !text.is_empty() && !text.starts_with("{\"custody_verify\"") {
            return Err(stranger(path));
        }
        let mut known = HashMap::new();
        for line in lines {
            let Line { sound, proven } = serde_json::from_str(line).map_err(|_| stranger(path))?;
            known.insert(sound, proven);
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        let is_new = head.is_none();
        let journal = Journal { path: path.to_owned(), head: head.unwrap_or(ours), known, file: file.into() };
        if is_new {
            journal.write(&journal.head)?;
        }
        Ok(journal)
    }

    /// What is to be verified.
    pub fn choice(&self) -> Choice {
        self.head.choice
    }

    /// When the run that is gone on with was begun, milliseconds since 1970 UTC.
    pub fn begun_ms(&self) -> i64 {
        self.head.begun_ms
    }

    /// What an earlier run has found of it, if it was sound.
    pub fn known(&self, what: &str) -> Option<Proven> {
        self.known.get(what).copied()
    }

    /// It is sound.
    ///
    /// # Errors
    ///
    /// When the journal cannot be written.
    pub fn add(&self, what: &str, proven: Proven) -> Result<(), Error> {
        self.write(&Line { sound: what.to_owned(), proven })
    }

    fn write(&self, line: &impl Serialize) -> Result<(), Error> {
        let failed =
            |e: io::Error| Error::with(Kind::Retry, format!("cannot write {}", self.path.display()), e);
        let mut text = serde_json::to_string(line).map_err(|e| failed(e.into()))?;
        text.push('\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes()).map_err(failed)
    }

    /// The verification came to its end: the next one begins anew.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn finish(self) -> Result<(), Error> {
        fs::remove_file(&self.path)
            .map_err(|e| Error::with(Kind::Retry, format!("cannot remove {}", self.path.display()), e))
    }
}

fn stranger(path: &Path) -> Error {
    let message = format!("{} is no journal of custody verify: name another file", path.display());
    Error::new(Kind::Invalid, message)
}

/// The head of a journal that was begun, if it is of the same archive and choice.
fn head(path: &Path, line: &str, ours: &Head) -> Result<Head, Error> {
    let head: Head = serde_json::from_str(line).map_err(|_| stranger(path))?;
    let (mut asked, begun) = (ours.choice, head.choice);
    if let (Some(asked), Some(begun)) = (&mut asked.sample, begun.sample) {
        asked.seed = begun.seed;
    }
    let differs = if head.custody_verify != FORMAT {
        "by another version of custody"
    } else if head.archive != ours.archive {
        "for another archive"
    } else if asked != begun {
        "with other options"
    } else {
        return Ok(head);
    };
    let message =
        format!("{} was begun {differs}: go on as it was begun, or remove it to begin anew", path.display());
    Err(Error::new(Kind::Invalid, message))
}
