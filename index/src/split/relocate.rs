//! A split whose batches were moved to other files of the archive: the same segment, and a footer
//! that says where they are now. These are the bytes that building it from there gives.

use tantivy::HasLen;
use tantivy::directory::FileSlice;

use super::format::{Footer, read_footer};
use super::write::{Built, finished};
use crate::error::{Error, Kind};
use crate::places::Places;

/// The split with its batches where they are; `None` where none of them was moved.
pub(crate) fn relocate(shown: &str, data: &FileSlice, places: &Places) -> Result<Option<Built>, Error> {
    let mut footer = read_footer(shown, data)?;
    let mut moved = false;
    for covered in &mut footer.files {
        if let Some(place) = places.of(&covered.file)? {
            covered.file = place.clone();
            moved = true;
        }
    }
    if !moved {
        return Ok(None);
    }
    let parts = std::mem::take(&mut footer.parts);
    let parts = parts.into_iter().map(|part| {
        // The footer was checked: every part is inside the file.
        let at = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).min(data.len());
        let bytes = data.read_bytes_slice(at(part.offset)..at(part.offset.saturating_add(part.length)));
        let bytes = bytes.map_err(|e| Error::with(Kind::Retry, format!("cannot read {shown}"), e))?;
        Ok((part.name, bytes.as_slice().to_owned()))
    });
    let parts = parts.collect::<Result<Vec<_>, Error>>()?;
    finished(parts, Footer { parts: Vec::new(), ..footer }).map(Some)
}
