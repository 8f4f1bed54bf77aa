//! A simulated federation gateway: an endless stream of events, the same for the same settings.
//!
//! Lync users of one company talk with each other, with Skype users and with the users of one
//! federated company. The load follows Microsoft's user model for Skype for Business: per user
//! and day six two-party sessions of ten messages, five group messages, and calls; contacts are
//! half internal, 40 % Skype and 10 % federated. Directory searches are fewer than in that model
//! (fifteen a day, not six an hour), so that messages prevail. An event is about 520 bytes.
//!
//! Nothing here reads a clock: the first event happens at [`SimSettings::start`], and the time
//! of every other event follows from the seed. Every simulation begins with the same story, in
//! which each type of the contract happens.

mod act;
mod calls;
mod load;
mod people;
mod plan;
mod prose;
mod rng;
mod session;
mod talk;
#[cfg(test)]
mod tests;
mod tour;
mod vocabulary;
mod words;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use custody_schemas::event::{Data, Event, Text};
use custody_schemas::kind::Kind;
use jiff::Timestamp;

use act::{Moment, World, rfc3339};
use load::Load;
use people::People;
use plan::Step;
use rng::{Rng, mix};
use session::Session;
use talk::Talk;

/// What messages are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// Sentences of a few hundred words, which can be read: for a demonstration.
    Sentences,
    /// 200,000 made words with Zipf's frequencies, at people's lengths: for measuring searches.
    /// Gateways whose words have the same seed speak the same language.
    Vocabulary {
        /// Another seed makes other words.
        seed: u64,
    },
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// Lync users of the tenant; at least two. There are as many Skype users.
    pub users: usize,
    /// Another seed is another history.
    pub seed: u64,
    /// When the first event happens.
    pub start: Timestamp,
    /// Whose gateway it is: a domain name.
    pub tenant: String,
    /// The gateway, as a URI reference.
    pub source: String,
    /// The first event's sequence number.
    pub sequence_first: u64,
    /// Seconds from one sign of life to the next.
    pub heartbeat_s: u32,
    /// What messages are made of.
    pub wording: Wording,
}

impl SimSettings {
    /// Settings for a history that begins on the day on which Lync and Skype were connected.
    pub fn new(users: usize, seed: u64) -> Self {
        SimSettings {
            users,
            seed,
            start: Timestamp::constant(1_369_814_400, 0),
            tenant: "contoso.example".into(),
            source: "//gw1.contoso.example".into(),
            sequence_first: 1,
            heartbeat_s: 300,
            wording: Wording::Sentences,
        }
    }
}

/// An event, ready to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct SimEvent {
    /// The Kafka key: the conversation's id or, for an event without one, the source.
    pub key: String,
    /// The event.
    pub event: Event<'static>,
}

/// What is next to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The session in this slot takes its next step.
    Session(usize),
    /// A session begins.
    Arrival,
    Heartbeat,
}

/// The gateway.
#[derive(Debug)]
pub struct Simulator {
    settings: SimSettings,
    world: World,
    ids: u64,
    sequence: u64,
    /// Time of the last event.
    last_ms: i64,
    /// Outages so far: while one lasts, the simulated world stands still.
    lost_ms: i64,
    opening: VecDeque<Session>,
    load: Load,
    sessions: Vec<Option<Session>>,
    free: Vec<usize>,
    due: BinaryHeap<Reverse<(i64, u64, Due)>>,
    order: u64,
    stopped: bool,
}

impl Simulator {
    /// A gateway that is about to start.
    pub fn new(settings: SimSettings) -> Self {
        let users = u32::try_from(settings.users).unwrap_or(u32::MAX).max(2);
        let people = People { users, tenant: settings.tenant.clone() };
        let mut rng = Rng::new(mix(settings.seed, 0));
        let contact_of = |user| (people.contact(user, 0), load::answer(user, 0));
        let opening = tour::sessions(&mut rng, users, contact_of).into();
        let start_ms = settings.start.as_millisecond();
        // Ids differ between simulations that differ in anything that their events show.
        let text = [settings.source.as_bytes(), settings.tenant.as_bytes()].concat();
        let ids = text.iter().fold(mix(settings.seed, start_ms as u64), |id, &byte| mix(id, u64::from(byte)));
        Simulator {
            world: World {
                people,
                talk: Talk::new(settings.wording),
                rng,
                renamed: HashMap::new(),
                upgrades: 0,
            },
            ids: mix(ids, u64::from(users)),
            sequence: settings.sequence_first,
            last_ms: start_ms - 1,
            lost_ms: 0,
            opening,
            load: Load::default(),
            sessions: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            order: 0,
            stopped: false,
            settings,
        }
    }

