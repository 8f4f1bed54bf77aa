use custody_archive::Relation;
use custody_schemas::Hash;
use proptest::prelude::*;
use tantivy::directory::FileSlice;

use super::*;
use crate::error::Kind;
use crate::source::Source;
use crate::testing::{Event, Memory, Named, said};

fn files(source: &Memory) -> Vec<(u64, custody_archive::FileRef)> {
    let commits = source.commits_after(None).unwrap();
    commits
        .into_iter()
        .flat_map(|commit| commit.files.into_iter().map(move |file| (commit.version, file)))
        .collect()
}

fn some() -> Memory {
    let source = Memory::default();
    source.commit(vec![(0, vec![said(1, "the quick fox"), said(2, "jumps")]), (3, vec![said(3, "over")])]);
    source.commit(vec![(1, vec![])]);
    source.commit(vec![(3, vec![Event { quarantined: true, identity: 4, ..Event::default() }])]);
    source
}

fn opened(bytes: Vec<u8>) -> Result<OpenSplit, crate::Error> {
    OpenSplit::of("test.split", FileSlice::from(bytes))
}

/// The bytes of these records as first written. Another id means that every
/// index has to be built anew: raise `SPLIT_VERSION`, then change it here.
const GOLDEN_ID: &str = "ff38b24c6d5a3de6de874497d849c0aa4c06947385162e9799db39bbf7338858";

#[test]
fn the_same_records_give_the_same_bytes() {
    let source = some();
    let [first, second] = [(); 2].map(|()| build(&source, &files(&source)).unwrap());
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(first.meta, second.meta);
    assert_eq!(first.meta.id, Hash::of(&first.bytes).to_string());
    assert_eq!(first.meta.id, GOLDEN_ID);
}

#[test]
fn documents_are_rows() {
    let source = some();
    let built = build(&source, &files(&source)).unwrap();
    assert_eq!((built.meta.docs, built.meta.files), (4, 3));
    assert_eq!((built.meta.time_ms_min, built.meta.time_ms_max), (Some(1_000), Some(3_000)));
    let split = opened(built.bytes).unwrap();
    assert_eq!([0, 1, 2, 3].map(|doc| split.locate(doc)), [(0, 0), (0, 1), (0, 2), (2, 0)]);
    assert_eq!([0, 1, 2, 3].map(|doc| split.identity(doc)), [1, 2, 3, 4]);
    assert_eq!([0, 3].map(|doc| split.time_ms(doc)), [Some(1_000), None]);
    assert_eq!([0, 1, 2, 7].map(|version| split.end_at(version)), [3, 3, 4, 4]);
    let places = [0, 1, 2, 3]
        .map(|doc| split.place(doc).map(|place| (place.partition.partition, place.from, place.nth)));
    assert_eq!(places, [Some((0, 0, 0)), Some((0, 0, 1)), Some((3, 0, 0)), Some((3, 1, 0))]);
}

#[test]
fn no_records_at_all() {
    let source = Memory::default();
    source.say(vec![]);
    let built = build(&source, &files(&source)).unwrap();
    assert_eq!(built.meta.docs, 0);
    opened(built.bytes).unwrap();
}

#[test]
fn a_batch_with_other_rows_than_it_says_is_refused() {
    let source = some();
    source.tamper("v0-0.parquet", |rows| drop(rows.pop()));
    let error = build(&source, &files(&source)).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    assert_eq!(error.to_string(), "v0-0.parquet has 2 rows, its batches 3");
}

