//! The files of a production, each beside what the receipt says of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::check::Problems;
use crate::error::Error;
use crate::hashing::hashed;
use crate::receipt::{FileEntry, RECEIPT_VERSION_1, Receipt};
use crate::request::Format;
use crate::{CROSS_REFERENCE, EXCEPTIONS, HOW_TO, RECEIPT, RECORDS, SIGNATURE, VERIFY_PY};

/// Whether the records stand in the production with the bytes that their hashes cover.
pub(crate) fn has_records(receipt: &Receipt) -> bool {
    receipt.request.format == Format::JsonLines
        || receipt.request.options.as_ref().is_some_and(|options| options.with_records)
}

/// The files that a receipt must list.
fn required(receipt: &Receipt) -> Vec<&'static str> {
    let documents =
        receipt.format_version != RECEIPT_VERSION_1 && receipt.request.format != Format::JsonLines;
    let lists = if documents { &[EXCEPTIONS, CROSS_REFERENCE][..] } else { &[] };
    let records = has_records(receipt).then_some(RECORDS);
    let program = (receipt.format_version != RECEIPT_VERSION_1).then_some(VERIFY_PY);
    lists.iter().copied().chain([HOW_TO]).chain(program).chain(records).collect()
}

/// Checks that every listed file is there as it is listed, and that no other is.
pub(crate) fn files(dir: &Path, receipt: &Receipt, problems: &mut Problems) -> Result<(), Error> {
    let mut expected = BTreeSet::from([RECEIPT]);
    for entry in &receipt.files {
        let oldest = receipt.format_version == RECEIPT_VERSION_1;
        if !is_inside(&entry.name) || oldest && ![RECORDS, HOW_TO].contains(&entry.name.as_str()) {
            problems.file(RECEIPT, format!("it lists {:?}, which is no file of a production", entry.name));
        } else if !expected.insert(&entry.name) {
            problems.file(RECEIPT, format!("it lists {} twice", entry.name));
        } else {
            file(dir, entry, problems)?;
        }
    }
    for name in required(receipt).into_iter().filter(|name| !expected.contains(name)) {
        problems.file(RECEIPT, format!("it does not list {name}"));
    }
    // It is of the receipt, which cannot list it.
    if receipt.format_version != RECEIPT_VERSION_1 {
        expected.insert(SIGNATURE);
    }
    let folders: BTreeSet<&str> = expected.iter().flat_map(|name| folders(name)).collect();
    strangers(dir, "", &expected, &folders, problems)
}

/// A path that leads to a file in the folder and nowhere else.
fn is_inside(name: &str) -> bool {
    ![RECEIPT, SIGNATURE].contains(&name)
        && !name.contains(['\\', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The folders that a path leads through.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

/// Names whatever the receipt does not list; of a folder without a listed file only the folder.
fn strangers(
    dir: &Path,
    within: &str,
    expected: &BTreeSet<&str>,
    folders: &BTreeSet<&str>,
    problems: &mut Problems,
) -> Result<(), Error> {
    let here = dir.join(within);
    for name in crate::folder::names(&here)? {
        let path = if within.is_empty() { name } else { format!("{within}/{name}") };
        let is_folder = fs::symlink_metadata(dir.join(&path)).is_ok_and(|meta| meta.is_dir());
        if is_folder && folders.contains(path.as_str()) {
            strangers(dir, &path, expected, folders, problems)?;
        } else if !expected.contains(path.as_str()) {
            problems.file(&path, "it is not in the receipt");
        }
    }
    Ok(())
}

/// Opens a regular file that no link leads to, or says why it cannot be one of a production.
pub(crate) fn open(dir: &Path, name: &str) -> Result<Result<File, &'static str>, Error> {
    for part in folders(name).chain([name]) {
        let path = dir.join(part);
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() && part != name || meta.is_file() && part == name => {}
            Ok(_) => return Ok(Err("it is not a regular file")),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Err("it is missing"));
            }
            Err(e) => return Err(Error::io("read", &path, e)),
        }
    }
    let path = dir.join(name);
    File::open(&path).map(Ok).map_err(|e| Error::io("read", &path, e))
}

fn file(dir: &Path, entry: &FileEntry, problems: &mut Problems) -> Result<(), Error> {
    let name = entry.name.as_str();
    let file = match open(dir, name)? {
        Ok(file) => file,
        // It is told when its lines are to be read.
        Err(_) if name == RECORDS => return Ok(()),
        Err(what) => {
            problems.file(name, what);
            return Ok(());
        }
    };
    let (sha256, bytes) = hashed(file).map_err(|e| Error::io("read", &dir.join(name), e))?;
    if bytes != entry.bytes {
        problems.file(name, format!("it has {bytes} bytes; the receipt says {}", entry.bytes));
    }
    if sha256 != entry.sha256 {
        problems.file(name, format!("its sha-256 is {sha256}; the receipt says {}", entry.sha256));
    }
    Ok(())
}
