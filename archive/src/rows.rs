//! From consumed messages to Arrow columns, one partition at a time.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use custody_schemas::decode::decode;
use custody_schemas::gap;
use custody_schemas::hash::{Leaf, write_leaf};
use custody_schemas::manifest::Gap;
use custody_schemas::time::time_us;
use custody_schemas::{Hash, Incoming, Partition};

use crate::columns::{HEADER, STATUS_GAP, STATUS_QUARANTINED, WRITTEN};
use crate::cut::Cutter;
use crate::error::{Error, Kind};
use crate::hashing::{Ends, Hashing, PayloadHash};
use crate::identity;
use crate::nested::{Calls, Files, Lists, list_of, time_builder};
use crate::repeated::{Repeated, same};
use crate::row::{DETAIL, ID, Made, PartyRow, REASON, Row, SOURCE, STATUS, TEXTS, TYPE};
use crate::sparse::{Room, Texts};

pub(crate) fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::with(Kind::Corrupt, "cannot build the rows of a batch", error)
}

/// What the rows of a partition take, column by column. Those of the next batch are much like it: buffers
/// that have the room from the beginning are not moved while they grow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rooms {
    rows: usize,
    texts: [Room; 16],
    parties: [Room; 6],
    key: Room,
    header_names: Room,
    header_values: Room,
    payload: Room,
}

fn binary_builder(room: Room) -> BinaryBuilder {
    BinaryBuilder::with_capacity(room.values, room.bytes)
}

fn binary_room(builder: &BinaryBuilder) -> Room {
    Room { values: builder.len(), bytes: builder.values_slice().len() }
}

/// The rows of one partition, growing.
pub(crate) struct Rows {
    pub(crate) partition: Partition,
    batch: String,
    texts: [Texts; 16],
    offset: Int64Builder,
    broker_time: TimestampMicrosecondBuilder,
    sequence: Int64Builder,
    event_time: TimestampMicrosecondBuilder,
    parties: Lists,
    calls: Calls,
    files: Files,
    identities: Vec<i64>,
    key: BinaryBuilder,
    header_ends: Vec<i32>,
    header_names: StringBuilder,
    header_values: BinaryBuilder,
    template: Repeated,
    payload: BinaryBuilder,
    /// Of the last rows, the identity and the leaf of each.
    hashing: Hashing,
    leaves: Vec<Hash>,
    pub(crate) quarantined: u64,
}

impl Rows {
    pub(crate) fn new(partition: Partition, batch: String, rooms: &Rooms) -> Self {
        let rows = rooms.rows;
        let times = || TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
        let mut header_ends = Vec::with_capacity(rows + 1);
        header_ends.push(0);
        let names = rooms.header_names;
        Rows {
            partition,
            batch,
            texts: rooms.texts.map(Texts::new),
            offset: Int64Builder::with_capacity(rows),
            broker_time: times(),
            sequence: Int64Builder::with_capacity(rows),
            event_time: times(),
            parties: Lists::new(rows, rooms.parties),
            calls: Calls::new(),
            files: Files::new(),
            identities: Vec::with_capacity(rows),
            key: binary_builder(rooms.key),
            header_ends,
            header_names: StringBuilder::with_capacity(names.values, names.bytes),
            header_values: binary_builder(rooms.header_values),
            template: Repeated::new(rows),
            payload: binary_builder(rooms.payload),
            hashing: Hashing::default(),
            leaves: Vec::with_capacity(rows),
            quarantined: 0,
        }
    }

    /// What they take now.
    pub(crate) fn rooms(&self) -> Rooms {
        let names = &self.header_names;
        Rooms {
            rows: self.len(),
            texts: self.texts.each_ref().map(Texts::room),
            parties: self.parties.room(),
            key: binary_room(&self.key),
            header_names: Room { values: names.len(), bytes: names.values_slice().len() },
            header_values: binary_room(&self.header_values),
            payload: binary_room(&self.payload),
        }
    }

    /// Appends one consumed message: decoded if it can be, verbatim always. With a cutter
    /// the payload may be kept as a template.
    pub(crate) fn append(&mut self, offset: i64, incoming: &Incoming<'_>, cutter: Option<&mut Cutter>) {
        let hash = incoming.payload.map(|payload| self.hashing.payload(payload));
        let keyed = self.payload_of(incoming, hash, cutter);
        self.key.append_option(incoming.key.filter(|_| !keyed));
        self.verbatim(offset, incoming, hash);
    }

