//! `rsmf.zip`: the manifest and every file that it names, the same bytes each time.
//!
//! Written here rather than by a library, because so little of the format is needed: no entry is
//! larger than RSMF allows, so nothing is in 64 bits, all sizes are known before an entry begins, and
//! no time is ever said. Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.

use std::cell::RefCell;
use std::io::Read;

use flate2::{Compress, CompressError, Compression, Crc, FlushCompress, Status};

use super::files::{File, Source};
use crate::document::Content;
use crate::error::Error;
use crate::settings::RSMF_BYTES_MAX;

/// The manifest's name.
pub(super) const MANIFEST: &str = "rsmf_manifest.json";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01 00:00, MS-DOS's first moment: a file's time would make each production other bytes.
const DOS_TIME: u16 = 0;
const DOS_DATE: u16 = 1 << 5 | 1;
/// PKZIP 2.0, which deflates.
const VERSION: u16 = 20;

/// The zip's bytes. The manifest is deflated; attachments are stored, most are compressed already.
pub(super) fn zipped(manifest: &[u8], files: &[File<'_>]) -> Result<Vec<u8>, Error> {
    let mut zip = Zip::default();
    let deflated = deflated(manifest)
        .map_err(|source| Error::with(crate::Kind::Invalid, "cannot write rsmf.zip", source))?;
    zip.add(MANIFEST, DEFLATED, crc(manifest), manifest.len(), &deflated)?;
    for file in files {
        match &file.content {
            Source::Placeholder(text) => zip.store(&file.name, text.as_bytes())?,
            Source::Attached(attachment) => {
                let Content::Here { path, bytes } = &attachment.content else { continue };
                let mut content = Vec::new();
                let open = std::fs::File::open(path).map_err(|source| Error::io("open", path, source))?;
                // One byte more shows that a file has grown, without reading all of it.
                let read = open.take(bytes.saturating_add(1)).read_to_end(&mut content);
                read.map_err(|source| Error::io("read", path, source))?;
                if content.len() as u64 != *bytes {
                    let message = format!("{} is not {bytes} bytes any more", path.display());
                    return Err(Error::corrupt(message));
                }
                zip.store(&file.name, &content)?;
            }
        }
    }
    zip.finish()
}

thread_local! {
    /// It takes some hundred kilobytes: most documents are less, and need it for less time than it takes
    /// to make one.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(6), false));
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>, CompressError> {
    DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        let mut out = Vec::with_capacity(bytes.len() / 4 + 1_024);
        loop {
            let read = usize::try_from(deflate.total_in()).unwrap_or(usize::MAX);
            let rest = bytes.get(read..).unwrap_or_default();
            let flush = if rest.is_empty() { FlushCompress::Finish } else { FlushCompress::None };
            if deflate.compress_vec(rest, &mut out, flush)? == Status::StreamEnd {
                return Ok(out);
            }
            if out.capacity() - out.len() < 1_024 {
                out.reserve(out.len() + 1_024);
            }
        }
    })
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn too_large() -> Error {
    Error::invalid(format!("rsmf.zip would be larger than {RSMF_BYTES_MAX} bytes or hold too many files"))
}

/// A zip while it grows.
#[derive(Default)]
struct Zip {
    out: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Zip {
    fn store(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.add(name, STORED, crc(bytes), bytes.len(), bytes)
    }

    fn add(&mut self, name: &str, method: u16, crc: u32, size: usize, packed: &[u8]) -> Result<(), Error> {
        let fits = |n: usize| u32::try_from(n).ok().filter(|n| u64::from(*n) <= RSMF_BYTES_MAX);
        let (Some(at), Some(size), Some(packed_size), Ok(name_size)) =
            (fits(self.out.len()), fits(size), fits(packed.len()), u16::try_from(name.len()))
        else {
            return Err(too_large());
        };
        self.entries = self.entries.checked_add(1).ok_or_else(too_large)?;
        // What the local header and the directory have in common, 4.3.7 and 4.3.12.
        let mut common = Vec::with_capacity(26);
        for short in [VERSION, FLAGS, method, DOS_TIME, DOS_DATE] {
            common.extend_from_slice(&short.to_le_bytes());
        }
        for long in [crc, packed_size, size] {
            common.extend_from_slice(&long.to_le_bytes());
        }
        common.extend_from_slice(&name_size.to_le_bytes());
        common.extend_from_slice(&0u16.to_le_bytes());
        self.out.extend_from_slice(b"PK\x03\x04");
        self.out.extend_from_slice(&common);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(packed);
        self.directory.extend_from_slice(b"PK\x01\x02");
        self.directory.extend_from_slice(&VERSION.to_le_bytes());
        self.directory.extend_from_slice(&common);
        // No comment, first disk, no attributes.
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&at.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>, Error> {
        let (Ok(at), Ok(size)) = (u32::try_from(self.out.len()), u32::try_from(self.directory.len())) else {
            return Err(too_large());
        };
        self.out.append(&mut self.directory);
        self.out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        self.out.extend_from_slice(&self.entries.to_le_bytes());
        self.out.extend_from_slice(&self.entries.to_le_bytes());
        self.out.extend_from_slice(&size.to_le_bytes());
        self.out.extend_from_slice(&at.to_le_bytes());
        self.out.extend_from_slice(&[0; 2]);
        Ok(self.out)
    }
}
