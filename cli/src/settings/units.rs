//! Numbers with units, read and written.

/// Bytes.
pub(super) const KIB: u64 = 1024;
/// Bytes.
pub(super) const MIB: u64 = 1024 * KIB;
/// Bytes.
pub(super) const GIB: u64 = 1024 * MIB;
/// Milliseconds.
pub(super) const HOUR: u64 = 60 * 60 * 1000;

/// Largest first, for writing; the plain byte comes last. Decimal units are read but never
/// written: one spelling is enough in print.
const BYTES: &[(&str, u64)] = &[
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];
const BINARY: usize = 3;

/// In milliseconds, largest first. No days: nothing here waits for one.
const TIMES: &[(&str, u64)] = &[("h", HOUR), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Reads `16MiB`, `16 MiB` or `16777216`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit = if unit.is_empty() { "B" } else { unit };
    times(number, BYTES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))).ok_or_else(|| {
        format!("{text:?} is not a size; write a number and KiB, MiB or GiB, such as \"16MiB\"")
    })
}

/// Reads `500ms` or `2s` as milliseconds. A bare number is refused: its unit would be a guess.
pub(super) fn duration_ms(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    times(number, TIMES.iter().find(|(name, _)| *name == unit)).ok_or_else(|| {
        format!("{text:?} is not a duration; write a number and ms, s, m or h, such as \"2s\"")
    })
}

/// Reads `200000` or `200_000`.
pub(super) fn count(text: &str) -> Result<u64, String> {
    number(text).ok_or_else(|| format!("{text:?} is not a whole number"))
}

/// Writes bytes with the largest unit that loses nothing.
pub(super) fn show_bytes(value: u64) -> String {
    let exact = BYTES[..BINARY].iter().find(|(_, size)| value > 0 && value.is_multiple_of(*size));
    exact.map_or_else(|| format!("{value}B"), |(unit, size)| format!("{}{unit}", value / size))
}

/// Writes milliseconds with the largest unit that loses nothing.
pub(super) fn show_ms(value: u64) -> String {
    let exact = TIMES.iter().find(|(_, size)| value > 0 && value.is_multiple_of(*size));
    exact.map_or_else(|| format!("{value}ms"), |(unit, size)| format!("{}{unit}", value / size))
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn times(text: &str, unit: Option<&(&str, u64)>) -> Option<u64> {
    number(text)?.checked_mul(unit?.1)
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    if digits { text.replace('_', "").parse().ok() } else { None }
}
