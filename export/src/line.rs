//! One record as one line of JSON: written for people and programs, read back
//! as evidence.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_archive::{Party, Record};
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::text::plain;
use custody_schemas::{Hash, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A line of `records.jsonl`, its members in this order; all are always there,
/// except those that end in `_base64`.
///
/// Where it came from: `position`, `leaf_hash`, `batch`, `batch_root`,
/// `archived_time`, `broker_time` (for people) and `broker_time_ms` (exact).
/// What was decoded: `type` to `quarantined`. What was consumed, verbatim:
/// `key`, `headers`, `payload`; each a text when its bytes are UTF-8, else
/// `null` and the bytes in base64 in the member of the same name with `_base64`;
/// `null` without such a member when Kafka had none. The leaf hash can be made
/// anew from `position`, `broker_time_ms`, `key`, `headers` and `payload`.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    position: String,
    leaf_hash: Hash,
    batch: &'a str,
    batch_root: Hash,
    archived_time: Option<String>,
    broker_time: Option<String>,
    broker_time_ms: Option<i64>,
    #[serde(rename = "type")]
    kind: &'a str,
    time: Option<String>,
    id: &'a str,
    source: &'a str,
    sequence: Option<i64>,
    tenant: Option<&'a str>,
    conversation: Option<&'a str>,
    conversation_kind: Option<&'a str>,
    title: Option<&'a str>,
    from: Option<Somebody<'a>>,
    to: Vec<Somebody<'a>>,
    others: Vec<Other<'a>>,
    client: Option<&'a str>,
    message_id: Option<&'a str>,
    content_type: Option<&'a str>,
    text: Option<std::borrow::Cow<'a, str>>,
    detail: Option<&'a str>,
    call: Option<CallLine<'a>>,
    file: Option<FileLine<'a>>,
    warnings: Vec<&'a str>,
    quarantined: Option<&'a str>,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    headers: Vec<Header<'a>>,
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

#[derive(Serialize)]
struct Somebody<'a> {
    network: Option<&'a str>,
    address: Option<&'a str>,
    name: Option<&'a str>,
    role: Option<&'a str>,
    scope: Option<&'a str>,
}

#[derive(Serialize)]
struct Other<'a> {
    relation: &'a str,
    #[serde(flatten)]
    party: Somebody<'a>,
}

#[derive(Serialize)]
struct CallLine<'a> {
    id: Option<&'a str>,
    media: Option<&'a str>,
    invite_time: Option<String>,
    answer_time: Option<String>,
    end_time: Option<String>,
    duration_ms: Option<i64>,
    response_code: Option<i64>,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct FileLine<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    media_type: Option<&'a str>,
    size: Option<i64>,
    sha256: Option<&'a str>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

/// Bytes as a text when they are one, else in base64.
fn readable(bytes: Option<&[u8]>) -> (Option<&str>, Option<String>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text), None),
        Some((bytes, Err(_))) => (None, Some(STANDARD.encode(bytes))),
    }
}

/// RFC 3339 in UTC with milliseconds; `None` for a time outside the years that
/// RFC 3339 can write.
pub(crate) fn rfc3339_ms(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|time| format!("{time:.3}"))
}

fn rfc3339_us(us: i64) -> Option<String> {
    Timestamp::from_microsecond(us).ok().map(|time| format!("{time:.6}"))
}

fn somebody(party: &Party) -> Somebody<'_> {
    Somebody {
        network: party.network.as_deref(),
        address: party.address.as_deref(),
        name: party.name.as_deref(),
        role: party.role.as_deref(),
        scope: party.scope.as_deref(),
    }
}

fn header((name, value): &(String, Option<Vec<u8>>)) -> Header<'_> {
    let (value, value_base64) = readable(value.as_deref());
    Header { name, value, value_base64 }
}

