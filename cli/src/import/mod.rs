//! Brings in what exists already: files of one JSON object a line ([`Simple`]) and databases of
//! Skype 7 ([`skype::read`]).
//!
//! Each line or row becomes an event of the contract; what fits no type keeps its content under
//! a type of its own, so that nothing is left out in silence. Nothing is repaired: an
//! impossible time stays as it is, and the archive flags it. Publishing is the caller's.

mod event;
mod reader;
mod simple;
pub mod skype;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

pub use reader::{LINE_BYTES_MAX, Line, Lines};
pub use simple::Simple;

/// An event, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The Kafka key: the conversation's id or, for an event without one, the source.
    pub key: Vec<u8>,
    /// The event in structured mode.
    pub payload: Vec<u8>,
    /// The type's short name.
    pub kind: String,
}

/// Reasons that a report keeps; all are counted.
pub const REASONS_MAX: usize = 20;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Events published.
    pub accepted: u64,
    /// The first refused lines, by number, and why.
    pub refused: Vec<(u64, String)>,
    /// All refused lines.
    pub refused_count: u64,
    /// Events published, by the type's short name.
    pub by_type: BTreeMap<String, u64>,
}

impl ImportReport {
    fn accept(&mut self, kind: String) {
        self.accepted += 1;
        *self.by_type.entry(kind).or_default() += 1;
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.refused_count += 1;
        if self.refused.len() < REASONS_MAX {
            self.refused.push((line, reason));
        }
    }
}

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    /// The input could not be read on.
    #[error("cannot read on after line {line}: {error}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// What the system said.
        error: io::Error,
    },
    /// The caller could not publish an event.
    #[error("cannot publish what is in line {line}: {error}")]
    Publish {
        /// The line that was not published.
        line: u64,
        /// What the caller said.
        error: E,
    },
}

/// Imports all lines. A line that cannot be read as an event is refused and counted; empty
/// lines are passed over.
pub fn import_lines<E>(
    lines: &mut Lines,
    form: &mut Simple,
    publish: &mut dyn FnMut(Outgoing) -> Result<(), E>,
) -> Result<ImportReport, ImportError<E>> {
    let mut report = ImportReport::default();
    loop {
        let read = lines.number();
        let line = lines.next_line().map_err(|error| ImportError::Read { line: read, error })?;
        let (number, bytes) = match line {
            None => return Ok(report),
            Some(Line::TooLong { number }) => {
                report.refuse(number, format!("longer than {} MiB", LINE_BYTES_MAX >> 20));
                continue;
            }
            Some(Line::Whole { number, bytes }) => (number, bytes),
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match form.line(bytes) {
            Err(reason) => report.refuse(number, reason),
            Ok(outgoing) => {
                let kind = outgoing.kind.clone();
                publish(outgoing).map_err(|error| ImportError::Publish { line: number, error })?;
                report.accept(kind);
            }
        }
    }
}

/// Publishes all events of a Skype database, in the order of their times.
pub fn import_skype<E>(
    history: skype::History,
    publish: &mut dyn FnMut(Outgoing) -> Result<(), E>,
) -> Result<ImportReport, E> {
    let mut report = ImportReport::default();
    for outgoing in history.events {
        let kind = outgoing.kind.clone();
        publish(outgoing)?;
        report.accept(kind);
    }
    Ok(report)
}
