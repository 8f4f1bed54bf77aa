//! Calls: dialogs without a recording.

use std::collections::HashMap;

use custody_schemas::Kind;
use custody_schemas::time::time_us;

use super::form::{Dialog, PartyHistory};
use crate::document::Document;
use crate::format::utc;
use crate::item::Item;

/// Who joined and left each call, by its id.
pub(super) fn histories<'d>(document: &'d Document<'_>) -> HashMap<&'d str, Vec<PartyHistory>> {
    let mut histories: HashMap<&str, Vec<PartyHistory>> = HashMap::new();
    for item in document.items.iter().filter(|item| item.contract() == Some(Kind::CallParticipant)) {
        let data = item.data();
        let event = match data.action.as_deref() {
            Some("joined") => "join",
            Some("left") => "drop",
            _ => continue,
        };
        let party = data.participant.as_deref().and_then(|party| document.person(party));
        if let (Some(id), Some(party), Some(time)) = (call_id(item), party, utc(item.at_us())) {
            histories.entry(id).or_default().push(PartyHistory { party, time, event });
        }
    }
    histories
}

fn call_id<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    item.data().call.as_ref()?.id.as_deref()
}

/// Makes the dialog of a call that ended: one that was answered has a time and a duration, another
/// the reason why it was not.
pub(super) fn ended(
    item: &Item<'_>,
    histories: &mut HashMap<&str, Vec<PartyHistory>>,
    dialog: Dialog,
) -> Dialog {
    let party_history = call_id(item).and_then(|id| histories.remove(id)).unwrap_or_default();
    let call = item.data().call.as_deref();
    let at = |text: Option<&str>| text.and_then(time_us);
    let Some(answered) = call.and_then(|call| call.answer_time.as_deref()) else {
        let disposition = Some(disposition(call.and_then(|call| call.response_code)));
        return Dialog { kind: "incomplete", disposition, party_history, ..dialog };
    };
    let answered = at(Some(answered));
    let ended = at(call.and_then(|call| call.end_time.as_deref()));
    // A call may say that it ended before it was answered: then its length is not known.
    let duration = answered.zip(ended).map(|(from, to)| to.saturating_sub(from)).filter(|us| *us >= 0);
    let duration = duration.map(|us| us as f64 / 1e6);
    let start = answered.and_then(utc).unwrap_or(dialog.start);
    Dialog { kind: "recording", start, duration, party_history, ..dialog }
}

/// Why a call was not answered, by its SIP response code (RFC 3261, section 21).
fn disposition(code: Option<i64>) -> &'static str {
    match code {
        None | Some(200..=299 | 408 | 480) => "no-answer",
        Some(486 | 600) => "busy",
        Some(487) => "hung-up",
        Some(503) => "congestion",
        Some(_) => "failed",
    }
}
