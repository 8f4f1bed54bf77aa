//! From one register to the next by what a directory says now.
//!
//! A directory knows no past: an address that is not there any more was held until now, a new one
//! is held from now on, and a changed name or department likewise. Nothing is ever forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::overlap::canonical;
use super::register::{Entry, Key, People, Person, Row, folded};
use super::when::show_ms;

/// A person as a directory shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// For messages, such as the distinguished name.
    pub place: String,
    /// What stays when the name changes.
    pub id: Option<String>,
    /// The name.
    pub name: String,
    /// The department.
    pub department: Option<String>,
    /// All addresses, each meant on every network.
    pub addresses: Vec<String>,
}

impl Seen {
    fn key(&self) -> Key {
        Key::of(self.id.as_deref(), &self.name)
    }

    fn says(&self, entry: &Entry) -> bool {
        entry.network.is_none() && entry.name == self.name && entry.department == self.department
    }
}

/// The register after `old`, which was written at `old_ms`; without one everything was always so.
/// Somebody in `old` who has no id and the name of a person that is seen with a new one is that
/// person: a register that began with names goes on with ids.
///
/// # Errors
///
/// Every mistake: two persons with one identity or one address, and a clock that went back.
pub fn sync(old: Option<(&People, i64)>, seen: &[Seen], at_ms: i64) -> Result<People, Vec<String>> {
    if let Some((_, old_ms)) = old.filter(|(_, old_ms)| *old_ms >= at_ms) {
        return Err(vec![format!(
            "this machine's clock says {}, but the register is of {}; set the clock",
            show_ms(at_ms),
            show_ms(old_ms)
        )]);
    }
    let mut rows: Vec<Row> = old.into_iter().flat_map(|(people, _)| people.rows()).collect();
    adopt(&mut rows, seen);
    let wanted = wanted(seen)?;
    let mut kept = HashSet::new();
    for row in rows.iter_mut().filter(|row| row.entry.range().contains(at_ms)) {
        let holding = (Key::of(row.id.as_deref(), &row.entry.name), row.entry.address.clone());
        match wanted.get(&holding) {
            Some(person) if person.says(&row.entry) => drop(kept.insert(holding)),
            _ => row.entry.to_ms = Some(at_ms),
        }
    }
    // What was to begin at this very moment was never held.
    rows.retain(|row| row.entry.from_ms.is_none() || row.entry.from_ms != row.entry.to_ms);
    let new = wanted.iter().filter(|(holding, _)| !kept.contains(*holding));
    rows.extend(new.map(|((_, address), person)| Row {
        place: person.place.clone(),
        id: person.id.clone(),
        entry: Entry {
            name: person.name.clone(),
            department: person.department.clone(),
            network: None,
            address: address.clone(),
            from_ms: old.map(|_| at_ms),
            to_ms: None,
        },
    }));
    People::new(rows)
}

/// What everybody holds now, by identity and address.
fn wanted(seen: &[Seen]) -> Result<BTreeMap<(Key, String), &Seen>, Vec<String>> {
    let mut first: HashMap<Key, &Seen> = HashMap::new();
    let (mut out, mut mistakes) = (BTreeMap::new(), Vec::new());
    for person in seen {
        let key = person.key();
        if let Some(other) = first.insert(key.clone(), person) {
            let what = person.id.as_ref().map_or("name, and no id", |_| "id");
            mistakes.push(format!(
                "{} and {} have the same {what}; name another attribute for ids, or correct the directory",
                other.place, person.place
            ));
        }
        out.extend(person.addresses.iter().map(|address| ((key.clone(), canonical(address)), person)));
    }
    if mistakes.is_empty() { Ok(out) } else { Err(mistakes) }
}

/// Gives ids to those who had only a name. Of several with that name it is the one with an address
/// of theirs; where that is not clear either, none, and the register says so.
fn adopt(rows: &mut [Row], seen: &[Seen]) {
    let known: HashSet<String> = rows.iter().filter_map(|row| row.id.as_deref().map(folded)).collect();
    let mut named: HashMap<String, Vec<&Seen>> = HashMap::new();
    for person in seen {
        if person.id.as_deref().is_some_and(|id| !known.contains(&folded(id))) {
            named.entry(folded(&person.name)).or_default().push(person);
        }
    }
    let mut addresses: HashMap<String, HashSet<String>> = HashMap::new();
    for row in rows.iter().filter(|row| row.id.is_none()) {
        addresses.entry(folded(&row.entry.name)).or_default().insert(row.entry.address.clone());
    }
    let mut ids: HashMap<String, String> = HashMap::new();
    for (name, held) in addresses {
        let candidates = named.get(&name).map(Vec::as_slice).unwrap_or_default();
        let shares = |person: &&&Seen| person.addresses.iter().any(|a| held.contains(&canonical(a)));
        let mut sharing = candidates.iter().filter(shares);
        let meant = match (candidates, sharing.next(), sharing.next()) {
            ([only], _, _) => only.id.clone(),
            (_, Some(one), None) => one.id.clone(),
            _ => None,
        };
        ids.extend(meant.map(|id| (name, id)));
    }
    for row in rows.iter_mut().filter(|row| row.id.is_none()) {
        row.id = ids.get(&folded(&row.entry.name)).cloned();
    }
}

/// How many persons hold something in `old` at an instant, and how many of them nothing in `new`:
/// those that a sync closed.
pub fn closed(old: &People, new: &People, at_ms: i64) -> (usize, usize) {
    let holds = |person: &&Person| person.entries.iter().any(|entry| entry.range().contains(at_ms));
    let count = |people: &People| people.persons().iter().filter(holds).count();
    let still: HashSet<Key> = new.persons().iter().filter(holds).map(Person::key).collect();
    // One that was given an id meanwhile is known by its name.
    let names: HashSet<String> = new.persons().iter().filter(holds).map(|p| folded(p.name())).collect();
    let stays = |person: &&Person| {
        still.contains(&person.key()) || (person.id.is_none() && names.contains(&folded(person.name())))
    };
    let (held, stayed) = (count(old), old.persons().iter().filter(holds).filter(stays).count());
    (held, held - stayed)
}
