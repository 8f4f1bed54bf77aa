//! One record, whole: as people, productions and auditors see it.

mod checks;
mod decoded;

use custody_schemas::manifest::Gap;
use custody_schemas::{Hash, Position};
use serde::Serialize;

pub(crate) use checks::{Checked, Checks, Header, Stored};

use crate::error::Error;
use crate::log::FileRef;
use crate::view::Rows;

/// Somebody whom an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// `from`, `to`, `via`, `participant`, `on_behalf_of`, `referred_by` or `original_target`.
    pub relation: String,
    /// The network's word.
    pub network: Option<String>,
    /// The native address.
    pub address: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub scope: Option<String>,
}

impl Party {
    /// Display name, else address.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.address.as_deref()).unwrap_or("?")
    }
}

/// A call's times and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The call's id.
    pub id: Option<String>,
    /// Media, comma separated.
    pub media: Option<String>,
    /// Microseconds since 1970 UTC.
    pub invite_time_us: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub answer_time_us: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub end_time_us: Option<i64>,
    /// From answer to end.
    pub duration_ms: Option<i64>,
    /// The SIP response code.
    pub response_code: Option<i64>,
    /// Why it ended.
    pub reason: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// The file's id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// SHA-256 of its content, as the gateway said.
    pub sha256: Option<String>,
}

/// One archived event, re-hashed when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its permanent address.
    pub position: Position,
    /// The batch that it was archived in.
    pub batch: String,
    /// The batch's Merkle root.
    pub batch_root: Hash,
    /// The file that it was read from.
    pub file: String,
    /// Its leaf hash, made anew from its bytes and equal to the stored one.
    pub leaf: Hash,
    /// The broker's timestamp, milliseconds since 1970 UTC.
    pub broker_time_ms: Option<i64>,
    /// When the batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: i64,
    /// Why it could not be decoded; `None` for a decoded record.
    pub quarantined: Option<String>,
    /// The offsets that were lost here, for the row of a gap: the manifest of its batch says so,
    /// never the row itself.
    pub gap: Option<Gap>,
    /// What is odd about it, words separated by commas.
    pub warnings: Option<String>,
    /// The same for every delivery of one event and for every capture of one message or call; `None`
    /// when it was not decoded.
    pub identity: Option<u64>,
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// Its number in the source.
    pub sequence: Option<i64>,
    /// The type's full name.
    pub kind: String,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The conversation's id.
    pub conversation: Option<String>,
    /// `direct`, `group` or `meeting`.
    pub conversation_kind: Option<String>,
    /// The conversation's title.
    pub title: Option<String>,
    /// Everybody whom the event names.
    pub parties: Vec<Party>,
    /// The sender's user agent.
    pub client: Option<String>,
    /// The message's id.
    pub message_id: Option<String>,
    /// The content type of `body`.
    pub content_type: Option<String>,
    /// The text as it was sent.
    pub body: Option<String>,
    /// Readable words of an event that is no message.
    pub detail: Option<String>,
    /// The call.
    pub call: Option<Call>,
    /// The file.
    pub shared_file: Option<File>,
    /// The message key, verbatim.
    pub key: Option<Vec<u8>>,
    /// The headers, verbatim.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The payload, verbatim.
    pub payload: Option<Vec<u8>>,
}

impl Record {
    /// Checks the leaf hashes of rows that were read together, and decodes the rows from their bytes.
    pub(crate) fn read_all(rows: &Rows, file: &FileRef, out: &mut Vec<Record>) -> Result<(), Error> {
        let mut checks = Checks::new(rows, file)?;
        for row in 0..rows.len() {
            out.push(Record::of(checks.row(row)?, file));
        }
        Ok(())
    }

    /// The same of one row.
    pub(crate) fn read(row: Stored<'_>, file: &FileRef) -> Result<Record, Error> {
        Ok(Record::of(row.check(file)?, file))
    }

    /// The parties with this relation.
    pub fn related<'a>(&'a self, relation: &'a str) -> impl Iterator<Item = &'a Party> {
        self.parties.iter().filter(move |party| party.relation == relation)
    }

    /// Who did it.
    pub fn sender(&self) -> Option<&Party> {
        self.related("from").next()
    }

    /// The type's short name; `quarantined` for a record that was not decoded.
    pub fn short_type(&self) -> std::borrow::Cow<'_, str> {
        match self.quarantined {
            Some(_) => "quarantined".into(),
            None => custody_schemas::kind::short_name(&self.kind),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
