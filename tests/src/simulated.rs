//! An archive of simulated events, for benches.

use std::error::Error;

use custody_archive::{BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
use custody_cli::sim::{SimSettings, Simulator, Wording};
use custody_schemas::{Incoming, Partition};
use jiff::Timestamp;

/// The events of so many users in messages of a large vocabulary, in one partition, where the last
/// run left off.
pub struct Simulated {
    writer: Writer,
    partition: Partition,
    events: Simulator,
    next: i64,
}

impl Simulated {
    /// Opens or makes the archive.
    pub fn open(location: &Location, users: usize, seed: u64) -> Result<Self, Box<dyn Error>> {
        let partition = Partition { topic: "federation.events".to_owned(), generation: 1, partition: 0 };
        let mut writer = Writer::open(location, &S3Settings::default(), &WriterSettings::default())?;
        let next = writer.next_offset(&partition)?.unwrap_or(0);
        let settings = SimSettings { wording: Wording::Vocabulary { seed }, ..SimSettings::new(users, seed) };
        let mut events = Simulator::new(settings);
        events.by_ref().take(usize::try_from(next)?).for_each(drop);
        Ok(Simulated { writer, partition, events, next })
    }

    /// Events that are archived.
    pub fn archived(&self) -> u64 {
        u64::try_from(self.next).unwrap_or_default()
    }

    /// Archives so many more as one batch, whose id is made of a number.
    pub fn commit(&mut self, number: u64, events: usize) -> Result<(), Box<dyn Error>> {
        let mut batch = BatchBuilder::new(format!("00000000-0000-7000-8000-{number:012}"));
        let mut archived_ms = 0;
        for event in self.events.by_ref().take(events) {
            let time = event.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            archived_ms = time.map_or(archived_ms, Timestamp::as_millisecond);
            let incoming = Incoming {
                key: Some(event.key.as_bytes()),
                headers: &[],
                payload: Some(&serde_json::to_vec(&event.event)?),
                broker_time_ms: Some(archived_ms),
            };
            batch.push(&self.partition, self.next, self.next, &incoming)?;
            self.next += 1;
        }
        self.writer.archive(&Encoded::new(batch.seal("default", archived_ms)?)?)?;
        Ok(())
    }
}
