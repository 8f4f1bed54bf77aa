//! A set of documents of one split: a list while they are few, then a bit for each document.

use crate::error::Error;

/// Documents that are handed out at once.
const BLOCK: usize = 1_024;
/// Bits of a document in the list.
const LISTED_BITS: usize = 32;

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

    pub(super) fn len(&self) -> u64 {
        self.len
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

    pub(super) fn contains(&self, doc: u32) -> bool {
        match &self.kept {
            Kept::List(list) => list.binary_search(&doc).is_ok(),
            Kept::Bits(bits) => bits.get(doc as usize / 64).is_some_and(|word| word & 1 << (doc % 64) != 0),
        }
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
            }
            let (mut few, mut many) = (Docs::none(20_000), Docs::none(20_000));
            few.add(&all[..2]);
            all[2..].iter().for_each(|doc| many.add(&[*doc]));
            docs.remove(&few);
            assert_eq!(listed(&docs), all[2..], "{step}");
            docs.remove(&many);
            assert_eq!(listed(&docs), Vec::<u32>::new(), "{step}");
        }
    }
}
