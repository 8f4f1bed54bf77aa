//! Which terms of a split stand for a party that has a form: an address, a domain, a word of a name.
//!
//! A record has one term for each party, its [key](crate::party). This part of the split leads from
//! everything that a party is found by to the keys, and domains, that have it. It follows from the
//! dictionaries of the four fields of parties alone, so that joining gives what building gives.
//!
//! The bytes: a map (a transducer, as Tantivy's own dictionaries are) from each form to where its list
//! begins; the lists; the length of the lists as 8 bytes little-endian. A list is numbers that ascend,
//! `ordinal × 4 + field`, each as the difference from the one before, times two, plus one if it is the
//! last; in bytes of seven bits, the lowest first, the high bit set where more follow. Nothing is read
//! before it is asked for.

use std::borrow::Borrow;

use tantivy::HasLen;
use tantivy::directory::{FileSlice, OwnedBytes};
use tantivy::index::SegmentReader;
use tantivy::termdict::{TermDictionary, TermMerger};
use tantivy_fst::raw::Fst;
use tantivy_fst::{IntoStreamer, Map, Streamer};

use super::fst::FstBuilder;
use crate::error::{Error, Kind};
use crate::party::PartyTerm;
use crate::query::Glob;
use crate::schema::{Fields, is_hashed};
use crate::stop::{Stop, Walk};

/// Its name among the parts of a split.
pub(super) const FORMS: &str = "forms";

const TAIL_BYTES: usize = 8;
/// Bits of the field in a number.
const FIELD_BITS: u32 = 2;

/// A term of one of the fields of parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    /// Which of [`Fields::parties`].
    pub(crate) field: usize,
    /// Where it stands in the field's dictionary.
    pub(crate) ord: u64,
}

/// The forms of a split.
pub(crate) struct Forms {
    shown: String,
    map: Map<OwnedBytes>,
    lists: OwnedBytes,
    /// Terms of each field.
    terms: [u64; 4],
}

impl Forms {
    pub(super) fn open(shown: &str, data: &FileSlice, segment: &SegmentReader) -> Result<Forms, Error> {
        let damaged = || Error::corrupt(format!("the forms of {shown} cannot be read"));
        let read = |data: FileSlice| {
            data.read_bytes().map_err(|e| Error::with(Kind::Retry, format!("cannot read {shown}"), e))
        };
        let before_tail = data.len().checked_sub(TAIL_BYTES).ok_or_else(damaged)?;
        let tail = read(data.slice_from(before_tail))?;
        let length = tail.as_slice().try_into().map(u64::from_le_bytes).map_err(|_| damaged())?;
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let start = before_tail.checked_sub(length).ok_or_else(damaged)?;
        let map = Fst::new(read(data.slice_to(start))?).map_err(|_| damaged())?;
        let mut terms = [0; 4];
        for (count, field) in terms.iter_mut().zip(Fields::new().parties()) {
            let index = segment.inverted_index(field);
            let index = index.map_err(|e| Error::tantivy(&format!("cannot open {shown}"), e))?;
            *count = index.terms().num_terms() as u64;
        }
        let lists = read(data.slice(start..before_tail))?;
        Ok(Forms { shown: shown.to_owned(), map: Map::from(map), lists, terms })
    }

    /// The terms that have a form, in order.
    ///
    /// # Errors
    ///
    /// `Corrupt` when what it leads to is not there.
    pub(crate) fn exact(&self, form: &str) -> Result<Vec<Known>, Error> {
        let mut out = Vec::new();
        if let Some(at) = self.map.get(form) {
            self.list(at, &mut out)?;
        }
        Ok(out)
    }

    /// The terms that have a form of this pattern, none twice.
    ///
    /// # Errors
    ///
    /// `Corrupt` when what it leads to is not there, `Stopped` when the search has to give up.
    pub(crate) fn like(&self, pattern: &Glob, stop: &Stop) -> Result<Vec<Known>, Error> {
        let prefix = pattern.prefix();
        let mut found = self.map.range().ge(prefix).into_stream();
        let (mut out, mut tidy_at, mut walk) = (Vec::new(), TIDY_MIN, Walk::new(stop));
        // Of damaged bytes there may be more than were written.
        for _ in 0..self.map.len() {
            walk.step().map_err(|e| Error::tantivy("cannot go through the forms of parties", e))?;
            let Some((form, at)) = found.next() else { break };
            let form = str::from_utf8(form).map_err(|_| self.damaged())?;
            if !form.starts_with(prefix) {
                break;
            }
            // Of what is too long to be a term of a field only the hash could be known.
            if is_hashed(form) || !pattern.matches(form) {
                continue;
            }
            self.list(at, &mut out)?;
            // A party has many forms: what is held are its terms, not their number times that.
            if out.len() > tidy_at {
                tidy(&mut out);
                tidy_at = TIDY_MIN.max(out.len().saturating_mul(2));
            }
        }
        tidy(&mut out);
        Ok(out)
    }

