//! From an entry of a directory to a person; knows Active Directory's ways of writing, and no
//! network.

use std::collections::HashMap;

use custody_index::people::Seen;
use serde_json::json;
use uuid::Uuid;

use crate::settings::Ldap;

/// One entry as it came.
pub struct Entry {
    /// The distinguished name.
    pub dn: String,
    /// Values by attribute, as bytes.
    pub values: HashMap<String, Vec<Vec<u8>>>,
}

/// What a directory shows.
#[derive(Default)]
pub struct Found {
    /// Everybody with an address, in order of distinguished name.
    pub seen: Vec<Seen>,
    /// What was passed over.
    pub warnings: Vec<String>,
}

impl Found {
    /// Everybody, as text that says the same whenever the directory does.
    pub fn text(&self) -> String {
        let line = |seen: &Seen| {
            json!([seen.place, seen.id, seen.name, seen.department, seen.addresses]).to_string() + "\n"
        };
        self.seen.iter().map(line).collect()
    }
}

/// The attributes to ask for.
pub fn attributes(settings: &Ldap) -> Vec<String> {
    let one = std::iter::once(&settings.department_attribute);
    let all = one.chain(&settings.name_attributes).chain(&settings.address_attributes);
    all.chain(&settings.id_attributes).filter(|name| !name.is_empty()).cloned().collect()
}

/// The people among entries.
///
/// # Errors
///
/// When an entry did not come whole: to go on without the rest would close addresses that are held.
pub fn people(entries: Vec<Entry>, settings: &Ldap) -> Result<Found, String> {
    let mut found = Found::default();
    let (mut without, mut unread) = (0, 0);
    for entry in entries {
        whole(&entry)?;
        let (addresses, odd) = addresses(&entry, settings);
        unread += odd;
        let Some(first) = addresses.first().cloned() else {
            without += 1;
            continue;
        };
        let text = |names: &[String]| names.iter().find_map(|name| entry.first(name));
        found.seen.push(Seen {
            id: settings.id_attributes.iter().find_map(|name| entry.id(name)),
            name: text(&settings.name_attributes).unwrap_or(first),
            department: text(std::slice::from_ref(&settings.department_attribute)),
            addresses,
            place: entry.dn,
        });
    }
    found.seen.sort_by(|a, b| a.place.cmp(&b.place));
    if without > 0 {
        found.warnings.push(format!("{without} entries have no address and are passed over"));
    }
    if unread > 0 {
        found.warnings.push(format!("{unread} addresses are no text and are passed over"));
    }
    Ok(found)
}

/// Active Directory cuts long lists, and says so in the name of the attribute.
fn whole(entry: &Entry) -> Result<(), String> {
    let cut = entry.values.keys().find(|name| name.to_ascii_lowercase().contains(";range="));
    cut.map_or(Ok(()), |name| {
        Err(format!(
            "{} has more values than the directory gives at once ({name}): remove some, or raise its MaxValRange",
            entry.dn
        ))
    })
}

impl Entry {
    fn all(&self, attribute: &str) -> impl Iterator<Item = &[u8]> {
        let is = |name: &&String| name.eq_ignore_ascii_case(attribute);
        let name = self.values.keys().find(is);
        name.and_then(|name| self.values.get(name)).into_iter().flatten().map(Vec::as_slice)
    }

    /// The first value with text in it: the least, since directories keep no order.
    fn first(&self, attribute: &str) -> Option<String> {
        let texts = self.all(attribute).filter_map(|value| std::str::from_utf8(value).ok());
        let texts = texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        texts.filter(|text| !text.is_empty()).min()
    }

    /// An `objectGUID` is 16 bytes; it is written as Active Directory's tools do.
    fn id(&self, attribute: &str) -> Option<String> {
        if attribute.eq_ignore_ascii_case("objectGUID") {
            let bytes: [u8; 16] = self.all(attribute).next()?.try_into().ok()?;
            return Some(Uuid::from_bytes_le(bytes).to_string());
        }
        self.first(attribute)
    }
}

/// All addresses, sorted, none twice, and how many values are no text.
fn addresses(entry: &Entry, settings: &Ldap) -> (Vec<String>, usize) {
    let (mut out, mut odd) = (Vec::new(), 0);
    for value in settings.address_attributes.iter().flat_map(|name| entry.all(name)) {
        match std::str::from_utf8(value) {
            Ok(text) => out.extend(address(text)),
            Err(_) => odd += 1,
        }
    }
    out.sort();
    out.dedup();
    (out, odd)
}

/// `SMTP:` marks the first address, `smtp:` the others; `sip:` is the same address to us. Those of
/// other systems (`X500:`, `EUM:`, `SPO:`) name nobody in a conversation.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let address = match text.split_once(':') {
        Some((scheme, rest)) if ["smtp", "sip"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) => rest,
        Some(_) => return None,
        None => text,
    };
    Some(address.trim().to_lowercase()).filter(|address| !address.is_empty())
}
