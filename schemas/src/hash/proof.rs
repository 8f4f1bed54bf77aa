//! That some leaves are of a tree: one proof for all of them.
//!
//! A proof is the hashes of the largest subtrees that hold none of these leaves, left to right. With
//! one leaf these are the hashes of its audit path (RFC 6962 section 2.1.1) in the order of the tree
//! rather than from the leaf up; with many, what their paths share is not repeated.

use std::fmt;

use super::Hash;
use super::tree::node;

/// Why there is no proof, or no root of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofError {
    /// A row is not greater than the one before it.
    Unordered(u64),
    /// A row is not of the tree.
    Outside {
        /// The row.
        row: u64,
        /// How many leaves the tree has.
        leaves: u64,
    },
    /// There are fewer hashes than the rows and the tree's size ask for.
    TooFew,
    /// There are more.
    TooMany,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProofError::Unordered(row) => write!(f, "row {row} is not after the one before it"),
            ProofError::Outside { row, leaves } => write!(f, "row {row} of {leaves}"),
            ProofError::TooFew => f.write_str("too few hashes in the proof"),
            ProofError::TooMany => f.write_str("too many hashes in the proof"),
        }
    }
}

impl std::error::Error for ProofError {}

/// Makes a proof while leaves go by; holds the tree's right edge, and the proof.
#[derive(Debug)]
pub struct Prover<'a> {
    rows: &'a [u64],
    /// Roots of complete subtrees, largest first, as in [`super::Tree`]; `None` for one whose hashes
    /// are in the proof already.
    edge: Vec<Option<Hash>>,
    leaves: u64,
    proof: Vec<Hash>,
}

impl<'a> Prover<'a> {
    /// For the leaves at these rows, which are in order and apart.
    ///
    /// # Errors
    /// [`ProofError::Unordered`].
    pub fn new(rows: &'a [u64]) -> Result<Self, ProofError> {
        match rows.iter().zip(rows.iter().skip(1)).find(|(row, next)| row >= next) {
            Some((_, next)) => Err(ProofError::Unordered(*next)),
            None => Ok(Prover { rows, edge: Vec::new(), leaves: 0, proof: Vec::new() }),
        }
    }

    /// Takes the next leaf of the tree.
    pub fn push(&mut self, leaf: Hash) {
        let mut subtree = Some(leaf);
        if self.rows.first() == Some(&self.leaves) {
            self.rows = &self.rows[1..];
            // The sibling of every subtree on the edge holds this row, so none of them gets larger.
            self.proof.extend(self.edge.iter_mut().filter_map(Option::take));
            subtree = None;
        }
        // One carry per trailing one bit, as when counting in binary.
        for _ in 0..self.leaves.trailing_ones() {
            subtree = match (self.edge.pop().flatten(), subtree) {
                (Some(left), Some(right)) => Some(node(left, right)),
                (left, right) => {
                    self.proof.extend(left.into_iter().chain(right));
                    None
                }
            };
        }
        self.edge.push(subtree);
        self.leaves += 1;
    }

    /// The proof.
    ///
    /// # Errors
    /// [`ProofError::Outside`] for a row that was not reached.
    pub fn finish(mut self) -> Result<Vec<Hash>, ProofError> {
        if let Some(row) = self.rows.first() {
            return Err(ProofError::Outside { row: *row, leaves: self.leaves });
        }
        // What came after the last row is the right end of the edge, and one subtree.
        let last = self.edge.iter().rev().map_while(|subtree| *subtree);
        self.proof.extend(last.reduce(|right, left| node(left, right)));
        Ok(self.proof)
    }
}

/// The proof that the leaves at `rows`, in order and apart, are of the tree of all these leaves.
///
/// # Errors
/// Rows that are not in order, or not of the tree.
pub fn proof_of(leaves: impl IntoIterator<Item = Hash>, rows: &[u64]) -> Result<Vec<Hash>, ProofError> {
    let mut prover = Prover::new(rows)?;
    leaves.into_iter().for_each(|leaf| prover.push(leaf));
    prover.finish()
}

/// The root of a tree of `leaves` leaves that has these leaves at these rows, by a proof.
///
/// It is the root of a batch only if it equals it, which the caller compares. `leaves` is believed:
/// a proof is of a tree of some size.
///
/// # Errors
/// Rows that are not in order or not of the tree; a proof with more or fewer hashes than it takes.
pub fn root_of(leaves: u64, rows: &[(u64, Hash)], proof: &[Hash]) -> Result<Hash, ProofError> {
    if let Some((_, next)) = rows.iter().zip(rows.iter().skip(1)).find(|(row, next)| row.0 >= next.0) {
        return Err(ProofError::Unordered(next.0));
    }
    if let Some((row, _)) = rows.last().filter(|(row, _)| *row >= leaves) {
        return Err(ProofError::Outside { row: *row, leaves });
    }
    let mut proof = proof.iter();
    let root = if leaves == 0 { Hash::of(b"") } else { subtree(0, leaves, rows, &mut proof)? };
    if proof.len() > 0 { Err(ProofError::TooMany) } else { Ok(root) }
}

/// The hash of the subtree over `leaves` rows from `from` on, of which `rows` are known. It is as
/// deep as the tree: 64 at most.
fn subtree(
    from: u64,
    leaves: u64,
    rows: &[(u64, Hash)],
    proof: &mut std::slice::Iter<'_, Hash>,
) -> Result<Hash, ProofError> {
    match rows {
        [] => proof.next().copied().ok_or(ProofError::TooFew),
        [(_, leaf)] if leaves == 1 => Ok(*leaf),
        _ => {
            // The largest power of two that is smaller.
            let split = 1 << (leaves - 1).ilog2();
            let (left, right) = rows.split_at(rows.partition_point(|(row, _)| *row < from + split));
            let left = subtree(from, split, left, proof)?;
            let right = subtree(from + split, leaves - split, right, proof)?;
            Ok(node(left, right))
        }
    }
}

#[cfg(test)]
mod tests;
