//! Shapes as a tree of what they have in common: a payload is compared with the beginning of all of them
//! once.

use std::ops::Range;

use smallvec::SmallVec;

use super::Holes;
use super::held::Expected;

/// Some text, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) text: String,
    /// The end without one.
    pub(super) hole: Option<Expected>,
}

/// What follows one another in a payload mostly does so in memory, too.
#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The texts of all nodes.
    texts: String,
    first: Next,
}

/// Nodes by their numbers. Most have one after them.
type Next = SmallVec<[u32; 4]>;

struct Node {
    text: Range<usize>,
    hole: Option<Expected>,
    next: Next,
    /// Which shape ends here.
    shape: usize,
}

impl Tree {
    /// Adds a shape; one that is there stays what it is.
    pub(super) fn add(&mut self, steps: Vec<Step>, shape: usize) {
        let mut parent = None;
        for step in steps {
            let siblings = parent.map_or(&self.first, |parent: u32| &self.nodes[parent as usize].next);
            let is_it = |node: &u32| {
                let Node { text, hole, .. } = &self.nodes[*node as usize];
                *hole == step.hole && self.texts[text.clone()] == step.text
            };
            let node = siblings.iter().copied().find(is_it).unwrap_or_else(|| {
                // So few shapes are known that there are numbers for them.
                let node = self.nodes.len() as u32;
                let from = self.texts.len();
                self.texts.push_str(&step.text);
                let (text, next) = (from..self.texts.len(), Next::new());
                self.nodes.push(Node { text, hole: step.hole, next, shape });
                self.next(parent).push(node);
                node
            });
            parent = Some(node);
        }
    }

    /// A shape that a payload has, and what is in its holes. What is found often is looked for first.
    pub(super) fn find<'p>(&mut self, payload: &'p str, holes: &mut Holes<'p>) -> Option<usize> {
        self.below(None, payload, 0, 0, holes)
    }

    fn next(&mut self, parent: Option<u32>) -> &mut Next {
        match parent {
            None => &mut self.first,
            Some(parent) => &mut self.nodes[parent as usize].next,
        }
    }

    /// Goes down as deep as a shape has holes, at most.
    fn below<'p>(
        &mut self,
        parent: Option<u32>,
        payload: &'p str,
        from: usize,
        hole: usize,
        holes: &mut Holes<'p>,
    ) -> Option<usize> {
        let rest = payload.as_bytes().get(from..)?;
        for nth in 0..self.next(parent).len() {
            let node = self.next(parent)[nth];
            let Node { text, hole: expected, shape, .. } = &self.nodes[node as usize];
            if !rest.starts_with(&self.texts.as_bytes()[text.clone()]) {
                continue;
            }
            let at = from + text.len();
            let found = match *expected {
                None => (at == payload.len()).then_some(*shape),
                Some(expected) => {
                    let Some(held) = holes.get_mut(hole) else { continue };
                    expected
                        .take(payload, at, held)
                        .and_then(|to| self.below(Some(node), payload, to, hole + 1, holes))
                }
            };
            if found.is_some() {
                if nth > 0 {
                    self.next(parent).swap(nth - 1, nth);
                }
                return found;
            }
        }
        None
    }
}
