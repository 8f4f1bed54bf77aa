use std::time::Duration;

use custody_schemas::Partition;
use custody_schemas::status::State;

use crate::status::{Circumstances, Now, status, summary};
use crate::track::{Facts, Oldest};

const NOW: Now = Now { steady_ms: 100_000, wall_ms: 1_700_000_000_000 };

/// Everything is archived, and Kafka was asked a second ago.
fn facts() -> Facts {
    Facts {
        partition: Partition { topic: "t".into(), generation: 1, partition: 3 },
        archived: 50,
        version: Some(7),
        end: Some(50),
        asked_ms: Some(99_000),
        since_ms: 10_000,
        oldest: Oldest::None,
        short: false,
        given_back: false,
    }
}

fn around() -> Circumstances {
    Circumstances { age_max: Duration::from_secs(30), worker: "w".into(), ..Circumstances::default() }
}

fn waiting(after_ms: Option<i64>, kafka_ms: Option<i64>) -> Facts {
    Facts { end: Some(60), oldest: Oldest::Event { after_ms, kafka_ms }, ..facts() }
}

/// The state, the age and a word of the reason; `None` when nothing is said.
#[track_caller]
fn check(name: &str, facts: &Facts, around: &Circumstances, expected: Option<(State, Option<u64>, &str)>) {
    let said = status(facts, around, NOW);
    let got = said.as_ref().map(|said| (said.state, said.age_ms));
    assert_eq!(got, expected.map(|(state, age, _)| (state, age)), "{name}: {said:?}");
    if let (Some(said), Some((.., word))) = (&said, expected) {
        assert_eq!(said.reason.is_some(), !word.is_empty(), "{name}: {said:?}");
        assert!(said.reason.as_deref().unwrap_or_default().contains(word), "{name}: {said:?}");
        assert_eq!(
            (said.archived_through, said.end, said.written_ms),
            (50, facts.end, NOW.wall_ms),
            "{name}"
        );
    }
}

#[test]
fn what_is_said_of_a_partition() {
    use State::{Archiving, Behind, Failing, Stopped};
    let kafka = |age_ms: i64| Some(NOW.wall_ms - age_ms);
    for (name, facts, expected) in [
        ("all archived", facts(), Some((Archiving, None, ""))),
        ("an event of a second ago", waiting(Some(99_000), kafka(1_000)), Some((Archiving, Some(1_000), ""))),
        ("not read yet", waiting(Some(99_000), None), Some((Archiving, Some(1_000), ""))),
        ("as old as it may be", waiting(Some(70_000), None), Some((Archiving, Some(30_000), ""))),
        ("older", waiting(Some(69_999), None), Some((Behind, Some(30_001), "waiting for 30 s"))),
        // A producer's clock decides nothing where ours can.
        ("a wrong clock, early", waiting(Some(99_000), kafka(9_999_999)), Some((Archiving, Some(1_000), ""))),
        ("a wrong clock, late", waiting(Some(50_000), kafka(-5_000)), Some((Behind, Some(50_000), "50 s"))),
        // It was there when we first asked.
        ("before us, old", waiting(None, kafka(3_600_000)), Some((Behind, Some(3_600_000), "3600 s"))),
        ("before us, not read, long ago", waiting(None, None), Some((Behind, Some(90_000), "90 s"))),
        ("before us, not read", Facts { since_ms: 98_000, ..waiting(None, None) }, None),
        (
            "before us, young",
            Facts { since_ms: 98_000, ..waiting(None, kafka(4_000)) },
            Some((Archiving, Some(4_000), "")),
        ),
        (
            "before us, a clock that is late",
            Facts { since_ms: 98_000, ..waiting(None, kafka(-4_000)) },
            Some((Archiving, Some(2_000), "")),
        ),
        ("never asked", Facts { end: None, asked_ms: None, since_ms: 99_000, ..facts() }, None),
        (
            "never answered",
            Facts { end: None, asked_ms: None, since_ms: 80_000, ..facts() },
            Some((Failing, None, "not said for 20 s")),
        ),
        ("asked long ago", Facts { asked_ms: Some(90_000), ..facts() }, Some((Archiving, None, ""))),
        (
            "asked too long ago",
            Facts { asked_ms: Some(89_999), ..facts() },
            Some((Failing, None, "not said for 10 s")),
        ),
        ("archived since it was asked", Facts { end: Some(40), ..facts() }, Some((Archiving, None, ""))),
        (
            "the log ends before",
            Facts { end: Some(40), short: true, ..facts() },
            Some((Failing, None, "made again")),
        ),
        ("given back", Facts { given_back: true, ..facts() }, Some((Stopped, None, ""))),
        (
            "given back, late",
            Facts { given_back: true, ..waiting(Some(1), None) },
            Some((Stopped, Some(99_999), "")),
        ),
    ] {
        check(name, &facts, &around(), expected);
        // Whatever else is known, a worker in trouble archives nothing; what it gave back is not its any more.
        let trouble = Circumstances { trouble: Some("the store fails: full".into()), ..around() };
        let age = status(&facts, &around(), NOW).and_then(|said| said.age_ms);
        let said = status(&facts, &trouble, NOW).unwrap();
        let (state, reason) =
            if facts.given_back { (Stopped, None) } else { (Failing, Some("the store fails: full")) };
        assert_eq!((said.state, said.reason.as_deref()), (state, reason), "{name}");
        assert!(age.is_none() || said.age_ms == age, "{name}");
    }
}

#[test]
fn why_kafka_did_not_answer_is_told() {
    let around = Circumstances { unanswered: Some("no broker answers at k:1".into()), ..around() };
    let late = Facts { asked_ms: Some(80_000), ..facts() };
    check("unanswered", &late, &around, Some((State::Failing, None, "log ends: no broker answers at k:1")));
    // One question without an answer is not yet a failure.
    check("once", &facts(), &around, Some((State::Archiving, None, "")));
}

#[test]
fn the_worst_partition_is_named() {
    let said = |facts: &[Facts], around: &Circumstances| {
        let said: Vec<_> = facts.iter().filter_map(|facts| status(facts, around, NOW)).collect();
        summary(&said)
    };
    let numbered = |number, facts: Facts| {
        let partition = Partition { partition: number, ..facts.partition.clone() };
        Facts { partition, ..facts }
    };
    let late = |number, age: i64| numbered(number, waiting(Some(100_000 - age), None));
    let gone = numbered(9, Facts { asked_ms: Some(0), ..facts() });
    for (facts, expected) in [
        (vec![], None),
        (vec![facts(), late(1, 2_000), Facts { given_back: true, ..late(2, 90_000) }], None),
        (
            vec![facts(), late(1, 31_000)],
            Some(
                "topic t, partition 1 is behind: an event has been waiting for 31 s to be archived (status.age_max is 30 s)",
            ),
        ),
        (
            vec![late(1, 31_000), late(2, 45_000)],
            Some(
                "topic t, partition 2 is behind: an event has been waiting for 45 s to be archived (status.age_max is 30 s); so is another partition",
            ),
        ),
        (
            vec![late(1, 31_000), gone, late(2, 45_000)],
            Some(
                "topic t, partition 9 is failing: Kafka has not said for 100 s where the log ends; so are 2 more partitions",
            ),
        ),
    ] {
        assert_eq!(said(&facts, &around()).as_deref(), expected, "{facts:?}");
    }
}
