//! Which records belong together.

use custody_schemas::Kind;
use custody_schemas::event::Party;

use crate::describe::named;
use crate::document::Thread;
use crate::item::Item;

/// The title of a record's conversation.
pub(crate) fn title_of<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    let conversation = item.data().conversation.as_ref()?;
    conversation.id.as_ref()?;
    conversation.title.as_deref().filter(|title| !title.trim().is_empty())
}

/// What a record belongs to: its conversation; where an event names none, what stands for one, such
/// as two who ask each other to become contacts, or a gateway.
pub(crate) fn thread_of(item: &Item<'_>) -> Thread {
    let conversation = item.data().conversation.as_ref();
    if let Some(id) = conversation.and_then(|conversation| conversation.id.as_deref()) {
        let title = title_of(item);
        return Thread {
            key: format!("conversation\0{id}"),
            id: Some(id.to_owned()),
            kind: conversation.and_then(|c| c.kind.as_deref()).map(str::to_owned),
            title: title.map(str::to_owned),
            label: title.map_or_else(|| format!("Conversation {id}"), str::to_owned),
        };
    }
    let without = |group: &str, key: &str, label: String| Thread {
        key: format!("{group}\0{key}"),
        id: None,
        kind: None,
        title: None,
        label,
    };
    let partition = || {
        let partition = &item.shown.position.partition;
        format!("{}:{}:{}", partition.topic, partition.generation, partition.partition)
    };
    if item.gap.is_some() {
        return without("gap", &partition(), format!("Lost records of {}", partition()));
    }
    let Some(event) = &item.event else {
        return without("quarantined", &partition(), format!("Undecodable records of {}", partition()));
    };
    if let Some(call) = item.data().call.as_ref().and_then(|call| call.id.as_deref()) {
        return without("call", call, format!("Call {call}"));
    }
    match item.contract() {
        Some(
            Kind::ContactRequested
            | Kind::ContactAccepted
            | Kind::ContactDeclined
            | Kind::ContactBlocked
            | Kind::ContactRemoved,
        ) => contacts(item),
        Some(Kind::ContactSearched) => {
            let who = item.from().map_or_else(|| "(unknown)".to_owned(), named);
            without("search", &who, format!("Directory searches of {who}"))
        }
        Some(Kind::PolicyChanged) => {
            let tenant = event.tenant.as_deref().unwrap_or("(unknown)");
            without("policy", tenant, format!("Federation policy of {tenant}"))
        }
        Some(Kind::GatewayStarted | Kind::GatewayStopped | Kind::GatewayHeartbeat | Kind::GatewayOutage) => {
            without("gateway", &event.source, format!("Gateway {}", &*event.source))
        }
        _ => {
            let key = format!("{}\0{}", item.kind, &*event.source);
            without("other", &key, format!("{} of {}", item.kind, &*event.source))
        }
    }
}

/// Both directions of a request are one thread.
fn contacts(item: &Item<'_>) -> Thread {
    let key =
        |party: &Party<'_>| format!("{}\0{}", party.network.as_deref().unwrap_or_default(), named(party));
    let mut all: Vec<(String, String)> =
        item.from().into_iter().chain(item.to()).map(|party| (key(party), named(party))).collect();
    all.sort();
    all.dedup();
    let keys: Vec<&str> = all.iter().map(|(key, _)| key.as_str()).collect();
    let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
    let label = if names.is_empty() { "(unknown)".to_owned() } else { names.join(" and ") };
    Thread {
        key: format!("contact\0{}", keys.join("\0")),
        id: None,
        kind: None,
        title: None,
        label: format!("Contact requests between {label}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ALICE, BOB, event, shown};
    use crate::item::with_items;

    fn check(kind: &str, data: &str, key: &str, label: &str) {
        let shown = [shown(0, &event(kind, 0, data))];
        let thread = with_items(&shown, |items| thread_of(&items[0]));
        assert_eq!((thread.key.replace('\0', "|").as_str(), thread.label.as_str()), (key, label), "{kind}");
    }

    #[test]
    fn everything_belongs_somewhere() {
        let c = r#"{"conversation":{"id":"c1","title":"Deal"}}"#;
        check("im.message.sent", c, "conversation|c1", "Deal");
        check("call.ended", r#"{"call":{"id":"k"}}"#, "call|k", "Call k");
        let key = "contact|lync|Alice Archer <sip:alice@contoso.example>|skype|Bob <live:bob>";
        let label = "Contact requests between Alice Archer <sip:alice@contoso.example> and Bob <live:bob>";
        check("contact.requested", &format!(r#"{{"from":{BOB},"to":[{ALICE}]}}"#), key, label);
        check("contact.accepted", &format!(r#"{{"from":{ALICE},"to":[{BOB}]}}"#), key, label);
        let who = "Bob <live:bob>";
        let label = format!("Directory searches of {who}");
        check("contact.searched", &format!(r#"{{"from":{BOB}}}"#), &format!("search|{who}"), &label);
        let label = "Federation policy of contoso.example";
        check("policy.changed", "{}", "policy|contoso.example", label);
        check("gateway.started", "{}", "gateway|//gw", "Gateway //gw");
        check("im.message.sent", "{}", "other|im.message.sent|//gw", "im.message.sent of //gw");
        check("im.message.sent", "7", "quarantined|chat:1:0", "Undecodable records of chat:1:0");
    }
}
