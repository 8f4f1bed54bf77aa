//! One error type: what to do next, what happened where, and why.

use std::error::Error as StdError;
use std::fmt;

use crate::spans::REFUSED;
use crate::stop::STOPPED;
use std::io;
use std::path::Path;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The disk or the archive's store failed and may work again: try later.
    Retry,
    /// What is stored is not what was written: rebuild the index, or look at
    /// the archive when it is the archive that says so.
    Corrupt,
    /// The request or the settings are wrong: tell the user.
    Invalid,
    /// A later Custody wrote the index: use that one, or rebuild elsewhere.
    Newer,
    /// The search took longer than it may, or was cancelled: ask for less.
    Stopped,
}

/// An error of the index.
#[derive(Debug)]
pub struct Error {
    /// What the caller does next.
    pub kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a cause of its own; `message` in lower case.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// An error with its cause.
    pub fn with(
        kind: Kind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Error { kind, message: message.into(), source: Some(source.into()) }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Error::new(Kind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, message)
    }

    /// A failed file operation; `doing` such as `read`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        Error::with(Kind::Retry, format!("cannot {doing} {}", path.display()), source)
    }

    /// The index's own store failed.
    pub(crate) fn store(source: custody_archive::Error) -> Self {
        Error::new(kind_of(source.kind), source.to_string())
    }

    /// Tantivy failed on bytes that it wrote itself or was handed by a split.
    pub(crate) fn tantivy(what: &str, source: tantivy::TantivyError) -> Self {
        if let tantivy::TantivyError::InvalidArgument(message) = &source
            && let Some(refusal) = message.strip_prefix(REFUSED)
        {
            return Error::invalid(refusal);
        }
        if let tantivy::TantivyError::InvalidArgument(message) = &source
            && let Some(stopped) = message.strip_prefix(STOPPED)
        {
            return Error::new(Kind::Stopped, stopped);
        }
        let kind = match &source {
            // Others are not what the disk said, but what was made of its bytes.
            tantivy::TantivyError::IoError(e) if e.raw_os_error().is_some() => Kind::Retry,
            tantivy::TantivyError::IncompatibleIndex(_) => Kind::Newer,
            _ => Kind::Corrupt,
        };
        Error::with(kind, what.to_owned(), source)
    }
}

impl From<custody_archive::Error> for Error {
    fn from(source: custody_archive::Error) -> Self {
        Error::with(kind_of(source.kind), "the archive cannot be read", source)
    }
}

fn kind_of(kind: custody_archive::Kind) -> Kind {
    match kind {
        custody_archive::Kind::Corrupt | custody_archive::Kind::Unfaithful => Kind::Corrupt,
        custody_archive::Kind::Invalid => Kind::Invalid,
        custody_archive::Kind::Retry | custody_archive::Kind::Fenced => Kind::Retry,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
