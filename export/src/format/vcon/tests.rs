use serde_json::{Value, json};

use super::*;
use crate::fixture::{ALICE, BOB, HOSTILE, event, hostile, sample, shown, with_document};
use crate::format::Body as FileBody;
use crate::format::for_readers::{at_random, golden, render_all, rendered};

fn json_of(rendered: &Rendered) -> Value {
    let FileBody::Bytes(bytes) = &rendered.files[0].body else { panic!("a copy") };
    serde_json::from_slice(bytes).unwrap()
}

fn vcon_of(kind: &str, data: &str) -> Value {
    let data = format!(r#"{{"from":{BOB},"to":[{ALICE}],{data}}}"#);
    with_document(&[shown(0, &event(kind, 0, &data))], |document| {
        json_of(&VconFormat.render(&document).unwrap())
    })
}

/// The members of a record's dialog.
fn check(kind: &str, data: &str, expected: &Value) {
    let vcon = vcon_of(kind, data);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&vcon["dialog"][0][name], value, "{name} of {kind} {data}");
    }
}

#[test]
fn a_record_is_a_dialog() {
    let html = r#""client":"Skype","message":{"id":"m","content_type":"text/html","text":"<b>x</b>"}"#;
    let expected = json!({
        "type": "text", "start": "2013-05-29T09:15:00.000Z", "parties": [0, 1], "mediatype": "text/html",
        "body": "<b>x</b>", "encoding": "none", "application": "Skype", "message_id": "m",
    });
    check("im.message.sent", html, &expected);
    check("im.message.edited", html, &json!({"mediatype": "text/plain", "body": "Bob edited message m: x"}));
    let answered =
        r#""call":{"id":"k","answer_time":"2013-05-29T09:14:00Z","end_time":"2013-05-29T09:14:01.5Z"}"#;
    let expected =
        json!({"type": "recording", "start": "2013-05-29T09:14:00.000Z", "duration": 1.5, "body": null});
    check("call.ended", answered, &expected);
    let backwards = answered.replace("09:14:01.5", "09:13:00");
    check("call.ended", &backwards, &json!({"type": "recording", "duration": null}));
    for (code, disposition) in [("486", "busy"), ("480", "no-answer"), ("487", "hung-up"), ("404", "failed")]
    {
        let call = format!(r#""call":{{"id":"k","response_code":{code}}}"#);
        check(
            "call.ended",
            &call,
            &json!({"type": "incomplete", "disposition": disposition, "encoding": null}),
        );
    }
}

#[test]
fn parties_have_their_own_addresses() {
    for (network, address, expected) in [
        ("lync", "sip:a@x", json!({"sip": "sip:a@x", "name": "N"})),
        ("pstn", "+49301", json!({"tel": "+49301", "name": "N"})),
        ("email", "a@x", json!({"mailto": "a@x", "name": "N"})),
        ("skype", "live:a", json!({"name": "N <live:a>"})),
        ("pstn", "+49\n", json!({"name": "N <+49\n>"})),
    ] {
        let text = |text: &str| Some(text.to_owned());
        let person = Person {
            network: text(network),
            address: text(address),
            name: text("N"),
            scope: None,
            role: None,
        };
        assert_eq!(serde_json::to_value(party(&person)).unwrap(), expected, "{address}");
    }
}

#[test]
fn a_uuid_is_of_version_8_and_of_what_it_holds() {
    let uuid_of = |records: &[crate::item::Shown]| with_document(records, |document| uuid(&document));
    let (one, other) = (uuid_of(&sample()), uuid_of(&sample()[1..]));
    assert_eq!(&one[..15], "013eef91-a620-8");
    assert!("89ab".contains(&one[19..20]) && one.len() == 36, "{one}");
    assert_ne!(one[14..], other[14..]);
}

#[test]
fn every_hostile_text_is_in_it_as_it_was() {
    let vcon = with_document(&hostile(), |document| json_of(&VconFormat.render(&document).unwrap()));
    for (dialog, text) in vcon["dialog"].as_array().unwrap().iter().zip(HOSTILE).step_by(2) {
        assert_eq!(dialog["body"], text);
    }
}

#[test]
fn times_that_cannot_be_written_are_told() {
    let payload = event("im.message.sent", 0, "{}").replace("2013-05", "-009999-05");
    let mut record = shown(0, &payload);
    record.broker_time_ms = Some(i64::MAX / 1_000);
    let rendered = with_document(&[record], |document| VconFormat.render(&document).unwrap());
    let start = json_of(&rendered)["dialog"][0]["start"].clone();
    assert_eq!((start.as_str().unwrap().len(), rendered.exceptions.len()), (24, 1), "{start}");
}

#[test]
fn the_bytes_never_change_unnoticed() {
    let [sample, _] = render_all(&VconFormat, "vcon");
    let FileBody::Bytes(bytes) = &sample.files[0].body else { panic!("a copy") };
    golden("vcon.v1.vcon", std::str::from_utf8(bytes).unwrap());
    assert_eq!(sample.exceptions.len(), 1);
}

/// Whatever happens, each record is told; the reader checks the rest.
#[test]
fn random_histories_lose_nothing() {
    for seed in 0..100 {
        let all = at_random(seed);
        let rendered = rendered(&VconFormat, &format!("vcon/random{seed}"), &all, "a");
        assert_eq!(json_of(&rendered)["dialog"].as_array().unwrap().len(), all.len(), "{seed}");
    }
}