impl<'a> Line<'a> {
    /// `kind` is the record's short type.
    pub(crate) fn new(record: &'a Record, kind: &'a str) -> Self {
        let (key, key_base64) = readable(record.key.as_deref());
        let (payload, payload_base64) = readable(record.payload.as_deref());
        let others = record.parties.iter().filter(|party| !matches!(&*party.relation, "from" | "to"));
        Line {
            position: record.position.to_string(),
            leaf_hash: record.leaf,
            batch: &record.batch,
            batch_root: record.batch_root,
            archived_time: rfc3339_ms(record.archived_ms),
            broker_time: record.broker_time_ms.and_then(rfc3339_ms),
            broker_time_ms: record.broker_time_ms,
            kind,
            time: record.time_us.and_then(rfc3339_us),
            id: &record.id,
            source: &record.source,
            sequence: record.sequence,
            tenant: record.tenant.as_deref(),
            conversation: record.conversation.as_deref(),
            conversation_kind: record.conversation_kind.as_deref(),
            title: record.title.as_deref(),
            from: record.sender().map(somebody),
            to: record.related("to").map(somebody).collect(),
            others: others.map(|party| Other { relation: &party.relation, party: somebody(party) }).collect(),
            client: record.client.as_deref(),
            message_id: record.message_id.as_deref(),
            content_type: record.content_type.as_deref(),
            text: record.body.as_deref().map(|body| plain(record.content_type.as_deref(), body)),
            detail: record.detail.as_deref(),
            call: call(record),
            file: file(record),
            warnings: record.warnings.iter().flat_map(|words| words.split(',')).collect(),
            quarantined: record.quarantined.as_deref(),
            key,
            key_base64,
            headers: record.headers.iter().map(header).collect(),
            payload,
            payload_base64,
        }
    }
}

fn call(record: &Record) -> Option<CallLine<'_>> {
    record.call.as_ref().map(|call| CallLine {
        id: call.id.as_deref(),
        media: call.media.as_deref(),
        invite_time: call.invite_time_us.and_then(rfc3339_us),
        answer_time: call.answer_time_us.and_then(rfc3339_us),
        end_time: call.end_time_us.and_then(rfc3339_us),
        duration_ms: call.duration_ms,
        response_code: call.response_code,
        reason: call.reason.as_deref(),
    })
}

fn file(record: &Record) -> Option<FileLine<'_>> {
    record.shared_file.as_ref().map(|file| FileLine {
        id: file.id.as_deref(),
        name: file.name.as_deref(),
        media_type: file.media_type.as_deref(),
        size: file.size,
        sha256: file.sha256.as_deref(),
    })
}

/// What a line proves. Members for people are passed over: the SHA-256 of the
/// whole file covers them.
#[derive(Debug, Deserialize)]
pub(crate) struct Evidence {
    position: String,
    pub(crate) leaf_hash: Hash,
    pub(crate) batch: String,
    pub(crate) batch_root: Hash,
    pub(crate) archived_time: Option<String>,
    broker_time: Option<String>,
    broker_time_ms: Option<i64>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    key: Option<String>,
    key_base64: Option<String>,
    headers: Vec<HeaderRead>,
    payload: Option<String>,
    payload_base64: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRead {
    name: String,
    value: Option<String>,
    value_base64: Option<String>,
}

fn bytes(name: &str, text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(format!("it has both {name} and {name}_base64")),
        (text, None) => Ok(text.map(String::into_bytes)),
        (None, Some(base64)) => {
            let decoded = STANDARD.decode(base64);
            decoded.map(Some).map_err(|e| format!("{name}_base64 is not base64: {e}"))
        }
    }
}

impl Evidence {
    pub(crate) fn position(&self) -> Result<Position, String> {
        let position: Position = self.position.parse().map_err(|e: custody_schemas::position::NotAPosition| e.to_string())?;
        match position.to_string() == self.position {
            true => Ok(position),
            false => Err(format!("position {} is not written as {position}", self.position)),
        }
    }

    /// The leaf hash, made anew from the bytes in the line.
    pub(crate) fn leaf(&mut self, position: &Position) -> Result<Hash, String> {
        if self.broker_time != self.broker_time_ms.and_then(rfc3339_ms) {
            return Err("broker_time is not broker_time_ms".to_owned());
        }
        let key = bytes("key", self.key.take(), self.key_base64.take())?;
        let payload = bytes("payload", self.payload.take(), self.payload_base64.take())?;
        let mut headers = Vec::with_capacity(self.headers.len());
        for header in self.headers.drain(..) {
            headers.push((header.name, bytes("value", header.value, header.value_base64)?));
        }
        let leaf = Leaf {
            topic: &position.partition.topic,
            generation: position.partition.generation,
            partition: position.partition.partition,
            offset: position.offset,
            broker_time_ms: self.broker_time_ms,
            key: key.as_deref(),
            payload: payload.as_deref(),
        };
        Ok(leaf_hash(leaf, headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()))))
    }
}
