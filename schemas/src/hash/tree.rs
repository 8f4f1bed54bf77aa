//! The Merkle tree hash, RFC 6962 section 2.1.

use super::Hash;

/// The hash of an inner node.
pub(super) fn node(left: Hash, right: Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash::of(&bytes)
}

/// The Merkle tree hash of leaves in order; keeps only the tree's right edge.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of complete subtrees, largest first; sizes are the bits of `leaves`.
    edge: Vec<Hash>,
    leaves: u64,
}

impl Tree {
    /// Adds the next leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // One carry per trailing one bit, as when counting in binary.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node(left, hash);
            }
        }
        self.edge.push(hash);
        self.leaves += 1;
    }

    /// Leaves so far.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// No leaf yet.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The root; of no leaves it is the SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.edge.iter().rev().copied();
        match subtrees.next() {
            None => Hash::of(b""),
            Some(last) => subtrees.fold(last, |right, left| node(left, right)),
        }
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Tree::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The recursive definition of RFC 6962, word for word.
    pub(in crate::hash) fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node(defined(&many[..split]), defined(&many[split..]))
            }
        }
    }

    #[test]
    fn tree_equals_definition() {
        let leaves: Vec<Hash> = (0u32..70).map(|n| Hash::of(&n.to_be_bytes())).collect();
        for n in 0..leaves.len() {
            let tree: Tree = leaves[..n].iter().copied().collect();
            assert_eq!(tree.root(), defined(&leaves[..n]), "{n} leaves");
        }
    }

    #[test]
    fn empty_root_is_the_rfcs() {
        assert_eq!(
            Tree::default().root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
