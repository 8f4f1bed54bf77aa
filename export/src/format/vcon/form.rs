//! The members of a vCon that are written, in their order.
//!
//! Source: draft-ietf-vcon-vcon-core, `vcon_json_schema.json`.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Vcon<'d> {
    pub(super) uuid: String,
    pub(super) created_at: String,
    pub(super) subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redacted: Option<Redacted>,
    pub(super) parties: Vec<Party>,
    pub(super) dialog: Vec<Dialog>,
    /// None: an archive says nothing about what it keeps.
    pub(super) analysis: [(); 0],
    pub(super) attachments: Vec<Attachment<'d>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Redacted {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Party {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mailto: Option<String>,
    pub(super) name: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Dialog {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parties: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mediatype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disposition: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) party_history: Vec<PartyHistory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PartyHistory {
    pub(super) party: usize,
    pub(super) time: String,
    pub(super) event: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Attachment<'d> {
    pub(super) purpose: &'static str,
    pub(super) start: String,
    pub(super) party: usize,
    pub(super) dialog: usize,
    pub(super) mediatype: String,
    pub(super) filename: String,
    pub(super) encoding: &'static str,
    pub(super) body: Body<'d>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body<'d> {
    Text(String),
    Evidence(Box<Evidence<'d>>),
}

/// What a vCon has no members for: where each dialog came from. An attachment of our own, so that
/// a reader needs no extension.
#[derive(Debug, Serialize)]
pub(super) struct Evidence<'d> {
    pub(super) document: &'d str,
    pub(super) production: &'d str,
    pub(super) requested_by: &'d str,
    pub(super) requested_for: &'d str,
    pub(super) through_version: u64,
    pub(super) time_zone: &'d str,
    pub(super) day: String,
    pub(super) part: u32,
    pub(super) parts: u32,
    pub(super) conversation: Option<&'d str>,
    pub(super) conversation_kind: Option<&'d str>,
    pub(super) leaf_digest: String,
    pub(super) parties: Vec<Known<'d>>,
    pub(super) records: Vec<Record<'d>>,
    pub(super) files: Vec<File<'d>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Known<'d> {
    pub(super) party: usize,
    pub(super) network: Option<&'d str>,
    pub(super) address: Option<&'d str>,
    pub(super) scope: Option<&'d str>,
    pub(super) role: Option<&'d str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Record<'d> {
    pub(super) dialog: usize,
    pub(super) position: String,
    pub(super) leaf_sha256: String,
    pub(super) batch_root: String,
    #[serde(rename = "type")]
    pub(super) kind: &'d str,
    /// `event`, `broker` or `archive`: whose time it is.
    pub(super) time_of: &'static str,
    pub(super) is_context: bool,
    pub(super) deliveries: u64,
    pub(super) redactions: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<&'static str>,
    /// What happened, where the dialog has no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct File<'d> {
    /// Its place among the attachments.
    pub(super) attachment: usize,
    pub(super) number: &'d str,
    pub(super) sha256: Option<&'d str>,
    pub(super) is_missing: bool,
}
