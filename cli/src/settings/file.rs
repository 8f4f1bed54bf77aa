//! From the text of `custody.toml` to what it sets, line by line. No mistake hides another:
//! each becomes an entry, and reading goes on.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::keys::{KEYS, Key};
use super::kind::Kind;
use super::nearest;
use super::text::{Given, Raw};

/// A text with this many syntax errors is not a settings file.
const SYNTAX_ERRORS_MAX: usize = 20;

/// One thing in the file: a value, or a mistake.
pub(super) struct Entry {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters; for syntax errors only.
    pub column: Option<usize>,
    /// As it was written; `None` for syntax errors.
    pub key: Option<String>,
    /// What it sets, or what is wrong.
    pub found: Result<Given, String>,
}

/// Everything in the file, in the order of its lines.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let (document, mut entries) = parse(text);
    if let Some(document) = document {
        let mut walk = Walk { text, entries: &mut entries };
        walk.table(document.as_table(), "");
    }
    entries.sort_by_key(|entry| entry.line);
    entries
}

/// The parser stops at the first error. A line that is wrong by itself is blanked out,
/// which keeps every other line where it is, and the rest is parsed again. After any other
/// error there is no telling what the lines below would mean: then there is no document.
fn parse(text: &str) -> (Option<Document<String>>, Vec<Entry>) {
    let mut rest = text.to_owned();
    let mut errors = Vec::new();
    loop {
        let error = match Document::parse(rest.clone()) {
            Ok(document) => return (Some(document), errors),
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start).min(rest.len());
        errors.push(syntax_error(text, at, error.message()));
        let line = line_at(&rest, at);
        if errors.len() == SYNTAX_ERRORS_MAX || !wrong_by_itself(&rest[line.clone()], error.message()) {
            return (None, errors);
        }
        rest.replace_range(line.clone(), &" ".repeat(line.len()));
    }
}

/// A header never is: without it the lines below would belong to another table.
fn wrong_by_itself(line: &str, message: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.starts_with('[') {
        return false;
    }
    message.contains("duplicate") || Document::parse(line).is_err()
}

fn syntax_error(text: &str, at: usize, message: &str) -> Entry {
    let line = line_at(text, at);
    Entry {
        line: line_number(text, at),
        column: Some(text.get(line.start..at).map_or(0, |before| before.chars().count()) + 1),
        key: None,
        found: Err(message.trim().replace('\n', "; ")),
    }
}

/// The line that byte `at` is in, without its line end.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n);
    start..end
}

fn line_number(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

struct Walk<'a> {
    text: &'a str,
    entries: &'a mut Vec<Entry>,
}

impl Walk<'_> {
    fn table(&mut self, table: &dyn TableLike, prefix: &str) {
        for (name, item) in table.iter() {
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            let line = self.line(table, name, item);
            match (Key::find(&path), item.as_table_like()) {
                (Some(key), Some(inner)) if matches!(key.kind, Kind::Map(_)) => self.map(key, inner, ""),
                (Some(key), _) => {
                    let found = raw(&key.kind, item).map(|raw| Given::Value(key, raw));
                    self.push(line, path, found);
                }
                (None, Some(inner)) if !inner.is_empty() => self.table(inner, &path),
                (None, inner) => self.unknown(line, path, inner.is_some()),
            }
        }
    }

    /// `a.b = "c"` without quotes around the name is a table within a table to TOML;
    /// to librdkafka it is the property `a.b`, so names are joined again.
    fn map(&mut self, key: &'static Key, table: &dyn TableLike, prefix: &str) {
        for (name, item) in table.iter() {
            let name_in_map = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            if let Some(inner) = item.as_table_like() {
                self.map(key, inner, &name_in_map);
                continue;
            }
            let line = self.line(table, name, item);
            let path = format!("{}.{name_in_map}", key.name);
            let found = property_text(item).map(|value| Given::Property(key, name_in_map, value));
            self.push(line, path, found);
        }
    }

    fn unknown(&mut self, line: usize, path: String, is_table: bool) {
        let section = KEYS.iter().any(|key| key.name.starts_with(&format!("{path}.")));
        let message = match (section, nearest::key(&path)) {
            (true, _) if is_table => return,
            (true, _) => format!("is a table; write [{path}] on a line of its own and its keys below"),
            (false, Some(known)) => format!("unknown key; did you mean {known}?"),
            (false, None) => "unknown key; `custody config example` lists the known ones".to_owned(),
        };
        self.push(line, path, Err(message));
    }

    fn push(&mut self, line: usize, path: String, found: Result<Given, String>) {
        self.entries.push(Entry { line, column: None, key: Some(path), found });
    }

    fn line(&self, table: &dyn TableLike, name: &str, item: &Item) -> usize {
        let key = table.key(name).and_then(toml_edit::Key::span);
        line_number(self.text, key.or_else(|| item.span()).map_or(0, |span| span.start))
    }
}

/// The value as text, if TOML's type fits the kind.
fn raw(kind: &Kind, item: &Item) -> Result<Raw, String> {
    let value = item.as_value();
    match (kind, value) {
        (Kind::List(_), Some(Value::Array(array))) => {
            let texts: Option<Vec<String>> = array.iter().map(|v| v.as_str().map(str::to_owned)).collect();
            texts.map(Raw::Many).ok_or_else(|| "every entry must be text; write each in quotes".to_owned())
        }
        (Kind::Bytes(..) | Kind::Count(..), Some(Value::Integer(n))) => Ok(Raw::One(n.value().to_string())),
        (Kind::Bool(_), Some(Value::Boolean(b))) => Ok(Raw::One(b.value().to_string())),
        (Kind::List(_) | Kind::Count(..) | Kind::Bool(_) | Kind::Map(_), Some(Value::String(_))) => {
            Err(wrong_type(kind, item))
        }
        (_, Some(Value::String(s))) => Ok(Raw::One(s.value().clone())),
        (Kind::Time(..), Some(Value::Integer(n))) => {
            Err(format!("{} has no unit; write a number and ms, s, m or h, such as \"2s\"", n.value()))
        }
        _ => Err(wrong_type(kind, item)),
    }
}

fn wrong_type(kind: &Kind, item: &Item) -> String {
    format!("is {}; write {}", type_name(item), kind.wanted())
}

/// The value is not repeated in the message: it may be a secret.
fn property_text(item: &Item) -> Result<String, String> {
    match item.as_value() {
        Some(Value::String(s)) => Ok(s.value().clone()),
        Some(Value::Integer(n)) => Ok(n.value().to_string()),
        Some(Value::Boolean(b)) => Ok(b.value().to_string()),
        _ => Err(format!("is {}; write text in quotes", type_name(item))),
    }
}

/// TOML's types in the words of the messages.
fn type_name(item: &Item) -> &'static str {
    match item.type_name() {
        "string" => "text",
        "integer" => "a whole number",
        "float" => "a number with a fraction",
        "boolean" => "true or false",
        "datetime" => "a date",
        "array" => "a list",
        "array of tables" => "a list of tables",
        _ => "a table",
    }
}
