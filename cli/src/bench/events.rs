//! The events of the bench: those of a few simulated gateways in the order in which they happen, always the
//! same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

use custody_schemas::Incoming;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::sim::{SimEvent, SimSettings, Simulator};

const USERS: usize = 1_000;
/// Events without a conversation have their gateway's key, and so one partition: a gateway of more
/// events would need more of it than the embedded broker keeps.
const PER_GATEWAY: u64 = 100_000;
/// Numbers of a gateway: none has those of another, whose messages would look like other versions.
const NUMBERS: u64 = 1_000_000_000;
/// What the producer sends with every event.
const HEADERS: [(&str, Option<&[u8]>); 1] = [("content-type", Some(b"application/cloudevents+json"))];

/// A message as it comes from Kafka.
pub(super) struct Message {
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
    /// When it happened in the simulated world.
    pub(super) time_ms: Option<i64>,
}

impl Message {
    pub(super) const HEADERS: &'static [(&'static str, Option<&'static [u8]>)] = &HEADERS;

    fn of(simulated: SimEvent) -> Result<Message, Failure> {
        let time = simulated.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let payload = serde_json::to_vec(&simulated.event).map_err(Failure::failed)?;
        Ok(Message { key: simulated.key, payload, time_ms: time.map(Timestamp::as_millisecond) })
    }

    pub(super) fn incoming(&self, broker_time_ms: Option<i64>) -> Incoming<'_> {
        Incoming {
            key: Some(self.key.as_bytes()),
            headers: Message::HEADERS,
            payload: Some(&self.payload),
            broker_time_ms,
        }
    }
}

/// What the gateways publish, without an end.
pub(super) struct Events {
    gateways: Vec<Simulator>,
    /// Of each its next event.
    waiting: Vec<Message>,
    /// When those happen, and whose they are: the earliest first.
    order: BinaryHeap<Reverse<(i64, usize)>>,
    /// When the last one happened.
    last_ms: i64,
}

impl Events {
    /// Gateways for so many events, from this number on: others have other events.
    pub(super) fn new(events: u64, first_gateway: u64, start: Timestamp) -> Events {
        let gateway = |number: u64| {
            Simulator::new(SimSettings {
                source: format!("//gw{number}.contoso.example"),
                start,
                sequence_first: 1 + number * NUMBERS,
                ..SimSettings::new(USERS, number)
            })
        };
        let last = first_gateway + events.div_ceil(PER_GATEWAY).max(1);
        Events {
            gateways: (first_gateway..last).map(gateway).collect(),
            waiting: Vec::new(),
            order: BinaryHeap::new(),
            last_ms: start.as_millisecond(),
        }
    }

    /// The day on which the simulated world begins.
    pub(super) fn first_day() -> Timestamp {
        SimSettings::new(USERS, 0).start
    }

    /// When the last event happened, in the simulated world.
    pub(super) fn last_time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_ms).unwrap_or_else(|_| Events::first_day())
    }

    /// The next event of one gateway.
    fn following(&mut self, at: usize) -> Result<Message, Failure> {
        let simulated = self.gateways[at].next();
        let message = Message::of(simulated.ok_or_else(|| Failure::failed("a simulated gateway ended"))?)?;
        self.order.push(Reverse((message.time_ms.unwrap_or(self.last_ms), at)));
        Ok(message)
    }

    /// The next so many.
    pub(super) fn collect_next(&mut self, events: usize) -> Result<Vec<Message>, Failure> {
        self.take(events).collect()
    }
}

impl Iterator for Events {
    type Item = Result<Message, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        for at in self.waiting.len()..self.gateways.len() {
            match self.following(at) {
                Ok(message) => self.waiting.push(message),
                Err(error) => return Some(Err(error)),
            }
        }
        let Reverse((time, at)) = self.order.pop()?;
        self.last_ms = self.last_ms.max(time);
        Some(self.following(at).map(|message| mem::replace(&mut self.waiting[at], message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_the_same_and_each_once() {
        let made = || Events::new(3 * PER_GATEWAY, 1, Events::first_day()).collect_next(3_000).unwrap();
        let (one, again) = (made(), made());
        let same = |(a, b): (&Message, &Message)| (&a.key, &a.payload) == (&b.key, &b.payload);
        assert!(one.iter().zip(&again).all(same));
        let ids: std::collections::BTreeSet<String> = one
            .iter()
            .map(|message| serde_json::from_slice::<serde_json::Value>(&message.payload).unwrap())
            .map(|event| event["id"].to_string())
            .collect();
        assert_eq!(ids.len(), 3_000);
        assert!(one.is_sorted_by_key(|message| message.time_ms));
        let gateways = one.iter().filter(|message| message.key.starts_with("//")).map(|message| &message.key);
        assert_eq!(gateways.collect::<std::collections::BTreeSet<_>>().len(), 3);
    }
}
