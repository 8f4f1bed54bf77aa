//! `rsmf_manifest.json` as the schema of RSMF 2.0 has it.
//!
//! Source: `rsmf_schema_2_0_0.json` of relativitydev/rsmf-validator-samples.

use std::borrow::Cow;

use serde::Serialize;

/// The version that header and manifest name.
pub(super) const VERSION: &str = "2.0.0";

#[derive(Debug, Serialize)]
pub(super) struct Manifest {
    pub(super) version: &'static str,
    pub(super) participants: Vec<Participant>,
    /// One: a document is of one conversation.
    pub(super) conversations: [Conversation; 1],
    pub(super) events: Vec<Event>,
    pub(super) eventcollectionid: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Participant {
    pub(super) id: String,
    pub(super) display: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) custom: Vec<Custom>,
}

#[derive(Debug, Serialize)]
pub(super) struct Conversation {
    pub(super) id: &'static str,
    pub(super) display: String,
    pub(super) platform: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) participants: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custodian: Option<String>,
    pub(super) custom: Vec<Custom>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    Message,
    Join,
    Leave,
    History,
    Unknown,
}

#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) participant: Option<String>,
    pub(super) conversation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) importance: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reactions: Vec<Reaction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attachments: Vec<Attachment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) edits: Vec<Edit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) read_receipts: Vec<ReadReceipt>,
    pub(super) custom: Vec<Custom>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reaction {
    pub(super) value: String,
    pub(super) count: usize,
    pub(super) participants: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Attachment {
    /// The file's name in `rsmf.zip`.
    pub(super) id: String,
    pub(super) display: String,
    /// Bytes.
    pub(super) size: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Edit {
    pub(super) participant: String,
    pub(super) timestamp: String,
    pub(super) previous: String,
    pub(super) new: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ReadReceipt {
    pub(super) participant: String,
    pub(super) timestamp: String,
    pub(super) action: &'static str,
}

/// A field of our own; neither name nor value is ever empty.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Custom {
    pub(super) name: Cow<'static, str>,
    pub(super) value: String,
}

/// Serde's form of the question.
fn is_false(value: &bool) -> bool {
    !value
}

/// The id of one of a document's people.
pub(super) fn participant_id(person: usize) -> String {
    format!("P{}", person + 1)
}
