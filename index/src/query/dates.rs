//! Dates: what a person writes for a stretch of time.
//!
//! ```text
//! range  = point | [ point ] ".." [ point ]        not both absent
//! point  = year [ "-" month [ "-" day [ "T" time [ offset ] ] ] ]
//! time   = hour ":" minute [ ":" second [ "." digits ] ]
//! offset = "Z" | ( "+" | "-" ) hour ":" minute
//! ```
//!
//! Beside these, `today`, `yesterday`, `this week` (month, year), `last week` (the one before this
//! one) and `last 30 days` (hours, weeks, months, years: up to now).
//!
//! A point covers the whole of the smallest unit it names, down to a
//! millisecond; a range runs from the start of the first to the end of the
//! second. Without an offset it is local time. A local time that a clock
//! change repeats covers both; one that it skips is refused. Days begin when
//! they do in the zone, so consecutive days neither overlap nor leave a hole.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use winnow::combinator::{alt, opt, preceded};
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::ast::TimeRange;
use super::error::{SyntaxError, shown};
use super::lex::Value;

/// Years 1 to 9998 UTC: what is printed with four digits, with room for the
/// end of the last year, in every zone.
const MS_BOUNDS: Range<i64> = -62_135_596_800_000..253_370_764_800_000;

const HELP: &str = "for example `date:2013`, `date:2013-05-29`, `date:2013-05-01..2013-06` or \
                    `date:2013-05-29T09:15:00Z..`";

/// What a date without offset, and one without a date, go by.
pub(super) struct Clock<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

struct Point {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    clock: Option<Written>,
}

#[derive(Clone, Copy)]
struct Written {
    hour: i8,
    minute: i8,
    second: Option<i8>,
    /// Digits past the millisecond are dropped: the index stores none.
    milli: Option<i16>,
    offset: Option<WrittenOffset>,
}

#[derive(Clone, Copy)]
struct WrittenOffset {
    sign: i32,
    hours: i8,
    minutes: i8,
}

/// The range that a `date:` value names.
pub(super) fn range(value: &Value<'_>, clock: &Clock<'_>) -> Result<TimeRange, SyntaxError> {
    let (text, zone) = (&*value.text, clock.zone);
    if let Some(relative) = relative(text, clock) {
        let impossible = || format!("{} is out of range; years run from 1 to 9998", shown(text));
        return relative.ok_or_else(|| SyntaxError::new(value.span.clone(), impossible()));
    }
    let failed = |piece: Range<usize>, message: String| {
        // Within quotation marks the places may have moved: point at all of it.
        let start = value.span.start;
        let place = if value.quoted { value.span.clone() } else { start + piece.start..start + piece.end };
        SyntaxError::new(place, message).help(HELP)
    };
    let unit = |piece: Range<usize>| {
        covered(&text[piece.clone()], zone).map(Some).map_err(|message| failed(piece, message))
    };
    let Some((first, second)) = text.split_once("..") else {
        let unit = unit(0..text.len())?;
        return Ok(TimeRange { from_ms: unit.as_ref().map(|u| u.start), to_ms: unit.map(|u| u.end) });
    };
    let from = if first.is_empty() { None } else { unit(0..first.len())? };
    let to = if second.is_empty() { None } else { unit(text.len() - second.len()..text.len())? };
    let range = TimeRange { from_ms: from.map(|unit| unit.start), to_ms: to.map(|unit| unit.end) };
    match (range.from_ms, range.to_ms) {
        (None, None) => Err(failed(0..text.len(), "this range has neither start nor end".into())),
        (Some(from), Some(to)) if from >= to => {
            Err(failed(0..text.len(), "this range ends before it starts".into()))
        }
        _ => Ok(range),
    }
}

/// A range told from now; `None` if the text is none.
fn relative(text: &str, clock: &Clock<'_>) -> Option<Option<TimeRange>> {
    let text = text.to_ascii_lowercase().replace(['-', '_'], " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["today"] => Some(unit(clock, "day", 0)),
        ["yesterday"] => Some(unit(clock, "day", 1)),
        ["this", name @ ("week" | "month" | "year")] => Some(unit(clock, name, 0)),
        ["last", name @ ("week" | "month" | "year")] => Some(unit(clock, name, 1)),
        ["last", count, name] => {
            let name = name.strip_suffix('s').unwrap_or(name);
            let count = count.parse::<i64>().ok().filter(|count| *count > 0)?;
            matches!(name, "minute" | "hour" | "day" | "week" | "month" | "year")
                .then(|| until_now(clock, count, name))
        }
        _ => None,
    }
}

/// Whole days, weeks, months or years of the zone, so many before this one.
fn unit(clock: &Clock<'_>, name: &str, before: i64) -> Option<TimeRange> {
    let today = clock.now.to_zoned(clock.zone.clone()).date();
    let (first, length) = match name {
        "week" => {
            (today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?, 1.week())
        }
        "month" => (today.first_of_month(), 1.month()),
        "year" => (today.first_of_year(), 1.year()),
        _ => (today, 1.day()),
    };
    let from = first.checked_sub(length.checked_mul(before).ok()?).ok()?;
    let to = from.checked_add(length).ok()?;
    let start =
        |date: Date| Some(millis(date.to_zoned(clock.zone.clone()).ok()?.start_of_day().ok()?.timestamp()));
    Some(TimeRange { from_ms: Some(start(from)?), to_ms: Some(start(to)?) })
}

