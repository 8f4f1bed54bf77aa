//! `verify.py` on a small production that is made here by hand, whole and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use custody_schemas::Hash;
use custody_schemas::hash::{Leaf, Tree, leaf_hash, proof_of};
use serde_json::{Value, json};

use crate::key::PrivateKey;
use crate::note::sign;

/// The id of the production, by `FORMAT.md`.
fn production(digest: Hash) -> String {
    let parts = format!("custody.production.v1\0{{\"query\":\"é\"}}\x007\x000.1.0\0{digest}");
    Hash::of(parts.as_bytes()).to_string()[..32].to_owned()
}

fn key() -> PrivateKey {
    PrivateKey::from_seed("contoso.example/custody", &[7; 32]).unwrap()
}

/// The record at an offset: its leaf, and the rest of its line.
fn record(offset: i64) -> (Hash, BTreeMap<&'static str, Value>) {
    let payload = format!("payload {offset} \u{2028}é");
    let leaf = Leaf {
        topic: "chat",
        generation: 1,
        partition: 0,
        offset,
        broker_time_ms: (offset % 2 == 0).then_some(offset - 5),
        key: Some(b"\xff"),
        payload: (offset % 3 > 0).then(|| Hash::of(payload.as_bytes())),
    };
    let hash = leaf_hash(leaf, [("h", Some(&b"v"[..])), ("n", None)]);
    let payload = leaf.payload.map(|_| payload);
    let line = BTreeMap::from([
        ("position", json!(format!("chat:1:0:{offset}"))),
        ("broker_time_ms", json!(leaf.broker_time_ms)),
        ("key", Value::Null),
        ("key_base64", json!("/w==")),
        ("type", json!(if offset == 0 { "quarantined" } else { "im.message.sent" })),
        ("archived_time", Value::Null),
        ("headers", json!([{"name": "h", "value": "v"}, {"name": "n", "value": null}])),
        ("payload", json!(payload)),
        ("leaf_hash", json!(hash)),
    ]);
    (hash, line)
}

fn entry(name: &str, bytes: &[u8]) -> String {
    format!(r#"{{"name":"{name}","bytes":{},"sha256":"{}"}}"#, bytes.len(), Hash::of(bytes))
}

/// Writes a production of some rows of three batches; one record is redacted.
fn write(dir: &Path) {
    let (mut offset, mut digest) = (0, Tree::default());
    let (mut batches, mut entries, mut lines) = (Vec::new(), Vec::new(), String::new());
    for (batch, size, rows) in [("b1", 7, &[0_u64, 3, 4][..]), ("b2", 1, &[0]), ("b3", 12, &[11])] {
        let records: Vec<_> = (offset..offset + size).map(record).collect();
        offset += size;
        let leaves = || records.iter().map(|(leaf, _)| *leaf);
        let root = leaves().collect::<Tree>().root();
        let proof: Vec<String> =
            proof_of(leaves(), rows).unwrap().iter().map(|hash| format!("\"{hash}\"")).collect();
        let proof = proof.join(",");
        batches.push(format!(
            r#""{batch}":{{"root":"{root}","archived_time":null,"rows":{size},"proof":[{proof}]}}"#
        ));
        for row in rows {
            let (leaf, mut line) = records[usize::try_from(*row).unwrap()].clone();
            digest.push(leaf);
            let is_redacted = (batch, *row) == ("b1", 3);
            if is_redacted {
                line.insert("payload", json!("[redacted: card]"));
            }
            line.insert("batch", json!(batch));
            line.insert("batch_root", json!(root));
            lines += &format!("{}\n", serde_json::to_string(&line).unwrap());
            let redactions = if is_redacted { r#","redactions":{"card":2}"# } else { "" };
            let position = &line["position"];
            entries.push(format!(
                r#"{{"position":{position},"leaf_hash":"{leaf}","batch":"{batch}","row":{row},"deliveries":1{redactions}}}"#
            ));
        }
    }
    let document = b"a document";
    fs::create_dir_all(dir.join("documents")).unwrap();
    fs::write(dir.join("documents/C 1.txt"), document).unwrap();
    fs::write(dir.join("records.jsonl"), &lines).unwrap();
    let files = [entry("documents/C 1.txt", document), entry("records.jsonl", lines.as_bytes())].join(",");
    let (batches, entries, digest) = (batches.join(","), entries.join(",\n"), digest.root());
    let production = production(digest);
    let receipt = format!(
        r#"{{
"format_version":2,
"production":"{production}",
"custody_version":"0.1.0",
"request":{{"query":"é"}},
"through_version":7,
"count":5,
"deliveries":5,
"types":{{"im.message.sent":4,"quarantined":1}},
"exceptions":0,
"redactions":{{"card":{{"count":2,"reason":"order 7"}}}},
"digest":"{digest}",
"files":[{files}],
"batches":{{{batches}}},
"records":[
{entries}
]}}
"#
    );
    fs::write(dir.join("receipt.json"), receipt).unwrap();
    sign_again(dir);
}

fn sign_again(dir: &Path) {
    let text = fs::read_to_string(dir.join("receipt.json")).unwrap();
    let production = text.lines().nth(2).unwrap();
    let production = production.trim_start_matches("\"production\":\"").trim_end_matches("\",");
    let text = crate::produce::signed_text(production, Hash::of(text.as_bytes()));
    fs::write(dir.join("receipt.sig"), sign(&text, &[&key()]).unwrap()).unwrap();
}

