//! A production as one file, to send.
//!
//! The same production gives the same bytes: names are in order, times, modes and owners are fixed, and
//! so is how hard it is compressed. A ZIP is written as a stream, so encrypted or not it is the same; only
//! the encryption itself is random. Everything is checked before a byte is written, and each file is hashed
//! once more while it is packed, so what is in the file is what was checked. It gets its name when it is
//! whole.

mod contents;
mod encrypted;
mod new_file;
mod recipient;
mod source;
mod tarred;
#[cfg(test)]
mod tests;
mod zipped;

use std::io::{self, Read};
use std::path::Path;

use custody_schemas::Hash;

use crate::error::Error;
use crate::settings::PACK_RECIPIENTS_MAX;

use contents::{contents, top};
use encrypted::Sink;
use new_file::NewFile;
use source::Source;
use tarred::Tarred;
use zipped::Zipped;

pub use recipient::Recipient;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackForm {
    /// A ZIP, which every system opens.
    Zip,
    /// A tar compressed with Zstandard, which is smaller.
    TarZst,
}

impl PackForm {
    /// Every form.
    pub const ALL: &'static [PackForm] = &[PackForm::Zip, PackForm::TarZst];

    /// What its name is, and what a file of it ends in after a dot.
    pub const fn name(self) -> &'static str {
        match self {
            PackForm::Zip => "zip",
            PackForm::TarZst => "tar.zst",
        }
    }
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The production's id.
    pub production: String,
    /// Files in it.
    pub files: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Hash,
}

/// What files are put into, one after another.
trait Packer {
    /// Adds a file of so many bytes under a path with `/`.
    fn add(&mut self, path: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()>;

    /// Ends it.
    fn finish(self: Box<Self>) -> io::Result<Sink>;
}

/// Packs the production in the folder `dir` into the new file `out`; with recipients it is encrypted to
/// each of them, with age. `progress` is told how many bytes of the production's were packed, of how many.
///
/// # Errors
/// Of kind `Corrupt` if the folder is not the production that its receipt says, as [`crate::verify`] finds
/// it, or changes meanwhile; of kind `Invalid` if there is no production, if `out` is there or lies in the
/// folder, if another run writes it, or if the recipients are too many. Then, and when the disk is full,
/// no `out` is left.
pub fn pack(
    dir: &Path,
    out: &Path,
    form: PackForm,
    recipients: &[Recipient],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Packed, Error> {
    if recipients.len() > PACK_RECIPIENTS_MAX {
        let many = recipients.len();
        return Err(Error::invalid(format!(
            "{many} recipients are named; {PACK_RECIPIENTS_MAX} are the most"
        )));
    }
    new_file::refuse(out, dir)?;
    let contents = contents(dir)?;
    let top = top(dir)?;
    let file = NewFile::create(out)?;
    let failed = |e| Error::io("write", out, e);
    let sink = Sink::new(file, recipients).map_err(failed)?;
    let mut packer: Box<dyn Packer> = match form {
        PackForm::Zip => Box::new(Zipped::new(sink)),
        PackForm::TarZst => Box::new(Tarred::new(sink).map_err(failed)?),
    };
    let total: u64 = contents.files.iter().map(|file| file.bytes).sum();
    let mut done = 0;
    for entry in &contents.files {
        let mut told = |bytes: u64| progress(done + bytes, total);
        let mut source = Source::open(dir, entry, &mut told)?;
        let added = packer.add(&format!("{top}/{}", entry.name), entry.bytes, &mut source);
        source.finish(added.map_err(failed))?;
        done += entry.bytes;
    }
    let file = packer.finish().and_then(Sink::finish).map_err(failed)?;
    let (bytes, sha256) = file.publish()?;
    Ok(Packed { production: contents.production, files: contents.files.len() as u64, bytes, sha256 })
}