    fn list(&self, at: u64, out: &mut Vec<Known>) -> Result<(), Error> {
        let at = usize::try_from(at).map_err(|_| self.damaged())?;
        let mut rest = self.lists.get(at..).ok_or_else(|| self.damaged())?;
        let mut number = 0_u64;
        loop {
            let step = take(&mut rest).ok_or_else(|| self.damaged())?;
            number = number.checked_add(step >> 1).ok_or_else(|| self.damaged())?;
            let known = Known { field: (number & 3) as usize, ord: number >> FIELD_BITS };
            if known.ord >= self.terms[known.field] {
                return Err(self.damaged());
            }
            out.push(known);
            if step & 1 == 1 {
                return Ok(());
            }
        }
    }

    fn damaged(&self) -> Error {
        Error::corrupt(format!("the forms of {} lead to terms that are not there", self.shown))
    }
}

/// So many terms are held before they are looked through for those that are there twice.
const TIDY_MIN: usize = if cfg!(test) { 4 } else { 65_536 };

fn tidy(all: &mut Vec<Known>) {
    all.sort_unstable();
    all.dedup();
}

/// A number in bytes of seven bits.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The forms of a segment, from the dictionaries of [`Fields::parties`], as the part of its split.
pub(super) fn forms_of<D: Borrow<TermDictionary>>(dictionaries: &[D]) -> Result<Vec<u8>, Error> {
    let failed = |e| Error::with(Kind::Retry, "cannot read the parties of a split", e);
    let streams = dictionaries.iter().map(|dictionary| dictionary.borrow().stream());
    let mut merger = TermMerger::new(streams.collect::<Result<_, _>>().map_err(failed)?);
    let mut gathered = Gathered::default();
    while merger.advance() {
        let places = merger.matching_segments().map(|(field, ord)| (ord, field as u64));
        gathered.term(merger.key(), places)?;
    }
    gathered.written()
}

/// Forms and the terms that have them, before they are in order. What is in several fields, or is a
/// form of several parties, stands here as often: about 100 bytes for each party of the split.
#[derive(Default)]
pub(super) struct Gathered {
    /// The forms, one after another.
    text: Vec<u8>,
    /// The numbers of each term: where they end.
    numbers: Vec<u64>,
    /// Where a form is in `text`, and the range of its term's numbers.
    forms: Vec<Form>,
}

struct Form {
    start: usize,
    len: usize,
    numbers: (usize, usize),
}

impl Gathered {
    /// Takes up a term of parties: where it stands in the dictionaries of which fields.
    pub(super) fn term(
        &mut self,
        term: &[u8],
        places: impl Iterator<Item = (u64, u64)>,
    ) -> Result<(), Error> {
        let first = self.numbers.len();
        self.numbers.extend(places.map(|(ord, field)| ord << FIELD_BITS | field));
        self.numbers[first..].sort_unstable();
        let numbers = (first, self.numbers.len());
        let (text, forms) = (&mut self.text, &mut self.forms);
        let mut add = |form: &str| {
            forms.push(Form { start: text.len(), len: form.len(), numbers });
            text.extend_from_slice(form.as_bytes());
        };
        match PartyTerm::of(term) {
            Some(PartyTerm::Key(key)) => key.forms(&mut add),
            Some(PartyTerm::Domain(_)) => add(str::from_utf8(term).unwrap_or_default()),
            None if PartyTerm::is_mark(term) => {}
            None => return Err(Error::corrupt("a term of a party is neither its key nor a domain")),
        }
        Ok(())
    }

    pub(super) fn written(mut self) -> Result<Vec<u8>, Error> {
        let failed = |e| Error::with(Kind::Corrupt, "cannot write the forms of a split", e);
        let text = &self.text;
        let of = |form: &Form| &text[form.start..form.start + form.len];
        self.forms.sort_unstable_by(|one, other| of(one).cmp(of(other)));
        let mut map = FstBuilder::new();
        let (mut lists, mut numbers) = (Vec::new(), Vec::new());
        for same in self.forms.chunk_by(|one, other| of(one) == of(other)) {
            numbers.clear();
            for Form { numbers: (from, to), .. } in same {
                numbers.extend_from_slice(&self.numbers[*from..*to]);
            }
            numbers.sort_unstable();
            numbers.dedup();
            map.insert(of(&same[0]), lists.len() as u64).map_err(failed)?;
            let mut before = 0;
            for (at, number) in numbers.iter().enumerate() {
                put((number - before) << 1 | u64::from(at + 1 == numbers.len()), &mut lists);
                before = *number;
            }
        }
        let mut bytes = map.finish().map_err(failed)?;
        bytes.extend_from_slice(&lists);
        bytes.extend_from_slice(&(lists.len() as u64).to_le_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "forms_tests.rs"]
mod tests;
