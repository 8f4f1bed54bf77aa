//! From what was written to a field of [`Settings`]. Every layer ends here, so a value is read
//! and refused in the same words wherever it was written.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Key, OWNED_PROPERTIES};
use super::kind::Kind;
use super::secret;
use super::types::Settings;
use super::units;

/// A value as it was written, not yet read.
pub(super) enum Raw {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// One thing that a layer sets.
pub(super) enum Given {
    /// A key.
    Value(&'static Key, Raw),
    /// One name of a map.
    Property(&'static Key, String, String),
}

impl Given {
    /// What an environment variable or a default sets.
    pub(super) fn from_text(key: &'static Key, text: &str) -> Result<Vec<Given>, String> {
        match key.kind {
            Kind::Map(_) => {
                let entries = pieces(text);
                let pair = |(n, entry): (usize, &String)| property(key, entry, n + 1);
                entries.iter().enumerate().map(pair).collect()
            }
            Kind::List(_) => Ok(vec![Given::Value(key, Raw::Many(pieces(text)))]),
            _ => Ok(vec![Given::Value(key, Raw::One(text.to_owned()))]),
        }
    }

    /// What a flag sets that was given once or more: lists add up, of the rest the last counts.
    /// A comma is not special in a property, since each has a flag of its own.
    pub(super) fn from_flags(key: &'static Key, texts: &[&str]) -> Result<Vec<Given>, String> {
        match key.kind {
            Kind::Map(_) => texts.iter().map(|text| property(key, text, 1)).collect(),
            Kind::List(_) => {
                let all = texts.iter().flat_map(|text| pieces(text)).collect();
                Ok(vec![Given::Value(key, Raw::Many(all))])
            }
            _ => Ok(texts.iter().map(|text| Given::Value(key, Raw::One((*text).to_owned()))).collect()),
        }
    }

    /// The key as it is named in origins and problems.
    pub(super) fn name(&self) -> String {
        match self {
            Given::Value(key, _) => key.name.to_owned(),
            Given::Property(key, name, _) => format!("{}.{name}", key.name),
        }
    }

    /// Reads the value into its field, or says what is wrong with it and leaves the field alone.
    pub(super) fn store(self, settings: &mut Settings) -> Result<(), String> {
        match self {
            Given::Property(key, name, value) => store_property(key, name, value, settings),
            Given::Value(key, Raw::One(text)) => store_one(key, text, settings),
            Given::Value(key, Raw::Many(texts)) => store_many(key, texts, settings),
        }
    }
}

/// The entry is not repeated in the message: half of a password with a comma in it looks
/// like an entry without `=`.
fn property(key: &'static Key, entry: &str, n: usize) -> Result<Given, String> {
    let (name, value) = entry
        .split_once('=')
        .ok_or_else(|| format!("entry {n} has no \"=\"; write name=value, and \\, for a comma in a value"))?;
    Ok(Given::Property(key, name.trim().to_owned(), value.to_owned()))
}

/// Splits at commas, but not at `\,`.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next_if_eq(&',') } else { None };
        match pieces.last_mut() {
            Some(piece) if escaped.is_some() || c != ',' => piece.push(escaped.unwrap_or(c)),
            _ => pieces.push(String::new()),
        }
    }
    let kept = pieces.iter().map(|piece| piece.trim().to_owned());
    kept.filter(|piece| !piece.is_empty()).collect()
}

fn store_property(key: &Key, name: String, value: String, settings: &mut Settings) -> Result<(), String> {
    let Kind::Map(at) = key.kind else { return Err(format!("write {}", key.kind.wanted())) };
    if name.is_empty() {
        return Err("a property needs a name".to_owned());
    }
    if let Some((_, instead)) = OWNED_PROPERTIES.iter().find(|(owned, _)| *owned == name) {
        return Err(format!("custody sets this property itself: {instead}"));
    }
    at(settings).insert(name, value);
    Ok(())
}

fn store_many(key: &Key, texts: Vec<String>, settings: &mut Settings) -> Result<(), String> {
    let Kind::List(at) = key.kind else { return Err(format!("write {}", key.kind.wanted())) };
    for (n, text) in texts.iter().enumerate() {
        if text.is_empty() {
            return Err(format!("entry {} is empty", n + 1));
        }
        if texts[..n].contains(text) {
            return Err(format!("{text:?} is listed twice"));
        }
    }
    *at(settings) = texts;
    Ok(())
}

fn store_one(key: &Key, text: String, settings: &mut Settings) -> Result<(), String> {
    if text.is_empty() && !key.default.is_empty() {
        return Err("must not be empty".to_owned());
    }
    match key.kind {
        Kind::Text(at) => *at(settings) = text,
        Kind::Word(at) => *at(settings) = word(text)?,
        Kind::OneOf(words, at) => *at(settings) = one_of(words, text)?,
        Kind::Location(at) => *at(settings) = location(text)?,
        Kind::Url(at) => *at(settings) = url(text)?,
        Kind::Ldap(at) => *at(settings) = ldap(text)?,
        Kind::Path(at) => *at(settings) = local(text)?,
        Kind::Listen(at) => *at(settings) = listen(&text)?,
        Kind::Bool(at) => *at(settings) = truth(&text)?,
        Kind::Bytes(range, at) => *at(settings) = range.check(units::bytes(&text)?, units::show_bytes)?,
        Kind::Count(range, at) => *at(settings) = range.check(units::count(&text)?, |n| n.to_string())?,
        Kind::Time(range, at) => {
            let ms = range.check(units::duration_ms(&text)?, units::show_ms)?;
            *at(settings) = Duration::from_millis(ms);
        }
        Kind::List(_) | Kind::Map(_) => return Err(format!("write {}", key.kind.wanted())),
    }
    Ok(())
}

fn word(text: String) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.chars().all(fits) && text.contains(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(text);
    }
    Err(format!("{text:?} is not a word of letters, digits, -, _ and ."))
}

fn one_of(words: &[&str], text: String) -> Result<String, String> {
    if words.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(format!("{text:?} is not known; write one of {}", words.join(", ")))
}

fn location(text: String) -> Result<String, String> {
    let in_s3 = text.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if in_s3 || !text.contains("://") {
        return Ok(text);
    }
    Err(format!("{:?} is neither a local path nor s3://bucket/prefix", secret::urls(&text)))
}

fn url(text: String) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Ok(text);
    }
    Err(format!("{:?} is not an address; write it with https://", secret::urls(&text)))
}

/// A server alone: what is searched there has keys of its own, and a password in an address is shown.
fn ldap(text: String) -> Result<String, String> {
    let rest = text.strip_prefix("ldaps://").or_else(|| text.strip_prefix("ldap://"));
    let server = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    if text.is_empty()
        || server.is_some_and(|server| !server.is_empty() && !server.contains(['/', '?', '@', ' ']))
    {
        return Ok(text);
    }
    Err(format!(
        "{:?} is not a directory server; write ldaps://host or ldap://host, with :port if need be",
        secret::urls(&text)
    ))
}

fn local(text: String) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err(format!("{:?} is not a local path", secret::urls(&text)));
    }
    Ok(PathBuf::from(text))
}

fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = |_| format!("{text:?} is not an IP address and port; write \"127.0.0.1:9464\", or \"off\"");
    text.parse().map(Some).map_err(wrong)
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}
