//! What is wrong with a query, shown at the place where it is.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::text::printable;

/// Columns of the query that are shown; fits a terminal beside an indent.
const LINE_COLUMNS: usize = 76;

/// Characters of the user's text repeated inside a message.
const QUOTE_CHARS: usize = 40;

/// A query that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong, in one line.
    pub message: String,
    /// Where: the first byte of the query that is meant.
    pub at: usize,
    /// How many bytes are meant; none at the end of the query.
    pub len: usize,
    /// What to write instead, if that can be guessed.
    pub help: Option<String>,
}

impl SyntaxError {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        SyntaxError { message: message.into(), at: span.start, len: span.len(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The message, the line of the query with carets under the place, and the
    /// help. Ends in a line break. Nothing of the query can act on a terminal.
    pub fn render(&self, query: &str) -> String {
        let (line, carets) = self.pointed(query);
        let help = self.help.iter().map(|help| format!("help: {help}\n"));
        format!("error: {}\n  {line}\n  {carets}\n{}", self.message, help.collect::<String>())
    }

    fn pointed(&self, query: &str) -> (String, String) {
        let shown = query.char_indices().map(|(at, c)| (at, printable(c)));
        let cells: Vec<Cell> = shown.map(|(at, c)| Cell { at, c, columns: c.width().unwrap_or(0) }).collect();
        let caret = cells.partition_point(|cell| cell.at < self.at);
        let window = window(&cells, caret);
        let (mut line, mut indent, mut carets) = (String::new(), 0, 0);
        if window.start > 0 {
            line.push('…');
            indent += 1;
        }
        for cell in &cells[window.clone()] {
            line.push(cell.c);
            if cell.at < self.at {
                indent += cell.columns;
            } else if cell.at < self.at.saturating_add(self.len) {
                carets += cell.columns;
            }
        }
        if window.end < cells.len() {
            line.push('…');
        }
        (line, format!("{}{}", " ".repeat(indent), "^".repeat(carets.max(1))))
    }
}

struct Cell {
    at: usize,
    c: char,
    columns: usize,
}

/// The cells to show: all if they fit, else those around the caret.
fn window(cells: &[Cell], caret: usize) -> Range<usize> {
    let columns = |range: Range<usize>| cells[range].iter().map(|cell| cell.columns).sum::<usize>();
    if columns(0..cells.len()) <= LINE_COLUMNS {
        return 0..cells.len();
    }
    // Counted in cells: characters without width are rare, and the bound on
    // the length of the line holds for them too.
    let mut start = caret.saturating_sub(LINE_COLUMNS / 2);
    while columns(start..caret) > LINE_COLUMNS / 2 {
        start += 1;
    }
    let mut end = cells.len().min(start + LINE_COLUMNS);
    while columns(start..end) > LINE_COLUMNS {
        end -= 1;
    }
    start..end
}

/// The user's text inside a message: short and harmless.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(QUOTE_CHARS).map(printable).collect();
    if text.chars().nth(QUOTE_CHARS).is_some() {
        out.push('…');
    }
    format!("`{out}`")
}
