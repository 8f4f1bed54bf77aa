//! What every simulation must be like, whatever its seed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use custody_schemas::Hash;
use custody_schemas::decode::{Incoming, decode};

use super::*;

fn events(users: usize, seed: u64, n: usize) -> Vec<SimEvent> {
    Simulator::new(SimSettings::new(users, seed)).take(n).collect()
}

fn of_a_large_vocabulary(users: usize, seed: u64, n: usize) -> Vec<SimEvent> {
    let settings = SimSettings { wording: Wording::Vocabulary { seed: 1 }, ..SimSettings::new(users, seed) };
    Simulator::new(settings).take(n).collect()
}

fn json(event: &SimEvent) -> String {
    serde_json::to_string(&event.event).unwrap()
}

#[test]
fn each_type_happens_early() {
    for (users, seed) in [(2, 0), (3, 1), (10, 2), (100, 3), (1_000, u64::MAX), (100_000, 5), (1_000_000, 6)]
    {
        let seen: BTreeSet<String> =
            events(users, seed, 1_000).iter().map(|event| event.event.kind.to_string()).collect();
        let missing: Vec<_> = Kind::ALL.iter().filter(|kind| !seen.contains(kind.full())).collect();
        assert!(missing.is_empty(), "{users} users, seed {seed}: no {missing:?}");
    }
}

#[test]
fn times_and_sequence_count_up() {
    for (users, seed) in [(2, 9), (50, 1), (1_000, 2), (100_000, 3)] {
        let mut ids = HashSet::new();
        let mut last = String::new();
        for (n, event) in events(users, seed, 20_000).into_iter().enumerate() {
            let time = event.event.time.as_deref().unwrap().to_owned();
            assert!(time > last, "{time} after {last}");
            assert_eq!(event.event.sequence, Some(n as i64 + 1));
            assert!(ids.insert(event.event.id.to_string()));
            last = time;
        }
    }
}

#[test]
fn every_event_decodes_and_has_its_key() {
    for event in events(500, 4, 5_000).into_iter().chain(of_a_large_vocabulary(500, 4, 5_000)) {
        let payload = json(&event);
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
        let decoded = decode(&incoming).unwrap();
        assert_eq!(decoded.warnings, [], "{payload}");
        assert_eq!(decoded.event, event.event);
        let conversation = decoded.event.data.and_then(|data| data.conversation);
        let place = conversation.and_then(|conversation| conversation.id);
        assert_eq!(event.key, place.as_deref().unwrap_or("//gw1.contoso.example"));
    }
}

#[test]
fn the_seed_decides() {
    let (a, b) = (events(100, 7, 3_000), events(100, 7, 3_000));
    assert_eq!(a, b);
    let ids = |events: Vec<SimEvent>| events.into_iter().map(|event| event.event.id).collect::<HashSet<_>>();
    assert!(ids(a).is_disjoint(&ids(events(100, 8, 3_000))));
    let (a, b) = (of_a_large_vocabulary(100, 7, 3_000), of_a_large_vocabulary(100, 7, 3_000));
    assert_eq!(a, b);
}

/// Who shows or tests with a seed relies on its story.
#[test]
fn a_seed_tells_its_story_for_ever() {
    let bytes: Vec<u8> = events(50, 7, 3_000).iter().flat_map(|event| json(event).into_bytes()).collect();
    assert_eq!(
        Hash::of(&bytes).to_string(),
        "61ec925a96d7462e7cce9085a8758cd61d3068312175b04e276a90219ca9d508"
    );
}

#[test]
fn an_event_has_520_bytes_on_average() {
    for (users, n) in [(100, 50_000), (1_000, 50_000), (10_000, 50_000)] {
        let bytes: usize = events(users, 1, n).iter().map(|event| json(event).len()).sum();
        let average = bytes / n;
        assert!((480..=560).contains(&average), "{users} users: {average} bytes");
    }
}

#[test]
fn messages_are_varied_and_can_be_searched_for() {
    let mut texts = BTreeMap::new();
    let (mut html, mut other_alphabet, mut merger_at) = (0, 0, None);
    for (n, event) in events(1_000, 3, 30_000).into_iter().enumerate() {
        let Some(message) = event.event.data.and_then(|data| data.message) else { continue };
        let Some(text) = message.text else { continue };
        html += usize::from(message.content_type.as_deref() == Some("text/html"));
        other_alphabet += usize::from(!text.is_ascii());
        if &*text == "Can we talk about the merger?" {
            merger_at = merger_at.or(Some(n));
        }
        *texts.entry(text.to_string()).or_insert(0_usize) += 1;
    }
    let messages: usize = texts.values().sum();
    let most = texts.values().max().copied().unwrap_or(0);
    assert!(merger_at.unwrap() < 20, "{merger_at:?}");
    assert!(texts.len() > messages / 2, "{} texts in {messages} messages", texts.len());
    assert!(most < messages / 15, "one text {most} times in {messages} messages");
    assert!(
        html > messages / 100 && other_alphabet > messages / 100,
        "{html} HTML, {other_alphabet} not ASCII"
    );
}

