//! What tests of formats share.

use std::fs;
use std::path::{Path, PathBuf};

use custody_schemas::Hash;
use custody_schemas::hash::{Leaf, leaf_hash};

use crate::document::{Attachment, Content, Document};
use crate::error::Error;
use crate::fixture::{hostile, sample, with_document};
use crate::format::columns::Rows;
use crate::format::{Body, Exception, Format, Line, Rendered, Table};
use crate::item::Shown;

/// Compares with the file of that name in `golden/`; `UPDATE_GOLDEN=1` writes it.
pub(crate) fn golden(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let expected = fs::read(&path).unwrap();
    assert!(expected == bytes, "{} is not what is written now", path.display());
}

/// All that a format writes of one document into a file of the volume.
pub(crate) fn whole(format: &dyn Format, document: &Document<'_>, path: &str) -> Vec<u8> {
    let rendered = format.render(document).unwrap();
    let lines = [format.begin().unwrap(), rendered.lines, format.end().unwrap()].concat();
    lines.iter().filter(|line| line.path == path).flat_map(|line| line.bytes.clone()).collect()
}

/// Writes a volume of one document.
pub(crate) fn write(folder: &Path, format: &dyn Format, document: &Document<'_>) {
    let rendered: Rendered = format.render(document).unwrap();
    for file in &rendered.files {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match &file.body {
            Body::Bytes(bytes) => fs::write(path, bytes).unwrap(),
            Body::Copy(from) => drop(fs::copy(from, path).unwrap()),
        }
    }
    let lines: Vec<Line> = [format.begin().unwrap(), rendered.lines, format.end().unwrap()].concat();
    let mut paths: Vec<_> = lines.iter().map(|line| line.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let bytes: Vec<u8> =
            lines.iter().filter(|line| line.path == path).flat_map(|line| line.bytes.clone()).collect();
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), bytes).unwrap();
    }
}

/// Adds the document of some records to a table.
pub(crate) fn pushed(table: &mut dyn Table, records: &[Shown]) -> Result<Vec<Exception>, Error> {
    with_document(records, |document| pushed_document(table, &document))
}

/// Adds a document to a table.
pub(crate) fn pushed_document(
    table: &mut dyn Table,
    document: &Document<'_>,
) -> Result<Vec<Exception>, Error> {
    let shown: Vec<Shown> = document.items.iter().map(|item| item.shown.clone()).collect();
    table.push(&Rows::of(document), &shown)
}

/// Two attachments of the sample's shared file: one here, with `hello world` in it, and one missing.
pub(crate) fn attach(document: &mut Document<'_>, folder: &Path) {
    let path = folder.join("content");
    fs::write(&path, "hello world").unwrap();
    let hash = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    let attachment = |number: &str, name: &str, content: Content| Attachment {
        number: number.into(),
        item: 5,
        name: name.into(),
        media_type: Some("application/pdf".into()),
        sha256: Some(hash.into()),
        content,
    };
    document.attachments = vec![
        attachment("CUST00000002", "plan.pdf", Content::Here { path, bytes: 11 }),
        attachment(
            "CUST00000003",
            "=gone;þ\u{14}.exe",
            Content::Missing("the store has no such file".into()),
        ),
    ];
}

/// Gives a record the leaf hash that its bytes have.
fn prove(shown: &mut Shown) {
    let partition = &shown.position.partition;
    let leaf = Leaf {
        topic: &partition.topic,
        generation: partition.generation,
        partition: partition.partition,
        offset: shown.position.offset,
        broker_time_ms: shown.broker_time_ms,
        key: shown.key.as_deref(),
        payload: shown.payload.as_deref().map(Hash::of),
    };
    shown.leaf = leaf_hash(leaf, shown.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())));
}

/// Writes the sample and the hostile records for readers that are not ours, when they are asked for:
/// `CUSTODY_READERS_DIR/NAME/sample` and `…/hostile`.
pub(crate) fn for_readers(name: &str, write: impl Fn(&Path, &Document<'_>)) {
    let Some(folder) = std::env::var_os("CUSTODY_READERS_DIR").map(PathBuf::from) else { return };
    let scratch = tempfile::tempdir().unwrap();
    for (which, mut records) in [("sample", sample()), ("hostile", hostile())] {
        records.iter_mut().for_each(prove);
        let folder = folder.join(name).join(which);
        fs::create_dir_all(&folder).unwrap();
        with_document(&records, |mut document| {
            attach(&mut document, scratch.path());
            write(&folder, &document);
        });
    }
}
