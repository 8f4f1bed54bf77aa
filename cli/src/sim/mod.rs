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
mod people;
mod plan;
mod rng;
mod session;
mod talk;
#[cfg(test)]
mod tests;
mod tour;
mod words;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use custody_schemas::event::{Data, Event, Text};
use custody_schemas::kind::Kind;
use jiff::Timestamp;

use act::{Moment, World, rfc3339};
use people::{People, Who};
use plan::{Answer, Change, Step};
use rng::{Rng, mix};
use session::{Place, Session};
use talk::Talk;

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

/// Begun sessions a user and day, in hundredths: two-party, group, call, search, another
/// contact and, until every user has one, the first contact.
const PER_DAY: [u64; 6] = [600, 50, 240, 1_500, 6, 300];
/// How busy each hour of the day is (UTC), in per cent of the average.
const BUSY: [u64; 24] =
    [8, 6, 6, 6, 8, 15, 45, 120, 220, 260, 270, 240, 170, 210, 250, 240, 190, 120, 70, 50, 40, 28, 16, 12];
const DAY_MS: u64 = 86_400_000;
/// Contacts that a user talks with.
const CONTACTS: u64 = 6;
/// One session in so many is trouble of the gateway, or a user who is switched off.
const TROUBLE_ONE_IN: u64 = 6_000;

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
    /// Users that have got their first contact.
    introduced: u32,
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
        let contact_of = |user| (people.contact(user, 0), answer(user, 0));
        let opening = tour::sessions(&mut rng, users, contact_of).into();
        let start_ms = settings.start.as_millisecond();
        // Ids differ between simulations that differ in anything that their events show.
        let text = [settings.source.as_bytes(), settings.tenant.as_bytes()].concat();
        let ids = text.iter().fold(mix(settings.seed, start_ms as u64), |id, &byte| mix(id, u64::from(byte)));
        Simulator {
            world: World { people, talk: Talk::new(), rng, renamed: HashMap::new(), upgrades: 0 },
            ids: mix(ids, u64::from(users)),
            sequence: settings.sequence_first,
            last_ms: start_ms - 1,
            lost_ms: 0,
            opening,
            introduced: 0,
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
        let session = self.draw();
        self.begin(session, at_ms);
        let hour = ((at_ms + self.lost_ms).rem_euclid(DAY_MS as i64) / 3_600_000) as usize;
        let per_day = u64::from(self.world.people.users) * self.sorts().iter().sum::<u64>();
        // Microseconds, because a large company begins several sessions in a millisecond.
        let mean_us = DAY_MS * 1_000 * 100 * 100 / (per_day * BUSY[hour]);
        let gap_us = self.world.rng.below(2 * mean_us + 1);
        let gap_ms = (gap_us + self.world.rng.below(1_000)) / 1_000;
        self.push(at_ms + gap_ms as i64, Due::Arrival);
    }

    /// The sorts of sessions that can begin.
    fn sorts(&self) -> &'static [u64] {
        if self.introduced < self.world.people.users { &PER_DAY } else { &PER_DAY[..PER_DAY.len() - 1] }
    }

    /// A session of any sort, by the user model.
    fn draw(&mut self) -> Session {
        let sorts = self.sorts();
        let World { people, rng, .. } = &mut self.world;
        let user = rng.below(u64::from(people.users)) as u32;
        let me = Who::Lync(user);
        if rng.below(TROUBLE_ONE_IN) == 0 {
            let plan = match rng.below(4) {
                0 => plan::upgrade(rng),
                1 => plan::outage(rng),
                2 => vec![(5_000, Step::Policy(Change::UserOff(me))), (3_600_000, Step::Policy(Change::User(me)))],
                _ => vec![(5_000, Step::Policy(Change::User(me)))],
            };
            return Session::new(None, vec![me], plan);
        }
        let mut drawn = rng.below(sorts.iter().sum());
        let sort = sorts.iter().position(|&weight| match drawn.checked_sub(weight) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        match sort {
            Some(1) => {
                let number = rng.below(u64::from(people.users / 5) + 1) as u32;
                let members = group_members(people, number);
                let plan = plan::group(rng, members.len() as u8);
                Session::new(Some(Place::group(number)), members, plan)
            }
            Some(2) => {
                let mut members = talkers(people, rng, user);
                if rng.per_mille(150) {
                    members.extend((0..rng.between(1, 3)).map(|n| people.contact(user, 100 + n)));
                }
                let behalf = rng.per_mille(50).then(|| Who::Lync((user + 1) % people.users));
                let plan = plan::call(rng, members.len() as u8, behalf);
                let place = match members[..] {
                    [a, b] => Place::direct(a, b),
                    _ => Place::meeting(self.sequence),
                };
                Session::new(Some(place), members, plan)
            }
            Some(3) => {
                let whom = people.contact(user, rng.next());
                let search = Step::Search { by_email: rng.per_mille(400) };
                Session::new(None, vec![me, whom], vec![(1_000, search)])
            }
            Some(4) => {
                let n = rng.between(1, CONTACTS - 1);
                let plan = plan::contact(rng, answer(user, n));
                Session::new(None, vec![me, people.contact(user, n)], plan)
            }
            Some(5) => {
                let user = self.introduced;
                self.introduced += 1;
                let plan = plan::contact(rng, answer(user, 0));
                Session::new(None, vec![Who::Lync(user), people.contact(user, 0)], plan)
            }
            _ => {
                let members = talkers(people, rng, user);
                let plan = plan::direct(rng);
                Session::new(Some(Place::direct(members[0], members[1])), members, plan)
            }
        }
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

/// What becomes of a user's contact request: always the same.
fn answer(user: u32, n: u64) -> Answer {
    match mix(u64::from(user) + 0xA0, n) % 100 {
        0..86 => Answer::Accepted,
        86..93 => Answer::Declined,
        93..95 => Answer::Blocked,
        _ => Answer::RemovedLater,
    }
}

/// The user and a contact who accepted; the caller comes first, and in half of the cases that
/// is the other one.
fn talkers(people: &People, rng: &mut Rng, user: u32) -> Vec<Who> {
    let first = rng.below(CONTACTS);
    let accepted = (first..first + CONTACTS).find(|n| answer(user, n % CONTACTS) == Answer::Accepted);
    let pair = [Who::Lync(user), people.contact(user, accepted.unwrap_or(first) % CONTACTS)];
    if rng.per_mille(500) { pair.to_vec() } else { pair.iter().rev().copied().collect() }
}

/// The members of a group: always the same; three to five, the last one is a guest.
fn group_members(people: &People, number: u32) -> Vec<Who> {
    let owner = (mix(u64::from(number), 0x67) % u64::from(people.users)) as u32;
    let mut members = vec![Who::Lync(owner)];
    for n in 0..2 + mix(u64::from(number), 0x68) % 3 {
        let who = people.contact(owner, 200 + n);
        if !members.contains(&who) {
            members.push(who);
        }
    }
    members
}

/// A UUID of version 8 (RFC 9562), made from the simulation and the number.
fn uuid(ids: u64, serial: u64) -> Text<'static> {
    let high = mix(ids, serial);
    let bits = u128::from(high) << 64 | u128::from(mix(high, serial));
    uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().to_string().into()
}
