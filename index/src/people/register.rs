//! The register: persons, and what each was called and held when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::overlap::{canonical, overlaps};
use super::when::show_ms;
use crate::query::TimeRange;
use crate::text::{ADDRESS_BYTES_MAX, address_form, lower_case};

/// The most addresses with their times; a register is held in memory whole, at some 200 bytes each.
pub const ROWS_MAX: usize = 1_000_000;

/// An address of a person for some time, and what the person was called meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// As it was written.
    pub name: String,
    /// As it was written; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// In lower case; absent when the address is meant on every network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Trimmed and in lower case, as addresses are compared; without scheme where it has a domain.
    pub address: String,
    /// The first millisecond since 1970 UTC at which it is held; absent when it always was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// The first millisecond at which it is not held any more; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
}

impl Entry {
    /// When it is held.
    pub fn range(&self) -> TimeRange {
        TimeRange { from_ms: self.from_ms, to_ms: self.to_ms }
    }

    /// The same for people: `from 2019-01-01 until 2020-06-30`.
    pub fn times(&self) -> String {
        match (self.from_ms, self.to_ms) {
            (None, None) => "always".to_owned(),
            (Some(from), None) => format!("from {}", show_ms(from)),
            (None, Some(to)) => format!("until {}", show_ms(to)),
            (Some(from), Some(to)) => format!("from {} until {}", show_ms(from), show_ms(to)),
        }
    }
}

/// One person, under however many names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Such as an employee number; absent where the name is the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// At least one, in order and none twice.
    pub entries: Vec<Entry>,
}

impl Person {
    /// The latest name.
    pub fn name(&self) -> &str {
        let latest = self.entries.iter().max_by_key(|entry| (entry.to_ms.unwrap_or(i64::MAX), entry.from_ms));
        latest.map_or("", |entry| &entry.name)
    }

    /// What tells this person from every other.
    pub(super) fn key(&self) -> Key {
        Key::of(self.id.as_deref(), self.name())
    }
}

/// An identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Id(String),
    Name(String),
}

impl Key {
    pub(super) fn of(id: Option<&str>, name: &str) -> Key {
        id.map_or_else(|| Key::Name(folded(name)), |id| Key::Id(folded(id)))
    }
}

/// Names, ids and departments are compared so: without regard to case and to how many spaces
/// stand between words.
pub(super) fn folded(text: &str) -> String {
    lower_case(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One line of what a register is made from, and where it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// For messages, such as `line 7`.
    pub place: String,
    /// The identity, if the source has one.
    pub id: Option<String>,
    /// What it says.
    pub entry: Entry,
}

/// Everybody. At every instant an address is one person's at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    persons: Vec<Person>,
}

impl People {
    /// A register of `rows`.
    ///
    /// # Errors
    ///
    /// Every mistake, each with the places that it is about.
    pub fn new(rows: Vec<Row>) -> Result<People, Vec<String>> {
        let mut mistakes: Vec<String> = rows.iter().filter_map(|row| wrong(row).err()).collect();
        if rows.len() > ROWS_MAX {
            mistakes.push(format!("more than {ROWS_MAX} addresses; a register holds no more"));
        }
        mistakes.extend(unclear_identities(&rows));
        mistakes.extend(overlaps(&rows));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut persons: BTreeMap<Key, Person> = BTreeMap::new();
        for row in rows {
            let key = Key::of(row.id.as_deref(), &row.entry.name);
            let person = persons.entry(key).or_insert_with(|| Person { id: row.id, entries: Vec::new() });
            person.entries.push(Entry { address: canonical(&row.entry.address), ..row.entry });
        }
        let mut persons: Vec<Person> = persons.into_values().collect();
        for person in &mut persons {
            person.entries.sort();
            person.entries.dedup();
        }
        Ok(People { persons })
    }

    /// Everybody, in order of identity.
    pub fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// Each address of each person, for a register that is made from this one.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.persons.iter().flat_map(|person| {
            let place = match &person.id {
                Some(id) => format!("{} ({id})", person.name()),
                None => person.name().to_owned(),
            };
            let row = move |entry: &Entry| Row {
                place: place.clone(),
                id: person.id.clone(),
                entry: entry.clone(),
            };
            person.entries.iter().map(row)
        })
    }
}

/// What is wrong with a row by itself.
fn wrong(row: &Row) -> Result<(), String> {
    let Row { place, id, entry } = row;
    let fields = [
        ("person", Some(&entry.name)),
        ("id", id.as_ref()),
        ("department", entry.department.as_ref()),
        ("network", entry.network.as_ref()),
        ("address", Some(&entry.address)),
    ];
    for (field, text) in fields.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        if text.trim().is_empty() {
            return Err(format!("{place}: {field} is empty; write it, or remove the row"));
        }
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(format!("{place}: {field} is longer than {ADDRESS_BYTES_MAX} bytes; shorten it"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{place}: {field} holds a control character; remove it"));
        }
    }
    let form = address_form(&entry.address);
    if form.starts_with('@') && !form.contains(':') {
        return Err(format!("{place}: {form:?} is a whole domain; write the addresses that one person has"));
    }
    if let (Some(from), Some(to)) = (entry.from_ms, entry.to_ms)
        && from >= to
    {
        return Err(format!(
            "{place}: valid_to is not after valid_from; valid_to is the first moment at which the address \
             is not held any more"
        ));
    }
    Ok(())
}

/// A name is an identity only where nobody with an id has it, and an id must not be a name.
fn unclear_identities(rows: &[Row]) -> Vec<String> {
    let mut with_id: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    for (row, id) in rows.iter().filter_map(|row| Some((row, row.id.as_deref()?))) {
        with_id.entry(folded(&row.entry.name)).or_insert((id, &row.place));
        ids.entry(folded(id)).or_insert(&row.place);
    }
    let mut mistakes = Vec::new();
    for row in rows {
        let name = folded(&row.entry.name);
        if row.id.is_none()
            && let Some((id, place)) = with_id.get(&name)
        {
            mistakes.push(format!(
                "{}: {:?} has no id here, but {id:?} in {place}; write the id in every row of one person",
                row.place, row.entry.name
            ));
        }
        let own = row.id.as_deref().is_some_and(|id| folded(id) == name);
        if let Some(place) = ids.get(&name).filter(|_| !own) {
            mistakes.push(format!(
                "{}: the name {:?} is the id of somebody else in {place}; change one of them",
                row.place, row.entry.name
            ));
        }
    }
    mistakes
}
