//! Records in another order than that of the archive, with bounded memory: sorted parts in a
//! temporary file without a name, merged when they are read.
//!
//! A part has the keys of its records first, with what is to be known before they are read, and then
//! the records: whoever wants the keys alone does not read the rest.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::item::Shown;
use crate::place::Key;
use crate::settings::{
    MERGED_BYTES, SORTED_BYTES, SPILL_READ_BYTES, SPILL_READ_BYTES_MIN, SPILL_WRITE_BYTES,
};

/// A record that has not been decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed<'s> {
    pub(crate) key: Key,
    /// It shares a file.
    pub(crate) shares_file: bool,
    pub(crate) bytes: Cow<'s, [u8]>,
}

impl Packed<'_> {
    pub(crate) fn new(key: Key, shares_file: bool, shown: &Shown) -> Result<Packed<'static>, Error> {
        // At once: growing would copy most of it again and again.
        let mut bytes = vec![0; shown.packed_bytes_max()];
        let packed = postcard::to_slice(shown, &mut bytes);
        let len = packed.map_err(|e| Error::corrupt(format!("a record cannot be packed: {e}")))?.len();
        bytes.truncate(len);
        Ok(Packed { key, shares_file, bytes: bytes.into() })
    }

    fn head(&self) -> Head {
        Head { key: self.key.clone(), shares_file: self.shares_file, len: self.bytes.len() as u64 }
    }
}

/// The record that was packed.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Shown, Error> {
    postcard::from_bytes(bytes).map_err(|e| Error::corrupt(format!("a packed record cannot be read: {e}")))
}

/// What stands before the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    pub(crate) key: Key,
    pub(crate) shares_file: bool,
    /// Its size.
    pub(crate) len: u64,
}

/// Bytes of a head without the key's.
const HEAD: usize = 17;

impl Head {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Key { bytes, group } = &self.key;
        let number = |n: usize| u32::try_from(n).map_err(io::Error::other);
        to.write_all(&number(bytes.len())?.to_le_bytes())?;
        to.write_all(&number(*group)?.to_le_bytes())?;
        to.write_all(&self.len.to_le_bytes())?;
        to.write_all(&[self.shares_file.into()])?;
        to.write_all(bytes)
    }

    fn bytes(&self) -> u64 {
        (HEAD + self.key.bytes.len()) as u64
    }

    fn read(from: &mut impl Read) -> io::Result<Head> {
        let mut head = [0; HEAD];
        from.read_exact(&mut head)?;
        let [k0, k1, k2, k3, g0, g1, g2, g3, len @ .., shares_file] = head;
        let number = |bytes| u32::from_le_bytes(bytes) as usize;
        let mut bytes = vec![0; number([k0, k1, k2, k3])];
        from.read_exact(&mut bytes)?;
        let key = Key { bytes: bytes.into(), group: number([g0, g1, g2, g3]) };
        Ok(Head { key, shares_file: shares_file != 0, len: u64::from_le_bytes(len) })
    }
}

/// Where a sorted part is in the file: its heads, then its records.
#[derive(Debug, Clone, Copy)]
struct Span {
    heads: u64,
    records: u64,
    end: u64,
}

/// Takes records in any order.
pub(crate) struct Spill {
    dir: PathBuf,
    /// Made when the first part is full.
    file: Option<BufWriter<File>>,
    parts: Vec<Span>,
    held: Vec<Packed<'static>>,
    held_bytes: usize,
    part_bytes_max: usize,
}

impl Spill {
    /// `dir` is where the temporary file is if there is more than memory should hold.
    pub(crate) fn new(dir: &Path) -> Self {
        Spill {
            dir: dir.to_owned(),
            file: None,
            parts: Vec::new(),
            held: Vec::new(),
            held_bytes: 0,
            part_bytes_max: SORTED_BYTES,
        }
    }

    pub(crate) fn push(&mut self, packed: Packed<'static>) -> Result<(), Error> {
        self.held_bytes += packed.bytes.len() + packed.key.bytes.len() + size_of::<Packed<'_>>();
        self.held.push(packed);
        if self.held_bytes >= self.part_bytes_max { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.write().map_err(|e| failed(&self.dir, e))
    }

    fn write(&mut self) -> io::Result<()> {
        // No two keys are equal: no two records have one position.
        self.held.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tempfile::tempfile_in(&self.dir)?;
                none.insert(BufWriter::with_capacity(SPILL_WRITE_BYTES, file))
            }
        };
        let heads = self.parts.last().map_or(0, |last| last.end);
        let mut records = heads;
        for packed in &self.held {
            let head = packed.head();
            head.write(file)?;
            records += head.bytes();
        }
        let mut end = records;
        for packed in self.held.drain(..) {
            file.write_all(&packed.bytes)?;
            end += packed.bytes.len() as u64;
        }
        self.held_bytes = 0;
        self.parts.push(Span { heads, records, end });
        Ok(())
    }

    /// No more come.
    pub(crate) fn sorted(mut self) -> Result<Sorted, Error> {
        if self.parts.is_empty() {
            self.held.sort_unstable_by(|a, b| a.key.cmp(&b.key));
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
    parts: Vec<Span>,
    /// All of them, if they were few.
    held: Vec<Packed<'static>>,
}

impl Sorted {
    /// All of them, in order.
    pub(crate) fn iter(&self) -> Result<impl Iterator<Item = Result<Packed<'_>, Error>>, Error> {
        let held = self.held.iter().map(|packed| {
            let Packed { key, shares_file, bytes } = packed;
            Ok(Packed { key: key.clone(), shares_file: *shares_file, bytes: Cow::Borrowed(bytes) })
        });
        let mut merge = self.merge()?;
        let merged = std::iter::from_fn(move || {
            let read = merge.as_mut()?.next(Merge::record)?;
            let packed = read.map(|(Head { key, shares_file, .. }, bytes)| Packed {
                key,
                shares_file,
                bytes: Cow::Owned(bytes),
            });
            Some(packed.map_err(|e| failed(&self.dir, e)))
        });
        Ok(held.chain(merged))
    }

    /// What stands before each, in order.
    pub(crate) fn heads(&self) -> Result<impl Iterator<Item = Result<Head, Error>>, Error> {
        let held = self.held.iter().map(|packed| Ok(packed.head()));
        let mut merge = self.merge()?;
        let merged = std::iter::from_fn(move || {
            let read = merge.as_mut()?.next(|_, _, _| Ok(()))?;
            Some(read.map(|(head, ())| head).map_err(|e| failed(&self.dir, e)))
        });
        Ok(held.chain(merged))
    }

    fn merge(&self) -> Result<Option<Merge<'_>>, Error> {
        let merge = self.file.as_ref().map(|file| Merge::new(file, &self.parts));
        merge.transpose().map_err(|e| failed(&self.dir, e))
    }
}

