//! A ZIP, written as a stream.

use std::io::{self, Read};

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::Packer;
use super::encrypted::Sink;
use crate::settings::PACK_DEFLATE_LEVEL;

/// Bytes from which on an entry has sizes of 64 bits: they must be chosen before it is compressed, which
/// may make it a little larger. The limit of 32 bits is 4,294,967,295.
const LARGE_BYTES: u64 = 4_000_000_000;

/// A ZIP between two entries. It holds some hundred bytes for each, until its directory is written.
pub(super) struct Zipped(ZipWriter<StreamWriter<Sink>>);

impl Zipped {
    pub(super) fn new(sink: Sink) -> Self {
        Zipped(ZipWriter::new_stream(sink))
    }
}

/// The same whenever and wherever it is written.
fn options(bytes: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(PACK_DEFLATE_LEVEL))
        // 1980-01-01, the first that there is.
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644)
        .large_file(bytes >= LARGE_BYTES)
}

impl Packer for Zipped {
    fn add(&mut self, path: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        self.0.start_file(path, options(bytes))?;
        io::copy(from, &mut self.0)?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Sink> {
        Ok(self.0.finish()?.into_inner())
    }
}
