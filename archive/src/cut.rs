//! Cutting a payload into a template: finding where the columns' values stand in it.
//!
//! Every hole is cut where the bytes of the value were seen, so the filled template is the
//! payload whatever its producer's spacing, order and escapes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use custody_schemas::event::{Data, Party, Text};
use custody_schemas::time::{time_text, time_us};
use custody_schemas::{Decoded, Incoming};
use foldhash::fast::FixedState;
use memchr::memmem::{self, Finder};

use crate::row::{CONVERSATION, DETAIL, Row, SOURCE};
use crate::shape::{Known, Shapes, keyed};
use crate::template::{
    CALL_NUMBERS, CALL_TEXTS, CALL_TIMES, FILE_TEXTS, Form, KEYS, Name, PARTIES_MAX, PARTY_TEXTS, has_marks,
    push_ascii, push_hole, push_json, push_key,
};

/// A longer template is hardly one that comes again.
const TEMPLATE_BYTES_MAX: usize = 8 << 10;
/// A template of [`TEMPLATE_BYTES_MAX`] has no room for more holes.
const HOLES_MAX: usize = 2_048;
/// Texts that were unescaped are looked for in so many payloads' lengths, no further: a message of
/// a hundred thousand escaped names must not hold up the others.
const SEARCHES_MAX: usize = 64;

/// So many different templates are remembered, 16 bytes each.
const SEEN_MAX: usize = 1 << 16;

/// Cuts the payloads of one batch after the other.
#[derive(Default)]
pub(crate) struct Cutter {
    /// Hashes of the templates that were made so far. One that was made before is worth
    /// storing: a dictionary holds it once. Two with one hash only make a dictionary longer.
    seen: HashSet<u64, FixedState>,
    hasher: FixedState,
    holes: Vec<Hole>,
    searches: usize,
    template: String,
    /// The same with what the key is.
    keyed: String,
    scratch: Vec<u8>,
    shapes: Shapes,
    /// Nothing is learned.
    #[cfg(test)]
    decodes_all: bool,
}

#[derive(Debug, Clone, Copy)]
struct Hole {
    from: u32,
    to: u32,
    name: Name,
    form: Form,
    digits: Option<u8>,
}

/// Finds a member's name.
type Key = LazyLock<Finder<'static>>;

static SEQUENCE: Key = Key::new(|| Finder::new("\"sequence\""));
static SIZE: Key = Key::new(|| Finder::new("\"size\""));
static CALL_KEYS: [Key; 3] = [
    Key::new(|| Finder::new("\"response_code\"")),
    Key::new(|| Finder::new("\"from_message_count\"")),
    Key::new(|| Finder::new("\"to_message_count\"")),
];

/// The parties of the contract in the order of the `parties` column, without those that a
/// call names in passing, which follow them.
pub(crate) fn parties<'d, 'a>(data: &'d Data<'a>) -> impl Iterator<Item = (&'static str, &'d Party<'a>)> {
    let from = data.from.iter().map(|party| ("from", party));
    let to = data.to.iter().flatten().map(|party| ("to", party));
    let via = data.via.iter().map(|party| ("via", &**party));
    let participant = data.participant.iter().map(|party| ("participant", &**party));
    from.chain(to).chain(via).chain(participant)
}

impl Cutter {
    /// The template of an event whose decoded form is in the columns, and whether it says what the key is;
    /// `None` when the payload is better kept as it is. `row` is what the columns say.
    pub(crate) fn cut(
        &mut self,
        incoming: &Incoming<'_>,
        decoded: &Decoded<'_>,
        row: &Row<'_>,
    ) -> Option<(&str, bool)> {
        let detail = row.texts[DETAIL];
        let payload = decoded.json;
        if has_marks(payload.as_bytes()) || u32::try_from(payload.len()).is_err() {
            return None;
        }
        self.holes.clear();
        self.searches = 0;
        self.envelope(decoded, payload);
        if let Some(data) = &decoded.event.data {
            self.data(data, row, payload);
            if data.search.is_some()
                && let Some(detail) = detail
            {
                self.searched(payload, Name::Row(b'd'), detail);
            }
        }
        self.make(payload)?;
        let hash = self.hasher.hash_one(&self.template);
        if self.seen.contains(&hash) {
            let keyed = keyed(incoming, row.texts[CONVERSATION], row.texts[SOURCE]);
            let Some(nth) = keyed else { return Some((&self.template, false)) };
            self.keyed.clear();
            push_key(&mut self.keyed, KEYS[nth]);
            self.keyed.push_str(&self.template);
            return Some((&self.keyed, true));
        }
        if self.seen.len() < SEEN_MAX {
            self.seen.insert(hash);
        }
        None
    }

