//! Where the pages of a file are, by row group and by field, in less than a fifth of the bytes that the
//! whole end of a file takes in memory.

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;

use super::fields::{FIELDS_LEN, Layout};

/// See the module. What a damaged file says of a place that cannot be is kept as one that no file has.
pub(crate) struct Places {
    /// [`FIELDS_LEN`] of each row group.
    chunks: Vec<Chunk>,
    pages: Vec<Place>,
}

/// A column of a row group.
pub(super) struct Chunk {
    /// Its first page among all.
    first: u32,
    pages: u32,
    /// Where its dictionary is, if it has one.
    pub(super) dictionary: u64,
    /// Bytes without compression.
    pub(super) whole: u64,
    pub(super) values: u64,
    pub(super) compression: Stored,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    AsIs,
    Zstd,
    /// As this archive never did.
    Otherwise,
}

/// A page.
pub(super) struct Place {
    pub(super) start: u64,
    /// Bytes there.
    pub(super) stored: u32,
    /// Its first row in the row group.
    pub(super) first_row: u32,
}

/// A number that Parquet writes with a sign; one that cannot be is more than any file has.
fn large(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Places {
    /// `None` where a file is not written as this archive writes.
    pub(crate) fn of(end: &ParquetMetaData) -> Option<Places> {
        let layout = Layout::of(end.file_metadata().schema_descr())?;
        let offsets = end.offset_index()?;
        let (mut chunks, mut pages) = (Vec::new(), Vec::new());
        chunks.reserve_exact(end.num_row_groups().checked_mul(FIELDS_LEN)?);
        for (group, offsets) in end.row_groups().iter().zip(offsets) {
            for field in 0..FIELDS_LEN {
                let column = layout.column(field);
                let locations = offsets.get(column)?.page_locations();
                chunks.push(Chunk::of(group.columns().get(column)?, pages.len(), locations.len())?);
                pages.extend(locations.iter().map(Place::of));
            }
        }
        if chunks.len() != end.num_row_groups() * FIELDS_LEN {
            return None;
        }
        pages.shrink_to_fit();
        Some(Places { chunks, pages })
    }

    /// A field of a row group and where its pages are.
    pub(super) fn chunk(&self, group: usize, field: usize) -> Option<(&Chunk, &[Place])> {
        let chunk = self.chunks.get(group.checked_mul(FIELDS_LEN)?.checked_add(field)?)?;
        Some((chunk, self.pages.get(chunk.first as usize..)?.get(..chunk.pages as usize)?))
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * size_of::<Chunk>() + self.pages.len() * size_of::<Place>()
    }
}

impl Chunk {
    fn of(column: &ColumnChunkMetaData, first: usize, pages: usize) -> Option<Chunk> {
        Some(Chunk {
            first: u32::try_from(first).ok()?,
            pages: u32::try_from(pages).ok()?,
            dictionary: large(column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset())),
            // Nothing fits into a size that cannot be.
            whole: u64::try_from(column.uncompressed_size()).unwrap_or(0),
            values: u64::try_from(column.num_values()).unwrap_or(0),
            compression: match column.compression() {
                Compression::UNCOMPRESSED => Stored::AsIs,
                Compression::ZSTD(_) => Stored::Zstd,
                _ => Stored::Otherwise,
            },
        })
    }
}

impl Place {
    fn of(location: &PageLocation) -> Place {
        Place {
            start: large(location.offset),
            stored: small(i64::from(location.compressed_page_size)),
            first_row: small(location.first_row_index),
        }
    }
}
