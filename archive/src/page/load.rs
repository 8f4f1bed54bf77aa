//! The pages of a file, read one by one. Those that were read last are remembered as they are without
//! compression, with what was found out of them.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::reader::{ChunkReader, Length};
use zstd::bulk::Decompressor;

use super::Unread;
use super::fields::{FIELDS, Field};
use super::header::{Header, Holds};
use super::places::{Chunk, Place, Places, Stored};
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
    end: &'f End,
    places: &'f Places,
    input: &'f Input,
    /// Bytes of the file.
    len: u64,
    pages: &'f Pages,
}

impl<'f> Source<'f> {
    pub(super) fn new(end: &'f End, places: &'f Places, input: &'f Input, pages: &'f Pages) -> Self {
        Source { end, places, input, len: Length::len(input), pages }
    }

    /// The page of a field that holds a row of a row group.
    pub(super) fn load(&self, group: usize, field: usize, row: u64) -> Result<Loaded, Unread> {
        let (chunk, places) = self.places.chunk(group, field).ok_or(Unread::Otherwise)?;
        let field = FIELDS.get(field).ok_or(Unread::Otherwise)?;
        let after = places.partition_point(|place| u64::from(place.first_row) <= row);
        let place = after.checked_sub(1).and_then(|at| places.get(at)).ok_or(Unread::Otherwise)?;
        let end = match places.get(after) {
            Some(next) => u64::from(next.first_row),
            None => self.end.rows_in(group),
        };
        let page = self.page(place.start, u64::from(place.stored), chunk, field, Holds::Values)?;
        let dictionary = match page.needs_dictionary() {
            true => Some(self.dictionary(places, chunk, field)?),
            false => None,
        };
        Ok(Loaded { first: u64::from(place.first_row), end, page, dictionary })
    }

    /// It stands before the first page of its column.
    fn dictionary(&self, places: &[Place], chunk: &Chunk, field: &Field) -> Result<Arc<Page>, Unread> {
        let end = places.first().map(|first| first.start);
        let stored = end.and_then(|end| end.checked_sub(chunk.dictionary)).ok_or(WRONG_PLACE)?;
        self.page(chunk.dictionary, stored, chunk, field, Holds::Dictionary)
    }

    fn page(
        &self,
        start: u64,
        stored: u64,
        chunk: &Chunk,
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
        if header.whole as u64 > chunk.whole || u64::from(header.values) > chunk.values {
            return Err(WRONG_SIZE);
        }
        let end =
            header.len.checked_add(header.stored).filter(|end| *end <= bytes.len()).ok_or(WRONG_SIZE)?;
        let whole = without_compression(bytes.slice(header.len..end), header.whole, chunk.compression)?;
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

fn without_compression(stored: Bytes, whole: usize, compression: Stored) -> Result<Bytes, Unread> {
    let bytes = match compression {
        Stored::AsIs => stored,
        // Of a page without values there may be nothing.
        Stored::Zstd if whole == 0 => Bytes::new(),
        Stored::Zstd => decompressed(&stored, whole)?.into(),
        Stored::Otherwise => return Err(Unread::Otherwise),
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
