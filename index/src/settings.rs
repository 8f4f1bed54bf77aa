//! Every limit of the index, with its reason.

/// How the index is built and searched. Plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Records in a split. Half a million keep the manifest of a billion records
    /// at 2,000 splits.
    pub split_docs_max: u64,
    /// Records that are built into one split at once, which takes about a kilobyte of
    /// memory each; joining splits takes less. Two full batches of messages.
    pub build_docs_max: u64,
    /// Bytes of Parquet that go into one split, when its records are large, and
    /// bytes of small splits that are merged into one. A single file that is
    /// larger still becomes one split.
    pub split_bytes_max: u64,
    /// A split with fewer records is small: it is merged with its neighbours
    /// once there are many. More than are built at once, or splits that were built from a
    /// backlog would stay as they are.
    pub small_docs: u64,
    /// How many small splits may stand in a row. Each costs a search about a
    /// tenth of a millisecond; merging sooner writes each record more often.
    pub small_run_max: usize,
    /// Manifests that are kept, the current one included. A search that goes on
    /// from a page needs the manifest that the page was made from.
    pub manifests_kept: usize,
    /// Splits that a searcher keeps open; each is a mapping and a few megabytes.
    pub splits_open_max: usize,
    /// About how many matches that may have other deliveries are held in memory
    /// at once, 16 bytes each, and as much again to tell them from the rest. Where
    /// there are more, the matches are gone through again for each further part of
    /// them, so that totals stay exact and memory bounded. All matches take a bit
    /// for each record searched.
    pub matches_held_max: usize,
    /// Bytes that a searcher takes to remember what the documents of its splits name, some 8 to 12
    /// for each document: facets that are asked for again are counted from it. Where it would take
    /// more nothing is remembered, and they take longer.
    pub facets_bytes_max: usize,
    /// Bytes that a searcher takes to remember the words of its splits, about 10 for each record: who
    /// searches for an ending has to look at all of them. Of splits without room the dictionaries are
    /// walked through, which takes some twenty times as long.
    pub words_bytes_max: usize,
    /// Threads of one search. Its answer does not depend on them.
    pub search_threads: usize,
    /// Records searched that are worth a thread: fewer are done before it has
    /// begun.
    pub thread_docs_min: u64,
    /// How long a search may take, milliseconds. Who waits longer has asked for
    /// more than can be read, and others wait too.
    pub search_ms_max: u64,
    /// Hits on one page.
    pub page_hits_max: usize,
    /// Characters of a snippet.
    pub snippet_chars: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            split_docs_max: 500_000,
            build_docs_max: 60_000,
            split_bytes_max: 256 << 20,
            small_docs: 125_000,
            small_run_max: 32,
            manifests_kept: 10,
            splits_open_max: 256,
            matches_held_max: 4_000_000,
            facets_bytes_max: 256 << 20,
            words_bytes_max: 256 << 20,
            search_threads: std::thread::available_parallelism().map_or(1, usize::from),
            thread_docs_min: 50_000,
            search_ms_max: 60_000,
            page_hits_max: 1_000,
            snippet_chars: 160,
        }
    }
}
