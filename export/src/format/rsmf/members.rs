//! Participants and the conversation of a manifest.

use std::collections::BTreeSet;

use custody_schemas::{Hash, Kind};

use super::custom::{production, put};
use super::manifest::{Conversation, Participant, participant_id};
use crate::document::{Document, Person};

/// The only conversation's id.
pub(super) const CONVERSATION: &str = "C1";

/// Everybody whom a document names.
pub(super) fn participants(document: &Document<'_>) -> Vec<Participant> {
    let participant = |(at, person): (usize, &Person)| {
        let mut custom = Vec::new();
        put(&mut custom, "Network", person.network.as_deref().unwrap_or_default());
        put(&mut custom, "Scope", person.scope.as_deref().unwrap_or_default());
        put(&mut custom, "Role", person.role.as_deref().unwrap_or_default());
        let account_id = person.address.clone();
        Participant { id: participant_id(at), display: person.label().to_owned(), account_id, custom }
    };
    document.people.iter().enumerate().map(participant).collect()
}

/// Who is in the conversation when a document begins: everybody but those who join before they do
/// or are sent anything. So whoever does something is a member when it happens.
pub(super) fn at_first(document: &Document<'_>) -> Vec<bool> {
    let mut first: Vec<Option<bool>> = vec![None; document.people.len()];
    for item in document.items {
        let data = item.data();
        let changes = item.contract() == Some(Kind::ConversationParticipant);
        let changing = data.participant.as_deref().filter(|_| changes);
        let stays = data.action.as_deref() != Some("joined");
        let acting = item.from().into_iter().chain(item.to());
        for (party, is_member) in changing.map(|p| (p, stays)).into_iter().chain(acting.map(|p| (p, true))) {
            if let Some(person) = document.person(party) {
                first[person].get_or_insert(is_member);
            }
        }
    }
    first.into_iter().map(|is_member| is_member.unwrap_or(true)).collect()
}

/// Whose conversation it is: the first custodian of the register who is in it at first, else the first
/// of our own people.
pub(super) fn custodian(document: &Document<'_>, at_first: &[bool]) -> Option<usize> {
    let mut known = document.custodians.iter().map(|custodian| custodian.person);
    if let Some(known) = known.find(|person| at_first.get(*person) == Some(&true)) {
        return Some(known);
    }
    let ours =
        |(person, is_member): (&Person, &bool)| *is_member && person.scope.as_deref() == Some("internal");
    document.people.iter().zip(at_first).position(ours)
}

/// The name of a custodian: the register's, else as the records call the person.
pub(super) fn custodian_name<'d>(document: &'d Document<'_>, person: usize) -> &'d str {
    let known = document.custodians.iter().find(|custodian| custodian.person == person);
    known.map_or_else(|| document.people[person].label(), |custodian| &custodian.name)
}

/// The networks of a document's people, in order of the alphabet.
pub(super) fn platform(document: &Document<'_>) -> String {
    let said = |network: &&str| !network.is_empty();
    let networks: BTreeSet<&str> =
        document.people.iter().filter_map(|person| person.network.as_deref()).filter(said).collect();
    if networks.is_empty() {
        return "unknown".to_owned();
    }
    networks.into_iter().collect::<Vec<_>>().join(", ")
}

/// The same for every document of a conversation, and for no other's.
pub(super) fn collection_id(document: &Document<'_>) -> String {
    Hash::of(document.thread.key.as_bytes()).to_string()[..32].to_owned()
}

/// The conversation that a document is of.
pub(super) fn conversation(document: &Document<'_>, at_first: &[bool]) -> Conversation {
    let thread = document.thread;
    let changes = document.items.iter().any(|item| item.contract() == Some(Kind::ConversationParticipant));
    let is_direct = thread.kind.as_deref() == Some("direct") && !changes;
    let mut custom = Vec::new();
    put(&mut custom, "Document", document.number.as_str());
    put(&mut custom, "Conversation ID", thread.id.as_deref().unwrap_or_default());
    put(&mut custom, "Conversation kind", thread.kind.as_deref().unwrap_or_default());
    put(&mut custom, "Day", document.day.to_string());
    put(&mut custom, "Part", format!("{} of {}", document.part, document.parts));
    production(&mut custom, document.about);
    Conversation {
        id: CONVERSATION,
        display: thread.label.clone(),
        platform: platform(document),
        kind: if is_direct { "direct" } else { "channel" },
        participants: (0..).zip(at_first).filter(|(_, is)| **is).map(|(at, _)| participant_id(at)).collect(),
        custodian: custodian(document, at_first).map(participant_id),
        custom,
    }
}
