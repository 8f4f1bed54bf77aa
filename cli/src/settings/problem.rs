//! Where a value came from, and what is wrong with one.

use std::fmt;
use std::path::PathBuf;

/// Where a value in force came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the settings file, counted from 1.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// This environment variable.
    Environment(String),
    /// This flag, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// One mistake. Shown as `custody.toml:7: batch.age_max: "2 parsecs" is not a duration; …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: an [`Origin`], or `file:line:column` for broken syntax, or a file.
    pub place: String,
    /// The key, as it was written; `None` when the mistake is not about one.
    pub key: Option<String>,
    /// What is wrong and what to write instead; never holds a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn new(place: impl ToString, message: impl Into<String>) -> Problem {
        Problem { place: place.to_string(), key: None, message: message.into() }
    }

    pub(super) fn of(place: impl ToString, key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { key: Some(key.into()), ..Problem::new(place, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
