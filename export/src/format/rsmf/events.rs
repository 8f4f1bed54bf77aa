//! Records as events: what changes a message becomes part of the message's event.

use std::collections::HashMap;

use custody_schemas::Kind;

use super::change;
use super::custom::{fields, message, origin, put};
use super::files::{File, Files};
use super::manifest::{Event, Type, participant_id};
use super::members::CONVERSATION;
use crate::describe::describe;
use crate::document::Document;
use crate::format::Exception;
use crate::format::utc;
use crate::item::Item;

/// What is made of a document's records, in their order.
pub(super) struct Events<'d> {
    pub(super) events: Vec<Event>,
    /// Every file that an event names.
    pub(super) files: Vec<File<'d>>,
    pub(super) exceptions: Vec<Exception>,
}

/// The event of a message, and how many records are in it.
pub(super) struct Home {
    pub(super) event: usize,
    pub(super) records: usize,
}

/// Every record is an event, or part of an earlier one.
pub(super) fn events<'d>(document: &'d Document<'_>, custodian: Option<usize>) -> Events<'d> {
    let mut out = Events { events: Vec::new(), files: Vec::new(), exceptions: Vec::new() };
    let mut homes: HashMap<&str, Home> = HashMap::new();
    let mut files = Files::new(document);
    for (at, item) in document.items.iter().enumerate() {
        let attachments = files.of(at, &mut out.files, &mut out.exceptions);
        // A change follows what it changes, so a home is always of an earlier record.
        if let Some(home) = item.message_id().and_then(|id| homes.get_mut(id)) {
            let event = &mut out.events[home.event];
            if let Some(prefix) = change::apply(document, item, event, home) {
                origin(&mut event.custom, &prefix, item);
                change::describe(&mut event.custom, &prefix, item);
                event.attachments.extend(attachments);
                continue;
            }
        }
        let parent = parent(item, &out.events, &homes);
        let mut event = own(document, item, custodian, parent, &mut out.exceptions);
        event.attachments = attachments;
        if let (Type::Message, Some(id)) = (&event.kind, item.message_id()) {
            homes.entry(id).or_insert(Home { event: out.events.len(), records: 1 });
        }
        out.events.push(event);
    }
    out
}

/// The event of the message that one answers, if it is here and not later.
fn parent(item: &Item<'_>, events: &[Event], homes: &HashMap<&str, Home>) -> Option<String> {
    let answered = item.data().message.as_ref()?.in_reply_to.as_deref()?;
    Some(events[homes.get(answered)?.event].id.clone())
}

fn own(
    document: &Document<'_>,
    item: &Item<'_>,
    custodian: Option<usize>,
    parent: Option<String>,
    exceptions: &mut Vec<Exception>,
) -> Event {
    let kind = kind(item);
    let is_change = matches!(kind, Type::Join | Type::Leave);
    let who = if is_change { item.data().participant.as_deref() } else { item.from() };
    let person = who.and_then(|party| document.person(party));
    let is_message = matches!(kind, Type::Message);
    let mut event = Event {
        id: item.shown.position.to_string(),
        kind,
        parent: parent.filter(|_| is_message),
        body: None,
        participant: person.map(participant_id),
        conversation: CONVERSATION,
        timestamp: utc(item.at_us()),
        deleted: false,
        importance: None,
        direction: None,
        reactions: Vec::new(),
        attachments: Vec::new(),
        edits: Vec::new(),
        read_receipts: Vec::new(),
        custom: Vec::new(),
    };
    let position = || Some(item.shown.position.to_string());
    let number = &document.number;
    if event.timestamp.is_none() {
        let what = "its time is outside of the years 1 to 9999: the event has none".to_owned();
        exceptions.push(Exception { number: number.clone(), position: position(), what });
    }
    if let Some(value) = too_long(item) {
        let what = format!("the reaction {value} is longer than RSMF allows: it is an event of its own");
        exceptions.push(Exception { number: number.clone(), position: position(), what });
    }
    origin(&mut event.custom, "", item);
    if is_message {
        event.body = Some(item.text().unwrap_or_default().into_owned());
        let outgoing = |custodian| if person == Some(custodian) { "outgoing" } else { "incoming" };
        event.direction = person.and(custodian).map(outgoing);
        told(&mut event, item);
        message(&mut event.custom, item);
        return event;
    }
    event.body = (!is_change).then(|| describe(item)).filter(|body| !body.is_empty());
    let left_out = fields(&mut event.custom, "", item);
    if left_out > 0 {
        let what = format!("{left_out} fields of its data are not in the event");
        put(&mut event.custom, "Fields left out", left_out.to_string());
        exceptions.push(Exception { number: number.clone(), position: position(), what });
    }
    event
}

/// A reaction that RSMF's field cannot hold.
fn too_long<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    let value = item.data().reaction.as_ref()?.value.as_deref()?;
    (!value.is_empty() && !change::is_short(value)).then_some(value)
}

/// What kind of event a record is, where it is one of its own.
fn kind(item: &Item<'_>) -> Type {
    let action = item.data().action.as_deref().filter(|_| item.data().participant.is_some());
    match (item.contract(), action) {
        (Some(Kind::MessageSent), _) => Type::Message,
        (Some(Kind::ConversationParticipant), Some("joined")) => Type::Join,
        (Some(Kind::ConversationParticipant), Some("left")) => Type::Leave,
        (Some(Kind::ConversationHistoryViewed), _) => Type::History,
        _ => Type::Unknown,
    }
}

/// Importance and the message answered, in RSMF's own fields or, where they cannot be, in ours.
fn told(event: &mut Event, item: &Item<'_>) {
    let Some(message) = &item.data().message else { return };
    match message.importance.as_deref() {
        Some(word) if word.eq_ignore_ascii_case("high") => event.importance = Some("high"),
        Some(word) if word.eq_ignore_ascii_case("normal") => event.importance = Some("normal"),
        other => put(&mut event.custom, "Importance", other.unwrap_or_default()),
    }
    if event.parent.is_none() {
        put(&mut event.custom, "In reply to", message.in_reply_to.as_deref().unwrap_or_default());
    }
}
