//! The Merkle tree hash, RFC 6962 section 2.1.

use super::{Hash, hash_each};

/// The hash of an inner node.
pub(super) fn node(left: Hash, right: Hash) -> Hash {
    Hash::of(&node_text(left, right))
}

fn node_text(left: Hash, right: Hash) -> [u8; 65] {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    bytes
}

/// The height of the subtrees that are made at once, and their leaves.
const HEIGHT: u32 = 6;
const AT_ONCE: usize = 1 << HEIGHT;

/// The root of a complete subtree, level by level: the nodes of one need not wait for one another.
fn complete(leaves: &[Hash; AT_ONCE]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let texts: Vec<[u8; 65]> =
            level.as_chunks().0.iter().map(|[left, right]| node_text(*left, *right)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(<[u8; 65]>::as_slice).collect();
        level.clear();
        hash_each(&texts, &mut level);
    }
    level[0]
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
        self.carry(leaf, self.leaves);
        self.leaves += 1;
    }

    /// Adds the next leaf hashes, in order: the same as [`push`](Tree::push) of each, sooner.
    pub fn extend(&mut self, mut leaves: &[Hash]) {
        while let Some((first, rest)) = leaves.split_first() {
            match leaves.split_first_chunk::<AT_ONCE>() {
                Some((many, rest)) if self.leaves.is_multiple_of(AT_ONCE as u64) => {
                    self.carry(complete(many), self.leaves >> HEIGHT);
                    self.leaves += AT_ONCE as u64;
                    leaves = rest;
                }
                _ => {
                    self.push(*first);
                    leaves = rest;
                }
            }
        }
    }

    /// Adds a complete subtree behind so many of its size.
    fn carry(&mut self, subtree: Hash, before: u64) {
        let mut hash = subtree;
        // One carry per trailing one bit, as when counting in binary.
        for _ in 0..before.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node(left, hash);
            }
        }
        self.edge.push(hash);
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
    fn many_leaves_at_once_make_the_same_tree() {
        let leaves: Vec<Hash> = (0u32..500).map(|n| Hash::of(&n.to_be_bytes())).collect();
        for first in [0, 1, 63, 64, 65, 130] {
            for n in [first, first + 1, 64, 128, 129, 192, 256, 300, 447, 500] {
                let Some(rest) = leaves[..n].get(first..) else { continue };
                let mut tree: Tree = leaves[..first].iter().copied().collect();
                tree.extend(rest);
                assert_eq!((tree.len(), tree.root()), (n as u64, defined(&leaves[..n])), "{first} and {n}");
            }
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
