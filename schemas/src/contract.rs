//! The published form of the contract: a JSON Schema per event type and one of the
//! status, and an AsyncAPI document, made from the Rust types and checked in.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::event::Event;
use crate::kind::Kind;
use crate::status::{FRESH_MS, PartitionStatus};

/// Members that every event's `data` may have.
const COMMON: [&str; 5] = ["conversation", "from", "to", "via", "client"];

/// The own members of a type's `data`: those it must have, those it may have.
fn own(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::MessageSent | Kind::MessageEdited | Kind::MessageDeleted => (&["message"], &[]),
        Kind::MessageReaction => (&["message", "reaction"], &[]),
        Kind::MessageReceipt => (&["message", "receipt"], &[]),
        Kind::FileShared => (&["file"], &["message"]),
        Kind::FileDownloaded => (&["file"], &[]),
        Kind::CallInvited | Kind::CallAnswered | Kind::CallMedia | Kind::CallEnded => (&["call"], &[]),
        Kind::CallParticipant => (&["call", "participant", "action"], &[]),
        Kind::ConversationParticipant => (&["participant", "action"], &[]),
        Kind::ConversationRenamed => (&["title"], &[]),
        Kind::ConversationHistoryViewed => (&["from"], &["range"]),
        Kind::ContactSearched => (&["search"], &[]),
        Kind::ContactRequested => (&["from", "to"], &["contact"]),
        Kind::ContactAccepted | Kind::ContactDeclined | Kind::ContactBlocked | Kind::ContactRemoved => {
            (&["from", "to"], &["contact"])
        }
        Kind::PolicyChanged => (&["policy", "from"], &[]),
        Kind::GatewayStarted | Kind::GatewayStopped | Kind::GatewayHeartbeat => (&["gateway"], &[]),
        Kind::GatewayOutage => (&["outage"], &[]),
    }
}

/// The JSON Schema (draft 2020-12) of one event type. Unknown members are
/// allowed everywhere: they are kept.
pub fn json_schema(kind: Kind) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let event: Value = generator.subschema_for::<Event<'static>>().to_value();
    let mut definitions: Map<String, Value> = generator.take_definitions(true);
    let (required, optional) = own(kind);
    if let Some(Value::Object(members)) =
        definitions.get_mut("Data").and_then(|data| data.get_mut("properties"))
    {
        members.retain(|name, _| {
            let name = name.as_str();
            COMMON.contains(&name) || required.contains(&name) || optional.contains(&name)
        });
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.full(),
        "description": kind.doc(),
        "allOf": [event],
        "required": ["specversion", "id", "source", "type", "time", "tenant", "sequence", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "type": { "const": kind.full() },
            "time": { "type": "string", "format": "date-time" },
            "sequence": { "type": ["string", "integer"] },
            "data": { "type": "object", "required": required },
        },
        "$defs": definitions,
    })
}

/// The JSON Schema (draft 2020-12) of what a worker says of a partition.
pub fn status_schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PartitionStatus>().to_value()
}

fn status_channel() -> Value {
    json!({
        "address": "custody.status",
        "description": format!(
            "Whether what is published is being archived: the newest message of each partition, rewritten every \
             second or so. Compacted. A partition without an `archiving` that is younger than {} s is not being \
             archived: a gateway blocks its traffic.",
            FRESH_MS / 1_000
        ),
        "messages": {
            "status": {
                "name": "custody.status.v1",
                "summary": "What a worker says of one partition.",
                "contentType": "application/json",
                "payload": { "$ref": "./json/status.json" },
                "bindings": { "kafka": { "key": { "type": "string", "description": "topic:partition" } } },
            }
        },
    })
}

/// The AsyncAPI 3.0 document of the topics that gateways publish to and read.
pub fn async_api() -> Value {
    let messages: Map<String, Value> = Kind::ALL
        .iter()
        .map(|kind| {
            let message = json!({
                "name": kind.full(),
                "summary": kind.doc(),
                "contentType": "application/cloudevents+json",
                "payload": { "$ref": format!("./json/{}.json", kind.short()) },
                "bindings": { "kafka": { "key": { "type": "string", "description": "the conversation's id" } } },
            });
            (kind.short().to_owned(), message)
        })
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Custody federation events",
            "version": "1.1.0",
            "description": "What a federation gateway publishes for the archive of record, and reads of it.",
        },
        "channels": {
            "federation": {
                "address": "federation.events",
                "description": "CloudEvents 1.0, Kafka protocol binding, structured or binary mode.",
                "messages": messages,
            },
            "status": status_channel(),
        },
        "operations": {
            "publish": { "action": "send", "channel": { "$ref": "#/channels/federation" } },
            "watch": { "action": "receive", "channel": { "$ref": "#/channels/status" } },
        },
    })
}

/// Every generated file: its path below `schemas/` and its text.
pub fn files() -> Vec<(String, String)> {
    let schemas =
        Kind::ALL.iter().map(|kind| (format!("json/{}.json", kind.short()), pretty(&json_schema(*kind))));
    let status = ("json/status.json".to_owned(), pretty(&status_schema()));
    schemas.chain([status, ("asyncapi.json".to_owned(), pretty(&async_api()))]).collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
