//! From ranges of a plain text to ranges of the body that it was made from.

use std::ops::Range;

/// A stretch of the plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// Where it begins in the plain text; it ends where the next one begins.
    at: usize,
    /// What it was made from.
    from: Range<usize>,
    made: Made,
}

/// How a stretch of the plain text came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// It is byte for byte the same in the body.
    Copied,
    /// A reference or a picture stands for it.
    Shown,
    /// No text of the body does: it is a line that a tag begins, or the address of a link.
    Added,
}

/// Where the bytes of a plain text stand in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    runs: Vec<Run>,
    len: usize,
}

impl Map {
    pub(super) fn identity(len: usize) -> Self {
        Map { runs: vec![Run { at: 0, from: 0..len, made: Made::Copied }], len }
    }

    /// The pieces of the body that show a range of the text, in order and apart: without markup
    /// between them, and without what no text of the body shows, such as the address of a link. A
    /// reference is there as a whole, and so is the tag of a picture.
    pub fn shown(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let (start, end) = (range.start.min(self.len), range.end.min(self.len));
        let first = self.runs.partition_point(|run| run.at <= start).saturating_sub(1);
        let mut out: Vec<Range<usize>> = Vec::new();
        for (at, run) in self.runs.iter().enumerate().skip(first).take_while(|(_, run)| run.at < end) {
            let run_end = self.runs.get(at + 1).map_or(self.len, |next| next.at);
            let inside = start.max(run.at)..end.min(run_end);
            if inside.is_empty() {
                continue;
            }
            let piece = match run.made {
                Made::Copied => {
                    run.from.start + (inside.start - run.at)..run.from.start + (inside.end - run.at)
                }
                Made::Shown => run.from.clone(),
                Made::Added => continue,
            };
            match out.last_mut() {
                Some(last) if last.end == piece.start => last.end = piece.end,
                _ => out.push(piece),
            }
        }
        out
    }

    /// The runs that were copied: of the text, and of the body.
    #[cfg(test)]
    pub(super) fn copied(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let ends = self.runs.iter().skip(1).map(|run| run.at).chain([self.len]);
        let runs = self.runs.iter().zip(ends).filter(|(run, _)| run.made == Made::Copied);
        runs.map(|(run, end)| (run.at..end, run.from.clone())).collect()
    }
}

/// Where plain text goes to.
pub(super) trait Sink {
    /// Takes these bytes of the body.
    fn copy(&mut self, body: &str, range: Range<usize>);

    /// Takes a text that stands for these bytes of the body.
    fn put(&mut self, text: &str, from: Range<usize>);

    /// Takes a text that is not shown at these bytes of the body, but follows from them.
    fn add(&mut self, text: &str, from: Range<usize>);

    /// What it took so far.
    fn text(&self) -> &str;
}

impl Sink for String {
    fn copy(&mut self, body: &str, range: Range<usize>) {
        self.push_str(body.get(range).unwrap_or_default());
    }

    fn put(&mut self, text: &str, _: Range<usize>) {
        self.push_str(text);
    }

    fn add(&mut self, text: &str, _: Range<usize>) {
        self.push_str(text);
    }

    fn text(&self) -> &str {
        self
    }
}

/// Text that remembers where it came from.
#[derive(Default)]
pub(super) struct Mapped {
    text: String,
    runs: Vec<Run>,
}

impl Mapped {
    pub(super) fn finish(self) -> (String, Map) {
        let len = self.text.len();
        (self.text, Map { runs: self.runs, len })
    }

    fn push(&mut self, text: &str, from: Range<usize>, made: Made) {
        if !text.is_empty() {
            self.runs.push(Run { at: self.text.len(), from, made });
            self.text.push_str(text);
        }
    }
}

impl Sink for Mapped {
    fn copy(&mut self, body: &str, range: Range<usize>) {
        let Some(copied) = body.get(range.clone()).filter(|text| !text.is_empty()) else { return };
        match self.runs.last_mut() {
            Some(last) if last.made == Made::Copied && last.from.end == range.start => {
                last.from.end = range.end
            }
            _ => self.runs.push(Run { at: self.text.len(), from: range, made: Made::Copied }),
        }
        self.text.push_str(copied);
    }

    fn put(&mut self, text: &str, from: Range<usize>) {
        self.push(text, from, Made::Shown);
    }

    fn add(&mut self, text: &str, from: Range<usize>) {
        self.push(text, from, Made::Added);
    }

    fn text(&self) -> &str {
        &self.text
    }
}
