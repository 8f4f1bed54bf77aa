use std::collections::BTreeMap;
use std::time::Duration;

use custody_schemas::manifest::Part;
use custody_schemas::status::State;
use custody_schemas::{Partition, PartitionStatus, Span};
use prometheus_client::registry::Registry;

use crate::metrics::Metrics;
use crate::status::{Circumstances, Now, status, summary};
use crate::track::{Facts, Oldest};
use crate::watch::say;

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

/// Messages of a partition cannot be read: it fails, with what to do; no other of its topic does.
#[test]
fn a_partition_that_stands_still_fails() {
    let Partition { topic, partition, .. } = facts().partition;
    let why = "partition 0 of topic t has messages from offset 5 on that cannot be decompressed";
    let standing = BTreeMap::from([((topic, partition), why.to_owned())]);
    let around = Circumstances { standing, ..around() };
    check("it", &waiting(Some(50_000), None), &around, Some((State::Failing, Some(50_000), why)));
    let partition = Partition { partition: partition + 1, ..facts().partition };
    check("another", &Facts { partition, ..facts() }, &around, Some((State::Archiving, None, "")));
}

/// A topic that was made again and not accepted: its partitions fail, with what to do; no other does.
#[test]
fn a_topic_that_is_not_read_fails() {
    let why = "topic t was deleted and made again: custody gap accept --topic t";
    let stopped = BTreeMap::from([("t".to_owned(), why.to_owned())]);
    let around = Circumstances { stopped, ..around() };
    let failing = |age| Some((State::Failing, age, why));
    for (name, facts, expected) in [
        ("all archived, as it seems", facts(), failing(None)),
        ("behind", waiting(Some(50_000), None), failing(Some(50_000))),
        ("never asked", Facts { end: None, asked_ms: None, since_ms: 99_000, ..facts() }, failing(None)),
        // Its reason says more than that.
        ("it ends early", Facts { end: Some(40), short: true, ..facts() }, failing(None)),
        ("given back", Facts { given_back: true, ..facts() }, Some((State::Stopped, None, ""))),
    ] {
        check(name, &facts, &around, expected);
    }
    let partition = Partition { topic: "u".into(), ..facts().partition };
    check("another", &Facts { partition, ..facts() }, &around, Some((State::Archiving, None, "")));
    let trouble = Circumstances { trouble: Some("the store fails: full".into()), ..around };
    check("trouble as well", &facts(), &trouble, Some((State::Failing, None, "the store fails")));
}

/// From what the loop tells to what gateways read: a topic stops, is accepted, and is archived again.
/// Nothing is said of the life that was opened before anything is known of it.
#[test]
fn a_topic_that_was_accepted_is_archived_again() {
    let metrics = Metrics::new(&mut Registry::default());
    let mut around = around();
    let mut say = |at_ms: i64| {
        let now = Now { steady_ms: at_ms, ..NOW };
        let said = say(&metrics, &mut around, now);
        assert_eq!(summary(&said).is_some(), said.iter().any(|one| one.state != State::Archiving));
        let told = |one: PartitionStatus| {
            let text = format!("{}:{} {:?}", one.partition.topic, one.partition.generation, one.state);
            (text, one.archived_through, one.reason.unwrap_or_default())
        };
        said.into_iter().map(told).collect::<Vec<_>>()
    };
    let told = |text: &str, through: i64, reason: &str| (text.to_owned(), through, reason.to_owned());
    let of = |topic: &str, generation| Partition { topic: topic.into(), generation, partition: 0 };
    let ends = |t: i64, at_ms: i64| {
        let asked = metrics.progress.asks(at_ms);
        metrics.progress.told(&asked, &[("t".into(), 0, t), ("u".into(), 0, 7)], at_ms);
    };
    metrics.trouble(None);
    metrics.progress.resumed(&of("t", 1), 50);
    metrics.progress.resumed(&of("u", 1), 7);
    ends(50, 1_000);
    assert_eq!(say(1_000), [told("t:1 Archiving", 50, ""), told("u:1 Archiving", 7, "")]);

    // Made again, and grown past where the archive stands: the ends tell nothing.
    metrics.stopped(&BTreeMap::from([("t".to_owned(), "made again".to_owned())]));
    metrics.progress.resumed(&of("t", 1), 50);
    ends(60, 2_000);
    let failing = [told("t:1 Failing", 50, "made again"), told("u:1 Archiving", 7, "")];
    assert_eq!(say(2_000), failing);
    ends(70, 3_000);
    assert_eq!(say(3_000), failing);

    // Accepted: its second life begins at 0.
    metrics.progress.resumed(&of("t", 2), 0);
    metrics.stopped(&BTreeMap::new());
    let alone = [told("u:1 Archiving", 7, "")];
    assert_eq!(say(3_000), alone);
    ends(70, 4_000);
    assert_eq!(say(4_000), alone);
    metrics.progress.first(&of("t", 2), 0, Some(NOW.wall_ms - 5_000));
    assert_eq!(say(4_000), [told("t:2 Archiving", 0, ""), told("u:1 Archiving", 7, "")]);
    let span = Span { from: 0, to: 70 };
    let partition = of("t", 2);
    let part = Part { partition, span, rows: 70, quarantined: 0, skipped: 0, gaps: Vec::new() };
    metrics.progress.committed(&[part], 9);
    assert_eq!(say(4_000), [told("t:2 Archiving", 70, ""), told("u:1 Archiving", 7, "")]);
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
