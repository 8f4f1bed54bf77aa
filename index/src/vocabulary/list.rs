//! The words of a split in the order of its dictionary, one behind another.

use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use tantivy::termdict::TermOrdinal;

use crate::expand::is_word;
use crate::query::Glob;
use crate::stop::Walk;

/// Stands before and behind each word. Where something is looked for, its rarest byte is looked for
/// first, and of all bytes of texts this is the most frequent.
const BETWEEN: u8 = b' ';

/// Words from one known place to the next; few where tests have few.
const BLOCK: usize = if cfg!(test) { 2 } else { 64 };

/// Bytes that are looked through before a search asks whether it may go on: some 20 µs.
const STEP_BYTES: usize = if cfg!(test) { 8 } else { 256 << 10 };

/// The words of a dictionary, without the terms that stand beside them.
pub(crate) struct List {
    text: Vec<u8>,
    /// Where every [`BLOCK`]th word begins.
    blocks: Vec<u32>,
}

/// A list, before all words are in it.
pub(super) struct Making {
    list: List,
    terms: usize,
    words: usize,
}

impl Making {
    pub(super) fn with_room(bytes: usize) -> Making {
        let mut text = Vec::with_capacity(bytes.max(1));
        text.push(BETWEEN);
        Making { list: List { text, blocks: Vec::new() }, terms: 0, words: 0 }
    }

    /// What all will take with one more.
    pub(super) fn bytes_with(&self, term: &[u8]) -> usize {
        self.list.bytes() + term.len() + 1 + size_of::<u32>()
    }

    pub(super) fn make_room(&mut self, bytes: usize) {
        self.list.text.reserve_exact(bytes.saturating_sub(self.list.text.len()));
    }

    /// Adds the term at a place of the dictionary; whether it could.
    pub(super) fn add(&mut self, ord: TermOrdinal, term: &[u8]) -> bool {
        let list = &mut self.list;
        if ord != self.terms as TermOrdinal || term.is_empty() || memchr(BETWEEN, term).is_some() {
            return false;
        }
        self.terms += 1;
        if !is_word(term) {
            return true;
        }
        if self.words.is_multiple_of(BLOCK) {
            let Ok(begin) = u32::try_from(list.text.len()) else { return false };
            list.blocks.push(begin);
        }
        self.words += 1;
        list.text.extend_from_slice(term);
        list.text.push(BETWEEN);
        true
    }

    /// The list, and how many terms it is of.
    pub(super) fn made(mut self) -> (List, usize) {
        self.list.text.shrink_to_fit();
        self.list.blocks.shrink_to_fit();
        (self.list, self.terms)
    }
}

impl List {
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.blocks.len() * size_of::<u32>()
    }

    /// Hands over the words of a form in order, as long as `each` wants more; whether it did to the end.
    ///
    /// # Errors
    ///
    /// When the search has to give up.
    pub(crate) fn like(
        &self,
        form: &Glob,
        walk: &mut Walk<'_>,
        mut each: impl FnMut(&str) -> bool,
    ) -> tantivy::Result<bool> {
        let last = [form.suffix().as_bytes(), &[BETWEEN]].concat();
        let parts = form.parts().skip(1).map(str::as_bytes).chain([&last[..]]);
        let longest = parts.max_by_key(|part| part.len()).unwrap_or(&last);
        self.with(form.prefix(), longest, walk, |word| !form.matches(word) || each(word))
    }

    /// The same for all words that begin with `start`.
    ///
    /// # Errors
    ///
    /// When the search has to give up.
    pub(crate) fn starting(
        &self,
        start: &str,
        walk: &mut Walk<'_>,
        mut each: impl FnMut(&str) -> bool,
    ) -> tantivy::Result<bool> {
        self.with(start, &[BETWEEN], walk, |word| !word.starts_with(start) || each(word))
    }

    /// Hands over at least the words that begin with `start` and have `part`, or end before it.
    fn with(
        &self,
        start: &str,
        part: &[u8],
        walk: &mut Walk<'_>,
        mut each: impl FnMut(&str) -> bool,
    ) -> tantivy::Result<bool> {
        let finder = Finder::new(part);
        let Range { start: mut from, end } = self.about(start.as_bytes());
        while from < end {
            walk.stop().check_within()?;
            let to = self.end_of_word(end.min(from + STEP_BYTES) - 1) + 1;
            while let Some(at) = finder.find(&self.text[from..to]) {
                walk.step()?;
                let word = self.begin_of_word(from + at)..self.end_of_word(from + at);
                from = word.end + 1;
                if str::from_utf8(&self.text[word]).is_ok_and(|word| !each(word)) {
                    return Ok(false);
                }
            }
            from = to;
        }
        Ok(true)
    }

    fn begin_of_word(&self, at: usize) -> usize {
        memrchr(BETWEEN, &self.text[..at]).map_or(0, |before| before + 1)
    }

    /// Where what stands behind a word is.
    fn end_of_word(&self, at: usize) -> usize {
        memchr(BETWEEN, &self.text[at..]).map_or(self.text.len(), |behind| at + behind)
    }

    /// The words that begin so, and some around them.
    fn about(&self, start: &[u8]) -> Range<usize> {
        let first = |begin: u32| &self.text[begin as usize..self.end_of_word(begin as usize)];
        let not_behind = |word: &[u8]| word[..word.len().min(start.len())] <= *start;
        let before = self.blocks.partition_point(|begin| first(*begin) < start);
        let behind = self.blocks.partition_point(|begin| not_behind(first(*begin)));
        let begin = |block: usize| self.blocks.get(block).map_or(self.text.len(), |begin| *begin as usize);
        begin(before.saturating_sub(1))..begin(behind)
    }
}
