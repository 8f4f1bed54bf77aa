//! Records in another order than that of the archive, with bounded memory: sorted parts in a
//! temporary file without a name, merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use custody_schemas::Position;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::item::Shown;
use crate::settings::{SORTED_BYTES, SPILL_READ_BYTES};

/// Where a record stands among all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    /// What it belongs to,
    pub(crate) thread: String,
    /// on which day of the production's zone, counted from 1970,
    pub(crate) day: i32,
    /// at which time, in microseconds since 1970 UTC,
    pub(crate) at_us: i64,
    /// and where in the archive.
    pub(crate) position: Position,
}

/// Takes records in any order.
pub(crate) struct Spill {
    dir: PathBuf,
    /// Made when the first part is full.
    file: Option<BufWriter<File>>,
    written: u64,
    parts: Vec<(u64, u64)>,
    held: Vec<(Key, Vec<u8>)>,
    held_bytes: usize,
    part_bytes_max: usize,
}

impl Spill {
    /// `dir` is where the temporary file is if there is more than memory should hold.
    pub(crate) fn new(dir: &Path) -> Self {
        Spill {
            dir: dir.to_owned(),
            file: None,
            written: 0,
            parts: Vec::new(),
            held: Vec::new(),
            held_bytes: 0,
            part_bytes_max: SORTED_BYTES,
        }
    }

    pub(crate) fn push(&mut self, key: Key, shown: &Shown) -> Result<(), Error> {
        let bytes = postcard::to_stdvec(shown).map_err(|e| failed(&self.dir, io::Error::other(e)))?;
        self.held_bytes += bytes.len() + key.thread.len() + size_of::<(Key, Vec<u8>)>();
        self.held.push((key, bytes));
        if self.held_bytes >= self.part_bytes_max { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write().map_err(|e| failed(&self.dir, e))
    }

    fn write(&mut self) -> io::Result<()> {
        self.held.sort_by(|(a, _), (b, _)| a.cmp(b));
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(tempfile::tempfile_in(&self.dir)?)),
        };
        let from = self.written;
        for (key, bytes) in self.held.drain(..) {
            let key = postcard::to_stdvec(&key).map_err(io::Error::other)?;
            for part in [&key, &bytes] {
                file.write_all(&(part.len() as u64).to_le_bytes())?;
                file.write_all(part)?;
                self.written += 8 + part.len() as u64;
            }
        }
        self.held_bytes = 0;
        self.parts.push((from, self.written));
        Ok(())
    }

    /// No more come.
    pub(crate) fn sorted(mut self) -> Result<Sorted, Error> {
        if self.parts.is_empty() {
            self.held.sort_by(|(a, _), (b, _)| a.cmp(b));
        } else if !self.held.is_empty() {
            self.flush()?;
        }
        let file = match self.file {
            Some(file) => Some(file.into_inner().map_err(|e| failed(&self.dir, e.into_error()))?),
            None => None,
        };
        Ok(Sorted { dir: self.dir, file, parts: self.parts, held: self.held })
    }
}

fn failed(dir: &Path, error: io::Error) -> Error {
    Error::io("sort records in", dir, error)
}

/// The records, to be read in order as often as one likes.
pub(crate) struct Sorted {
    dir: PathBuf,
    file: Option<File>,
    parts: Vec<(u64, u64)>,
    /// All of them, if they were few.
    held: Vec<(Key, Vec<u8>)>,
}

/// A record that has not been decoded yet.
pub(crate) struct Packed<'s> {
    pub(crate) key: Key,
    bytes: std::borrow::Cow<'s, [u8]>,
    dir: &'s Path,
}

impl Packed<'_> {
    /// Its size, about.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn unpack(&self) -> Result<Shown, Error> {
        postcard::from_bytes(&self.bytes).map_err(|e| failed(self.dir, io::Error::other(e)))
    }
}

impl Sorted {
    pub(crate) fn iter(&self) -> Result<impl Iterator<Item = Result<Packed<'_>, Error>>, Error> {
        let held = self.held.iter().map(|(key, bytes)| {
            Ok(Packed { key: key.clone(), bytes: bytes.as_slice().into(), dir: &self.dir })
        });
        let merge = match &self.file {
            Some(file) => Some(Merge::new(file, &self.parts).map_err(|e| failed(&self.dir, e))?),
            None => None,
        };
        let merged = merge.into_iter().flatten().map(|read| match read {
            Ok((key, bytes)) => Ok(Packed { key, bytes: bytes.into(), dir: &self.dir }),
            Err(error) => Err(failed(&self.dir, error)),
        });
        Ok(held.chain(merged))
    }
}

/// A part of a file, read without moving the file's own place.
struct Slice<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for Slice<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        let read = self.file.read_at(&mut into[..left], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

struct Part<'f>(BufReader<Slice<'f>>);

impl Part<'_> {
    fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        let slice = self.0.get_ref();
        if self.0.buffer().is_empty() && slice.at == slice.end {
            return Ok(None);
        }
        let key = postcard::from_bytes(&self.block()?).map_err(io::Error::other)?;
        Ok(Some((key, self.block()?)))
    }

    fn block(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.0.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(length)).map_err(io::Error::other)?];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// The smallest key of each part, and which part it is of.
struct Merge<'f> {
    parts: Vec<Part<'f>>,
    next: BinaryHeap<Reverse<(Key, usize, Vec<u8>)>>,
    failed: bool,
}

impl<'f> Merge<'f> {
    fn new(file: &'f File, parts: &[(u64, u64)]) -> io::Result<Self> {
        let part = |&(at, end): &(u64, u64)| {
            Part(BufReader::with_capacity(SPILL_READ_BYTES, Slice { file, at, end }))
        };
        let mut merge =
            Merge { parts: parts.iter().map(part).collect(), next: BinaryHeap::new(), failed: false };
        (0..merge.parts.len()).try_for_each(|part| merge.advance(part))?;
        Ok(merge)
    }

    fn advance(&mut self, part: usize) -> io::Result<()> {
        if let Some((key, bytes)) = self.parts[part].next()? {
            self.next.push(Reverse((key, part, bytes)));
        }
        Ok(())
    }
}

impl Iterator for Merge<'_> {
    type Item = io::Result<(Key, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let Reverse((key, part, bytes)) = self.next.pop()?;
        match self.advance(part) {
            Ok(()) => Some(Ok((key, bytes))),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::shown;

    /// However small the parts are, the order is the same, twice.
    #[test]
    fn parts_are_merged_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let key = |n: i64| {
            let shown = shown(n, &"x".repeat(usize::try_from(n % 7).unwrap()));
            let (thread, day) = (format!("t{}", n % 3), i32::try_from(n % 5).unwrap());
            (Key { thread, day, at_us: n % 11, position: shown.position.clone() }, shown)
        };
        let mut expected: Vec<_> = (0..300).map(key).collect();
        expected.sort_by(|(a, _), (b, _)| a.cmp(b));
        for part_bytes_max in [1, 2_000, 50_000, SORTED_BYTES] {
            let mut spill = Spill { part_bytes_max, ..Spill::new(dir.path()) };
            (0..300).rev().map(key).for_each(|(key, shown)| spill.push(key, &shown).unwrap());
            let sorted = spill.sorted().unwrap();
            for _ in 0..2 {
                let read = sorted.iter().unwrap().map(|packed| {
                    let packed = packed.unwrap();
                    let shown = packed.unpack().unwrap();
                    (packed.key, shown)
                });
                assert!(read.eq(expected.iter().cloned()), "{part_bytes_max}");
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
