//! The instants between which an address is somebody's.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The milliseconds since 1970 UTC of a day, which is its first in UTC, or of an RFC 3339 instant.
///
/// # Errors
///
/// Says how it is written.
pub fn instant_ms(text: &str) -> Result<i64, String> {
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not a date; write a day such as 2024-05-31, or 2024-05-31T09:00:00Z")
    };
    let looks = text.as_bytes().get(..5).is_some_and(|start| {
        start[..4].iter().all(u8::is_ascii_digit) && start[4] == b'-' && start[..4] != *b"0000"
    });
    // What is printed has four digits for the year.
    if !looks || text.starts_with("9999") {
        return Err(wrong());
    }
    let at = if text.len() == "2024-05-31".len() {
        let day: Date = text.parse().map_err(|_| wrong())?;
        day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp()
    } else {
        text.parse::<Timestamp>().map_err(|_| wrong())?
    };
    Ok(at.as_millisecond())
}

/// A day where it is the first instant of one, else the instant, in UTC.
pub fn show_ms(ms: i64) -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let Ok(at) = Timestamp::from_millisecond(ms) else { return format!("{ms} ms") };
    if ms % DAY_MS == 0 { at.strftime("%Y-%m-%d").to_string() } else { format!("{at:.3}") }
}
