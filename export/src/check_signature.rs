//! Who signed a production.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use custody_schemas::Hash;

use crate::check::Problems;
use crate::error::Error;
use crate::hashing::hashed;
use crate::key::PublicKey;
use crate::note::{Note, Signed};
use crate::produce::signed_text;
use crate::settings::NOTE_BYTES_MAX;
use crate::{RECEIPT, SIGNATURE};

/// The names that the signatures say they are of. With a key there must be one by it, and it must be
/// of this receipt.
pub(crate) fn signature(
    dir: &Path,
    production: &str,
    key: Option<&PublicKey>,
    problems: &mut Problems,
) -> Result<Vec<String>, Error> {
    let Some(text) = note(dir)? else {
        if key.is_some() {
            problems.file(SIGNATURE, "it is missing: the production is not signed");
        }
        return Ok(Vec::new());
    };
    let note = match Note::parse(&text) {
        Ok(note) => note,
        Err(error) => {
            problems.file(SIGNATURE, error.to_string());
            return Ok(Vec::new());
        }
    };
    if note.text() != signed_text(production, receipt_hash(dir)?) {
        problems.file(SIGNATURE, "it signs something else than this receipt");
    }
    match key.map(|key| (key, note.signed_by(key))) {
        None | Some((_, Signed::Yes)) => {}
        Some((key, Signed::No)) => problems.file(SIGNATURE, format!("it has no signature by {key}")),
        Some((key, Signed::Falsely)) => {
            problems.file(SIGNATURE, format!("the signature that says it is by {key} is not"));
        }
    }
    Ok(note.signers().map(str::to_owned).collect())
}

/// The text of the signature's file, a little more than it may be long at most.
fn note(dir: &Path) -> Result<Option<String>, Error> {
    let path = dir.join(SIGNATURE);
    let failed = |e| Error::io("read", &path, e);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {}
        // What is no file is no signature; that it is there at all is told by the list of files.
        Ok(_) => return Ok(Some(String::new())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .map_err(failed)?
        .take(NOTE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn receipt_hash(dir: &Path) -> Result<Hash, Error> {
    let path = dir.join(RECEIPT);
    let hash = File::open(&path).and_then(hashed);
    hash.map(|(hash, _)| hash).map_err(|e| Error::io("read", &path, e))
}
