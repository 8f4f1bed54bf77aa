//! What people see of records. Records are hostile: nothing of them reaches the
//! terminal that could move its cursor, hide or recolour text.

pub mod conversation;
pub mod hits;
pub mod record;
#[cfg(test)]
mod tests;

use custody_archive::Record;
use custody_schemas::text::plain;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar;

/// Text with control characters, and characters that reverse the direction of
/// what follows, made visible. Line breaks stay.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let reverses =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\n' => out.push('\n'),
            c if c.is_control() || reverses => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// The same on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// Columns that a text takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Cut or filled up to a number of columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return format!("{text}{}", " ".repeat(columns - width(text)));
    }
    let mut out = String::new();
    for c in text.chars() {
        if width(&out) + c.width().unwrap_or(0) + 1 > columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    let filled = columns.saturating_sub(width(&out));
    out + &" ".repeat(filled)
}

/// A time in a zone, by a `strftime` form; what cannot be shown says so.
pub(crate) fn time(us: Option<i64>, zone: &TimeZone, form: &str) -> String {
    let Some(us) = us else { return "no time".to_owned() };
    match Timestamp::from_microsecond(us) {
        Ok(at) => at.to_zoned(zone.clone()).strftime(form).to_string(),
        Err(_) => format!("{us} µs"),
    }
}

/// The readable text of a record: its body, else what it says of itself.
pub(crate) fn words(record: &Record) -> String {
    if let Some(reason) = &record.quarantined {
        return format!("could not be decoded: {reason}");
    }
    match &record.body {
        Some(body) => plain(record.content_type.as_deref(), body).into_owned(),
        None => record.detail.clone().or_else(|| record.title.clone()).unwrap_or_default(),
    }
}

/// Who did it.
pub(crate) fn sender(record: &Record) -> String {
    record.sender().map_or_else(String::new, |party| one_line(party.label()))
}

/// To whom, at most three by name.
pub(crate) fn recipients(record: &Record) -> String {
    let all: Vec<_> = record.related("to").map(|party| one_line(party.label())).collect();
    match all.len() {
        0..=3 => all.join(", "),
        more => format!("{} and {} more", all[..2].join(", "), more - 2),
    }
}
