//! The terms a party is found by.

use std::collections::HashSet;

use super::{lower_case, words};

/// The longest address term, in bytes. A longer address is found by its first
/// bytes: the index refuses terms of more than 64 KiB, and nobody types them.
pub const ADDRESS_BYTES_MAX: usize = 1_024;

/// With more terms than these a set is kept beside the list: a name of a hundred
/// thousand words must not hold up the index for minutes.
const SCANNED_MAX: usize = 64;

/// `matrix-federation:`-sized; what is longer before a colon is no scheme.
const SCHEME_CHARS_MAX: usize = 12;

/// What an address is found by, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AddressForms {
    /// The whole address, then without its scheme, then without parameters or resource; none twice.
    pub(crate) forms: Vec<String>,
    /// `@` and its domain.
    pub(crate) domain: Option<String>,
}

impl AddressForms {
    pub(crate) fn of(address: &str) -> AddressForms {
        let whole = lower_case(address.trim());
        let bare = without_scheme(&whole);
        let mut found = AddressForms::default();
        push(&whole, &mut found.forms);
        push(bare, &mut found.forms);
        if let Some(domain) = domain(bare) {
            if let Some(plain) = without_tail(bare) {
                push(plain, &mut found.forms);
            }
            found.domain = Some(cut(&format!("@{domain}")).to_owned());
        }
        found
    }

    /// The one that names the party.
    pub(crate) fn name(&self) -> Option<&str> {
        let (first, last) = (self.forms.first()?, self.forms.last()?);
        Some(if self.domain.is_some() || last.starts_with('+') { last } else { first })
    }
}

/// The form that names a party: without scheme and tail where it has a domain, else whole; a
/// telephone number stands for itself. `whole` is a whole form that gives its others.
pub(crate) fn name_of(whole: &str) -> &str {
    let bare = without_scheme(whole);
    match domain(bare) {
        Some(_) => cut(without_tail(bare).unwrap_or(bare)),
        None if bare.starts_with('+') => cut(bare),
        None => whole,
    }
}

/// Appends the terms a party is found by to `out`, none twice:
///
/// - the whole address, lower-cased: `sip:alice@contoso.example;user=phone`
/// - the same without its scheme, and without parameters or resource:
///   `alice@contoso.example`
/// - its domain: `@contoso.example`
/// - each word of the display name
pub fn address_terms(address: &str, name: Option<&str>, out: &mut Vec<String>) {
    let AddressForms { forms, domain } = AddressForms::of(address);
    for term in forms.into_iter().chain(domain) {
        push(&term, out);
    }
    let mut many: Option<HashSet<String>> = None;
    for token in words(name.unwrap_or_default()) {
        if out.len() < SCANNED_MAX {
            push(&token.term, out);
        } else if many.get_or_insert_with(|| out.iter().cloned().collect()).insert(token.term.to_string()) {
            out.push(token.term.into_owned());
        }
    }
}

/// An address as it is compared: trimmed, lower-cased, cut to the longest term.
pub(crate) fn address_form(address: &str) -> String {
    let mut form = lower_case(address.trim());
    form.truncate(cut(&form).len());
    form
}

fn push(term: &str, out: &mut Vec<String>) {
    let term = cut(term);
    // The list is short: a scan beats a set.
    if !term.is_empty() && !out.iter().any(|known| known == term) {
        out.push(term.to_owned());
    }
}

fn cut(term: &str) -> &str {
    let mut end = term.len().min(ADDRESS_BYTES_MAX);
    while !term.is_char_boundary(end) {
        end -= 1;
    }
    // A cut may leave a space at the end, which the query would have trimmed.
    term[..end].trim_end()
}

/// `sip:`, `live:`, `tel:`, `xmpp:`, `mailto:` and their like taken off.
fn without_scheme(address: &str) -> &str {
    match address.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => address,
    }
}

fn is_scheme(text: &str) -> bool {
    text.len() <= SCHEME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c))
}

/// The address up to the end of its domain: no SIP parameters, no XMPP resource.
fn without_tail(bare: &str) -> Option<&str> {
    let host = bare.find('@').filter(|at| *at > 0)? + 1;
    let end = bare[host..].find(['/', ';', '?']).map_or(bare.len(), |end| host + end);
    Some(&bare[..end])
}

/// `contoso.example` of `alice@contoso.example:5061;tag=1` and, as Matrix
/// writes it, of `@alice:contoso.example`.
fn domain(bare: &str) -> Option<&str> {
    let (_, host) = match bare.strip_prefix('@') {
        Some(matrix) => matrix.split_once(':')?,
        None => bare.split_once('@')?,
    };
    let host = host.split(['/', ';', '?', '>']).next()?;
    // The colons of an IPv6 address in brackets are no port.
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    (!host.is_empty()).then_some(host)
}
