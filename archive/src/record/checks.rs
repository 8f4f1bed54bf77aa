//! A row against what was archived.

use arrow_array::{Int64Array, StringViewArray};
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::manifest::{Gap, Part};
use custody_schemas::{Hash, Incoming, Partition, Position, gap};

use crate::error::Error;
use crate::log::FileRef;
use crate::rows::is_check;
use crate::template::{Filler, Unfillable};
use crate::view::{Rows, Verbatim};

/// A header's name and value.
pub(crate) type Header<'r> = (&'r str, Option<&'r [u8]>);

/// A row as it stands in a file, its payload put together.
pub(crate) struct Stored<'r> {
    pub(crate) position: Position,
    pub(crate) batch: &'r str,
    /// The beginning of its leaf hash.
    pub(crate) check: i64,
    pub(crate) broker_time_ms: Option<i64>,
    pub(crate) key: Result<Option<&'r [u8]>, Unfillable>,
    pub(crate) headers: Vec<Header<'r>>,
    pub(crate) payload: Result<Option<&'r [u8]>, Unfillable>,
}

/// A row that is what was archived.
pub(crate) struct Checked<'c> {
    pub(crate) position: Position,
    pub(crate) leaf: Hash,
    /// The offsets that were lost here; then there is a payload.
    pub(crate) lost: Option<&'c Gap>,
    pub(crate) headers: Vec<Header<'c>>,
    pub(crate) payload: Option<&'c [u8]>,
    pub(super) payload_hash: Option<Hash>,
    pub(super) key: Option<&'c [u8]>,
    pub(super) broker_time_ms: Option<i64>,
}

impl Checked<'_> {
    /// As decoding takes it.
    pub(crate) fn incoming(&self) -> Incoming<'_> {
        Incoming {
            key: self.key,
            headers: &self.headers,
            payload: self.payload,
            broker_time_ms: self.broker_time_ms,
        }
    }
}

impl<'c> Stored<'c> {
    /// Makes the leaf hash anew; a row that differs from what was archived in a batch is an error.
    pub(crate) fn check(self, file: &'c FileRef) -> Result<Checked<'c>, Error> {
        let Stored { position, batch, check, broker_time_ms, key, headers, payload } = self;
        let altered = |position: &Position, why: &str| {
            Error::corrupt(format!("{}: record {position} is not what was archived: {why}", file.path))
        };
        let unfilled = |e: Unfillable| altered(&position, &e.to_string());
        let (key, payload) = (key.map_err(unfilled)?, payload.map_err(unfilled)?);
        let payload_hash = payload.map(Hash::of);
        let leaf = Leaf {
            topic: &position.partition.topic,
            generation: position.partition.generation,
            partition: position.partition.partition,
            offset: position.offset,
            broker_time_ms,
            key,
            payload: payload_hash,
        };
        let leaf = leaf_hash(leaf, headers.iter().copied());
        if !is_check(check, &leaf) {
            return Err(altered(&position, "its leaf hash differs"));
        }
        let is_here =
            |part: &&Part| part.partition == position.partition && part.span.contains(position.offset);
        let part = file.manifest.parts.iter().find(is_here);
        if batch != file.manifest.batch || part.is_none() {
            return Err(altered(&position, "it is of another batch than its file"));
        }
        let lost = part.and_then(|part| part.gap_at(position.offset));
        let checked = Checked { position, leaf, lost, headers, payload, payload_hash, key, broker_time_ms };
        if let Some(lost) = lost
            && (payload.is_none()
                || gap::parse(&checked.position, &checked.incoming()).as_ref() != Some(lost))
        {
            return Err(altered(&checked.position, "its manifest says that its offset was lost"));
        }
        Ok(checked)
    }
}

/// Checks rows of a batch that were read together.
pub(crate) struct Checks<'r> {
    verbatim: Verbatim<'r>,
    stored: &'r Int64Array,
    batches: &'r StringViewArray,
    file: &'r FileRef,
    filler: Filler,
}

impl<'r> Checks<'r> {
    pub(crate) fn new(rows: &'r Rows, file: &'r FileRef) -> Result<Self, Error> {
        let (verbatim, stored, batches) = (rows.verbatim()?, rows.stored_checks()?, rows.batch_ids()?);
        Ok(Checks { verbatim, stored, batches, file, filler: Filler::default() })
    }

    /// Makes a row's leaf hash anew; one that differs from what was archived is an error.
    pub(crate) fn row(&mut self, row: usize) -> Result<Checked<'_>, Error> {
        let Checks { verbatim, stored, batches, filler, .. } = self;
        let partition = Partition {
            topic: verbatim.topic.value(row).to_owned(),
            generation: verbatim.generation.value(row),
            partition: verbatim.partition.value(row),
        };
        let stored = Stored {
            position: Position { partition, offset: verbatim.offset.value(row) },
            batch: batches.value(row),
            check: stored.value(row),
            broker_time_ms: verbatim.broker_time_ms(row),
            key: verbatim.key(row),
            headers: verbatim.headers(row).collect(),
            payload: verbatim.payload(row, filler),
        };
        stored.check(self.file)
    }
}
