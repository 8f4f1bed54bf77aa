//! The row of a gap: what the archive says at the first of the offsets that were lost.
//!
//! It is a CloudEvent, so that whoever reads the table, an export or a search finds it beside the
//! conversations. A producer may publish the same text: what makes a row a gap's is that the
//! manifest of its batch has a gap which begins at its offset, never what the row says of itself.

use serde::{Deserialize, Serialize};

use crate::manifest::{Gap, GapReason};
use crate::time::time_text;
use crate::{Incoming, Partition, Position, Span};

/// The type's full name.
pub const KIND: &str = "custody.gap.v1";
/// The type's short name.
pub const SHORT: &str = "custody.gap";
/// The archive itself.
pub const SOURCE: &str = "//custody";

#[derive(Serialize, Deserialize)]
struct Event<'a> {
    specversion: &'a str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'a str,
    data: Data,
}

/// In a member of its own, as the events of the contract have it.
#[derive(Serialize, Deserialize)]
struct Data {
    gap: Lost,
}

#[derive(Serialize, Deserialize)]
struct Lost {
    #[serde(flatten)]
    partition: Partition,
    #[serde(flatten)]
    gap: Gap,
}

/// The id of a gap: no other event of [`SOURCE`] has it.
pub fn id(partition: &Partition, span: Span) -> String {
    format!("gap:{partition}:[{},{})", span.from, span.to)
}

/// When it was noticed, RFC 3339; `None` outside of the years 1 to 9999.
pub fn time(gap: &Gap) -> Option<String> {
    let mut text = Vec::new();
    time_text(gap.noticed_ms.checked_mul(1_000)?, 3, &mut text)?;
    String::from_utf8(text).ok()
}

/// The payload of a gap's row, version 1: the same gap makes the same bytes for ever.
pub fn payload(partition: &Partition, gap: &Gap) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Event {
        specversion: "1.0",
        id: id(partition, gap.span),
        source: SOURCE,
        kind: KIND,
        time: time(gap),
        datacontenttype: "application/json",
        data: Data { gap: Lost { partition: partition.clone(), gap: gap.clone() } },
    })
}

/// The gap that such a row at this position tells of; `None` for anything but what [`payload`]
/// writes, without a key, a header or a time of a broker.
pub fn parse(position: &Position, incoming: &Incoming<'_>) -> Option<Gap> {
    if incoming.key.is_some() || !incoming.headers.is_empty() || incoming.broker_time_ms.is_some() {
        return None;
    }
    let event: Event<'_> = serde_json::from_slice(incoming.payload?).ok()?;
    let gap = event.data.gap.gap;
    let same = payload(&position.partition, &gap).ok()?.as_bytes() == incoming.payload?;
    (same && gap.span.from == position.offset && !gap.span.is_empty()).then_some(gap)
}

/// What was lost and why, for people.
pub fn detail(gap: &Gap) -> String {
    let why = match gap.reason {
        GapReason::BeforeFirstCapture => "they were gone before the topic was first captured",
        GapReason::DeletedByRetention => "deleted by retention before they were read",
    };
    match gap.span.len() {
        1 => format!("offset {} was lost: {why}", gap.span.from),
        _ => format!("offsets {} to {} were lost: {why}", gap.span.from, gap.span.to - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is read for ever.
    const GOLDEN_V1: &str = r#"{"specversion":"1.0","id":"gap:t:1:0:[3,6)","source":"//custody","type":"custody.gap.v1","time":"2013-05-29T09:15:02.123Z","datacontenttype":"application/json","data":{"gap":{"topic":"t","generation":1,"partition":0,"from":3,"to":6,"reason":"deleted_by_retention","noticed_ms":1369818902123}}}"#;

    #[test]
    fn golden_v1() {
        let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
        let gap = Gap {
            span: Span { from: 3, to: 6 },
            reason: GapReason::DeletedByRetention,
            noticed_ms: 1_369_818_902_123,
        };
        assert_eq!(payload(&partition, &gap).unwrap(), GOLDEN_V1);
        assert_eq!(detail(&gap), "offsets 3 to 5 were lost: deleted by retention before they were read");
        let at = |offset| Position { partition: partition.clone(), offset };
        let said = |payload: &'static [u8]| Incoming {
            key: None,
            headers: &[],
            payload: Some(payload),
            broker_time_ms: None,
        };
        assert_eq!(parse(&at(3), &said(GOLDEN_V1.as_bytes())), Some(gap));
        assert_eq!(parse(&at(4), &said(GOLDEN_V1.as_bytes())), None);
        assert_eq!(parse(&at(3), &said(b"{}")), None);
        let published = Incoming { broker_time_ms: Some(1), ..said(GOLDEN_V1.as_bytes()) };
        assert_eq!(parse(&at(3), &published), None, "a producer's");
    }

    #[test]
    fn one_offset_and_a_time_that_cannot_be_written() {
        let partition = Partition { topic: "t".into(), generation: 2, partition: 0 };
        let gap = Gap {
            span: Span { from: 0, to: 1 },
            reason: GapReason::BeforeFirstCapture,
            noticed_ms: i64::MAX,
        };
        assert!(detail(&gap).starts_with("offset 0 was lost"), "{}", detail(&gap));
        let payload = payload(&partition, &gap).unwrap();
        let said =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
        assert_eq!(parse(&Position { partition, offset: 0 }, &said), Some(gap));
    }
}
