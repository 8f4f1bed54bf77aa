//! Where one document ends and the next begins.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::error::Error;
use crate::item::Shown;
use crate::settings::{DOCUMENT_BYTES_MAX, DOCUMENT_EVENTS_MAX};
use crate::spill::{Key, Sorted};

/// A thread on a day.
type Group = (String, i32);

/// The records of a document, in order.
pub(crate) struct Cut {
    pub(crate) day: Date,
    /// Counted from 1,
    pub(crate) part: u32,
    /// of so many.
    pub(crate) parts: u32,
    pub(crate) shown: Vec<Shown>,
    pub(crate) bytes: u64,
}

/// What of the running document is counted.
#[derive(Default)]
struct Running {
    group: Option<Group>,
    part: u32,
    events: u64,
    bytes: u64,
}

impl Running {
    /// Whether a record begins a document, and counts it.
    fn begins(&mut self, key: &Key, bytes: u64) -> bool {
        let same = self.group.as_ref().is_some_and(|(thread, day)| *thread == key.thread && *day == key.day);
        let fits =
            self.events < DOCUMENT_EVENTS_MAX && self.bytes.saturating_add(bytes) <= DOCUMENT_BYTES_MAX;
        let begins = !same || !fits;
        if begins {
            self.part = if same { self.part + 1 } else { 1 };
            (self.events, self.bytes) = (0, 0);
        }
        if !same {
            self.group = Some((key.thread.clone(), key.day));
        }
        self.events += 1;
        self.bytes += bytes;
        begins
    }
}

/// How many parts the groups have that have more than one.
pub(crate) fn parts(sorted: &Sorted) -> Result<BTreeMap<Group, u32>, Error> {
    let (mut parts, mut running) = (BTreeMap::new(), Running::default());
    for packed in sorted.iter()? {
        let packed = packed?;
        if running.begins(&packed.key, packed.len()) && running.part > 1 {
            parts.insert((packed.key.thread, packed.key.day), running.part);
        }
    }
    Ok(parts)
}

/// Hands every document on, in order.
pub(crate) fn documents(
    sorted: &Sorted,
    parts: &BTreeMap<Group, u32>,
    mut each: impl FnMut(Cut) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut running, mut cut) = (Running::default(), None::<Cut>);
    for packed in sorted.iter()? {
        let packed = packed?;
        let (key, bytes) = (&packed.key, packed.len());
        if running.begins(key, bytes) {
            if let Some(cut) = cut.take() {
                each(cut)?;
            }
            let parts = parts.get(&(key.thread.clone(), key.day)).copied().unwrap_or(1);
            let day = day_of(key.day);
            cut = Some(Cut { day, part: running.part, parts, shown: Vec::new(), bytes: 0 });
        }
        if let Some(cut) = &mut cut {
            cut.bytes += bytes;
            cut.shown.push(packed.unpack()?);
        }
    }
    cut.map_or(Ok(()), each)
}

/// A day as a number that sorts: days since 1970.
pub(crate) fn day_number(day: Date) -> i32 {
    let days = day.since(EPOCH).map(|span| span.get_days());
    days.unwrap_or(if day < EPOCH { i32::MIN } else { i32::MAX })
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn day_of(number: i32) -> Date {
    EPOCH.saturating_add(jiff::Span::new().try_days(number).unwrap_or_default())
}
