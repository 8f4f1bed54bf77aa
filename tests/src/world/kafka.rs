//! A Kafka in memory that does at any moment what the real one may do at some.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use custody_ingest::kafka::Headers;
use custody_ingest::{Damage, Error, Polled, Source};
use custody_schemas::TopicId;

use super::rng::Rng;

/// What an offset of a log holds.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A message.
    Message(Arc<Published>),
    /// A message that log compaction has removed since.
    Compacted(Arc<Published>),
    /// A transaction marker.
    Marker,
}

/// What a producer published.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The payload.
    pub payload: Option<Vec<u8>>,
    /// The timestamp.
    pub broker_time_ms: i64,
}

/// One partition: the truth that the archive is compared with.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// By offset; nothing is ever taken out of it.
    pub entries: Vec<Entry>,
    /// What is before this was deleted by retention.
    pub low: i64,
}

impl Log {
    /// The offset after the last.
    pub fn end(&self) -> i64 {
        i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    /// What an offset holds or held.
    pub fn at(&self, offset: i64) -> Option<&Entry> {
        self.entries.get(usize::try_from(offset).ok()?)
    }
}

fn id_of(life: usize) -> TopicId {
    TopicId::from(format!("life-{life}").as_str())
}

/// A partition's name.
pub type Place = (String, i32);

/// What a member is told.
#[derive(Debug)]
enum Told {
    Assigned(Vec<Place>),
    Revoked,
    Gone,
}

#[derive(Debug, Default)]
struct Member {
    /// What it will be told at its next polls.
    told: VecDeque<Told>,
    /// What it reads, and from where.
    reads: BTreeMap<Place, i64>,
    paused: bool,
    /// Something that was fetched before it was told to read elsewhere.
    stale: Option<(Place, i64)>,
}

struct State {
    /// The lives of the topic, the present one last.
    lives: Vec<BTreeMap<Place, Log>>,
    members: BTreeMap<usize, Member>,
    /// Who has which partition, as the brokers see it.
    owners: BTreeMap<Place, usize>,
    rng: Rng,
    /// It misbehaves.
    wild: bool,
    published: u64,
    /// Messages of the present life that cannot be read.
    unreadable: BTreeSet<(Place, i64)>,
}

/// See the module.
#[derive(Clone)]
pub struct Kafka {
    state: Arc<Mutex<State>>,
}

impl State {
    fn logs(&self) -> &BTreeMap<Place, Log> {
        // There is always one.
        &self.lives[self.lives.len() - 1]
    }

