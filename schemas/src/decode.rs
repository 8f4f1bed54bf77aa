//! From the bytes of a Kafka message to an event: CloudEvents Kafka protocol
//! binding 1.0, structured and binary content mode, JSON data.
//!
//! Decoding never loses anything: what cannot be decoded is quarantined with
//! the reason, and the bytes are archived either way.

use std::borrow::Cow;
use std::fmt;

use crate::event::{Data, Event, Text};
use crate::kind::{Kind, short_name};
use crate::time::time_us;

/// A Kafka message as consumed.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// Header names and values in order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// The payload; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The broker's timestamp, milliseconds since 1970 UTC.
    pub broker_time_ms: Option<i64>,
}

impl Incoming<'_> {
    /// Its attributes are in headers, and the payload is the data alone.
    pub fn is_binary(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("ce_specversion"))
    }

    /// The newest time that is plausible, microseconds since 1970 UTC.
    pub fn latest_us(&self) -> Option<i64> {
        self.broker_time_ms.map(|ms| ms.saturating_mul(1_000).saturating_add(AHEAD_US_MAX))
    }
}

/// A decoded event and what was odd about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    /// The payload, which is JSON.
    pub json: &'a str,
    /// The event.
    pub event: Event<'a>,
    /// The type of the contract; `None` for a type that it does not know.
    pub kind: Option<Kind>,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// Odd but decodable: kept and flagged, never repaired.
    pub warnings: Vec<Warning>,
}

/// Something odd about a decoded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// No `time`.
    TimeMissing,
    /// `time` is not RFC 3339 with an offset.
    TimeUnreadable,
    /// `time` is before 1990 or more than a day after the broker's.
    TimeImplausible,
    /// The type is not in the contract.
    TypeUnknown,
    /// The type is not in the contract, and neither is the form of its data.
    DataNotDecoded,
    /// The payload is not of CloudEvents version 1.0.
    SpecversionUnknown,
}

impl Warning {
    /// The word in the archive's `warnings` column.
    pub const fn word(self) -> &'static str {
        match self {
            Warning::TimeMissing => "time_missing",
            Warning::TimeUnreadable => "time_unreadable",
            Warning::TimeImplausible => "time_implausible",
            Warning::TypeUnknown => "type_unknown",
            Warning::DataNotDecoded => "data_not_decoded",
            Warning::SpecversionUnknown => "specversion_unknown",
        }
    }
}

/// Why a message could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine(pub String);

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Quarantine {
    fn new(reason: impl Into<String>) -> Self {
        Quarantine(reason.into())
    }
}

/// 1990-01-01T00:00:00Z: no federated conversation is older.
pub const TIME_US_MIN: i64 = 631_152_000_000_000;
/// A source's clock may run ahead of the broker's by a day before it is flagged.
const AHEAD_US_MAX: i64 = 86_400_000_000;

/// Decodes one message.
pub fn decode<'a>(incoming: &Incoming<'a>) -> Result<Decoded<'a>, Quarantine> {
    let payload = incoming.payload.ok_or_else(|| Quarantine::new("no payload: a tombstone"))?;
    if payload.is_empty() {
        return Err(Quarantine::new("the payload is empty"));
    }
    let json = utf8(payload)?;
    let mut warnings = Vec::new();
    let event = if incoming.is_binary() {
        binary(incoming, json, &mut warnings)?
    } else {
        structured(json, &mut warnings)?
    };
    finish(json, event, incoming.latest_us(), warnings)
}

fn utf8(payload: &[u8]) -> Result<&str, Quarantine> {
    std::str::from_utf8(payload)
        .map_err(|e| Quarantine::new(format!("the payload is not UTF-8 at byte {}", e.valid_up_to())))
}

