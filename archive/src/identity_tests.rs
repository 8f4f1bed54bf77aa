use custody_schemas::Incoming;
use custody_schemas::decode::decode;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::row::Made;

fn of(incoming: &Incoming<'_>) -> i64 {
    let decoded = decode(incoming).unwrap();
    let made = Made::of(&decoded);
    of_event(&Row::of(&decoded, &made), incoming.payload.map(Hash::of))
}

fn structured(event: &Value) -> i64 {
    let payload = event.to_string();
    of(&Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None })
}

fn message(kind: &str) -> Value {
    json!({
        "specversion": "1.0", "id": "1", "source": "//gw/a", "type": format!("federation.im.message.{kind}.v1"),
        "time": "2013-05-29T09:15:02Z", "tenant": "contoso.example", "sequence": "5",
        "data": {
            "conversation": {"id": "c-88"},
            "from": {"network": "skype", "address": "live:bob"},
            "to": [{"network": "lync", "address": "sip:a@x"}, {"network": "lync", "address": "sip:b@x"}],
            "message": {"id": "m-1", "content_type": "text/plain", "text": "hello"},
            "reaction": {"value": "👍", "action": "added"},
        },
    })
}

fn call(kind: &str) -> Value {
    json!({
        "specversion": "1.0", "id": "1", "source": "//gw/a", "type": format!("federation.call.{kind}.v1"),
        "time": "2013-05-29T09:15:02Z", "tenant": "contoso.example",
        "data": {
            "conversation": {"id": "c-88"},
            "from": {"network": "skype", "address": "live:bob"},
            "to": [{"network": "lync", "address": "sip:a@x"}],
            "call": {
                "id": "k-1", "media": ["audio"], "invite_time": "2013-05-29T09:15:00Z",
                "end_time": "2013-05-29T09:15:02Z", "response_code": 200, "reason": "bye",
                "from_message_count": 3, "on_behalf_of": "sip:boss@x",
            },
        },
    })
}

/// The event with other values at some places.
fn with(event: &Value, changes: &[(&str, Value)]) -> Value {
    let mut event = event.clone();
    for (at, value) in changes {
        match event.pointer_mut(at) {
            Some(member) => *member = value.clone(),
            None => {
                let (of, name) = at.rsplit_once('/').unwrap();
                event.pointer_mut(of).unwrap()[name] = value.clone();
            }
        }
    }
    event
}

fn other_side() -> Vec<(&'static str, Value)> {
    vec![
        ("/source", json!("//gw/b")),
        ("/id", json!("77")),
        ("/sequence", json!("9")),
        ("/data/via", json!({"network": "sip", "address": "edge-2"})),
        ("/data/from/name", json!("Bob")),
        ("/data/client", json!("Lync/4")),
    ]
}

#[test]
fn both_sides_of_a_gateway_capture_one_event() {
    for event in [
        message("sent"),
        message("edited"),
        message("deleted"),
        message("reaction"),
        message("receipt"),
        call("invited"),
        call("answered"),
        call("participant"),
        call("media"),
        call("ended"),
    ] {
        assert_eq!(structured(&event), structured(&with(&event, &other_side())), "{event}");
        let written = with(&event, &[("/time", json!("2013-05-29T11:15:02.000+02:00"))]);
        assert_eq!(structured(&event), structured(&written), "{event}");
        let later = with(&event, &[("/time", json!("2013-05-29T09:15:03Z"))]);
        let kind = event["type"].as_str().unwrap();
        let once = ["sent", "invited", "answered", "ended"].iter().any(|word| kind.contains(word));
        assert_eq!(structured(&event) == structured(&later), once, "{kind}");
    }
    let event = message("sent");
    let (a, b) = (event["data"]["to"][0].clone(), event["data"]["to"][1].clone());
    let turned = with(&event, &[("/data/to", json!([b, a, b]))]);
    assert_eq!(structured(&event), structured(&turned));
}

