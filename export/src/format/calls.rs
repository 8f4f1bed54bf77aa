//! What a document knows of each call in it, put together from all events of the call.

use std::collections::HashMap;

use custody_schemas::Kind;
use custody_schemas::event::{Call, Data, Text};
use serde_json::Value;

use crate::format::columns::SEPARATOR;
use crate::item::Item;

/// A call, or an end of one.
pub(crate) struct KnownCall<'r> {
    /// The event that ended it.
    pub(crate) ended: Option<&'r Item<'r>>,
    /// Its first invitation.
    pub(crate) invited: Option<&'r Item<'r>>,
    /// Its first answer.
    pub(crate) answered: Option<&'r Item<'r>>,
    /// All of its events in the document, in their order; never none.
    pub(crate) events: Vec<&'r Item<'r>>,
}

/// The calls of these records, in order of their first event. An event without a call's id is a call
/// of its own. A call that ended more than once is there for each end, so that no end is missing.
pub(crate) fn calls_of<'r>(items: &'r [Item<'r>]) -> Vec<KnownCall<'r>> {
    let mut groups: Vec<Vec<&Item<'_>>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for item in items.iter().filter(|item| is_of_call(item)) {
        let new = groups.len();
        let at = match item.data().call.as_ref().and_then(|call| call.id.as_deref()) {
            Some(id) => *known.entry(id).or_insert(new),
            None => new,
        };
        if at == new {
            groups.push(Vec::new());
        }
        groups[at].push(item);
    }
    groups.into_iter().flat_map(ends_of).collect()
}

fn is_of_call(item: &Item<'_>) -> bool {
    matches!(
        item.contract(),
        Some(
            Kind::CallInvited
                | Kind::CallAnswered
                | Kind::CallParticipant
                | Kind::CallMedia
                | Kind::CallEnded
        )
    )
}

/// Each end gets the events that it says most about: those since the end before it.
fn ends_of<'r>(events: Vec<&'r Item<'r>>) -> Vec<KnownCall<'r>> {
    let mut calls = Vec::new();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let is_end = |item: &&Item<'_>| item.contract() == Some(Kind::CallEnded);
        let mut to = rest.iter().position(is_end).map_or(rest.len(), |at| at + 1);
        // What came late, after the last end, is of that end.
        if !rest[to..].iter().any(is_end) {
            to = rest.len();
        }
        let (these, after) = rest.split_at(to);
        let first = |kind: Kind| these.iter().find(|item| item.contract() == Some(kind)).copied();
        calls.push(KnownCall {
            ended: first(Kind::CallEnded),
            invited: first(Kind::CallInvited),
            answered: first(Kind::CallAnswered),
            events: these.to_vec(),
        });
        rest = after;
    }
    calls
}

impl<'r> KnownCall<'r> {
    /// What is known from its end, else from its invitation, its answer, or the first of its other events.
    pub(crate) fn first<T>(&self, of: impl Fn(&'r Item<'r>) -> Option<T>) -> Option<T> {
        let told = [self.ended, self.invited, self.answered];
        told.into_iter().flatten().chain(self.events.iter().copied()).find_map(of)
    }

    /// The same of what events say.
    pub(crate) fn data<T>(&self, of: impl Fn(&'r Data<'r>) -> Option<T>) -> Option<T> {
        self.first(|item| of(item.data()))
    }

    /// The same of what they say of the call.
    pub(crate) fn call<T>(&self, of: impl Fn(&'r Call<'r>) -> Option<T>) -> Option<T> {
        self.data(|data| of(data.call.as_deref()?))
    }

    /// The same, as text.
    pub(crate) fn text(&self, of: fn(&'r Call<'r>) -> &'r Option<Text<'r>>) -> String {
        self.call(|call| of(call).as_deref()).unwrap_or_default().to_owned()
    }

    /// The same of what has no form of its own: a text as it is, a party with its address, all else as JSON.
    pub(crate) fn value(&self, of: fn(&'r Call<'r>) -> &'r Option<Value>) -> String {
        self.call(|call| of(call).as_ref()).map(value).unwrap_or_default()
    }

    /// Something of each of its events, one after the other.
    pub(crate) fn each(&self, of: impl Fn(&'r Item<'r>) -> Option<String>) -> String {
        self.events.iter().filter_map(|item| of(item)).collect::<Vec<_>>().join(SEPARATOR)
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{event, shown};
    use crate::item::with_items;

    /// `events` are types and calls; `expected` are offsets of each call's events, and of its end.
    fn check(events: &[(&str, &str)], expected: &[(&[i64], Option<i64>)]) {
        let records: Vec<_> = (0..)
            .zip(events)
            .map(|(n, (kind, call))| shown(n, &event(kind, n, &format!(r#"{{"call":{call}}}"#))))
            .collect();
        let offset = |item: &Item<'_>| item.shown.position.offset;
        let found: Vec<(Vec<i64>, Option<i64>)> = with_items(&records, |items| {
            let calls = calls_of(items).into_iter();
            calls.map(|c| (c.events.iter().map(|i| offset(i)).collect(), c.ended.map(offset))).collect()
        });
        let expected: Vec<_> = expected.iter().map(|(events, end)| (events.to_vec(), *end)).collect();
        assert_eq!(found, expected, "{events:?}");
    }

    #[test]
    fn no_call_is_missing() {
        let (k, l, none) = (r#"{"id":"k"}"#, r#"{"id":"l"}"#, "{}");
        check(&[("im.message.sent", k)], &[]);
        check(&[("call.ended", k)], &[(&[0], Some(0))]);
        check(
            &[("call.invited", k), ("call.invited", l), ("call.ended", k)],
            &[(&[0, 2], Some(2)), (&[1], None)],
        );
        check(&[("call.ended", none), ("call.media", none)], &[(&[0], Some(0)), (&[1], None)]);
        let twice =
            [("call.invited", k), ("call.ended", k), ("call.media", k), ("call.ended", k), ("call.media", k)];
        check(&twice, &[(&[0, 1], Some(1)), (&[2, 3, 4], Some(3))]);
    }
}