    /// The same for the next batch: with what it has learned, unless that is all that it may learn.
    pub(crate) fn renewed(self) -> Self {
        if self.seen.len() < SEEN_MAX / 2 && !self.shapes.is_full() {
            return self;
        }
        Cutter {
            #[cfg(test)]
            decodes_all: self.decodes_all,
            ..Cutter::default()
        }
    }

    /// The row and the template of a payload that is like one before.
    pub(crate) fn known<'k>(&'k mut self, incoming: &Incoming<'k>) -> Option<Known<'k>> {
        self.shapes.row(incoming)
    }

    #[cfg(test)]
    pub(crate) fn decoding_all(self) -> Self {
        Cutter { decodes_all: true, ..self }
    }

    /// Remembers that a payload which was cut just now, into the template that it has, is this row.
    pub(crate) fn learn(&mut self, payload: &str, row: &Row<'_>) {
        #[cfg(test)]
        if self.decodes_all {
            return;
        }
        self.shapes.learn(&self.template, payload, row);
    }

    fn envelope(&mut self, decoded: &Decoded<'_>, payload: &str) {
        let event = &decoded.event;
        for (letter, text) in [
            (b'i', Some(&event.id)),
            (b's', Some(&event.source)),
            (b'y', Some(&event.kind)),
            (b'n', event.tenant.as_ref()),
        ] {
            self.text(payload, Name::Row(letter), text);
        }
        self.time(payload, Name::Row(b't'), event.time.as_ref(), decoded.time_us);
        self.number(payload, Name::Row(b'q'), &SEQUENCE, event.sequence);
    }

    fn data(&mut self, data: &Data<'_>, row: &Row<'_>, payload: &str) {
        let conversation = data.conversation.as_ref();
        let message = data.message.as_ref();
        let body = message.and_then(|message| message.text.as_ref());
        let title = data.title.as_ref().or_else(|| conversation.and_then(|c| c.title.as_ref()));
        for (letter, text) in [
            (b'c', conversation.and_then(|c| c.id.as_ref())),
            (b'k', conversation.and_then(|c| c.kind.as_ref())),
            (b'l', title),
            (b'u', data.client.as_ref()),
            (b'm', message.and_then(|m| m.id.as_ref())),
            (b'r', message.and_then(|m| m.in_reply_to.as_ref())),
            (b'x', message.and_then(|m| m.content_type.as_ref())),
            (b'b', body.or_else(|| data.contact.as_ref().and_then(|contact| contact.text.as_ref()))),
        ] {
            self.text(payload, Name::Row(letter), text);
        }
        for (number, (_, party)) in (0..PARTIES_MAX).zip(parties(data)) {
            if self.holes.len() > HOLES_MAX {
                return;
            }
            let texts = [&party.network, &party.address, &party.name, &party.role, &party.scope];
            for ((letter, _), text) in PARTY_TEXTS.into_iter().zip(texts) {
                self.text(payload, Name::Party(number, letter), text.as_ref());
            }
        }
        if let Some(call) = &data.call {
            for ((letter, _), text) in CALL_TEXTS.into_iter().zip([&call.id, &call.reason]) {
                self.text(payload, Name::Call(letter), text.as_ref());
            }
            let [.., diagnostics, quality] = row.call.as_deref().map(|call| call.texts).unwrap_or_default();
            for (letter, json) in [(b'd', diagnostics), (b'q', quality)] {
                self.json(payload, Name::Call(letter), json);
            }
            let times = [&call.invite_time, &call.answer_time, &call.end_time];
            for ((letter, _), text) in CALL_TIMES.into_iter().zip(times) {
                let us = text.as_deref().and_then(time_us);
                self.time(payload, Name::Call(letter), text.as_ref(), us);
            }
            let numbers = [call.response_code, call.from_message_count, call.to_message_count];
            for (((letter, _), key), number) in CALL_NUMBERS.into_iter().zip(&CALL_KEYS).zip(numbers) {
                self.number(payload, Name::Call(letter), key, number);
            }
        }
        if let Some(file) = &data.file {
            let texts = [&file.id, &file.name, &file.media_type, &file.sha256, &file.reference];
            for ((letter, _), text) in FILE_TEXTS.into_iter().zip(texts) {
                self.text(payload, Name::File(letter), text.as_ref());
            }
            self.number(payload, Name::File(b'z'), &SIZE, file.size);
        }
    }

