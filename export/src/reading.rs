//! The first pass: every record, in order of position, fetched, proven and redacted.

use std::num::NonZeroUsize;
use std::slice;

use custody_archive::{Archive, Chosen, Unproven};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::Error;
use crate::evidence::{Evidence, Listed};
use crate::in_order::in_order;
use crate::item::{Item, Shown, with_items};
use crate::place::Key;
use crate::plan::{Row, Run};
use crate::produce::Progress;
use crate::redact::{Rules, apply};
use crate::settings::{READ_AHEAD, ROWS_PER_READ};
use crate::spill::{Packed, Spill};
use crate::thread::thread_of;

/// Where the records of the first pass go.
pub(crate) struct Pass<'z> {
    pub(crate) evidence: Evidence,
    /// For formats of documents.
    pub(crate) spill: Option<Spill>,
    pub(crate) zone: &'z TimeZone,
    pub(crate) rules: Rules,
}

impl Pass<'_> {
    /// Reads every record of the runs. Threads prove and decode them; what they make of them is taken in
    /// the order of the records.
    pub(crate) fn read(
        &mut self,
        archive: &Archive,
        runs: &[Run],
        threads: NonZeroUsize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let total = runs.iter().map(|run| run.rows.len() as u64).sum();
        let mut reads = Reads { archive, runs: runs.iter(), run: None };
        let making = Making {
            has_lines: self.evidence.has_lines(),
            sorts: self.spill.is_some(),
            zone: self.zone,
            rules: &self.rules,
        };
        let (evidence, spill) = (&mut self.evidence, &mut self.spill);
        let next = || reads.next().map(|read| read.map(|read| (read, 1)));
        let held_max = threads.get() as u64 + READ_AHEAD;
        in_order(
            threads,
            held_max,
            next,
            |read| making.made(&read),
            |made: Made<'_>| {
                evidence.push(made.listed, &made.run.file)?;
                if let Some(spill) = spill {
                    made.sorted.into_iter().try_for_each(|packed| spill.push(packed))?;
                }
                progress(Progress::Reading(evidence.len(), total));
                Ok(())
            },
        )
    }
}

/// Some rows of a run.
struct Read<'r> {
    run: &'r Run,
    rows: &'r [Row],
    unproven: Unproven,
}

/// Reads the rows of runs, one after another.
struct Reads<'r> {
    archive: &'r Archive,
    runs: slice::Iter<'r, Run>,
    run: Option<(&'r Run, &'r [Row], Chosen)>,
}

impl<'r> Reads<'r> {
    fn next(&mut self) -> Option<Result<Read<'r>, Error>> {
        loop {
            if let Some((run, rows, chosen)) = &mut self.run {
                match chosen.next() {
                    Some(Ok(unproven)) => {
                        let (these, others) = rows.split_at(unproven.len().min(rows.len()));
                        *rows = others;
                        return Some(Ok(Read { run, rows: these, unproven }));
                    }
                    Some(Err(error)) => return Some(Err(error.into())),
                    None => self.run = None,
                }
            }
            let run = self.runs.next()?;
            let rows: Vec<u64> = run.rows.iter().map(|row| row.row).collect();
            match self.archive.choose(&run.file, &rows, ROWS_PER_READ) {
                Ok(chosen) => self.run = Some((run, &run.rows, chosen)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// What becomes of a [`Read`].
struct Made<'r> {
    run: &'r Run,
    listed: Listed,
    /// With what they are sorted by.
    sorted: Vec<Packed<'static>>,
}

/// What threads make of records.
struct Making<'p> {
    has_lines: bool,
    sorts: bool,
    zone: &'p TimeZone,
    rules: &'p Rules,
}

impl Making<'_> {
    fn made<'r>(&self, read: &Read<'r>) -> Result<Made<'r>, Error> {
        let (file, proven) = (read.unproven.file(), read.unproven.prove()?);
        let bytes = proven.iter().map(|record| record.payload.as_ref().map_or(0, Vec::len)).sum();
        let mut listed = Listed::new(self.has_lines, proven.len(), bytes);
        let mut sorted = Vec::with_capacity(if self.sorts { proven.len() } else { 0 });
        for (record, row) in proven.into_iter().zip(read.rows) {
            let mut shown = Shown::whole(record, file, row.deliveries, row.is_context);
            // Before anything looks at it: what is taken out here, no format can show.
            let redacted = apply(self.rules, &mut shown);
            with_items(slice::from_ref(&shown), |items| {
                let item = items.first().ok_or_else(|| Error::corrupt("a record that is none"))?;
                listed.push(item, row.row, redacted)?;
                if self.sorts {
                    sorted.push(Packed::new(key(item, self.zone), item.shared_file().is_some(), &shown)?);
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Made { run: read.run, listed, sorted })
    }
}

fn key(item: &Item<'_>, zone: &TimeZone) -> Key {
    let at_us = item.at_us();
    Key::new(&thread_of(item).key, day(at_us, zone), at_us, &item.shown.position)
}

/// The day of a time in a zone, counted from 1970.
fn day(us: i64, zone: &TimeZone) -> i32 {
    let Ok(time) = Timestamp::from_microsecond(us) else { return if us < 0 { i32::MIN } else { i32::MAX } };
    let local_us = us + i64::from(zone.to_offset(time).seconds()) * 1_000_000;
    i32::try_from(local_us.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_zone() {
        let check = |us: i64, zone: &str, expected: i32| {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(day(us, &zone), expected, "{us}");
            let Ok(time) = Timestamp::from_microsecond(us) else { return };
            let date = time.to_zoned(zone).date();
            assert_eq!(date, jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(expected)));
        };
        check(0, "UTC", 0);
        check(-1, "UTC", -1);
        check(86_399_999_999, "UTC", 0);
        check(86_400_000_000, "UTC", 1);
        // One day in Berlin begins at 22:00 UTC, and one in New York ends at 04:00 of the next.
        check(1_369_864_800_000_000, "Europe/Berlin", 15_855);
        check(1_369_864_799_999_999, "Europe/Berlin", 15_854);
        check(1_369_886_399_999_999, "America/New_York", 15_854);
        check(1_369_886_400_000_000, "America/New_York", 15_855);
        check(-60_000_000_000_000_000, "Africa/Monrovia", -694_445);
        check(i64::MIN, "UTC", i32::MIN);
        check(i64::MAX, "UTC", i32::MAX);
    }
}