/// A piece of a file, read without moving the file's own place.
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

/// A sorted part while it is read.
struct Part<'f> {
    heads: BufReader<Slice<'f>>,
    records: BufReader<Slice<'f>>,
}

impl<'f> Part<'f> {
    fn new(file: &'f File, span: Span, buffer: usize) -> Self {
        let reader = |at, end| BufReader::with_capacity(buffer, Slice { file, at, end });
        Part { heads: reader(span.heads, span.records), records: reader(span.records, span.end) }
    }

    fn head(&mut self) -> io::Result<Option<Head>> {
        let slice = self.heads.get_ref();
        if self.heads.buffer().is_empty() && slice.at == slice.end {
            return Ok(None);
        }
        Head::read(&mut self.heads).map(Some)
    }
}

/// The smallest head of each part, and which part it is of.
struct Merge<'f> {
    parts: Vec<Part<'f>>,
    next: BinaryHeap<Reverse<(Head, usize)>>,
}

impl<'f> Merge<'f> {
    fn new(file: &'f File, spans: &[Span]) -> io::Result<Self> {
        // Two buffers a part.
        let share = MERGED_BYTES / (2 * spans.len()).max(1);
        let buffer = share.clamp(SPILL_READ_BYTES_MIN, SPILL_READ_BYTES);
        let mut parts: Vec<_> = spans.iter().map(|span| Part::new(file, *span, buffer)).collect();
        let mut next = BinaryHeap::with_capacity(parts.len());
        for (number, part) in parts.iter_mut().enumerate() {
            next.extend(part.head()?.map(|head| Reverse((head, number))));
        }
        Ok(Merge { parts, next })
    }

    /// The next head, and what `read` reads of its part; nothing more after an error.
    fn next<R>(
        &mut self,
        read: impl FnOnce(&mut Self, usize, u64) -> io::Result<R>,
    ) -> Option<io::Result<(Head, R)>> {
        let taken = self.head()?.and_then(|(head, part)| {
            let read = read(self, part, head.len)?;
            Ok((head, read))
        });
        if taken.is_err() {
            self.next.clear();
        }
        Some(taken)
    }

    /// The smallest, in whose place the next of its part comes.
    fn head(&mut self) -> Option<io::Result<(Head, usize)>> {
        let mut smallest = self.next.peek_mut()?;
        let part = smallest.0.1;
        match self.parts[part].head() {
            Ok(Some(next)) => {
                let Reverse(taken) = std::mem::replace(&mut *smallest, Reverse((next, part)));
                Some(Ok(taken))
            }
            Ok(None) => Some(Ok(PeekMut::pop(smallest).0)),
            Err(error) => Some(Err(error)),
        }
    }

    fn record(&mut self, part: usize, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.parts[part].records.read_exact(&mut bytes)?;
        Ok(bytes)
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
        let packed = |n: i64| {
            let shown = shown(n, &"x".repeat(usize::try_from(n % 7).unwrap()));
            let (thread, day) = (format!("t{}", n % 3), i32::try_from(n % 5).unwrap());
            Packed::new(Key::new(&thread, day, n % 11, &shown.position), n % 2 == 0, &shown).unwrap()
        };
        let mut expected: Vec<_> = (0..300).map(packed).collect();
        expected.sort_by(|a, b| a.key.cmp(&b.key));
        for part_bytes_max in [1, 2_000, 50_000, SORTED_BYTES] {
            let mut spill = Spill { part_bytes_max, ..Spill::new(dir.path()) };
            (0..300).rev().map(packed).for_each(|packed| spill.push(packed).unwrap());
            let sorted = spill.sorted().unwrap();
            for _ in 0..2 {
                let read = sorted.iter().unwrap().map(Result::unwrap);
                assert!(read.eq(expected.iter().cloned()), "{part_bytes_max}");
                let heads = sorted.heads().unwrap().map(Result::unwrap);
                assert!(heads.eq(expected.iter().map(Packed::head)), "{part_bytes_max}");
            }
        }
        assert_eq!(unpacked(&expected[0].bytes).unwrap().position.offset, 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