    /// A text that was borrowed from the payload stands where it was borrowed; one that was
    /// unescaped is looked for in the forms that producers write.
    fn text(&mut self, payload: &str, name: Name, text: Option<&Text<'_>>) {
        match text.map(|text| &text.0) {
            None => {}
            Some(Cow::Borrowed(text)) => {
                if let Some(from) = place(payload, text) {
                    self.hole(from, from + text.len(), Form::AsIs, name, None);
                }
            }
            Some(Cow::Owned(text)) => self.searched(payload, name, text),
        }
    }

    fn searched(&mut self, payload: &str, name: Name, text: &str) {
        for (form, push) in [(Form::Json, push_json as fn(&str, &mut Vec<u8>)), (Form::Ascii, push_ascii)] {
            if self.searches == SEARCHES_MAX {
                return;
            }
            self.searches += 1;
            self.scratch.clear();
            push(text, &mut self.scratch);
            if let Some(from) = memmem::find(payload.as_bytes(), &self.scratch) {
                self.hole(from, from + self.scratch.len(), form, name, None);
                return;
            }
        }
    }

    /// A JSON value whose text is how we would write it.
    fn json(&mut self, payload: &str, name: Name, json: Option<&str>) {
        // Anything shorter may stand anywhere.
        let json = json.filter(|json| json.starts_with(['{', '[']) && self.searches < SEARCHES_MAX);
        let Some(json) = json else { return };
        self.searches += 1;
        if let Some(from) = memmem::find(payload.as_bytes(), json.as_bytes()) {
            self.hole(from, from + json.len(), Form::AsIs, name, None);
        }
    }

    /// A time whose text is how we would write it.
    fn time(&mut self, payload: &str, name: Name, text: Option<&Text<'_>>, us: Option<i64>) {
        let (Some(Text(Cow::Borrowed(text))), Some(us)) = (text, us) else { return };
        let digits = match text.rsplit_once('.') {
            Some((_, fraction)) => fraction.len().saturating_sub(1),
            None => 0,
        };
        let (Ok(digits), Some(from)) = (u8::try_from(digits), place(payload, text)) else { return };
        self.scratch.clear();
        if time_text(us, digits, &mut self.scratch).is_some() && self.scratch == text.as_bytes() {
            self.hole(from, from + text.len(), Form::AsIs, name, Some(digits));
        }
    }

    /// The digits after the first member of this name, in quotes or not, if they are the number.
    fn number(&mut self, payload: &str, name: Name, key: &Key, number: Option<i64>) {
        let Some(number) = number else { return };
        let Some(at) = key.find(payload.as_bytes()) else { return };
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number);
        let after = payload[at + key.needle().len()..].trim_start_matches([':', ' ', '"']);
        if after.starts_with(digits) {
            let from = payload.len() - after.len();
            self.hole(from, from + digits.len(), Form::AsIs, name, None);
        }
    }

    fn hole(&mut self, from: usize, to: usize, form: Form, name: Name, digits: Option<u8>) {
        // The length of the payload fits.
        let (from, to) = (from as u32, to as u32);
        if to > from {
            self.holes.push(Hole { from, to, form, name, digits });
        }
    }

    fn make(&mut self, payload: &str) -> Option<()> {
        self.holes.sort_unstable_by_key(|hole| (hole.from, hole.to));
        self.template.clear();
        let mut at = 0;
        for hole in &self.holes {
            let (from, to) = (hole.from as usize, hole.to as usize);
            // Two values that were looked for may have been found at one place.
            if from < at {
                continue;
            }
            self.template.push_str(payload.get(at..from)?);
            push_hole(&mut self.template, hole.form, hole.name, hole.digits);
            at = to;
        }
        self.template.push_str(payload.get(at..)?);
        (at > 0 && self.template.len() <= TEMPLATE_BYTES_MAX).then_some(())
    }
}

/// Where a text stands that was borrowed from the payload; `None` when it was not.
fn place(payload: &str, text: &str) -> Option<usize> {
    let at = text.as_ptr().addr().checked_sub(payload.as_ptr().addr())?;
    (payload.get(at..at.checked_add(text.len())?)? == text).then_some(at)
}

#[cfg(test)]
#[path = "cut_tests.rs"]
mod tests;
