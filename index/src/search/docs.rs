//! A set of documents of one split: a list while they are few, then a bit for each document.

use crate::error::Error;

/// Documents that are handed out at once.
pub(super) const BLOCK: usize = 1_024;
/// Bits of a document in the list.
const LISTED_BITS: usize = 32;

/// Bits for each document that are worth it where many are asked for.
const ASKED_BITS: usize = 1_024;

/// Documents of a split, each once. Takes at most a bit for each document of the split.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Docs {
    /// All documents of the split.
    of: u32,
    len: u64,
    kept: Kept,
}

#[derive(Debug, Clone, PartialEq)]
enum Kept {
    /// Ascending.
    List(Vec<u32>),
    Bits(Vec<u64>),
}

impl Docs {
    /// None of the `of` documents.
    pub(super) fn none(of: u32) -> Docs {
        Docs { of, len: 0, kept: Kept::List(Vec::new()) }
    }

    /// The first `end` of the `of` documents.
    pub(super) fn up_to(end: u32, of: u32) -> Docs {
        let mut bits = vec![0_u64; (of as usize).div_ceil(64)];
        let (full, rest) = ((end / 64) as usize, end % 64);
        bits.iter_mut().take(full).for_each(|word| *word = u64::MAX);
        if let Some(word) = bits.get_mut(full) {
            *word = (1 << rest) - 1;
        }
        Docs { of, len: u64::from(end.min(of)), kept: Kept::Bits(bits) }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether these are all documents of the split.
    pub(super) fn is_all(&self) -> bool {
        self.len == u64::from(self.of)
    }

    /// All of them in order, where they are few.
    pub(super) fn few(&self) -> Option<&[u32]> {
        match &self.kept {
            Kept::List(list) => Some(list),
            Kept::Bits(_) => None,
        }
    }

    /// The same, made to be asked for one document after another: a list only where they are very
    /// few.
    pub(super) fn to_ask(&self) -> Docs {
        match &self.kept {
            Kept::List(list) if list.len() * ASKED_BITS > self.of as usize => {
                let mut bits = vec![0; (self.of as usize).div_ceil(64)];
                list.iter().for_each(|doc| set(&mut bits, *doc));
                Docs { of: self.of, len: self.len, kept: Kept::Bits(bits) }
            }
            _ => self.clone(),
        }
    }

    /// Adds documents that are not in it yet.
    pub(super) fn add(&mut self, docs: &[u32]) {
        self.len += docs.len() as u64;
        if let Kept::List(list) = &mut self.kept {
            if (list.len() + docs.len()) * LISTED_BITS <= self.of as usize {
                let ascends = docs.is_sorted() && list.last() < docs.first();
                list.extend_from_slice(docs);
                if !ascends {
                    list.sort_unstable();
                }
                return;
            }
            let mut bits = vec![0; (self.of as usize).div_ceil(64)];
            list.iter().for_each(|doc| set(&mut bits, *doc));
            self.kept = Kept::Bits(bits);
        }
        if let Kept::Bits(bits) = &mut self.kept {
            docs.iter().for_each(|doc| set(bits, *doc));
        }
    }

    /// Takes out documents that are in it.
    pub(super) fn remove(&mut self, out: &Docs) {
        if out.len == 0 {
            return;
        }
        self.len -= out.len;
        match (&mut self.kept, &out.kept) {
            (Kept::List(list), _) => list.retain(|doc| !out.contains(*doc)),
            (Kept::Bits(bits), Kept::Bits(out)) => {
                bits.iter_mut().zip(out).for_each(|(word, out)| *word &= !out);
            }
            (Kept::Bits(bits), Kept::List(out)) => {
                for doc in out {
                    if let Some(word) = bits.get_mut(*doc as usize / 64) {
                        *word &= !(1 << (doc % 64));
                    }
                }
            }
        }
    }

    /// Those that are in both.
    pub(super) fn and(&self, other: &Docs) -> Docs {
        let mut both = Docs::none(self.of);
        let (list, of) = match (&self.kept, &other.kept) {
            (Kept::List(list), _) => (list, other),
            (_, Kept::List(list)) => (list, self),
            (Kept::Bits(one), Kept::Bits(other)) => {
                let bits: Vec<u64> = one.iter().zip(other).map(|(one, other)| one & other).collect();
                both.len = bits.iter().map(|word| u64::from(word.count_ones())).sum();
                both.kept = Kept::Bits(bits);
                return both;
            }
        };
        let common: Vec<u32> = list.iter().copied().filter(|doc| of.contains(*doc)).collect();
        both.add(&common);
        both
    }

    pub(super) fn contains(&self, doc: u32) -> bool {
        match &self.kept {
            Kept::List(list) => list.binary_search(&doc).is_ok(),
            Kept::Bits(bits) => bits.get(doc as usize / 64).is_some_and(|word| word & 1 << (doc % 64) != 0),
        }
    }

    /// The first that is not before this one.
    pub(super) fn at_or_after(&self, doc: u32) -> Option<u32> {
        let bits = match &self.kept {
            Kept::List(list) => return list.get(list.partition_point(|kept| *kept < doc)).copied(),
            Kept::Bits(bits) => bits,
        };
        let first = bits.get(doc as usize / 64)? & (u64::MAX << (doc % 64));
        let rest = bits.iter().skip(doc as usize / 64 + 1).copied();
        let mut words = (doc / 64..).zip(std::iter::once(first).chain(rest));
        words.find(|(_, word)| *word != 0).map(|(at, word)| at * 64 + word.trailing_zeros())
    }

    /// Hands out all of them in order, some at a time.
    ///
    /// # Errors
    ///
    /// The first of `each`; it is not called again.
    pub(super) fn blocks(&self, mut each: impl FnMut(&[u32]) -> Result<(), Error>) -> Result<(), Error> {
        let bits = match &self.kept {
            Kept::List(list) => return list.chunks(BLOCK).try_for_each(each),
            Kept::Bits(bits) => bits,
        };
        let mut block = Vec::with_capacity(BLOCK);
        for (at, word) in (0..).zip(bits) {
            let mut rest = *word;
            while rest != 0 {
                block.push(at * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
            if block.len() > BLOCK - 64 {
                each(&block)?;
                block.clear();
            }
        }
        if block.is_empty() { Ok(()) } else { each(&block) }
    }
}

/// A document beyond the split's end is not kept: a damaged split might name one.
fn set(bits: &mut [u64], doc: u32) {
    if let Some(word) = bits.get_mut(doc as usize / 64) {
        *word |= 1 << (doc % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(docs: &Docs) -> Vec<u32> {
        let mut all = Vec::new();
        docs.blocks(|block| {
            assert!(block.len() <= BLOCK);
            all.extend_from_slice(block);
            Ok(())
        })
        .unwrap();
        assert_eq!(all.len() as u64, docs.len());
        all
    }

    #[test]
    fn the_first_documents() {
        for end in [0, 1, 63, 64, 65, 127, 128, 200] {
            assert_eq!(listed(&Docs::up_to(end, 200)), (0..end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lists_and_bits_are_the_same_set() {
        for step in [1, 3, 31, 33, 1_000] {
            let all: Vec<u32> = (0..20_000).step_by(step).collect();
            let mut docs = Docs::none(20_000);
            // Not in order, as what is found by identity.
            for part in all.chunks(7).rev() {
                docs.add(part);
            }
            assert_eq!(matches!(docs.kept, Kept::List(_)), step > 32, "{step}");
            assert_eq!(listed(&docs), all, "{step}");
            for doc in 0..20_000 {
                assert_eq!(docs.contains(doc), doc.is_multiple_of(step as u32), "{doc} of {step}");
                let next = doc.next_multiple_of(step as u32);
                assert_eq!(
                    docs.at_or_after(doc),
                    Some(next).filter(|next| *next < 20_000),
                    "{doc} of {step}"
                );
            }
            assert_eq!(docs.at_or_after(u32::MAX), None);
            let (mut few, mut many) = (Docs::none(20_000), Docs::none(20_000));
            few.add(&all[..2]);
            all[2..].iter().for_each(|doc| many.add(&[*doc]));
            let listed_of = |docs: &Docs| {
                let mut all = listed(docs);
                all.sort_unstable();
                all
            };
            let asked = docs.to_ask();
            assert_eq!(listed(&asked), all, "{step}");
            for other in [&few, &many] {
                assert_eq!(listed_of(&docs.and(other)), listed_of(other), "{step}");
                assert_eq!(listed_of(&other.and(&docs)), listed_of(other), "{step}");
            }
            assert_eq!(few.and(&many).len(), 0, "{step}");
            docs.remove(&few);
            assert_eq!(listed(&docs), all[2..], "{step}");
            docs.remove(&many);
            assert_eq!(listed(&docs), Vec::<u32>::new(), "{step}");
        }
    }
}
