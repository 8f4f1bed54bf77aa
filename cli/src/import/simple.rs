//! One JSON object a line: events of the contract, which pass as they are, and a simple form
//! for what was logged elsewhere:
//!
//! ```json
//! {"id": "1", "time": "2012-01-01T01:04:00Z", "network": "irc", "conversation": "#ops",
//!  "from": "alice", "to": ["bob"], "body": "hello", "kind": "message"}
//! ```

use std::collections::BTreeMap;

use custody_schemas::decode::{Incoming, decode};
use custody_schemas::event::{Contact, Conversation, Data, Event, Message, Party, Text};
use custody_schemas::kind::Kind;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::Outgoing;
use super::event::{Draft, key};

/// Whether an object is an event of the contract.
#[derive(Deserialize)]
struct Probe {
    specversion: Option<IgnoredAny>,
}

/// A line of the simple form.
#[derive(Debug, Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(borrow, default)]
    network: Option<Text<'a>>,
    #[serde(borrow, default)]
    conversation: Option<Text<'a>>,
    #[serde(borrow, default)]
    from: Option<Text<'a>>,
    #[serde(borrow, default)]
    to: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    /// Members that the form does not know: kept.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Makes events of lines.
#[derive(Debug)]
pub struct Simple {
    source: String,
    tenant: String,
    sequence: i64,
}

impl Simple {
    /// `source` and `tenant` are for lines of the simple form; an event has its own.
    pub fn new(source: impl Into<String>, tenant: impl Into<String>) -> Self {
        Simple { source: source.into(), tenant: tenant.into(), sequence: 1 }
    }

    /// The source for events from a file of this name: `//import/<file name>`.
    pub fn source_of(file_name: &str) -> String {
        format!("//import/{file_name}")
    }

    /// Reads one line.
    ///
    /// # Errors
    ///
    /// Why the line is refused, in a few words.
    pub fn line(&mut self, line: &[u8]) -> Result<Outgoing, String> {
        let text = std::str::from_utf8(line)
            .map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
        // serde would read an array as a struct by position.
        if !text.trim_start().starts_with('{') {
            return Err("not a JSON object".into());
        }
        let probe: Probe = serde_json::from_str(text).map_err(not_json)?;
        if probe.specversion.is_some() {
            return passed_on(line);
        }
        let record: Record<'_> = serde_json::from_str(text).map_err(not_json)?;
        let outgoing = self.draft(record)?.outgoing()?;
        self.sequence += 1;
        Ok(outgoing)
    }

    fn draft<'a>(&self, record: Record<'a>) -> Result<Draft<'a>, String> {
        let id = record.id.as_ref().filter(|id| !id.is_empty()).ok_or("no id")?;
        let word = record.kind.as_deref().ok_or("no kind")?.to_owned();
        let network = record.network.clone();
        let party = |address: Text<'a>| Party {
            network: network.clone(),
            address: Some(address),
            ..Party::default()
        };
        let mut draft = Draft { extra: record.others.into_iter().collect::<Map<_, _>>(), ..Draft::default() };
        draft.event = Event {
            specversion: "1.0".into(),
            id: id.clone(),
            source: self.source.clone().into(),
            time: record.time,
            tenant: Some(self.tenant.clone().into()),
            sequence: Some(self.sequence),
            datacontenttype: Some("application/json".into()),
            ..Event::default()
        };
        // A channel that is its own recipient is said once: as the conversation.
        let conversation = record.conversation.as_deref();
        let to: Vec<_> =
            record.to.unwrap_or_default().into_iter().filter(|to| Some(&**to) != conversation).collect();
        draft.data = Data {
            conversation: record.conversation.clone().map(|id| conversation_of(id, to.len())),
            from: record.from.clone().map(party),
            to: (!to.is_empty()).then(|| to.into_iter().map(party).collect()),
            ..Data::default()
        };
        if draft.data.from.is_none() && draft.data.to.is_none() {
            // There is no party to say it of.
            add(&mut draft.extra, vec![("network", record.network.as_deref())]);
        }
        let message = Message {
            id: Some(id.clone()),
            content_type: Some("text/plain".into()),
            text: record.body.clone(),
            ..Message::default()
        };
        let mut said = Vec::new();
        let kind = match word.as_str() {
            "message" => Kind::MessageSent,
            "action" | "sms" => {
                said.push(("kind", Some(word.as_str())));
                Kind::MessageSent
            }
            "system" => {
                if let Some(from) = &mut draft.data.from {
                    from.scope = Some("system".into());
                }
                said.push(("kind", Some(word.as_str())));
                Kind::MessageSent
            }
            "join" | "leave" => {
                draft.data.participant = draft.data.from.clone().map(Box::new);
                draft.data.action = Some(if word == "join" { "joined" } else { "left" }.into());
                said.extend([("kind", Some(word.as_str())), ("body", record.body.as_deref())]);
                Kind::ConversationParticipant
            }
            "contact_request" => {
                draft.data.contact = Some(Contact { text: record.body.clone() });
                Kind::ContactRequested
            }
            "contact_accept" => {
                said.push(("body", record.body.as_deref().filter(|body| !body.is_empty())));
                Kind::ContactAccepted
            }
            _ => {
                // Not in the contract: kept under a type of its own, its text as a message's.
                draft.event.kind = format!("import.{word}").into();
                draft.data.message = Some(message);
                said.push(("kind", Some(word.as_str())));
                add(&mut draft.extra, said);
                return Ok(draft);
            }
        };
        if kind == Kind::MessageSent {
            draft.data.message = Some(message);
        }
        draft.event.kind = kind.full().into();
        add(&mut draft.extra, said);
        Ok(draft)
    }
}

fn add(extra: &mut Map<String, Value>, members: Vec<(&str, Option<&str>)>) {
    for (name, value) in members {
        if let Some(value) = value {
            extra.insert(name.to_owned(), value.into());
        }
    }
}

fn conversation_of(id: Text<'_>, recipients: usize) -> Conversation<'_> {
    let group = id.starts_with('#') || recipients > 1;
    Conversation { id: Some(id), kind: Some(if group { "group" } else { "direct" }.into()), title: None }
}

fn not_json(error: serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => format!("not a record: {error}"),
        _ => format!("not JSON: {error}"),
    }
}

/// An event of the contract keeps its bytes.
fn passed_on(line: &[u8]) -> Result<Outgoing, String> {
    let incoming = Incoming { key: None, headers: &[], payload: Some(line), broker_time_ms: None };
    let decoded = decode(&incoming).map_err(|quarantine| quarantine.to_string())?;
    let kind = decoded.short_type().into_owned();
    Ok(Outgoing { key: key(&decoded.event, decoded.event.data.as_deref()), payload: line.to_vec(), kind })
}
