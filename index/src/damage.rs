//! Reading damaged splits: Tantivy asserts much of what it reads.

use crate::error::{Error, Kind};
use crate::manifest::Folder;

/// Runs what reads the splits in `folder`, see [`custody_archive::guarded`].
///
/// # Errors
///
/// Its own, and `Corrupt` when it gave up on what it read.
pub(crate) fn guarded<T>(folder: &Folder, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    custody_archive::guarded(read).unwrap_or_else(|said| {
        let root = folder.shown();
        let message = format!("the index in {root} is damaged; without that folder it is built anew");
        Err(Error::with(Kind::Corrupt, message, said))
    })
}
