//! One record of a transcript.

use std::borrow::Cow;

use custody_schemas::Kind;
use custody_schemas::decode::Warning;
use custody_schemas::event::{Party, Text};

use crate::describe::{describe, named};
use crate::document::{Attachment, party_label};
use crate::item::Item;

/// A record, and the records that are about it.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    /// Its place in the document's records; people count from one more.
    pub(crate) item: usize,
    pub(crate) what: What<'d>,
    pub(crate) answers: Option<Answer<'d>>,
    /// Short words about it, such as `edited later` or `context, not a hit`.
    pub(crate) flags: Vec<Cow<'d, str>>,
    /// What else it says, each with its name, such as `to`.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) attachments: Vec<&'d Attachment>,
    /// What became of a message, in order of time.
    pub(crate) history: Vec<Entry<'d>>,
}

/// What a record is to its reader.
#[derive(Debug)]
pub(crate) enum What<'d> {
    /// Somebody said something.
    Message {
        from: Option<&'d Party<'d>>,
        /// Without markup.
        text: Cow<'d, str>,
    },
    /// Something happened.
    Event {
        /// A sentence that names who did it.
        sentence: String,
        /// What somebody wrote with it, or all of a payload that no sentence can say.
        text: Option<Cow<'d, str>>,
    },
}

/// That a message answers another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer<'d> {
    /// The id of the message that is answered.
    pub(crate) id: &'d str,
    /// The record that is answered, if it is in the document.
    pub(crate) item: Option<usize>,
}

impl<'d> Entry<'d> {
    /// `under`: it will stand under the message that it is about, so it need not name it.
    pub(crate) fn new(
        at: usize,
        item: &'d Item<'_>,
        attachments: Vec<&'d Attachment>,
        answers: Option<Answer<'d>>,
        under: bool,
    ) -> Self {
        let mut entry = Entry {
            item: at,
            what: what(item, under),
            answers,
            flags: flags(item),
            facts: Vec::new(),
            attachments,
            history: Vec::new(),
        };
        entry.tell(item);
        entry
    }