/// Up to now, by the calendar of the zone.
fn until_now(clock: &Clock<'_>, count: i64, name: &str) -> Option<TimeRange> {
    let one = match name {
        "minute" => 1.minute(),
        "hour" => 1.hour(),
        "day" => 1.day(),
        "week" => 1.week(),
        "month" => 1.month(),
        _ => 1.year(),
    };
    let now = clock.now.to_zoned(clock.zone.clone());
    let from = now.checked_sub(one.checked_mul(count).ok()?).ok()?.timestamp();
    let range = TimeRange { from_ms: Some(millis(from)), to_ms: Some(millis(clock.now).saturating_add(1)) };
    (millis(from) >= MS_BOUNDS.start).then_some(range)
}

/// The milliseconds that one point covers, half-open.
fn covered(text: &str, zone: &TimeZone) -> Result<Range<i64>, String> {
    let point = point.parse(text).map_err(|_| format!("{} is not a date", shown(text)))?;
    let impossible = || format!("there is no {}", shown(text));
    let date = Date::new(point.year, point.month.unwrap_or(1), point.day.unwrap_or(1));
    let date = date.map_err(|_| impossible())?;
    let covered = match point.clock {
        Some(clock) => moment(date, clock, zone).ok_or_else(impossible)?,
        None => days(date, &point, zone).ok_or_else(|| out_of_range(text))?,
    };
    if covered.start < MS_BOUNDS.start || covered.end > MS_BOUNDS.end {
        return Err(out_of_range(text));
    }
    Ok(covered)
}

fn out_of_range(text: &str) -> String {
    format!("{} is out of range; years run from 1 to 9998", shown(text))
}

/// A day, month or year of the zone.
fn days(date: Date, point: &Point, zone: &TimeZone) -> Option<Range<i64>> {
    let length = match (point.month, point.day) {
        (_, Some(_)) => 1.day(),
        (Some(_), None) => 1.month(),
        (None, None) => 1.year(),
    };
    let start = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp());
    Some(millis(start(date)?)..millis(start(date.checked_add(length).ok()?)?))
}

/// A minute, second or millisecond; `None` if no clock ever showed it.
fn moment(date: Date, clock: Written, zone: &TimeZone) -> Option<Range<i64>> {
    let milli = i32::from(clock.milli.unwrap_or(0));
    let time = Time::new(clock.hour, clock.minute, clock.second.unwrap_or(0), milli * 1_000_000).ok()?;
    let length_ms = match (clock.second, clock.milli) {
        (_, Some(_)) => 1,
        (Some(_), None) => 1_000,
        (None, None) => 60_000,
    };
    let (first, last) = instants(date.to_datetime(time), clock.offset, zone)?;
    Some(millis(first)..millis(last) + length_ms)
}

/// The first and the last instant at which clocks showed this.
fn instants(
    local: DateTime,
    offset: Option<WrittenOffset>,
    zone: &TimeZone,
) -> Option<(Timestamp, Timestamp)> {
    if let Some(written) = offset {
        let at = written.offset()?.to_timestamp(local).ok()?;
        return Some((at, at));
    }
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        return None;
    }
    Some((ambiguous.earlier().ok()?, ambiguous.later().ok()?))
}

impl WrittenOffset {
    fn offset(self) -> Option<Offset> {
        // As in RFC 3339: hours to 23, minutes to 59.
        if self.hours > 23 || self.minutes > 59 {
            return None;
        }
        Offset::from_seconds(self.sign * (i32::from(self.hours) * 3_600 + i32::from(self.minutes) * 60)).ok()
    }
}

/// Whole milliseconds: units start on them, whatever the zone's offset.
fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

type Parsed<T> = winnow::Result<T, EmptyError>;

fn point(input: &mut &str) -> Parsed<Point> {
    let clock = preceded(one_of(['T', 't']), clock);
    let day = preceded('-', (number(2), opt(clock)));
    let month = preceded('-', (number(2), opt(day)));
    let (year, rest) = (number(4), opt(month)).parse_next(input)?;
    let (month, rest) = rest.unzip();
    let (day, clock) = rest.flatten().unzip();
    Ok(Point { year, month: month.map(small), day: day.map(small), clock: clock.flatten() })
}

fn clock(input: &mut &str) -> Parsed<Written> {
    let second = preceded(':', (number(2), opt(preceded('.', fraction))));
    let (hour, _, minute, second, offset) =
        (number(2), ':', number(2), opt(second), opt(alt((utc, numeric)))).parse_next(input)?;
    let (second, milli) = second.unzip();
    Ok(Written {
        hour: small(hour),
        minute: small(minute),
        second: second.map(small),
        milli: milli.flatten(),
        offset,
    })
}

fn utc(input: &mut &str) -> Parsed<WrittenOffset> {
    one_of(['Z', 'z']).value(WrittenOffset { sign: 1, hours: 0, minutes: 0 }).parse_next(input)
}

fn numeric(input: &mut &str) -> Parsed<WrittenOffset> {
    let sign = alt(('+'.value(1), '-'.value(-1)));
    let (sign, hours, _, minutes) = (sign, number(2), ':', number(2)).parse_next(input)?;
    Ok(WrittenOffset { sign, hours: small(hours), minutes: small(minutes) })
}

/// The milliseconds of a fraction of a second.
fn fraction(input: &mut &str) -> Parsed<i16> {
    let digits: &str = take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input)?;
    Ok(digits.bytes().chain(*b"00").take(3).fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0')))
}

fn number<'a>(digits: usize) -> impl Parser<&'a str, i16, EmptyError> {
    take_while(digits..=digits, |c: char| c.is_ascii_digit()).parse_to()
}

/// Two digits fit.
fn small(number: i16) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}
