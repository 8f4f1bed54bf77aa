//! The tables `Calls` and `CallMembers`, and the calls that only messages mention.

use std::collections::BTreeSet;

use custody_schemas::event::{Call, Data, Quality, Text};
use custody_schemas::kind::Kind;

use super::book::Book;
use super::db::{Database, Row};
use super::xml::elements;
use super::{Found, Name, Origin, SkypeError, conversation, some};

/// Calls that the tables know: messages about them say nothing new.
pub(super) fn guids(db: &Database) -> Result<BTreeSet<String>, SkypeError> {
    let members = db.rows("CallMembers")?;
    Ok(members.iter().filter_map(|row| row.text("guid")).map(str::to_owned).collect())
}

pub(super) fn read(db: &Database, book: &Book, found: &mut Found) -> Result<(), SkypeError> {
    let calls = db.rows("Calls")?;
    let members = db.rows("CallMembers")?;
    let mut joined = 0;
    for call in &calls {
        let mine: Vec<&Row> = members.iter().filter(|member| belongs(member, call)).collect();
        joined += mine.len();
        both_ends(book, call, mine, found);
    }
    found.count("Calls", calls.len(), calls.len(), 0);
    // Members of a call that is not in the table.
    let alone = members.iter().filter(|member| !calls.iter().any(|call| belongs(member, call)));
    let alone = alone.map(|member| lone_member(book, member, found)).count();
    found.count("CallMembers", members.len(), alone, joined);
    Ok(())
}

fn belongs(member: &Row, call: &Row) -> bool {
    match member.int("call_db_id") {
        Some(id) => id == call.id(),
        None => member.text("call_name").is_some() && member.text("call_name") == call.text("name"),
    }
}

fn rfc3339(second: i64) -> Option<Text<'static>> {
    jiff::Timestamp::from_second(second).ok().map(|time| time.to_string().into())
}

fn both_ends(book: &Book, row: &Row, members: Vec<&Row>, found: &mut Found) {
    let origin = Origin {
        table: "Calls",
        row,
        joined: some(members.clone()).map(|rows| ("CallMembers", rows)).into_iter().collect(),
    };
    let host = row.text("host_identity").unwrap_or(&book.owner);
    let to: Vec<_> = members
        .iter()
        .filter_map(|member| Some((member.text("identity")?, member.text("dispname"))))
        .filter(|(identity, _)| *identity != host)
        .map(|(identity, name)| book.called(identity, name))
        .collect();
    // An incoming call is one to the account's owner, who is not among the members.
    let owner = (book.owner != host).then(|| book.party(&book.owner));
    let to: Vec<_> = owner.into_iter().chain(to).collect();
    let name = row.text("name").map_or_else(|| origin.stem(), str::to_owned);
    let place = match row.int("conv_dbid") {
        Some(id) => book.convo(id).0,
        None => conversation(&name, to.len() + 1),
    };
    let data =
        Data { conversation: Some(place), from: Some(book.party(host)), to: some(to), ..Data::default() };
    let media = Some(vec!["audio".into()]);
    let begin_s = row.int("begin_timestamp");
    let call = Call { id: Some(name.clone().into()), media: media.clone(), ..Call::default() };
    let invited = Data { call: Some(Box::new(call)), ..data.clone() };
    found.add(&origin, Name::of(Kind::CallInvited), begin_s, invited, &[]);

    let duration =
        members.iter().filter_map(|member| member.int("call_duration")).max().or(row.int("duration"));
    let duration = duration.filter(|&seconds| seconds > 0);
    let answers =
        members.iter().filter_map(|member| member.int("start_timestamp")).filter(|&second| second > 0);
    let answer_s = duration.and_then(|_| answers.min()).or(begin_s);
    let end_s = answer_s.and_then(|second| second.checked_add(duration.unwrap_or(0)));
    let failure = members.iter().find_map(|member| member.int("failurereason")).or(row.int("failurereason"));
    let call = Call {
        id: Some(name.into()),
        media,
        invite_time: begin_s.and_then(rfc3339),
        answer_time: duration.and(answer_s).and_then(rfc3339),
        end_time: end_s.and_then(rfc3339),
        reason: failure.map(|reason| format!("skype failure {reason}").into()),
        quality: some(members.iter().filter_map(|member| quality(member.text("debuginfo")?)).collect()),
        ..Call::default()
    };
    let ended = Data { call: Some(Box::new(call)), ..data };
    found.add(&origin, Name { kind: Kind::CallEnded.full(), suffix: ":ended" }, end_s, ended, &[]);
}

fn lone_member(book: &Book, row: &Row, found: &mut Found) {
    let origin = Origin::new("CallMembers", row);
    let call = row.text("call_name").map(|name| Call { id: Some(name.to_owned().into()), ..Call::default() });
    let data = Data {
        conversation: row.text("call_name").map(|name| conversation(name, 2)),
        from: row.text("identity").map(|identity| book.called(identity, row.text("dispname"))),
        call: call.map(Box::new),
        ..Data::default()
    };
    let at_s = row.int("start_timestamp").filter(|&second| second > 0).or(row.int("creation_timestamp"));
    found.add(&origin, Name { kind: "skype.callmember", suffix: "" }, at_s, data, &[]);
}

/// What the client noted about the sound. `Packet loss` is the loss of the whole call; the
/// losses by direction stay in the row.
pub(super) fn quality(debuginfo: &str) -> Option<Quality<'static>> {
    let value = |name: &str| {
        let line = debuginfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).filter(|value| !value.is_empty())
    };
    let number = |name: &str| {
        let value = value(name)?;
        let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
        value[..end].parse::<f64>().ok()
    };
    let quality = Quality {
        media: Some("audio".into()),
        codec: value("Codec").map(|codec| codec.to_owned().into()),
        jitter_ms: number("Jitter"),
        loss_pct: number("Packet loss"),
        round_trip_ms: number("Roundtrip"),
        mos: None,
    };
    let known = Quality { media: None, ..quality.clone() } != Quality::default();
    known.then_some(quality)
}

fn named(origin: &Origin<'_>) -> String {
    origin.row.text("call_guid").map_or_else(|| origin.stem(), str::to_owned)
}

/// A message that a call began, of a call that no table knows.
pub(super) fn started(origin: &Origin<'_>, data: Data<'static>, found: &mut Found) {
    let call = Call { id: Some(named(origin).into()), media: Some(vec!["audio".into()]), ..Call::default() };
    let data = Data { call: Some(Box::new(call)), ..data };
    found.add(origin, Name::of(Kind::CallInvited), origin.row.int("timestamp"), data, &[]);
}

/// A message that a call ended: each part of its list may have a duration.
pub(super) fn ended(origin: &Origin<'_>, data: Data<'static>, found: &mut Found) {
    let end_s = origin.row.int("timestamp");
    let durations = elements(origin.row.text("body_xml").unwrap_or_default(), "duration");
    let longest = durations.iter().filter_map(|(_, seconds)| seconds.trim().parse::<i64>().ok()).max();
    let answer_s = end_s.zip(longest).and_then(|(end, seconds)| end.checked_sub(seconds));
    let call = Call {
        id: Some(named(origin).into()),
        media: Some(vec!["audio".into()]),
        answer_time: answer_s.and_then(rfc3339),
        end_time: end_s.and_then(rfc3339),
        reason: origin.row.text("reason").map(|reason| reason.to_owned().into()),
        ..Call::default()
    };
    found.add(origin, Name::of(Kind::CallEnded), end_s, Data { call: Some(Box::new(call)), ..data }, &[]);
}
