//! Writing an event with members that the contract leaves open (`data.extra`).

use custody_schemas::event::{Data, Event};
use custody_schemas::kind::short_name;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Outgoing;

/// An event of the contract and what else is known.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    /// Its `data` is empty: it is in the next member.
    pub(super) event: Event<'a>,
    pub(super) data: Data<'a>,
    pub(super) extra: Map<String, Value>,
}

#[derive(Serialize)]
struct Whole<'e> {
    #[serde(flatten)]
    event: &'e Event<'e>,
    data: WholeData<'e>,
}

#[derive(Serialize)]
struct WholeData<'e> {
    #[serde(flatten)]
    data: &'e Data<'e>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'e Map<String, Value>,
}

impl Draft<'_> {
    pub(super) fn outgoing(&self) -> Result<Outgoing, String> {
        let whole = Whole { event: &self.event, data: WholeData { data: &self.data, extra: &self.extra } };
        let payload =
            serde_json::to_vec(&whole).map_err(|error| format!("cannot be written as JSON: {error}"))?;
        let kind = short_name(&self.event.kind).into_owned();
        Ok(Outgoing { key: key(&self.event, Some(&self.data)), payload, kind })
    }
}

/// The conversation's id or, without one, the source.
pub(super) fn key(event: &Event<'_>, data: Option<&Data<'_>>) -> Vec<u8> {
    let conversation = data.and_then(|data| data.conversation.as_ref());
    let id = conversation.and_then(|conversation| conversation.id.as_deref()).filter(|id| !id.is_empty());
    id.unwrap_or(&event.source).as_bytes().to_vec()
}
