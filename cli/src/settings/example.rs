//! `custody config example`: a file to start from, which cannot lag behind the program
//! because it is written by it.

use super::keys::{KEYS, Key};
use super::kind::Kind;
use super::print::{header, quoted};
use super::text::Given;
use super::types::Settings;
use super::units;

const HEAD: &str = "\
# custody.toml: every setting. A line that begins with # and no space shows a setting and
# its default or an example; remove the # to change it.
#
# A flag beats an environment variable, which beats this file, which beats the default.
# `custody config check` names every mistake, `custody config print` shows what is in
# force and where it came from.
";

/// The file, with every setting explained and commented out.
pub fn example() -> String {
    let mut out = HEAD.to_owned();
    let mut table = "";
    for key in KEYS {
        let (in_table, name) = key.split();
        if let Kind::Map(_) = key.kind {
            header(&mut out, key.name);
            out.push_str(&comment(key));
            out.push_str(&example_map(key));
            continue;
        }
        if table == in_table {
            out.push('\n');
        } else {
            header(&mut out, in_table);
            table = in_table;
        }
        out.push_str(&comment(key));
        out.push_str(&format!("#{name} = {}\n", key.show(&with_example(key))));
    }
    out
}

fn comment(key: &Key) -> String {
    let help: String = key.help.lines().map(|line| format!("# {line}\n")).collect();
    let example = if key.default.is_empty() { "Not set by default. " } else { "" };
    let limits = limits(&key.kind).unwrap_or_default();
    format!("{help}# {example}{limits}{} or {}\n", key.env, key.flag)
}

fn limits(kind: &Kind) -> Option<String> {
    let (range, show): (_, fn(u64) -> String) = match kind {
        Kind::Bytes(range, _) => (range, units::show_bytes),
        Kind::Time(range, _) => (range, units::show_ms),
        Kind::Count(range, _) => (range, |n| n.to_string()),
        _ => return None,
    };
    Some(format!("From {} to {}. ", show(range.min), show(range.max)))
}

fn example_map(key: &'static Key) -> String {
    let Kind::Map(at) = key.kind else { return String::new() };
    let mut settings = with_example(key);
    let line = |(name, value): (&String, &String)| format!("#{} = {value:?}\n", quoted(name));
    at(&mut settings).iter().map(line).collect()
}

/// Settings with this one key set. The tests read the example back, so what is skipped here
/// because it cannot be read is found there.
fn with_example(key: &'static Key) -> Settings {
    let mut settings = Settings::default();
    let text = if key.default.is_empty() { key.example } else { key.default };
    for given in Given::from_text(key, text).unwrap_or_default() {
        given.store(&mut settings).unwrap_or_default();
    }
    settings
}
