//! Looking into a log, for what its end does not tell: is there an event that nobody has read?

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};

use super::ends::{Bystander, list};
use super::{KafkaSettings, damage};
use crate::error::{Error, Kind};
use crate::progress::At;
use crate::track::Found;

/// How long a look may take before it is begun again: a large message takes its time.
const LOOK_AGE_MAX: Duration = Duration::from_secs(10);

/// Looks whether there is an event at an offset, or nothing that a consumer would ever get:
/// transaction markers, aborted events, what compaction removed.
pub(crate) struct Look {
    settings: KafkaSettings,
    /// Connected when it is needed for the first time: few logs ever need it.
    client: Option<Bystander>,
    begun: Instant,
    /// What is not answered yet.
    open: Vec<At>,
    /// The ends of these logs as they were before the look.
    through: Vec<At>,
}

impl Look {
    pub(crate) fn new(settings: &KafkaSettings) -> Self {
        let (open, through) = (Vec::new(), Vec::new());
        Look { settings: settings.clone(), client: None, begun: Instant::now(), open, through }
    }

    /// Is there something that was not answered?
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Begins to look at these offsets, all of one topic: the client tells of an end without its
    /// topic.
    pub(crate) fn begin(&mut self, at: Vec<At>) -> Result<(), Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Bystander::connect(&self.settings, "read_committed")?,
        };
        let client = self.client.insert(client);
        self.through = client.ends(&at)?;
        let assigned = client.consumer.assign(&list(&at, |at| Offset::Offset(at.2))?);
        assigned.map_err(|e| Error::new(Kind::Unavailable, format!("cannot look into the log: {e}")))?;
        (self.open, self.begun) = (at, Instant::now());
        Ok(())
    }

    /// What was found since the last call; it never waits. What is not answered in time is
    /// forgotten, to be asked again.
    pub(crate) fn answers(&mut self) -> Vec<(At, Found)> {
        let mut answers = Vec::new();
        let Some(client) = &self.client else { return answers };
        while let Some(polled) = client.consumer.poll(Duration::ZERO) {
            if polled.as_ref().is_err_and(|error| damage(error).is_some()) {
                // Of some partition: which of them hold nothing is not known any more.
                tracing::debug!("kafka look: something cannot be read");
                self.open.clear();
                answers.clear();
                break;
            }
            let Some((partition, found)) = found(polled, &self.through) else { continue };
            if let Some(index) = self.open.iter().position(|at| at.1 == partition) {
                answers.push((self.open.swap_remove(index), found));
            }
        }
        if self.open.is_empty() || self.begun.elapsed() > LOOK_AGE_MAX {
            self.open.clear();
            if let Err(error) = client.consumer.unassign() {
                tracing::debug!(%error, "kafka unassign");
            }
        }
        answers
    }
}

fn found(polled: Result<BorrowedMessage<'_>, KafkaError>, through: &[At]) -> Option<(i32, Found)> {
    match polled {
        Ok(message) => {
            let kafka_ms = message.timestamp().to_millis();
            Some((message.partition(), Found::Event(message.offset(), kafka_ms)))
        }
        Err(KafkaError::PartitionEOF(partition)) => {
            let through = through.iter().find(|at| at.1 == partition)?;
            Some((partition, Found::Nothing(through.2)))
        }
        Err(error) => {
            tracing::debug!(%error, "kafka look");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::Ends;
    use crate::kafka::ends::tests::{patiently, publish, settings};

    #[test]
    fn a_look_finds_an_event_or_nothing() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        publish(&cluster.bootstrap_servers(), 30);
        let settings = settings(cluster.bootstrap_servers());
        let mut ends = Ends::connect(&settings).unwrap();
        let told = ends.ask(&[("t".into(), 0, 0), ("t".into(), 1, 0)]).unwrap();
        let end = |n: i32| told.iter().find(|at| at.1 == n).unwrap().2;
        assert!(end(0) > 0 && end(1) > 0, "{told:?}");

        let mut look = Look::new(&settings);
        assert_eq!(look.answers(), []);
        // Twice, and the other way round: nothing is left over from the first look.
        for (event, nothing) in [(0, 1), (1, 0)] {
            let at = |n, offset| ("t".to_owned(), n, offset);
            look.begin(vec![at(event, end(event) - 1), at(nothing, end(nothing))]).unwrap();
            let mut found = Vec::new();
            patiently(|| {
                found.extend(look.answers());
                (!look.is_open()).then_some(())
            });
            found.sort_by_key(|(at, _)| at.1 == nothing);
            let [(_, Found::Event(offset, Some(_))), (_, empty)] = found[..] else { panic!("{found:?}") };
            assert_eq!((offset, empty), (end(event) - 1, Found::Nothing(end(nothing))));
        }
    }
}
