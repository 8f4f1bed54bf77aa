//! The terms of a party: one that holds all that it is found by, and one for its domain.
//!
//! A record has in each field, for each party, the party's key: a character that says how the rest
//! is to be read, then texts as a [list](crate::list). It is the whole address with the words of
//! the name, where the other forms of the address follow from the whole one; where they do not, an
//! address being cut, the number of its forms, the forms and the words. Which keys have a form, the
//! split's [dictionary](crate::split) says.

use std::collections::HashSet;
use std::str::Chars;

use crate::list::{push_term, terms};
use crate::schema::PRESENT_PARTY;
use crate::text::{AddressForms, name_of, words};

/// Starts a key with a whole address, which may be empty, and words.
const DERIVED: char = '\u{1}';
/// Starts a key with the number of an address's forms, these forms, that which names the party first,
/// and words.
const LISTED: char = '\u{2}';
/// Starts the term of a domain.
const DOMAIN: char = '@';

/// A key has no further words beyond so many bytes: they go into another key of the party. Tantivy
/// refuses terms of more than 64 KiB, and whoever reads a dictionary of keys holds one.
const KEY_BYTES_MAX: usize = 4_096;

/// Hands the terms of a party to `each`: its keys, then its domain.
pub(crate) fn party_terms(address: &str, name: Option<&str>, each: &mut dyn FnMut(&str)) {
    let address = AddressForms::of(address);
    let mut key = beginning(&address);
    let empty = beginning(&AddressForms::default());
    let mut is_empty = address.forms.is_empty();
    let mut known = HashSet::new();
    for token in words(name.unwrap_or_default()) {
        let word = &*token.term;
        let is_form = address.forms.iter().chain(&address.domain).any(|form| form == word);
        if is_form || !known.insert(word.to_owned()) {
            continue;
        }
        if !is_empty && key.len() + word.len() > KEY_BYTES_MAX {
            each(&key);
            key.clone_from(&empty);
        }
        push_term(&mut key, word);
        is_empty = false;
    }
    if !is_empty {
        each(&key);
    }
    if let Some(domain) = &address.domain {
        each(domain);
    }
}

/// A key without words.
fn beginning(address: &AddressForms) -> String {
    let whole = address.forms.first().map_or("", String::as_str);
    let mut key = String::new();
    if AddressForms::of(whole) == *address {
        key.push(DERIVED);
        push_term(&mut key, whole);
        return key;
    }
    let name = address.name().unwrap_or_default();
    key.push(LISTED);
    // Three at most.
    key.extend(u32::try_from(address.forms.len()).ok().and_then(char::from_u32));
    push_term(&mut key, name);
    for form in address.forms.iter().filter(|form| *form != name) {
        push_term(&mut key, form);
    }
    key
}

