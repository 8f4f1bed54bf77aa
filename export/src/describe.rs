//! A record in words: one readable text for formats that know nothing but messages.

use custody_schemas::Kind;
use custody_schemas::event::{Call, File, Party, Policy, Text};
use serde_json::Value;

use crate::document::party_label;
use crate::item::Item;

/// What happened, without the time and without who did it where `from` stands beside it.
///
/// A message is its text. Everything else is a short sentence that names everybody it is about.
/// Line breaks of texts are kept; the texts are as hostile as whoever wrote them.
pub(crate) fn describe(item: &Item<'_>) -> String {
    if let Some(gap) = &item.gap {
        return format!("Lost before it was archived: {gap}");
    }
    if let Some(reason) = &item.quarantined {
        return format!("Could not be decoded: {reason}");
    }
    match item.contract() {
        Some(kind) => known(item, kind),
        None => with(&format!("Event of type {}", item.kind), item.text().as_deref()),
    }
}

fn known(item: &Item<'_>, kind: Kind) -> String {
    let data = item.data();
    let (who, text) = (who(item), item.text());
    let text = text.as_deref();
    let about = || data.participant.as_deref().map_or("(unknown)", party_label);
    match kind {
        Kind::MessageSent => text.unwrap_or_default().to_owned(),
        Kind::MessageEdited => with(&format!("{who} edited message {}", message(item)), text),
        Kind::MessageDeleted => format!("{who} deleted message {}", message(item)),
        Kind::MessageReaction => {
            let reaction = data.reaction.as_ref();
            let value = word(reaction.and_then(|reaction| reaction.value.as_ref()));
            match reaction.and_then(|reaction| reaction.action.as_deref()) {
                Some("removed") => format!("{who} took the reaction {value} from message {}", message(item)),
                _ => format!("{who} reacted with {value} to message {}", message(item)),
            }
        }
        Kind::MessageReceipt => {
            let status = data.receipt.as_ref().and_then(|receipt| receipt.status.as_ref());
            format!("Message {} was {} by {who}", message(item), word(status))
        }
        Kind::FileShared => format!("{who} shared the file {}", file(data.file.as_deref())),
        Kind::FileDownloaded => format!("{who} downloaded the file {}", file(data.file.as_deref())),
        Kind::CallInvited => format!("{who} called {}{}", to(item), media(data.call.as_deref())),
        Kind::CallAnswered => format!("{who} answered the call{}", media(data.call.as_deref())),
        Kind::CallParticipant => format!("{} {} the call", about(), action(data.action.as_deref())),
        Kind::CallMedia => format!("{who} changed the media of the call{}", media(data.call.as_deref())),
        Kind::CallEnded => ended(data.call.as_deref()),
        Kind::ConversationParticipant => {
            format!("{} {} the conversation", about(), action(data.action.as_deref()))
        }
        Kind::ConversationRenamed => {
            format!("{who} named the conversation {}", quoted(data.title.as_deref()))
        }
        Kind::ConversationHistoryViewed => format!("{who} read the history of the conversation"),
        Kind::ContactSearched => searched(item, &who),
        Kind::ContactRequested => with(&format!("{who} asked {} to become a contact", to(item)), text),
        Kind::ContactAccepted => with(&format!("{who} accepted the contact request of {}", to(item)), text),
        Kind::ContactDeclined => with(&format!("{who} declined the contact request of {}", to(item)), text),
        Kind::ContactBlocked => with(&format!("{who} blocked {}", to(item)), text),
        Kind::ContactRemoved => with(&format!("{who} removed {} from the contacts", to(item)), text),
        Kind::PolicyChanged => policy(data.policy.as_deref(), &who),
        Kind::GatewayStarted => gateway(item, "started"),
        Kind::GatewayStopped => gateway(item, "stopped"),
        Kind::GatewayHeartbeat => gateway(item, "said that it is alive"),
        Kind::GatewayOutage => {
            let outage = data.outage.as_ref();
            let from = word(outage.and_then(|outage| outage.from.as_ref()));
            let to = outage.and_then(|outage| outage.to.as_deref());
            let until = to.map_or_else(|| " on".to_owned(), |to| format!(" to {to}"));
            let reason = outage.and_then(|outage| outage.reason.as_deref());
            with(&format!("{} could not record from {from}{until}", source(item)), reason)
        }
    }
}

/// A sentence, and what somebody said with it.
fn with(sentence: &str, text: Option<&str>) -> String {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => format!("{sentence}: {text}"),
        None => sentence.to_owned(),
    }
}

