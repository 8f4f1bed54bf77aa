//! Some rows of a row group, of whose columns only the pages that hold them are read. Pages that were
//! read last are remembered as they are without compression.

use std::iter;
use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::serialized_reader::SerializedPageReader;

use crate::groups::Input;
use crate::remembered::Remembered;

/// Pages by the reading of their file's end, and their place in the file.
pub(crate) type Pages = Remembered<(u64, i64), Page>;

/// What a page takes beside its bytes, about.
const PAGE_BYTES: usize = 256;

/// A row group to read.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// By what its pages are remembered.
    pub(crate) file: u64,
    pub(crate) at: usize,
    pub(crate) input: Arc<Input>,
    pub(crate) pages: Arc<Pages>,
}

impl Group {
    fn row_group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.at)
    }

    /// Where the data pages of a column are; `None` where the file does not say.
    fn locations(&self, column: usize) -> Option<&[PageLocation]> {
        let columns = self.metadata.offset_index()?.get(self.at)?;
        Some(&columns.get(column)?.page_locations)
    }

    fn open(&self, column: usize) -> Result<SerializedPageReader<Input>> {
        let locations = self.locations(column).map(<[PageLocation]>::to_vec);
        let rows = usize::try_from(self.row_group().num_rows())?;
        SerializedPageReader::new(self.input.clone(), self.row_group().column(column), rows, locations)
    }
}

impl RowGroups for Group {
    fn num_rows(&self) -> usize {
        usize::try_from(self.row_group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let pages: Box<dyn PageReader> = match self.locations(column) {
            Some(_) => Box::new(Chunk { group: self.clone(), column, next: 0, opened: None }),
            None => Box::new(self.open(column)?),
        };
        Ok(Box::new(One(iter::once(Ok(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.row_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of a column in one row group.
struct One(iter::Once<Result<Box<dyn PageReader>>>);

impl Iterator for One {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl PageIterator for One {}

/// A column of a row group, page by page.
struct Chunk {
    group: Group,
    column: usize,
    /// The next page, the one with the dictionary counted where there is one.
    next: usize,
    /// Opened for the first page that is not remembered, with the page that it is at.
    opened: Option<(SerializedPageReader<Input>, usize)>,
}

impl Chunk {
    fn locations(&self) -> &[PageLocation] {
        self.group.locations(self.column).unwrap_or_default()
    }

    /// Where the page with the dictionary is. The data pages follow it.
    fn dictionary(&self) -> Option<i64> {
        let start = i64::try_from(self.group.row_group().column(self.column).byte_range().0).ok()?;
        self.locations().first().is_some_and(|first| first.offset != start).then_some(start)
    }

    /// The number of the next data page; `None` when the next one is the dictionary.
    fn next_data(&self) -> Option<usize> {
        self.next.checked_sub(usize::from(self.dictionary().is_some()))
    }

    /// Where the next page is; `None` after the last.
    fn next_offset(&self) -> Option<i64> {
        match self.next_data() {
            None => self.dictionary(),
            Some(number) => Some(self.locations().get(number)?.offset),
        }
    }

    fn read(&mut self) -> Result<Option<Page>> {
        let (reader, at) = match &mut self.opened {
            Some(opened) => opened,
            none => none.insert((self.group.open(self.column)?, 0)),
        };
        while *at < self.next {
            reader.skip_next_page()?;
            *at += 1;
        }
        *at += 1;
        reader.get_next_page()
    }
}

impl PageReader for Chunk {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(offset) = self.next_offset() else { return Ok(None) };
        let place = (self.group.file, offset);
        let mut page = self.group.pages.get(&place);
        if page.is_none() {
            page = self.read()?;
            if let Some(page) = &page {
                self.group.pages.put(place, page.clone(), page.buffer().len() + PAGE_BYTES);
            }
        }
        self.next += 1;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let Some(number) = self.next_data() else {
            return Ok(Some(PageMetadata { num_rows: None, num_levels: None, is_dict: true }));
        };
        let Some(page) = self.locations().get(number) else { return Ok(None) };
        let end = match self.locations().get(number + 1) {
            Some(next) => next.first_row_index,
            None => self.group.row_group().num_rows(),
        };
        let rows = end.checked_sub(page.first_row_index).and_then(|rows| usize::try_from(rows).ok());
        match rows {
            Some(rows) => Ok(Some(PageMetadata { num_rows: Some(rows), num_levels: None, is_dict: false })),
            None => Err(ParquetError::General("pages overlap".to_owned())),
        }
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.next += 1;
        Ok(())
    }

    /// Pages that can be found by row begin with one.
    fn at_record_boundary(&mut self) -> Result<bool> {
        Ok(true)
    }
}

impl Iterator for Chunk {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