/// What a term of a party's field is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PartyTerm<'t> {
    /// A domain without its `@`.
    Domain(&'t str),
    Key(Key<'t>),
}

/// The key of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'t> {
    /// The whole address and the words of a name, as a list.
    Derived { whole: &'t str, words: &'t str },
    /// The number of the address's forms, and these and the words as a list.
    Listed { forms: usize, list: &'t str },
}

impl<'t> PartyTerm<'t> {
    /// `None` for a mark, and for what is no such term.
    pub(crate) fn of(term: &'t [u8]) -> Option<PartyTerm<'t>> {
        let term = str::from_utf8(term).ok()?;
        let mut rest = term.chars();
        match rest.next()? {
            DOMAIN => Some(PartyTerm::Domain(rest.as_str())),
            DERIVED => {
                let whole = terms(rest.as_str()).next()?;
                let length = char::from_u32(u32::try_from(whole.len()).ok()?)?.len_utf8();
                let words = rest.as_str().get(length + whole.len()..)?;
                Some(PartyTerm::Key(Key::Derived { whole, words }))
            }
            LISTED => {
                let forms = rest.next()? as usize;
                Some(PartyTerm::Key(Key::Listed { forms, list: Chars::as_str(&rest) }))
            }
            _ => None,
        }
    }

    /// Whether a term only marks that its field is there.
    pub(crate) fn is_mark(term: &[u8]) -> bool {
        term == PRESENT_PARTY.as_bytes()
    }
}

impl<'t> Key<'t> {
    /// Hands everything that the party is found by to `each`, but for its domain.
    pub(crate) fn forms(self, each: &mut dyn FnMut(&str)) {
        match self {
            Key::Derived { whole, words } => {
                AddressForms::of(whole).forms.iter().for_each(|form| each(form));
                terms(words).for_each(each);
            }
            Key::Listed { list, .. } => terms(list).for_each(each),
        }
    }

    /// What the party is called in a count: its address. Absent where only a name is known.
    pub(crate) fn name(self) -> Option<&'t str> {
        match self {
            Key::Derived { whole, .. } => Some(name_of(whole)).filter(|name| !name.is_empty()),
            Key::Listed { forms, list } => terms(list).next().filter(|_| forms > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::text::address_terms;

    fn all(address: &str, name: Option<&str>) -> Vec<String> {
        let mut out = Vec::new();
        party_terms(address, name, &mut |term| out.push(term.to_owned()));
        out
    }

    /// The forms that the terms of a party hold, each where it stands.
    fn forms(terms: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for term in terms {
            match PartyTerm::of(term.as_bytes()) {
                Some(PartyTerm::Domain(domain)) => out.push(format!("@{domain}")),
                Some(PartyTerm::Key(key)) => key.forms(&mut |form| out.push(form.to_owned())),
                None => panic!("{term:?}"),
            }
        }
        out
    }

    fn check(address: &str, name: Option<&str>) {
        let (terms, mut expected) = (all(address, name), Vec::new());
        address_terms(address, name, &mut expected);
        let set = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(set(forms(&terms)), set(expected), "{address:?} {name:?}");
        assert!(terms.iter().all(|term| term.len() < 3 * KEY_BYTES_MAX), "{address:?} {name:?}");
        let named = terms.iter().filter_map(|term| match PartyTerm::of(term.as_bytes()) {
            Some(PartyTerm::Key(key)) => key.name().map(str::to_owned),
            _ => None,
        });
        let expected = AddressForms::of(address).name().map(str::to_owned);
        assert_eq!(named.collect::<Vec<_>>(), Vec::from_iter(expected), "{address:?} {name:?}");
    }

    #[test]
    fn a_key_holds_what_a_party_is_found_by() {
        let long = "ž".repeat(5_000);
        let name: String = (0..5_000).map(|n| format!("word{n} ")).collect();
        for address in [
            "",
            "sip:Alice@Contoso.example;user=phone",
            "live:bob",
            "tel:+4930123",
            "@dan:matrix.example",
            "@foo",
            "@",
            "a\u{1}b\n@x",
            &long,
            &format!("sip:{long}@x.example"),
            &format!("sip:a@{long}"),
            &format!("sip:{}@x.example/y", "a".repeat(1_015)),
            &format!("@{long}:{long}"),
        ] {
            for called in [None, Some(""), Some("Bob Smith"), Some("@x \u{1}"), Some(name.as_str())] {
                check(address, called);
            }
        }
        assert_eq!(all("sip:a@x.example", Some("Al")), ["\u{1}\u{f}sip:a@x.example\u{2}al", "@x.example"]);
        assert_eq!(all(" ", None), Vec::<String>::new());
        let terms = all("live:bob", Some(&name));
        assert!((10..20).contains(&terms.len()), "{}", terms.len());
    }

    #[test]
    fn a_key_names_its_party() {
        let long = format!("sip:{}@x.example", "a".repeat(2_000));
        for (address, expected) in [
            ("sip:Alice@Contoso.example;user=phone", Some("alice@contoso.example")),
            ("alice@contoso.example", Some("alice@contoso.example")),
            ("xmpp:bob@x.example/phone", Some("bob@x.example")),
            ("@dan:matrix.example", Some("@dan:matrix.example")),
            ("live:carol", Some("live:carol")),
            ("tel:+49301234", Some("+49301234")),
            ("+49301234", Some("+49301234")),
            ("alice", Some("alice")),
            ("", None),
            (&long, Some(&"a".repeat(1_024))),
        ] {
            for name in [None, Some("Alice")] {
                let terms = all(address, name);
                let named = terms.iter().filter_map(|term| match PartyTerm::of(term.as_bytes()) {
                    Some(PartyTerm::Key(key)) => key.name().map(str::to_owned),
                    _ => None,
                });
                assert_eq!(named.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{address}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_party_is_found_by_what_its_key_holds(address in "\\PC{0,12}", scheme in "(sip:|@|\u{1})?", host in "(@|:)?\\PC{0,6}", name in prop::option::of("\\PC{0,20}")) {
            check(&format!("{scheme}{address}{host}"), name.as_deref());
        }

        #[test]
        fn any_bytes_are_a_term_or_none(bytes in prop::collection::vec(any::<u8>(), 0..12), first in 0..3_u8) {
            let bytes = [&[first][..], &bytes].concat();
            if let Some(PartyTerm::Key(key)) = PartyTerm::of(&bytes) {
                key.forms(&mut |_| {});
                key.name();
            }
        }
    }
}
