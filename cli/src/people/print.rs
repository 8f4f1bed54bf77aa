//! A register and what changes in it, for people and as JSON.

use std::fmt::Write;

use custody_index::people::{Change, Difference, Entry, Register, show_ms};
use serde_json::{Value, json};

use crate::show::{fit, one_line};

/// Persons that a difference lists by name, of each kind; the numbers are of all.
const LISTED_MAX: usize = 100;

/// The widest that a column becomes.
const COLUMNS_MAX: usize = 40;

/// What is added, removed and changed, with numbers at the end.
pub fn difference(difference: &Difference) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    for (sign, changes) in [('+', &difference.added), ('-', &difference.removed), ('~', &difference.changed)]
    {
        for change in changes.iter().take(LISTED_MAX) {
            let _ = writeln!(out, "{sign} {}", who(change));
            for (sign, entries) in [('-', &change.removed), ('+', &change.added)] {
                for entry in entries {
                    let _ = writeln!(out, "    {sign} {}", one_line(&line(change, entry)));
                }
            }
        }
        if let Some(more) = changes.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
            let _ = writeln!(out, "{sign} and {more} more");
        }
    }
    let _ = writeln!(
        out,
        "{} people added, {} removed, {} changed",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len()
    );
    out
}

fn who(change: &Change) -> String {
    let id = change.id.as_ref().map(|id| format!(" ({})", one_line(id)));
    format!("{}{}", one_line(&change.name), id.unwrap_or_default())
}

fn line(change: &Change, entry: &Entry) -> String {
    let mut text = entry.address.clone();
    if let Some(network) = &entry.network {
        text.push_str(&format!(" on {network}"));
    }
    if entry.name != change.name {
        text.push_str(&format!(", as {}", entry.name));
    }
    if let Some(department) = &entry.department {
        text.push_str(&format!(", {department}"));
    }
    format!("{text}, {}", entry.times())
}

fn held(register: &Register, at_ms: Option<i64>) -> impl Iterator<Item = (Option<&str>, &Entry)> {
    let all = register.people.persons().iter();
    let entries = all.flat_map(|person| person.entries.iter().map(|entry| (person.id.as_deref(), entry)));
    entries.filter(move |(_, entry)| at_ms.is_none_or(|at| entry.range().contains(at)))
}

/// A line for each address; with an instant, only for those that were held then.
pub fn table(register: &Register, at_ms: Option<i64>) -> String {
    const HEAD: [&str; 7] = ["person", "id", "department", "address", "network", "valid from", "valid to"];
    let mut rows: Vec<[String; 7]> = held(register, at_ms)
        .map(|(id, entry)| {
            [
                one_line(&entry.name),
                one_line(id.unwrap_or_default()),
                one_line(entry.department.as_deref().unwrap_or_default()),
                one_line(&entry.address),
                one_line(entry.network.as_deref().unwrap_or_default()),
                entry.from_ms.map(show_ms).unwrap_or_default(),
                entry.to_ms.map(show_ms).unwrap_or_default(),
            ]
        })
        .collect();
    rows.sort();
    rows.insert(0, HEAD.map(str::to_owned));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count().min(COLUMNS_MAX)).max().unwrap_or(0)
    });
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| fit(cell, width)).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    let at = at_ms.map(|at| format!(" held at {}", show_ms(at))).unwrap_or_default();
    let _ = writeln!(
        out,
        "{} addresses{at}; register {} of {}, from {} {}",
        rows.len() - 1,
        register.number,
        show_ms(register.at_ms),
        register.source.kind,
        one_line(&register.source.name)
    );
    out
}

/// The same for machines.
pub fn json(register: &Register, at_ms: Option<i64>) -> Value {
    let entry = |(id, entry): (Option<&str>, &Entry)| {
        json!({
            "person": entry.name,
            "id": id,
            "department": entry.department,
            "address": entry.address,
            "network": entry.network,
            "valid_from": entry.from_ms.map(show_ms),
            "valid_to": entry.to_ms.map(show_ms),
        })
    };
    json!({
        "register": register.number,
        "written": show_ms(register.at_ms),
        "source": register.source,
        "at": at_ms.map(show_ms),
        "addresses": held(register, at_ms).map(entry).collect::<Vec<_>>(),
    })
}
