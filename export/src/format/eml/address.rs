//! Native addresses as mailboxes.

use custody_schemas::Hash;

use crate::document::Person;

/// Schemes before what looks like a mailbox, and names one by the networks' own convention.
const SCHEMES: [&str; 5] = ["sip:", "sips:", "im:", "xmpp:", "mailto:"];
/// RFC 5321, section 4.5.3.1.1.
const LOCAL_MAX: usize = 64;
/// A label of a domain (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;
/// Longer addresses would not fit a line.
const ADDRESS_MAX: usize = 70;

/// A mailbox that stands for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: String,
    /// `local@domain`, of RFC 5322's dot-atoms.
    pub(super) address: String,
}

/// The mailbox that an address is, without its scheme; for any other address one under `.invalid`,
/// which no server will ever have (RFC 2606), with the address in the name.
pub(super) fn mailbox(person: &Person) -> Mailbox {
    let native = person.address.as_deref().unwrap_or_default();
    if let Some(address) = as_mailbox(native) {
        return Mailbox { name: person.label().to_owned(), address: address.to_owned() };
    }
    let network = person.network.as_deref().unwrap_or("unknown");
    let label = person.label();
    let is_said = native.is_empty() || native == label;
    let name =
        if is_said { format!("{label} ({network})") } else { format!("{label} ({network}: {native})") };
    let local = if native.is_empty() { label } else { native };
    Mailbox { name, address: format!("{}@{}.invalid", as_local(local), as_label(network)) }
}

fn as_mailbox(native: &str) -> Option<&str> {
    let scheme = SCHEMES
        .iter()
        .find(|scheme| native.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let address = &native[scheme.map_or(0, |scheme| scheme.len())..];
    let (local, domain) = address.rsplit_once('@')?;
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+".contains(&b))
    };
    let is_label = |label: &str| {
        label.len() <= LABEL_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && is_atom(label)
            && !label.contains(['_', '+'])
    };
    let is_mailbox = address.len() <= ADDRESS_MAX
        && local.len() <= LOCAL_MAX
        && local.split('.').all(is_atom)
        && domain.split('.').all(is_label);
    is_mailbox.then_some(address)
}

/// Percent-encoded, so that it can be read back; a long one ends with a hash of the whole.
fn as_local(text: &str) -> String {
    let mut local = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-+".contains(&byte) {
            local.push(char::from(byte));
        } else {
            local += &format!("%{byte:02X}");
        }
    }
    if local.len() > LOCAL_MAX {
        let hash = Hash::of(text.as_bytes()).to_string();
        local.truncate(LOCAL_MAX - 17);
        local = format!("{local}-{}", &hash[..16]);
    }
    local
}

fn as_label(network: &str) -> String {
    let label: String = network
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(30)
        .collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "unknown".to_owned() } else { label.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: Option<&str>, address: Option<&str>, name: Option<&str>, expected: (&str, &str)) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let person =
            Person { network: own(network), address: own(address), name: own(name), scope: None, role: None };
        let Mailbox { name, address } = mailbox(&person);
        assert_eq!((name.as_str(), address.as_str()), expected);
    }

    #[test]
    fn every_address_is_a_mailbox() {
        let skype = Some("skype");
        check(Some("lync"), Some("sip:al.ice@y.example"), Some("Al"), ("Al", "al.ice@y.example"));
        check(skype, Some("a+b@y"), None, ("a+b@y", "a+b@y"));
        check(skype, Some("live:bob"), Some("Bob"), ("Bob (skype: live:bob)", "live%3Abob@skype.invalid"));
        check(Some("pstn"), Some("+49301"), None, ("+49301 (pstn)", "+49301@pstn.invalid"));
        check(skype, None, Some("Bob"), ("Bob (skype)", "Bob@skype.invalid"));
        check(None, None, None, ("(unknown) (unknown)", "%28unknown%29@unknown.invalid"));
        for odd in
            ["a b@y", "a@b@y", "@y", "a@", "a..b@y", "a@-y", "a@y.", "é@y", "a@y\nBcc: b", "sip:a@y;x=1"]
        {
            let local = as_local(odd);
            check(
                skype,
                Some(odd),
                Some("N"),
                (&format!("N (skype: {odd})"), &format!("{local}@skype.invalid")),
            );
            assert!(local.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-_+".contains(&b)), "{local}");
        }
        let long = as_local(&"é".repeat(50));
        assert_eq!(long.len(), LOCAL_MAX);
        assert_ne!(long, as_local(&"é".repeat(51)));
        assert_eq!(as_label("A b.c"), "a-b-c");
        assert_eq!(as_label("--"), "unknown");
    }
}