#[test]
fn another_content_is_another_event() {
    let party = json!({"network": "lync", "address": "sip:c@x"});
    let message_changes = [
        ("/type", json!("federation.im.message.edited.v1")),
        ("/tenant", json!("fabrikam.example")),
        ("/data/conversation/id", json!("c-89")),
        ("/data/message/id", json!("m-2")),
        ("/data/from/address", json!("live:eve")),
        ("/data/from/network", json!("lync")),
        ("/data/to", json!([])),
        ("/data/to/0", party.clone()),
        ("/data/message/content_type", json!("text/html")),
        ("/data/message/text", json!("hullo")),
        ("/data/reaction/action", json!("removed")),
    ];
    let call_changes = [
        ("/type", json!("federation.call.media.v1")),
        ("/tenant", json!("fabrikam.example")),
        ("/data/conversation/id", json!("c-89")),
        ("/data/call/id", json!("k-2")),
        ("/data/to/0", party.clone()),
        ("/data/participant", party),
        ("/data/call/on_behalf_of", json!("sip:eve@x")),
        ("/data/call/media", json!(["audio", "video"])),
        ("/data/call/invite_time", json!("2013-05-29T09:15:01Z")),
        ("/data/call/answer_time", json!("2013-05-29T09:15:01Z")),
        ("/data/call/end_time", json!("soon")),
        ("/data/call/response_code", json!(486)),
        ("/data/call/reason", json!("lost")),
        ("/data/call/from_message_count", json!(4)),
        ("/data/call/to_message_count", json!(3)),
    ];
    for (event, changes) in [(message("sent"), &message_changes[..]), (call("ended"), &call_changes[..])] {
        let mut seen = vec![structured(&event)];
        for change in changes {
            let identity = structured(&with(&event, std::slice::from_ref(change)));
            assert!(!seen.contains(&identity), "{change:?}");
            seen.push(identity);
        }
    }
}

/// A is edited to B, back to A and to B again: three edits, each captured twice.
#[test]
fn an_edit_back_and_forth_is_three_events() {
    let edit = |text, time, side: bool| {
        let changes = [("/data/message/text", json!(text)), ("/time", json!(time))];
        let event = with(&message("edited"), &changes);
        structured(&if side { with(&event, &other_side()) } else { event })
    };
    let edits = [("B", "2013-05-29T09:16:00Z"), ("A", "2013-05-29T09:17:00Z"), ("B", "2013-05-29T09:18:00Z")];
    let mut all: Vec<i64> =
        edits.iter().flat_map(|(text, time)| [false, true].map(|side| edit(*text, *time, side))).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3);
}

#[test]
fn without_ids_it_is_the_source_and_id_that_count() {
    let sent = message("sent");
    let file = with(&sent, &[("/type", json!("federation.file.shared.v1"))]);
    for event in [
        file,
        with(&sent, &[("/source", json!("//import/a.jsonl"))]),
        with(&sent, &[("/data/conversation/id", json!(""))]),
        with(&sent, &[("/data/message/id", Value::Null)]),
        with(&call("ended"), &[("/data/call/id", Value::Null)]),
    ] {
        let identity = structured(&event);
        assert_eq!(identity, structured(&event.clone()), "a redelivery");
        for change in other_side() {
            assert_ne!(identity, structured(&with(&event, std::slice::from_ref(&change))), "{change:?}");
        }
    }
}

/// A redelivery in binary mode after one in structured mode, where the ids say so.
#[test]
fn the_mode_makes_no_difference() {
    for event in [message("sent"), message("receipt"), call("ended"), call("media")] {
        let data = event["data"].to_string();
        let header = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let names = ["specversion", "id", "source", "type", "time", "tenant"];
        let values = names.map(|name| (format!("ce_{name}"), header(name)));
        let mut headers: Vec<(&str, Option<&[u8]>)> =
            values.iter().map(|(name, value)| (&**name, Some(value.as_bytes()))).collect();
        headers.push(("content-type", Some(b"application/json")));
        let incoming =
            Incoming { key: None, headers: &headers, payload: Some(data.as_bytes()), broker_time_ms: None };
        assert_eq!(of(&incoming), structured(&event), "{event}");
    }
}

proptest! {
    /// No text reaches over into the next one.
    #[test]
    fn texts_stay_apart(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
        let said = |network: &str, address: &str| {
            let changes = [("/data/to/0/network", json!(network)), ("/data/to/0/address", json!(address))];
            structured(&with(&message("sent"), &changes))
        };
        prop_assert_eq!(said(&a, &b) == said(&c, &d), (&a, &b) == (&c, &d));
    }
}
