//! The terms of a dictionary without what it says of each: Tantivy's own walk looks that up as well,
//! which takes twice as long.

use std::path::Path;

use tantivy::directory::{CompositeFile, Directory, OwnedBytes};
use tantivy::index::SegmentComponent;
use tantivy::schema::Field;
use tantivy::termdict::TermOrdinal;
use tantivy::{HasLen, Index};
use tantivy_fst::raw::{Fst, Node, Output};

/// Behind a dictionary's transducer and what it says of terms: the length of the latter, and which
/// kind of dictionary in which version it is, all little-endian.
const TAIL_BYTES: usize = 16;
/// This version of this kind.
const KNOWN: [u32; 2] = [1, 1];

/// The transducer of a dictionary.
pub(super) struct Terms(Fst<OwnedBytes>);

impl Terms {
    /// Those of a field of the only segment of an index; `None` when they are not where they are
    /// looked for.
    pub(super) fn open(index: &Index, field: Field) -> Option<Terms> {
        let segments = index.searchable_segment_metas().ok()?;
        let [segment] = &segments[..] else { return None };
        let path = segment.relative_path(SegmentComponent::Terms);
        let all = index.directory().open_read(Path::new(&path)).ok()?;
        let data = CompositeFile::open(&all).ok()?.open_read(field)?;
        let before_tail = data.len().checked_sub(TAIL_BYTES)?;
        let tail = data.read_bytes_slice(before_tail..data.len()).ok()?;
        let (length, kind) = tail.as_slice().split_at_checked(8)?;
        let (version, kind) = kind.split_at_checked(4)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
        if [number(version)?, number(kind)?] != KNOWN {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let end = before_tail.checked_sub(length)?;
        Fst::new(data.read_bytes_slice(0..end).ok()?).ok().map(Terms)
    }

    /// Hands over every term with its place, in order, until one is not wanted; whether all were.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(TermOrdinal, &[u8]) -> tantivy::Result<bool>,
    ) -> tantivy::Result<bool> {
        let root = self.0.root();
        if root.is_final() && !each(root.final_output().value(), &[])? {
            return Ok(false);
        }
        let mut term = Vec::new();
        let mut path = vec![Step { node: root, next: 0, output: Output::zero() }];
        while let Some(step) = path.last_mut() {
            if step.next == step.node.len() {
                path.pop();
                term.pop();
                continue;
            }
            let transition = step.node.transition(step.next);
            step.next += 1;
            let output = step.output.cat(transition.out);
            let node = self.0.node(transition.addr);
            term.push(transition.inp);
            if node.is_final() && !each(output.cat(node.final_output()).value(), &term)? {
                return Ok(false);
            }
            if node.is_empty() {
                term.pop();
            } else {
                path.push(Step { node, next: 0, output });
            }
        }
        Ok(true)
    }
}

/// A node on the way to a term.
struct Step<'t> {
    node: Node<'t>,
    /// Which transition is next.
    next: usize,
    output: Output,
}
