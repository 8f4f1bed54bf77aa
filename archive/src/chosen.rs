//! Chosen records as they were consumed, proven: for productions, which decode every record from its
//! bytes and need nothing that the archive's columns say of it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use custody_schemas::{Hash, Position};

use crate::error::Error;
use crate::log::FileRef;
use crate::read::{Archive, Columns, Reader, RowReader};
use crate::record::Checks;
use crate::scattered::{Scattered, select};
use crate::view::Rows;

/// A record as Kafka handed it over, re-hashed when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Its permanent address.
    pub position: Position,
    /// Its leaf hash, made anew from its bytes and equal to the stored one.
    pub leaf: Hash,
    /// The broker's timestamp, milliseconds since 1970 UTC.
    pub broker_time_ms: Option<i64>,
    /// Offsets were lost here: the manifest of its batch says so, never the row itself.
    pub is_gap: bool,
    /// The message key, verbatim.
    pub key: Option<Vec<u8>>,
    /// The headers, verbatim.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The payload, verbatim.
    pub payload: Option<Vec<u8>>,
}

/// Reads rows of a batch that were chosen, in order, some at a time. Neither they nor the pages that
/// hold them are remembered: who reads many rows reads each once.
pub struct Chosen {
    /// Where the batch is now.
    file: Arc<FileRef>,
    rows: RowReader,
    chosen: usize,
    read: usize,
    scattered: Arc<Scattered>,
}

/// Rows that were read and not yet proven: several threads may prove some each.
pub struct Unproven {
    file: Arc<FileRef>,
    rows: Rows,
}

impl Archive {
    /// Begins to read rows of a batch by their numbers, ascending, from where it is now; at most so
    /// many at a time, and fewer where they are large.
    pub fn choose(&self, file: &FileRef, rows: &[u64], at_a_time: NonZeroUsize) -> Result<Chosen, Error> {
        let (file, input) = self.open_file(file)?;
        let first_row = file.first_row.unwrap_or(0);
        let in_file: Vec<u64> = rows.iter().map(|row| first_row.saturating_add(*row)).collect();
        let reader = self.selected(&file, input, Columns::Leaves, select(&in_file))?.at_most(at_a_time);
        let reader = RowReader { path: file.path.clone(), reader: Reader::File(Box::new(reader)) };
        let scattered = self.scattered.clone();
        Ok(Chosen { file: Arc::new(file), rows: reader, chosen: rows.len(), read: 0, scattered })
    }
}

impl Iterator for Chosen {
    type Item = Result<Unproven, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next() {
            Some(Ok(rows)) => {
                self.read += rows.len();
                Some(Ok(Unproven { file: self.file.clone(), rows }))
            }
            Some(Err(error)) => {
                // What is damaged may be so in memory only.
                self.scattered.forget(&self.file.path);
                self.chosen = self.read;
                Some(Err(error))
            }
            None if self.read < self.chosen => {
                let (path, chosen) = (&self.file.path, std::mem::replace(&mut self.chosen, self.read));
                Some(Err(Error::corrupt(format!("{path}: {} of {chosen} rows are there", self.read))))
            }
            None => None,
        }
    }
}

impl Unproven {
    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Their batch, where it is now.
    pub fn file(&self) -> &FileRef {
        &self.file
    }

    /// Re-hashes each: one that is not what was archived is an error, never an answer.
    pub fn prove(&self) -> Result<Vec<Consumed>, Error> {
        let mut checks = Checks::new(&self.rows, &self.file)?;
        let mut proven = Vec::with_capacity(self.len());
        for row in 0..self.len() {
            let checked = checks.row(row)?;
            let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let header = |(name, value): &(&str, Option<&[u8]>)| ((*name).to_owned(), own(*value));
            proven.push(Consumed {
                leaf: checked.leaf,
                broker_time_ms: checked.incoming().broker_time_ms,
                is_gap: checked.lost.is_some(),
                key: own(checked.incoming().key),
                headers: checked.headers.iter().map(header).collect(),
                payload: own(checked.payload),
                position: checked.position,
            });
        }
        Ok(proven)
    }
}