    /// Adds what is about it, and says so at the top.
    pub(crate) fn add(&mut self, items: &[Item<'_>], entry: Entry<'d>) {
        let flag = match items[entry.item].contract() {
            Some(Kind::MessageEdited) => "edited later",
            Some(Kind::MessageDeleted) => "deleted later",
            _ => "",
        };
        if !flag.is_empty() && !self.flags.iter().any(|known| known == flag) {
            self.flags.insert(0, Cow::Borrowed(flag));
        }
        self.history.push(entry);
    }

    /// Facts that stand in the record and nowhere else in what is shown of it.
    fn tell(&mut self, item: &Item<'_>) {
        let data = item.data();
        if let (What::Event { .. }, Some(from)) = (&self.what, &data.from) {
            self.facts.push(("by", whole(from)));
        }
        if let Some(via) = &data.via {
            self.facts.push(("via", whole(via)));
        }
        if let Some(participant) = &data.participant {
            self.facts.push(("participant", whole(participant)));
        }
        let is_untold = matches!(self.what, What::Message { .. }) && self.attachments.is_empty();
        if let (Some(file), true) = (&data.file, is_untold) {
            let said = |text: &Option<Text<'_>>| text.as_deref().unwrap_or("(unknown)").to_owned();
            let size = file.size.map_or_else(String::new, |n| format!(", {n} bytes"));
            self.facts.push(("file", format!("{}, {}{size}", said(&file.name), said(&file.media_type))));
        }
    }
}

/// A party with its network and scope: name, address, and whose they are.
pub(crate) fn whole(party: &Party<'_>) -> String {
    let more = [party.network.as_deref(), party.scope.as_deref()];
    let more = more.into_iter().flatten().filter(|text| !text.is_empty());
    more.fold(named(party), |whole, text| whole + ", " + text)
}

fn what<'d>(item: &'d Item<'_>, under: bool) -> What<'d> {
    let contract = item.contract();
    if contract == Some(Kind::MessageSent) {
        return What::Message { from: item.from(), text: item.text().unwrap_or_default() };
    }
    if under {
        return under_a_message(item);
    }
    let text = match contract {
        // No sentence says what is in it, so its reader gets all of it.
        None if item.gap.is_none() => item.shown.payload.as_deref().map(String::from_utf8_lossy),
        None => None,
        Some(
            Kind::MessageEdited
            | Kind::ContactRequested
            | Kind::ContactAccepted
            | Kind::ContactDeclined
            | Kind::ContactBlocked
            | Kind::ContactRemoved,
        ) => None,
        Some(_) => item.text().filter(|text| !text.is_empty()),
    };
    What::Event { sentence: describe(item), text }
}

/// The same in fewer words, as the message stands above.
fn under_a_message<'d>(item: &'d Item<'_>) -> What<'d> {
    let data = item.data();
    let who = item.from().map_or("(unknown)", party_label);
    let word = |text: Option<&Text<'_>>| text.map_or("(unknown)", |text| text).to_owned();
    let (sentence, text) = match item.contract() {
        Some(Kind::MessageEdited) => {
            (format!("{who} edited it; the new text:"), Some(item.text().unwrap_or_default()))
        }
        Some(Kind::MessageDeleted) => (format!("{who} deleted it"), item.text()),
        Some(Kind::MessageReaction) => {
            let reaction = data.reaction.as_ref();
            let value = word(reaction.and_then(|reaction| reaction.value.as_ref()));
            let sentence = match reaction.and_then(|reaction| reaction.action.as_deref()) {
                Some("removed") => format!("{who} took back the reaction {value}"),
                _ => format!("{who} reacted with {value}"),
            };
            (sentence, item.text())
        }
        _ => {
            let status = data.receipt.as_ref().and_then(|receipt| receipt.status.as_ref());
            (format!("{} by {who}", word(status)), item.text())
        }
    };
    let is_edit = item.contract() == Some(Kind::MessageEdited);
    What::Event { sentence, text: text.filter(|text| is_edit || !text.is_empty()) }
}

fn flags<'d>(item: &'d Item<'_>) -> Vec<Cow<'d, str>> {
    let shown = item.shown;
    let mut flags = Vec::new();
    if shown.is_context {
        flags.push(Cow::Borrowed("context, not a hit"));
    }
    if shown.deliveries > 1 {
        flags.push(Cow::Owned(format!("delivered {} times", shown.deliveries)));
    }
    match shown.redactions {
        0 => {}
        1 => flags.push(Cow::Borrowed("1 redaction")),
        n => flags.push(Cow::Owned(format!("{n} redactions"))),
    }
    let message = item.data().message.as_ref();
    if let Some(importance) = message.and_then(|message| message.importance.as_deref()) {
        flags.push(Cow::Owned(format!("importance: {importance}")));
    }
    if item.body().and_then(|(content_type, _)| content_type).is_some_and(is_html) {
        flags.push(Cow::Borrowed("sent as HTML, shown as text"));
    }
    if item.time_us.is_none() && item.gap.is_none() {
        let time = if shown.broker_time_ms.is_some() { "Kafka's time" } else { "time of archiving" };
        flags.push(Cow::Owned(format!("no time of its own: {time}")));
    }
    flags.extend(item.warnings.iter().filter_map(|warning| odd(*warning)).map(Cow::Borrowed));
    flags
}

fn is_html(content_type: &str) -> bool {
    content_type.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
}

fn odd(warning: Warning) -> Option<&'static str> {
    Some(match warning {
        // Said with the time that stands in its place.
        Warning::TimeMissing => return None,
        Warning::TimeUnreadable => "its time cannot be read",
        Warning::TimeImplausible => "its time is not plausible",
        Warning::TypeUnknown => "not a type of the contract",
        Warning::DataNotDecoded => "its data is not of the contract's form",
        Warning::SpecversionUnknown => "not of CloudEvents 1.0",
    })
}
