//! What was found by conversation or by participant.

use std::fmt::Write;

use custody_archive::Record;
use custody_index::{Group, Grouped};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::facets::{self, Account};
use super::{hits, one_line};

/// How many and what of each group, and its first hit.
pub fn table(groups: &[Group<Record>], zone: &TimeZone, color: bool) -> String {
    let mut out = String::new();
    for Group { value, count, hit } in groups {
        let value = if value.is_empty() { "(none)".to_owned() } else { one_line(value) };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{count:>10}  {value}");
        out.push_str(&hits::table(std::slice::from_ref(hit), zone, color));
    }
    out
}

/// What a page is of, through which version it is complete, and how to go on. `zone` is that of the
/// times which were printed.
pub fn summary(answer: &Grouped<Record>, behind: u64, zone: Option<&str>) -> String {
    let ungrouped = match answer.ungrouped {
        0 => String::new(),
        count => format!(", {count} of them in no group"),
    };
    format!(
        "{} of {} groups of {} records{ungrouped}{}",
        answer.groups.len(),
        answer.groups_total,
        answer.total,
        hits::complete(answer.through_version, behind, zone, answer.next.as_ref())
    )
}

fn value(group: &Group<Record>) -> Value {
    json!({ "value": group.value, "count": group.count, "hit": hits::value(&group.hit) })
}

/// The whole answer as one object; facets and the account only where they were asked for.
pub fn json(answer: &Grouped<Record>, account: Option<&Account<'_>>) -> String {
    let mut whole = json!({
        "through_version": answer.through_version,
        "total": answer.total,
        "deliveries": answer.copies,
        "groups_total": answer.groups_total,
        "ungrouped": answer.ungrouped,
        "next": answer.next.as_ref().map(ToString::to_string),
        "groups": answer.groups.iter().map(value).collect::<Vec<_>>(),
    });
    if let Some(facets) = &answer.facets {
        whole["facets"] = facets::json(facets);
    }
    if let Some(account) = account {
        whole["explained"] = account.json();
    }
    format!("{whole:#}")
}

/// One object a group, and a last one of the facets where they were asked for.
pub fn jsonl(answer: &Grouped<Record>) -> String {
    let groups = answer.groups.iter().map(value);
    let facets = answer.facets.iter().map(|facets| json!({ "facets": facets::json(facets) }));
    groups.chain(facets).map(|line| format!("{line}\n")).collect()
}
