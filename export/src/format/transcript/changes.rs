//! To whom and with what: said in full once, and after that where it changes.
//!
//! A group of hundreds would else stand under each of its messages, and hide the one time when
//! somebody was left out.

use std::collections::HashMap;

use custody_schemas::Kind;
use custody_schemas::event::Party;

use super::entry::whole;
use crate::item::Item;

/// What makes somebody the same in two lists: network and address, or where there is none the name.
type Who<'d> = (Option<&'d str>, Option<&'d str>);

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Changes<'d> {
    clients: HashMap<Option<Who<'d>>, &'d str>,
    last: Option<(&'d Party<'d>, &'d [Party<'d>])>,
    /// Sorted, each once.
    known: Option<Vec<Who<'d>>>,
}

impl<'d> Changes<'d> {
    /// Adds to a record's facts to whom it went, where that is not as before.
    pub(super) fn recipients(&mut self, item: &'d Item<'_>, facts: &mut Vec<(&'static str, String)>) {
        let (from, to) = (item.from(), item.to());
        if to.is_empty() && item.contract() != Some(Kind::MessageSent) {
            return;
        }
        let now = from.map(|from| (from, to));
        if now.is_some() && now == self.last {
            return;
        }
        self.last = now;
        let mut all: Vec<_> = from.into_iter().chain(to).map(who).collect();
        all.sort_unstable();
        all.dedup();
        if let Some(known) = &self.known {
            let new = to.iter().filter(|party| known.binary_search(&who(party)).is_err());
            add(facts, "now also to", new.map(whole).collect());
            let gone = known.iter().filter(|who| all.binary_search(who).is_err());
            let gone = gone.map(|(_, address)| address.unwrap_or("(unknown)").to_owned());
            add(facts, "no longer to", gone.collect());
        } else {
            add(facts, "to", to.iter().map(whole).collect());
        }
        self.known = Some(all);
    }

    /// Adds with which client it was written, where that is not the sender's as before.
    pub(super) fn client(&mut self, item: &'d Item<'_>, facts: &mut Vec<(&'static str, String)>) {
        let Some(client) = item.data().client.as_deref().filter(|client| !client.is_empty()) else { return };
        if self.clients.insert(item.from().map(who), client) != Some(client) {
            facts.push(("client", client.to_owned()));
        }
    }
}

fn who<'d>(party: &'d Party<'_>) -> Who<'d> {
    let said = |text: &&str| !text.is_empty();
    let address = party.address.as_deref().filter(said);
    (party.network.as_deref(), address.or(party.name.as_deref()))
}

fn add(facts: &mut Vec<(&'static str, String)>, name: &'static str, people: Vec<String>) {
    if !people.is_empty() {
        facts.push((name, people.join("; ")));
    }
}
