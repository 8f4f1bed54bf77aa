//! Where one document ends and the next begins.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::error::Error;
use crate::item::Shown;
use crate::place::Key;
use crate::settings::{DOCUMENT_BYTES_MAX, DOCUMENT_EVENTS_MAX};
use crate::spill::{Packed, Sorted, unpacked};

/// The records of a document, in order.
pub(crate) struct Cut {
    pub(crate) day: Date,
    /// Counted from 1,
    pub(crate) part: u32,
    /// of so many.
    pub(crate) parts: u32,
    packed: Vec<Vec<u8>>,
    /// Files that they share.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Cut {
    fn add(&mut self, packed: Packed<'_>) {
        self.bytes += packed.bytes.len() as u64;
        self.files += u64::from(packed.shares_file);
        self.packed.push(packed.bytes.into_owned());
    }

    /// Takes the records out of it.
    pub(crate) fn unpack(&mut self) -> Result<Vec<Shown>, Error> {
        std::mem::take(&mut self.packed).iter().map(|bytes| unpacked(bytes)).collect()
    }
}

/// What of the running document is counted.
#[derive(Default)]
struct Running {
    /// A thread on a day.
    group: Option<Vec<u8>>,
    part: u32,
    events: u64,
    bytes: u64,
}

impl Running {
    /// Whether a record begins a document, and counts it.
    fn begins(&mut self, key: &Key, bytes: u64) -> bool {
        let same = self.group.as_deref().is_some_and(|group| group == key.group());
        let fits =
            self.events < DOCUMENT_EVENTS_MAX && self.bytes.saturating_add(bytes) <= DOCUMENT_BYTES_MAX;
        let begins = !same || !fits;
        if begins {
            self.part = if same { self.part + 1 } else { 1 };
            (self.events, self.bytes) = (0, 0);
        }
        if !same {
            self.group = Some(key.group().to_vec());
        }
        self.events += 1;
        self.bytes += bytes;
        begins
    }
}

/// How many parts the groups have that have more than one.
pub(crate) type Parts = BTreeMap<Vec<u8>, u32>;

/// Counts them.
pub(crate) fn parts(sorted: &Sorted) -> Result<Parts, Error> {
    let (mut parts, mut running) = (BTreeMap::new(), Running::default());
    for head in sorted.heads()? {
        let head = head?;
        if running.begins(&head.key, head.len) && running.part > 1 {
            parts.insert(head.key.group().to_vec(), running.part);
        }
    }
    Ok(parts)
}

/// Every document, in order; nothing more after an error.
pub(crate) fn documents<'s>(
    sorted: &'s Sorted,
    parts: &'s Parts,
) -> Result<impl Iterator<Item = Result<Cut, Error>> + Send + 's, Error> {
    let mut records = sorted.iter()?;
    let (mut running, mut cut) = (Running::default(), None::<Cut>);
    Ok(std::iter::from_fn(move || {
        for packed in records.by_ref() {
            let packed = match packed {
                Ok(packed) => packed,
                Err(error) => {
                    cut = None;
                    return Some(Err(error));
                }
            };
            let mut whole = None;
            if running.begins(&packed.key, packed.bytes.len() as u64) {
                let parts = parts.get(packed.key.group()).copied().unwrap_or(1);
                let (day, part) = (day_of(packed.key.day()), running.part);
                let begun = Cut { day, part, parts, packed: Vec::new(), files: 0, bytes: 0 };
                whole = cut.replace(begun);
            }
            if let Some(cut) = &mut cut {
                cut.add(packed);
            }
            if let Some(whole) = whole {
                return Some(Ok(whole));
            }
        }
        cut.take().map(Ok)
    }))
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The day of a number: days since 1970.
fn day_of(number: i32) -> Date {
    EPOCH.saturating_add(jiff::Span::new().try_days(number).unwrap_or_default())
}
