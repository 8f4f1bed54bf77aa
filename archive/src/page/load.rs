//! The pages of a file, read one by one. Those that were read last are remembered as they are without
//! compression, with what was found out of them.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use zstd::bulk::Decompressor;

use super::Unread;
use super::fields::{FIELDS, Field};
use super::header::{Header, Holds};
use super::values::Page;
use crate::groups::Input;
use crate::remembered::Remembered;
use crate::scattered::End;

/// By the reading of their file's end, and their place in the file.
pub(crate) type Pages = Remembered<(u64, u64), Arc<Page>>;

/// The page of a column that holds some rows.
pub(super) struct Loaded {
    /// Rows of the row group, from the first to before the last.
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) page: Arc<Page>,
    /// Where its values are, if they are there.
    pub(super) dictionary: Option<Arc<Page>>,
}

/// A file whose pages are read.
pub(super) struct Source<'f> {
    pub(super) end: &'f End,
    input: &'f Input,
    /// Bytes of the file.
    len: u64,
    pages: &'f Pages,
}

impl<'f> Source<'f> {
    pub(super) fn new(end: &'f End, input: &'f Input, pages: &'f Pages) -> Self {
        Source { end, input, len: Length::len(input), pages }
    }

    /// The page that holds a row of a row group.
    pub(super) fn load(&self, group: usize, column: usize, field: usize, row: u64) -> Result<Loaded, Unread> {
        let field = FIELDS.get(field).ok_or(Unread::Otherwise)?;
        let metadata = &self.end.metadata;
        let index = metadata.offset_index().and_then(|index| index.get(group)?.get(column));
        let locations = index.ok_or(Unread::Otherwise)?.page_locations.as_slice();
        let row_group = metadata.row_groups().get(group).ok_or(Unread::Otherwise)?;
        let chunk = row_group.columns().get(column).ok_or(Unread::Otherwise)?;
        let first_of = |location: &PageLocation| u64::try_from(location.first_row_index).unwrap_or(u64::MAX);
        let after = locations.partition_point(|location| first_of(location) <= row);
        let location = after.checked_sub(1).and_then(|at| locations.get(at)).ok_or(Unread::Otherwise)?;
        let end = match locations.get(after) {
            Some(next) => first_of(next),
            None => u64::try_from(row_group.num_rows()).unwrap_or(0),
        };
        let stored = u64::try_from(location.compressed_page_size).map_err(|_| WRONG_PLACE)?;
        let start = u64::try_from(location.offset).map_err(|_| WRONG_PLACE)?;
        let page = self.page(start, stored, chunk, field, Holds::Values)?;
        let dictionary = match page.needs_dictionary() {
            true => Some(self.dictionary(locations, chunk, field)?),
            false => None,
        };
        Ok(Loaded { first: first_of(location), end, page, dictionary })
    }

    /// It stands before the first page of its column.
    fn dictionary(
        &self,
        locations: &[PageLocation],
        chunk: &ColumnChunkMetaData,
        field: &Field,
    ) -> Result<Arc<Page>, Unread> {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let start = u64::try_from(start).map_err(|_| WRONG_PLACE)?;
        let end = locations.first().and_then(|first| u64::try_from(first.offset).ok());
        let stored = end.and_then(|end| end.checked_sub(start)).ok_or(WRONG_PLACE)?;
        self.page(start, stored, chunk, field, Holds::Dictionary)
    }

    fn page(
        &self,
        start: u64,
        stored: u64,
        chunk: &ColumnChunkMetaData,
        field: &Field,
        holds: Holds,
    ) -> Result<Arc<Page>, Unread> {
        let place = (self.end.number, start);
        if let Some(page) = self.pages.get(&place) {
            return Ok(page);
        }
        if start.checked_add(stored).is_none_or(|end| end > self.len) {
            return Err(WRONG_PLACE);
        }
        let stored = usize::try_from(stored).map_err(|_| WRONG_PLACE)?;
        let bytes = self.input.get_bytes(start, stored).map_err(Unread::Failed)?;
        let header = Header::read(&bytes)?;
        if header.holds != holds || header.values > VALUES_MAX {
            return Err(Unread::Otherwise);
        }
        // No page holds more than all pages of its column.
        if header.whole as i64 > chunk.uncompressed_size() || i64::from(header.values) > chunk.num_values() {
            return Err(WRONG_SIZE);
        }
        let end =
            header.len.checked_add(header.stored).filter(|end| *end <= bytes.len()).ok_or(WRONG_SIZE)?;
        let whole = without_compression(bytes.slice(header.len..end), header.whole, chunk.compression())?;
        let page = Arc::new(Page::read(whole, &header, field.nesting, field.kind)?);
        self.pages.put(place, page.clone(), page.size());
        Ok(page)
    }
}

/// More than these a page of ours hardly has. What is found out of a page is bounded by them, also where a
/// forged one says that it has any number of empty texts.
const VALUES_MAX: u32 = 1 << 24;

const WRONG_PLACE: Unread = Unread::Damaged("a page is not where it should be");
const WRONG_SIZE: Unread = Unread::Damaged("a page has not the size that it should have");

fn without_compression(stored: Bytes, whole: usize, compression: Compression) -> Result<Bytes, Unread> {
    let bytes = match compression {
        Compression::UNCOMPRESSED => stored,
        // Of a page without values there may be nothing.
        Compression::ZSTD(_) if whole == 0 => Bytes::new(),
        Compression::ZSTD(_) => decompressed(&stored, whole)?.into(),
        _ => return Err(Unread::Otherwise),
    };
    if bytes.len() == whole { Ok(bytes) } else { Err(WRONG_SIZE) }
}

thread_local! {
    /// Making one takes longer than most pages.
    static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn decompressed(stored: &[u8], whole: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(whole).map_err(|_| WRONG_SIZE)?;
    ZSTD.with_borrow_mut(|zstd| {
        let zstd = match zstd {
            Some(zstd) => zstd,
            none => none.insert(Decompressor::new().map_err(|e| Unread::Failed(e.into()))?),
        };
        zstd.decompress_to_buffer(stored, &mut bytes)
            .map_err(|_| Unread::Damaged("a page cannot be decompressed"))
    })?;
    Ok(bytes)
}
