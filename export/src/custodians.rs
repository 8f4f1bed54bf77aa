//! Whose conversations they are, by a register of people.

use std::fmt;

use crate::document::{Document, parties};

/// Knows who held an address when.
pub trait Custodians: fmt::Debug + Send + Sync {
    /// The name of the person whose an address is on a network (empty where it is not known) at so many
    /// milliseconds since 1970 UTC; the same name under whichever address.
    fn holder(&self, network: &str, address: &str, at_ms: i64) -> Option<&str>;
}

/// A person of the register who is named by a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Custodian {
    /// Which of the document's people.
    pub(crate) person: usize,
    pub(crate) name: String,
}

/// Those whom a document names, each once: who was asked for first, then in the order of its people.
pub(crate) fn custodians(document: &Document<'_>, by: &dyn Custodians, first: &[String]) -> Vec<Custodian> {
    // When each was named first and last: an address may have been given to another meanwhile.
    let mut named: Vec<Option<(i64, i64)>> = vec![None; document.people.len()];
    for item in document.items {
        let at_ms = item.at_us().div_euclid(1_000);
        for person in parties(item).filter_map(|party| document.person(party)) {
            let (from, to) = named[person].get_or_insert((at_ms, at_ms));
            (*from, *to) = ((*from).min(at_ms), (*to).max(at_ms));
        }
    }
    let mut found: Vec<Custodian> = Vec::new();
    for (at, (person, named)) in document.people.iter().zip(&named).enumerate() {
        let (Some(address), Some((from, to))) = (&person.address, named) else { continue };
        let network = person.network.as_deref().unwrap_or_default();
        for at_ms in [*from, *to] {
            let Some(name) = by.holder(network, address, at_ms) else { continue };
            if found.iter().all(|known| known.name != name) {
                found.push(Custodian { person: at, name: name.to_owned() });
            }
        }
    }
    // As searches find them: case does not matter.
    let first: Vec<String> = first.iter().map(|name| name.to_lowercase()).collect();
    let rank = |custodian: &Custodian| first.iter().position(|name| *name == custodian.name.to_lowercase());
    found.sort_by_key(|custodian| rank(custodian).unwrap_or(usize::MAX));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{sample, with_document};

    /// The address was Bob's until some time, then Carol's.
    #[derive(Debug)]
    struct Given(i64);

    impl Custodians for Given {
        fn holder(&self, network: &str, address: &str, at_ms: i64) -> Option<&str> {
            assert!(!network.is_empty());
            match address.contains("bob") {
                true => Some(if at_ms < self.0 { "Bob Baker" } else { "Carol Clark" }),
                false => address.contains("alice").then_some("Alice Archer"),
            }
        }
    }

    fn check(given: i64, first: &[&str], expected: &[&str]) {
        let first: Vec<String> = first.iter().map(ToString::to_string).collect();
        with_document(&sample(), |document| {
            let found = custodians(&document, &Given(given), &first);
            let names: Vec<&str> = found.iter().map(|custodian| &*custodian.name).collect();
            assert_eq!(names, expected);
            for Custodian { person, name } in &found {
                let address = document.people[*person].address.as_deref().unwrap();
                assert_eq!(address.contains("alice"), name == "Alice Archer", "{address}");
            }
        });
    }

    #[test]
    fn custodians_are_named_once_and_who_was_asked_for_comes_first() {
        check(i64::MAX, &[], &["Bob Baker", "Alice Archer"]);
        check(i64::MAX, &["alice archer"], &["Alice Archer", "Bob Baker"]);
        check(i64::MAX, &["Nobody"], &["Bob Baker", "Alice Archer"]);
        check(0, &[], &["Carol Clark", "Alice Archer"]);
        // The second message of the day, to the millisecond.
        let sample = sample();
        let second = with_document(&sample[1..2], |document| document.items[0].at_us() / 1_000);
        check(second, &[], &["Bob Baker", "Carol Clark", "Alice Archer"]);
    }
}
