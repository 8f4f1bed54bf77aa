//! Single rows of files: what was read of a file last is remembered, its end and pages of it, as many
//! bytes as [`ReadSettings`] allow. A file's name holds its hash: what it says stays the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::errors::Result;
use parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use crate::groups::Input;
use crate::page::{Pages, Places, RowReader};
use crate::remembered::Remembered;

/// How much an [`Archive`](crate::Archive) remembers of what it read, for all its clones together.
/// Plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSettings {
    /// Bytes of what the ends of files say: where pages are. A row group, which is a batch or some batches
    /// that were compacted, takes 40 for each column and 16 for each page. For all to stay there must be
    /// room for twice as many.
    pub ends_bytes_max: usize,
    /// Bytes of pages, without compression. A record takes one of each column that it needs, a few
    /// hundred thousand bytes together, of which its neighbours take the same.
    pub pages_bytes_max: usize,
}

impl Default for ReadSettings {
    fn default() -> Self {
        ReadSettings { ends_bytes_max: 64 << 20, pages_bytes_max: 128 << 20 }
    }
}

/// What the end of a file says that is needed to read single rows of it.
pub(crate) struct End {
    /// Before which row of the file each row group ends.
    groups: Vec<u64>,
    /// Where the pages are; `None` where the file is not written as this archive writes.
    pub(crate) places: Option<Places>,
    /// Of the readings of ends this one. When a file is forgotten so are its pages, by another number.
    pub(crate) number: u64,
}

impl End {
    fn of(metadata: &ParquetMetaData, number: u64) -> End {
        let groups = metadata.row_groups().iter().scan(0, |end: &mut u64, group| {
            *end = end.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0));
            Some(*end)
        });
        End { groups: groups.collect(), places: Places::of(metadata), number }
    }

    /// How many row groups.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many rows a row group has.
    pub(crate) fn rows_in(&self, group: usize) -> u64 {
        let before = group.checked_sub(1).and_then(|before| self.groups.get(before));
        self.groups.get(group).map_or(0, |end| end - before.copied().unwrap_or(0))
    }

    /// Rows of the file, ascending, by row group: its number, and theirs in it.
    pub(crate) fn by_group(&self, rows: impl Iterator<Item = u64>) -> Vec<(usize, Vec<u64>)> {
        let mut by_group: Vec<(usize, Vec<u64>)> = Vec::new();
        for row in rows {
            let group = self.groups.partition_point(|end| *end <= row);
            if group == self.groups.len() {
                break;
            }
            let start = group.checked_sub(1).map_or(0, |before| self.groups[before]);
            match by_group.last_mut() {
                Some((last, rows)) if *last == group => rows.push(row - start),
                _ => by_group.push((group, vec![row - start])),
            }
        }
        by_group
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.len() * size_of::<u64>() + self.places.as_ref().map_or(0, Places::bytes)
    }
}

/// What is remembered of files.
pub(crate) struct Scattered {
    ends: Remembered<String, Arc<End>>,
    /// What the `parquet` crate needs to read some rows of many.
    whole: Remembered<String, Arc<ParquetMetaData>>,
    pages: Pages,
    numbers: AtomicU64,
}

/// Of what there is for ends this part is for whole ones.
const WHOLE_ENDS: usize = 4;

impl Scattered {
    pub(crate) fn new(settings: &ReadSettings) -> Self {
        let whole = settings.ends_bytes_max / WHOLE_ENDS;
        Scattered {
            ends: Remembered::new(settings.ends_bytes_max - whole),
            whole: Remembered::new(whole),
            pages: Remembered::new(settings.pages_bytes_max),
            numbers: AtomicU64::new(0),
        }
    }

    /// Where the rows of a file are.
    pub(crate) fn end(&self, path: &str, input: &Input) -> Result<Arc<End>> {
        if let Some(end) = self.ends.get(&path.to_owned()) {
            return Ok(end);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let end = Arc::new(End::of(&*self.whole(path, input)?, number));
        self.ends.put(path.to_owned(), end.clone(), end.bytes());
        Ok(end)
    }

    /// What the end of a file says of its rows.
    pub(crate) fn whole(&self, path: &str, input: &Input) -> Result<Arc<ParquetMetaData>> {
        if let Some(whole) = self.whole.get(&path.to_owned()) {
            return Ok(whole);
        }
        let whole = Arc::new(metadata(input)?);
        self.whole.put(path.to_owned(), whole.clone(), whole.memory_size());
        Ok(whole)
    }

    /// For when it was damaged: it may have been read wrong.
    pub(crate) fn forget(&self, path: &str) {
        self.ends.forget(&path.to_owned());
        self.whole.forget(&path.to_owned());
    }

    /// Reads single rows; `None` where the file is not written as this archive writes.
    pub(crate) fn rows<'f>(&'f self, end: &'f End, input: &'f Input) -> Option<RowReader<'f>> {
        RowReader::new(end, input, &self.pages)
    }
}

/// The end of a file without statistics and records of batches: they are most of it.
fn metadata(input: &Input) -> Result<ParquetMetaData> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let read = ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(input)?;
    let file = read.file_metadata();
    let schema = file.schema_descr_ptr();
    let file = FileMetaData::new(file.version(), file.num_rows(), None, None, schema, None);
    let mut parts = read.into_builder();
    Ok(ParquetMetaDataBuilder::new(file)
        .set_row_groups(parts.take_row_groups())
        .set_offset_index(parts.take_offset_index())
        .build())
}

/// Rows, ascending, as runs to skip and to take.
pub(crate) fn select(rows: &[u64]) -> RowSelection {
    let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    let mut selectors = Vec::new();
    let mut next = 0;
    for row in rows {
        if *row > next {
            selectors.push(RowSelector::skip(count(row - next)));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
}