#[test]
fn a_cut_or_changed_split_is_no_panic() {
    let source = some();
    let bytes = build(&source, &files(&source)).unwrap().bytes;
    for length in (0..bytes.len()).step_by(7) {
        assert!(opened(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    let footer = bytes.len() - 200;
    for at in footer..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x04;
        // A changed digit of a hash is for `verify` to see.
        let _ = opened(changed);
    }
}

#[test]
fn a_footer_that_does_not_add_up_is_refused() {
    let source = some();
    let bytes = build(&source, &files(&source)).unwrap().bytes;
    let with_footer = |change: &dyn Fn(&mut serde_json::Value)| {
        let (before_tail, tail) = bytes.split_at(bytes.len() - 12);
        let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        let (segment, json) = before_tail.split_at(before_tail.len() - length);
        let mut footer = serde_json::from_slice(json).unwrap();
        change(&mut footer);
        let json = serde_json::to_vec(&footer).unwrap();
        let length = u32::try_from(json.len()).unwrap().to_le_bytes();
        opened([segment, &json, &length, &tail[4..]].concat()).map(|_| ())
    };
    with_footer(&|_| {}).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        assert_eq!(with_footer(change).unwrap_err().kind, Kind::Corrupt);
    };
    let rows = |footer: &mut serde_json::Value, file: usize, rows: u64| {
        footer["files"][file]["file"]["manifest"]["rows"] = rows.into();
    };
    refused(&|footer| footer["docs"] = 3.into());
    refused(&|footer| rows(footer, 2, u64::MAX));
    // Their sum comes round to what it was.
    refused(&|footer| {
        let parts = &mut footer["files"][2]["file"]["manifest"]["parts"];
        let more = parts[0].clone();
        parts.as_array_mut().unwrap().push(more);
        parts[0]["rows"] = u64::MAX.into();
        parts[1]["rows"] = 2.into();
    });
    // Places are counted by partition.
    refused(&|footer| footer["files"][0]["file"]["manifest"]["parts"][0]["rows"] = 7.into());
    refused(&|footer| {
        let part = footer["parts"].as_array().unwrap().len() - 1;
        footer["parts"][part]["length"] = u64::MAX.into();
    });
}

/// Some events with words, people and times in common, and some with none of them.
fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let word = prop_oneof!["[a-d]{1,2}", Just("über".to_owned()), Just("x".repeat(300))];
    let body = prop::collection::vec(word, 0..8).prop_map(|words| words.join(" "));
    let party = (0..3u8, prop::option::of("[a-c]@[xy]"), prop::option::of("[A-C] [D-E]")).prop_map(
        |(relation, address, name)| {
            let relation = [Relation::From, Relation::To, Relation::Other][usize::from(relation)];
            Named::from((relation, Some("lync".to_owned()), address, name))
        },
    );
    let event = (
        prop::option::of(body),
        prop::option::of(-2_000_000_000_000i64..2_000_000_000_000),
        prop::option::of("[a-c]"),
        (any::<u64>(), prop::option::of("[m-o]")),
        prop::collection::vec(party, 0..3),
        any::<bool>(),
    );
    let event =
        event.prop_map(|(body, time_ms, conversation, (identity, message_id), parties, quarantined)| Event {
            quarantined,
            kind: if quarantined { String::new() } else { "federation.im.message.sent.v1".to_owned() },
            time_ms,
            tenant: conversation.clone(),
            conversation,
            message_id,
            body,
            identity,
            parties,
            ..Event::default()
        });
    prop_oneof![4 => prop::collection::vec(event.clone(), 0..6), 1 => prop::collection::vec(event, 120..300)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// Joined splits are what building them at once gives, to the byte.
    #[test]
    fn joining_gives_the_bytes_of_building(batches in prop::collection::vec(any_events(), 1..5), cut in 1usize..5) {
        let source = Memory::default();
        for events in batches {
            source.commit(vec![(0, events)]);
        }
        let files = files(&source);
        let whole = build(&source, &files).unwrap();
        let pieces: Vec<_> = files
            .chunks(cut)
            .map(|files| ("some.split", FileSlice::from(build(&source, files).unwrap().bytes)))
            .collect();
        let joined = join(&pieces).unwrap();
        prop_assert_eq!(joined.meta, whole.meta);
        prop_assert!(joined.bytes == whole.bytes);
    }
}