    /// Whether the key stands in another column, as the template says.
    fn payload_of(
        &mut self,
        incoming: &Incoming<'_>,
        hash: Option<PayloadHash>,
        mut cutter: Option<&mut Cutter>,
    ) -> bool {
        if let Some(known) = cutter.as_mut().and_then(|cutter| cutter.known(incoming)) {
            self.event(&known.row, hash);
            self.template.push_known(known.number, known.template);
            self.payload.append_null();
            return known.keyed;
        }
        let decoded = match decode(incoming) {
            Ok(decoded) => decoded,
            Err(reason) => {
                self.quarantined += 1;
                self.quarantine(&reason.0, incoming.payload, hash);
                return false;
            }
        };
        let made = Made::of(&decoded);
        let row = Row::of(&decoded, &made);
        self.event(&row, hash);
        let template = cutter.as_mut().and_then(|cutter| cutter.cut(incoming, &decoded, &row));
        self.template.push(template.map(|(template, _)| template));
        let (is_cut, keyed) = (template.is_some(), template.is_some_and(|(_, keyed)| keyed));
        self.payload.append_option((!is_cut).then_some(decoded.json));
        if let Some(cutter) = cutter.filter(|_| is_cut && !incoming.is_binary()) {
            cutter.learn(decoded.json, &row);
        }
        keyed
    }

    fn event(&mut self, row: &Row<'_>, hash: Option<PayloadHash>) {
        self.append_texts(row.texts);
        self.sequence.append_option(row.sequence);
        self.event_time.append_option(row.time.us);
        self.append_parties(&row.parties);
        self.calls.append(row.call.as_deref());
        self.files.append(row.file.as_deref());
        self.hashing.text(hash, |hash, out| identity::write_event(row, hash, out));
    }

    /// Appends the row of a gap of this partition, which is made of nothing but the gap.
    pub(crate) fn gap(&mut self, partition: &Partition, lost: &Gap, payload: &str) {
        let (id, time, detail) = (gap::id(partition, lost.span), gap::time(lost), gap::detail(lost));
        let mut texts = [None; 16];
        for (column, value) in [
            (STATUS, STATUS_GAP),
            (REASON, lost.reason.word()),
            (ID, &*id),
            (SOURCE, gap::SOURCE),
            (TYPE, gap::KIND),
            (DETAIL, &detail),
        ] {
            texts[column] = Some(value);
        }
        self.append_texts(texts);
        self.sequence.append_null();
        self.event_time.append_option(time.as_deref().and_then(time_us));
        self.append_parties(&[]);
        self.calls.append(None);
        self.files.append(None);
        let bytes = payload.as_bytes();
        let hash = Some(self.hashing.payload(bytes));
        let time = time.as_deref().unwrap_or_default();
        self.hashing.text(hash, |hash, out| identity::write_gap(&id, time, hash, out));
        self.template.push(None);
        self.payload.append_value(bytes);
        let incoming = Incoming { key: None, headers: &[], payload: Some(bytes), broker_time_ms: None };
        self.key.append_null();
        self.verbatim(lost.span.from, &incoming, hash);
    }

    fn quarantine(&mut self, reason: &str, payload: Option<&[u8]>, hash: Option<PayloadHash>) {
        let mut texts = [None; 16];
        texts[STATUS] = Some(STATUS_QUARANTINED);
        texts[REASON] = Some(reason);
        self.append_texts(texts);
        self.sequence.append_null();
        self.event_time.append_null();
        self.append_parties(&[]);
        self.calls.append(None);
        self.files.append(None);
        let (place, batch) = (format!("{}:{}", self.partition, self.len()), &self.batch);
        self.hashing.text(hash, |hash, out| identity::write_undecoded(batch, &place, hash, out));
        self.template.push(None);
        self.payload.append_option(payload);
    }

    fn append_texts(&mut self, values: [Option<&str>; 16]) {
        for (column, value) in self.texts.iter_mut().zip(values) {
            column.push(value);
        }
    }