fn run(dir: &Path, key: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verify.py")).arg(dir);
    let output = command.args(key.map(|key| ["--key", key]).into_iter().flatten()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Whether Python has what a signature takes; says so when it does not.
fn has_python() -> bool {
    let script = "try: import cryptography\nexcept ImportError: import nacl";
    let has =
        Command::new("python3").args(["-c", script]).output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("skipped: no python3 with cryptography or pynacl");
    }
    has
}

/// Changes a file of a whole production, and says what `verify.py` must tell of it.
fn check(file: &str, from: &str, to: &str, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let path = dir.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let signed_anew = file == "receipt.json" && expected != "receipt.sig is of another receipt";
    if signed_anew {
        sign_again(dir.path());
    }
    let (code, told) = run(dir.path(), Some(&key().public().to_string()));
    assert_eq!(code, Some(3), "{file}: {from} to {to}: {told}");
    assert!(told.contains(expected), "{file}: {from} to {to}: {told}");
}

#[test]
fn a_whole_production() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let public = key().public().to_string();
    let expected = "5 records in 3 batches, 2 files; 4 leaf hashes made anew from records.jsonl";
    for (key, end) in [(Some(&*public), "signed by contoso.example/custody"), (None, "NOT CHECKED")] {
        let (code, told) = run(dir.path(), key);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains(expected) && told.contains(end), "{told}");
    }
    let other = PrivateKey::from_seed("contoso.example/custody", &[8; 32]).unwrap().public().to_string();
    let (code, told) = run(dir.path(), Some(&other));
    assert_eq!(code, Some(3));
    assert!(told.contains("did not sign this receipt"), "{told}");
    assert_eq!(run(dir.path(), Some("no key")).0, Some(2));
    fs::remove_file(dir.path().join("receipt.sig")).unwrap();
    assert_eq!(run(dir.path(), None).0, Some(0));
    assert_eq!(run(dir.path(), Some(&public)).0, Some(3));
    fs::remove_file(dir.path().join("receipt.json")).unwrap();
    assert_eq!(run(dir.path(), None).0, Some(1));
}

#[test]
fn damage_is_named() {
    if !has_python() {
        return;
    }
    let receipt = "receipt.json";
    for (file, from, to, expected) in [
        ("documents/C 1.txt", "a document", "a documenu", "documents/C 1.txt has another SHA-256"),
        ("documents/C 1.txt", "a document", "a documen", "has 9 bytes, not 10"),
        ("records.jsonl", "payload 4", "payload 5", "chat:1:0:4 is not what its leaf hash says"),
        ("records.jsonl", "\"/w==\"", "\"/g==\"", "chat:1:0:0 is not what its leaf hash says"),
        ("records.jsonl", "\"value\":null", "\"value\":\"\"", "chat:1:0:0 is not what its leaf hash says"),
        ("records.jsonl", "{", "[", "records.jsonl has no sound line for chat:1:0:0"),
        ("receipt.sig", "\u{2014} contoso", "\u{2014} contosa", "did not sign this receipt"),
        ("receipt.sig", "production/v2", "production/v3", "is of another receipt"),
        (receipt, "order 7", "order 8", "receipt.sig is of another receipt"),
        (receipt, "\"count\":5", "\"count\":6", "5 records, not 6"),
        (receipt, "\"deliveries\":5", "\"deliveries\":4", "5 deliveries, not 4"),
        (receipt, "sent\":4", "sent\":3", "the types are not as many"),
        (receipt, "{\"card\":2}", "{\"card\":1}", "redactions are not as many"),
        (receipt, ",\"redactions\":{\"card\":2}", "", "chat:1:0:3 is not what its leaf hash says"),
        (receipt, "\"row\":3", "\"row\":2", "batch b1: records and proof do not give its root"),
        (receipt, "\"row\":3", "\"row\":4", "batch b1: records and proof do not give its root"),
        (receipt, "\"rows\":12", "\"rows\":11", "batch b3: records and proof do not give its root"),
        (receipt, "\"proof\":[", &format!("\"proof\":[\"{}\",", Hash([0; 32])), "do not give its root"),
        (receipt, "chat:1:0:4", "chat:1:0:2", "chat:1:0:2 is not after the one before it"),
        (receipt, "\"batch\":\"b2\"", "\"batch\":\"b1\"", "batch b2: records and proof do not give its root"),
        (receipt, "\"count\":", "\"count\": ", "count is not in its form"),
        (receipt, "\"exceptions\":0,\n", "", "not in its form at exceptions"),
        (receipt, "},\n{", "}\n{", "receipt.json is not in its form"),
        (receipt, "]}\n", "]}\n\n", "receipt.json goes on after its end"),
        (receipt, "documents/C 1.txt", "documents/../x", "documents/C 1.txt is not of the production"),
    ] {
        check(file, from, to, expected);
    }
}

#[test]
fn strangers_are_named() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    fs::write(dir.path().join("documents/more"), "").unwrap();
    fs::remove_file(dir.path().join("records.jsonl")).unwrap();
    let (code, told) = run(dir.path(), None);
    assert_eq!(code, Some(3), "{told}");
    for expected in ["documents/more is not of the production", "records.jsonl is missing", "differences: 2"]
    {
        assert!(told.contains(expected), "{told}");
    }
}
