//! What of a record is the contract's own, and what somebody wrote.

use std::collections::HashSet;
use std::sync::LazyLock;

use custody_schemas::Kind;
use custody_schemas::time::time_us;

/// Members, down from the event, that say who, when and which: they stay when a record is withheld.
const KEPT: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "tenant",
    "sequence",
    "datacontenttype",
    "data.conversation.id",
    "data.conversation.kind",
    "data.client",
    "data.message.id",
    "data.message.content_type",
    "data.message.in_reply_to",
    "data.message.importance",
    "data.reaction.action",
    "data.receipt.status",
    "data.file.id",
    "data.file.media_type",
    "data.file.size",
    "data.file.sha256",
    "data.call.id",
    "data.call.media",
    "data.call.on_behalf_of",
    "data.call.referred_by",
    "data.call.original_target",
    "data.call.invite_time",
    "data.call.answer_time",
    "data.call.end_time",
    "data.call.response_code",
    "data.call.from_message_count",
    "data.call.to_message_count",
    "data.call.quality.media",
    "data.call.quality.codec",
    "data.call.quality.jitter_ms",
    "data.call.quality.loss_pct",
    "data.call.quality.round_trip_ms",
    "data.call.quality.mos",
    "data.action",
    "data.search.kind",
    "data.search.result_count",
    "data.policy.scope",
    "data.policy.target",
    "data.policy.setting",
    "data.gateway.version",
    "data.outage.from",
    "data.outage.to",
];
/// Members that are a party, and what of one stays.
const PARTIES: [&str; 7] = [
    "data.from",
    "data.to",
    "data.via",
    "data.participant",
    "data.call.on_behalf_of",
    "data.call.referred_by",
    "data.call.original_target",
];
/// See [`PARTIES`].
const PARTY: [&str; 5] = ["network", "address", "name", "role", "scope"];
/// Members whose text somebody wrote.
const WRITTEN: &[&str] = &[
    "data.conversation.title",
    "data.message.text",
    "data.reaction.value",
    "data.file.name",
    "data.file.ref",
    "data.call.reason",
    "data.call.diagnostics",
    "data.title",
    "data.search.query",
    "data.contact.text",
    "data.policy.old",
    "data.policy.new",
    "data.outage.reason",
];
/// Members that the contract has as numbers; a text in their place could not be decoded.
const NUMBERS: [&str; 9] = [
    "size",
    "response_code",
    "from_message_count",
    "to_message_count",
    "result_count",
    "jitter_ms",
    "loss_pct",
    "round_trip_ms",
    "mos",
];
/// Words of the contract: nobody wrote them, and without them a record is not what it was.
const WORDS: &[(&str, &[&str])] = &[
    ("specversion", &["1.0"]),
    ("datacontenttype", &["application/json"]),
    ("content_type", &["text/plain", "text/html"]),
    ("content-type", &["application/json", "application/cloudevents+json"]),
    ("kind", &["direct", "group", "meeting", "email", "name"]),
    ("scope", &["internal", "federated", "anonymous", "system", "tenant", "domain", "user"]),
    ("action", &["joined", "left", "added", "removed"]),
    ("status", &["delivered", "read"]),
    ("media", &["audio", "video", "screen"]),
    ("network", &["skype", "lync", "teams", "sip", "xmpp", "matrix", "irc", "pstn"]),
];
const TIMES: [&str; 6] = ["time", "invite_time", "answer_time", "end_time", "from", "to"];
/// Headers of the binary content mode have the event's attributes after this.
const HEADER: &str = "ce_";

/// What becomes of a member of a withheld record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Kept,
    /// Its name stays, its value does not.
    Written,
    /// It has members of the contract in it.
    Holds,
    /// The contract does not know it.
    Unknown,
}

static MEMBERS: LazyLock<Vec<(String, Member)>> = LazyLock::new(|| {
    let parties = PARTIES.iter().flat_map(|path| PARTY.iter().map(move |member| format!("{path}.{member}")));
    let kept = KEPT.iter().map(|path| (*path).to_owned()).chain(parties).map(|path| (path, Member::Kept));
    kept.chain(WRITTEN.iter().map(|path| ((*path).to_owned(), Member::Written))).collect()
});
static NAMES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| MEMBERS.iter().flat_map(|(path, _)| path.split('.')).collect());

/// What becomes of the member at this path, with dots between names.
pub(super) fn member(path: &str) -> Member {
    if let Some((_, member)) = MEMBERS.iter().find(|(known, _)| known == path) {
        return *member;
    }
    let holds = |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    if MEMBERS.iter().any(|(known, _)| holds(known)) { Member::Holds } else { Member::Unknown }
}

/// Whether the contract has a member, or a header, of this name anywhere.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.contains(name)
        || name.eq_ignore_ascii_case("content-type")
        || attribute(name).is_some_and(|name| NAMES.contains(&*name))
}

/// The attribute of the event that a header has.
pub(super) fn attribute(header: &str) -> Option<String> {
    let lower = header.to_ascii_lowercase();
    lower.strip_prefix(HEADER).map(str::to_owned)
}

/// Whether a member of this name has a number by the contract.
pub(super) fn is_number(name: &str) -> bool {
    NUMBERS.contains(&name)
}

/// Whether a value is a word of the contract under this name, or a time.
pub(super) fn is_word(name: &str, value: &str) -> bool {
    let words = WORDS.iter().find(|(known, _)| *known == name).map(|(_, words)| words);
    words.is_some_and(|words| words.contains(&value))
        || name == "type" && Kind::from_full(value).is_some()
        || TIMES.contains(&name) && time_us(value).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Paths of members that end in a value, by the published schema.
    fn leaves(schema: &Value, definitions: &Value, path: &str, out: &mut Vec<String>) {
        let of = |schema: &Value| -> Value {
            match schema.get("$ref").and_then(Value::as_str) {
                Some(reference) => definitions[reference.trim_start_matches("#/$defs/")].clone(),
                None => schema.clone(),
            }
        };
        let schema = of(schema);
        let inner: Vec<Value> = ["anyOf", "allOf"]
            .iter()
            .filter_map(|all| schema.get(all)?.as_array())
            .flatten()
            .chain(schema.get("items"))
            .map(of)
            .chain([schema.clone()])
            .collect();
        let members = inner.iter().find_map(|schema| schema.get("properties")?.as_object());
        match members {
            Some(members) => {
                for (name, member) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    leaves(member, definitions, &path, out);
                }
            }
            None => out.push(path.to_owned()),
        }
    }

    #[test]
    fn every_member_of_the_contract_is_kept_or_written() {
        let mut paths = Vec::new();
        for kind in Kind::ALL {
            let schema = custody_schemas::contract::json_schema(*kind);
            leaves(&schema["allOf"][0], &schema["$defs"], "", &mut paths);
        }
        assert!(paths.len() > 200, "{paths:?}");
        for path in &paths {
            assert!(matches!(member(path), Member::Kept | Member::Written), "{path}");
        }
        for (known, _) in MEMBERS.iter() {
            let party = PARTIES[4..].iter().any(|party| known.starts_with(&format!("{party}.")));
            assert!(party || paths.contains(known), "{known} is not of the contract");
        }
        assert_eq!(member("data.conversation"), Member::Holds);
        assert_eq!(member("data"), Member::Holds);
        for unknown in ["dat", "data.x", "data.message.id.x", "x", "", "data.conversation.title.x"] {
            assert_eq!(member(unknown), Member::Unknown, "{unknown}");
        }
    }
}
