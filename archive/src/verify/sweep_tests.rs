//! Damage in every file of a small archive is named, or tells nothing of the archive.
//!
//! `CUSTODY_SWEEP_FLIPS=1000` flips about so many bits of each file, by default 24.

use std::fs;
use std::path::{Path, PathBuf};

use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span};
use serde_json::Value;

use super::*;
use crate::batch::BatchBuilder;
use crate::compact::{CompactSettings, Compactor};
use crate::read::{Columns, parquet_as_json, rows_of};
use crate::store::{Location, S3Settings, Store};
use crate::template::Filler;
use crate::writer::{Encoded, Writer, WriterSettings};

pub(super) fn small_archive(root: &Path) -> Location {
    let location = Location::Folder(root.join("archive"));
    let settings = WriterSettings { checkpoint_every: 3, ..WriterSettings::default() };
    let mut writer = Writer::open(&location, &S3Settings::default(), &settings).unwrap();
    let partition = |number| Partition { topic: "t".into(), generation: 1, partition: number };
    for batch in 0..5_i64 {
        let mut builder = BatchBuilder::new(format!("batch-{batch}"));
        builder.came_from("t", "life-1".into());
        if batch == 0 {
            let (span, reason) = (Span { from: 0, to: 3 }, GapReason::DeletedByRetention);
            builder.gap(&partition(2), Gap { span, reason, noticed_ms: 1_400_000_000_000 }).unwrap();
        }
        for number in 0..2 {
            for offset in batch * 3..batch * 3 + 3 {
                let payload = format!(
                    r#"{{"id":"{offset}","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02Z","data":{{"message":{{"id":"m{offset}","text":"hello {offset}"}}}}}}"#
                );
                let payload = Some(payload.as_bytes());
                let incoming =
                    Incoming { key: Some(b"k"), headers: &[], payload, broker_time_ms: Some(offset) };
                builder.push(&partition(number), offset, offset, &incoming).unwrap();
            }
        }
        let sealed = builder.seal("default", 1_400_000_000_000).unwrap();
        writer.archive(&Encoded::new(sealed).unwrap()).unwrap();
        if batch == 2 {
            compact(&location);
        }
    }
    location
}

/// Three batches as one file; theirs are removed at once.
fn compact(location: &Location) {
    let store = Store::open(location, &S3Settings::default()).unwrap();
    let settings = CompactSettings { grace_ms: 0, ..CompactSettings::default() };
    let mut compactor = Compactor::open(store.into(), settings).unwrap();
    // Now, so that checkpoints must tell of what was removed.
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let done = compactor.step(now_ms as i64).unwrap();
    assert_eq!(done.compacted.unwrap().files, 3);
    assert_eq!(compactor.step(now_ms as i64).unwrap().removed.len(), 3);
}

pub(super) fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
    out.sort();
}

/// What a verification names: places and files that no commit names.
fn named(location: &Location) -> Vec<String> {
    let archive = Archive::open_to_verify(location, &S3Settings::default()).unwrap();
    let report = verify(&archive, &mut |_| {}).unwrap();
    let problems = report.problems.into_iter().map(|problem| format!("{}: {}", problem.place, problem.what));
    problems.chain(report.unreferenced.into_iter().map(|path| format!("unreferenced {path}"))).collect()
}

/// What the table's log says in this file, or `None` when it cannot be read. Members that tell
/// nothing of the archive are left out: who wrote a commit and when, and the table's own name.
fn meaning(name: &str, bytes: &[u8]) -> Option<Value> {
    if name.ends_with(".checkpoint.parquet") {
        let rows = parquet_as_json(name, bytes.to_vec().into()).ok()?;
        return Some(rows.into_iter().map(without_trivia).collect());
    }
    if name == "_last_checkpoint" {
        return serde_json::from_slice::<Value>(bytes).ok()?.get("version").cloned();
    }
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).ok().map(without_trivia))
        .collect::<Option<Vec<_>>>()
        .map(Value::from)
}

fn without_trivia(mut action: Value) -> Value {
    for (name, trivia) in [
        ("commitInfo", &log::TRIVIA[..]),
        ("txn", &["lastUpdated"]),
        ("metaData", &["id", "name", "description", "createdTime"]),
    ] {
        if let Some(members) = action.get_mut(name).and_then(Value::as_object_mut) {
            members.retain(|member, _| !trivia.contains(&member.as_str()));
        }
    }
    action
}

