//! One record as one line of JSON: written for people and programs, read back
//! as evidence.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_schemas::decode::{Decoded, Warning, decode};
use custody_schemas::event::{Call, Data, Event, File, Party, Reaction};
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::position::NotAPosition;
use custody_schemas::text::plain;
use custody_schemas::time::time_text;
use custody_schemas::{Hash, Incoming, Position, gap};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::item::{Item, QUARANTINED, Shown};

/// What was consumed and where it came from: all that a line is made of.
///
/// The archive's decoded columns are not used. They serve search, and no leaf
/// hash covers them; what people read in a production is decoded anew from the
/// bytes whose hash was just checked.
struct Verbatim<'a> {
    position: &'a Position,
    leaf: Hash,
    batch: &'a str,
    batch_root: Hash,
    archived_time: Option<String>,
    broker_time_ms: Option<i64>,
    key: Option<&'a [u8]>,
    headers: &'a [(String, Option<Vec<u8>>)],
    payload: Option<&'a [u8]>,
    /// The archive says that it is the row of a gap.
    is_gap: bool,
    /// How many places of it were redacted.
    redactions: u32,
}

impl<'a> From<&'a Shown> for Verbatim<'a> {
    fn from(shown: &'a Shown) -> Self {
        Verbatim {
            position: &shown.position,
            leaf: shown.leaf,
            batch: &shown.batch,
            batch_root: shown.batch_root,
            archived_time: rfc3339_ms(shown.archived_ms),
            broker_time_ms: shown.broker_time_ms,
            key: shown.key.as_deref(),
            headers: &shown.headers,
            payload: shown.payload.as_deref(),
            is_gap: shown.is_gap,
            redactions: shown.redactions,
        }
    }
}

/// A line of `records.jsonl`, its members in this order; all are always there,
/// except those that end in `_base64`.
///
/// Where it came from: `position`, `leaf_hash`, `batch`, `batch_root`,
/// `archived_time`, `broker_time` (for people) and `broker_time_ms` (exact).
/// What was decoded: `type` to `gap`; `from`, `to`, `via`,
/// `participant`, `reaction`, `call` and `file` have the form of the event
/// contract. `gap` says what was lost, in the row of a gap: the archive's own words, not a
/// message of Kafka's. What was consumed, verbatim: `key`, `headers`, `payload`; each a
/// text when its bytes are UTF-8, else `null` and the bytes in base64 in the
/// member of the same name with `_base64`; `null` without such a member when
/// Kafka had none. The leaf hash can be made anew from `position`,
/// `broker_time_ms`, `key`, `headers` and `payload`.
#[derive(Serialize)]
struct Line<'a> {
    position: String,
    leaf_hash: Hash,
    batch: &'a str,
    batch_root: Hash,
    archived_time: Option<&'a str>,
    broker_time: Option<String>,
    broker_time_ms: Option<i64>,
    #[serde(rename = "type")]
    kind: &'a str,
    time: Option<String>,
    id: Option<&'a str>,
    source: Option<&'a str>,
    sequence: Option<i64>,
    tenant: Option<&'a str>,
    conversation: Option<&'a str>,
    conversation_kind: Option<&'a str>,
    title: Option<&'a str>,
    from: Option<&'a Party<'a>>,
    to: &'a [Party<'a>],
    via: Option<&'a Party<'a>>,
    participant: Option<&'a Party<'a>>,
    action: Option<&'a str>,
    client: Option<&'a str>,
    message_id: Option<&'a str>,
    in_reply_to: Option<&'a str>,
    content_type: Option<&'a str>,
    text: Option<Cow<'a, str>>,
    reaction: Option<&'a Reaction<'a>>,
    call: Option<&'a Call<'a>>,
    file: Option<&'a File<'a>>,
    warnings: Vec<&'a str>,
    quarantined: Option<&'a str>,
    gap: Option<&'a str>,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    headers: Vec<Header<'a>>,
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redactions: Option<u32>,
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
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(near(time, 3).unwrap_or_else(|| format!("{time:.3}")))
}

fn rfc3339_us(us: i64) -> Option<String> {
    let time = Timestamp::from_microsecond(us).ok()?;
    Some(near(time, 6).unwrap_or_else(|| format!("{time:.6}")))
}

/// The same text in less time; `None` outside of the years 1 to 9999.
fn near(time: Timestamp, digits: u8) -> Option<String> {
    let mut text = Vec::with_capacity(27);
    time_text(time.as_microsecond(), digits, &mut text)?;
    String::from_utf8(text).ok()
}

