//! The four layers, laid over each other.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::file;
use super::keys::{KEYS, Key};
use super::nearest;
use super::problem::{Origin, Problem};
use super::rules;
use super::text::Given;
use super::types::Settings;

/// Read when it exists and no other file was named.
const FILE: &str = "custody.toml";

/// What the settings are made of.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The file that `--config` names; it must exist. `None` reads `custody.toml` if there is one.
    pub file: Option<PathBuf>,
    /// The environment. Only names that begin with `CUSTODY_` are looked at; an empty value is
    /// as good as none, as in `CUSTODY_INDEX=${INDEX:-}`.
    pub env: BTreeMap<String, String>,
    /// Flags as (key, value), such as `("kafka.topics", "events")`; lists and maps may repeat.
    pub flags: Vec<(String, String)>,
}

/// Settings in force.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// Where each came from, by key. Maps have an entry for each name in them,
    /// such as `kafka.properties.security.protocol`.
    pub origins: BTreeMap<String, Origin>,
}

impl Settings {
    /// Reads the file and lays the layers over each other.
    ///
    /// # Errors
    ///
    /// Every mistake in every layer, also in values that a higher layer replaces.
    pub fn load(inputs: Inputs) -> Result<Loaded, Vec<Problem>> {
        let named = inputs.file.is_some();
        let path = inputs.file.unwrap_or_else(|| PathBuf::from(FILE));
        let mut layers = Layers::with_defaults();
        match fs::read_to_string(&path) {
            Ok(text) => layers.file(&path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound && !named => {}
            Err(error) => {
                layers.problems.push(Problem::new(path.display(), format!("cannot be read: {error}")))
            }
        }
        layers.env(&inputs.env);
        layers.flags(&inputs.flags);
        layers.finish()
    }
}

/// Every mistake in the text of a settings file and in the environment; `path` is only named.
pub fn check(text: &str, path: &Path, env: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut layers = Layers::with_defaults();
    layers.file(path, text);
    layers.env(env);
    layers.finish().err().unwrap_or_default()
}

impl Loaded {
    /// A problem for each of these keys that nobody set, saying the three ways to set it.
    pub fn require(&self, names: &[&str]) -> Vec<Problem> {
        let unset = KEYS.iter().filter(|key| names.contains(&key.name) && key.is_unset(&self.settings));
        let problem = |key: &Key| {
            let message = format!("is not set; set it in {FILE}, with {} or with {}", key.env, key.flag);
            Problem::new(key.name, message)
        };
        unset.map(problem).collect()
    }
}

/// Lower layers first: what is stored later wins.
pub(super) struct Layers {
    settings: Settings,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn with_defaults() -> Layers {
        let mut layers =
            Layers { settings: Settings::default(), origins: BTreeMap::new(), problems: Vec::new() };
        for key in KEYS {
            layers.origins.insert(key.name.to_owned(), Origin::Default);
            if !key.default.is_empty() {
                layers.text(key, &Origin::Default, Given::from_text(key, key.default));
            }
        }
        layers
    }

    pub(super) fn file(&mut self, path: &Path, text: &str) {
        for entry in file::entries(text) {
            let origin = Origin::File { path: path.to_owned(), line: entry.line };
            let place = match entry.column {
                Some(column) => format!("{origin}:{column}"),
                None => origin.to_string(),
            };
            match entry.found {
                Ok(given) => self.store(&origin, given),
                Err(message) => self.problems.push(Problem { place, key: entry.key, message }),
            }
        }
    }

    pub(super) fn env(&mut self, env: &BTreeMap<String, String>) {
        let ours = env.iter().filter(|(name, value)| name.starts_with("CUSTODY_") && !value.is_empty());
        for (name, value) in ours {
            let origin = Origin::Environment(name.clone());
            match KEYS.iter().find(|key| key.env == name) {
                Some(key) => self.text(key, &origin, Given::from_text(key, value)),
                None if set_by_kubernetes(name) => {}
                None => self.problems.push(Problem::new(origin, unknown_env(name))),
            }
        }
    }

    pub(super) fn flags(&mut self, flags: &[(String, String)]) {
        for (name, _) in flags.iter().filter(|(name, _)| Key::find(name).is_none()) {
            self.problems.push(Problem::of("flags", name, unknown(nearest::key(name))));
        }
        for key in KEYS {
            let values: Vec<&str> =
                flags.iter().filter(|(name, _)| name == key.name).map(|(_, value)| value.as_str()).collect();
            if !values.is_empty() {
                self.text(key, &Origin::Flag(key.flag.to_owned()), Given::from_flags(key, &values));
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Loaded, Vec<Problem>> {
        self.problems.extend(rules::broken(&self.settings, &self.origins, &self.problems));
        if self.problems.is_empty() {
            return Ok(Loaded { settings: self.settings, origins: self.origins });
        }
        Err(self.problems)
    }

    fn text(&mut self, key: &Key, origin: &Origin, given: Result<Vec<Given>, String>) {
        match given {
            Ok(given) => given.into_iter().for_each(|given| self.store(origin, given)),
            Err(message) => self.problems.push(Problem::of(origin, key.name, message)),
        }
    }

    fn store(&mut self, origin: &Origin, given: Given) {
        let name = given.name();
        match given.store(&mut self.settings) {
            Ok(()) => drop(self.origins.insert(name, origin.clone())),
            Err(message) => self.problems.push(Problem::of(origin, name, message)),
        }
    }
}

fn unknown_env(name: &str) -> String {
    unknown(nearest::env(name)).replacen("key", "variable", 1)
}

fn unknown(nearest: Option<&str>) -> String {
    match nearest {
        Some(known) => format!("unknown key; did you mean {known}?"),
        None => "unknown key; `custody config example` lists the known ones".to_owned(),
    }
}

/// Kubernetes hands every container the addresses of the services beside it; a service named
/// `custody` or `custody-…` must not keep the worker from starting.
fn set_by_kubernetes(name: &str) -> bool {
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}
