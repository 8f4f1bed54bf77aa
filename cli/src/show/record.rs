//! One record with its provenance.

use std::fmt::Write;

use custody_archive::Record;
use jiff::tz::TimeZone;

use super::{clean, json, one_line, time, words};

/// Bytes of a payload that is no text which are printed.
const DUMP_BYTES: usize = 512;
const FULL: &str = "%Y-%m-%d %H:%M:%S%.f %Z";

/// Everything that is known of a record.
pub fn record(record: &Record, zone: &TimeZone, color: bool) -> String {
    let (bold, plain) = if color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut out = format!("{bold}{}{plain}  {}\n\n", record.position, one_line(&record.short_type()));
    let ms = |ms: Option<i64>| time(ms.map(|ms| ms.saturating_mul(1_000)), zone, FULL);
    let parties = record.parties.iter().map(|party| {
        let words = [&party.name, &party.address, &party.network, &party.scope, &party.role];
        let words: Vec<_> = words.into_iter().flatten().map(|word| one_line(word)).collect();
        (party.relation.clone(), words.join(" · "))
    });
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut rows = vec![
        ("happened".to_owned(), time(record.time_us, zone, FULL)),
        ("quarantined".into(), own(&record.quarantined)),
        ("warnings".into(), own(&record.warnings)),
        ("id".into(), record.id.clone()),
        ("source".into(), record.source.clone()),
        ("sequence".into(), record.sequence.map(|n| n.to_string()).unwrap_or_default()),
        ("tenant".into(), own(&record.tenant)),
        ("conversation".into(), own(&record.conversation)),
        ("title".into(), own(&record.title)),
    ];
    rows.extend(parties);
    rows.push(("client".into(), own(&record.client)));
    rows.push(("message".into(), own(&record.message_id)));
    if let Some(ms) = record.call.as_ref().and_then(|call| call.duration_ms) {
        rows.push(("duration".into(), format!("{} s", ms / 1_000)));
    }
    if record.quarantined.is_none() {
        rows.push(("text".into(), words(record)));
    }
    rows.extend([
        (String::new(), String::new()),
        ("broker time".into(), ms(record.broker_time_ms)),
        ("archived".into(), ms(Some(record.archived_ms))),
        ("batch".into(), record.batch.clone()),
        ("batch root".into(), record.batch_root.to_string()),
        ("leaf hash".into(), format!("{} (made anew from the bytes: equal)", record.leaf)),
        ("file".into(), record.file.clone()),
        ("key".into(), record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned()),
    ]);
    for (name, value) in rows.iter().filter(|(name, value)| name.is_empty() || !value.is_empty()) {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{name:<13} {}", one_line(value));
    }
    for (name, value) in &record.headers {
        let value =
            value.as_deref().map_or_else(|| "null".to_owned(), |v| one_line(&String::from_utf8_lossy(v)));
        let _ = writeln!(out, "{:<13} {}: {value}", "header", one_line(name));
    }
    out.push('\n');
    out.push_str(&payload(record.payload.as_deref()));
    out
}

fn payload(payload: Option<&[u8]>) -> String {
    let Some(bytes) = payload else { return "no payload: a tombstone\n".to_owned() };
    if let Ok(text) = std::str::from_utf8(bytes) {
        let pretty = json::pretty(text);
        return format!("{}\n", clean(pretty.as_deref().unwrap_or(text)));
    }
    let mut out = format!("{} bytes, not text:\n", bytes.len());
    for (line, chunk) in bytes.chunks(16).take(DUMP_BYTES / 16).enumerate() {
        let hex: String = chunk.iter().map(|byte| format!("{byte:02x} ")).collect();
        let text: String = chunk
            .iter()
            .map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' })
            .collect();
        let _ = writeln!(out, "{:08x}  {hex:<48} {text}", line * 16);
    }
    if bytes.len() > DUMP_BYTES {
        let _ = writeln!(out, "… {} more bytes", bytes.len() - DUMP_BYTES);
    }
    out
}
