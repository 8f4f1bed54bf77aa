//! The statement for the auditor: JSON lines, the last of which holds the SHA-256 of all before it.

use std::io::Write;
use std::path::Path;

use custody_archive::Archive;
use custody_schemas::Hash;
use serde_json::{Value, json};

use super::Reconciled;
use crate::failure::{Done, Failure};

/// The format version that this code writes.
pub(super) const STATEMENT_VERSION: u32 = 1;

/// Writes it, whole or not at all; what is there already is never replaced.
pub(super) fn write(path: &Path, archive: &Archive, found: &Reconciled) -> Done {
    let shown = path.display();
    let failed =
        |e: &dyn std::fmt::Display| Failure::failed(format!("cannot write the statement {shown}: {e}"));
    let text = text(archive, found)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::usage(format!(
            "{shown} is there already: a statement is never replaced; give another name"
        ))),
        Err(e) => Err(failed(&e.error)),
    }
}

pub(super) fn text(archive: &Archive, found: &Reconciled) -> Result<String, Failure> {
    let mut text = String::new();
    let mut line = |value: Value| {
        text.push_str(&value.to_string());
        text.push('\n');
    };
    line(json!({
        "line": "statement",
        "statement_version": STATEMENT_VERSION,
        "custody_version": env!("CARGO_PKG_VERSION"),
        "made_at": super::utc(super::now_us()),
        "archive_version": found.archive.version,
        "records": found.archive.records,
        "index": found.index,
    }));
    for (name, of) in &found.archive.partitions {
        let log = found.kafka.iter().flatten().find(|log| log.partition == *name);
        line(json!({ "line": "partition", "partition": name, "account": of, "kafka": log }));
    }
    for (name, of) in &found.archive.sources {
        line(json!({ "line": "source", "source": name, "account": of }));
    }
    for session in found.sessions.iter().flat_map(|sessions| &sessions.all) {
        line(json!({ "line": "session", "session": session, "adds_up": session.adds_up() }));
    }
    batches(archive, found.archive.version)?.into_iter().for_each(&mut line);
    for open in &found.unexplained {
        line(json!({ "line": "unexplained", "what": open, "text": open.to_string() }));
    }
    let sha256 = Hash::of(text.as_bytes());
    let lines = text.lines().count();
    text.push_str(&json!({ "line": "end", "lines_before": lines, "sha256_before": sha256 }).to_string());
    text.push('\n');
    Ok(text)
}

/// A line for each batch through a version, as its commit has it: compaction changes none of them.
pub(super) fn batches(archive: &Archive, newest: Option<u64>) -> Result<Vec<Value>, Failure> {
    let mut lines = Vec::new();
    for commit in archive.commits_after(None)?.into_iter().filter(|commit| Some(commit.version) <= newest) {
        lines.extend(commit.files.into_iter().map(|file| {
            json!({
                "line": "batch",
                "version": commit.version,
                "file": file.path,
                "file_sha256": file.sha256,
                "manifest": file.manifest,
            })
        }));
    }
    Ok(lines)
}
