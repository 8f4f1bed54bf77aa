//! Which life of each topic the archive is at, and what moves it on: pure decisions over what the
//! log says. The writer makes its commits by them, `verify` follows the log with them.
//!
//! The state of a topic is a domain of the Delta table (`domainMetadata`), so that it is found at
//! the same cost however many commits there are.

use custody_schemas::{Manifest, TopicId};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// The format version that this code writes.
const VERSION: u32 = 1;
const PREFIX: &str = "custody.topic.";

/// The life of a topic that the archive is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    version: u32,
    /// Counts the lives, from 1.
    pub generation: i32,
    /// Kafka's id of it; `None` when no broker told one yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<TopicId>,
    /// When its first batch was sealed or, for a later generation, when it was accepted;
    /// milliseconds since 1970 UTC.
    pub opened_ms: i64,
}

/// Somebody's word that a topic was made again and that its new life is to be archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// The topic.
    pub topic: String,
    /// The generation that it opens.
    pub generation: i32,
    /// Kafka's id of the new life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<TopicId>,
    /// Kafka's id of the life that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_id: Option<TopicId>,
    /// When it was accepted, milliseconds since 1970 UTC.
    pub accepted_ms: i64,
    /// Who accepted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// What the archive has of the life that ended, in order of partition. What came after is not
    /// known, so it is written nowhere as lost or as nothing.
    pub through: Vec<Reached>,
}

/// How far the archive has come in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The partition's number.
    pub partition: i32,
    /// Its next offset.
    pub next: i64,
}

impl Topic {
    fn new(generation: i32, topic_id: Option<TopicId>, opened_ms: i64) -> Self {
        Topic { version: VERSION, generation, topic_id, opened_ms }
    }

    /// As the domain has it.
    pub(crate) fn configuration(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|e| Error::with(Kind::Corrupt, "cannot write the state of a topic", e))
    }

    pub(crate) fn parse(topic: &str, configuration: &str) -> Result<Self, Error> {
        let state: Topic = serde_json::from_str(configuration).map_err(|e| {
            Error::with(Kind::Corrupt, format!("the state of topic {topic:?} cannot be read"), e)
        })?;
        if state.version == 0 || state.version > VERSION {
            let what =
                format!("the state of topic {topic:?} has version {}: use a newer custody", state.version);
            return Err(Error::new(Kind::Invalid, what));
        }
        Ok(state)
    }
}

/// The domain that holds the state of a topic.
pub(crate) fn domain(topic: &str) -> String {
    format!("{PREFIX}{topic}")
}

/// The topic whose state a domain holds.
pub(crate) fn topic_of(domain: &str) -> Option<&str> {
    domain.strip_prefix(PREFIX)
}

/// The states that a batch begins or completes, by topic. Why it cannot follow, if it cannot: its
/// records came from another life of a topic than the archive is at.
pub(crate) fn after_batch<'a>(
    manifest: &Manifest,
    known: impl Fn(&str) -> Option<&'a Topic>,
) -> Result<Vec<(String, Topic)>, String> {
    let mut changed = Vec::new();
    for (topic, generation) in lives(manifest) {
        let (state, told) = (known(topic), manifest.topics.get(topic));
        let at = state.map_or(1, |state| state.generation);
        if generation != at {
            return Err(format!(
                "a batch of generation {generation} of topic {topic}, of which the archive is at generation {at}"
            ));
        }
        let next = match (state, told) {
            (None, told) => Topic::new(1, told.cloned(), manifest.archived_ms),
            (Some(Topic { topic_id: Some(archived), .. }), Some(told)) if archived != told => {
                return Err(format!(
                    "a batch of topic {topic} with id {told}, of which the archive has that with id {archived}"
                ));
            }
            (Some(state @ Topic { topic_id: None, .. }), Some(told)) => {
                Topic { topic_id: Some(told.clone()), ..state.clone() }
            }
            (Some(_), _) => continue,
        };
        changed.push((topic.to_owned(), next));
    }
    Ok(changed)
}

/// The topics of a batch and their generations.
pub(crate) fn lives(manifest: &Manifest) -> Vec<(&str, i32)> {
    let partitions = manifest.parts.iter().map(|part| &part.partition);
    let mut lives: Vec<_> = partitions.map(|of| (of.topic.as_str(), of.generation)).collect();
    lives.dedup();
    lives
}

