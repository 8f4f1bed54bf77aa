//! Builds the transducers that dictionaries and forms are.
//!
//! `tantivy_fst` has one memory for each of the nodes it remembers and for each that it makes, and looks at
//! two of them for every node. Here they stand in a table without any of its own. The nodes, which of
//! them are remembered, and so the bytes, are the same.

use std::io;

/// The version of the format, and the type of a map.
const HEAD: [u64; 2] = [2, 0];
/// The address of what has no bytes: the end of a key without an output.
const END: u64 = 0;
/// No address: as nothing stands there.
const NOWHERE: u64 = 1;
/// A node of more steps has a table of its inputs.
const SEARCHED_MAX: usize = 32;
/// A number up to this is written into the last byte of a node.
const SMALL_MAX: usize = 63;
/// The inputs that are written as numbers from one.
const COMMON: &[u8; SMALL_MAX] = b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG";
/// The number of each input; 0 for one that is written itself.
const NUMBERS: [u8; 256] = numbers();

const fn numbers() -> [u8; 256] {
    let (mut numbers, mut at) = ([0; 256], 0);
    while at < COMMON.len() {
        numbers[COMMON[at] as usize] = at as u8 + 1;
        at += 1;
    }
    numbers
}

/// Builds a map from keys to numbers.
pub(super) struct FstBuilder {
    bytes: Vec<u8>,
    /// The nodes of the last key, which may get further steps; those behind `depth` are room.
    path: Vec<Node>,
    depth: usize,
    last_key: Vec<u8>,
    nodes: Nodes,
    last_address: u64,
    keys: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Step {
    input: u8,
    output: u64,
    to: u64,
}

#[derive(Default)]
struct Node {
    /// A key ends here, with what is left of its number.
    end: Option<u64>,
    steps: Vec<Step>,
    /// The step that the last key takes: where it leads to is not known yet.
    open: Option<(u8, u64)>,
}

impl Node {
    fn clear(&mut self) {
        self.end = None;
        self.steps.clear();
        self.open = None;
    }

    /// All numbers from here on are larger by so much.
    fn add(&mut self, more: u64) {
        self.end.iter_mut().for_each(|output| *output += more);
        self.steps.iter_mut().for_each(|step| step.output += more);
        self.open.iter_mut().for_each(|(_, output)| *output += more);
    }

    fn close(&mut self, to: u64) {
        self.steps.extend(self.open.take().map(|(input, output)| Step { input, output, to }));
    }
}

impl FstBuilder {
    pub(crate) fn new() -> FstBuilder {
        FstBuilder {
            bytes: HEAD.iter().flat_map(|number| number.to_le_bytes()).collect(),
            path: vec![Node::default()],
            depth: 0,
            last_key: Vec::new(),
            nodes: Nodes::new(),
            last_address: NOWHERE,
            keys: 0,
        }
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// When it does not stand behind the last.
    pub(crate) fn insert(&mut self, key: &[u8], number: u64) -> io::Result<()> {
        if self.keys > 0 && key <= &*self.last_key {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "keys of a dictionary are out of order"));
        }
        self.keys += 1;
        let (mut common, mut output) = (0, number);
        while let Some(input) = key.get(common) {
            let Some((_, shared)) = self.path[common].open.as_mut().filter(|(open, _)| open == input) else {
                break;
            };
            common += 1;
            let more = shared.saturating_sub(output);
            *shared -= more;
            output -= *shared;
            if more > 0 {
                self.path[common].add(more);
            }
        }
        self.close_from(common)?;
        if common == key.len() {
            // The key without bytes.
            self.path[common].end = Some(output);
        }
        for input in &key[common..] {
            self.path[self.depth].open = Some((*input, std::mem::take(&mut output)));
            self.depth += 1;
            match self.path.get_mut(self.depth) {
                Some(room) => room.clear(),
                None => self.path.push(Node::default()),
            }
        }
        if common < key.len() {
            self.path[self.depth].end = Some(0);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    /// The bytes of all of it.
    pub(crate) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.close_from(0)?;
        let root = self.write(0)?;
        self.bytes.extend_from_slice(&self.keys.to_le_bytes());
        self.bytes.extend_from_slice(&root.to_le_bytes());
        Ok(self.bytes)
    }

    /// Writes the nodes of the last key behind this one: no other key goes through them.
    fn close_from(&mut self, first: usize) -> io::Result<()> {
        while self.depth > first {
            let address = self.write(self.depth)?;
            self.depth -= 1;
            self.path[self.depth].close(address);
        }
        Ok(())
    }

