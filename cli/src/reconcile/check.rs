//! `custody verify STATEMENT`: whether a statement is whole and unchanged, and of this archive.

use std::path::Path;

use custody_archive::Archive;
use custody_schemas::Hash;
use serde::Serialize;
use serde_json::{Value, json};

use super::statement::{STATEMENT_VERSION, batches};
use crate::failure::{Done, Failure};
use crate::settings::Loaded;
use crate::show::one_line;
use crate::{open as opening, outln};

/// What a statement that is whole says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Whole {
    /// The version that the archive had; `None` before its first commit.
    pub(super) archive_version: Option<u64>,
    pub(super) batches: Vec<Value>,
    /// Things that it names as unexplained.
    pub(super) unexplained: usize,
}

/// `custody verify STATEMENT`; compared with the archive where one is set.
pub fn verify_statement(loaded: &Loaded, path: &Path, as_json: bool) -> Done {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|e| Failure::failed(format!("cannot read the statement {shown}: {e}")))?;
    let refused = |what: String| Failure::unsound(format!("{shown}: {}", one_line(&what)));
    let whole = whole(&bytes).map_err(refused)?;
    let compares = !loaded.settings.archive.path.is_empty();
    if compares {
        let archive = opening::archive(loaded)?;
        if let Some(what) = differs(&whole, &archive)? {
            return Err(refused(what));
        }
    }
    let version = whole.archive_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let (count, open) = (whole.batches.len(), whole.unexplained);
    if as_json {
        outln!(
            "{}",
            json!({ "archive_version": whole.archive_version, "batches": count, "unexplained": open, "compared": compares })
        );
    } else {
        let compared = if compares {
            "the archive has them all"
        } else {
            "not compared with an archive (give --archive)"
        };
        outln!("{shown}: whole; archive version {version}, {count} batches: {compared}; {open} unexplained");
    }
    Ok(())
}

/// Reads a statement, or says why it is none any more.
pub(super) fn whole(bytes: &[u8]) -> Result<Whole, String> {
    let cut = || "it is cut short: its last line is not the end of a statement".to_owned();
    let inner = bytes.strip_suffix(b"\n").ok_or_else(cut)?;
    let begin = inner.iter().rposition(|byte| *byte == b'\n').ok_or_else(cut)? + 1;
    let (before, last) = (&bytes[..begin], &inner[begin..]);
    let end: Value = serde_json::from_slice(last).map_err(|_| cut())?;
    if end["line"] != "end" {
        return Err(cut());
    }
    let sha256 = Hash::of(before).to_string();
    if end["sha256_before"] != sha256.as_str() {
        return Err(format!(
            "it was changed: its lines have the SHA-256 {sha256}, its end says {}",
            end["sha256_before"]
        ));
    }
    let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    if end["lines_before"] != lines.len() {
        return Err(format!("it has {} lines, its end says {}", lines.len(), end["lines_before"]));
    }
    let parse = |(nth, line): (usize, &&[u8])| {
        serde_json::from_slice(line).map_err(|e| format!("line {}: not JSON: {e}", nth + 1))
    };
    let said = lines.iter().enumerate().map(parse).collect::<Result<Vec<Value>, String>>()?;
    let first = said.first().filter(|first| first["line"] == "statement");
    let first = first.ok_or("line 1: not the head of a statement")?;
    if first["statement_version"] != STATEMENT_VERSION {
        return Err(format!(
            "line 1: a statement of version {}; this program knows {STATEMENT_VERSION}",
            first["statement_version"]
        ));
    }
    let archive_version = first["archive_version"].as_u64();
    let unexplained = said.iter().filter(|line| line["line"] == "unexplained").count();
    let batches = said.into_iter().filter(|line| line["line"] == "batch").collect();
    Ok(Whole { archive_version, batches, unexplained })
}

/// The first batch of which the statement and the archive say different things, through the version
/// that the statement is of.
pub(super) fn differs(whole: &Whole, archive: &Archive) -> Result<Option<String>, Failure> {
    let has = batches(archive, whole.archive_version)?;
    let told = |line: &Value| format!("version {}, file {}", line["version"], line["file"]);
    let pairs = whole.batches.iter().zip(&has);
    if let Some((said, has)) = pairs.into_iter().find(|(said, has)| said != has) {
        return Ok(Some(format!(
            "it is of another archive, or the archive was changed: it names the batch of {}, where the archive has the one of {}",
            told(said),
            told(has)
        )));
    }
    let more = whole
        .batches
        .get(has.len())
        .map(|said| format!("it names the batch of {}, which the archive has not", told(said)));
    let less = has
        .get(whole.batches.len())
        .map(|has| format!("the archive has the batch of {}, which it does not name", told(has)));
    Ok(more.or(less))
}
