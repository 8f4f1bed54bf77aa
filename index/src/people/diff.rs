//! What becomes of a register when another takes its place.

use std::collections::BTreeMap;

use super::register::{Entry, Key, People, Person};

/// What happens to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The identity, if it has one of its own.
    pub id: Option<String>,
    /// The latest name.
    pub name: String,
    /// Entries that are there no more.
    pub removed: Vec<Entry>,
    /// Entries that were not there.
    pub added: Vec<Entry>,
}

/// From one register to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Persons that are new.
    pub added: Vec<Change>,
    /// Persons that are gone.
    pub removed: Vec<Change>,
    /// Persons of which something is other.
    pub changed: Vec<Change>,
    /// Persons that the old one had.
    pub before: usize,
}

impl Difference {
    /// Whether the registers say the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Whether so many persons go that it looks like a mistake: more than half.
    pub fn is_drastic(&self) -> bool {
        self.removed.len() * 2 > self.before
    }
}

/// What is other in `new`; in order of identity. Somebody who was known by name alone and has an id
/// now is the same person.
pub fn difference(old: &People, new: &People) -> Difference {
    let (mut before, after) = (by_key(old), by_key(new));
    let mut out = Difference { before: before.len(), ..Difference::default() };
    for (key, person) in after {
        let was = before.remove(&key).or_else(|| named(person, &mut before));
        match was {
            None => out.added.push(change(person, &[], &person.entries)),
            Some(was) if was != person => out.changed.push(change(person, &was.entries, &person.entries)),
            Some(_) => {}
        }
    }
    out.removed = before.values().map(|person| change(person, &person.entries, &[])).collect();
    out
}

fn by_key(people: &People) -> BTreeMap<Key, &Person> {
    people.persons().iter().map(|person| (person.key(), person)).collect()
}

/// Takes out whoever had one of the names of a person with an id. Nobody who still has only a name
/// is taken: a name is then in no entry with an id.
fn named<'p>(person: &Person, before: &mut BTreeMap<Key, &'p Person>) -> Option<&'p Person> {
    person.id.as_ref()?;
    person.entries.iter().find_map(|entry| before.remove(&Key::of(None, &entry.name)))
}

/// Both lists are sorted.
fn change(person: &Person, was: &[Entry], is: &[Entry]) -> Change {
    let without = |all: &[Entry], other: &[Entry]| -> Vec<Entry> {
        all.iter().filter(|entry| other.binary_search(entry).is_err()).cloned().collect()
    };
    Change {
        id: person.id.clone(),
        name: person.name().to_owned(),
        removed: without(was, is),
        added: without(is, was),
    }
}
