//! A tar in the form of GNU, compressed with Zstandard by one thread.

use std::io::{self, Read};

use tar::{Builder, EntryType, Header};
use zstd::stream::write::Encoder;

use super::Packer;
use super::encrypted::Sink;
use crate::settings::PACK_ZSTD_LEVEL;

pub(super) struct Tarred(Builder<Encoder<'static, Sink>>);

impl Tarred {
    pub(super) fn new(sink: Sink) -> io::Result<Self> {
        let mut encoder = Encoder::new(sink, PACK_ZSTD_LEVEL)?;
        // So that a reader notices a flipped bit before it unpacks what is wrong.
        encoder.include_checksum(true)?;
        Ok(Tarred(Builder::new(encoder)))
    }
}

/// The same whenever, wherever and by whomever it is written: no time, no owner.
pub(super) fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

impl Packer for Tarred {
    fn add(&mut self, path: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        self.0.append_data(&mut header(bytes), path, from)
    }

    fn finish(self: Box<Self>) -> io::Result<Sink> {
        self.0.into_inner()?.finish()
    }
}
