//! The tables of the page. Each shows its first rows, and says how many more there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::section;
use crate::RECEIPT;
use crate::format::html::write::name;
use crate::receipt::{BatchEntry, FileEntry, Receipt};
use crate::redact::What;
use crate::settings::RECEIPT_PAGE_ROWS_MAX;

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `1,234 records`
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A column: its title, and its class.
type Column = (&'static str, &'static str);

const COUNT: &str = "count";
const HASH: &str = "hash";

fn attribute(class: &str) -> String {
    if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") }
}

/// A table while it is written: the first cell of a row is its header.
struct Table<'o, const N: usize> {
    out: &'o mut String,
    columns: [Column; N],
}

impl<'o, const N: usize> Table<'o, N> {
    fn begin(out: &'o mut String, caption: &str, columns: [Column; N]) -> Self {
        // Two columns far apart are hard to read across.
        let short = attribute(if N == 2 { "short" } else { "" });
        let _ = write!(out, "<table{short}>\n<caption>{caption}</caption>\n<thead><tr>");
        for (title, class) in columns {
            // A hash is set in small type; its title is not.
            let class = attribute(if class == COUNT { COUNT } else { "" });
            let _ = write!(out, "<th scope=\"col\"{class}>{title}</th>");
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        Table { out, columns }
    }

    fn row(&mut self, cells: [&str; N]) {
        self.out.push_str("<tr>");
        for (at, (cell, (_, class))) in cells.into_iter().zip(self.columns).enumerate() {
            let (tag, scope) = if at == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
            let _ = write!(self.out, "<{tag}{scope}{}>", attribute(class));
            name(self.out, cell);
            let _ = write!(self.out, "</{tag}>");
        }
        self.out.push_str("</tr>\n");
    }

    /// `all` rows there are; those beyond the limit were left out.
    fn end(self, all: usize) {
        self.out.push_str("</tbody>\n</table>\n");
        if let Some(more) = all.checked_sub(RECEIPT_PAGE_ROWS_MAX).filter(|more| *more > 0) {
            let _ = writeln!(
                self.out,
                "<p class=\"more\">These are the first {} of {}. The other {} stand in {RECEIPT}, with all of these.</p>",
                grouped(RECEIPT_PAGE_ROWS_MAX as u64),
                grouped(all as u64),
                grouped(more as u64)
            );
        }
    }
}

pub(super) fn types(out: &mut String, receipt: &Receipt) {
    if receipt.types.is_empty() {
        return;
    }
    let mut table = Table::begin(out, "Records by type", [("Type", "long"), ("Records", COUNT)]);
    for (kind, count) in receipt.types.iter().take(RECEIPT_PAGE_ROWS_MAX) {
        table.row([kind, &grouped(*count)]);
    }
    table.end(receipt.types.len());
}

pub(super) fn redactions(out: &mut String, receipt: &Receipt) {
    section(out, "redactions", "Redactions");
    let rules = receipt.request.options.iter().flat_map(|options| &options.redactions);
    let mut rules = rules.peekable();
    if rules.peek().is_none() {
        out.push_str("<p>None were asked for.</p>\n</section>\n");
        return;
    }
    out.push_str(
        "<p>What a rule found was taken out of the records before anything was written. A block such as \
         <code>[redacted: NAME]</code> stands in its place.</p>\n",
    );
    let columns = [("Rule", ""), ("What it takes out", "long"), ("Reason", "long"), ("Places", COUNT)];
    let mut table = Table::begin(out, "Redactions by rule", columns);
    let mut shown = 0;
    for rule in rules {
        let count = receipt.redactions.iter().flatten().find(|(name, _)| **name == rule.name);
        let count = count.map_or(0, |(_, redacted)| redacted.count);
        table.row([&rule.name, &what(&rule.what), &rule.reason, &grouped(count)]);
        shown += 1;
    }
    table.end(shown);
    out.push_str("</section>\n");
}

/// In words. An expression may say the very thing that it takes out: only the receipt has it.
fn what(what: &What) -> String {
    match what {
        What::Card => "card numbers with their check digit".to_owned(),
        What::Iban => "IBANs with their check digits".to_owned(),
        What::Ssn => "US social security numbers".to_owned(),
        What::Email => "e-mail addresses".to_owned(),
        What::Phone => "phone numbers".to_owned(),
        What::Pattern(_) => format!("what an expression finds, which stands in {RECEIPT}"),
        What::Records(positions) => {
            format!("whole records, by {}", counted(positions.len() as u64, "position", "positions"))
        }
    }
}

pub(super) fn batches(out: &mut String, receipt: &Receipt, produced: &BTreeMap<String, u64>) {
    section(out, "batches", "Batches");
    if receipt.batches.is_empty() {
        out.push_str("<p>There are none, for there are no records.</p>\n</section>\n");
        return;
    }
    let _ = writeln!(
        out,
        "<p>Records are archived in batches. The archive&#39;s log has had the Merkle root of a batch since it was \
         sealed, and {RECEIPT} has the proof that leads from each produced record to it.</p>"
    );
    let columns = [
        ("Batch", "long"),
        ("Archived", "time"),
        ("Records", COUNT),
        ("Produced", COUNT),
        ("Merkle root", HASH),
    ];
    let mut table = Table::begin(out, "Batches that the records are of; times are in UTC", columns);
    for (id, batch) in receipt.batches.iter().take(RECEIPT_PAGE_ROWS_MAX) {
        let BatchEntry { root, archived_time, rows, .. } = batch;
        let here = produced.get(id).copied().unwrap_or(0);
        let rows = rows.map_or_else(String::new, grouped);
        let archived = archived_time.as_deref().unwrap_or("not known");
        table.row([id, archived, &rows, &grouped(here), &root.to_string()]);
    }
    table.end(receipt.batches.len());
    out.push_str("</section>\n");
}

pub(super) fn files(out: &mut String, receipt: &Receipt) {
    section(out, "files", "Files");
    let bytes = receipt.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    let _ = writeln!(
        out,
        "<p>{} with {}, and with them this page, {RECEIPT}, and the signature if there is one. No other file may be \
         in the folder.</p>",
        counted(receipt.files.len() as u64, "file", "files"),
        counted(bytes, "byte", "bytes")
    );
    let mut table = Table::begin(out, "Files", [("File", "long"), ("Bytes", COUNT), ("SHA-256", HASH)]);
    for FileEntry { name, bytes, sha256 } in receipt.files.iter().take(RECEIPT_PAGE_ROWS_MAX) {
        table.row([name, &grouped(*bytes), &sha256.to_string()]);
    }
    table.end(receipt.files.len());
    out.push_str("</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_groups() {
        let shown = [0, 12, 999, 1_000, 123_456, 7_654_321].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "123,456", "7,654,321"]);
        assert_eq!(counted(u64::MAX, "byte", "bytes"), "18,446,744,073,709,551,615 bytes");
        assert_eq!(counted(1, "byte", "bytes"), "1 byte");
    }
}
