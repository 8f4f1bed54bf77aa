//! Documents with attachments for tests of formats, and their files for readers that are not ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::document::{Attachment, Content, Document};
use crate::fixture::{hostile, sample, with_document};
use crate::format::{Body, Format, Rendered};
use crate::item::Shown;
use crate::names::safe_name;

/// What the file of the sample holds.
pub(crate) const CONTENT: &[u8] = b"hello world";

/// A document whose records' files are here, every other one of them, in this folder.
pub(crate) fn with_files<R>(folder: &Path, shown: &[Shown], then: impl FnOnce(Document<'_>) -> R) -> R {
    let path = folder.join("content");
    fs::write(&path, CONTENT).unwrap();
    with_document(shown, |mut document| {
        for (at, item) in document.items.iter().enumerate() {
            let Some(name) = item.data().file.as_ref().and_then(|file| file.name.as_deref()) else {
                continue;
            };
            let n = document.attachments.len();
            document.attachments.push(Attachment {
                number: format!("CUST{:08}", n + 2),
                item: at,
                name: safe_name(name),
                media_type: item.data().file.as_ref().unwrap().media_type.as_deref().map(str::to_owned),
                sha256: item.data().file.as_ref().unwrap().sha256.as_deref().map(str::to_owned),
                content: if n % 2 == 0 {
                    Content::Here { path: path.clone(), bytes: CONTENT.len() as u64 }
                } else {
                    Content::Missing("its content was never uploaded".into())
                },
            });
        }
        then(document)
    })
}

/// All bytes of what a format makes of some records, by path.
pub(crate) fn bytes(format: &impl Format, shown: &[Shown]) -> (Rendered, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    with_files(folder.path(), shown, |document| {
        let rendered = format.render(&document).unwrap();
        let mut all = BTreeMap::<String, Vec<u8>>::new();
        for line in format.begin().unwrap() {
            all.entry(line.path.into()).or_default().extend(line.bytes);
        }
        for file in &rendered.files {
            let bytes = match &file.body {
                Body::Bytes(bytes) => bytes.clone(),
                Body::Copy(path) => fs::read(path).unwrap(),
            };
            assert!(all.insert(file.path.clone(), bytes).is_none(), "{} twice", file.path);
        }
        for line in rendered.lines.iter().chain(&format.end().unwrap()) {
            all.entry(line.path.into()).or_default().extend(&line.bytes);
        }
        (rendered, all)
    })
}

/// Writes the samples for a reader, if somebody asks for them.
pub(crate) fn for_readers(name: &str, format: &impl Format) {
    let Some(folder) = std::env::var_os("CUSTODY_READERS_DIR") else { return };
    for (which, shown) in [("sample", sample()), ("hostile", hostile())] {
        for (path, bytes) in bytes(format, &shown).1 {
            let path = Path::new(&folder).join(name).join(which).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Compares with the file of this name in `golden`; `UPDATE_GOLDEN=1` writes it anew.
pub(crate) fn check_golden(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let golden = fs::read(&path).unwrap();
    assert!(golden == bytes, "{} is not as it was; UPDATE_GOLDEN=1 writes it anew", path.display());
}
