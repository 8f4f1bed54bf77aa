use super::*;

const GOOD: &str = r#"{"specversion":"1.0","id":"i","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","tenant":"contoso.example","sequence":"1042","other":{"a":[1]},"data":{"conversation":{"id":"c-88","kind":"direct"},"from":{"network":"skype","address":"live:bob","name":"B\u00f6b"},"to":[{"network":"lync","address":"sip:a@contoso.example"}],"extra":{"x":1},"message":{"id":"m","text":"Hi \"you\""}}}"#;

fn message(payload: &[u8]) -> Incoming<'_> {
    Incoming { key: None, headers: &[], payload: Some(payload), broker_time_ms: Some(1_700_000_000_000) }
}

#[test]
fn structured_mode() {
    let decoded = decode(&message(GOOD.as_bytes())).unwrap();
    assert_eq!(decoded.kind, Some(Kind::MessageSent));
    assert_eq!(decoded.time_us, Some(1_369_818_902_123_000));
    assert_eq!(decoded.event.sequence, Some(1042));
    assert!(decoded.warnings.is_empty());
    let data = decoded.event.data.as_ref().unwrap();
    assert_eq!(&**data.message.as_ref().unwrap().text.as_ref().unwrap(), "Hi \"you\"");
    let from = data.from.as_ref().unwrap();
    assert!(matches!(from.address.as_ref().unwrap().0, Cow::Borrowed("live:bob")));
    assert_eq!(&**from.name.as_ref().unwrap(), "Böb");
}

#[test]
fn binary_mode() {
    let headers: Vec<(&str, Option<&[u8]>)> = vec![
        ("ce_specversion", Some(b"1.0")),
        ("ce_id", Some(b"7")),
        ("ce_source", Some(b"//gw")),
        ("ce_type", Some(b"federation.contact.searched.v1")),
        ("ce_time", Some(b"2013-05-29T11:15:02+02:00")),
        ("ce_sequence", Some(b"9")),
        ("content-type", Some(b"application/json")),
    ];
    let payload = br#"{"search":{"query":"bob@x.example","kind":"email","result_count":1}}"#;
    let incoming = Incoming { headers: &headers, ..message(payload) };
    let decoded = decode(&incoming).unwrap();
    assert_eq!(decoded.kind, Some(Kind::ContactSearched));
    assert_eq!(decoded.time_us, Some(1_369_818_902_000_000));
    assert_eq!(decoded.event.data.unwrap().search.unwrap().result_count, Some(1));
}

#[test]
fn bad_payloads_are_quarantined_with_the_reason() {
    let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    // Deep nesting where we look inside is refused; elsewhere it is passed over.
    let deep_data = GOOD.replace("\"message\":{", &format!("\"policy\":{{\"old\":{deep}}},\"message\":{{"));
    let deep_extra = GOOD.replace("{\"x\":1}", &deep);
    assert!(decode(&message(deep_extra.as_bytes())).is_ok());
    let cases: [(&[u8], &str); 9] = [
        (b"", "empty"),
        (b"{\"specversion\":\"1.0\",\"id\":", "EOF"),
        (b"\xff\xfe{}", "not UTF-8 at byte 0"),
        (b"[]", "not an event"),
        (b"{}", "no id"),
        (b"null", "not an event"),
        (deep.as_bytes(), "no id"),
        (deep_data.as_bytes(), "recursion"),
        (
            b"{\"id\":\"a\",\"id\":\"b\",\"source\":\"s\",\"type\":\"federation.gateway.started.v1\"}",
            "duplicate field",
        ),
    ];
    for (payload, reason) in cases {
        let error = decode(&message(payload)).unwrap_err();
        assert!(error.0.contains(reason), "{error} for {:?}", String::from_utf8_lossy(payload));
    }
    for array in [
        GOOD.replace(r#""message":{"id":"m","text":"Hi \"you\""}"#, r#""message":["m","text/plain","Hi"]"#),
        GOOD.replace(
            r#"{"network":"skype","address":"live:bob","name":"B\u00f6b"}"#,
            r#"["skype","live:bob"]"#,
        ),
    ] {
        assert_ne!(array, GOOD);
        assert!(decode(&message(array.as_bytes())).unwrap_err().0.contains("invalid type: sequence"));
    }
    let tombstone = Incoming { payload: None, ..message(b"") };
    assert!(decode(&tombstone).unwrap_err().0.contains("tombstone"));
    let wrong_type = GOOD.replace("{\"network\":\"skype\"", "{\"network\":7");
    assert!(decode(&message(wrong_type.as_bytes())).unwrap_err().0.contains("expected"));
}

#[test]
fn odd_events_are_kept_and_flagged() {
    for (from, to, warning) in [
        ("2013-05-29T09:15:02.123Z", "2404-12-31T09:15:02Z", Warning::TimeImplausible),
        ("2013-05-29T09:15:02.123Z", "0001-01-01T00:00:00Z", Warning::TimeImplausible),
        ("2013-05-29T09:15:02.123Z", "yesterday", Warning::TimeUnreadable),
        ("2013-05-29T09:15:02.123Z", "2013-05-29T09:15:02", Warning::TimeUnreadable),
        ("\"time\"", "\"tyme\"", Warning::TimeMissing),
        ("im.message.sent.v1", "im.message.sung.v1", Warning::TypeUnknown),
        ("\"1.0\"", "\"2.0\"", Warning::SpecversionUnknown),
    ] {
        let payload = GOOD.replace(from, to);
        let decoded = decode(&message(payload.as_bytes())).unwrap();
        assert_eq!(decoded.warnings, [warning], "{to}");
    }
    let foreign = r#"{"specversion":"1.0","id":"1","source":"s","type":"x.y","time":"2013-05-29T09:15:02Z","data":{"message":"not ours"}}"#;
    let decoded = decode(&message(foreign.as_bytes())).unwrap();
    assert_eq!(decoded.warnings, [Warning::DataNotDecoded, Warning::TypeUnknown]);
    assert_eq!(decoded.short_type(), "x.y");
}