/// The state that an accept opens; why it cannot, if it cannot.
pub(crate) fn after_accept(accept: &Accept, known: Option<&Topic>) -> Result<Topic, String> {
    let topic = &accept.topic;
    let Some(known) = known else {
        return Err(format!("{topic}: nothing of it was archived, so there is no life that ended"));
    };
    if known.generation.checked_add(1) != Some(accept.generation) || known.topic_id != accept.previous_id {
        return Err(format!(
            "{topic}: generation {} does not follow generation {}",
            accept.generation, known.generation
        ));
    }
    Ok(Topic::new(accept.generation, accept.topic_id.clone(), accept.accepted_ms))
}

#[cfg(test)]
mod tests {
    use custody_schemas::manifest::Part;
    use custody_schemas::{Hash, Partition, Span};

    use super::*;

    fn manifest(lives: &[(&str, i32)], ids: &[(&str, &str)]) -> Manifest {
        let part = |&(topic, generation): &(&str, i32)| Part {
            partition: Partition { topic: topic.into(), generation, partition: 0 },
            span: Span { from: 0, to: 1 },
            rows: 1,
            quarantined: 0,
            skipped: 0,
            gaps: Vec::new(),
        };
        Manifest {
            version: 1,
            batch: "b".into(),
            rows: lives.len() as u64,
            root: Hash::of(b""),
            archived_ms: 5,
            retention_class: "default".into(),
            topics: ids.iter().map(|(topic, id)| ((*topic).to_owned(), TopicId::from(*id))).collect(),
            parts: lives.iter().map(part).collect(),
        }
    }

    fn state(generation: i32, id: Option<&str>) -> Topic {
        Topic::new(generation, id.map(TopicId::from), 5)
    }

    #[test]
    fn a_batch_follows_the_life_that_the_archive_is_at() {
        type Case<'a> =
            (&'a [(&'a str, i32)], &'a [(&'a str, &'a str)], Option<Topic>, Result<Vec<Topic>, &'a str>);
        let cases: [Case<'_>; 11] = [
            (&[("t", 1)], &[], None, Ok(vec![state(1, None)])),
            (&[("t", 1)], &[("t", "a")], None, Ok(vec![state(1, Some("a"))])),
            (&[("t", 2)], &[("t", "a")], None, Err("generation 2 of topic t")),
            (&[("t", 1)], &[("t", "a")], Some(state(1, Some("a"))), Ok(vec![])),
            (&[("t", 1)], &[], Some(state(1, Some("a"))), Ok(vec![])),
            (&[("t", 1)], &[("t", "a")], Some(state(1, None)), Ok(vec![state(1, Some("a"))])),
            (&[("t", 1)], &[("t", "b")], Some(state(1, Some("a"))), Err("with id b")),
            (&[("t", 1)], &[("t", "b")], Some(state(2, Some("b"))), Err("generation 1 of topic t")),
            (&[("t", 2)], &[("t", "b")], Some(state(2, Some("b"))), Ok(vec![])),
            (&[("t", 1), ("t", 2)], &[], Some(state(2, None)), Err("generation 1")),
            (&[("t", 1), ("t", 2)], &[], None, Err("generation 2")),
        ];
        for (lives, ids, known, expected) in cases {
            let found = after_batch(&manifest(lives, ids), |_| known.as_ref());
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.into_iter().map(|(_, state)| state).collect::<Vec<_>>(), expected);
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{lives:?} {ids:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn an_accept_follows_the_life_that_it_names() {
        let accept = |generation, previous: Option<&str>| Accept {
            topic: "t".into(),
            generation,
            topic_id: Some("b".into()),
            previous_id: previous.map(TopicId::from),
            accepted_ms: 5,
            who: "w".into(),
            why: "y".into(),
            through: vec![Reached { partition: 0, next: 9 }],
        };
        let known = state(1, Some("a"));
        assert_eq!(after_accept(&accept(2, Some("a")), Some(&known)), Ok(state(2, Some("b"))));
        assert!(after_accept(&accept(3, Some("a")), Some(&known)).is_err());
        assert!(after_accept(&accept(2, None), Some(&known)).is_err());
        assert!(after_accept(&accept(2, None), None).is_err());
    }

    /// They are read for ever.
    #[test]
    fn golden_v1() {
        let text = r#"{"version":1,"generation":2,"topic_id":"b","opened_ms":5}"#;
        assert_eq!(Topic::parse("t", text).unwrap(), state(2, Some("b")));
        assert_eq!(state(2, Some("b")).configuration().unwrap(), text);
        assert!(Topic::parse("t", &text.replace("\"version\":1", "\"version\":2")).is_err());
    }
}
