//! The readable one-liner of an event that is no message: indexed as text and
//! shown to people.

use custody_schemas::event::{Data, Text};
use serde_json::Value;

fn push(out: &mut String, separator: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push_str(separator);
    }
    out.push_str(text);
}

fn word(out: &mut String, text: Option<&Text<'_>>) {
    if let Some(text) = text {
        push(out, " ", text);
    }
}

pub(crate) fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Words of the type's own members; `None` when there are none.
pub(crate) fn detail(data: &Data<'_>) -> Option<String> {
    let mut out = String::new();
    if let Some(file) = &data.file {
        word(&mut out, file.name.as_ref());
        word(&mut out, file.media_type.as_ref());
        if let Some(size) = file.size {
            push(&mut out, " ", &format!("{size} bytes"));
        }
    }
    if let Some(call) = &data.call {
        for media in call.media.iter().flatten() {
            push(&mut out, " ", media);
        }
        if let Some(code) = call.response_code {
            push(&mut out, " ", &code.to_string());
        }
        word(&mut out, call.reason.as_ref());
        if let Some(diagnostics) = &call.diagnostics {
            push(&mut out, " ", &json_text(diagnostics));
        }
    }
    word(&mut out, data.action.as_ref());
    if let Some(participant) = &data.participant {
        word(&mut out, participant.name.as_ref().or(participant.address.as_ref()));
    }
    if let Some(search) = &data.search {
        word(&mut out, search.query.as_ref());
    }
    if let Some(policy) = &data.policy {
        word(&mut out, policy.scope.as_ref());
        word(&mut out, policy.target.as_ref());
        word(&mut out, policy.setting.as_ref());
        for value in [&policy.old, &policy.new].into_iter().flatten() {
            push(&mut out, " ", &json_text(value));
        }
    }
    if let Some(reaction) = &data.reaction {
        word(&mut out, reaction.action.as_ref());
        word(&mut out, reaction.value.as_ref());
    }
    if let Some(receipt) = &data.receipt {
        word(&mut out, receipt.status.as_ref());
    }
    if let Some(gateway) = &data.gateway {
        word(&mut out, gateway.version.as_ref());
    }
    if let Some(outage) = &data.outage {
        word(&mut out, outage.reason.as_ref());
    }
    (!out.is_empty()).then_some(out)
}
