//! A batch while it grows, and sealed.

use std::collections::BTreeMap;

use custody_schemas::hash::Tree;
use custody_schemas::manifest::{Gap, MANIFEST_VERSION, Part};
use custody_schemas::{Incoming, Manifest, Partition, Span, TopicId};

use crate::cut::Cutter;
use crate::error::{Error, Kind};
use crate::rows::{Rooms, Rows};

/// What a header without a name or a value takes in memory: many of them are not nothing.
const HEADER_BYTES: usize = 16;

struct Growing {
    rows: Rows,
    span: Span,
    skipped: u64,
    gaps: Vec<Gap>,
}

/// Rows and spans of the next commit.
pub struct BatchBuilder {
    id: String,
    parts: Vec<Growing>,
    /// Where each partition is.
    places: BTreeMap<Partition, usize>,
    /// Where the last message went: they come in runs.
    last: usize,
    topics: BTreeMap<String, TopicId>,
    /// Absent when payloads are kept verbatim.
    cutter: Option<Cutter>,
    /// What each partition took in the batch before.
    rooms: BTreeMap<Partition, Rooms>,
    rows: u64,
    bytes: u64,
}

impl BatchBuilder {
    /// An empty batch with this id (a UUID, made by the caller).
    pub fn new(id: String) -> Self {
        BatchBuilder {
            id,
            parts: Vec::new(),
            places: BTreeMap::new(),
            last: 0,
            topics: BTreeMap::new(),
            cutter: Some(Cutter::default()),
            rooms: BTreeMap::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// An empty batch with this id that goes on where this one ends, which is to be sealed now: with the
    /// templates that it has learned, and with room for as much.
    pub fn following(&mut self, id: String) -> Self {
        let rooms = self.parts.iter().map(|part| (part.rows.partition.clone(), part.rows.rooms()));
        let cutter = self.cutter.as_mut().map(|cutter| std::mem::take(cutter).renewed());
        BatchBuilder { cutter, rooms: rooms.collect(), ..BatchBuilder::new(id) }
    }

    /// Keeps every payload verbatim, none as a template: larger, and nothing to put together.
    pub fn verbatim(mut self) -> Self {
        self.cutter = None;
        self
    }

    /// Rows so far, those of gaps included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of keys, headers and payloads so far, and 16 more a header.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Neither rows nor spans.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The topics that it has something of.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<_> = self.places.keys().map(|partition| partition.topic.clone()).collect();
        topics.dedup();
        topics
    }

    /// Says which life of a topic everything in the batch came from, as Kafka said after the last
    /// message was read.
    pub fn came_from(&mut self, topic: &str, id: TopicId) {
        self.topics.insert(topic.to_owned(), id);
    }

    fn part(&mut self, partition: &Partition, from: i64) -> (&mut Growing, Option<&mut Cutter>) {
        if self.parts.get(self.last).is_none_or(|part| part.rows.partition != *partition) {
            self.last = match self.places.get(partition) {
                Some(place) => *place,
                None => {
                    let rooms = self.rooms.remove(partition).unwrap_or_default();
                    let rows = Rows::new(partition.clone(), self.id.clone(), &rooms);
                    let span = Span { from, to: from };
                    self.places.insert(partition.clone(), self.parts.len());
                    self.parts.push(Growing { rows, span, skipped: 0, gaps: Vec::new() });
                    self.parts.len() - 1
                }
            };
        }
        (&mut self.parts[self.last], self.cutter.as_mut())
    }

    /// Adds a message. `next` is the partition's next offset: offsets between it
    /// and the message held no record for a consumer and are counted as skipped.
    pub fn push(
        &mut self,
        partition: &Partition,
        next: i64,
        offset: i64,
        incoming: &Incoming<'_>,
    ) -> Result<(), Error> {
        let (part, cutter) = self.part(partition, next);
        if part.span.to != next || offset < next {
            let message = format!(
                "{partition}: offset {offset} after {next} does not follow the batch's span {}",
                part.span
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        // A time that no column can hold, some 292,000 years away, is none.
        let broker_time_ms = incoming.broker_time_ms.filter(|ms| ms.checked_mul(1_000).is_some());
        part.skipped += (offset - next).unsigned_abs();
        part.rows.append(offset, &Incoming { broker_time_ms, ..*incoming }, cutter);
        part.span.to = offset + 1;
        let header =
            |(name, value): &(&str, Option<&[u8]>)| name.len() + value.map_or(0, <[u8]>::len) + HEADER_BYTES;
        let headers: usize = incoming.headers.iter().map(header).sum();
        let size = incoming.key.map_or(0, <[u8]>::len) + headers + incoming.payload.map_or(0, <[u8]>::len);
        self.rows += 1;
        self.bytes += size as u64;
        Ok(())
    }

    /// Records that offsets were lost before they could be archived: a row at the first of them.
    pub fn gap(&mut self, partition: &Partition, gap: Gap) -> Result<(), Error> {
        let (part, _) = self.part(partition, gap.span.from);
        if part.span.to != gap.span.from || gap.span.is_empty() {
            let message =
                format!("{partition}: gap {} does not follow the batch's span {}", gap.span, part.span);
            return Err(Error::new(Kind::Invalid, message));
        }
        let payload = custody_schemas::gap::payload(partition, &gap).map_err(|e| {
            Error::with(Kind::Invalid, format!("{partition}: gap {} cannot be written", gap.span), e)
        })?;
        part.rows.gap(partition, &gap, &payload);
        part.span.to = gap.span.to;
        part.gaps.push(gap);
        self.rows += 1;
        self.bytes += payload.len() as u64;
        Ok(())
    }

    /// Moves a partition's span on over offsets that held no record.
    pub fn skip(&mut self, partition: &Partition, next: i64, to: i64) {
        let (part, _) = self.part(partition, next);
        if part.span.to == next && to > next {
            part.skipped += (to - next).unsigned_abs();
            part.span.to = to;
        }
    }

    /// Closes the batch. `now_ms` is the wall clock, milliseconds since 1970 UTC.
    pub fn seal(mut self, retention_class: &str, now_ms: i64) -> Result<Sealed, Error> {
        self.parts.sort_unstable_by(|one, other| one.rows.partition.cmp(&other.rows.partition));
        let mut tree = Tree::default();
        self.parts.iter_mut().for_each(|part| tree.extend(part.rows.leaves()));
        let root = tree.root();
        let parts = self.parts.iter().map(|part| Part {
            partition: part.rows.partition.clone(),
            span: part.span,
            rows: part.rows.len() as u64,
            quarantined: part.rows.quarantined,
            skipped: part.skipped,
            gaps: part.gaps.clone(),
        });
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            batch: self.id,
            rows: self.rows,
            root,
            archived_ms: now_ms,
            retention_class: retention_class.to_owned(),
            topics: self.topics,
            parts: parts.collect(),
        };
        if let Some(fault) = manifest.fault() {
            return Err(Error::corrupt(format!("batch {} is not sound: {fault}", manifest.batch)));
        }
        let rows = self.parts.into_iter().map(|part| part.rows).filter(|rows| rows.len() > 0);
        Ok(Sealed { manifest, rows: rows.collect(), bytes: self.bytes })
    }
}

/// A closed batch: its rows and what proves them.
pub struct Sealed {
    /// What the batch covers.
    pub manifest: Manifest,
    pub(crate) rows: Vec<Rows>,
    /// Bytes of keys, headers and payloads.
    pub bytes: u64,
}
