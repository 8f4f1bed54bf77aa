//! An address that two persons would hold at once.

use std::collections::HashMap;

use super::register::{Key, Row};
use crate::text::{address_form, address_terms};

/// What addresses that find the same records have in common: the address without scheme,
/// parameters and resource. `sip:alice@contoso.example` and `alice@contoso.example` are one.
pub(super) fn bare(address: &str) -> String {
    let mut terms = Vec::new();
    address_terms(address, None, &mut terms);
    // The last term is the domain, where there is one.
    if terms.len() > 1 && terms.last().is_some_and(|term| term.starts_with('@')) {
        terms.pop();
    }
    terms.pop().unwrap_or_default()
}

/// An address as it is kept: one with a domain without scheme, parameters and resource, which do not
/// say who it is and which a record may have or not; any other whole, since `live:bob` and `bob` are
/// two accounts.
pub(super) fn canonical(address: &str) -> String {
    let (whole, bare_once) = (address_form(address), bare(address));
    let domain = bare_once.contains('@') && bare(&bare_once) == bare_once;
    if domain { bare_once } else { whole }
}

/// Who holds an address on a network as far as the sweep came: the latest end, and which row says it.
struct Open<'r> {
    key: Key,
    network: Option<&'r str>,
    to_ms: i64,
    row: &'r Row,
}

/// A mistake for each address that begins to be somebody's while it is somebody else's.
pub(super) fn overlaps(rows: &[Row]) -> Vec<String> {
    let mut by_address: HashMap<String, Vec<&Row>> = HashMap::new();
    for row in rows {
        by_address.entry(bare(&row.entry.address)).or_default().push(row);
    }
    let mut groups: Vec<_> = by_address.into_iter().filter(|(_, rows)| rows.len() > 1).collect();
    groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    groups.into_iter().flat_map(|(address, rows)| swept(&address, rows)).collect()
}

fn swept(address: &str, mut rows: Vec<&Row>) -> Vec<String> {
    rows.sort_by_key(|row| row.entry.from_ms);
    let (mut open, mut mistakes): (Vec<Open<'_>>, _) = (Vec::new(), Vec::new());
    for row in rows {
        let from_ms = row.entry.from_ms.unwrap_or(i64::MIN);
        open.retain(|held| held.to_ms > from_ms);
        let key = Key::of(row.id.as_deref(), &row.entry.name);
        let network = row.entry.network.as_deref();
        // An address without a network is meant on each.
        let both = |held: &&Open<'_>| held.network.is_none() || network.is_none() || held.network == network;
        if let Some(other) = open.iter().filter(both).find(|held| held.key != key) {
            mistakes.push(twice(address, other.row, row));
            continue;
        }
        let to_ms = row.entry.to_ms.unwrap_or(i64::MAX);
        match open.iter_mut().find(|held| held.key == key && held.network == network) {
            Some(held) if held.to_ms >= to_ms => {}
            Some(held) => (held.to_ms, held.row) = (to_ms, row),
            None => open.push(Open { key, network, to_ms, row }),
        }
    }
    mistakes
}

fn twice(address: &str, one: &Row, other: &Row) -> String {
    format!(
        "{} and {}: {address:?} is {:?}'s {} and {:?}'s {}; end the one before the other begins",
        one.place,
        other.place,
        one.entry.name,
        one.entry.times(),
        other.entry.name,
        other.entry.times()
    )
}
