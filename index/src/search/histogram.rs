//! How many events fall into each minute, hour, day, month or year. Pure.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Buckets of a histogram at most: as many as are drawn on a line.
const BUCKETS_MAX: usize = 64;
/// Years of a bucket, where there are too many for one each.
const YEARS: [i16; 4] = [1, 10, 100, 1_000];

/// What a bucket spans, as the calendar of the time zone has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A minute.
    Minute,
    /// An hour; two where the clock is set back over it.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year, or as many as [`Histogram::step`] says.
    Year,
}

/// Events over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// The smallest with at most 64 buckets.
    pub unit: Unit,
    /// Units of a bucket: 1, and for years 10, 100 or 1000.
    pub step: i16,
    /// From the first event's to the last one's, empty ones too; none when no
    /// event has a time.
    pub buckets: Vec<Bucket>,
    /// Events without a time.
    pub untimed: u64,
    /// Events whose time is in no calendar: before the year -9999 or after 9999.
    pub beyond: u64,
}

/// Events of one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins, milliseconds since 1970 UTC.
    pub from_ms: i64,
    /// When it has ended: the first millisecond after it.
    pub to_ms: i64,
    /// Events in it.
    pub count: u64,
}

/// The times that a calendar has.
pub(super) fn in_calendar(time_ms: i64) -> bool {
    Timestamp::from_millisecond(time_ms).is_ok()
}

impl Histogram {
    /// An empty one for times from the first through the last, both of a calendar; without buckets
    /// when there are none.
    pub(super) fn over(times_ms: Option<(i64, i64)>, zone: &TimeZone) -> Histogram {
        let empty = |unit, step, starts: Vec<i64>| {
            let bucket = |pair: &[i64]| Bucket { from_ms: pair[0], to_ms: pair[1], count: 0 };
            let buckets = starts.windows(2).map(bucket).collect();
            Histogram { unit, step, buckets, untimed: 0, beyond: 0 }
        };
        let Some((first, last)) = times_ms else { return empty(Unit::Minute, 1, Vec::new()) };
        let units = [Unit::Minute, Unit::Hour, Unit::Day, Unit::Month].map(|unit| (unit, 1));
        let years = YEARS.map(|step| (Unit::Year, step));
        let mut choices = units.into_iter().chain(years);
        choices
            .find_map(|(unit, step)| Some(empty(unit, step, starts(first, last, zone, unit, step)?)))
            // A thousand years always fit; one bucket is right all the same.
            .unwrap_or_else(|| empty(Unit::Year, 1, vec![first, last.saturating_add(1)]))
    }

    /// Counts some events.
    pub(super) fn add(&mut self, times_ms: &[Option<i64>]) {
        // Records that were archived together mostly happened together.
        let mut last = 0;
        for time_ms in times_ms {
            let Some(time_ms) = *time_ms else {
                self.untimed += 1;
                continue;
            };
            let is_in = |bucket: &Bucket| bucket.from_ms <= time_ms && time_ms < bucket.to_ms;
            if !self.buckets.get(last).is_some_and(is_in) {
                let after = self.buckets.partition_point(|bucket| bucket.from_ms <= time_ms);
                last = after.saturating_sub(1);
            }
            match self.buckets.get_mut(last) {
                Some(bucket) if is_in(bucket) => bucket.count += 1,
                _ => self.beyond += 1,
            }
        }
    }

    /// Adds what was counted apart, in the same buckets.
    pub(super) fn merge(&mut self, other: &Histogram) {
        self.untimed += other.untimed;
        self.beyond += other.beyond;
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            bucket.count += more.count;
        }
    }
}

/// Where the buckets begin, and where the last one ends; `None` when there are too many.
fn starts(first: i64, last: i64, zone: &TimeZone, unit: Unit, step: i16) -> Option<Vec<i64>> {
    let civil = Timestamp::from_millisecond(first).ok()?.to_zoned(zone.clone()).datetime();
    let mut at = begin(civil, unit, step)?;
    let mut starts = vec![ms(at, zone).unwrap_or(first).min(first)];
    loop {
        let next = at.checked_add(span(unit, step)).ok();
        // The calendar ends before the bucket does.
        let Some(start) = next.and_then(|next| ms(next, zone)) else {
            starts.push(last.saturating_add(1));
            return Some(starts);
        };
        at = next?;
        // An hour that the clock skips begins with the one after it.
        if starts.last().is_none_or(|before| start > *before) {
            starts.push(start);
        }
        if start > last {
            return Some(starts);
        }
        if starts.len() > BUCKETS_MAX {
            return None;
        }
    }
}

