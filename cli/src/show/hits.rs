//! Hits of a search: a table for people, JSON for machines.

use std::fmt::Write;

use custody_archive::Record;
use custody_index::text::Snippet;
use custody_index::{Answer, Cursor, Hit};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::facets::{self, Account};
use super::{clean, fit, one_line, recipients, sender, time, versions, words};

const TYPE_COLUMNS: usize = 22;
const WHO_COLUMNS: usize = 40;

/// A block of two or three lines a hit, and one for each other version of its message.
pub fn table(hits: &[Hit<Record>], zone: &TimeZone, color: bool) -> String {
    let mut out = String::new();
    for hit in hits {
        let record = &hit.record;
        let (from, to) = (sender(record), recipients(record));
        let who = match (from.is_empty(), to.is_empty()) {
            (false, false) => format!("{from} → {to}"),
            _ => format!("{from}{to}"),
        };
        let copies = if hit.copies > 1 { format!("  ×{}", hit.copies) } else { String::new() };
        let (mark, versions) = versions::of_hit(hit, zone);
        // Writing to a text cannot fail.
        let _ = writeln!(
            out,
            "{}  {}  {}  {}{copies}{mark}",
            time(record.time_us, zone, "%Y-%m-%d %H:%M:%S"),
            fit(&one_line(&record.short_type()), TYPE_COLUMNS),
            fit(&who, WHO_COLUMNS),
            one_line(record.conversation.as_deref().unwrap_or(""))
        );
        let text = if hit.snippet.text.trim().is_empty() {
            one_line(&words(record)).chars().take(160).collect()
        } else {
            marked(&hit.snippet, color)
        };
        let _ = writeln!(out, "    {text}\n    {}", record.position);
        versions.iter().for_each(|line| out += &format!("        {line}\n"));
    }
    out
}

/// The snippet with its highlights in bold, or in brackets without colours.
fn marked(snippet: &Snippet, color: bool) -> String {
    let (open, close) = if color { ("\x1b[1m", "\x1b[0m") } else { ("[", "]") };
    let mut out = String::new();
    let mut at = 0;
    for range in &snippet.highlights {
        let (Some(before), Some(inside)) =
            (snippet.text.get(at..range.start), snippet.text.get(range.clone()))
        else {
            continue;
        };
        out.push_str(&clean(before));
        out.push_str(open);
        out.push_str(&clean(inside));
        out.push_str(close);
        at = range.end;
    }
    out.push_str(&clean(snippet.text.get(at..).unwrap_or("")));
    out.replace('\n', " ")
}

/// What a page is of, through which version it is complete, and how to go on. `zone` is
/// that of the times which were printed.
pub fn summary(answer: &Answer<Record>, behind: u64, zone: Option<&str>) -> String {
    let again = answer.copies.saturating_sub(answer.total);
    let copies = if again > 0 { format!(" ({again} more deliveries of the same)") } else { String::new() };
    format!(
        "{} of {} records{copies}{}",
        answer.hits.len(),
        answer.total,
        complete(answer.through_version, behind, zone, answer.next.as_ref())
    )
}

/// The end of every answer's last line, and the line of the next page.
pub(super) fn complete(version: u64, behind: u64, zone: Option<&str>, next: Option<&Cursor>) -> String {
    let behind = if behind > 0 { format!(", {behind} behind the archive") } else { String::new() };
    let zone = zone.map(|zone| format!("; times in {zone}")).unwrap_or_default();
    let next = next.map(|next| format!("next page: --cursor {next}\n")).unwrap_or_default();
    format!("; complete through version {version}{behind}{zone}\n{next}")
}

pub(super) fn value(hit: &Hit<Record>) -> Value {
    let record = &hit.record;
    json!({
        "position": record.position.to_string(),
        "leaf_hash": record.leaf,
        "batch": record.batch,
        "batch_root": record.batch_root,
        "version": hit.version,
        "copies": hit.copies,
        "type": record.short_type(),
        "time": record.time_us.map(|us| time(Some(us), &TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.fZ")),
        "id": record.id,
        "source": record.source,
        "tenant": record.tenant,
        "conversation": record.conversation,
        "parties": record.parties,
        "text": words(record),
        "content_type": record.content_type,
        "body": record.body,
        "highlights": hit.highlights.body.iter().map(|r| json!({ "start": r.start, "end": r.end })).collect::<Vec<_>>(),
        "highlights_more": hit.highlights.more,
        "highlights_in": hit.highlights.parts.iter().map(|part| part.name()).collect::<Vec<_>>(),
        "warnings": record.warnings,
        "quarantined": record.quarantined,
        "gap": record.gap,
        "versions": versions::json(hit),
        "versions_left_out": hit.versions.left_out,
        "snippet": { "text": hit.snippet.text, "highlights": hit.snippet.highlights.iter().map(|r| [r.start, r.end]).collect::<Vec<_>>() },
    })
}

/// The whole answer as one object; facets and the account only where they were asked for.
pub fn json(answer: &Answer<Record>, account: Option<&Account<'_>>) -> String {
    let mut whole = json!({
        "through_version": answer.through_version,
        "total": answer.total,
        "deliveries": answer.copies,
        "next": answer.next.as_ref().map(ToString::to_string),
        "hits": answer.hits.iter().map(value).collect::<Vec<_>>(),
    });
    if let Some(facets) = &answer.facets {
        whole["facets"] = facets::json(facets);
    }
    if let Some(account) = account {
        whole["explained"] = account.json();
    }
    format!("{whole:#}")
}

/// One object a hit, and a last one of the facets where they were asked for.
pub fn jsonl(answer: &Answer<Record>) -> String {
    let hits = answer.hits.iter().map(value);
    let facets = answer.facets.iter().map(|facets| json!({ "facets": facets::json(facets) }));
    hits.chain(facets).map(|line| format!("{line}\n")).collect()
}
