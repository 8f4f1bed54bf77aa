//! `custody reconcile`, on archives whose history is known.

use std::path::Path;

use custody_archive::{Account, BatchBuilder, Encoded, S3Settings, Writer, WriterSettings, sessions};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span};
use custody_tests::{archive, location};
use serde_json::{Value, json};

/// An event of the contract: `(offset, type, sequence, seconds after nine, data)`.
type Said<'a> = (i64, &'a str, Option<i64>, i64, Value);

fn payload((offset, kind, sequence, second, data): &Said<'_>) -> String {
    let mut event = json!({
        "specversion": "1.0",
        "id": format!("e{offset}"),
        "source": "//gw",
        "type": format!("federation.{kind}.v1"),
        "time": format!("2013-05-29T09:{:02}:{:02}Z", second / 60, second % 60),
        "data": data,
    });
    if let Some(sequence) = sequence {
        event["sequence"] = json!(sequence.to_string());
    }
    event.to_string()
}

fn write(dir: &Path, gap: Option<Span>, events: &[Said<'_>]) {
    let payloads: Vec<_> = events.iter().map(|event| (event.0, payload(event))).collect();
    write_payloads(dir, gap, &payloads);
}

fn write_payloads(dir: &Path, gap: Option<Span>, payloads: &[(i64, String)]) {
    let mut writer =
        Writer::open(&location(dir), &S3Settings::default(), &WriterSettings::default()).unwrap();
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let mut next = writer.next_offset(&partition).unwrap().unwrap_or(0);
    let mut batch = BatchBuilder::new(format!("b{next}"));
    if let Some(span) = gap {
        batch.gap(&partition, Gap { span, reason: GapReason::DeletedByRetention, noticed_ms: 5 }).unwrap();
        next = span.to;
    }
    for (offset, payload) in payloads {
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: Some(1) };
        batch.push(&partition, next, *offset, &incoming).unwrap();
        next = offset + 1;
    }
    writer.archive(&Encoded::new(batch.seal("default", 7).unwrap()).unwrap()).unwrap();
}

fn said(offset: i64, sequence: i64, second: i64) -> Said<'static> {
    let data = json!({ "conversation": { "id": "c" }, "from": { "network": "lync", "address": "sip:a@b" },
        "message": { "id": format!("m{offset}"), "text": "hello" } });
    (offset, "im.message.sent", Some(sequence), second, data)
}

/// The fate of every offset, the holes of the counter, what an outage explains, batch by batch.
#[test]
fn an_account_of_everything() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, &[said(0, 10, 0), said(1, 11, 1), said(3, 14, 4)]);
    let mut account = Account::default();
    account.advance(&archive(dir.path()).unwrap(), &mut |_, _| {}).unwrap();
    let outage = json!({ "outage": { "from": "2013-05-29T09:00:10Z", "to": "2013-05-29T09:00:20Z", "reason": "disk" } });
    write(
        dir.path(),
        Some(Span { from: 4, to: 9 }),
        &[
            said(9, 15, 5),
            said(10, 20, 25),
            (11, "gateway.outage", Some(21), 26, outage),
            // Delivered again, and late.
            said(12, 12, 2),
            (13, "gateway.heartbeat", None, 30, json!({})),
        ],
    );
    account.advance(&archive(dir.path()).unwrap(), &mut |_, _| {}).unwrap();
    assert_eq!(account.version, Some(2));
    let of = &account.partitions["t:1:0"];
    assert_eq!(of.spans, [Span { from: 0, to: 14 }]);
    assert_eq!((of.skipped, of.lost(), of.next()), (1, 5, 14));
    let source = &account.sources["//gw"];
    assert_eq!((source.numbers, source.unnumbered), (Some((10, 21)), 1));
    let holes = |holes: Vec<&custody_archive::Hole>| {
        holes.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>()
    };
    assert_eq!(holes(source.holes.iter().flatten().collect()), [(13, 14), (16, 20)]);
    assert_eq!(holes(source.unexplained().collect()), [(13, 14)]);
    assert_eq!(source.outages[0].reason, "disk");
}

/// A session that carried more than is archived is told; deliveries of one message count once.
#[test]
fn sessions_that_lack_messages() {
    let dir = tempfile::tempdir().unwrap();
    let ended = |offset, from, to| {
        let call = json!({ "id": "k", "invite_time": "2013-05-29T09:00:00Z", "end_time": "2013-05-29T09:01:00Z",
            "media": ["audio"], "response_code": 200, "reason": "normal",
            "from_message_count": from, "to_message_count": to });
        let data = json!({ "conversation": { "id": "c" }, "from": { "network": "lync", "address": "sip:a@b" }, "call": call });
        (offset, "call.ended", None, 61, data)
    };
    // The second is another capture of the first, the third is too late.
    let mut again = said(0, 10, 0);
    again.0 = 1;
    write(dir.path(), None, &[said(0, 10, 0), again, said(2, 11, 90), ended(3, 1, 0)]);
    let found = sessions(&archive(dir.path()).unwrap()).unwrap();
    assert_eq!((found.all.len(), found.all[0].archived_from, found.all[0].adds_up()), (1, 1, true));
    write(dir.path(), None, &[ended(4, 3, 0), ended(5, 0, 1)]);
    let found = sessions(&archive(dir.path()).unwrap()).unwrap();
    assert_eq!(found.all.iter().map(|session| session.adds_up()).collect::<Vec<_>>(), [true, false, false]);
}

/// Both sides of a gateway capture a message and a call. Each has all of its own numbers, and the
/// session has one message, not two, which would make up for one that is lost.
#[test]
fn both_sides_of_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let call = json!({ "id": "k", "invite_time": "2013-05-29T09:00:00Z", "end_time": "2013-05-29T09:01:00Z",
        "from_message_count": 2, "to_message_count": 0 });
    let data = json!({ "conversation": { "id": "c" }, "from": { "network": "lync", "address": "sip:a@b" }, "call": call });
    let events = [said(0, 10, 5), (1, "call.ended", Some(11), 61, data)].map(|event| payload(&event));
    let other = events.clone().map(|event| {
        let mut event: Value = serde_json::from_str(&event).unwrap();
        let sequence: i64 = event["sequence"].as_str().unwrap().parse().unwrap();
        let id = format!("edge-{sequence}");
        for (name, value) in [("source", "//edge"), ("id", &id), ("time", "2013-05-29T09:00:06Z")] {
            event[name] = json!(value);
        }
        event["sequence"] = json!((sequence + 60).to_string());
        event.to_string()
    });
    let payloads: Vec<_> = (0..).zip(events.into_iter().chain(other)).collect();
    write_payloads(dir.path(), None, &payloads);
    let archive = archive(dir.path()).unwrap();
    let mut account = Account::default();
    account.advance(&archive, &mut |_, _| {}).unwrap();
    let numbers = ["//gw", "//edge"].map(|source| account.sources[source].numbers);
    assert_eq!(numbers, [Some((10, 11)), Some((70, 71))]);
    let found = sessions(&archive).unwrap();
    assert_eq!((found.all.len(), found.all[0].archived_from, found.all[0].adds_up()), (1, 1, false));
}