fn who(item: &Item<'_>) -> String {
    item.from().map_or("(unknown)", party_label).to_owned()
}

fn to(item: &Item<'_>) -> String {
    let all: Vec<&str> = item.to().iter().map(party_label).collect();
    if all.is_empty() { "(unknown)".to_owned() } else { all.join(", ") }
}

fn message<'i>(item: &'i Item<'_>) -> &'i str {
    item.message_id().unwrap_or("(unknown)")
}

fn word(text: Option<&Text<'_>>) -> String {
    text.map_or("(unknown)", |text| text).to_owned()
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "(nothing)".to_owned(), |text| format!("\"{text}\""))
}

fn action(action: Option<&str>) -> &str {
    action.unwrap_or("joined or left")
}

fn file(file: Option<&File<'_>>) -> String {
    let Some(file) = file else { return "(unknown)".to_owned() };
    let name = file.name.as_deref().or(file.id.as_deref()).unwrap_or("(unknown)");
    let more: Vec<String> =
        [file.media_type.as_deref().map(str::to_owned), file.size.map(|n| format!("{n} bytes"))]
            .into_iter()
            .flatten()
            .collect();
    if more.is_empty() { name.to_owned() } else { format!("{name} ({})", more.join(", ")) }
}

fn media(call: Option<&Call<'_>>) -> String {
    let media: Vec<&str> =
        call.and_then(|call| call.media.as_ref()).into_iter().flatten().map(|m| &**m).collect();
    if media.is_empty() { String::new() } else { format!(" ({})", media.join(", ")) }
}