fn ms(at: DateTime, zone: &TimeZone) -> Option<i64> {
    at.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

fn begin(at: DateTime, unit: Unit, step: i16) -> Option<DateTime> {
    let (month, day, hour, minute) = (at.month(), at.day(), at.hour(), at.minute());
    let (year, month, day, hour, minute) = match unit {
        Unit::Minute => (at.year(), month, day, hour, minute),
        Unit::Hour => (at.year(), month, day, hour, 0),
        Unit::Day => (at.year(), month, day, 0, 0),
        Unit::Month => (at.year(), month, 1, 0, 0),
        Unit::Year => ((at.year().div_euclid(step) * step).max(-9_999), 1, 1, 0, 0),
    };
    DateTime::new(year, month, day, hour, minute, 0, 0).ok()
}

fn span(unit: Unit, step: i16) -> Span {
    match unit {
        Unit::Minute => Span::new().minutes(step),
        Unit::Hour => Span::new().hours(step),
        Unit::Day => Span::new().days(step),
        Unit::Month => Span::new().months(step),
        Unit::Year => Span::new().years(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn the_smallest_unit_that_fits() {
        for (first, last, unit, step, buckets) in [
            ("2024-05-01T10:00:30Z", "2024-05-01T10:00:30Z", Unit::Minute, 1, 1),
            ("2024-05-01T10:00:30Z", "2024-05-01T11:03:00Z", Unit::Minute, 1, 64),
            ("2024-05-01T10:00:30Z", "2024-05-01T11:04:00Z", Unit::Hour, 1, 2),
            ("2024-05-01T10:00:30Z", "2024-05-04T01:59:59Z", Unit::Hour, 1, 64),
            ("2024-05-01T10:00:30Z", "2024-05-04T02:00:00Z", Unit::Day, 1, 4),
            ("2024-01-01T10:00:30Z", "2024-05-04T02:00:00Z", Unit::Month, 1, 5),
            ("1990-01-01T10:00:30Z", "2024-05-04T02:00:00Z", Unit::Year, 1, 35),
            ("1890-01-01T10:00:30Z", "2024-05-04T02:00:00Z", Unit::Year, 10, 14),
            ("-009999-01-05T00:00:00Z", "9999-12-01T00:00:00Z", Unit::Year, 1_000, 20),
        ] {
            let (first, last) = (at(first), at(last));
            let mut of = Histogram::over(Some((first, last)), &TimeZone::UTC);
            assert_eq!((of.unit, of.step, of.buckets.len()), (unit, step, buckets), "{first} {last}");
            assert!(of.buckets.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
            of.add(&[Some(first), Some(last), None]);
            let mut more = of.clone();
            more.buckets.iter_mut().for_each(|bucket| bucket.count = 0);
            (more.untimed, more.beyond) = (0, 0);
            more.add(&[Some(i64::MAX)]);
            of.merge(&more);
            let ends = of.buckets[0].count + of.buckets.last().unwrap().count;
            assert_eq!(ends, if buckets == 1 { 4 } else { 2 }, "{first} {last}");
            assert_eq!((of.untimed, of.beyond), (1, 1));
        }
        assert_eq!(Histogram::over(None, &TimeZone::UTC).buckets, []);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (first, last) = (at("2024-03-29T23:30:00Z"), at("2024-04-02T21:59:59Z"));
        let of = Histogram::over(Some((first, last)), &zone);
        let hours: Vec<i64> =
            of.buckets.iter().map(|bucket| (bucket.to_ms - bucket.from_ms) / 3_600_000).collect();
        // The clock is set forward on the second.
        assert_eq!((of.unit, hours), (Unit::Day, vec![24, 23, 24, 24]));
        let (first, last) = (at("2024-10-26T23:30:00Z"), at("2024-10-27T03:30:00Z"));
        let of = Histogram::over(Some((first, last)), &zone);
        let hours: Vec<i64> =
            of.buckets.iter().map(|bucket| (bucket.to_ms - bucket.from_ms) / 3_600_000).collect();
        assert_eq!((of.unit, hours), (Unit::Hour, vec![1, 2, 1, 1]));
    }
}
