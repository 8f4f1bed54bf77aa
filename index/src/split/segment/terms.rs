//! Every different term once, and its number.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Terms in the order in which they came first: that is their number.
#[derive(Default)]
pub(crate) struct Terms {
    /// All of them, one after another.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    table: HashTable<Slot>,
    hasher: RandomState,
}

/// A term in the table. Half of its hash tells nearly all others apart without looking at them.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    number: u32,
}

/// The hash as the table takes it: its place comes from the low bits, its tag from the highest.
fn wide(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Terms {
    /// The number of a term.
    pub(crate) fn number(&mut self, term: &str) -> u32 {
        let hash = self.hasher.hash_one(term.as_bytes()) as u32;
        let (bytes, ends) = (&self.bytes, &self.ends);
        let same = |slot: &Slot| slot.hash == hash && term_at(bytes, ends, slot.number) == term.as_bytes();
        if let Some(slot) = self.table.find(wide(hash), same) {
            return slot.number;
        }
        // `Segment::finish` refuses more than there are numbers.
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(term.as_bytes());
        self.ends.push(self.bytes.len());
        self.table.insert_unique(wide(hash), Slot { hash, number }, |slot| wide(slot.hash));
        number
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The term of a number.
    pub(crate) fn term(&self, number: u32) -> &[u8] {
        term_at(&self.bytes, &self.ends, number)
    }

    /// The numbers in the order of their terms.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        // The first bytes beside the number: most terms are told apart without being looked up.
        let key = |number: u32| {
            let term = self.term(number);
            let mut first = [0; 8];
            let length = term.len().min(first.len());
            first[..length].copy_from_slice(&term[..length]);
            (u64::from_be_bytes(first), number)
        };
        let mut keys: Vec<_> = (0..self.ends.len() as u32).map(key).collect();
        keys.sort_unstable_by(|(first, one), (second, other)| {
            first.cmp(second).then_with(|| self.term(*one).cmp(self.term(*other)))
        });
        keys.into_iter().map(|(_, number)| number).collect()
    }
}

fn term_at<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let from = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[from..ends[number]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_term_has_one_number_and_terms_are_in_order(all in prop::collection::vec("[a-c\u{0}ž]{0,12}", 0..200)) {
            let mut terms = Terms::default();
            let numbers: Vec<u32> = all.iter().map(|term| terms.number(term)).collect();
            for (term, number) in all.iter().zip(&numbers) {
                prop_assert_eq!(terms.term(*number), term.as_bytes());
                prop_assert_eq!(terms.number(term), *number);
            }
            let sorted: Vec<&[u8]> = terms.sorted().into_iter().map(|number| terms.term(number)).collect();
            let mut expected: Vec<&[u8]> = all.iter().map(String::as_bytes).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(sorted.len(), terms.len());
            prop_assert_eq!(sorted, expected);
        }
    }
}
