use std::path::Path;

use custody_archive::{
    Account, Archive, BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings,
};
use custody_schemas::{Hash, Incoming, Partition};
use serde_json::Value;

use super::check::{differs, verify_statement, whole};
use super::{Reconciled, statement};
use crate::settings::{Inputs, Loaded, Settings};

/// An archive with a batch for each payload.
fn archive(dir: &Path, payloads: &[&str]) -> Archive {
    let location = Location::Folder(dir.to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let next = writer.next_offset(&partition).unwrap().unwrap_or(0);
    for (offset, payload) in (next..).zip(payloads) {
        let mut batch = BatchBuilder::new(format!("b{offset}"));
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: None };
        batch.push(&partition, offset, offset, &incoming).unwrap();
        writer.archive(&Encoded::new(batch.seal("default", 7).unwrap()).unwrap()).unwrap();
    }
    writer.reader()
}

fn text(archive: &Archive) -> String {
    let mut account = Account::default();
    account.advance(archive, &mut |_, _| {}).unwrap();
    let found =
        Reconciled { archive: account, sessions: None, kafka: None, index: None, unexplained: Vec::new() };
    statement::text(archive, &found).unwrap()
}

/// With a new end, as somebody would make it who knows how.
fn ended_anew(lines: &[&str]) -> String {
    let before: String = lines.concat();
    let (count, sha256) = (lines.len(), Hash::of(before.as_bytes()));
    format!(
        "{before}{}\n",
        serde_json::json!({ "line": "end", "lines_before": count, "sha256_before": sha256 })
    )
}

#[test]
fn a_statement_is_whole_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = text(&archive(dir.path(), &["{}", "[]", "3"]));
    let said = whole(text.as_bytes()).unwrap();
    assert_eq!((said.archive_version, said.batches.len(), said.unexplained), (Some(3), 3, 0));
    // Cut anywhere, also between two lines.
    for length in 0..text.len() {
        assert!(whole(&text.as_bytes()[..length]).is_err(), "cut to {length} bytes");
    }
    // Any byte of it changed: the lines, the number of them, their hash.
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(whole(&bytes).is_err(), "byte {at} changed: {}", String::from_utf8_lossy(&bytes[at..=at]));
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = lines.len() - 1;
    let refused = |text: &str, why: &str| {
        let what = whole(text.as_bytes()).unwrap_err();
        assert!(what.contains(why), "{what}");
    };
    refused(&[&lines[..end - 1], &lines[end..]].concat().concat(), "changed");
    refused(&[&lines[1..2], &lines[..1], &lines[2..]].concat().concat(), "changed");
    refused(&format!("{text}{}", lines[1]), "cut short");
    refused(&format!("{text}{}", lines[end]), "changed");
    refused("", "cut short");
    refused(&ended_anew(&[]), "cut short");
    refused(&ended_anew(&lines[1..end]), "head");
    refused(&ended_anew(&[lines[0], "no JSON\n"]), "line 2: not JSON");
    let later = lines[0].replace(r#""statement_version":1"#, r#""statement_version":2"#);
    refused(&ended_anew(&[&later]), "version 2");
    let mut wrong: Value = serde_json::from_str(lines[end]).unwrap();
    wrong["lines_before"] = 1.into();
    refused(&format!("{}{wrong}\n", lines[..end].concat()), "its end says 1");
}

/// A statement that is whole but not of this archive: hashes tell.
#[test]
fn a_statement_of_another_archive_is_refused() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let of_one = archive(one.path(), &["{}", "[]"]);
    let text = text(&of_one);
    let refused = |text: &str, archive: &Archive| {
        differs(&whole(text.as_bytes()).unwrap(), archive).unwrap().expect("it differs")
    };
    assert_eq!(differs(&whole(text.as_bytes()).unwrap(), &of_one).unwrap(), None);
    let of_two = archive(two.path(), &["{}", "{ }"]);
    assert!(refused(&text, &of_two).contains("another archive"));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let batches: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].contains(r#""line":"batch""#)).collect();
    let without = |n: usize| [&lines[..n], &lines[n + 1..lines.len() - 1]].concat();
    assert!(refused(&ended_anew(&without(batches[1])), &of_one).contains("does not name"));
    assert!(refused(&ended_anew(&without(batches[0])), &of_one).contains("another archive"));
    let twice = [&lines[..lines.len() - 1], &lines[batches[1]..=batches[1]]].concat();
    assert!(refused(&ended_anew(&twice), &of_one).contains("which the archive has not"));
    let root = serde_json::from_str::<Value>(lines[batches[1]]).unwrap()["manifest"]["root"].clone();
    let root = root.as_str().unwrap();
    let other = lines[batches[1]].replace(root, &Hash::of(b"another").to_string());
    let mut forged = lines[..lines.len() - 1].to_vec();
    forged[batches[1]] = &other;
    assert!(refused(&ended_anew(&forged), &of_one).contains("another archive"));
    // What was archived since is not what it is about.
    let later = archive(one.path(), &["7"]);
    assert_eq!(differs(&whole(text.as_bytes()).unwrap(), &later).unwrap(), None);
}

/// The command: 3 for what is refused, whether the archive is there or not.
#[test]
fn verify_takes_a_statement() {
    let dir = tempfile::tempdir().unwrap();
    let (here, file) = (dir.path().join("archive"), dir.path().join("statement.jsonl"));
    let text = text(&archive(&here, &["{}"]));
    let load = |path: &Path| -> Loaded {
        let flags = vec![("archive.path".to_owned(), path.to_str().unwrap().to_owned())];
        Settings::load(Inputs { flags, ..Inputs::default() }).unwrap()
    };
    let alone = Settings::load(Inputs::default()).unwrap();
    let other = dir.path().join("other");
    archive(&other, &["[]"]);
    let code = |loaded: &Loaded, text: &str| {
        std::fs::write(&file, text).unwrap();
        verify_statement(loaded, &file, false).err().map(|failure| format!("{:?}", failure.exit_code()))
    };
    let unsound = Some("ExitCode(unix_exit_status(3))".to_owned());
    assert_eq!(code(&alone, &text), None);
    assert_eq!(code(&load(&here), &text), None);
    assert_eq!(code(&load(&other), &text), unsound);
    let cut = &text[..text.len() - 10];
    assert_eq!(code(&alone, cut), unsound);
    assert_eq!(code(&load(&here), cut), unsound);
}
