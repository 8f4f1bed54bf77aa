//! What most formats write: a conversation on a day, or a part of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use custody_schemas::event::{Party, Text};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::custodians::{self, Custodian, Custodians};
use crate::item::Item;

/// What a document says of the production that it is of.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The production's id.
    pub(crate) production: String,
    /// Who asked.
    pub(crate) who: String,
    /// Why.
    pub(crate) why: String,
    /// The zone that days and shown times are of.
    pub(crate) zone: TimeZone,
    /// Its IANA name.
    pub(crate) zone_name: String,
    /// The archive's version that the production is complete through.
    pub(crate) through_version: u64,
    /// The Custody that writes it.
    pub(crate) custody_version: String,
    /// Who custodians are, and who of them was asked for.
    pub(crate) custodians: Option<(Arc<dyn Custodians>, Vec<String>)>,
}

/// What belongs together: a conversation, or what stands for one where an event names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thread {
    /// Sorts and tells threads apart.
    pub(crate) key: String,
    /// The conversation's id, if it is one.
    pub(crate) id: Option<String>,
    /// `direct`, `group` or `meeting`, if it is said.
    pub(crate) kind: Option<String>,
    /// The conversation's title, if it has one.
    pub(crate) title: Option<String>,
    /// A name for people; never empty.
    pub(crate) label: String,
}

/// Somebody who is named by a document's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) network: Option<String>,
    pub(crate) address: Option<String>,
    /// The display name that was seen first.
    pub(crate) name: Option<String>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub(crate) scope: Option<String>,
    pub(crate) role: Option<String>,
}

impl Person {
    /// Display name, else address; never empty.
    pub(crate) fn label(&self) -> &str {
        label(self.name.as_deref(), self.address.as_deref())
    }

    /// The same as a party of an event.
    pub(crate) fn as_party(&self) -> Party<'_> {
        let [network, address, name, role, scope] =
            [&self.network, &self.address, &self.name, &self.role, &self.scope]
                .map(|text| text.as_deref().map(Text::from));
        Party { network, address, name, role, scope }
    }
}

/// Display name, else address, of a party; never empty.
pub(crate) fn party_label<'p>(party: &'p Party<'_>) -> &'p str {
    label(party.name.as_deref(), party.address.as_deref())
}

fn label<'p>(name: Option<&'p str>, address: Option<&'p str>) -> &'p str {
    let said = |text: &&str| !text.trim().is_empty();
    name.filter(said).or(address.filter(said)).unwrap_or("(unknown)")
}

/// A file that a record of a document refers to.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    /// Its own number.
    pub(crate) number: String,
    /// The item that it came with.
    pub(crate) item: usize,
    /// Its name, safe as a file's name.
    pub(crate) name: String,
    /// As the event said.
    pub(crate) media_type: Option<String>,
    /// SHA-256 in hexadecimal: of the content where it is here, else as the event said.
    pub(crate) sha256: Option<String>,
    pub(crate) content: Content,
}

/// Whether there is more of a file than its name.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// It is here.
    Here {
        /// Where it is.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is not, and why: a placeholder takes its place, and the exceptions name it.
    Missing(String),
}

/// A conversation on a day, or a part of it.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// Its number, such as `CUST00000001`; unique in the production and safe as a file's name.
    pub(crate) number: String,
    pub(crate) about: &'a About,
    pub(crate) thread: &'a Thread,
    /// The day in the production's zone.
    pub(crate) day: Date,
    /// Counted from 1,
    pub(crate) part: u32,
    /// of so many.
    pub(crate) parts: u32,
    /// In order of time, then of position; never none.
    pub(crate) items: &'a [Item<'a>],
    /// In the order in which they are named first.
    pub(crate) people: Vec<Person>,
    pub(crate) attachments: Vec<Attachment>,
    /// Whose it is by the register; none without one, or if it knows nobody.
    pub(crate) custodians: Vec<Custodian>,
    known: HashMap<Identity<'a>, usize>,
}

/// Everybody whom a record names.
pub(crate) fn parties<'i, 'a>(item: &'i Item<'a>) -> impl Iterator<Item = &'i Party<'a>> {
    let data = item.data();
    let others = [data.via.as_deref(), data.participant.as_deref()];
    data.from.iter().chain(data.to.iter().flatten()).chain(others.into_iter().flatten())
}

/// Two parties are one person when network and address agree, or where there is no address the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity<'p> {
    network: &'p str,
    /// It is a name, or an address that begins as if it were one: with U+0000, which is left out.
    is_name: bool,
    text: &'p str,
}

impl<'p> Identity<'p> {
    fn of(party: &'p Party<'_>) -> Self {
        let said = |text: Option<&'p str>| text.unwrap_or_default();
        let network = said(party.network.as_deref());
        let address = said(party.address.as_deref());
        if address.is_empty() {
            return Identity { network, is_name: true, text: said(party.name.as_deref()) };
        }
        let name = address.strip_prefix('\0');
        Identity { network, is_name: name.is_some(), text: name.unwrap_or(address) }
    }
}

impl<'a> Document<'a> {
    /// A document of these records; its attachments are put into it afterwards.
    pub(crate) fn new(
        number: String,
        about: &'a About,
        thread: &'a Thread,
        day: Date,
        (part, parts): (u32, u32),
        items: &'a [Item<'a>],
    ) -> Self {
        let (mut people, mut known) = (Vec::<Person>::new(), HashMap::new());
        for party in items.iter().flat_map(parties) {
            let at = *known.entry(Identity::of(party)).or_insert_with(|| {
                people.push(Person { network: None, address: None, name: None, scope: None, role: None });
                people.len() - 1
            });
            // What the first mention leaves out a later one may say.
            let person = &mut people[at];
            let learn = |known: &mut Option<String>, said: Option<&str>| {
                if known.is_none() {
                    *known = said.filter(|text| !text.is_empty()).map(str::to_owned);
                }
            };
            learn(&mut person.network, party.network.as_deref());
            learn(&mut person.address, party.address.as_deref());
            learn(&mut person.name, party.name.as_deref());
            learn(&mut person.scope, party.scope.as_deref());
            learn(&mut person.role, party.role.as_deref());
        }
        let (attachments, custodians) = (Vec::new(), Vec::new());
        let mut document = Document {
            number,
            about,
            thread,
            day,
            part,
            parts,
            items,
            people,
            attachments,
            custodians,
            known,
        };
        if let Some((by, first)) = &about.custodians {
            document.custodians = custodians::custodians(&document, &**by, first);
        }
        document
    }

    /// Which of `people` a party of one of its records is.
    pub(crate) fn person(&self, party: &Party<'_>) -> Option<usize> {
        self.known.get(&Identity::of(party)).copied()
    }

    /// A title for people: who or what, the day, and which part.
    pub(crate) fn title(&self) -> String {
        let part =
            if self.parts > 1 { format!(", part {} of {}", self.part, self.parts) } else { String::new() };
        format!("{}, {}{part}", self.thread.label, self.day)
    }
}