fn ended(call: Option<&Call<'_>>) -> String {
    let mut out = format!("The call ended{}", media(call));
    let Some(call) = call else { return out };
    let at = |time: &Option<Text<'_>>| time.as_deref().and_then(custody_schemas::time::time_us);
    out += &match (at(&call.answer_time), at(&call.end_time)) {
        (Some(answered), Some(ended)) => format!(" after {}", lasted(ended.saturating_sub(answered))),
        (None, _) if call.answer_time.is_none() => " and was not answered".to_owned(),
        _ => String::new(),
    };
    let code = call.response_code.map(|code| code.to_string());
    let said = [code.as_deref(), call.reason.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    with(&out, Some(&said.join(" ")))
}

/// `1:02:03`, in hours, minutes and seconds.
fn lasted(us: i64) -> String {
    // A call may say that it ended before it was answered.
    let (sign, s) = (if us < 0 { "-" } else { "" }, us.unsigned_abs() / 1_000_000);
    format!("{sign}{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

fn searched(item: &Item<'_>, who: &str) -> String {
    let search = item.data().search.as_ref();
    let query = search.and_then(|search| search.query.as_deref());
    let by = search.and_then(|search| search.kind.as_deref()).map(|by| format!(" by {by}"));
    let found = search.and_then(|search| search.result_count).map(|n| format!("; {n} found"));
    format!(
        "{who} searched the directory{} for {}{}",
        by.unwrap_or_default(),
        quoted(query),
        found.unwrap_or_default()
    )
}

fn policy(policy: Option<&Policy<'_>>, who: &str) -> String {
    let Some(policy) = policy else { return format!("{who} changed federation policy") };
    let value = |value: &Option<Value>| match value {
        None => "(nothing)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    format!(
        "{who} changed {} of {} {} from {} to {}",
        word(policy.setting.as_ref()),
        policy.scope.as_deref().unwrap_or("federation policy of"),
        policy.target.as_deref().unwrap_or("(unknown)"),
        value(&policy.old),
        value(&policy.new)
    )
}

fn source<'i>(item: &'i Item<'_>) -> &'i str {
    item.event.as_ref().map_or("(unknown)", |event| &*event.source)
}

fn gateway(item: &Item<'_>, did: &str) -> String {
    let version = item.data().gateway.as_ref().and_then(|gateway| gateway.version.as_deref());
    let version = version.map(|version| format!(" (version {version})")).unwrap_or_default();
    format!("Gateway {}{version} {did}", source(item))
}

/// A party with its address, for those who must tell two of one name apart.
pub(crate) fn named(party: &Party<'_>) -> String {
    let label = party_label(party);
    match party.address.as_deref().filter(|address| !address.is_empty() && *address != label) {
        Some(address) => format!("{label} <{address}>"),
        None => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{event, shown};
    use crate::item::with_items;

    fn check(kind: &str, data: &str, expected: &str) {
        let shown = [shown(0, &event(kind, 0, data))];
        assert_eq!(with_items(&shown, |items| describe(&items[0])), expected, "{kind} {data}");
    }

    #[test]
    fn every_type_is_a_readable_text() {
        let ab = r#""from":{"name":"Ann","address":"a@x"},"to":[{"address":"b@y"},{"name":"Cid"}]"#;
        let check =
            |kind: &str, data: &str, expected: &str| check(kind, &format!("{{{ab},{data}}}"), expected);
        let m = r#""message":{"id":"m1","content_type":"text/html","text":"<b>hi</b> &amp; bye"}"#;
        check("im.message.sent", m, "hi & bye");
        check("im.message.edited", m, "Ann edited message m1: hi & bye");
        check("im.message.deleted", m, "Ann deleted message m1");
        let reaction = r#""message":{"id":"m1"},"reaction":{"value":"👍","action":"removed"}"#;
        check("im.message.reaction", reaction, "Ann took the reaction 👍 from message m1");
        let receipt = r#""message":{"id":"m1"},"receipt":{"status":"read"}"#;
        check("im.message.receipt", receipt, "Message m1 was read by Ann");
        let file = r#""file":{"name":"a.pdf","media_type":"application/pdf","size":7}"#;
        check("file.shared", file, "Ann shared the file a.pdf (application/pdf, 7 bytes)");
        check("file.downloaded", r#""file":{"id":"f"}"#, "Ann downloaded the file f");
        check("call.invited", r#""call":{"media":["audio","video"]}"#, "Ann called b@y, Cid (audio, video)");
        check("call.answered", r#""call":{}"#, "Ann answered the call");
        let left = r#""participant":{"name":"Cid"},"action":"left""#;
        check("call.participant", left, "Cid left the call");
        check("conversation.participant", left, "Cid left the conversation");
        check("call.media", r#""call":{"media":["screen"]}"#, "Ann changed the media of the call (screen)");
        let times = r#""call":{"answer_time":"2013-05-29T09:00:00Z","end_time":"2013-05-29T10:01:02Z","response_code":200,"reason":"bye"}"#;
        check("call.ended", times, "The call ended after 1:01:02: 200 bye");
        check("call.ended", r#""call":{"response_code":486}"#, "The call ended and was not answered: 486");
        check("conversation.renamed", r#""title":"Deal""#, "Ann named the conversation \"Deal\"");
        check("conversation.history_viewed", r#""range":1"#, "Ann read the history of the conversation");
        let search = r#""search":{"query":"b@y","kind":"email","result_count":1}"#;
        check("contact.searched", search, "Ann searched the directory by email for \"b@y\"; 1 found");
        let contact = r#""contact":{"text":"it is me"}"#;
        check("contact.requested", contact, "Ann asked b@y, Cid to become a contact: it is me");
        check("contact.accepted", r#""contact":{}"#, "Ann accepted the contact request of b@y, Cid");
        check("contact.declined", r#""contact":{}"#, "Ann declined the contact request of b@y, Cid");
        check("contact.blocked", r#""contact":{}"#, "Ann blocked b@y, Cid");
        check("contact.removed", r#""contact":{}"#, "Ann removed b@y, Cid from the contacts");
        let policy =
            r#""policy":{"scope":"domain","target":"y","setting":"federation","old":"off","new":true}"#;
        check("policy.changed", policy, "Ann changed federation of domain y from off to true");
        check("gateway.started", r#""gateway":{"version":"2"}"#, "Gateway //gw (version 2) started");
        check("gateway.stopped", r#""gateway":{}"#, "Gateway //gw stopped");
        check("gateway.heartbeat", r#""gateway":{}"#, "Gateway //gw said that it is alive");
        let outage = r#""outage":{"from":"2013-05-29T09:00:00Z","reason":"disk"}"#;
        check("gateway.outage", outage, "//gw could not record from 2013-05-29T09:00:00Z on: disk");
    }

    #[test]
    fn what_is_not_of_the_contract_is_told() {
        let check = |payload: &str, expected: &str| {
            let shown = [shown(0, payload)];
            assert_eq!(with_items(&shown, |items| describe(&items[0])), expected, "{payload}");
        };
        check("{", "Could not be decoded: not an event: EOF while parsing an object at line 1 column 1");
        check(
            r#"{"specversion":"1.0","id":"i","source":"//s","type":"com.example.odd","data":7}"#,
            "Event of type com.example.odd",
        );
    }
}
