//! From a name to what is searched.

use std::collections::{BTreeMap, HashMap};

use super::register::{Entry, People, Person, folded};
use crate::query::nearest::nearest;
use crate::query::{Pattern, Query, TimeRange};
use crate::text::{address_terms, lower_case};

/// Ids that are listed where a name is not enough.
const IDS_SHOWN: usize = 5;

/// An address for as long as it is meant, half-open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// In lower case; absent for every network.
    pub network: Option<String>,
    /// As addresses are compared.
    pub address: String,
    /// The first millisecond since 1970 UTC; absent for "from the beginning".
    pub from_ms: Option<i64>,
    /// The first millisecond past the end; absent for "until now and on".
    pub to_ms: Option<i64>,
}

/// Why nobody is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nobody is called so.
    #[error("no {what} is called {name:?}")]
    Unknown {
        /// `person` or `department`.
        what: &'static str,
        /// As it was asked for.
        name: String,
        /// What it may have been meant to be, as the register writes it.
        nearest: Option<String>,
    },
    /// Several persons are, or were, called so.
    #[error("{name:?} is {count} persons: write the id of one ({})", ids.join(", "))]
    Ambiguous {
        /// As it was asked for.
        name: String,
        /// How many.
        count: usize,
        /// The ids of the first.
        ids: Vec<String>,
    },
}

impl People {
    /// The addresses of the person with this name, or one of its earlier names, or this id; in
    /// order, times that touch as one. Case and spaces do not matter.
    ///
    /// # Errors
    ///
    /// When there is none, or more than one.
    pub fn custodian(&self, name: &str) -> Result<Vec<Held>, LookupError> {
        let wanted = folded(name);
        let is = |person: &&Person| {
            person.id.as_deref().is_some_and(|id| folded(id) == wanted)
                || person.entries.iter().any(|entry| folded(&entry.name) == wanted)
        };
        let mut found = self.persons().iter().filter(is);
        let Some(person) = found.next() else {
            let names = self
                .persons()
                .iter()
                .flat_map(|person| person.entries.iter().map(|entry| &entry.name).chain(&person.id));
            return Err(unknown("person", name, names));
        };
        let others: Vec<&Person> = found.collect();
        if others.is_empty() {
            return Ok(joined(person.entries.iter()));
        }
        let all = std::iter::once(person).chain(others.iter().copied());
        let ids = all.filter_map(|person| person.id.clone()).take(IDS_SHOWN).collect();
        Err(LookupError::Ambiguous { name: name.to_owned(), count: 1 + others.len(), ids })
    }

    /// The addresses of everybody in this department, each for as long as they were in it.
    ///
    /// # Errors
    ///
    /// When nobody ever was.
    pub fn department(&self, name: &str) -> Result<Vec<Held>, LookupError> {
        let wanted = folded(name);
        let entries = || self.persons().iter().flat_map(|person| &person.entries);
        let is = |entry: &&Entry| entry.department.as_deref().is_some_and(|name| folded(name) == wanted);
        let held = joined(entries().filter(is));
        if held.is_empty() {
            return Err(unknown("department", name, entries().filter_map(|entry| entry.department.as_ref())));
        }
        Ok(held)
    }
}

/// Who holds which address when, to be asked for many records.
#[derive(Debug)]
pub struct Holders {
    people: People,
    /// Persons and their entries, in order, by address.
    by_address: HashMap<String, Vec<(usize, usize)>>,
}

impl Holders {
    /// Those of a register; takes some hundred bytes for each address.
    pub fn new(people: People) -> Holders {
        let mut by_address: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (person, of) in people.persons().iter().enumerate() {
            for (entry, held) in of.entries.iter().enumerate() {
                by_address.entry(held.address.clone()).or_default().push((person, entry));
            }
        }
        Holders { people, by_address }
    }

    /// Whose an address of a record is on a network at an instant, if it is anybody's: whoever's
    /// [`query`] would find it.
    pub fn at(&self, network: &str, address: &str, at_ms: i64) -> Option<&Person> {
        let network = lower_case(network);
        let mut terms = Vec::new();
        address_terms(address, None, &mut terms);
        let is = |(person, entry): &&(usize, usize)| {
            let entry = self.people.persons().get(*person).and_then(|person| person.entries.get(*entry));
            entry.is_some_and(|entry| {
                entry.range().contains(at_ms) && entry.network.as_ref().is_none_or(|on| *on == network)
            })
        };
        let held = terms.iter().filter_map(|term| self.by_address.get(term)).flatten().filter(is);
        let (first, _) = held.min()?;
        self.people.persons().get(*first)
    }
}

fn unknown<'n>(what: &'static str, name: &str, known: impl Iterator<Item = &'n String>) -> LookupError {
    let known: BTreeMap<String, &str> = known.map(|known| (folded(known), known.as_str())).collect();
    let near = nearest(&folded(name), known.keys().map(String::as_str));
    let nearest = near.and_then(|key| known.get(key)).map(|written| (*written).to_owned());
    LookupError::Unknown { what, name: name.to_owned(), nearest }
}

/// One entry for each stretch of time in which an address is held, also under several names.
fn joined<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<Held> {
    let mut all: Vec<Held> = entries
        .map(|entry| Held {
            network: entry.network.clone(),
            address: entry.address.clone(),
            from_ms: entry.from_ms,
            to_ms: entry.to_ms,
        })
        .collect();
    all.sort();
    let mut out: Vec<Held> = Vec::with_capacity(all.len());
    for next in all {
        let touching = out.last_mut().filter(|last| {
            (&last.network, &last.address) == (&next.network, &next.address)
                && last.to_ms.is_none_or(|to| next.from_ms.is_none_or(|from| from <= to))
        });
        match touching {
            Some(last) => last.to_ms = last.to_ms.zip(next.to_ms).map(|(a, b)| a.max(b)),
            None => out.push(next),
        }
    }
    out
}

/// The query with everybody's addresses in place of their names.
///
/// # Errors
///
/// When a name is nobody's, or several persons'.
pub fn resolve(query: Query, people: &People) -> Result<Query, LookupError> {
    let many =
        |parts: Vec<Query>| parts.into_iter().map(|part| resolve(part, people)).collect::<Result<_, _>>();
    Ok(match query {
        Query::And(parts) => Query::and(many(parts)?),
        Query::Or(parts) => Query::or(many(parts)?),
        Query::Not(inner) => Query::negated(resolve(*inner, people)?),
        Query::Custodian(name) => self::query(&people.custodian(&name)?),
        Query::Department(name) => self::query(&people.department(&name)?),
        other => other,
    })
}

/// The records of these addresses, each while it is held; nothing where there are none. A record
/// without a time is found only by an address that is held always.
pub fn query(held: &[Held]) -> Query {
    let one = |held: &Held| {
        let mut parts = vec![Query::Participant(Pattern::new(&held.address))];
        parts.extend(held.network.clone().map(|network| Query::Network(network.into())));
        let range = TimeRange { from_ms: held.from_ms, to_ms: held.to_ms };
        if range.from_ms.is_some() || range.to_ms.is_some() {
            parts.push(Query::Date(range));
        }
        Query::and(parts)
    };
    Query::or(held.iter().map(one).collect())
}
