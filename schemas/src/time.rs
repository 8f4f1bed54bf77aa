//! Times as events write them.

/// RFC 3339 with an offset, as microseconds since 1970 UTC; finer parts are cut.
pub fn time_us(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_microsecond())
}

/// Year, month and day of a number of days since 1970.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a date, in days since 1970; the inverse of [`civil`].
///
/// Source: the same, `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Reads what [`time_text`] writes with this many digits, from 1970 to 9998: microseconds since 1970
/// UTC. `None` for anything else, also for other forms of the same time.
pub fn time_read(text: &[u8], digits: u8) -> Option<i64> {
    let digits = usize::from(digits);
    let length = if digits == 0 { 20 } else { 21 + digits };
    if digits > 6 || text.len() != length || text[length - 1] != b'Z' || (digits > 0 && text[19] != b'.') {
        return None;
    }
    if [4, 7].iter().any(|at| text[*at] != b'-') || text[10] != b'T' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0, |number, digit| {
            let digit = digit.wrapping_sub(b'0');
            (digit <= 9).then_some(number * 10 + i64::from(digit))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1970..=9_998).contains(&year)
        || !(1..=last).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let fraction = if digits == 0 {
        0
    } else {
        number(20, 20 + digits)? * [1, 100_000, 10_000, 1_000, 100, 10, 1][digits]
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000 + fraction)
}

/// Appends a time of microseconds since 1970 UTC as RFC 3339 in UTC, with `Z` and this many
/// digits of the second's fraction, 6 at most; finer parts are cut. `None` for more digits,
/// and for a time outside of the years 1 to 9999: not every reader knows a year 0.
///
/// Every record is written and read with it: a library's printer takes six times as long.
pub fn time_text(us: i64, digits: u8, out: &mut Vec<u8>) -> Option<()> {
    let (seconds, fraction) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    if digits > 6 || !(1..=9_999).contains(&year) {
        return None;
    }
    let second = seconds.rem_euclid(86_400);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    for (at, value) in [
        (2, year % 100),
        (0, year / 100),
        (5, month),
        (8, day),
        (11, second / 3_600),
        (14, second / 60 % 60),
        (17, second % 60),
        (20, fraction / 10_000),
        (22, fraction / 100 % 100),
        (24, fraction % 100),
    ] {
        // Two digits: neither is above 9.
        text[at] += (value / 10) as u8;
        text[at + 1] += (value % 10) as u8;
    }
    let end = if digits == 0 { 19 } else { 20 + usize::from(digits) };
    text[end] = b'Z';
    out.extend_from_slice(&text[..=end]);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(us: i64, digits: u8) -> Option<String> {
        let mut out = Vec::new();
        time_text(us, digits, &mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn times() {
        for (us, digits, expected) in [
            (0, 0, Some("1970-01-01T00:00:00Z")),
            (-1, 6, Some("1969-12-31T23:59:59.999999Z")),
            (1_369_818_902_123_456, 3, Some("2013-05-29T09:15:02.123Z")),
            (951_782_400_000_000, 1, Some("2000-02-29T00:00:00.0Z")),
            (253_402_300_799_999_999, 6, Some("9999-12-31T23:59:59.999999Z")),
            (253_402_300_800_000_000, 0, None),
            (-62_135_596_800_000_000, 0, Some("0001-01-01T00:00:00Z")),
            (-62_135_596_800_000_001, 0, None),
            (0, 7, None),
            (i64::MAX, 0, None),
            (i64::MIN, 0, None),
        ] {
            assert_eq!(shown(us, digits).as_deref(), expected, "{us}");
        }
    }

    proptest! {
        #[test]
        fn the_library_prints_the_same(us in -62_135_596_800_000_000i64..253_402_200_000_000_000, digits in 0u8..=6) {
            let time = jiff::Timestamp::from_microsecond(us).unwrap();
            let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(digits));
            let text = shown(us, digits).unwrap();
            prop_assert_eq!(&text, &printer.timestamp_to_string(&time));
            let unit = 10i64.pow(6 - u32::from(digits));
            prop_assert_eq!(time_us(&text), Some(us.div_euclid(unit) * unit));
        }

        #[test]
        fn what_is_written_is_read(us in 0i64..253_370_764_800_000_000, digits in 0u8..=6) {
            let text = shown(us, digits).unwrap();
            prop_assert_eq!(time_read(text.as_bytes(), digits), time_us(&text));
        }

        /// What is read is what would be written, and what the library reads.
        #[test]
        fn nothing_else_is_read(
            us in 0i64..4_102_444_800_000_000,
            digits in 0u8..=6,
            changes in prop::collection::vec((0usize..27, prop_oneof![Just(b'0'), Just(b'9'), Just(b'3'), any::<u8>()]), 0..3),
        ) {
            let mut text = shown(us, digits).unwrap().into_bytes();
            for (at, byte) in changes {
                if let Some(at) = text.get_mut(at) {
                    *at = byte;
                }
            }
            if let Some(read) = time_read(&text, digits) {
                let text = String::from_utf8(text).unwrap();
                prop_assert_eq!(shown(read, digits), Some(text.clone()));
                prop_assert_eq!(time_us(&text), Some(read));
            }
        }
    }
}
