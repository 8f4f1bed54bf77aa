//! A file of a production while it is packed: what passes is hashed, and must be what was checked.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use custody_schemas::Hash;
use sha2::{Digest, Sha256};

use crate::check_files::open;
use crate::error::Error;
use crate::receipt::FileEntry;
use crate::settings::READ_BYTES;

/// Gives the bytes of a file up to the size that it must have.
pub(super) struct Source<'e> {
    entry: &'e FileEntry,
    path: PathBuf,
    file: BufReader<File>,
    hasher: Sha256,
    bytes: u64,
    failed: Option<io::Error>,
    /// Is told how many bytes were read of it.
    progress: &'e mut dyn FnMut(u64),
}

impl<'e> Source<'e> {
    /// Opens a file of the folder; a link to one is none.
    pub(super) fn open(
        dir: &Path,
        entry: &'e FileEntry,
        progress: &'e mut dyn FnMut(u64),
    ) -> Result<Self, Error> {
        let path = dir.join(&entry.name);
        let file = match open(dir, &entry.name)? {
            Ok(file) => BufReader::with_capacity(READ_BYTES, file),
            Err(what) => return Err(changed(&path, what)),
        };
        Ok(Source { entry, path, file, hasher: Sha256::new(), bytes: 0, failed: None, progress })
    }

    /// After it was packed, or could not be: what is wrong with the file itself comes first.
    pub(super) fn finish(mut self, packed: Result<(), Error>) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(Error::io("read", &self.path, error));
        }
        packed?;
        let more = self.file.read(&mut [0]).map_err(|e| Error::io("read", &self.path, e))?;
        let sha256 = Hash(self.hasher.finalize().into());
        if more > 0 || self.bytes != self.entry.bytes || sha256 != self.entry.sha256 {
            return Err(changed(&self.path, "its bytes are others now"));
        }
        Ok(())
    }
}

fn changed(path: &Path, what: &str) -> Error {
    Error::corrupt(format!("{} was changed while it was packed: {what}", path.display()))
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.entry.bytes - self.bytes).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let read = self.file.read(&mut buffer[..room]).map_err(|error| {
            let again = io::Error::from(error.kind());
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            again
        })?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        (self.progress)(self.bytes);
        Ok(read)
    }
}
