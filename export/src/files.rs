//! The files that records refer to.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use custody_schemas::Hash;
use custody_schemas::event::File as Named;
use sha2::{Digest, Sha256};

use crate::document::{Attachment, Content};
use crate::error::Error;
use crate::hashing::hashed;
use crate::item::Item;
use crate::names::safe_name;

/// A folder with the contents of files: under the SHA-256 of each in hexadecimal, or under what events
/// give as its reference.
#[derive(Debug, Default)]
pub(crate) struct Files {
    root: Option<PathBuf>,
}

impl Files {
    /// Without a folder no content is known.
    pub(crate) fn new(root: Option<&Path>) -> Result<Self, Error> {
        match root {
            Some(root) if !root.is_dir() => {
                Err(Error::invalid(format!("there is no folder of files at {}", root.display())))
            }
            root => Ok(Files { root: root.map(Path::to_owned) }),
        }
    }

    /// A hash of what there is: every path with its size and when it was changed. `None` without a folder.
    pub(crate) fn listed(&self) -> Result<Option<Hash>, Error> {
        let Some(root) = &self.root else { return Ok(None) };
        let (mut folders, mut hasher) = (vec![root.clone()], Sha256::new());
        while let Some(folder) = folders.pop() {
            let failed = |e| Error::io("list", &folder, e);
            let entries: Result<Vec<_>, _> = fs::read_dir(&folder).map_err(failed)?.collect();
            let mut entries = entries.map_err(failed)?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let meta = entry.metadata().map_err(failed)?;
                let changed = meta.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let path = entry.path();
                hasher.update(path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes());
                hasher.update(format!("\0{}\0{}\n", meta.len(), changed.as_nanos()));
                if meta.is_dir() {
                    folders.push(path);
                }
            }
        }
        Ok(Some(Hash(hasher.finalize().into())))
    }

    /// The files that records share, each with the next number.
    pub(crate) fn attachments(
        &self,
        items: &[Item<'_>],
        number: &mut dyn FnMut() -> String,
    ) -> Result<Vec<Attachment>, Error> {
        let mut attachments = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let Some(file) = item.shared_file() else { continue };
            let (content, sha256) = self.content(file)?;
            attachments.push(Attachment {
                number: number(),
                item: at,
                name: safe_name(file.name.as_deref().or(file.id.as_deref()).unwrap_or("file")),
                media_type: file.media_type.as_deref().map(str::to_owned),
                sha256: sha256.map(|hash| hash.to_string()).or(file.sha256.as_deref().map(str::to_owned)),
                content,
            });
        }
        Ok(attachments)
    }

    /// The content of a file, if it is here and what the event says it is; with the hash of what is here.
    fn content(&self, file: &Named<'_>) -> Result<(Content, Option<Hash>), Error> {
        let missing = |why: String| Ok((Content::Missing(why), None));
        let Some(root) = &self.root else {
            return missing("no folder of files was given".to_owned());
        };
        let said = file.sha256.as_deref().and_then(|hash| Hash::from_hex(&hash.to_ascii_lowercase()));
        let by_hash = said.map(|hash| root.join(hash.to_string()));
        let by_reference =
            file.reference.as_deref().filter(|path| is_inside(path)).map(|path| root.join(path));
        let found = by_hash.into_iter().chain(by_reference).find(|path| is_file_in(root, path));
        let Some(path) = found else {
            return missing("its content is not in the folder of files".to_owned());
        };
        let (hash, bytes) = File::open(&path).and_then(hashed).map_err(|e| Error::io("read", &path, e))?;
        match said {
            Some(said) if said != hash => missing(format!(
                "what is in the folder of files is not what was shared: its SHA-256 is {hash}"
            )),
            _ => Ok((Content::Here { path, bytes }, Some(hash))),
        }
    }
}

/// A reference that leads to a place below the folder and nowhere else.
fn is_inside(reference: &str) -> bool {
    !reference.contains(['\\', ':', '\0'])
        && reference.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A regular file, which no link leads to from the folder on.
fn is_file_in(root: &Path, path: &Path) -> bool {
    let Ok(within) = path.strip_prefix(root) else { return false };
    let mut at = root.to_owned();
    within.components().all(|part| {
        at.push(part);
        fs::symlink_metadata(&at).is_ok_and(|meta| !meta.is_symlink())
    }) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{event, shown};
    use crate::item::with_items;

    fn check(root: Option<&Path>, file: &str, expected: &str) {
        let shown = [shown(0, &event("file.shared", 0, &format!(r#"{{"file":{file}}}"#)))];
        let files = Files::new(root).unwrap();
        let found = with_items(&shown, |items| files.attachments(items, &mut || "N1".to_owned())).unwrap();
        let [attachment] = &found[..] else { panic!("{found:?}") };
        let content = match &attachment.content {
            Content::Here { path, bytes } => {
                format!("{} {bytes}", path.file_name().unwrap().to_str().unwrap())
            }
            Content::Missing(why) => why.clone(),
        };
        assert_eq!(format!("{} {}: {content}", attachment.number, attachment.name), expected, "{file}");
    }

    #[test]
    fn a_file_is_found_by_its_hash_or_its_reference_and_never_outside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("files");
        let hash = Hash::of(b"hello").to_string();
        let other = Hash::of(b"other").to_string();
        fs::create_dir_all(root.join("a")).unwrap();
        for path in [root.join(&hash), root.join("a/b.txt"), root.join(&other), dir.path().join("secret")] {
            fs::write(path, "hello").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
        let root = Some(root.as_path());
        check(root, &format!(r#"{{"name":"x.txt","sha256":"{hash}"}}"#), &format!("N1 x.txt: {hash} 5"));
        check(root, r#"{"name":"x.txt","ref":"a/b.txt"}"#, "N1 x.txt: b.txt 5");
        let upper = hash.to_uppercase();
        check(
            root,
            &format!(r#"{{"id":"f1","sha256":"{upper}","ref":"gone"}}"#),
            &format!("N1 f1: {hash} 5"),
        );
        let altered = format!("what is in the folder of files is not what was shared: its SHA-256 is {hash}");
        check(root, &format!(r#"{{"name":"x","sha256":"{other}"}}"#), &format!("N1 x: {altered}"));
        let not_here = "N1 _: its content is not in the folder of files";
        for bad in
            ["../secret", "/etc/passwd", "a", "link", "up/secret", "", "a//b.txt", "./a/b.txt", "a\\\\b.txt"]
        {
            check(root, &format!(r#"{{"name":"..","ref":"{bad}"}}"#), not_here);
        }
        check(None, r#"{"name":"x"}"#, "N1 x: no folder of files was given");
    }
}
