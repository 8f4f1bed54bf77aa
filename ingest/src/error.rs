//! One error type: what happened, and what the operator does.

use std::fmt;

/// What the loop or the operator does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Kafka or the store does not answer: start again later, nothing is lost.
    Unavailable,
    /// The settings are wrong, or an operator must decide.
    Invalid,
    /// The topic is not in Kafka: it was deleted.
    Gone,
    /// What is stored is not what was archived.
    Corrupt,
}

/// An error that ends ingest. Nothing is lost: what was not archived is still
/// in Kafka, and a restart goes on from the archive's next offsets.
#[derive(Debug)]
pub struct Error {
    /// What to do next.
    pub kind: Kind,
    message: String,
}

impl Error {
    /// What happened, and what to do.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<custody_archive::Error> for Error {
    fn from(error: custody_archive::Error) -> Self {
        let kind = match error.kind {
            custody_archive::Kind::Retry | custody_archive::Kind::Fenced => Kind::Unavailable,
            custody_archive::Kind::Corrupt | custody_archive::Kind::Unfaithful => Kind::Corrupt,
            custody_archive::Kind::Invalid => Kind::Invalid,
        };
        Error::new(kind, error.to_string())
    }
}
