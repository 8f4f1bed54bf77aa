//! The hash of what is read.

use std::io::{self, Read};

use custody_schemas::Hash;
use sha2::{Digest, Sha256};

use crate::settings::READ_BYTES;

/// The SHA-256 of all that a reader has, and its size.
pub(crate) fn hashed(reader: impl Read) -> io::Result<(Hash, u64)> {
    let mut hasher = Sha256::new();
    let bytes = hash_on(reader, &mut hasher)?;
    Ok((Hash(hasher.finalize().into()), bytes))
}

/// Takes all that a reader has into a hash; how many bytes that were.
pub(crate) fn hash_on(mut reader: impl Read, hasher: &mut Sha256) -> io::Result<u64> {
    let (mut bytes, mut buffer) = (0, vec![0; READ_BYTES]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}
