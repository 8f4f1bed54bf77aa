//! The hash of what is read.

use std::io::{self, Read};

use custody_schemas::Hash;
use sha2::{Digest, Sha256};

use crate::settings::READ_BYTES;

/// The SHA-256 of all that a reader has, and its size.
pub(crate) fn hashed(mut reader: impl Read) -> io::Result<(Hash, u64)> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; READ_BYTES]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((Hash(hasher.finalize().into()), bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}
