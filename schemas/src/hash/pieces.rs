//! SHA-256 of many short pieces.

use sha2::{Digest, Sha256};

use super::Hash;

/// What most leaves fit into.
const HELD: usize = 512;

/// SHA-256 of pieces, one behind another. They are put together before they are hashed: a call for each
/// would take as long as the hash of a short one.
pub struct Pieces {
    /// Of what did not fit; absent while everything does.
    hasher: Option<Sha256>,
    held: [u8; HELD],
    len: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Pieces { hasher: None, held: [0; HELD], len: 0 }
    }
}

impl Pieces {
    /// Adds a piece.
    // Most are lengths and numbers: inlined, those are a store each.
    #[inline(always)]
    pub fn push(&mut self, piece: &[u8]) {
        match self.held.get_mut(self.len..self.len + piece.len()) {
            Some(place) => {
                place.copy_from_slice(piece);
                self.len += piece.len();
            }
            None => self.push_long(piece),
        }
    }

    #[cold]
    fn push_long(&mut self, piece: &[u8]) {
        let hasher = self.hasher.get_or_insert_default();
        hasher.update(&self.held[..self.len]);
        hasher.update(piece);
        self.len = 0;
    }

    /// The hash of all of them.
    pub fn finish(self) -> Hash {
        let held = &self.held[..self.len];
        match self.hasher {
            None => Hash::of(held),
            Some(hasher) => Hash(hasher.chain_update(held).finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_hashed_as_one(lengths in prop::collection::vec(0usize..1_200, 0..6)) {
            let (mut pieces, mut all) = (Pieces::default(), Vec::new());
            for (n, length) in lengths.into_iter().enumerate() {
                let piece = vec![n as u8; length];
                pieces.push(&piece);
                all.extend(piece);
            }
            prop_assert_eq!(pieces.finish(), Hash::of(&all));
        }
    }
}