    fn log_mut(&mut self, place: &Place) -> Option<&mut Log> {
        self.lives.last_mut()?.get_mut(place)
    }
}

impl Kafka {
    /// A topic with so many partitions.
    pub fn new(topic: &str, partitions: i32, seed: u64) -> Kafka {
        let logs = (0..partitions).map(|number| ((topic.to_owned(), number), Log::default()));
        let state = State {
            lives: vec![logs.collect()],
            members: BTreeMap::new(),
            owners: BTreeMap::new(),
            rng: Rng::new(seed),
            wild: false,
            published: 0,
            unreadable: BTreeSet::new(),
        };
        Kafka { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on messages come again, and some come that were fetched for nothing.
    pub fn be_wild(&self) {
        self.state().wild = true;
    }

    /// It behaves again, and what could not be read can be.
    pub fn calm(&self) {
        self.state().wild = false;
        self.mend();
    }

    /// The first message from an offset on cannot be read any more.
    pub fn damage(&self, place: &Place, from: i64) {
        let mut state = self.state();
        let end = state.logs()[place].end();
        let first = (from..end).find(|offset| message(state.logs(), place, *offset).is_some());
        if let Some(offset) = first {
            state.unreadable.insert((place.clone(), offset));
        }
    }

    /// Whatever could not be read can be.
    pub fn mend(&self) {
        self.state().unreadable.clear();
    }

    /// The partitions.
    pub fn places(&self) -> Vec<Place> {
        self.state().logs().keys().cloned().collect()
    }

    /// The id of the topic's present life.
    pub fn topic_id(&self) -> TopicId {
        id_of(self.state().lives.len() - 1)
    }

    /// The topic is deleted and made again: its logs are empty, and what was in them is gone.
    pub fn make_again(&self) {
        let mut state = self.state();
        let empty = state.logs().keys().map(|place| (place.clone(), Log::default())).collect();
        state.lives.push(empty);
        state.unreadable.clear();
        if state.rng.one_in(2) {
            state.members.values_mut().for_each(|member| member.told.push_back(Told::Gone));
        }
    }

    /// The truth about a partition of the present life.
    pub fn log(&self, place: &Place) -> Log {
        self.state().logs()[place].clone()
    }

    /// The truth about a partition of any life.
    pub fn log_of(&self, id: &TopicId, place: &Place) -> Log {
        let state = self.state();
        let life = (0..state.lives.len()).find(|life| id_of(*life) == *id);
        life.map(|life| state.lives[life][place].clone()).unwrap_or_default()
    }

    /// The offset after the last message of each log of the present life, and after what retention
    /// deleted: what is behind holds nothing that a consumer would ever see.
    pub fn message_ends(&self) -> BTreeMap<Place, i64> {
        let state = self.state();
        let end = |log: &Log| {
            let last = log.entries.iter().rposition(|entry| matches!(entry, Entry::Message(_)));
            let after = last.map_or(0, |last| i64::try_from(last + 1).unwrap_or(i64::MAX));
            after.max(log.low)
        };
        state.logs().iter().map(|(place, log)| (place.clone(), end(log))).collect()
    }

    /// Publishes a message; no two are the same.
    pub fn publish(&self, place: &Place) {
        let mut state = self.state();
        state.published += 1;
        let number = state.published;
        let payload = match number % 7 {
            0 => None,
            1 => Some(format!("garbage {number}").into_bytes()),
            _ => Some(
                format!(
                    r#"{{"specversion":"1.0","id":"{number}","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.{:03}Z","sequence":"{number}","data":{{"conversation":{{"id":"c{}"}},"message":{{"id":"m{number}","text":"number {number}"}}}}}}"#,
                    number % 1_000,
                    number % 3
                )
                .into_bytes(),
            ),
        };
        let key = (!number.is_multiple_of(5)).then(|| format!("c{}", number % 3).into_bytes());
        let broker_time_ms = 1_369_818_900_000 + number.cast_signed();
        let message = Arc::new(Published { key, payload, broker_time_ms });
        if let Some(log) = state.log_mut(place) {
            log.entries.push(Entry::Message(message));
        }
    }

    /// The end of a transaction.
    pub fn mark(&self, place: &Place) {
        if let Some(log) = self.state().log_mut(place) {
            log.entries.push(Entry::Marker);
        }
    }

    /// Log compaction removes a message.
    pub fn compact(&self, place: &Place, offset: i64) {
        let mut state = self.state();
        let entries = state.log_mut(place).map(|log| &mut log.entries);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(entry) = entries.and_then(|entries| entries.get_mut(at))
            && let Entry::Message(message) = entry
        {
            *entry = Entry::Compacted(message.clone());
        }
    }

    /// Retention deletes everything before an offset.
    pub fn delete_before(&self, place: &Place, low: i64) {
        if let Some(log) = self.state().log_mut(place) {
            log.low = log.low.max(low.min(log.end()));
        }
    }

    /// A member of the group.
    pub fn consumer(&self, member: usize) -> Consumer {
        self.state().members.insert(member, Member::default());
        Consumer { kafka: self.clone(), member }
    }

    /// A process is gone; so are its partitions, until somebody shares them anew.
    pub fn gone(&self, member: usize) {
        let mut state = self.state();
        state.members.remove(&member);
        state.owners.retain(|_, owner| *owner != member);
    }

    /// Nobody has a partition until they are shared anew.
    pub fn release(&self) {
        self.state().owners.clear();
    }

    /// Shares the partitions among the members that are there, if any has none; everybody is told in
    /// time.
    pub fn share(&self, members: usize) {
        let there: Vec<usize> = {
            let state = self.state();
            let all_owned = state.logs().keys().all(|place| state.owners.contains_key(place));
            if all_owned {
                return;
            }
            (0..members).filter(|member| state.members.contains_key(member)).collect()
        };
        if there.is_empty() {
            return;
        }
        let places = self.places();
        let shares: BTreeMap<usize, Vec<Place>> = there
            .iter()
            .enumerate()
            .map(|(nth, member)| {
                let share = places.iter().skip(nth).step_by(there.len()).cloned().collect();
                (*member, share)
            })
            .collect();
        self.rebalance(&shares, true);
    }

    /// Gives partitions to members. Who is not `told` goes on as if nothing had happened: a process
    /// that was stopped, or a callback that comes too late.
    pub fn rebalance(&self, shares: &BTreeMap<usize, Vec<Place>>, told: bool) {
        let mut state = self.state();
        state.owners.clear();
        for (member, share) in shares {
            state.owners.extend(share.iter().map(|place| (place.clone(), *member)));
        }
        let ids: Vec<usize> = state.members.keys().copied().collect();
        for id in ids {
            let share = shares.get(&id).cloned().unwrap_or_default();
            let Some(member) = state.members.get_mut(&id) else { continue };
            let gained = share.iter().any(|place| !member.reads.contains_key(place));
            if told || gained {
                member.told.push_back(Told::Revoked);
                if !share.is_empty() {
                    member.told.push_back(Told::Assigned(share));
                }
            }
        }
    }
}

/// A member's view.
pub struct Consumer {
    kafka: Kafka,
    member: usize,
}

/// A message on its way.
pub struct Fetched {
    place: Place,
    offset: i64,
    published: Arc<Published>,
}

impl custody_ingest::Message for Fetched {
    fn topic(&self) -> &str {
        &self.place.0
    }

    fn partition(&self) -> i32 {
        self.place.1
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn broker_time_ms(&self) -> Option<i64> {
        Some(self.published.broker_time_ms)
    }

    fn key(&self) -> Option<&[u8]> {
        self.published.key.as_deref()
    }

    fn payload(&self) -> Option<&[u8]> {
        self.published.payload.as_deref()
    }

    fn headers(&self) -> Headers<'_> {
        [(Cow::Borrowed("world"), Some(&b"1"[..]))].into_iter().collect()
    }
}

fn message(logs: &BTreeMap<Place, Log>, place: &Place, offset: i64) -> Option<Fetched> {
    match logs.get(place)?.at(offset)? {
        Entry::Message(published) => {
            Some(Fetched { place: place.clone(), offset, published: published.clone() })
        }
        _ => None,
    }
}

impl Source for Consumer {
    type Message<'a> = Fetched;

    fn poll(&self, _wait: Duration) -> Result<Polled<Fetched>, Error> {
        let mut state = self.kafka.state();
        let State { lives, members, rng, wild, unreadable, .. } = &mut *state;
        let Some(logs) = lives.last() else { return Ok(Polled::Nothing) };
        let Some(member) = members.get_mut(&self.member) else { return Ok(Polled::Nothing) };
        match member.told.pop_front() {
            Some(Told::Assigned(share)) => return Ok(Polled::Assigned(share)),
            Some(Told::Gone) => return Ok(Polled::TopicGone),
            Some(Told::Revoked) => {
                member.reads.clear();
                return Ok(Polled::Revoked);
            }
            None => {}
        }
        if *wild && rng.one_in(5) {
            // Fetched before the loop said where to go on.
            if let Some((place, offset)) = member.stale.take()
                && let Some(stale) = message(logs, &place, offset)
            {
                return Ok(Polled::Message(stale));
            }
            if rng.one_in(3) {
                return Ok(Polled::Nothing);
            }
        }
        if member.paused {
            return Ok(Polled::Nothing);
        }
        let places: Vec<Place> = member.reads.keys().cloned().collect();
        let first = if places.is_empty() { 0 } else { rng.index(places.len()) };
        for nth in 0..places.len() {
            let place = &places[(first + nth) % places.len()];
            let (Some(log), Some(at)) = (logs.get(place), member.reads.get_mut(place)) else { continue };
            if *at < log.low || *at > log.end() {
                return Ok(Polled::OutOfRange);
            }
            let next = (*at..log.end()).find_map(|offset| message(logs, place, offset));
            if let Some(fetched) = next {
                if unreadable.contains(&(place.clone(), fetched.offset)) {
                    // It is said once, and not where; what is behind it comes next.
                    *at = fetched.offset + 1;
                    return Ok(Polled::Damaged(Damage::Format));
                }
                if *wild && rng.one_in(8) {
                    // It comes once more.
                    *at = fetched.offset;
                } else {
                    *at = fetched.offset + 1;
                }
                member.stale = Some((place.clone(), fetched.offset));
                return Ok(Polled::Message(fetched));
            }
        }
        Ok(Polled::Nothing)
    }

    fn topic_id(&self, _topic: &str) -> Result<Option<TopicId>, Error> {
        Ok(Some(self.kafka.topic_id()))
    }

    fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let state = self.kafka.state();
        let log = &state.logs()[&(topic.to_owned(), partition)];
        Ok((log.low, log.end()))
    }

    fn damage(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<Damage>, Error> {
        let (state, place) = (self.kafka.state(), (topic.to_owned(), partition));
        let log = &state.logs()[&place];
        if offset < log.low {
            return Ok(None);
        }
        let first = (offset..log.end()).find(|offset| message(state.logs(), &place, *offset).is_some());
        let unreadable = first.is_some_and(|first| state.unreadable.contains(&(place, first)));
        Ok(unreadable.then_some(Damage::Format))
    }

    fn read_from(&self, offsets: &[(String, i32, i64)]) -> Result<(), Error> {
        let mut state = self.kafka.state();
        if let Some(member) = state.members.get_mut(&self.member) {
            member.reads =
                offsets.iter().map(|(topic, number, at)| ((topic.clone(), *number), *at)).collect();
            member.paused = false;
        }
        Ok(())
    }

    fn pause(&self, pause: bool) {
        if let Some(member) = self.kafka.state().members.get_mut(&self.member) {
            member.paused = pause;
        }
    }

    fn tell_offsets(&self, _offsets: &[(String, i32, i64)]) {}
}
