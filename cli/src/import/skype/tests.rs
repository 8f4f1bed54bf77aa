//! Rows in, events out: a made-up database for each kind of row, and a real one.

use std::path::Path;

use custody_schemas::decode::{Incoming, Warning, decode};
use rusqlite::Connection;
use serde_json::Value;

use super::super::tests::data;
use super::*;

const TABLES: &str = "
    create table Accounts (id integer primary key, skypename text, fullname text);
    create table Contacts (id integer primary key, skypename text, displayname text);
    create table Conversations (id integer primary key, identity text, type integer, displayname text);
    create table Participants (id integer primary key, convo_id integer, identity text);
    create table Messages (id integer primary key, convo_id integer, chatname text, author text, guid blob,
        timestamp integer, type integer, body_xml text, body_is_rawxml integer, identities text,
        edited_timestamp integer, edited_by text, call_guid text);
    create table CallMembers (id integer primary key, identity text, guid text, call_name text, call_db_id integer);
    create table Transfers (id integer primary key, type integer, status integer, partner_handle text,
        chatmsg_guid blob, filename text, starttime integer, finishtime integer);
    create table SMSes (id integer primary key, type integer, body text, chatmsg_id integer,
        target_numbers text, identity text, timestamp integer);
    create table Voicemails (id integer primary key, partner_handle text, timestamp integer);
    create table Bots (id integer primary key);
    insert into Bots values (1);
    insert into Accounts values (1, 'me', 'Me Myself');
    insert into Contacts values (2, 'you', 'You');
    insert into Conversations values (7, 'you', 1, 'You');
    insert into Conversations values (8, '#me/$abc', 2, 'Deal team');
    insert into Participants values (1, 7, 'me'), (2, 7, 'you'), (3, 8, 'me'), (4, 8, 'you'), (5, 8, 'her');
";

fn events(path: &Path) -> (History, Vec<Value>) {
    let history = read(path, "//import/main.db", "contoso.example").unwrap();
    let values = history.events.iter().map(|event| serde_json::from_slice(&event.payload).unwrap()).collect();
    (history, values)
}

/// What a database with these rows becomes: `id type` and the data without the row.
fn check(rows: &str, want: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ma in?.db");
    Connection::open(&path).unwrap().execute_batch(&format!("{TABLES}{rows}")).unwrap();
    let (history, values) = events(&path);
    let got: Vec<String> = values
        .into_iter()
        .map(|mut event| {
            let mut data = event["data"].take();
            data.as_object_mut().unwrap().remove("extra");
            let names =
                ["from", "to", "conversation"].map(|member| data.as_object_mut().unwrap().remove(member));
            let from = names[0].as_ref().and_then(|from| from["address"].as_str()).unwrap_or("-");
            let id = event["id"].as_str().unwrap();
            format!(
                "{id} {} {from} {data}",
                event["type"].as_str().unwrap().trim_start_matches("federation.")
            )
        })
        .collect();
    assert_eq!(got, want, "{rows}");
    assert!(history.tables.iter().all(|table| table.not_mapped == 0), "{:?}", history.tables);
    assert_eq!(history.unread, [("Bots".to_owned(), 1)]);
}

fn message(kind: i64, columns: &str, values: &str) -> String {
    format!(
        "insert into Messages (id, convo_id, author, timestamp, type{columns}) values (5, 8, 'you', 100, {kind}{values});"
    )
}

