//! Identities that were met, in pieces that fit into a processor's cache: what belongs into one is
//! added at once. One large filter would be gone to for each identity, and waited for.

use std::sync::{Mutex, PoisonError};

use super::events::{bits_of, hash_of};

/// A piece has so many words, a quarter of a megabyte; few where tests have few.
const PIECE_WORDS: u64 = if cfg!(test) { 2 } else { 1 << 15 };

/// A filter of identities: it knows what was added, and takes little else for it.
pub(super) struct Seen {
    pieces: Vec<Mutex<Vec<u64>>>,
    /// What is left of a hash: its word, over all pieces.
    shift: u32,
}

/// Identities in the order of their pieces.
pub(super) struct Parted {
    identities: Vec<u64>,
    /// Where those of each piece end.
    ends: Vec<usize>,
}

impl Seen {
    /// Of at least so many bits; a power of two.
    pub(super) fn new(bits: u64) -> Seen {
        let words = (bits / 64).clamp(PIECE_WORDS, 1 << 34).next_power_of_two();
        let piece = |_| Mutex::new(vec![0; PIECE_WORDS as usize]);
        Seen { pieces: (0..words / PIECE_WORDS).map(piece).collect(), shift: 64 - words.trailing_zeros() }
    }

    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    fn piece_of(&self, identity: u64) -> usize {
        // The shift leaves as many as there are.
        (hash_of(identity, 0) >> self.shift) as usize / PIECE_WORDS as usize
    }

    pub(super) fn parted(&self, identities: &[u64]) -> Parted {
        let mut ends = vec![0; self.pieces()];
        identities.iter().for_each(|identity| ends[self.piece_of(*identity)] += 1);
        let mut sum = 0;
        // First where each begins, which moves to where it ends.
        ends.iter_mut().for_each(|end| sum += std::mem::replace(end, sum));
        let mut parted = vec![0; identities.len()];
        for identity in identities {
            let end = &mut ends[self.piece_of(*identity)];
            parted[*end] = *identity;
            *end += 1;
        }
        Parted { identities: parted, ends }
    }

    /// Adds to a piece what belongs into it; hands out what may have been there already.
    pub(super) fn add<'p>(
        &self,
        piece: usize,
        all: impl Iterator<Item = &'p Parted>,
        mut again: impl FnMut(u64),
    ) {
        let mut words = self.pieces[piece].lock().unwrap_or_else(PoisonError::into_inner);
        for identity in all.flat_map(|parted| parted.of(piece)) {
            let hash = hash_of(*identity, 0);
            let (word, bits) = ((hash >> self.shift) % PIECE_WORDS, bits_of(hash));
            let word = &mut words[word as usize];
            if *word & bits == bits {
                again(*identity);
            }
            *word |= bits;
        }
    }
}

impl Parted {
    fn of(&self, piece: usize) -> &[u64] {
        let from = piece.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.identities[from..self.ends[piece]]
    }
}