    /// Stops the gateway: its last event. The iterator has ended then.
    pub fn stop(&mut self) -> SimEvent {
        self.stopped = true;
        let at = self.moment(self.last_ms + 200);
        let (kind, data) = self.world.gateway(Step::Stopped, at);
        self.publish(at.now_ms, kind, data)
    }

    fn moment(&self, now_ms: i64) -> Moment {
        Moment { now_ms: now_ms.max(self.last_ms + 1), last_ms: self.last_ms, serial: self.sequence }
    }

    fn push(&mut self, at_ms: i64, due: Due) {
        self.order += 1;
        self.due.push(Reverse((at_ms, self.order, due)));
    }

    /// Puts a session in a slot, to take its first step after its pause.
    fn begin(&mut self, session: Session, now_ms: i64) {
        let Some(pause_ms) = session.pause_ms() else { return };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.sessions.push(None);
                self.sessions.len() - 1
            }
        };
        self.sessions[slot] = Some(session);
        self.push(now_ms + pause_ms, Due::Session(slot));
    }

    /// The session's next step, as an event.
    fn step(&mut self, slot: usize, at_ms: i64) -> Option<SimEvent> {
        let mut session = self.sessions[slot].take()?;
        let step = session.step()?;
        if let Step::Outage { seconds } = step {
            self.lost_ms += i64::from(seconds) * 1_000;
        }
        let at = self.moment(at_ms + self.lost_ms);
        let (kind, data) = self.world.act(&mut session, step, at);
        match session.pause_ms() {
            Some(pause_ms) => {
                self.sessions[slot] = Some(session);
                self.push(at_ms + pause_ms, Due::Session(slot));
            }
            None => self.free.push(slot),
        }
        Some(self.publish(at.now_ms, kind, data))
    }

    /// Nothing is due: the next part of the opening or, after it, the long run.
    fn go_on(&mut self) {
        let now_ms = self.last_ms - self.lost_ms;
        match self.opening.pop_front() {
            Some(session) => self.begin(session, now_ms),
            None => {
                self.push(now_ms + 1, Due::Arrival);
                self.push(now_ms + i64::from(self.settings.heartbeat_s) * 1_000, Due::Heartbeat);
            }
        }
    }

    /// Begins one session and says when the next one will.
    fn arrive(&mut self, at_ms: i64) {
        let World { people, rng, .. } = &mut self.world;
        let session = self.load.draw(people, rng, self.sequence);
        let gap_ms = self.load.gap_ms(people, rng, at_ms + self.lost_ms);
        self.begin(session, at_ms);
        self.push(at_ms + gap_ms, Due::Arrival);
    }

    fn publish(&mut self, now_ms: i64, kind: Kind, data: Data<'static>) -> SimEvent {
        let place = data.conversation.as_ref().and_then(|conversation| conversation.id.as_deref());
        let key = place.unwrap_or(&self.settings.source).to_owned();
        let event = Event {
            specversion: "1.0".into(),
            id: uuid(self.ids, self.sequence),
            source: self.settings.source.clone().into(),
            kind: kind.full().into(),
            time: Some(rfc3339(now_ms)),
            tenant: Some(self.settings.tenant.clone().into()),
            sequence: i64::try_from(self.sequence).ok(),
            // A structured event in JSON has JSON data unless it says otherwise.
            datacontenttype: None,
            data: Some(Box::new(data)),
        };
        self.last_ms = now_ms;
        self.sequence += 1;
        SimEvent { key, event }
    }
}

impl Iterator for Simulator {
    type Item = SimEvent;

    fn next(&mut self) -> Option<SimEvent> {
        while !self.stopped {
            let Some(Reverse((at_ms, _, due))) = self.due.pop() else {
                self.go_on();
                continue;
            };
            match due {
                Due::Arrival => self.arrive(at_ms),
                Due::Heartbeat => {
                    self.push(at_ms + i64::from(self.settings.heartbeat_s.max(1)) * 1_000, Due::Heartbeat);
                    let at = self.moment(at_ms + self.lost_ms);
                    let (kind, data) = self.world.gateway(Step::Heartbeat, at);
                    return Some(self.publish(at.now_ms, kind, data));
                }
                Due::Session(slot) => {
                    if let Some(event) = self.step(slot, at_ms) {
                        return Some(event);
                    }
                }
            }
        }
        None
    }
}

/// A UUID of version 8 (RFC 9562), made from the simulation and the number.
fn uuid(ids: u64, serial: u64) -> Text<'static> {
    let high = mix(ids, serial);
    let bits = u128::from(high) << 64 | u128::from(mix(high, serial));
    uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().to_string().into()
}
