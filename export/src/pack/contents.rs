//! What is packed, and under which folder.

use std::fs;
use std::path::Path;

use crate::check::verify;
use crate::check_files::open;
use crate::error::Error;
use crate::hashing::hashed;
use crate::names::safe_name;
use crate::receipt::FileEntry;
use crate::{RECEIPT, SIGNATURE};

/// A production that is as it was written.
pub(super) struct Contents {
    pub(super) production: String,
    /// Every file, in order of the bytes of its name.
    pub(super) files: Vec<FileEntry>,
}

/// Checks a production, and lists its files.
pub(super) fn contents(dir: &Path) -> Result<Contents, Error> {
    // Before it is checked: what is packed later is what was hashed here.
    let own = [entry(dir, RECEIPT)?, entry(dir, SIGNATURE)?];
    let report = verify(dir, None)?;
    let shown = dir.display();
    if let Some(problem) = report.problems.first() {
        let others = report.problems.len() as u64 - 1 + report.more;
        let others = if others > 0 { format!(", and {others} more problems") } else { String::new() };
        return Err(Error::corrupt(format!(
            "{shown} is not as it was produced: {problem}{others}; `custody verify {shown}` says all"
        )));
    }
    let receipt = report.receipt.ok_or_else(|| Error::corrupt(format!("{shown} has no receipt")))?;
    let mut files = receipt.files;
    files.extend(own.into_iter().flatten());
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Contents { production: receipt.production, files })
}

/// One of the two files that the receipt cannot list, if it is there.
fn entry(dir: &Path, name: &str) -> Result<Option<FileEntry>, Error> {
    let Ok(file) = open(dir, name)? else { return Ok(None) };
    let (sha256, bytes) = hashed(file).map_err(|e| Error::io("read", &dir.join(name), e))?;
    Ok(Some(FileEntry { name: name.to_owned(), bytes, sha256 }))
}

/// The name of the folder in the file: that of the production's own, in characters that every system takes.
pub(super) fn top(dir: &Path) -> Result<String, Error> {
    let whole = fs::canonicalize(dir).map_err(|e| Error::io("find", dir, e))?;
    let Some(name) = whole.file_name() else { return Ok("production".to_owned()) };
    // A name that begins with a hyphen is an option to many programs.
    let safe = |(at, c): (usize, char)| {
        if c.is_ascii_alphanumeric() || "_.".contains(c) || c == '-' && at > 0 { c } else { '_' }
    };
    Ok(safe_name(&name.to_string_lossy().char_indices().map(safe).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_has_a_name_that_every_system_takes() {
        let dir = tempfile::tempdir().unwrap();
        for (name, expected) in [
            ("vol-2013.05", "vol-2013.05"),
            ("case 7: \u{202e}x", "case_7___x"),
            ("-rf", "_rf"),
            ("nul", "_nul"),
            (".hidden", "hidden"),
            ("漢字", "__"),
        ] {
            let dir = dir.path().join(name);
            fs::create_dir(&dir).unwrap();
            assert_eq!(top(&dir).unwrap(), expected);
            assert_eq!(top(&dir.join(".")).unwrap(), expected);
        }
        assert_eq!(top(Path::new("/")).unwrap(), "production");
    }
}
