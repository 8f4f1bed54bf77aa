//! Which records are one event: the `identity` column.
//!
//! A gateway's both sides may capture one message, each with a source, an id, a time and a number
//! of its own. So what has the ids of a message or a call is known by what it says, and everything
//! else by its source and id. In both cases two contents are two events, whatever their ids.

use custody_schemas::decode::Decoded;
use custody_schemas::event::{Call, Data, Message, Party, Text};
use custody_schemas::kind::Kind;
use custody_schemas::time::time_us;
use custody_schemas::{Hash, gap};
use sha2::{Digest, Sha256};

use crate::cut::parties;
use crate::rows::{leaf_check, named_in_passing};

/// How the source of what was imported from a file begins.
const IMPORTED: &str = "//import/";

/// The identity of a decoded event; `detail` and `body` are the columns of these names.
pub(crate) fn of_event(
    decoded: &Decoded<'_>,
    body: Option<&str>,
    detail: Option<&str>,
    payload: Option<Hash>,
) -> i64 {
    let captured = decoded.event.data.as_deref().and_then(|data| captured(decoded, data, body, detail));
    captured.unwrap_or_else(|| {
        let event = &decoded.event;
        let (time, tenant) = (text(event.time.as_ref()), text(event.tenant.as_ref()));
        delivered([&event.source, &event.id, &event.kind, time, tenant], payload)
    })
}

/// The identity of the row of a gap.
pub(crate) fn of_gap(id: &str, time: &str, payload: Option<Hash>) -> i64 {
    delivered([gap::SOURCE, id, gap::KIND, time, ""], payload)
}

/// The identity of what could not be decoded. Nothing says that two of them are one event: each
/// has its own, made from its place.
pub(crate) fn of_undecoded(batch: &str, place: &str, payload: Option<Hash>) -> i64 {
    delivered([batch, place, "", "", ""], payload)
}

/// What makes two records deliveries of one event: the same source and id, and the same content,
/// which is type, time and tenant (in binary mode they are in headers) and the payload, by its hash.
fn delivered(texts: [&str; 5], payload: Option<Hash>) -> i64 {
    let mut parts = Parts(Sha256::new());
    texts.into_iter().for_each(|text| parts.text(text));
    parts.part(payload.as_ref().map_or(&[], |hash| &hash.0));
    parts.finish()
}

fn captured(decoded: &Decoded<'_>, data: &Data<'_>, body: Option<&str>, detail: Option<&str>) -> Option<i64> {
    let kind = decoded.kind?;
    // A file that was imported may number its lines: its ids are nobody else's.
    if decoded.event.source.starts_with(IMPORTED) {
        return None;
    }
    let conversation = text(data.conversation.as_ref().and_then(|conversation| conversation.id.as_ref()));
    let mut parts = Parts(Sha256::new());
    // No event has it for a source.
    parts.text("\0captured");
    parts.text(&decoded.event.kind);
    parts.text(text(decoded.event.tenant.as_ref()));
    parts.text(conversation);
    match kind {
        Kind::MessageSent
        | Kind::MessageEdited
        | Kind::MessageDeleted
        | Kind::MessageReaction
        | Kind::MessageReceipt => {
            let message = data.message.as_ref().filter(|message| !text(message.id.as_ref()).is_empty())?;
            if conversation.is_empty() {
                return None;
            }
            parts.message(data, message);
        }
        Kind::CallInvited
        | Kind::CallAnswered
        | Kind::CallParticipant
        | Kind::CallMedia
        | Kind::CallEnded => {
            let call = data.call.as_deref().filter(|call| !text(call.id.as_ref()).is_empty())?;
            parts.call(data, call);
        }
        _ => return None,
    }
    parts.text(body.unwrap_or_default());
    parts.text(detail.unwrap_or_default());
    // These happen once to a message or a call. Anything else may come again and say the same: an
    // edit back to an earlier text, another receipt, somebody who joins once more.
    if !matches!(kind, Kind::MessageSent | Kind::CallInvited | Kind::CallAnswered | Kind::CallEnded) {
        parts.time(decoded.event.time.as_ref(), decoded.time_us);
    }
    Some(parts.finish())
}

fn text<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map(|text| &**text).unwrap_or_default()
}

/// One after another, lengths first: no two lists of parts are the same bytes.
struct Parts(Sha256);

impl Parts {
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
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
    fn time(&mut self, written: Option<&Text<'_>>, us: Option<i64>) {
        self.number(us);
        if us.is_none() {
            self.text(text(written));
        }
    }

    /// Parties as a set: one side may list them in another order.
    fn parties(&mut self, mut of: Vec<(&str, &str, &str)>) {
        of.sort_unstable();
        of.dedup();
        self.0.update((of.len() as u64).to_be_bytes());
        for (relation, network, address) in of {
            [relation, network, address].into_iter().for_each(|text| self.text(text));
        }
    }

    fn message(&mut self, data: &Data<'_>, message: &Message<'_>) {
        let known = parties(data).filter(|(relation, _)| matches!(*relation, "from" | "to"));
        self.parties(known.map(|(relation, party)| named(relation, party)).collect());
        self.text(text(message.id.as_ref()));
        self.text(text(message.content_type.as_ref()));
    }

    fn call(&mut self, data: &Data<'_>, call: &Call<'_>) {
        let passing: Vec<_> = named_in_passing(call).collect();
        // The bridge is not the call's but the capture's.
        let known = parties(data).filter(|(relation, _)| *relation != "via");
        let all = known.chain(passing.iter().map(|(relation, party)| (*relation, party)));
        self.parties(all.map(|(relation, party)| named(relation, party)).collect());
        self.text(text(call.id.as_ref()));
        let media = call.media.as_deref().unwrap_or_default();
        self.0.update((media.len() as u64).to_be_bytes());
        media.iter().for_each(|medium| self.text(medium));
        for time in [&call.invite_time, &call.answer_time, &call.end_time] {
            self.time(time.as_ref(), time.as_deref().and_then(time_us));
        }
        // Sessions are reconciled with the counts: two claims are two.
        for number in [call.response_code, call.from_message_count, call.to_message_count] {
            self.number(number);
        }
    }

    /// The beginning of the hash.
    fn finish(self) -> i64 {
        leaf_check(&Hash(self.0.finalize().into()))
    }
}

fn named<'p>(relation: &'p str, party: &'p Party<'_>) -> (&'p str, &'p str, &'p str) {
    (relation, text(party.network.as_ref()), text(party.address.as_ref()))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