fn header((name, value): &(String, Option<Vec<u8>>)) -> Header<'_> {
    let (value, value_base64) = readable(value.as_deref());
    Header { name, value, value_base64 }
}

/// What the bytes of a record say.
struct Said<'a> {
    /// `None` for what cannot be decoded.
    event: Option<&'a Event<'a>>,
    /// The type's short name.
    kind: &'a str,
    time_us: Option<i64>,
    /// None of the row of a gap: its type is not of the contract, and need not be.
    warnings: &'a [Warning],
    quarantined: Option<&'a str>,
    gap: Option<&'a str>,
}

impl<'a> From<&'a Item<'_>> for Said<'a> {
    fn from(item: &'a Item<'_>) -> Self {
        Said {
            event: item.event.as_ref(),
            kind: &item.kind,
            time_us: item.time_us,
            warnings: &item.warnings,
            quarantined: item.quarantined.as_deref(),
            gap: item.gap.as_deref(),
        }
    }
}

/// Appends the line of a record that was decoded, its line end included, to `out`.
pub(crate) fn write(item: &Item<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    written(&item.shown.into(), &item.into(), out)
}

/// Appends the line of a record, its line end included, to `out`.
fn render(verbatim: &Verbatim<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let headers: Vec<_> =
        verbatim.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    let incoming = Incoming {
        key: verbatim.key,
        headers: &headers,
        payload: verbatim.payload,
        broker_time_ms: verbatim.broker_time_ms,
    };
    let decoded = decode(&incoming);
    let kind = decoded.as_ref().map_or(Cow::Borrowed(QUARANTINED), Decoded::short_type);
    let lost = verbatim.is_gap.then(|| gap::parse(verbatim.position, &incoming)).flatten();
    let lost = lost.as_ref().map(gap::detail);
    let read = decoded.as_ref().ok();
    let said = Said {
        event: read.map(|decoded| &decoded.event),
        kind: &kind,
        time_us: read.and_then(|decoded| decoded.time_us),
        warnings: read.filter(|_| lost.is_none()).map_or(&[][..], |decoded| decoded.warnings.as_slice()),
        quarantined: decoded.as_ref().err().map(|reason| reason.0.as_str()),
        gap: lost.as_deref(),
    };
    written(verbatim, &said, out)
}

fn written(verbatim: &Verbatim<'_>, said: &Said<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let nothing = Data::default();
    let data = said.event.and_then(|event| event.data.as_deref()).unwrap_or(&nothing);
    serde_json::to_writer(&mut *out, &line(verbatim, said, data))?;
    out.push(b'\n');
    Ok(())
}

fn line<'a>(verbatim: &'a Verbatim<'_>, said: &Said<'a>, data: &'a Data<'_>) -> Line<'a> {
    let (key, key_base64) = readable(verbatim.key);
    let (payload, payload_base64) = readable(verbatim.payload);
    let event = said.event;
    let (conversation, message) = (data.conversation.as_ref(), data.message.as_ref());
    let content_type = message.and_then(|message| message.content_type.as_deref());
    let body = message.and_then(|message| message.text.as_deref());
    let body = body.or_else(|| data.contact.as_ref().and_then(|contact| contact.text.as_deref()));
    let title = data.title.as_deref();
    Line {
        position: verbatim.position.to_string(),
        leaf_hash: verbatim.leaf,
        batch: verbatim.batch,
        batch_root: verbatim.batch_root,
        archived_time: verbatim.archived_time.as_deref(),
        broker_time: verbatim.broker_time_ms.and_then(rfc3339_ms),
        broker_time_ms: verbatim.broker_time_ms,
        kind: said.kind,
        time: said.time_us.and_then(rfc3339_us),
        id: event.map(|event| &*event.id),
        source: event.map(|event| &*event.source),
        sequence: event.and_then(|event| event.sequence),
        tenant: event.and_then(|event| event.tenant.as_deref()),
        conversation: conversation.and_then(|conversation| conversation.id.as_deref()),
        conversation_kind: conversation.and_then(|conversation| conversation.kind.as_deref()),
        title: title.or_else(|| conversation.and_then(|conversation| conversation.title.as_deref())),
        from: data.from.as_ref(),
        to: data.to.as_deref().unwrap_or_default(),
        via: data.via.as_deref(),
        participant: data.participant.as_deref(),
        action: data.action.as_deref(),
        client: data.client.as_deref(),
        message_id: message.and_then(|message| message.id.as_deref()),
        in_reply_to: message.and_then(|message| message.in_reply_to.as_deref()),
        content_type,
        text: body.map(|body| plain(content_type, body)),
        reaction: data.reaction.as_ref(),
        call: data.call.as_deref(),
        file: data.file.as_deref(),
        warnings: said.warnings.iter().map(|warning| warning.word()).collect(),
        quarantined: said.quarantined,
        gap: said.gap,
        key,
        key_base64,
        headers: verbatim.headers.iter().map(header).collect(),
        payload,
        payload_base64,
        redactions: (verbatim.redactions > 0).then_some(verbatim.redactions),
    }
}

