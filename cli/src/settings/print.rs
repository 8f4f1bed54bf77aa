//! `custody config print`: what is in force, and why.

use std::collections::BTreeMap;

use super::keys::{KEYS, Key};
use super::kind::Kind;
use super::load::Loaded;
use super::problem::Origin;
use super::secret;
use super::types::Settings;
use super::units;

/// Every key with its value and where it came from, as TOML. Without secrets, so it can be
/// pasted into a ticket; hidden values have to be filled in again before it is used.
pub fn print(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut table = "";
    for key in KEYS {
        if let Kind::Map(at) = key.kind {
            print_map(&mut out, key, at(&mut loaded.settings.clone()), loaded);
            continue;
        }
        let (in_table, name) = key.split();
        if table != in_table {
            header(&mut out, in_table);
            table = in_table;
        }
        out.push_str(&format!("{name} = {} # {}\n", key.show(&loaded.settings), origin(loaded, key.name)));
    }
    out
}

fn print_map(out: &mut String, key: &Key, map: &BTreeMap<String, String>, loaded: &Loaded) {
    header(out, key.name);
    for (name, value) in map {
        let came_from = origin(loaded, &format!("{}.{name}", key.name));
        let line = format!("{} = {} # {came_from}\n", quoted(name), text(&shown_property(key, name, value)));
        out.push_str(&line);
    }
}

/// Starts a table.
pub(super) fn header(out: &mut String, table: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("[{table}]\n"));
}

/// On one line, because a comment ends with it.
fn origin(loaded: &Loaded, name: &str) -> String {
    let origin = loaded.origins.get(name).unwrap_or(&Origin::Default);
    origin.to_string().replace(char::is_control, " ")
}

impl Key {
    /// The value in force as TOML, without secrets. Maps are one inline table.
    pub(super) fn show(&self, settings: &Settings) -> String {
        // The table holds one accessor per field, and it is the one that writes.
        let settings = &mut settings.clone();
        let hide = |value: &str| {
            // One that is not set is no secret.
            let hidden = self.secret && !value.is_empty();
            if hidden { secret::HIDDEN.to_owned() } else { secret::urls(value).into_owned() }
        };
        match self.kind {
            Kind::Text(at)
            | Kind::Word(at)
            | Kind::OneOf(_, at)
            | Kind::Location(at)
            | Kind::Url(at)
            | Kind::Ldap(at) => text(&hide(at(settings))),
            Kind::Path(at) => text(&at(settings).to_string_lossy()),
            Kind::Listen(at) => {
                text(&at(settings).map_or_else(|| "off".to_owned(), |address| address.to_string()))
            }
            Kind::Bytes(_, at) => text(&units::show_bytes(*at(settings))),
            Kind::Time(_, at) => {
                text(&units::show_ms(at(settings).as_millis().try_into().unwrap_or(u64::MAX)))
            }
            Kind::Count(_, at) => at(settings).to_string(),
            Kind::Bool(at) => at(settings).to_string(),
            Kind::List(at) => {
                at(settings).iter().map(|item| hide(item)).collect::<toml_edit::Array>().to_string()
            }
            Kind::Map(at) => {
                let pair =
                    |(name, value): (&String, &String)| (name.clone(), shown_property(self, name, value));
                at(settings).iter().map(pair).collect::<toml_edit::InlineTable>().to_string()
            }
        }
    }

    /// Whether nobody set it and it has no default.
    pub(super) fn is_unset(&self, settings: &Settings) -> bool {
        self.default.is_empty() && self.show(settings) == self.show(&Settings::default())
    }
}

fn shown_property(key: &Key, name: &str, value: &str) -> String {
    if key.secret { secret::property(name, value).into_owned() } else { secret::urls(value).into_owned() }
}

fn text(value: &str) -> String {
    toml_edit::Value::from(value).to_string()
}

/// A name as TOML wants it: in quotes if it has dots.
pub(super) fn quoted(name: &str) -> String {
    toml_edit::Key::new(name).display_repr().into_owned()
}
