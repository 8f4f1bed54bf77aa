//! The parties of records and their terms, each worked out once.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::attributes::of_scope;
use crate::party::party_terms;
use crate::schema::{attribute_term, raw_term};
use crate::source::Party;
use crate::split::Segment;
use crate::text::lower_case;

/// The length of a text that is not there.
const ABSENT: usize = usize::MAX;

/// Parties by what their terms depend on.
#[derive(Default)]
pub(super) struct Parties {
    table: HashTable<Slot>,
    hasher: RandomState,
    all: Vec<Known>,
    /// What they are told apart by, one text after another.
    texts: Vec<u8>,
    /// The terms of all.
    terms: Vec<u32>,
}

/// A party in the table. Half of its hash tells nearly all others apart without looking at them.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    number: u32,
}

/// A party.
pub(super) struct Known {
    /// Where its texts begin, and the length of each: no two parties have the same of both.
    start: usize,
    lengths: [usize; 4],
    terms: Range<usize>,
    pub(super) network: Option<u32>,
    /// Among the attributes.
    pub(super) scope: Option<u32>,
}

/// The hash as the table takes it: its place comes from the low bits, its tag from the highest.
fn wide(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Parties {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What they take.
    pub(super) fn bytes(&self) -> usize {
        self.texts.len() + self.terms.len() * size_of::<u32>()
    }

    pub(super) fn forget(&mut self) {
        *self = Parties::default();
    }

    /// What is known of a party, and its terms.
    pub(super) fn of(&mut self, party: &Party<'_>, segment: &mut Segment) -> (&Known, &[u32]) {
        let texts = [party.network, party.address, party.name, party.scope];
        let lengths = texts.map(|text| text.map_or(ABSENT, str::len));
        let mut hasher = self.hasher.build_hasher();
        texts.into_iter().flatten().for_each(|text| hasher.write(text.as_bytes()));
        let hash = hasher.finish() as u32;
        let same = |slot: &Slot| {
            let known = &self.all[slot.number as usize];
            let mut at = known.start;
            slot.hash == hash
                && known.lengths == lengths
                && texts.into_iter().flatten().all(|text| {
                    let from = at;
                    at += text.len();
                    &self.texts[from..at] == text.as_bytes()
                })
        };
        let number = match self.table.find(wide(hash), same) {
            Some(slot) => slot.number,
            None => {
                // So many are forgotten long before there are no numbers for them.
                let number = self.all.len() as u32;
                let start = self.texts.len();
                texts.into_iter().flatten().for_each(|text| self.texts.extend_from_slice(text.as_bytes()));
                let known = self.terms_of(party, Known::new(start, lengths), segment);
                self.all.push(known);
                self.table.insert_unique(wide(hash), Slot { hash, number }, |slot| wide(slot.hash));
                number
            }
        };
        let known = &self.all[number as usize];
        (known, &self.terms[known.terms.clone()])
    }

    fn terms_of(&mut self, party: &Party<'_>, mut known: Known, segment: &mut Segment) -> Known {
        let first = self.terms.len();
        party_terms(party.address.unwrap_or_default(), party.name, &mut |term| {
            self.terms.push(segment.parties.number(term));
        });
        known.terms = first..self.terms.len();
        if let Some(network) = party.network {
            known.network = Some(segment.network.terms.number(&raw_term(&lower_case(network))));
        }
        if let Some(scope) = party.scope {
            of_scope(scope, &mut |attribute, value| {
                known.scope = Some(segment.attribute.terms.number(&attribute_term(attribute, value)));
            });
        }
        known
    }
}

impl Known {
    fn new(start: usize, lengths: [usize; 4]) -> Known {
        Known { start, lengths, terms: 0..0, network: None, scope: None }
    }
}
