//! Fields of our own: where a record came from, and what RSMF has no field for.

use std::borrow::Cow;

use serde_json::Value;

use super::manifest::Custom;
use crate::describe::named;
use crate::document::About;
use crate::item::Item;
use crate::settings::RSMF_FIELDS_MAX;

/// Adds a field unless it would be empty, which RSMF does not allow.
pub(super) fn put(out: &mut Vec<Custom>, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
    let (name, value) = (name.into(), value.into());
    if !name.is_empty() && !value.is_empty() {
        out.push(Custom { name, value });
    }
}

/// A field's name, of a record that became part of another's event.
fn under(prefix: &str, name: &'static str) -> Cow<'static, str> {
    if prefix.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{prefix} {name}")) }
}

/// Where a record came from, and what is special about it.
pub(super) fn origin(out: &mut Vec<Custom>, prefix: &str, item: &Item<'_>) {
    let shown = item.shown;
    put(out, under(prefix, "Position"), shown.position.to_string());
    put(out, under(prefix, "Leaf SHA-256"), shown.leaf.to_string());
    put(out, under(prefix, "Type"), item.kind.as_str());
    if item.time_us.is_none() {
        let whose = if shown.broker_time_ms.is_some() { "the broker's" } else { "when it was archived" };
        put(out, under(prefix, "Time is"), whose);
    }
    if shown.is_context {
        put(out, under(prefix, "Context"), "This record is no hit; it stands near one");
    }
    if shown.deliveries > 1 {
        put(out, under(prefix, "Deliveries"), shown.deliveries.to_string());
    }
    if shown.redactions > 0 {
        put(out, under(prefix, "Redactions"), shown.redactions.to_string());
    }
    for warning in &item.warnings {
        put(out, under(prefix, "Warning"), warning.word());
    }
}

/// What a message says beside its text.
pub(super) fn message(out: &mut Vec<Custom>, item: &Item<'_>) {
    let data = item.data();
    put(out, "To", item.to().iter().map(named).collect::<Vec<_>>().join("; "));
    put(out, "Via", data.via.as_deref().map(named).unwrap_or_default());
    put(out, "Client", data.client.as_deref().unwrap_or_default());
    let Some(message) = &data.message else { return };
    put(out, "Message ID", message.id.as_deref().unwrap_or_default());
    let content_type = message.content_type.as_deref().filter(|t| *t != "text/plain");
    put(out, "Content type", content_type.unwrap_or_default());
}

/// All that a record's data says, as its members' names with dots: `call.media.1`, `audio`. What
/// the event shows anyway is left out. The rest of more than [`RSMF_FIELDS_MAX`] is counted.
pub(super) fn fields(out: &mut Vec<Custom>, prefix: &str, item: &Item<'_>) -> usize {
    let payload: Option<Value> =
        item.shown.payload.as_deref().and_then(|payload| serde_json::from_slice(payload).ok());
    let Some(Value::Object(mut members)) = payload else { return 0 };
    let mut left_out = 0;
    let before = out.len();
    let mut add = |out: &mut Vec<Custom>, name: &str, value: &Value| {
        for_each_leaf(name, value, &mut |name, value| {
            if out.len() - before < RSMF_FIELDS_MAX {
                put(out, name.to_owned(), value);
            } else {
                left_out += 1;
            }
        });
    };
    // In the structured mode what happened is a member; in the binary mode it is all.
    let data = if members.contains_key("specversion") { members.remove("data") } else { None };
    let members = match data {
        Some(Value::Object(members)) => members,
        Some(other) => {
            add(out, &joined(prefix, "data"), &other);
            return left_out;
        }
        None => members,
    };
    for (name, value) in members.iter().filter(|(name, _)| !matches!(name.as_str(), "conversation" | "from"))
    {
        add(out, &joined(prefix, name), value);
    }
    left_out
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix} {name}") }
}

/// Calls with each text, number and truth in a value. Depth is bounded: JSON is read to a depth of 128.
fn for_each_leaf(name: &str, value: &Value, then: &mut impl FnMut(&str, String)) {
    match value {
        Value::Null => {}
        Value::String(text) => then(name, text.clone()),
        Value::Bool(_) | Value::Number(_) => then(name, value.to_string()),
        Value::Array(all) => {
            for (n, value) in (1..).zip(all) {
                for_each_leaf(&format!("{name}.{n}"), value, then);
            }
        }
        Value::Object(all) => {
            for (member, value) in all {
                for_each_leaf(&format!("{name}.{member}"), value, then);
            }
        }
    }
}

/// What a production says of itself, and which part of it a document is.
pub(super) fn production(out: &mut Vec<Custom>, about: &About) {
    put(out, "Production", about.production.as_str());
    put(out, "Requested by", about.who.as_str());
    put(out, "Requested for", about.why.as_str());
    put(out, "Complete through version", about.through_version.to_string());
    put(out, "Time zone of days", about.zone_name.as_str());
}
