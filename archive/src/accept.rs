//! Opening a generation of a topic: somebody's word, in a commit of its own.

use std::collections::BTreeMap;

use custody_schemas::TopicId;

use crate::error::{Error, Kind};
use crate::log::{self, What};
use crate::table::Outcome;
use crate::topics::{self, Accept, Reached};
use crate::writer::{ATTEMPTS_MAX, PAUSE, Writer};

/// What is to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The topic that was made again.
    pub topic: String,
    /// The generation of the life that ended.
    pub ended: i32,
    /// Kafka's id of its new life.
    pub topic_id: Option<TopicId>,
    /// Who accepts it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It was accepted in this version.
    Now(u64, Accept),
    /// Somebody else had done it, in this version.
    Before(u64, Accept),
}

/// What the log says of the life that ended and of the next.
#[derive(Default)]
struct Told {
    /// The first version that was not read.
    next: u64,
    through: BTreeMap<i32, i64>,
    accepted: Option<(u64, Accept)>,
}

impl Told {
    fn reached(&self) -> Vec<Reached> {
        self.through.iter().map(|(partition, next)| Reached { partition: *partition, next: *next }).collect()
    }
}

impl Writer {
    /// Opens the next generation of a topic: its batches start at offset 0 again, and a batch of the
    /// life that ended is fenced from now on. Two who do it at once open one generation.
    ///
    /// Reads the log from its first commit.
    ///
    /// # Errors
    ///
    /// `Invalid` when the archive is not at the generation that is said to have ended.
    pub fn accept(&mut self, opening: &Opening) -> Result<Accepted, Error> {
        let (topic, mut told, mut last) = (&opening.topic, Told::default(), None);
        let accepted_ms = self.clock.now_ms();
        for _ in 0..ATTEMPTS_MAX {
            self.catch_up()?;
            self.read_of(opening, &mut told)?;
            let known = self.known_topic(topic)?.cloned();
            let ours = Accept {
                topic: topic.clone(),
                generation: opening.ended.saturating_add(1),
                topic_id: opening.topic_id.clone(),
                previous_id: known.as_ref().and_then(|known| known.topic_id.clone()),
                accepted_ms,
                who: opening.who.clone(),
                why: opening.why.clone(),
                through: told.reached(),
            };
            if let Some((version, accept)) = told.accepted.take() {
                return resolved(&ours, version, accept);
            }
            let state = topics::after_accept(&ours, known.as_ref())
                .map_err(|what| Error::new(Kind::Invalid, what))?;
            let record = What::Accept { accept: ours.clone() }.into_text()?;
            match self.table.declare(&topics::domain(topic), &state.configuration()?, &record)? {
                Outcome::Committed(version) => {
                    self.now_at(topic, state);
                    return Ok(Accepted::Now(version, ours));
                }
                Outcome::Conflict => {}
                Outcome::Unknown(error) => {
                    tracing::warn!(topic, %error, "commit outcome unknown; reading the log");
                    last = Some(error);
                    self.clock.sleep(PAUSE);
                }
            }
        }
        let message = format!("{topic}: could not be accepted in {ATTEMPTS_MAX} attempts");
        Err(match last {
            Some(error) => Error::with(Kind::Retry, message, error),
            None => Error::new(Kind::Retry, message),
        })
    }

    fn read_of(&self, opening: &Opening, told: &mut Told) -> Result<(), Error> {
        let app_ids = format!("custody:{}:{}:", opening.topic, opening.ended);
        for version in told.next..=self.version() {
            let commit = log::existing(&self.store, version)?;
            for (app_id, next) in commit.txns {
                if let Some(Ok(partition)) = app_id.strip_prefix(&app_ids).map(str::parse) {
                    told.through.insert(partition, next);
                }
            }
            let follows = |accept: &Accept| {
                accept.topic == opening.topic && accept.generation == opening.ended.saturating_add(1)
            };
            if let Some(accept) = commit.accept.filter(follows) {
                told.accepted = Some((version, accept));
            }
        }
        told.next = self.version() + 1;
        Ok(())
    }
}

/// The generation is there: it was opened by us, in a commit of which we were told that its outcome
/// is not known, or by somebody else for the same life of the topic, or for another one.
fn resolved(ours: &Accept, version: u64, accept: Accept) -> Result<Accepted, Error> {
    if accept.topic_id != ours.topic_id {
        let message = format!(
            "{}: generation {} was opened in version {version} for another life of the topic",
            accept.topic, accept.generation
        );
        return Err(Error::new(Kind::Invalid, message));
    }
    let same = (&accept.who, &accept.why, accept.accepted_ms) == (&ours.who, &ours.why, ours.accepted_ms);
    Ok(if same { Accepted::Now(version, accept) } else { Accepted::Before(version, accept) })
}
