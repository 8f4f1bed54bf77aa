//! What load files say of a document or an attachment: one list of fields for DAT and EDRM XML.

use custody_schemas::event::Party;

use crate::describe::named;
use crate::document::{Content, Document, Person};
use crate::format::columns::local;
use crate::format::natives::{Member, Referred, leaf_digest};
use crate::item::Item;

/// What a field holds; where it is one value, the list has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    /// A whole number.
    Number,
    /// `YYYY-MM-DD` in the production's zone.
    Date,
    /// `HH:MM:SS` in the production's zone.
    Time,
    /// RFC 3339 with offset and microseconds.
    DateTime,
    /// Texts.
    Several,
}

/// A field.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    /// Its values; those of one value give it or none.
    of: fn(&Facts<'_>) -> Vec<String>,
}

/// What is between several values.
pub(crate) const SEVERAL: char = ';';

/// Several values as one. One that holds what is between them gets a comma there; whether any did.
pub(crate) fn several(values: &[String]) -> (String, bool) {
    let splits = values.iter().any(|value| value.contains(SEVERAL));
    let values: Vec<String> = values.iter().map(|value| value.replace(SEVERAL, ",")).collect();
    (values.join(&String::from(SEVERAL)), splits)
}

impl Field {
    /// Its values as one, and whether one of them had to be changed for that.
    pub(crate) fn value(&self, facts: &Facts<'_>) -> (String, bool) {
        let values = (self.of)(facts);
        if self.holds == Holds::Several { several(&values) } else { (values.concat(), false) }
    }
}

/// What the fields of one member are made of.
pub(crate) struct Facts<'f> {
    pub(crate) document: &'f Document<'f>,
    pub(crate) member: &'f Member<'f>,
    /// Number of the family's last member; `None` where there is only the document.
    last: Option<&'f str>,
    shared: &'f Shared,
}

/// What is the same for all members of a family.
#[derive(Debug)]
struct Shared {
    from: Vec<String>,
    to: Vec<String>,
    people: Vec<String>,
    custodians: Vec<String>,
    positions: Vec<String>,
    digest: String,
}

const fn field(name: &'static str, holds: Holds, of: fn(&Facts<'_>) -> Vec<String>) -> Field {
    Field { name, holds, of }
}

use Holds::{Date, DateTime, Number, Several, Text, Time};

/// All fields in their order.
pub(crate) static FIELDS: [Field; 42] = [
    field("BEGBATES", Text, |facts| one(facts.member.number)),
    field("ENDBATES", Text, |facts| one(facts.member.number)),
    field("BEGATTACH", Text, |facts| facts.last.map_or_else(Vec::new, |_| one(&facts.document.number))),
    field("ENDATTACH", Text, |facts| facts.last.map_or_else(Vec::new, one)),
    field("PARENTID", Text, |facts| {
        facts.member.attachment.map_or_else(Vec::new, |_| one(&facts.document.number))
    }),
    field("ATTACHIDS", Several, |facts| {
        facts.of_document(|facts| facts.document.attachments.iter().map(|a| a.number.clone()).collect())
    }),
    field("CUSTODIAN", Text, |facts| facts.shared.custodians.first().cloned().into_iter().collect()),
    field("ALLCUSTODIANS", Several, |facts| facts.shared.custodians.clone()),
    field("DOCTYPE", Text, |facts| one(facts.kind())),
    field("FILENAME", Text, |facts| one(facts.file_name())),
    field("FILEEXT", Text, |facts| one(facts.member.native.path.rsplit_once('.').map_or("", |(_, e)| e))),
    field("FILESIZE", Number, |facts| vec![facts.member.native.bytes.to_string()]),
    field("MEDIATYPE", Text, |facts| one(facts.media_type())),
    field("FROM", Several, |facts| match facts.attached() {
        Some(item) => item.from().map(named).into_iter().collect(),
        None => facts.shared.from.clone(),
    }),
    field("TO", Several, |facts| match facts.attached() {
        Some(item) => item.to().iter().map(named).collect(),
        None => facts.shared.to.clone(),
    }),
    field("PARTICIPANTS", Several, |facts| facts.shared.people.clone()),
    field("SUBJECT", Text, |facts| one(&facts.document.title())),
    field("DATESENT", Date, |facts| facts.first().map(|at| at[..10].to_owned()).into_iter().collect()),
    field("TIMESENT", Time, |facts| facts.first().map(|at| at[11..19].to_owned()).into_iter().collect()),
    field("DATETIMESENT", DateTime, |facts| facts.first().into_iter().collect()),
    field("DATETIMEEND", DateTime, |facts| facts.last_time().into_iter().collect()),
    field("TIMEZONE", Text, |facts| one(&facts.document.about.zone_name)),
    field("CONVERSATION", Text, |facts| one(facts.document.thread.id.as_deref().unwrap_or(""))),
    field("CONVERSATIONKIND", Text, |facts| one(facts.document.thread.kind.as_deref().unwrap_or(""))),
    field("TITLE", Text, |facts| one(&facts.document.thread.label)),
    field("DAY", Date, |facts| vec![facts.document.day.to_string()]),
    field("PART", Number, |facts| vec![facts.document.part.to_string()]),
    field("PARTS", Number, |facts| vec![facts.document.parts.to_string()]),
    field("RECORDCOUNT", Number, |facts| facts.count(|_| 1)),
    field("CONTEXTCOUNT", Number, |facts| facts.count(|item| item.shown.is_context.into())),
    field("COPYCOUNT", Number, |facts| facts.count(|item| item.shown.deliveries.saturating_sub(1))),
    field("REDACTIONCOUNT", Number, |facts| facts.count(|item| item.shown.redactions.into())),
    field("WARNINGCOUNT", Number, |facts| facts.count(|item| item.warnings.len() as u64)),
    field("MISSING", Text, |facts| match facts.member.attachment.map(|attachment| &attachment.content) {
        Some(Content::Missing(why)) => one(why),
        _ => Vec::new(),
    }),
    field("SHA256", Text, |facts| facts.member.native.sha256.clone().into_iter().collect()),
    field("DECLAREDSHA256", Text, |facts| {
        facts.member.attachment.and_then(|attachment| attachment.sha256.clone()).into_iter().collect()
    }),
    field("NATIVEPATH", Text, |facts| vec![windows(&facts.member.native)]),
    field("TEXTPATH", Text, |facts| facts.member.text.iter().map(windows).collect()),
    field("POSITIONS", Several, |facts| match facts.attached() {
        Some(item) => vec![item.shown.position.to_string()],
        None => facts.shared.positions.clone(),
    }),
    field("LEAFDIGEST", Text, |facts| match facts.attached() {
        // The tree hash of one leaf is the leaf.
        Some(item) => vec![item.shown.leaf.to_string()],
        None => vec![facts.shared.digest.clone()],
    }),
    field("PRODUCTION", Text, |facts| one(&facts.document.about.production)),
    field("CUSTODYVERSION", Text, |facts| one(&facts.document.about.custody_version)),
];

