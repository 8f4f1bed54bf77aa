//! What stands before what, and pages.

use std::collections::{BTreeSet, BinaryHeap};
use std::fmt;
use std::sync::Arc;

use custody_schemas::{Hash, Partition};
use serde::{Deserialize, Serialize};

use super::groups::GroupBy;
use crate::error::Error;
use crate::query::Query;
use crate::split::OpenSplit;

/// What comes first. Ties are in order of position, so every order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By time, the latest first; what has no time comes last.
    Newest,
    /// By time, the earliest first; what has no time comes last.
    Oldest,
    /// By BM25 of the words and phrases, then as `Newest`.
    Relevance,
    /// By topic, generation, partition and offset.
    Position,
}

/// Sorts as the hits do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SortKey {
    pub(super) by: [By; 2],
    place: Place,
}

/// An event that was found: its first delivery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct First {
    pub(super) split: usize,
    pub(super) doc: u32,
    /// Zero unless ordered by relevance.
    pub(super) score: f32,
}

/// A value to sort by; what is absent comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct By {
    absent: bool,
    value: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Among the partitions of this search.
    partition: usize,
    from: i64,
    nth: u32,
}

const NONE: By = By { absent: false, value: 0 };

fn ascending(value: Option<i64>) -> By {
    By { absent: value.is_none(), value: value.unwrap_or(0) }
}

fn descending(value: Option<i64>) -> By {
    // `!` turns the order round and overflows nowhere.
    ascending(value.map(|value| !value))
}

impl Order {
    /// What an event sorts by before its place.
    pub(super) fn by(self, time_ms: Option<i64>, score: f32) -> [By; 2] {
        match self {
            Order::Newest => [descending(time_ms), NONE],
            Order::Oldest => [ascending(time_ms), NONE],
            // Scores are never negative: their bits are in the same order.
            Order::Relevance => [descending(Some(i64::from(score.max(0.0).to_bits()))), descending(time_ms)],
            Order::Position => [NONE, NONE],
        }
    }

    /// Nothing of the split sorts before this.
    pub(super) fn best_of(self, split: &OpenSplit) -> [By; 2] {
        match self {
            Order::Newest => [descending(split.footer.time_ms_max), NONE],
            Order::Oldest => [ascending(split.footer.time_ms_min), NONE],
            Order::Relevance | Order::Position => [By { absent: false, value: i64::MIN }; 2],
        }
    }
}

/// The partitions of a search in order.
pub(super) struct Ranks(Vec<Partition>);

impl Ranks {
    pub(super) fn new(splits: &[Arc<OpenSplit>], page: Option<&Page>) -> Ranks {
        let partitions = splits.iter().flat_map(|split| split.partitions());
        let all: BTreeSet<&Partition> = partitions.chain(page.map(|page| &page.partition)).collect();
        Ranks(all.into_iter().cloned().collect())
    }

    fn rank(&self, partition: &Partition) -> usize {
        self.0.binary_search(partition).unwrap_or_else(|at| at)
    }

    pub(super) fn key(&self, by: [By; 2], split: &OpenSplit, doc: u32) -> SortKey {
        let place = split.place(doc).map_or(Place { partition: 0, from: 0, nth: doc }, |place| Place {
            partition: self.rank(place.partition),
            from: place.from,
            nth: place.nth,
        });
        SortKey { by, place }
    }

    /// The key of the last hit on the page.
    pub(super) fn key_of(&self, page: &Page) -> SortKey {
        let place = Place { partition: self.rank(&page.partition), from: page.from, nth: page.nth };
        SortKey { by: page.by, place }
    }
}

/// The first few of many, after a page.
pub(super) struct Top {
    limit: usize,
    after: Option<SortKey>,
    /// The last of them on top.
    heap: BinaryHeap<Entry>,
    more: bool,
}

struct Entry(SortKey, First);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Top {
    pub(super) fn new(limit: usize, after: Option<SortKey>) -> Top {
        Top { limit, after, heap: BinaryHeap::new(), more: false }
    }

    pub(super) fn offer(&mut self, key: SortKey, first: First) {
        if self.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(Entry(key, first));
            return;
        }
        self.more = true;
        if let Some(mut last) = self.heap.peek_mut()
            && key < last.0
        {
            *last = Entry(key, first);
        }
    }

    /// The last hit, when the page is full: nothing behind it gets onto the page.
    pub(super) fn last(&self) -> Option<&SortKey> {
        self.heap.peek().map(|Entry(key, _)| key).filter(|_| self.heap.len() == self.limit)
    }

    /// There is something behind the last hit of a full page.
    pub(super) fn leave_out(&mut self) {
        self.more = true;
    }

    /// Takes in what another found among other documents.
    pub(super) fn merge(&mut self, other: Top) {
        self.more |= other.more;
        for Entry(key, first) in other.heap {
            self.offer(key, first);
        }
    }

    /// In order, and whether there are more behind them.
    pub(super) fn finish(self) -> (Vec<(SortKey, First)>, bool) {
        let entries = self.heap.into_sorted_vec();
        (entries.into_iter().map(|Entry(key, first)| (key, first)).collect(), self.more)
    }
}

/// Where the next page begins: an opaque text of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

/// What a cursor says: the last hit of its page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    version: u32,
    /// Of the query and the order.
    search: Hash,
    pub(super) through_version: u64,
    /// Only where the order depends on how the index is cut: relevance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest_number: Option<u64>,
    by: [By; 2],
    partition: Partition,
    from: i64,
    nth: u32,
    /// The name of the last group on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
}

/// What pages are of.
pub(super) struct Asked<'q> {
    pub(super) query: &'q Query,
    pub(super) order: Order,
    pub(super) groups: Option<GroupBy>,
}

impl Asked<'_> {
    fn hash(&self) -> Hash {
        // A query of texts and numbers always serialises.
        let json = match self.groups {
            None => serde_json::to_vec(&(self.query, self.order)),
            Some(by) => serde_json::to_vec(&(self.query, self.order, by)),
        };
        Hash::of(&json.unwrap_or_default())
    }
}

const CURSOR_VERSION: u32 = 1;

impl Cursor {
    pub(super) fn new(
        asked: &Asked<'_>,
        through_version: u64,
        manifest_number: u64,
        key: &SortKey,
        group: Option<String>,
        ranks: &Ranks,
    ) -> Cursor {
        let none = || Partition { topic: String::new(), generation: 0, partition: 0 };
        let page = Page {
            version: CURSOR_VERSION,
            search: asked.hash(),
            through_version,
            manifest_number: (asked.order == Order::Relevance).then_some(manifest_number),
            by: key.by,
            partition: ranks.0.get(key.place.partition).cloned().unwrap_or_else(none),
            from: key.place.from,
            nth: key.place.nth,
            group,
        };
        let json = serde_json::to_vec(&page).unwrap_or_default();
        Cursor(json.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads a cursor that was made for this search.
    pub(super) fn read(&self, asked: &Asked<'_>) -> Result<Page, Error> {
        let bad = || Error::invalid("this is no page of a search");
        let digits: Option<Vec<u8>> =
            self.0.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(bad)?;
        let json: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect();
        let page: Page = serde_json::from_slice(&json).map_err(|_| bad())?;
        if page.version != CURSOR_VERSION {
            return Err(bad());
        }
        if page.search != asked.hash() {
            return Err(Error::invalid("this is a page of another search"));
        }
        Ok(page)
    }
}

impl From<String> for Cursor {
    fn from(text: String) -> Self {
        Cursor(text)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