    fn append_parties(&mut self, parties: &[PartyRow<'_>]) {
        parties.iter().for_each(|party| self.parties.party(party));
        self.parties.end_row();
    }

    fn verbatim(&mut self, offset: i64, incoming: &Incoming<'_>, payload: Option<PayloadHash>) {
        let partition = &self.partition;
        self.hashing.text(payload, |payload, out| {
            let leaf = Leaf {
                topic: &partition.topic,
                generation: partition.generation,
                partition: partition.partition,
                offset,
                broker_time_ms: incoming.broker_time_ms,
                key: incoming.key,
                payload,
            };
            write_leaf(leaf, incoming.headers.iter().copied(), &mut |piece| out.extend_from_slice(piece));
            Ends::WithPayload
        });
        self.offset.append_value(offset);
        self.broker_time.append_option(incoming.broker_time_ms.map(|ms| ms.saturating_mul(1_000)));
        for (name, value) in incoming.headers {
            self.header_names.append_value(name);
            self.header_values.append_option(*value);
        }
        self.header_ends.push(i32::try_from(self.header_names.len()).unwrap_or(i32::MAX));
        if self.hashing.is_full() {
            self.settle();
        }
    }

    /// Makes the hashes that are still to be made.
    fn settle(&mut self) {
        for [identity, leaf] in self.hashing.take().as_chunks().0 {
            self.identities.push(beginning(identity));
            self.leaves.push(*leaf);
        }
    }

    /// Rows so far.
    pub(crate) fn len(&self) -> usize {
        self.header_ends.len() - 1
    }

    /// What sources count their events with, zero where one has none.
    pub(crate) fn sequences(&self) -> &[i64] {
        self.sequence.values_slice()
    }

    /// The leaf hashes of all rows, in order.
    pub(crate) fn leaves(&mut self) -> &[Hash] {
        self.settle();
        &self.leaves
    }

    /// The columns, as [`WRITTEN`].
    pub(crate) fn finish(mut self, archived_us: i64) -> Result<RecordBatch, Error> {
        self.settle();
        let rows = self.leaves.len();
        let leaf_checks = Int64Array::from_iter_values(self.leaves.iter().map(leaf_check));
        let mut archived = time_builder();
        archived.append_value_n(archived_us, rows);
        let mut columns: Vec<(&str, ArrayRef)> = Vec::with_capacity(WRITTEN.fields().len());
        for (name, column) in TEXTS.iter().zip(&mut self.texts) {
            columns.push((name, Arc::new(column.finish())));
        }
        let headers: Vec<ArrayRef> =
            vec![Arc::new(self.header_names.finish()), Arc::new(self.header_values.finish())];
        columns.extend([
            ("topic", same(&self.partition.topic, rows)?),
            ("batch", same(&self.batch, rows)?),
            ("generation", Arc::new(Int32Array::from_value(self.partition.generation, rows))),
            ("partition", Arc::new(Int32Array::from_value(self.partition.partition, rows))),
            ("offset", Arc::new(self.offset.finish())),
            ("broker_time", Arc::new(self.broker_time.finish())),
            ("archived_time", Arc::new(archived.finish())),
            ("sequence", Arc::new(self.sequence.finish())),
            ("event_time", Arc::new(self.event_time.finish())),
            ("parties", self.parties.finish()?),
            ("call", self.calls.finish()?),
            ("file", self.files.finish()?),
            ("identity", Arc::new(Int64Array::from(self.identities))),
            ("key", Arc::new(self.key.finish())),
            ("headers", list_of(HEADER.clone(), headers, self.header_ends)?),
            ("template", self.template.finish()?),
            ("payload", Arc::new(self.payload.finish())),
            ("leaf_check", Arc::new(leaf_checks)),
        ]);
        let ordered = WRITTEN.fields().iter().filter_map(|field| {
            let found = columns.iter().find(|(name, _)| name == field.name());
            found.map(|(_, column)| column.clone())
        });
        RecordBatch::try_new(WRITTEN.clone(), ordered.collect()).map_err(internal)
    }
}

/// The first 8 bytes of a hash, big-endian.
pub(crate) fn beginning(hash: &Hash) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The first 4 bytes of a leaf hash, big-endian. They say which record is damaged; that none is, the
/// batch's root proves.
fn leaf_check(leaf: &Hash) -> i64 {
    let [a, b, c, d, ..] = leaf.0;
    i64::from(u32::from_be_bytes([a, b, c, d]))
}

/// Whether what is stored is the check of a leaf. The first files hold 8 bytes of it.
pub(crate) fn is_check(stored: i64, leaf: &Hash) -> bool {
    stored == leaf_check(leaf) || stored == beginning(leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms are read for ever.
    #[test]
    fn a_check_is_the_beginning_of_a_leaf() {
        let mut leaf = Hash([0xff; 32]);
        leaf.0[..8].copy_from_slice(&[0xfe, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(leaf_check(&leaf), 0xfe01_0203);
        for (stored, expected) in [
            (0xfe01_0203, true),
            (0xfe01_0203_0405_0607_u64 as i64, true),
            (0xfe01_0204, false),
            (0xfe01_0203_0405_0608_u64 as i64, false),
            (0, false),
        ] {
            assert_eq!(is_check(stored, &leaf), expected, "{stored:x}");
        }
    }
}
