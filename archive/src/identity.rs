//! Which records are one event: the `identity` column.
//!
//! A gateway's both sides may capture one message, each with a source, an id, a time and a number
//! of its own. So what has the ids of a message or a call is known by what it says, and everything
//! else by its source and id. In both cases two contents are two events, whatever their ids.

use custody_schemas::kind::Kind;
use custody_schemas::{Hash, gap};
use smallvec::SmallVec;

use crate::hashing::Ends;
use crate::row::{
    BODY, CONTENT_TYPE, CONVERSATION, CallTexts, DETAIL, ID, MESSAGE, Moment, PartyRow, Row, SOURCE, TENANT,
    TYPE,
};
use crate::rows::beginning;

/// How the source of what was imported from a file begins.
const IMPORTED: &str = "//import/";

/// The identity of a decoded event.
pub(crate) fn of_event(row: &Row<'_>, payload: Option<Hash>) -> i64 {
    let mut text = Vec::new();
    write_event(row, payload, &mut text);
    beginning(&Hash::of(&text))
}

/// Writes what the identity of a decoded event is the hash of.
pub(crate) fn write_event(row: &Row<'_>, payload: Option<Hash>, out: &mut Vec<u8>) -> Ends {
    let mut parts = Parts(out);
    if captured(row, &mut parts).is_some() {
        return Ends::Otherwise;
    }
    let [source, id, kind, tenant] = [SOURCE, ID, TYPE, TENANT].map(|column| row.text(column));
    parts.delivered([source, id, kind, row.time.text.unwrap_or_default(), tenant], payload)
}

/// The same of the row of a gap.
pub(crate) fn write_gap(id: &str, time: &str, payload: Option<Hash>, out: &mut Vec<u8>) -> Ends {
    Parts(out).delivered([gap::SOURCE, id, gap::KIND, time, ""], payload)
}

/// The same of what could not be decoded. Nothing says that two of them are one event: each
/// has its own, made from its place.
pub(crate) fn write_undecoded(batch: &str, place: &str, payload: Option<Hash>, out: &mut Vec<u8>) -> Ends {
    Parts(out).delivered([batch, place, "", "", ""], payload)
}

/// `None`, and nothing written, for an event that is not known by what it says.
fn captured(row: &Row<'_>, parts: &mut Parts<'_>) -> Option<()> {
    let kind = row.kind?;
    // A file that was imported may number its lines: its ids are nobody else's.
    if row.text(SOURCE).starts_with(IMPORTED) {
        return None;
    }
    match kind {
        Kind::MessageSent
        | Kind::MessageEdited
        | Kind::MessageDeleted
        | Kind::MessageReaction
        | Kind::MessageReceipt => {
            if row.text(MESSAGE).is_empty() || row.text(CONVERSATION).is_empty() {
                return None;
            }
            parts.captured(row);
            parts.message(row);
        }
        Kind::CallInvited
        | Kind::CallAnswered
        | Kind::CallParticipant
        | Kind::CallMedia
        | Kind::CallEnded => {
            let call = row.call.as_deref().filter(|call| !call.id().is_empty())?;
            parts.captured(row);
            parts.call(row, call);
        }
        _ => return None,
    }
    parts.text(row.text(BODY));
    parts.text(row.text(DETAIL));
    // These happen once to a message or a call. Anything else may come again and say the same: an
    // edit back to an earlier text, another receipt, somebody who joins once more.
    if !matches!(kind, Kind::MessageSent | Kind::CallInvited | Kind::CallAnswered | Kind::CallEnded) {
        parts.time(row.time);
    }
    Some(())
}

/// One after another, lengths first: no two lists of parts are the same bytes.
struct Parts<'o>(&'o mut Vec<u8>);

impl Parts<'_> {
    /// What makes two records deliveries of one event: the same source and id, and the same content,
    /// which is type, time and tenant (in binary mode they are in headers) and the payload, by its hash.
    fn delivered(mut self, texts: [&str; 5], payload: Option<Hash>) -> Ends {
        texts.into_iter().for_each(|text| self.text(text));
        self.part(payload.as_ref().map_or(&[], |hash| &hash.0));
        if payload.is_some() { Ends::WithPayload } else { Ends::Otherwise }
    }

    fn captured(&mut self, row: &Row<'_>) {
        // No event has it for a source.
        self.text("\0captured");
        [TYPE, TENANT, CONVERSATION].into_iter().for_each(|column| self.text(row.text(column)));
    }

    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.part(text.as_bytes());
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.part(&number.to_be_bytes()),
            None => self.part(&[]),
        }
    }

    /// A moment however it is written, or what is written for one.
    fn time(&mut self, time: Moment<'_>) {
        self.number(time.us);
        if time.us.is_none() {
            self.text(time.text.unwrap_or_default());
        }
    }

    /// Parties as a set: one side may list them in another order.
    fn parties<'r>(&mut self, of: impl Iterator<Item = &'r PartyRow<'r>>) {
        let mut of: SmallVec<[[&str; 3]; 8]> =
            of.map(|[relation, network, address, ..]| [relation, network, address].map(text)).collect();
        of.sort_unstable();
        of.dedup();
        self.count(of.len());
        of.into_iter().flatten().for_each(|text| self.text(text));
    }

    fn message(&mut self, row: &Row<'_>) {
        self.parties(row.parties.iter().filter(|party| matches!(party[0], Some("from" | "to"))));
        self.text(row.text(MESSAGE));
        self.text(row.text(CONTENT_TYPE));
    }

    fn call(&mut self, row: &Row<'_>, call: &CallTexts<'_>) {
        // The bridge is not the call's but the capture's.
        self.parties(row.parties.iter().filter(|party| party[0] != Some("via")));
        self.text(call.id());
        self.count(call.media.len());
        call.media.iter().for_each(|medium| self.text(medium));
        call.times.into_iter().for_each(|time| self.time(time));
        // Sessions are reconciled with the counts: two claims are two.
        call.numbers.into_iter().for_each(|number| self.number(number));
    }
}

fn text<'t>(text: &Option<&'t str>) -> &'t str {
    text.unwrap_or_default()
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
