//! Registers beside the archive's table: `people/00000000000000000042.json`.
//!
//! Each is numbered, written once and never changed. The highest number counts; the earlier ones
//! stay, so that an old search can be explained. Writing the next number if it is absent is the
//! only coordination: of two writers one gets it, the other reads again.

use std::sync::Arc;

use custody_archive::Store;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::register::{People, Person, Row};
use crate::error::{Error, Kind};

/// The format version that this code writes.
pub const PEOPLE_VERSION: u32 = 1;

/// Where a register came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `file` or `ldap`.
    pub kind: String,
    /// The file's name, or the URL of the directory and the base in it.
    pub name: String,
    /// SHA-256, hexadecimal: of the file's bytes, or of the entries as they were read.
    pub sha256: String,
}

/// One register, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The number in the file's name, from 1.
    pub number: u64,
    /// When it was written, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Where it came from.
    pub source: Source,
    /// Everybody.
    pub people: People,
}

/// What even a later format must have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Version 1 of the file. The hash is over the bytes of `persons` as they stand there: one changed
/// bit must not become another name or another day.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    number: u64,
    at_ms: i64,
    source: Source,
    persons_sha256: String,
    persons: Box<RawValue>,
}

/// The registers of an archive.
pub struct PeopleStore {
    store: Arc<Store>,
}

impl PeopleStore {
    /// Those in `store`, which is the archive's.
    pub fn of(store: Arc<Store>) -> Self {
        PeopleStore { store }
    }

    /// A register for messages.
    pub fn shown(&self, number: u64) -> String {
        self.store.shown(&file_name(number))
    }

    /// The register that counts; `None` before the first.
    ///
    /// # Errors
    ///
    /// `Retry` when the store fails, `Corrupt` when the newest is damaged (never the one before is
    /// taken for it), `Newer` when a later Custody wrote it.
    pub fn newest(&self) -> Result<Option<Register>, Error> {
        let Some(number) = self.numbers()?.pop() else { return Ok(None) };
        match self.read(number)? {
            Some(register) => Ok(Some(register)),
            None => Err(Error::corrupt(format!("{} is a name without a file", self.shown(number)))),
        }
    }

    /// The numbers of all registers, ascending.
    ///
    /// # Errors
    ///
    /// `Retry` when the store fails.
    pub fn numbers(&self) -> Result<Vec<u64>, Error> {
        let mut numbers = Vec::new();
        for path in self.store.list("people").map_err(Error::store)? {
            let digits = path.strip_prefix("people/").and_then(|name| name.strip_suffix(".json"));
            let whole = digits.filter(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()));
            numbers.extend(whole.and_then(|digits| digits.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One register; `None` when that number is not there.
    ///
    /// # Errors
    ///
    /// As [`newest`](Self::newest).
    pub fn read(&self, number: u64) -> Result<Option<Register>, Error> {
        let Some(bytes) = self.store.get(&file_name(number)).map_err(Error::store)? else { return Ok(None) };
        parse(&self.shown(number), number, &bytes).map(Some)
    }

    /// Writes a register under its number; `false` when somebody else was first, which changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// `Retry` when the store fails: then it may be there or not, and reading the newest says it.
    pub fn publish(&self, register: &Register) -> Result<bool, Error> {
        let name = file_name(register.number);
        let bytes = written(register).map_err(|e| {
            Error::with(Kind::Invalid, format!("cannot write {}", self.store.shown(&name)), e)
        })?;
        if self.store.put_new(&name, bytes.clone()).map_err(Error::store)? {
            return Ok(true);
        }
        // A put that was sent again after its answer was lost meets its own object.
        Ok(self.store.get(&name).map_err(Error::store)?.is_some_and(|there| there == bytes))
    }
}

fn file_name(number: u64) -> String {
    format!("people/{number:020}.json")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Source {
    /// A source of these bytes.
    pub fn of(kind: &str, name: &str, bytes: &[u8]) -> Source {
        Source { kind: kind.to_owned(), name: name.to_owned(), sha256: hash(bytes) }
    }
}

fn written(register: &Register) -> Result<Vec<u8>, serde_json::Error> {
    let persons = serde_json::value::to_raw_value(register.people.persons())?;
    serde_json::to_vec(&Stored {
        version: PEOPLE_VERSION,
        number: register.number,
        at_ms: register.at_ms,
        source: register.source.clone(),
        persons_sha256: hash(persons.get().as_bytes()),
        persons,
    })
}

fn parse(shown: &str, number: u64, bytes: &[u8]) -> Result<Register, Error> {
    let bad = |e| Error::with(Kind::Corrupt, format!("{shown} cannot be read"), e);
    let Version { version } = serde_json::from_slice(bytes).map_err(bad)?;
    if version > PEOPLE_VERSION {
        return Err(Error::new(
            Kind::Newer,
            format!("{shown} has format version {version}, this Custody reads up to {PEOPLE_VERSION}"),
        ));
    }
    let stored: Stored = serde_json::from_slice(bytes).map_err(bad)?;
    if stored.number != number {
        return Err(Error::corrupt(format!("{shown} says that it is number {}", stored.number)));
    }
    if hash(stored.persons.get().as_bytes()) != stored.persons_sha256 {
        return Err(Error::corrupt(format!(
            "{shown} is not as it was written: the hash of its persons differs"
        )));
    }
    let persons: Vec<Person> = serde_json::from_str(stored.persons.get()).map_err(bad)?;
    let rows = persons.into_iter().flat_map(|person| {
        let id = person.id;
        person.entries.into_iter().map(move |entry| Row { place: entry.name.clone(), id: id.clone(), entry })
    });
    let people = People::new(rows.collect()).map_err(|mistakes| {
        Error::corrupt(format!("{shown} holds what no register may: {}", mistakes.join("; ")))
    })?;
    Ok(Register { number, at_ms: stored.at_ms, source: stored.source, people })
}