/// The members of a line that everything else in it can be made from.
#[derive(Debug, Deserialize)]
struct Read {
    position: String,
    leaf_hash: Hash,
    batch: String,
    batch_root: Hash,
    archived_time: Option<String>,
    broker_time_ms: Option<i64>,
    #[serde(rename = "type")]
    kind: String,
    gap: Option<String>,
    key: Option<String>,
    key_base64: Option<String>,
    headers: Vec<HeaderRead>,
    payload: Option<String>,
    payload_base64: Option<String>,
    redactions: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRead {
    name: String,
    value: Option<String>,
    value_base64: Option<String>,
}

/// A line that was read, with its bytes as consumed.
pub(crate) struct Evidence {
    pub(crate) position: Position,
    /// As the line says.
    pub(crate) leaf_hash: Hash,
    pub(crate) batch: String,
    pub(crate) batch_root: Hash,
    pub(crate) archived_time: Option<String>,
    pub(crate) kind: String,
    /// How many places were redacted: of such a line the leaf hash cannot be made anew.
    pub(crate) redactions: u32,
    is_gap: bool,
    broker_time_ms: Option<i64>,
    key: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    payload: Option<Vec<u8>>,
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
    /// Reads a line, or says what is wrong with it.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, String> {
        let json = line.strip_suffix(b"\n").ok_or("it has no line end: the file was cut")?;
        let read: Read = serde_json::from_slice(json).map_err(|e| format!("it is not a record: {e}"))?;
        let position: Position = read.position.parse().map_err(|e: NotAPosition| e.to_string())?;
        if position.to_string() != read.position {
            return Err(format!("position {} is not written as {position}", read.position));
        }
        let mut headers = Vec::with_capacity(read.headers.len());
        for header in read.headers {
            headers.push((header.name, bytes("value", header.value, header.value_base64)?));
        }
        Ok(Evidence {
            position,
            leaf_hash: read.leaf_hash,
            batch: read.batch,
            batch_root: read.batch_root,
            archived_time: read.archived_time,
            kind: read.kind,
            redactions: read.redactions.unwrap_or(0),
            is_gap: read.gap.is_some(),
            broker_time_ms: read.broker_time_ms,
            key: bytes("key", read.key, read.key_base64)?,
            headers,
            payload: bytes("payload", read.payload, read.payload_base64)?,
        })
    }

    /// The leaf hash, made anew from the bytes in the line.
    pub(crate) fn leaf(&self) -> Hash {
        let partition = &self.position.partition;
        let leaf = Leaf {
            topic: &partition.topic,
            generation: partition.generation,
            partition: partition.partition,
            offset: self.position.offset,
            broker_time_ms: self.broker_time_ms,
            key: self.key.as_deref(),
            payload: self.payload.as_deref().map(Hash::of),
        };
        leaf_hash(leaf, self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())))
    }

    /// The whole line, made anew from its bytes as consumed.
    pub(crate) fn render(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let verbatim = Verbatim {
            position: &self.position,
            leaf: self.leaf_hash,
            batch: &self.batch,
            batch_root: self.batch_root,
            archived_time: self.archived_time.clone(),
            broker_time_ms: self.broker_time_ms,
            key: self.key.as_deref(),
            headers: &self.headers,
            payload: self.payload.as_deref(),
            is_gap: self.is_gap,
            redactions: self.redactions,
        };
        render(&verbatim, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_library() {
        let latest_us = Timestamp::MAX.as_microsecond();
        for us in [0, -1, 1_369_818_902_123_456, latest_us, latest_us + 1, -62_135_596_800_000_001, i64::MIN]
        {
            let expected = Timestamp::from_microsecond(us).ok().map(|time| format!("{time:.6}"));
            assert_eq!(rfc3339_us(us), expected);
            let expected = Timestamp::from_millisecond(us / 1_000).ok().map(|time| format!("{time:.3}"));
            assert_eq!(rfc3339_ms(us / 1_000), expected);
        }
    }
}
