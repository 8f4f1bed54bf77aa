//! One error type: what to do next, what happened where, and why.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The disk or the archive's store failed and may work again: run it anew,
    /// into the same folder.
    Retry,
    /// What is stored is not what was archived: stop and look.
    Corrupt,
    /// The request or the folder is wrong: tell the user.
    Invalid,
}

/// An error of a production.
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

    /// A failed file operation; `doing` such as `write`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        Error::with(Kind::Retry, format!("cannot {doing} {}", path.display()), source)
    }

    /// Our own structs always serialise; if they do not, it is our fault.
    pub(crate) fn json(what: &str, source: serde_json::Error) -> Self {
        Error::with(Kind::Corrupt, format!("cannot write {what} as JSON"), source)
    }
}

impl From<custody_archive::Error> for Error {
    fn from(source: custody_archive::Error) -> Self {
        let kind = match source.kind {
            custody_archive::Kind::Corrupt | custody_archive::Kind::Unfaithful => Kind::Corrupt,
            custody_archive::Kind::Invalid => Kind::Invalid,
            custody_archive::Kind::Retry | custody_archive::Kind::Fenced => Kind::Retry,
        };
        Error::with(kind, "the archive cannot be read", source)
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
