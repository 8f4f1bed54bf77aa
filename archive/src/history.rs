//! What the log says of topics: their generations, and everything that was lost.

use std::collections::BTreeMap;

use custody_schemas::manifest::Gap;
use custody_schemas::{Partition, Position, TopicId};

use crate::error::Error;
use crate::log::Commit;
use crate::read::Archive;
use crate::topics::{self, Accept, Topic};

/// A gap, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The position of its row: the first offset that was lost.
    pub position: Position,
    /// What was lost, why, and when it was noticed.
    pub gap: Gap,
    /// The batch that recorded it.
    pub batch: String,
    /// The version that archived that batch.
    pub version: u64,
}

/// A life of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The topic.
    pub topic: String,
    /// Counts its lives, from 1.
    pub generation: i32,
    /// Kafka's id of it; `None` when no broker told one.
    pub topic_id: Option<TopicId>,
    /// The version that opened it.
    pub version: u64,
    /// When it was opened, milliseconds since 1970 UTC.
    pub opened_ms: i64,
    /// Who accepted it and why; the first needs nobody's word.
    pub accept: Option<Accept>,
    /// The next offset of each of its partitions.
    pub through: BTreeMap<i32, i64>,
}

/// All of it, through a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The newest version that was read.
    pub version: u64,
    /// In order of topic and generation.
    pub generations: Vec<Generation>,
    /// In order of position.
    pub gaps: Vec<Lost>,
}

impl Archive {
    /// What the log says of topics, from its first commit to the newest.
    pub fn history(&self) -> Result<History, Error> {
        history(self.commits_after(None)?)
    }
}

fn history(commits: Vec<Commit>) -> Result<History, Error> {
    let mut lives: BTreeMap<(String, i32), Generation> = BTreeMap::new();
    let mut history = History::default();
    for commit in commits {
        let version = commit.version;
        history.version = version;
        for (domain, holds) in &commit.domains {
            let Some(topic) = topics::topic_of(domain) else { continue };
            let state = Topic::parse(topic, holds)?;
            let life = lives.entry((topic.to_owned(), state.generation)).or_insert_with(|| Generation {
                topic: topic.to_owned(),
                generation: state.generation,
                topic_id: None,
                version,
                opened_ms: state.opened_ms,
                accept: None,
                through: BTreeMap::new(),
            });
            life.topic_id = state.topic_id;
        }
        if let Some(accept) = commit.accept
            && let Some(life) = lives.get_mut(&(accept.topic.clone(), accept.generation))
        {
            life.accept = Some(accept);
        }
        for manifest in commit.files.into_iter().map(|file| file.manifest) {
            for part in manifest.parts {
                let Partition { topic, generation, partition } = part.partition.clone();
                if let Some(life) = lives.get_mut(&(topic, generation)) {
                    life.through.insert(partition, part.span.to);
                }
                history.gaps.extend(part.gaps.into_iter().map(|gap| Lost {
                    position: Position { partition: part.partition.clone(), offset: gap.span.from },
                    gap,
                    batch: manifest.batch.clone(),
                    version,
                }));
            }
        }
    }
    history.generations = lives.into_values().collect();
    history.gaps.sort_by(|a, b| a.position.cmp(&b.position));
    Ok(history)
}
