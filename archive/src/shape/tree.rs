//! Shapes as a tree of what they have in common: a payload is compared with the beginning of all of them
//! once.

use super::Holes;
use super::held::Expected;

/// Some text, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) text: String,
    /// The end without one.
    pub(super) hole: Option<Expected>,
}

#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    first: Vec<usize>,
}

struct Node {
    step: Step,
    next: Vec<usize>,
    /// Which shape ends here.
    shape: usize,
}

impl Tree {
    /// Adds a shape; one that is there stays what it is.
    pub(super) fn add(&mut self, steps: Vec<Step>, shape: usize) {
        let mut parent = None;
        for step in steps {
            let siblings = parent.map_or(&self.first, |parent: usize| &self.nodes[parent].next);
            let known = siblings.iter().copied().find(|node| self.nodes[*node].step == step);
            let node = known.unwrap_or_else(|| {
                let node = self.nodes.len();
                self.nodes.push(Node { step, next: Vec::new(), shape });
                match parent {
                    None => self.first.push(node),
                    Some(parent) => self.nodes[parent].next.push(node),
                }
                node
            });
            parent = Some(node);
        }
    }

    /// A shape that a payload has, and what is in its holes. What is found often is looked for first.
    pub(super) fn find<'p>(&mut self, payload: &'p str, holes: &mut Holes<'p>) -> Option<usize> {
        self.below(None, payload, 0, 0, holes)
    }

    fn next(&mut self, parent: Option<usize>) -> &mut Vec<usize> {
        match parent {
            None => &mut self.first,
            Some(parent) => &mut self.nodes[parent].next,
        }
    }

    /// Goes down as deep as a shape has holes, at most.
    fn below<'p>(
        &mut self,
        parent: Option<usize>,
        payload: &'p str,
        from: usize,
        hole: usize,
        holes: &mut Holes<'p>,
    ) -> Option<usize> {
        let rest = payload.as_bytes().get(from..)?;
        for nth in 0..self.next(parent).len() {
            let node = self.next(parent)[nth];
            let Node { step, shape, .. } = &self.nodes[node];
            if !rest.starts_with(step.text.as_bytes()) {
                continue;
            }
            let at = from + step.text.len();
            let found = match step.hole {
                None => (at == payload.len()).then_some(*shape),
                Some(expected) => expected.take(payload, at).and_then(|(held, to)| {
                    *holes.get_mut(hole)? = held;
                    self.below(Some(node), payload, to, hole + 1, holes)
                }),
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
