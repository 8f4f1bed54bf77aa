//! The settings of every command: one table of keys ([`KEYS`]), four places to set them.
//!
//! A flag beats the environment, the environment beats the file, the file beats the
//! default. For each key in force [`Loaded`] remembers where it came from, so that
//! `custody config print` can answer "why is it doing that?".
//!
//! Everything here works on inputs that are handed in: only [`Settings::load`] touches the
//! world, and only to read the one file.

mod example;
mod file;
mod keys;
mod kind;
mod load;
mod nearest;
mod print;
mod problem;
mod rules;
mod secret;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod units;

pub use example::example;
pub use keys::{KEYS, Key};
pub use kind::{At, Kind, Range};
pub use load::{Inputs, Loaded, check};
pub use print::print;
pub use problem::{Origin, Problem};

/// A time as settings have it, such as `30s` or `5m`.
///
/// # Errors
///
/// Says how times are written.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    units::duration_ms(text).map(std::time::Duration::from_millis)
}

pub use types::{
    Archive, Batch, Compact, Http, Index, Kafka, Ldap, Log, Retry, S3, Search, Settings, Status,
};