#[test]
fn a_large_vocabulary_is_said_at_peoples_lengths() {
    let (mut lengths, mut records_of, mut with) = (Vec::new(), BTreeMap::new(), [0_usize; 4]);
    let (mut edited, mut kinds) = (0, BTreeSet::new());
    let all = of_a_large_vocabulary(1_000, 3, 40_000);
    for event in &all {
        kinds.insert(event.event.kind.to_string());
        edited += usize::from(&*event.event.kind == Kind::MessageEdited.full());
        let message = event.event.data.as_ref().and_then(|data| data.message.as_ref());
        let Some(text) = message.and_then(|message| message.text.as_deref()) else { continue };
        lengths.push(text.split_whitespace().count());
        for (count, sign) in with.iter_mut().zip(["@", "https://", "<b>", "."]) {
            *count += usize::from(text.contains(sign));
        }
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        for word in words.map(str::to_lowercase).collect::<BTreeSet<_>>() {
            *records_of.entry(word).or_insert(0_usize) += 1;
        }
    }
    let messages = lengths.len();
    lengths.sort_unstable();
    let (median, long) = (lengths[messages / 2], lengths[messages * 99 / 100]);
    assert!((6..=10).contains(&median) && (50..250).contains(&long), "{median} words, {long} of the longest");
    assert!(lengths.last() > Some(&500), "{:?}", lengths.last());
    // The commonest is in many messages, and most words are in few.
    let most = records_of.values().max().copied().unwrap_or(0);
    let once = records_of.values().filter(|count| **count == 1).count();
    assert!((messages / 4..messages / 2).contains(&most), "in {most} of {messages}");
    assert!(
        records_of.len() > 30_000 && once > records_of.len() / 3,
        "{} words, {once} once",
        records_of.len()
    );
    assert!(with.iter().all(|count| *count > messages / 200), "{with:?} of {messages}");
    assert_eq!(kinds.len(), Kind::ALL.len());
    assert!((messages / 50..messages / 20).contains(&edited), "{edited} edited of {messages}");
}

#[test]
fn what_is_referred_to_exists() {
    let mut known = HashSet::new();
    for event in events(1_000, 11, 30_000) {
        let Some(data) = event.event.data else { continue };
        let made = [Kind::MessageSent, Kind::FileShared, Kind::CallInvited];
        let makes = made.iter().any(|kind| kind.full() == &*event.event.kind);
        let ids = [
            data.message.and_then(|message| message.id),
            data.file.and_then(|file| file.id),
            data.call.and_then(|call| call.id),
        ];
        for id in ids.into_iter().flatten() {
            if makes {
                known.insert(id.to_string());
            } else {
                assert!(known.contains(&*id), "{id} in {}", event.event.kind);
            }
        }
    }
}

#[test]
fn a_call_detail_record_is_full() {
    let data = events(10, 1, 200).into_iter().filter(|event| &*event.event.kind == Kind::CallEnded.full());
    let call = data.map(|event| event.event.data.unwrap().call.unwrap()).next().unwrap();
    assert_eq!(call.response_code, Some(200));
    assert!(call.invite_time < call.answer_time && call.answer_time < call.end_time, "{call:?}");
    assert!(call.on_behalf_of.is_some() && call.to_message_count == Some(1), "{call:?}");
    let quality: Vec<_> = call.quality.unwrap().into_iter().filter_map(|quality| quality.media).collect();
    assert_eq!(quality, ["audio".into(), "video".into(), "screen".into()]);
}

#[test]
fn an_outage_covers_no_event() {
    let mut last = String::new();
    let mut outages = 0;
    for event in events(100, 2, 100_000) {
        let time = event.event.time.unwrap().to_string();
        if let Some(outage) = event.event.data.and_then(|data| data.outage) {
            let (from, to) = (outage.from.unwrap(), outage.to.unwrap());
            assert!(*last < *from && from < to && *to <= *time, "{last} {from} {to} {time}");
            outages += 1;
        }
        last = time;
    }
    assert!(outages > 1, "{outages}");
}

#[test]
fn a_stopped_gateway_is_silent() {
    let mut gateway = Simulator::new(SimSettings { sequence_first: 500, ..SimSettings::new(10, 1) });
    let last = gateway.by_ref().take(50).last().unwrap();
    let stop = gateway.stop();
    assert_eq!(&*stop.event.kind, Kind::GatewayStopped.full());
    assert_eq!(stop.event.sequence, Some(550));
    assert!(stop.event.time > last.event.time);
    assert_eq!(gateway.next(), None);
}
