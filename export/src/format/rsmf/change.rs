//! What changes a message: edits, deletions, reactions, receipts and files of it.

use custody_schemas::Kind;

use super::custom::{fields, put};
use super::events::Home;
use super::manifest::{Custom, Edit, Event, Reaction, ReadReceipt, participant_id};
use crate::describe::named;
use crate::document::Document;
use crate::format::utc;
use crate::item::Item;
use crate::settings::RSMF_REACTION_CHARS_MAX;

/// Makes a record part of its message's event where RSMF has a field for it, and gives the name
/// under which the event tells of the record. `None`: it must be an event of its own.
pub(super) fn apply(
    document: &Document<'_>,
    item: &Item<'_>,
    event: &mut Event,
    home: &mut Home,
) -> Option<String> {
    let data = item.data();
    let who = item.from().and_then(|party| document.person(party)).map(participant_id);
    // Records are in order of time, so where both have one this is not earlier.
    let when = utc(item.at_us()).filter(|_| event.timestamp.is_some());
    match item.contract()? {
        Kind::MessageEdited => edit(item, event, who?, when?)?,
        Kind::MessageDeleted => event.deleted = true,
        Kind::MessageReaction => react(item, event, who?)?,
        Kind::MessageReceipt => {
            let action = match data.receipt.as_ref()?.status.as_deref()? {
                "read" => "read",
                "delivered" => "delivered",
                _ => return None,
            };
            event.read_receipts.push(ReadReceipt { participant: who?, timestamp: when?, action });
        }
        Kind::FileShared => {}
        _ => return None,
    }
    home.records += 1;
    Some(format!("Record {}", home.records))
}

fn edit(item: &Item<'_>, event: &mut Event, participant: String, timestamp: String) -> Option<()> {
    // Without a text it is not known what the message became.
    item.data().message.as_ref()?.text.as_ref()?;
    let new = item.text()?.into_owned();
    let previous = event.body.replace(new.clone()).unwrap_or_default();
    event.edits.push(Edit { participant, timestamp, previous, new });
    Some(())
}

fn react(item: &Item<'_>, event: &mut Event, participant: String) -> Option<()> {
    let reaction = item.data().reaction.as_ref()?;
    let value = reaction.value.as_deref().filter(|value| is_short(value))?;
    let at = event.reactions.iter().position(|known| known.value == value);
    match (reaction.action.as_deref(), at) {
        // RSMF has no field for a reaction that is gone: taking one away is an event of its own.
        (Some("removed"), Some(at)) => {
            let known = &mut event.reactions[at];
            known.participants.retain(|known| *known != participant);
            known.count = known.participants.len();
            if known.count == 0 {
                event.reactions.remove(at);
            }
            None
        }
        (Some("added") | None, Some(at)) => {
            let known = &mut event.reactions[at];
            if !known.participants.contains(&participant) {
                known.participants.push(participant);
                known.count = known.participants.len();
            }
            Some(())
        }
        (Some("added") | None, None) => {
            let (value, participants) = (value.to_owned(), vec![participant]);
            event.reactions.push(Reaction { value, count: 1, participants });
            Some(())
        }
        _ => None,
    }
}

/// Whether a reaction's value fits, counted as .NET does, in units of UTF-16.
pub(super) fn is_short(value: &str) -> bool {
    !value.is_empty() && value.encode_utf16().count() <= RSMF_REACTION_CHARS_MAX
}

/// What the event's own fields do not tell of a record that became part of it.
pub(super) fn describe(custom: &mut Vec<Custom>, prefix: &str, item: &Item<'_>) {
    let data = item.data();
    let mut put = |name: &str, value: &str| put(custom, format!("{prefix} {name}"), value);
    put("Time", &utc(item.at_us()).unwrap_or_default());
    put("By", &item.from().map(named).unwrap_or_default());
    put("Client", data.client.as_deref().unwrap_or_default());
    if let Some(reaction) = &data.reaction {
        put("Reaction", reaction.value.as_deref().unwrap_or_default());
    }
    if item.contract() == Some(Kind::FileShared) {
        fields(custom, prefix, item);
    }
}