/// The whole event is the payload.
fn structured<'a>(json: &'a str, warnings: &mut Vec<Warning>) -> Result<Event<'a>, Quarantine> {
    // serde would read an array as a struct by position.
    if !json.trim_start().starts_with('{') {
        return Err(Quarantine::new("not an event: the payload is not a JSON object"));
    }
    let error = match serde_json::from_str::<Event<'a>>(json) {
        Ok(event) => return Ok(event),
        Err(error) => error,
    };
    // A type that we do not know may give our member names other forms: then
    // its envelope alone is decoded. For a known type it is a fault.
    match serde_json::from_str::<Envelope<'a>>(json) {
        Ok(envelope) if is_foreign(&envelope.kind) => {
            warnings.push(Warning::DataNotDecoded);
            Ok(envelope.into_event())
        }
        _ => Err(Quarantine::new(format!("not an event: {error}"))),
    }
}

fn is_foreign(kind: &str) -> bool {
    !kind.is_empty() && Kind::from_full(kind).is_none()
}

/// Attributes in `ce_` headers, the data as payload.
fn binary<'a>(
    incoming: &Incoming<'a>,
    json: &'a str,
    warnings: &mut Vec<Warning>,
) -> Result<Event<'a>, Quarantine> {
    let mut event = Event::default();
    for (name, value) in incoming.headers {
        let Some(value) = value else { continue };
        let text =
            std::str::from_utf8(value).map_err(|_| Quarantine::new(format!("header {name} is not UTF-8")))?;
        match name.to_ascii_lowercase().as_str() {
            "ce_specversion" => event.specversion = text.into(),
            "ce_id" => event.id = text.into(),
            "ce_source" => event.source = text.into(),
            "ce_type" => event.kind = text.into(),
            "ce_time" => event.time = Some(text.into()),
            "ce_tenant" => event.tenant = Some(text.into()),
            "ce_sequence" => event.sequence = text.parse().ok(),
            "content-type" => event.datacontenttype = Some(text.into()),
            _ => {}
        }
    }
    match serde_json::from_str::<Data<'a>>(json) {
        Ok(data) => event.data = Some(Box::new(data)),
        Err(_) if is_foreign(&event.kind) => warnings.push(Warning::DataNotDecoded),
        Err(error) => return Err(Quarantine::new(format!("not the data of an event: {error}"))),
    }
    Ok(event)
}

fn finish<'a>(
    json: &'a str,
    event: Event<'a>,
    latest_us: Option<i64>,
    mut warnings: Vec<Warning>,
) -> Result<Decoded<'a>, Quarantine> {
    let required = [("id", &event.id), ("source", &event.source), ("type", &event.kind)];
    if let Some((name, _)) = required.iter().find(|(_, value)| value.is_empty()) {
        return Err(Quarantine::new(format!("not an event: no {name}")));
    }
    if &*event.specversion != "1.0" {
        warnings.push(Warning::SpecversionUnknown);
    }
    let kind = Kind::from_full(&event.kind);
    if kind.is_none() {
        warnings.push(Warning::TypeUnknown);
    }
    let time_us = match event.time.as_deref().map(time_us) {
        None => {
            warnings.push(Warning::TimeMissing);
            None
        }
        Some(None) => {
            warnings.push(Warning::TimeUnreadable);
            None
        }
        Some(Some(time)) => {
            if time < TIME_US_MIN || latest_us.is_some_and(|latest| time > latest) {
                warnings.push(Warning::TimeImplausible);
            }
            Some(time)
        }
    };
    Ok(Decoded { json, event, kind, time_us, warnings })
}

impl<'a> Decoded<'a> {
    /// The type's short name.
    pub fn short_type(&self) -> Cow<'_, str> {
        match self.kind {
            Some(kind) => Cow::Borrowed(kind.short()),
            None => short_name(&self.event.kind),
        }
    }
}

/// The attributes of an event alone.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    specversion: Text<'a>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    source: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(borrow, default)]
    tenant: Option<Text<'a>>,
}

impl<'a> Envelope<'a> {
    fn into_event(self) -> Event<'a> {
        Event {
            specversion: self.specversion,
            id: self.id,
            source: self.source,
            kind: self.kind,
            time: self.time,
            tenant: self.tenant,
            ..Event::default()
        }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
