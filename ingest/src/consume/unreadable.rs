//! Partitions of which Kafka has messages that cannot be read: they stand still, loudly, and the others go on.
//! Behind such messages nothing is archived: their offsets would look as if they held nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use custody_schemas::Partition;

use super::{Loop, PAUSE};
use crate::commits::Commits;
use crate::error::{Error, Kind};
use crate::source::{Damage, Source};

/// How often messages are read again before it is asked where they are. What was altered on the wire or in
/// memory comes right then.
const READ_AGAIN_MAX: u32 = 5;
/// After so many more, each time without finding them, the worker ends.
const NOWHERE_MAX: u32 = 10;
/// Damage that was longer ago was another one.
const AGE_MAX: Duration = Duration::from_secs(300);
/// How often a partition that stands still is tried.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What the loop knows of messages that cannot be read.
#[derive(Default)]
pub(super) struct Unreadable {
    /// How often there were any, and when last.
    times: u32,
    at: Option<Duration>,
    /// How often they were looked for since, and not found.
    nowhere: u32,
    /// The partitions that stand still because of them.
    still: BTreeMap<(String, i32), Still>,
    tried: Duration,
}

struct Still {
    /// The offset from which on they are.
    next: i64,
    why: String,
}

impl<S: Source, C: Commits> Loop<S, C> {
    /// Messages could not be read: once more from the archive's offsets, a few times. Then the partitions
    /// that have them are left where they are.
    pub(super) fn read_again(&mut self, damage: Damage) -> Result<(), Error> {
        let now = self.parts.clock.elapsed();
        let unreadable = &mut self.unreadable;
        if unreadable.at.replace(now).is_none_or(|last| now.saturating_sub(last) > AGE_MAX) {
            (unreadable.times, unreadable.nowhere) = (0, 0);
        }
        unreadable.times += 1;
        let times = unreadable.times;
        tracing::info!(times, "messages from Kafka {damage}: reading them again");
        // What came before them is as it was written.
        self.seal_and_drain()?;
        if times <= READ_AGAIN_MAX {
            self.parts.clock.sleep(PAUSE * times);
            return self.resume_all();
        }
        // From where the archive stands now.
        self.resume_all()?;
        if self.find_unreadable()? {
            self.unreadable.nowhere = 0;
            return self.resume_all();
        }
        self.unreadable.nowhere += 1;
        if self.unreadable.nowhere > NOWHERE_MAX {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "Kafka keeps handing out messages that {damage}, and none when it is asked for one partition at \
                     a time. What is archived is whole; look into the network and the broker's log, and start again"
                ),
            ));
        }
        self.parts.clock.sleep(PAUSE * READ_AGAIN_MAX);
        Ok(())
    }

    /// Asks for the next messages of each partition by themselves. Whether some cannot be read.
    fn find_unreadable(&mut self) -> Result<bool, Error> {
        let before = self.unreadable.still.len();
        for owned in &self.owned {
            let (partition, next) = (&owned.partition, owned.next);
            match self.damage(partition, next) {
                Ok(None) => {}
                Ok(Some(damage)) => {
                    let why = format!(
                        "partition {} of topic {} has messages from offset {next} on that {damage}. Nothing behind \
                         them is archived, so that nothing is lost unseen; other partitions go on. {}Mend the \
                         broker's log from a replica or a backup, or let Kafka delete them: that is archived as a gap",
                        partition.partition,
                        partition.topic,
                        damage.hint()
                    );
                    tracing::error!(%partition, offset = next, "NOT ARCHIVED: {why}");
                    let place = (partition.topic.clone(), partition.partition);
                    self.unreadable.still.insert(place, Still { next, why });
                }
                Err(error) if matches!(error.kind, Kind::Unavailable | Kind::Gone) => {
                    tracing::warn!(%partition, %error, "cannot find out whether its messages can be read");
                }
                Err(error) => return Err(error),
            }
        }
        let found = self.unreadable.still.len() > before;
        if found {
            self.unreadable.tried = self.parts.clock.elapsed();
            self.tell_standing();
        }
        Ok(found)
    }

    fn damage(&self, partition: &Partition, next: i64) -> Result<Option<Damage>, Error> {
        let Partition { topic, partition, .. } = partition;
        let (_, end) = self.parts.source.watermarks(topic, *partition)?;
        // At the end of a log a look waits for what may come.
        if next < end { self.parts.source.damage(topic, *partition, next) } else { Ok(None) }
    }

    /// Whether a partition that would be read from an offset on stands still there. Where it goes on from another
    /// one, as after Kafka deleted what cannot be read, it does not any more.
    pub(super) fn stands_still(&mut self, partition: &Partition, next: i64) -> bool {
        let place = (partition.topic.clone(), partition.partition);
        let Some(still) = self.unreadable.still.get(&place) else { return false };
        if still.next == next {
            return true;
        }
        self.unreadable.still.remove(&place);
        tracing::info!(%partition, next, "the partition is archived again");
        self.tell_standing();
        false
    }

    /// Nothing is ours any more: whoever has it now finds out by itself.
    pub(super) fn let_unreadable_go(&mut self) {
        self.unreadable.still.clear();
        self.tell_standing();
    }

    fn tell_standing(&self) {
        let still = self.unreadable.still.iter();
        self.parts.metrics.standing(still.map(|(place, still)| (place.clone(), still.why.clone())).collect());
    }

    /// Tries now and then whether what could not be read can be: a broker was mended, or Kafka deleted it.
    pub(super) fn try_unreadable(&mut self) -> Result<(), Error> {
        let now = self.parts.clock.elapsed();
        if self.unreadable.still.is_empty() || now.saturating_sub(self.unreadable.tried) < TRY_AGAIN {
            return Ok(());
        }
        self.unreadable.tried = now;
        let source = &self.parts.source;
        let is_mended = |(topic, number): &(String, i32), still: &Still| {
            source.damage(topic, *number, still.next).is_ok_and(|damage| damage.is_none())
        };
        let still = self.unreadable.still.iter();
        let mended: Vec<_> =
            still.filter(|(place, still)| is_mended(place, still)).map(|(place, _)| place.clone()).collect();
        if mended.is_empty() {
            return Ok(());
        }
        for place in mended {
            self.unreadable.still.remove(&place);
            tracing::info!(topic = place.0, partition = place.1, "the partition can be read again");
        }
        self.tell_standing();
        self.seal_and_drain()?;
        self.resume_all()
    }
}
