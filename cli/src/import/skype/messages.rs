//! The tables `Messages` and `SMSes`.

use std::collections::{BTreeMap, BTreeSet};

use custody_schemas::event::{Contact, Data, File, Message, Party};
use custody_schemas::kind::Kind;

use super::book::Book;
use super::db::{Database, Row};
use super::xml::{attribute, elements, unescape};
use super::{Found, Name, Origin, SkypeError, calls, files, others, plain, some};

// `Messages.type` of SkypeKit.
const SET_METADATA: i64 = 2;
const SPAWNED_CONFERENCE: i64 = 4;
const ADDED_CONSUMERS: i64 = 10;
const RETIRED_OTHERS: i64 = 12;
const RETIRED: i64 = 13;
const STARTED_LIVE_SESSION: i64 = 30;
const ENDED_LIVE_SESSION: i64 = 39;
const REQUESTED_AUTH: i64 = 50;
const GRANTED_AUTH: i64 = 51;
const BLOCKED: i64 = 53;
const POSTED_EMOTE: i64 = 60;
const POSTED_TEXT: i64 = 61;
const POSTED_CONTACTS: i64 = 63;
const POSTED_SMS: i64 = 64;
const POSTED_FILES: i64 = 68;

/// What other tables say better.
struct Elsewhere<'r> {
    sms: BTreeMap<i64, Vec<&'r Row>>,
    /// Calls of the tables `Calls` and `CallMembers`.
    calls: BTreeSet<String>,
    /// Messages that offered a file of the table `Transfers`.
    offers: BTreeSet<String>,
}

pub(super) fn read(db: &Database, book: &Book, found: &mut Found) -> Result<(), SkypeError> {
    let rows = db.rows("Messages")?;
    let texts = db.rows("SMSes")?;
    let mut sms: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for text in &texts {
        sms.entry(text.int("chatmsg_id").unwrap_or(0)).or_default().push(text);
    }
    let elsewhere = Elsewhere { sms, calls: calls::guids(db)?, offers: files::offers(db)? };
    let mut joined = BTreeSet::new();
    let mut mapped = 0;
    for row in &rows {
        let before = found.events.len();
        message(book, &elsewhere, row, found);
        mapped += usize::from(found.events.len() > before);
        if row.int("type") == Some(POSTED_SMS) {
            joined.extend(elsewhere.sms.get(&row.id()).into_iter().flatten().map(|text| text.id()));
        }
    }
    found.count("Messages", rows.len(), mapped, 0);
    let alone = texts.iter().filter(|text| !joined.contains(&text.id()));
    let alone = alone.map(|text| lone_sms(book, text, found)).count();
    found.count("SMSes", texts.len(), alone, joined.len());
    Ok(())
}

/// One row of `Messages`.
fn message<'r>(book: &Book, elsewhere: &Elsewhere<'r>, row: &'r Row, found: &mut Found) {
    let origin = Origin::new("Messages", row);
    let (place, members) = book.place(row);
    let author = row.text("author").unwrap_or_default();
    let data = Data {
        conversation: place,
        from: row.text("author").map(|author| book.called(author, row.text("from_dispname"))),
        to: others(book, members.iter(), author),
        ..Data::default()
    };
    let at_s = row.int("timestamp");
    let number = row.int("type").unwrap_or(-1);
    let named: Vec<Party<'static>> = row.words("identities").map(|identity| book.party(identity)).collect();
    let called = row.text("call_guid").is_some_and(|guid| elsewhere.calls.contains(guid));
    let offered = row.text("guid").is_some_and(|guid| elsewhere.offers.contains(guid));
    match number {
        POSTED_TEXT | POSTED_EMOTE | POSTED_CONTACTS => text(book, origin, data, found),
        POSTED_SMS => sms(elsewhere, origin, data, named, found),
        REQUESTED_AUTH => {
            let contact = Some(Contact { text: body(row).map(Into::into) });
            let data = Data { contact, to: some(named), ..data };
            found.add(&origin, Name::of(Kind::ContactRequested), at_s, data, &[]);
        }
        GRANTED_AUTH | BLOCKED => {
            let kind = if number == BLOCKED { Kind::ContactBlocked } else { Kind::ContactAccepted };
            found.add(&origin, Name::of(kind), at_s, Data { to: some(named), ..data }, &[]);
        }
        SPAWNED_CONFERENCE | ADDED_CONSUMERS | RETIRED_OTHERS if !named.is_empty() => {
            let action = if number == RETIRED_OTHERS { "left" } else { "joined" };
            participants(&origin, data, named, action, found);
        }
        RETIRED if data.from.is_some() => {
            let author = data.from.clone().into_iter().collect();
            participants(&origin, data, author, "left", found);
        }
        SET_METADATA if body(row).is_some() => {
            let data = Data { title: body(row).map(Into::into), ..data };
            found.add(&origin, Name::of(Kind::ConversationRenamed), at_s, data, &[]);
        }
        STARTED_LIVE_SESSION if !called => calls::started(&origin, data, found),
        ENDED_LIVE_SESSION if !called => calls::ended(&origin, data, found),
        POSTED_FILES if !offered && shared(&origin, &data, found) => {}
        _ => {
            let kind = format!("skype.message.type.{number}");
            let message = body(row).map(|text| plain(origin.stem(), Some(text)));
            let data = Data { message, ..data };
            found.add(&origin, Name { kind: &kind, suffix: "" }, at_s, data, &[]);
        }
    }
}

