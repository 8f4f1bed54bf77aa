//! Who held which address when: custodians and departments, and what is searched for them.
//!
//! Records name addresses; a lawyer names people. A person has names, departments and addresses
//! that change over time, and an address may be given to somebody else later. [`People`] holds all
//! of it, with one promise: at every instant an address is one person's at most.
//!
//! - [`read_csv`] reads a file, with every mistake in it named
//! - [`sync`] goes on from one register to the next by what a directory says now
//! - [`PeopleStore`] keeps registers beside the archive's table, numbered, each written once
//! - [`People::custodian`] and [`People::department`] answer, [`query`] makes a query of the answer
//!
//! An identity is the `id` of a person, such as an employee number; without one it is the name.

mod csv;
mod diff;
mod lookup;
mod overlap;
mod register;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod when;

pub use csv::{FILE_BYTES_MAX, Mistakes, PROBLEMS_MAX, ReadCsv, read_csv};
pub use diff::{Change, Difference, difference};
pub use lookup::{Held, Holders, LookupError, query, resolve};
pub use register::{Entry, People, Person, ROWS_MAX, Row};
pub use store::{PEOPLE_VERSION, PeopleStore, Register, Source};
pub use sync::{Seen, closed, sync};
pub use when::{instant_ms, show_ms};
