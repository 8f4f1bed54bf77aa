//! Times as transcripts show them: exact, in the production's zone, with the offset.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::format::columns::near;

/// A time in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownTime {
    local: DateTime,
    offset: Offset,
    /// RFC 3339, or what is closest to it where the offset has seconds.
    text: String,
}

/// Characters of a date.
const DATE: usize = 10;

impl ShownTime {
    /// Microseconds since 1970 UTC; `None` outside of the years 1 to 9999, which nobody can write.
    pub(crate) fn new(us: i64, zone: &TimeZone) -> Option<Self> {
        let time = Timestamp::from_microsecond(us).ok()?;
        let offset = zone.to_offset(time);
        let local = offset.to_datetime(time);
        if local.year() < 1 {
            return None;
        }
        let digits = if us % 1_000 == 0 { 3 } else { 6 };
        let text = near(us, digits, offset).unwrap_or_else(|| far(local, offset));
        Some(ShownTime { local, offset, text })
    }

    /// Where the offset begins: behind the last sign of the time.
    fn offset_at(&self) -> usize {
        self.text.rfind(['+', '-']).unwrap_or(self.text.len())
    }

    /// `2013-05-29`
    pub(crate) fn date(&self) -> String {
        self.text[..DATE].to_owned()
    }

    /// `09:15:00.000`; with six digits where the time has them.
    pub(crate) fn clock(&self) -> String {
        self.text[DATE + 1..self.offset_at()].to_owned()
    }

    /// `+02:00`; with seconds where the zone has them, as before 1900.
    pub(crate) fn offset(&self) -> String {
        self.text[self.offset_at()..].to_owned()
    }

    /// RFC 3339, or what is closest to it where the offset has seconds.
    pub(crate) fn rfc3339(&self) -> String {
        self.text.clone()
    }

    /// C's `asctime`, without a zone: `Wed May 29 09:15:00 2013`.
    pub(crate) fn asctime(&self) -> String {
        self.local.strftime("%a %b %e %H:%M:%S %Y").to_string()
    }

    /// The date of a mail, of RFC 5322: its day of the week and all, in whole seconds. `None` before
    /// 1900, which it cannot say. A zone with seconds in its offset, which it cannot say either, is
    /// shown in UTC.
    pub(crate) fn rfc5322(&self) -> Option<String> {
        let whole = self.offset.seconds() % 60 == 0;
        let (at, offset) = if whole {
            (self.local, self.offset)
        } else {
            let time = self.offset.to_timestamp(self.local).ok()?;
            (Offset::UTC.to_datetime(time), Offset::UTC)
        };
        let (sign, minutes) =
            (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().unsigned_abs() / 60);
        let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
        (at.year() >= 1900).then(|| format!("{} {zone}", at.strftime("%a, %d %b %Y %H:%M:%S")))
    }
}

/// The same text where the offset has seconds.
fn far(at: DateTime, offset: Offset) -> String {
    let us = at.subsec_nanosecond() / 1_000;
    let fraction = if us % 1_000 == 0 { format!("{:03}", us / 1_000) } else { format!("{us:06}") };
    let (sign, s) = (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().abs());
    let seconds = if s % 60 == 0 { String::new() } else { format!(":{:02}", s % 60) };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction}{sign}{:02}:{:02}{seconds}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        s / 3_600,
        s / 60 % 60,
    )
}

/// All of a time, for where there is no room to take it apart: RFC 3339, or the bare number.
pub(crate) fn exact(us: i64, zone: &TimeZone) -> String {
    ShownTime::new(us, zone).map_or_else(|| format!("{us} \u{b5}s since 1970 UTC"), |time| time.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(us: i64, zone: &str, rfc3339: &str, rfc5322: Option<&str>) {
        let zone = TimeZone::get(zone).unwrap();
        assert_eq!(exact(us, &zone), rfc3339, "{us}");
        let time = ShownTime::new(us, &zone);
        assert_eq!(time.and_then(|time| time.rfc5322()).as_deref(), rfc5322, "{us}");
    }

    #[test]
    fn times_are_exact() {
        let us = 1_369_818_900_123_000;
        let mail = Some("Wed, 29 May 2013 09:15:00 +0000");
        check(us, "UTC", "2013-05-29T09:15:00.123+00:00", mail);
        let mail = Some("Wed, 29 May 2013 11:15:00 +0200");
        check(us + 1, "Europe/Berlin", "2013-05-29T11:15:00.123001+02:00", mail);
        let mail = Some("Wed, 29 May 2013 06:45:00 -0230");
        check(us, "America/St_Johns", "2013-05-29T06:45:00.123-02:30", mail);
        // One hour happens twice: the offset tells which.
        let mail = Some("Sun, 27 Oct 2013 02:30:00 +0200");
        check(1_382_833_800_000_000, "Europe/Berlin", "2013-10-27T02:30:00.000+02:00", mail);
        let mail = Some("Sun, 27 Oct 2013 02:30:00 +0100");
        check(1_382_837_400_000_000, "Europe/Berlin", "2013-10-27T02:30:00.000+01:00", mail);
        let mail = Some("Thu, 01 Jan 1970 00:00:00 +0000");
        check(0, "Africa/Monrovia", "1969-12-31T23:15:30.000-00:44:30", mail);
        check(-3_000_000_000_000_000, "UTC", "1874-12-07T18:40:00.000+00:00", None);
        check(i64::MAX, "UTC", "9223372036854775807 \u{b5}s since 1970 UTC", None);
        check(-63_000_000_000_000_000, "UTC", "-63000000000000000 \u{b5}s since 1970 UTC", None);
    }
}