/// The text without markup of a body that holds no markup but entities.
fn body(row: &Row) -> Option<String> {
    let body = row.text("body_xml")?;
    Some(if row.int("body_is_rawxml") == Some(1) { unescape(body) } else { body.to_owned() })
}

/// A message and, if it was changed, its change. The database has the last text only: a message
/// that was changed is sent without one.
fn text(book: &Book, origin: Origin<'_>, data: Data<'static>, found: &mut Found) {
    let row = origin.row;
    let raw = row.int("body_is_rawxml") == Some(1);
    let id = origin.stem();
    let written = row.text("body_xml").map(|body| Message {
        id: Some(id.clone().into()),
        content_type: Some(if raw { "text/html" } else { "text/plain" }.into()),
        text: Some(body.to_owned().into()),
        ..Message::default()
    });
    let edited_s = row.int("edited_timestamp").filter(|&second| second > 0);
    let at_s = row.int("timestamp");
    let Some(edited_s) = edited_s else {
        let data = Data { message: written.or(Some(plain(id, None))), ..data };
        found.add(&origin, Name::of(Kind::MessageSent), at_s, data, &["body_xml"]);
        return;
    };
    let sent = Data { message: Some(plain(id.clone(), None)), ..data.clone() };
    found.add(&origin, Name::of(Kind::MessageSent), at_s, sent, &["body_xml"]);
    // Skype kept a deleted message as one that was changed to nothing.
    let kind = if written.is_some() { Kind::MessageEdited } else { Kind::MessageDeleted };
    let editor = row.text("edited_by").map(|editor| book.party(editor));
    let data = Data { message: written.or(Some(plain(id, None))), from: editor.or(data.from), ..data };
    let suffix = if kind == Kind::MessageEdited { ":edited" } else { ":deleted" };
    found.add(&origin, Name { kind: kind.full(), suffix }, Some(edited_s), data, &["body_xml"]);
}

/// An SMS: the text of the table `SMSes` is the one that was sent.
fn sms<'r>(
    elsewhere: &Elsewhere<'r>,
    origin: Origin<'r>,
    data: Data<'static>,
    named: Vec<Party<'static>>,
    found: &mut Found,
) {
    let row = origin.row;
    let linked = elsewhere.sms.get(&row.id()).cloned().unwrap_or_default();
    let xml = row.text("body_xml").unwrap_or_default();
    let sent = linked.iter().find_map(|text| text.text("body")).map(str::to_owned);
    let text = sent.or_else(|| elements(xml, "encoded_body").first().map(|(_, body)| unescape(body)));
    let data = Data {
        message: Some(plain(origin.stem(), text.or_else(|| row.text("body_xml").map(str::to_owned)))),
        to: some(named).or(data.to),
        ..data
    };
    let joined = some(linked).map(|linked| ("SMSes", linked)).into_iter().collect();
    let origin = Origin { table: origin.table, row, joined };
    found.add(&origin, Name::of(Kind::MessageSent), row.int("timestamp"), data, &[]);
}

/// An SMS that no message mentions.
fn lone_sms(book: &Book, row: &Row, found: &mut Found) {
    const INCOMING: i64 = 1;
    let origin = Origin::new("SMSes", row);
    let numbers: Vec<_> = row.words("target_numbers").map(|number| book.party(number)).collect();
    let owner = book.party(&book.owner);
    let (from, to) = match row.int("type") {
        Some(INCOMING) => (row.text("identity").map(|number| book.party(number)), vec![owner]),
        _ => (Some(owner), numbers),
    };
    let message = Some(plain(origin.stem(), row.text("body").map(str::to_owned)));
    let data = Data { from, to: some(to), message, ..Data::default() };
    found.add(&origin, Name::of(Kind::MessageSent), row.int("timestamp"), data, &["body"]);
}

/// One event for each who came or went.
fn participants(
    origin: &Origin<'_>,
    data: Data<'static>,
    named: Vec<Party<'static>>,
    action: &'static str,
    found: &mut Found,
) {
    for (n, participant) in named.into_iter().enumerate() {
        let suffix = if n == 0 { String::new() } else { format!(":{n}") };
        let name = Name { kind: Kind::ConversationParticipant.full(), suffix: &suffix };
        let data =
            Data { participant: Some(Box::new(participant)), action: Some(action.into()), ..data.clone() };
        found.add(origin, name, origin.row.int("timestamp"), data, &[]);
    }
}

/// One event for each file that the message offers; false if it names none.
fn shared(origin: &Origin<'_>, data: &Data<'static>, found: &mut Found) -> bool {
    let files = elements(origin.row.text("body_xml").unwrap_or_default(), "file");
    for (n, (tag, name)) in files.iter().enumerate() {
        let suffix = if n == 0 { String::new() } else { format!(":{n}") };
        let file = File {
            id: Some(format!("{}{suffix}", origin.stem()).into()),
            name: Some(unescape(name).into()),
            size: attribute(tag, "size").and_then(|size| size.parse().ok()),
            ..File::default()
        };
        let data = Data { file: Some(Box::new(file)), ..data.clone() };
        let name = Name { kind: Kind::FileShared.full(), suffix: &suffix };
        found.add(origin, name, origin.row.int("timestamp"), data, &[]);
    }
    !files.is_empty()
}