#[test]
fn every_damage_is_named_or_tells_nothing() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    assert_eq!(named(&location), Vec::<String>::new());
    let mut all = Vec::new();
    files(&root.path().join("archive"), &mut all);
    for kind in [".checkpoint.parquet", "compacted-"] {
        assert!(all.iter().any(|path| path.to_string_lossy().contains(kind)), "{kind}: {all:?}");
    }
    let flips = std::env::var("CUSTODY_SWEEP_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let (mut tried, mut harmless) = (0, 0);
    for (at_file, path) in all.iter().enumerate() {
        let good = fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut damaged: Vec<(String, Option<Vec<u8>>)> = vec![
            ("deleted".into(), None),
            ("emptied".into(), Some(Vec::new())),
            ("cut".into(), Some(good[..good.len() / 2].to_vec())),
            ("cut by a byte".into(), Some(good[..good.len() - 1].to_vec())),
        ];
        let same_kind =
            |other: &&PathBuf| other.extension() == path.extension() && other.parent() == path.parent();
        if let Some(other) = all[at_file + 1..].iter().find(same_kind) {
            damaged.push(("replaced by its neighbour".into(), Some(fs::read(other).unwrap())));
        }
        for at in (0..good.len()).step_by((good.len() / flips).max(1)) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            damaged.push((format!("bit flipped at {at}"), Some(bad)));
        }
        for (what, bad) in damaged {
            tried += 1;
            match &bad {
                None => fs::remove_file(path).unwrap(),
                Some(bad) => fs::write(path, bad).unwrap(),
            }
            let problems = named(&location);
            let version = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
            let place = version.map(|version| format!("version {version}"));
            let is_named = problems.iter().any(|problem| {
                problem.contains(&name) || place.as_ref().is_some_and(|place| problem.contains(place))
            });
            // Its data file is told.
            let newest_removed = bad.is_none()
                && name == "00000000000000000006.json"
                && problems.iter().any(|problem| problem.starts_with("unreferenced"));
            // A hint for readers that go on without it.
            let hint = name == "_last_checkpoint" && bad.is_none();
            let same = bad.as_ref().is_some_and(|bad| {
                path.parent().unwrap().ends_with("_delta_log")
                    && meaning(&name, bad).is_some()
                    && meaning(&name, bad) == meaning(&name, &good)
            });
            // Derived, and the newer one is what readers begin with.
            let older = name == "00000000000000000003.checkpoint.parquet" && bad.is_none();
            harmless += u32::from(!is_named);
            assert!(is_named || newest_removed || hint || older || same, "{name}: {what}: {problems:?}");
            fs::write(path, &good).unwrap();
        }
    }
    assert_eq!(named(&location), Vec::<String>::new());
    println!("{tried} damages, {} named, {harmless} that tell nothing of the archive", tried - harmless);
}

/// What other engines go by and no manifest says.
#[test]
fn members_that_were_added_are_named() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let path = root.path().join("archive/_delta_log/00000000000000000002.json");
    let good = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"dataChange\":true", "\"dataChange\":true,\"tags\":{\"a\":\"b\"}"),
        ("\"dataChange\":true", "\"dataChange\":true,\"deletionVector\":{\"cardinality\":1}"),
        ("\"archive_month\":\"2014-05\"", "\"archive_month\":\"2014-06\""),
        ("numRecords\\\":6", "numRecords\\\":7"),
    ] {
        assert!(good.contains(from), "{from}: {good}");
        fs::write(&path, good.replace(from, to)).unwrap();
        let named = named(&location);
        assert!(named.iter().any(|problem| problem.starts_with("version 2: its actions")), "{to}: {named:?}");
    }
}

/// What a compaction says and its commit does must be the same, and nothing may get lost by it.
#[test]
fn compactions_that_are_not_sound_are_named() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let path = root.path().join("archive/_delta_log/00000000000000000004.json");
    let good = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"dataChange\":false", "\"dataChange\":true"),
        ("\"deletionTimestamp\":1", "\"deletionTimestamp\":2"),
        ("\"extendedFileMetadata\":true,", ""),
        ("\\\"first_row\\\":7", "\\\"first_row\\\":5"),
        ("\\\"version\\\":2", "\\\"version\\\":1"),
        ("\\\"batch\\\":\\\"batch-1", "\\\"batch\\\":\\\"batch-7"),
        ("batch-0-", "batch-9-"),
        ("{\"add\":{", "{\"txn\":{\"appId\":\"custody:t:1:0\",\"version\":9}}\n{\"add\":{"),
    ] {
        assert!(good.contains(from), "{from}: {good}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let named = named(&location);
        assert!(named.iter().any(|problem| problem.starts_with("version 4: ")), "{to}: {named:?}");
    }
}

#[test]
fn what_is_not_ours_is_named() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let archive = root.path().join("archive");
    fs::write(archive.join("_delta_log/notes.txt"), "x").unwrap();
    fs::write(archive.join("retention_class=default/archive_month=2014-05/more.parquet"), "x").unwrap();
    // What another engine would do: a file of its own, in a commit of its own.
    fs::write(
        archive.join("_delta_log/00000000000000000007.json"),
        "{\"add\":{\"path\":\"more.parquet\",\"size\":1,\"partitionValues\":{},\"modificationTime\":0,\"dataChange\":true}}\n",
    )
    .unwrap();
    let named = named(&location).join("\n");
    for expected in [
        "notes.txt",
        "version 7: holds no batch and opens no generation",
        "version 7: adds",
        "unreferenced retention_class=default/archive_month=2014-05/more.parquet",
    ] {
        assert!(named.contains(expected), "{expected}: {named}");
    }
}

/// The schema in a footer may say anything: that is damage to name, never a panic.
#[test]
fn a_damaged_footer_is_no_panic() {
    let root = tempfile::tempdir().unwrap();
    small_archive(root.path());
    let mut all = Vec::new();
    files(&root.path().join("archive/retention_class=default"), &mut all);
    let good = fs::read(&all[0]).unwrap();
    let length = u32::from_le_bytes(good[good.len() - 8..good.len() - 4].try_into().unwrap()) as usize;
    let mut read = 0;
    for at in good.len() - 8 - length..good.len() {
        for bit in [at % 7, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let Ok(rows) = rows_of("file", bad.into(), Columns::LeavesAndIndex) else { continue };
            for rows in rows {
                let Ok(rows) = rows else { break };
                let (Ok(verbatim), Ok(index)) = (rows.verbatim(), rows.index_rows()) else { break };
                let mut filler = Filler::default();
                for row in 0..rows.len() {
                    let payload = verbatim.payload(row, &mut filler);
                    read += usize::from(payload.is_ok_and(|payload| payload.is_some()));
                    index.row(row);
                    index.parties(row).for_each(drop);
                }
            }
        }
    }
    assert!(read > 0);
}