#[test]
fn each_type_of_message() {
    let table: &[(i64, &str, &str, &[&str])] = &[
        (
            61,
            ", body_xml",
            ", 'a < b'",
            &[
                r#"skype:Messages:5 im.message.sent.v1 you {"message":{"content_type":"text/plain","id":"skype:Messages:5","text":"a < b"}}"#,
            ],
        ),
        (
            61,
            ", body_xml, body_is_rawxml, guid",
            ", '<b>a</b>', 1, x'00ff'",
            &[
                r#"skype:Messages:00ff im.message.sent.v1 you {"message":{"content_type":"text/html","id":"skype:Messages:00ff","text":"<b>a</b>"}}"#,
            ],
        ),
        (
            61,
            ", body_xml, edited_timestamp, edited_by",
            ", 'new', 160, 'her'",
            &[
                r#"skype:Messages:5 im.message.sent.v1 you {"message":{"id":"skype:Messages:5"}}"#,
                r#"skype:Messages:5:edited im.message.edited.v1 her {"message":{"content_type":"text/plain","id":"skype:Messages:5","text":"new"}}"#,
            ],
        ),
        (
            61,
            ", body_xml, edited_timestamp",
            ", '', 160",
            &[
                r#"skype:Messages:5 im.message.sent.v1 you {"message":{"id":"skype:Messages:5"}}"#,
                r#"skype:Messages:5:deleted im.message.deleted.v1 you {"message":{"id":"skype:Messages:5"}}"#,
            ],
        ),
        (
            50,
            ", body_xml, body_is_rawxml, identities",
            ", 'I&apos;m &#x41;', 1, 'me'",
            &[r#"skype:Messages:5 contact.requested.v1 you {"contact":{"text":"I'm A"}}"#],
        ),
        (51, ", identities", ", 'me'", &["skype:Messages:5 contact.accepted.v1 you {}"]),
        (53, ", identities", ", 'me'", &["skype:Messages:5 contact.blocked.v1 you {}"]),
        (
            10,
            ", identities",
            ", 'her him'",
            &[
                r#"skype:Messages:5 conversation.participant.v1 you {"action":"joined","participant":{"address":"her","network":"skype"}}"#,
                r#"skype:Messages:5:1 conversation.participant.v1 you {"action":"joined","participant":{"address":"him","network":"skype"}}"#,
            ],
        ),
        (
            12,
            ", identities",
            ", 'her'",
            &[
                r#"skype:Messages:5 conversation.participant.v1 you {"action":"left","participant":{"address":"her","network":"skype"}}"#,
            ],
        ),
        (
            13,
            "",
            "",
            &[
                r#"skype:Messages:5 conversation.participant.v1 you {"action":"left","participant":{"address":"you","name":"You","network":"skype"}}"#,
            ],
        ),
        (
            2,
            ", body_xml, body_is_rawxml",
            ", 'M&amp;A', 1",
            &[r#"skype:Messages:5 conversation.renamed.v1 you {"title":"M&A"}"#],
        ),
        (2, "", "", &["skype:Messages:5 skype.message.type.2 you {}"]),
        (
            30,
            ", call_guid",
            ", 'g'",
            &[r#"skype:Messages:5 call.invited.v1 you {"call":{"id":"g","media":["audio"]}}"#],
        ),
        (
            39,
            ", call_guid, body_xml",
            ", 'g', '<partlist><part identity=\"me\"><duration>40</duration></part></partlist>'",
            &[
                r#"skype:Messages:5 call.ended.v1 you {"call":{"answer_time":"1970-01-01T00:01:00Z","end_time":"1970-01-01T00:01:40Z","id":"g","media":["audio"]}}"#,
            ],
        ),
        (
            68,
            ", body_xml",
            ", '<files alt=\"\"><file size=\"12\" index=\"0\">a&amp;b.txt</file></files>'",
            &[
                r#"skype:Messages:5 file.shared.v1 you {"file":{"id":"skype:Messages:5","name":"a&b.txt","size":12}}"#,
            ],
        ),
        (
            21,
            ", body_xml",
            ", 'rank'",
            &[
                r#"skype:Messages:5 skype.message.type.21 you {"message":{"content_type":"text/plain","id":"skype:Messages:5","text":"rank"}}"#,
            ],
        ),
    ];
    for (kind, columns, values, want) in table {
        check(&message(*kind, columns, values), want);
    }
}

#[test]
fn what_two_tables_say_is_one_event() {
    let call = "insert into CallMembers values (1, 'you', 'g', null, 99);";
    let want =
        [r#"skype:CallMembers:g skype.callmember you {}"#, "skype:Messages:5 skype.message.type.39 you {}"];
    check(&(message(39, ", call_guid", ", 'g'") + call), &want);

    let transfer = "insert into Transfers values (3, 1, 8, 'you', x'0a', 'a.txt', 90, 110);";
    let want = [
        r#"skype:Transfers:3 file.shared.v1 you {"file":{"id":"skype:Transfers:3","name":"a.txt"},"message":{"id":"skype:Messages:0a"}}"#,
        "skype:Messages:0a skype.message.type.68 you {}",
        r#"skype:Transfers:3:downloaded file.downloaded.v1 me {"file":{"id":"skype:Transfers:3"}}"#,
    ];
    check(&(message(68, ", guid", ", x'0a'") + transfer), &want);

    let sms = "insert into SMSes values (1, 2, 'Hi', 5, '+4930123456', null, 100), (2, 1, 'Yo', 6, null, '+4930', 101);";
    let want = [
        r#"skype:Messages:5 im.message.sent.v1 you {"message":{"content_type":"text/plain","id":"skype:Messages:5","text":"Hi"}}"#,
        r#"skype:SMSes:2 im.message.sent.v1 +4930 {"message":{"content_type":"text/plain","id":"skype:SMSes:2","text":"Yo"}}"#,
    ];
    check(&(message(64, ", body_xml", ", '<sms/>'") + sms), &want);
    check("insert into Voicemails values (1, 'you', 5);", &["skype:Voicemails:1 skype.voicemail you {}"]);
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.db");
    let error = || read(&path, "s", "t").unwrap_err().to_string();
    assert!(error().contains("unable to open database file"), "{}", error());
    std::fs::write(&path, "something else, long enough to be looked at as a database header").unwrap();
    assert!(error().contains("not a database"), "{}", error());
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("create table Messages (id integer)").unwrap();
    assert!(
        error().ends_with("not a Skype database: no table Accounts, Contacts, Conversations, Participants")
    );
    std::fs::write(folder.path().join("main.db-wal"), "x").unwrap();
    assert!(error().contains("main.db-wal: changes that are not in the database yet"), "{}", error());
}

#[test]
fn a_real_database() {
    let Some(path) = data("skype-maindb/skype_main.db") else { return };
    let (history, values) = events(&path);
    println!("{:?}\n{:?}\n{:?}", history.tables, history.context, history.unread);
    for event in &values {
        println!("{event}");
    }
    assert!(history.tables.iter().all(|table| table.not_mapped == 0));
    let mut by_type = std::collections::BTreeMap::new();
    for event in &history.events {
        *by_type.entry(event.kind.as_str()).or_insert(0) += 1;
        let incoming = Incoming {
            key: None,
            headers: &[],
            payload: Some(&event.payload),
            broker_time_ms: Some(1_700_000_000_000),
        };
        let decoded = decode(&incoming).unwrap();
        let corrupt = decoded.event.time.as_deref() == Some("2404-12-30T06:23:40Z");
        assert_eq!(decoded.warnings, if corrupt { vec![Warning::TimeImplausible] } else { Vec::new() });
    }
    let want = [
        ("call.ended", 1),
        ("call.invited", 1),
        ("contact.accepted", 1),
        ("contact.requested", 1),
        ("file.downloaded", 1),
        ("file.shared", 2),
        ("im.message.sent", 13),
    ];
    assert_eq!(by_type.into_iter().collect::<Vec<_>>(), want);

    let sms = values.last().unwrap();
    assert_eq!(sms["data"]["to"][0]["network"], "pstn");
    assert_eq!(
        sms["data"]["message"]["text"],
        "If you want I can copy some documents for you, if you can pay it... ;)"
    );
    assert_eq!(sms["data"]["extra"]["row"]["timestamp"], 13_727_168_620_i64);
    let call = values.iter().find(|event| event["type"] == "federation.call.ended.v1").unwrap();
    assert_eq!(call["time"], "2013-07-01T22:23:03Z");
    let quality = &call["data"]["call"]["quality"][0];
    let numbers = ["jitter_ms", "loss_pct", "round_trip_ms"].map(|name| quality[name].as_f64().unwrap());
    assert_eq!((quality["codec"].as_str(), numbers), (Some("G123"), [20.0, 0.0, 67.0]));
    let times: Vec<_> = values.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}
