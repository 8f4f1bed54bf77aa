//! Files for readers that are not ours, in `tests/readers`.

use std::path::PathBuf;

use custody_schemas::Kind;

use crate::document::{Attachment, Content, Document};
use crate::fixture::{ALICE, BOB, HOSTILE, event, hostile, sample, shown, with_document};
use crate::format::{Body, Format, Rendered};
use crate::item::Shown;
use crate::names::safe_name;

/// Writes the files into `DIR/NAME`, where the variable `CUSTODY_READERS_DIR` says one.
fn write(name: &str, rendered: &Rendered) {
    let Some(folder) = std::env::var_os("CUSTODY_READERS_DIR") else { return };
    for file in &rendered.files {
        let path = PathBuf::from(&folder).join(name).join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match &file.body {
            Body::Bytes(bytes) => std::fs::write(path, bytes).unwrap(),
            Body::Copy(from) => drop(std::fs::copy(from, path).unwrap()),
        }
    }
}

/// A document with two files, one of them missing.
pub(crate) fn attach(document: &mut Document<'_>, folder: &tempfile::TempDir, name: &str) {
    let path = folder.path().join("plan.pdf");
    std::fs::write(&path, "hello world").unwrap();
    let attachment = |number: &str, content| Attachment {
        number: number.into(),
        item: 5,
        name: safe_name(name),
        media_type: Some("application/pdf".into()),
        sha256: Some("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9".into()),
        content,
    };
    let missing = Content::Missing("the gateway has no such file".into());
    let here = Content::Here { path, bytes: 11 };
    document.attachments = vec![attachment("CUST00000002", here), attachment("CUST00000003", missing)];
}

/// Renders records with two files, and writes the files for readers.
pub(crate) fn rendered(format: &dyn Format, folder: &str, records: &[Shown], name: &str) -> Rendered {
    let attached = tempfile::tempdir().unwrap();
    with_document(records, |mut document| {
        attach(&mut document, &attached, name);
        let rendered = format.render(&document).unwrap();
        write(folder, &rendered);
        rendered
    })
}

/// The sample and the hostile texts, each as a format has it. Rendered twice: the bytes are the same.
pub(crate) fn render_all(format: &dyn Format, name: &str) -> [Rendered; 2] {
    let all = [(sample(), "plan.pdf"), (hostile(), HOSTILE[10])];
    [("sample", 0), ("hostile", 1)].map(|(what, at)| {
        let render = || rendered(format, &format!("{name}/{what}"), &all[at].0, all[at].1);
        let bytes = |rendered: &Rendered| -> Vec<(String, Vec<u8>)> {
            let bytes = |body: &Body| match body {
                Body::Bytes(bytes) => bytes.clone(),
                Body::Copy(_) => Vec::new(),
            };
            rendered.files.iter().map(|file| (file.path.clone(), bytes(&file.body))).collect()
        };
        let (first, second) = (render(), render());
        assert_eq!(bytes(&first), bytes(&second), "{what}");
        first
    })
}

/// Compares with a golden file, or writes it anew where `UPDATE_GOLDEN` is set.
pub(crate) fn golden(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, found, "{}", path.display());
}

/// Records of every kind about few messages and people, in an order that nobody plans: changes before
/// what they change, of messages and by people that are not there, twice, and without a time.
pub(crate) fn at_random(seed: u64) -> Vec<Shown> {
    const PEOPLE: [&str; 6] = [
        BOB,
        ALICE,
        r#"{"network":"xmpp","address":"cid@y.example"}"#,
        r#"{"name":"Nobody, in particular"}"#,
        "{}",
        "null",
    ];
    const ACTIONS: [&str; 4] = ["joined", "left", "added", "removed"];
    // Knuth's generator, of MMIX: the same seed gives the same records.
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut all: Vec<(i64, Shown)> = (0..60)
        .map(|offset| {
            let kind = Kind::ALL[if next(2) == 0 { next(6) } else { next(Kind::ALL.len()) }].short();
            let value = ["👍", "", &"x".repeat(31)][next(3)].to_owned();
            let status = ["read", "delivered", "odd"][next(3)];
            let text = serde_json::to_string(HOSTILE[next(HOSTILE.len())]).unwrap();
            let text = if next(4) == 0 { "null" } else { text.as_str() };
            let data = format!(
                r#"{{"conversation":{{"id":"c","kind":"group"}},"from":{},"to":[{}],"participant":{},"action":"{}","message":{{"id":"m{}","in_reply_to":"m{}","text":{text}}},"reaction":{{"value":"{value}","action":"{}"}},"receipt":{{"status":"{status}"}},"file":{{"id":"f","name":{text}}}}}"#,
                PEOPLE[next(6)],
                PEOPLE[next(5)],
                PEOPLE[next(6)],
                ACTIONS[next(4)],
                next(5),
                next(5),
                ACTIONS[next(4)],
            );
            let second = next(900) as i64;
            let payload = event(kind, second, &data);
            let is_timeless = next(10) == 0;
            let payload = if is_timeless { payload.replace("\"time\":", "\"when\":") } else { payload };
            // What the broker says, in the fixture.
            let at_ms = if is_timeless { 500_000 + offset } else { second * 1_000 };
            (at_ms, shown(offset, &payload))
        })
        .collect();
    all.sort_by_key(|(at_ms, shown)| (*at_ms, shown.position.offset));
    all.into_iter().map(|(_, shown)| shown).collect()
}
