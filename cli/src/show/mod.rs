//! What people see of records. Records are hostile: nothing of them reaches the
//! terminal that could move its cursor, hide or recolour text.

pub mod conversation;
pub mod facets;
pub mod gaps;
pub mod groups;
pub mod hits;
mod json;
pub mod record;
#[cfg(test)]
mod tests;
mod versions;

use custody_archive::Record;
use custody_schemas::text::plain;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar;

/// Text with control characters, and characters that are not seen but reverse,
/// break or hide what stands around them, made visible. Line breaks stay.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            c if c.is_control() || is_unseen(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Unicode's format characters, but for the joiners that emoji and scripts need.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The same on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// Characters that one column may take: a letter and its marks. Without a limit
/// a name of a million marks would be one column wide.
const CHARS_PER_COLUMN_MAX: usize = 4;

/// Cut or filled up to a number of columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let mut chars = text.chars();
    let (mut out, mut width) = (String::new(), 0);
    // Where the text is cut if it does not fit: an ellipsis takes a column.
    let (mut cut, mut cut_width) = (0, 0);
    for c in chars.by_ref().take(columns * CHARS_PER_COLUMN_MAX) {
        let next = width + c.width().unwrap_or(0);
        if next > columns {
            out.truncate(cut);
            return fill(out + "…", cut_width + 1, columns);
        }
        out.push(c);
        width = next;
        if width < columns {
            (cut, cut_width) = (out.len(), width);
        }
    }
    if chars.next().is_some() {
        out.truncate(cut);
        return fill(out + "…", cut_width + 1, columns);
    }
    fill(out, width, columns)
}

fn fill(text: String, width: usize, columns: usize) -> String {
    text + &" ".repeat(columns.saturating_sub(width))
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
