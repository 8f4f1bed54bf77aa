//! One error type: what to do next, what happened where, and why.

use std::error::Error as StdError;
use std::fmt;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The store failed and may work again: try later, nothing is lost.
    Retry,
    /// Another worker archived these partitions: drop what is in memory and
    /// read again from the archive's next offsets.
    Fenced,
    /// The file that was made does not give back what was consumed: a fault of ours. Read
    /// again, and keep payloads verbatim.
    Unfaithful,
    /// What is stored is not what was archived: stop and look.
    Corrupt,
    /// The request or the settings are wrong: tell the user.
    Invalid,
}

/// An error of the archive.
#[derive(Debug)]
pub struct Error {
    /// What the caller does next.
    pub kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a cause of its own.
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
