//! Single rows of files: what was read of a file last is remembered, its end and pages of it, as many
//! bytes as [`ReadSettings`] allow. A file's name holds its hash: what it says stays the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::errors::Result;
use parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};

use crate::groups::Input;
use crate::page::{Layout, Pages, RowReader};
use crate::remembered::Remembered;

/// How much an [`Archive`](crate::Archive) remembers of what it read, for all its clones together.
/// Plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSettings {
    /// Bytes of what the ends of files say: where pages are. A file of one batch takes some ten
    /// thousand, a compacted one some megabytes. For all to stay there must be room for twice as many.
    pub ends_bytes_max: usize,
    /// Bytes of pages, without compression. A record takes one of each column that it needs, a few
    /// hundred thousand bytes together, of which its neighbours take the same.
    pub pages_bytes_max: usize,
}

impl Default for ReadSettings {
    fn default() -> Self {
        ReadSettings { ends_bytes_max: 128 << 20, pages_bytes_max: 64 << 20 }
    }
}

/// What the end of a file says that is needed to read single rows of it.
pub(crate) struct End {
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// Which columns records need; `None` where the file is not written as this archive writes.
    pub(crate) layout: Option<Layout>,
    /// Of the readings of ends this one. When a file is forgotten so are its pages, by another number.
    pub(crate) number: u64,
}

/// What is remembered of files.
pub(crate) struct Scattered {
    ends: Remembered<String, Arc<End>>,
    pages: Pages,
    numbers: AtomicU64,
}

impl Scattered {
    pub(crate) fn new(settings: &ReadSettings) -> Self {
        Scattered {
            ends: Remembered::new(settings.ends_bytes_max),
            pages: Remembered::new(settings.pages_bytes_max),
            numbers: AtomicU64::new(0),
        }
    }

    /// What the end of a file says.
    pub(crate) fn end(&self, path: &str, input: &Input) -> Result<Arc<End>> {
        if let Some(end) = self.ends.get(&path.to_owned()) {
            return Ok(end);
        }
        let metadata = Arc::new(metadata(input)?);
        let layout = Layout::of(metadata.file_metadata().schema_descr());
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let bytes = metadata.memory_size() + layout.as_ref().map_or(0, Layout::bytes);
        let end = Arc::new(End { metadata, layout, number });
        self.ends.put(path.to_owned(), end.clone(), bytes);
        Ok(end)
    }

    /// For when it was damaged: it may have been read wrong.
    pub(crate) fn forget(&self, path: &str) {
        self.ends.forget(&path.to_owned());
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

/// Rows of a file, ascending, by row group: its number, and theirs in it.
pub(crate) fn by_group(
    groups: &[RowGroupMetaData],
    rows: impl Iterator<Item = u64>,
) -> Vec<(usize, Vec<u64>)> {
    let mut by_group: Vec<(usize, Vec<u64>)> = Vec::new();
    let ends = groups.iter().scan(0, |end: &mut u64, group| {
        *end += u64::try_from(group.num_rows()).unwrap_or(0);
        Some(*end)
    });
    let mut ends = ends.enumerate();
    let (mut current, mut start) = (ends.next(), 0);
    for row in rows {
        while let Some((_, end)) = current.filter(|(_, end)| row >= *end) {
            start = end;
            current = ends.next();
        }
        let Some((group, _)) = current else { break };
        match by_group.last_mut() {
            Some((last, rows)) if *last == group => rows.push(row - start),
            _ => by_group.push((group, vec![row - start])),
        }
    }
    by_group
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