/// Hands on what the fields of each member are made of.
pub(crate) fn each_member<E>(
    document: &Document<'_>,
    members: &[Member<'_>],
    mut then: impl FnMut(&Facts<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let from = document.items.iter().filter_map(Item::from);
    let to = document.items.iter().flat_map(Item::to);
    let is_internal = |person: &&Person| person.scope.as_deref() == Some("internal");
    let shared = Shared {
        from: known(document, from),
        to: known(document, to),
        people: document.people.iter().map(person).collect(),
        custodians: match document.custodians.as_slice() {
            [] => document.people.iter().filter(is_internal).map(person).collect(),
            known => known.iter().map(|custodian| custodian.name.clone()).collect(),
        },
        positions: document.items.iter().map(|item| item.shown.position.to_string()).collect(),
        digest: leaf_digest(document).to_string(),
    };
    let last = members.last().filter(|last| last.attachment.is_some()).map(|last| last.number);
    members.iter().try_for_each(|member| then(&Facts { document, member, last, shared: &shared }))
}

/// The people who some parties are, each once.
fn known<'p, 'a: 'p>(document: &Document<'_>, parties: impl Iterator<Item = &'p Party<'a>>) -> Vec<String> {
    let mut is_in = vec![false; document.people.len()];
    for at in parties.filter_map(|party| document.person(party)) {
        is_in[at] = true;
    }
    let those = document.people.iter().zip(is_in).filter(|(_, is_in)| *is_in);
    those.map(|(who, _)| person(who)).collect()
}

/// `Name <address>`.
fn person(person: &Person) -> String {
    let label = person.label();
    match person.address.as_deref().filter(|address| !address.is_empty() && *address != label) {
        Some(address) => format!("{label} <{address}>"),
        None => label.to_owned(),
    }
}

fn one(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

/// A path as Windows programs take it.
fn windows(file: &Referred) -> String {
    file.path.replace('/', "\\")
}

impl<'f> Facts<'f> {
    /// The record that an attachment came with.
    fn attached(&self) -> Option<&'f crate::item::Item<'f>> {
        self.document.items.get(self.member.attachment?.item)
    }

    fn of_document(&self, of: fn(&Self) -> Vec<String>) -> Vec<String> {
        if self.member.attachment.is_some() { Vec::new() } else { of(self) }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.member.attachment.map(|attachment| &attachment.content) {
            Some(Content::Missing(_)) => "Missing attachment",
            Some(Content::Here { .. }) => "Attachment",
            None if self.document.thread.id.is_some() => "Conversation",
            None => "Events",
        }
    }

    pub(crate) fn file_name(&self) -> &str {
        let own = || self.member.native.path.rsplit('/').next().unwrap_or_default();
        self.member.attachment.map_or_else(own, |attachment| &attachment.name)
    }

    pub(crate) fn media_type(&self) -> &str {
        match self.member.attachment {
            None => "application/json",
            Some(attachment) => match &attachment.content {
                Content::Missing(_) => "text/plain",
                Content::Here { .. } => {
                    attachment.media_type.as_deref().unwrap_or("application/octet-stream")
                }
            },
        }
    }

    fn at(&self, item: Option<&Item<'_>>) -> Option<String> {
        // A time that no calendar has is none of a load file.
        item.map(|item| local(item.at_us(), &self.document.about.zone))
            .filter(|at| at.get(10..11) == Some("T"))
    }

    fn first(&self) -> Option<String> {
        self.at(self.attached().or(self.document.items.first()))
    }

    fn last_time(&self) -> Option<String> {
        self.at(self.attached().or(self.document.items.last()))
    }

    fn count(&self, of: fn(&Item<'_>) -> u64) -> Vec<String> {
        let count = match self.attached() {
            Some(item) => of(item),
            None => self.document.items.iter().map(of).sum(),
        };
        vec![count.to_string()]
    }
}