    /// Writes a node if there is none like it. Its address.
    fn write(&mut self, at: usize) -> io::Result<u64> {
        let Node { end, steps, .. } = &self.path[at];
        if *end == Some(0) && steps.is_empty() {
            return Ok(END);
        }
        let place = match self.nodes.find(*end, steps)? {
            Found::At(address) => return Ok(address),
            Found::Room(place) => place,
        };
        write_node(*end, steps, self.last_address, &mut self.bytes);
        self.last_address = self.bytes.len() as u64 - 1;
        self.nodes.cells[place].address = self.last_address;
        Ok(self.last_address)
    }
}

/// Buckets of nodes that are remembered, and what each holds: the newest first.
const BUCKETS: usize = 10_000;
const BUCKET: usize = 2;

/// Nodes that are remembered.
struct Nodes {
    cells: Vec<Cell>,
    /// The steps of those that have several, and of those that are forgotten: there are fewer such nodes
    /// than keys, so these are 48 bytes for each key at most.
    steps: Vec<Step>,
}

/// A node that was written. In one with a single step that is here, else it is where they begin.
#[derive(Clone, Copy)]
struct Cell {
    /// [`NOWHERE`] where there is none yet.
    address: u64,
    end: u64,
    output: u64,
    to: u64,
    steps: u16,
    input: u8,
    is_end: bool,
}

enum Found {
    At(u64),
    /// It was put into this cell, which has to be told the address.
    Room(usize),
}

impl Nodes {
    fn new() -> Nodes {
        let empty = Cell { address: NOWHERE, end: 0, output: 0, to: 0, steps: 0, input: 0, is_end: false };
        Nodes { cells: vec![empty; BUCKETS * BUCKET], steps: Vec::new() }
    }

    fn find(&mut self, end: Option<u64>, steps: &[Step]) -> io::Result<Found> {
        let first = bucket(end, steps) * BUCKET;
        let same = |cell: &Cell| {
            cell.address != NOWHERE
                && (cell.is_end, cell.end) == (end.is_some(), end.unwrap_or(0))
                && usize::from(cell.steps) == steps.len()
                && match steps {
                    [] => true,
                    [one] => *one == Step { input: cell.input, output: cell.output, to: cell.to },
                    _ => self.steps[cell.to as usize..][..steps.len()] == *steps,
                }
        };
        if same(&self.cells[first]) {
            return Ok(Found::At(self.cells[first].address));
        }
        self.cells.swap(first, first + 1);
        if same(&self.cells[first]) {
            return Ok(Found::At(self.cells[first].address));
        }
        let Step { input, output, to } = match steps {
            [one] => *one,
            _ => {
                let to = self.steps.len() as u64;
                self.steps.extend_from_slice(steps);
                Step { to, ..Step::default() }
            }
        };
        let count = u16::try_from(steps.len()).map_err(io::Error::other)?;
        let (end, is_end) = (end.unwrap_or(0), end.is_some());
        self.cells[first] = Cell { address: NOWHERE, end, output, to, steps: count, input, is_end };
        Ok(Found::Room(first))
    }
}

/// FNV-1a, of numbers in place of bytes.
fn bucket(end: Option<u64>, steps: &[Step]) -> usize {
    let mix = |hash: u64, number: u64| (hash ^ number).wrapping_mul(1_099_511_628_211);
    let mut hash = mix(mix(14_695_981_039_346_656_037, u64::from(end.is_some())), end.unwrap_or(0));
    for step in steps {
        hash = mix(mix(mix(hash, u64::from(step.input)), step.output), step.to);
    }
    (hash % BUCKETS as u64) as usize
}

fn write_node(end: Option<u64>, steps: &[Step], last: u64, bytes: &mut Vec<u8>) {
    let here = bytes.len() as u64;
    let far = |step: &Step| if step.to == END { END } else { here - step.to };
    if let ([step], None) = (steps, end) {
        let number = NUMBERS[usize::from(step.input)];
        let is_next = step.to == last && step.output == 0;
        if !is_next {
            let output_size = if step.output == 0 { 0 } else { size(step.output) };
            let far = far(step);
            put(step.output, output_size, bytes);
            put(far, size(far), bytes);
            bytes.push(size(far) << 4 | output_size);
        }
        if number == 0 {
            bytes.push(step.input);
        }
        bytes.push(if is_next { 0b1100_0000 } else { 0b1000_0000 } | number);
        return;
    }
    let outputs = || end.into_iter().chain(steps.iter().map(|step| step.output));
    let output_size =
        if outputs().any(|output| output > 0) { outputs().map(size).max().unwrap_or(0) } else { 0 };
    let far_size = steps.iter().map(|step| size(far(step))).max().unwrap_or(0);
    if output_size > 0 {
        end.into_iter().for_each(|output| put(output, output_size, bytes));
        steps.iter().rev().for_each(|step| put(step.output, output_size, bytes));
    }
    steps.iter().rev().for_each(|step| put(far(step), far_size, bytes));
    bytes.extend(steps.iter().rev().map(|step| step.input));
    if steps.len() > SEARCHED_MAX {
        let mut table = [u8::MAX; 256];
        for (number, step) in (0..=u8::MAX).zip(steps) {
            table[usize::from(step.input)] = number;
        }
        bytes.extend_from_slice(&table);
    }
    bytes.push(far_size << 4 | output_size);
    let is_small = (1..=SMALL_MAX).contains(&steps.len());
    if !is_small {
        // A node of one step says so in its last byte: here it is 256.
        bytes.push(u8::try_from(steps.len()).unwrap_or(1));
    }
    let number = if is_small { steps.len() as u8 } else { 0 };
    bytes.push(u8::from(end.is_some()) << 6 | number);
}

/// How many bytes a number takes, one at least.
fn size(number: u64) -> u8 {
    (u64::BITS - number.leading_zeros()).div_ceil(8).max(1) as u8
}

/// The lowest bytes of a number.
fn put(number: u64, size: u8, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&number.to_le_bytes()[..usize::from(size)]);
}

#[cfg(test)]
#[path = "fst_tests.rs"]
mod tests;
