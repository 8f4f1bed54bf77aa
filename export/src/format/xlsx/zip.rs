//! A ZIP file of a few parts, each compressed into the file as it comes.
//!
//! Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and
//! 4.3.16 (its end). Without ZIP64: a part is far below 4 GiB, which is checked.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::error::Error;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// 2.0: DEFLATE.
const VERSION: u16 = 20;
const DEFLATE: u16 = 8;
/// 1 January 1980, the first that there is: the bytes are of no time.
const DATE: u16 = 0x21;
/// Where a local header has CRC and sizes.
const SUMS_AT: u64 = 14;

/// A ZIP file between two parts.
pub(super) struct Zip {
    out: BufWriter<File>,
    path: PathBuf,
    entries: Vec<Entry>,
}

struct Entry {
    name: &'static str,
    offset: u32,
    sums: Sums,
}

/// What is known of a part when it is whole.
#[derive(Default)]
struct Sums {
    crc: u32,
    packed: u32,
    size: u32,
}

impl Sums {
    fn bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (to, value) in bytes.chunks_exact_mut(4).zip([self.crc, self.packed, self.size]) {
            to.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }
}

/// A part while it is written.
pub(super) struct Part {
    encoder: DeflateEncoder<BufWriter<File>>,
    path: PathBuf,
    entries: Vec<Entry>,
    name: &'static str,
    offset: u32,
    crc: Crc,
}

impl Zip {
    /// Begins a file that is empty.
    pub(super) fn new(file: File, path: &Path) -> Self {
        Zip { out: BufWriter::new(file), path: path.to_owned(), entries: Vec::new() }
    }

    /// Begins a part.
    pub(super) fn begin(mut self, name: &'static str) -> Result<Part, Error> {
        let failed = |source| Error::io("write", &self.path, source);
        let offset = small(self.out.stream_position().map_err(failed)?, &self.path)?;
        let entry = Entry { name, offset, sums: Sums::default() };
        self.out.write_all(&local(&entry)).map_err(failed)?;
        let encoder = DeflateEncoder::new(self.out, Compression::default());
        Ok(Part { encoder, path: self.path, entries: self.entries, name, offset, crc: Crc::new() })
    }

    /// Writes the directory, and makes the file durable.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let failed = |source| Error::io("write", &self.path, source);
        let begin = small(self.out.stream_position().map_err(failed)?, &self.path)?;
        let directory: Vec<u8> = self.entries.iter().flat_map(central).collect();
        // A handful of parts of known names.
        let (count, length) = (self.entries.len() as u16, directory.len() as u32);
        let mut end = Record(END.to_le_bytes().to_vec());
        end.u16s(&[0, 0, count, count]);
        end.u32s(&[length, begin]);
        end.u16s(&[0]);
        self.out.write_all(&directory).and_then(|()| self.out.write_all(&end.0)).map_err(failed)?;
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(failed)
    }
}

impl Part {
    /// Adds to the part.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.crc.update(bytes);
        self.encoder.write_all(bytes).map_err(|source| Error::io("write", &self.path, source))
    }

    /// Ends it, and writes into its header what is known now.
    pub(super) fn end(mut self) -> Result<Zip, Error> {
        let failed = |source| Error::io("write", &self.path, source);
        self.encoder.try_finish().map_err(failed)?;
        let (packed, size) = (self.encoder.total_out(), self.encoder.total_in());
        let sums =
            Sums { crc: self.crc.sum(), packed: small(packed, &self.path)?, size: small(size, &self.path)? };
        let mut out = self.encoder.finish().map_err(failed)?;
        let patched = out
            .seek(SeekFrom::Start(u64::from(self.offset) + SUMS_AT))
            .and_then(|_| out.write_all(&sums.bytes()))
            .and_then(|()| out.seek(SeekFrom::End(0)));
        patched.map_err(failed)?;
        self.entries.push(Entry { name: self.name, offset: self.offset, sums });
        Ok(Zip { out, path: self.path, entries: self.entries })
    }
}

fn small(number: u64, path: &Path) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::corrupt(format!("{} is larger than 4 GiB", path.display())))
}

/// Numbers, little-endian.
struct Record(Vec<u8>);

impl Record {
    fn u16s(&mut self, numbers: &[u16]) {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    fn u32s(&mut self, numbers: &[u32]) {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
}

fn local(entry: &Entry) -> Vec<u8> {
    let mut record = Record(LOCAL.to_le_bytes().to_vec());
    record.u16s(&[VERSION, 0, DEFLATE, 0, DATE]);
    record.0.extend(entry.sums.bytes());
    record.u16s(&[entry.name.len() as u16, 0]);
    record.0.extend(entry.name.as_bytes());
    record.0
}

fn central(entry: &Entry) -> Vec<u8> {
    let mut record = Record(CENTRAL.to_le_bytes().to_vec());
    record.u16s(&[VERSION, VERSION, 0, DEFLATE, 0, DATE]);
    record.0.extend(entry.sums.bytes());
    record.u16s(&[entry.name.len() as u16, 0, 0, 0, 0]);
    record.u32s(&[0, entry.offset]);
    record.0.extend(entry.name.as_bytes());
    record.0
}
