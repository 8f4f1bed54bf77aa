//! What a key may hold, and the field of [`Settings`] that holds it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::types::Settings;

/// The field a key sets.
pub type At<T> = fn(&mut Settings) -> &mut T;

/// The kind of a key together with its field, so that a value cannot be of one type and
/// its field of another.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Any text; not empty unless the default is.
    Text(At<String>),
    /// Letters, digits, `-`, `_` and `.`: part of a path, which other engines read encoded.
    Word(At<String>),
    /// One of these words.
    OneOf(&'static [&'static str], At<String>),
    /// A local path or `s3://bucket/prefix`.
    Location(At<String>),
    /// An `http://` or `https://` address.
    Url(At<String>),
    /// An `ldap://` or `ldaps://` address of a server.
    Ldap(At<String>),
    /// Several texts; comma separated in the environment, a repeated flag.
    List(At<Vec<String>>),
    /// Free `name = value` pairs; each layer adds to the one below, name by name.
    Map(At<BTreeMap<String, String>>),
    /// Bytes, with or without a unit.
    Bytes(Range, At<u64>),
    /// A duration, always with a unit. The range is in milliseconds.
    Time(Range, At<Duration>),
    /// A whole number.
    Count(Range, At<u64>),
    /// `true` or `false`.
    Bool(At<bool>),
    /// A local path.
    Path(At<PathBuf>),
    /// `address:port`, or `off`.
    Listen(At<Option<SocketAddr>>),
}

/// The values a number may have, both ends included, and why it ends there.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The least value.
    pub min: u64,
    /// The greatest value.
    pub max: u64,
    /// Why not less.
    pub low: &'static str,
    /// Why not more.
    pub high: &'static str,
}

impl Range {
    /// The value back, or what is wrong with it; `show` writes it as people do.
    pub(super) fn check(&self, value: u64, show: fn(u64) -> String) -> Result<u64, String> {
        if value < self.min {
            return Err(format!("{} is less than {}: {}", show(value), show(self.min), self.low));
        }
        if value > self.max {
            return Err(format!("{} is more than {}: {}", show(value), show(self.max), self.high));
        }
        Ok(value)
    }
}

impl Kind {
    /// What to write, for a message that says what was written instead.
    pub(super) fn wanted(&self) -> &'static str {
        match self {
            Kind::Text(_)
            | Kind::Word(_)
            | Kind::OneOf(..)
            | Kind::Location(_)
            | Kind::Url(_)
            | Kind::Ldap(_) => "text in quotes",
            Kind::List(_) => "a list of texts, such as [\"events\"]",
            Kind::Map(_) => "a table of name = \"value\"",
            Kind::Bytes(..) => "a number of bytes, such as \"16MiB\"",
            Kind::Time(..) => "a duration, such as \"2s\"",
            Kind::Count(..) => "a whole number, without quotes",
            Kind::Bool(_) => "true or false, without quotes",
            Kind::Path(_) => "a path in quotes",
            Kind::Listen(_) => "an address, such as \"127.0.0.1:9464\", or \"off\"",
        }
    }
}
