//! What is asked of a searcher and what it answers.

use std::sync::Arc;

use custody_archive::FileRef;

use super::facets::{FacetRequest, Facets};
use super::order::{Cursor, Order};
use super::run::Cancel;
use crate::query::Query;
use crate::text::{Highlights, Snippet};

/// One search.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is looked for.
    pub query: Query,
    /// What comes first.
    pub order: Order,
    /// Hits on the page, at most [`Settings::page_hits_max`](crate::Settings::page_hits_max). None is a count.
    pub limit: usize,
    /// The page before this one. It fixes the version, so that pages neither
    /// overlap nor leave anything out while the archive grows.
    pub after: Option<Cursor>,
    /// Search the archive as it was at this version; as it is when absent.
    pub at_version: Option<u64>,
    /// Milliseconds that it may take, when less than [`Settings::search_ms_max`](crate::Settings::search_ms_max).
    pub ms_max: Option<u64>,
    /// Ends it from another thread.
    pub cancel: Option<Cancel>,
    /// Count what the answer consists of, too.
    pub facets: Option<FacetRequest>,
}

impl Request {
    /// The first page of what is there now.
    pub fn new(query: Query, order: Order, limit: usize) -> Request {
        Request {
            query,
            order,
            limit,
            after: None,
            at_version: None,
            ms_max: None,
            cancel: None,
            facets: None,
        }
    }
}

/// One page of what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<R> {
    /// The answer is complete through this archive version.
    pub through_version: u64,
    /// Events that match, exactly; several deliveries of one event count once.
    pub total: u64,
    /// Records that match, every delivery counted.
    pub copies: u64,
    /// The page.
    pub hits: Vec<Hit<R>>,
    /// Goes on after the page; `None` when it was the last.
    pub next: Option<Cursor>,
    /// What all that matches consists of, when it was asked for.
    pub facets: Option<Facets>,
    /// Splits that were searched.
    pub splits_opened: usize,
    /// Splits that could not hold a match and were not searched.
    pub splits_pruned: usize,
}

/// One event that was found: the first of its records.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<R> {
    /// From the archive, proved unaltered.
    pub record: R,
    /// The archive version that added it.
    pub version: u64,
    /// BM25; zero unless ordered by relevance.
    pub score: f32,
    /// How many matching records are deliveries of this event, at least one.
    pub copies: u64,
    /// All that was said and done to its message, when that was edited or deleted.
    pub versions: Versions<R>,
    /// Why it was found.
    pub snippet: Snippet,
    /// Where the record has what was asked for.
    pub highlights: Highlights,
}

/// The versions of a message: what was sent, edits, deletions; each once, however often it was
/// delivered. None when nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Versions<R> {
    /// Oldest first by the times they tell, whatever was searched; the first and the last ones where
    /// there are more than 20. The hit's own is among them.
    pub records: Vec<Arc<R>>,
    /// How many stand between the first and the second of these and were left out.
    pub left_out: u64,
}

impl<R> Default for Versions<R> {
    fn default() -> Self {
        Versions { records: Vec::new(), left_out: 0 }
    }
}

/// How an answer was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explained {
    /// Splits with matches whose times showed, before anything of them was
    /// read, that none gets onto the page: they were only counted.
    pub splits_only_counted: usize,
    /// Time to find and open the splits, and to look up what was edited, deleted or delivered again,
    /// microseconds.
    pub open_us: u64,
    /// Time to find all matches and tell deliveries apart, microseconds.
    pub match_us: u64,
    /// Time to pick the page, microseconds.
    pub pick_us: u64,
    /// Time to count the facets, microseconds.
    pub facets_us: u64,
    /// Time to read the page's records from the archive, microseconds.
    pub fetch_us: u64,
}

/// How much a query finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The count is complete through this archive version.
    pub through_version: u64,
    /// Events, several deliveries of one counted once.
    pub total: u64,
    /// Records, every delivery counted.
    pub copies: u64,
}

/// Everything that a query finds, as rows of the archive's batches.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Complete through this archive version.
    pub through_version: u64,
    /// Records that match, every delivery counted.
    pub copies: u64,
    /// The batches that hold the rows and where each is, in order of version.
    pub files: Vec<FileRef>,
    /// The first record of each event, in order of file and row; context among them, if it was asked for.
    pub rows: Vec<FoundRow>,
}

/// One row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRow {
    /// Index into [`Found::files`].
    pub file: usize,
    /// The row in the batch.
    pub row: u64,
    /// When it happened, milliseconds since 1970 UTC.
    pub time_ms: Option<i64>,
    /// How many matching records are deliveries of this event; 1 for context.
    pub copies: u64,
    /// It does not match: it stands near what does.
    pub is_context: bool,
}
