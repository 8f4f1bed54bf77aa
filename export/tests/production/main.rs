//! Productions at the crate's own boundary: made from a real archive, checked
//! without it, damaged in every way.

mod damage;
mod packed;
mod resume;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_archive::{
    Archive, BatchBuilder, CompactSettings, Compactor, Encoded, FileRef, Location, S3Settings, Store, Writer,
    WriterSettings,
};
use custody_export::{
    CROSS_REFERENCE, EXCEPTIONS, Format, HOW_TO, Hit, Kind, Numbering, Options, PrivateKey, Production,
    Progress, RECEIPT, RECORDS, Receipt, Redaction, Request, SIGNATURE, VolumeLimit, What, font_files,
    verify,
};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span, gap};

use damage::{edit, replace};

const EVENT: &str = r#"{"specversion":"1.0","id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","tenant":"contoso.example","sequence":"1","data":{"conversation":{"id":"c-88","kind":"direct"},"from":{"network":"skype","address":"live:bob","name":"Bob"},"to":[{"network":"lync","address":"sip:alice@contoso.example"}],"message":{"id":"m","content_type":"text/html","text":"<b>hello</b> ID \u0001\u2028\"\\ é"}}}"#;
const CALL: &str = r#"{"specversion":"1.0","id":"call","source":"//gw","type":"federation.call.ended.v1","time":"2013-05-29T10:00:00Z","data":{"call":{"id":"k","media":["audio","video"],"answer_time":"2013-05-29T09:59:00Z","end_time":"2013-05-29T10:00:00Z","response_code":200,"reason":"completed","referred_by":"sip:carol@contoso.example"}}}"#;
const FILE: &str = r#"{"specversion":"1.0","id":"file","source":"//gw","type":"federation.file.shared.v1","data":{"file":{"id":"f","name":"plan.pdf","size":7}}}"#;
const UNKNOWN: &str = r#"{"specversion":"2.0","id":"x","source":"//gw","type":"com.example.other","data":7}"#;

/// What a message of the tiny archive holds besides its number.
fn payload(n: i64) -> Option<Vec<u8>> {
    match n % 8 {
        0..3 => Some(EVENT.replace("ID", &n.to_string()).into_bytes()),
        3 => Some(CALL.into()),
        4 => Some(FILE.into()),
        5 => Some(UNKNOWN.into()),
        6 => Some(b"\xff\x00 not text".to_vec()),
        _ => None,
    }
}

struct World {
    dir: tempfile::TempDir,
    archive: Archive,
    files: Vec<Arc<FileRef>>,
}

/// Three batches of two partitions, eight messages a partition in each.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().join("archive"));
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let files = (0..3).map(|n| Arc::new(writer.archive(&batch(n)).unwrap().file)).collect();
    World { archive: writer.reader(), dir, files }
}

fn batch(n: i64) -> Encoded {
    let mut builder = BatchBuilder::new(format!("b{n}"));
    for number in 0..2 {
        let partition = Partition { topic: "t".into(), generation: 1, partition: number };
        for offset in n * 8..n * 8 + 8 {
            let payload = payload(offset);
            let headers = [
                ("content-type", Some(&b"application/json"[..])),
                ("bin", Some(&b"\xfe"[..])),
                ("none", None),
            ];
            let incoming = Incoming {
                key: [None, Some(&b"c-88"[..]), Some(b""), Some(b"\xf0\x00")]
                    [usize::try_from(offset % 4).unwrap()],
                headers: &headers[..usize::try_from(offset % 4).unwrap()],
                payload: payload.as_deref(),
                broker_time_ms: (offset % 3 > 0).then_some(1_400_000_000_000 + offset),
            };
            builder.push(&partition, offset, offset, &incoming).unwrap();
        }
    }
    Encoded::new(builder.seal("default", 1_400_000_000_123 + n).unwrap()).unwrap()
}

fn request() -> Request {
    Request {
        version: 2,
        query: "hello".into(),
        query_canonical: "text:hello".into(),
        zone: "Europe/Berlin".into(),
        who: "dana@contoso.example".into(),
        why: "case 7".into(),
        format: Format::JsonLines,
        options: Some(Options::default()),
    }
}

fn hit(file: &Arc<FileRef>, row: u64) -> Hit {
    Hit { file: file.clone(), row, deliveries: 1, is_context: false }
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn reopened(&self) -> Archive {
        Archive::open(&Location::Folder(self.path("archive")), &S3Settings::default()).unwrap()
    }

    /// Every row, in no good order, some twice.
    fn all(&self) -> Vec<Hit> {
        let rows = self.files.iter().rev().flat_map(|file| (0..16).rev().map(|row| hit(file, row)));
        rows.clone().chain(rows.take(5)).collect()
    }

    fn first(&self, rows: u64) -> Vec<Hit> {
        (0..rows).map(|row| hit(&self.files[0], row)).collect()
    }

    fn produce(&self, hits: Vec<Hit>, name: &str) -> Result<Receipt, custody_export::Error> {
        self.write(hits, name, &request(), 2)
    }

    fn write(
        &self,
        hits: Vec<Hit>,
        name: &str,
        request: &Request,
        threads: usize,
    ) -> Result<Receipt, custody_export::Error> {
        let threads = NonZeroUsize::new(threads).unwrap();
        let production = Production {
            archive: &self.archive,
            request,
            through_version: 3,
            threads,
            files: None,
            custodians: None,
            fonts: None,
            key: None,
        };
        production.write(hits, &self.path(name), &mut |_| {})
    }
}

fn problems(dir: &Path) -> Vec<String> {
    let report = verify(dir, None).unwrap();
    assert_eq!(report.is_sound(), report.problems.is_empty());
    report.problems.iter().map(ToString::to_string).collect()
}

/// Every file, by its path in the folder.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut all, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                all.push((name, fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn a_production_is_sound_ordered_and_repeatable() {
    let world = world();
    let mut told = Vec::new();
    let out = world.path("a");
    let request = request();
    let threads = NonZeroUsize::MIN;
    let production = Production {
        archive: &world.archive,
        request: &request,
        through_version: 3,
        threads,
        files: None,
        custodians: None,
        fonts: None,
        key: None,
    };
    let receipt = production.write(world.all(), &out, &mut |step| told.push(step)).unwrap();
    assert_eq!(told.last(), Some(&Progress::Reading(48, 48)));
    assert_eq!(problems(&out), [""; 0]);
    let report = verify(&out, None).unwrap();
    assert_eq!((report.records, report.receipt.as_ref()), (48, Some(&receipt)));
    let types: Vec<_> = receipt.types.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(
        types,
        ["call.ended 6", "com.example.other 6", "file.shared 6", "im.message.sent 18", "quarantined 12"]
    );
    let records = fs::read_to_string(out.join(RECORDS)).unwrap();
    let positions: Vec<String> = records
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected: Vec<String> =
        (0..2).flat_map(|part| (0..24).map(move |n| format!("t:1:{part}:{n}"))).collect();
    assert_eq!(positions, expected);

    world.produce(world.all().into_iter().rev().collect(), "b").unwrap();
    assert_eq!(contents(&out), contents(&world.path("b")));
}

/// The same request gives the same bytes wherever the batches are stored.
#[test]
fn compaction_changes_no_production() {
    let mut world = world();
    world.produce(world.all(), "a").unwrap();
    let store = Store::open(&Location::Folder(world.path("archive")), &S3Settings::default()).unwrap();
    let settings = CompactSettings { grace_ms: 0, ..CompactSettings::default() };
    let mut compactor = Compactor::open(store.into(), settings).unwrap();
    let later = 1_400_000_000_000 + 86_400_000;
    assert_eq!(compactor.step(later).unwrap().compacted.unwrap().files, 3);
    assert_eq!(compactor.step(later).unwrap().removed.len(), 3);
    // Asked for where they were, and where they are.
    world.produce(world.all(), "b").unwrap();
    world.files = world.archive.batches().unwrap().into_iter().map(|(_, file)| Arc::new(file)).collect();
    world.produce(world.all(), "c").unwrap();
    let contents = ["a", "b", "c"].map(|name| contents(&world.path(name)));
    assert!(contents[0] == contents[1] && contents[0] == contents[2]);
}

#[test]
fn golden_lines_v1() {
    let world = world();
    world.produce(world.first(8), "a").unwrap();
    let records = fs::read_to_string(world.path("a").join(RECORDS)).unwrap();
    assert_eq!(records, include_str!("../golden/records.v1.jsonl"));
}

#[test]
fn nothing_found_is_a_production_too() {
    let world = world();
    let receipt = world.produce(Vec::new(), "a").unwrap();
    assert_eq!(receipt.count, 0);
    assert_eq!(problems(&world.path("a")), [""; 0]);
}

#[test]
fn one_flipped_bit_is_named() {
    let world = world();
    let out = world.path("a");
    world.produce(world.first(8), "a").unwrap();
    for (name, good) in contents(&out) {
        let path = out.join(&name);
        for at in (0..good.len()).step_by(5) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let found = problems(&out);
            // What the receipt says wrongly of another file is named there.
            let named = |problem: &String| {
                problem.starts_with(&*name) || (name == RECEIPT && problem.contains("the receipt"))
            };
            assert!(found.iter().any(named), "{name} byte {at}: {found:#?}");
        }
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            let found = problems(&out);
            assert!(
                found.iter().any(|problem| problem.starts_with(&*name)),
                "{name} cut to {length}: {found:#?}"
            );
        }
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(problems(&out), [""; 0]);
}

#[test]
fn what_is_no_production_is_not_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), "x").unwrap();
    let error = verify(dir.path(), None).unwrap_err().to_string();
    assert!(error.contains("holds no production"), "{error}");
    fs::write(dir.path().join("receipt.json.part"), "").unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert!(report.problems[0].to_string().contains("the export is not finished"), "{:?}", report.problems);
}

/// Another version's readable members cannot be compared, and the report must not hide that.
#[test]
fn what_was_not_compared_is_said() {
    let world = world();
    world.produce(world.first(8), "a").unwrap();
    let dir = world.path("a");
    assert!(verify(&dir, None).unwrap().members_compared);
    let version = format!(r#""custody_version":"{}""#, env!("CARGO_PKG_VERSION"));
    replace(&dir, RECEIPT, &version, r#""custody_version":"0.0.0""#);
    assert!(!verify(&dir, None).unwrap().members_compared);
}

#[test]
fn problems_beyond_the_limit_are_counted() {
    let world = world();
    world.produce(world.first(8), "a").unwrap();
    edit(&world.path("a"), RECORDS, |lines| *lines = vec!["?".into(); 1_500]);
    let report = verify(&world.path("a"), None).unwrap();
    assert_eq!((report.problems.len(), report.more > 400), (1_000, true));
}

fn refused(result: Result<Receipt, custody_export::Error>, expected: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn folders_in_use_are_left_alone() {
    let world = world();
    world.produce(Vec::new(), "done").unwrap();
    refused(world.produce(Vec::new(), "done"), "already holds a production");
    refused(world.produce(Vec::new(), "no/where"), "the folder above it does not exist");
    fs::write(world.path("file"), "x").unwrap();
    refused(world.produce(Vec::new(), "file"), "is a file; name a new folder");
    for name in ["holiday.jpg", RECORDS, "records.jsonl.part"] {
        // Even under our names: without the mark of a killed run it is not ours.
        let dir = world.path(&format!("with {name}"));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(name), "x").unwrap();
        refused(world.produce(Vec::new(), &format!("with {name}")), &format!("it holds {name:?}"));
        assert_eq!(contents(&dir), [(name.to_owned(), b"x".to_vec())]);
    }
    let error = verify(&world.path("nowhere"), None).unwrap_err();
    assert_eq!((error.kind, error.to_string().contains("no such folder")), (Kind::Invalid, true));
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let world = world();
    let dir = world.path("a");
    fs::create_dir(&dir).unwrap();
    let other = fs::File::create(dir.join("receipt.json.part")).unwrap();
    other.lock().unwrap();
    refused(world.produce(Vec::new(), "a"), "another run is writing into it");
    drop(other);
    world.produce(Vec::new(), "a").unwrap();
}

/// A kill at each step of the end leaves names as here; the next run begins anew.
#[test]
fn a_killed_run_is_begun_anew() {
    let world = world();
    world.produce(world.all(), "good").unwrap();
    let good = contents(&world.path("good"));
    let states: &[&[&str]] = &[
        &[],
        &["receipt.json.part"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt.part", "records.jsonl.part", "entries.part"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt.part", "records.jsonl.part"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt", "records.jsonl.part"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt", "records.jsonl"],
        &["receipt.json.part", "production.part/records.jsonl", "production.part/html/CUST00000001.html"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt", "production.part/VOL001/records.csv"],
        &["receipt.json.part", "HOW-TO-VERIFY.txt", "VOL001/html/CUST00000001.html", "exceptions.csv"],
    ];
    for (n, names) in states.iter().enumerate() {
        let dir = world.path(&n.to_string());
        fs::create_dir(&dir).unwrap();
        for name in *names {
            fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
            fs::write(dir.join(name), vec![b'x'; 1 << 20]).unwrap();
        }
        match names {
            [] => assert!(verify(&dir, None).is_err(), "an empty folder is no production"),
            names => assert_ne!(problems(&dir), [""; 0], "{names:?} is no production"),
        }
        world.produce(world.all(), &n.to_string()).unwrap();
        assert!(contents(&dir) == good, "{names:?}");
    }
}

/// An altered archive file gives no production, or the same one when the flipped
/// bit is in what no production is made from; then the folder can be used again.
#[test]
fn what_is_not_what_was_archived_is_not_produced() {
    let mut world = world();
    world.produce(world.all(), "good").unwrap();
    let expected = contents(&world.path("good"));
    let path = world.path("archive").join(&world.files[1].path);
    let good = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..good.len() / 3).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, bad).unwrap();
        let name = at.to_string();
        // One that has read nothing before: what it has proven it remembers.
        world.archive = world.reopened();
        match world.produce(world.all(), &name) {
            Ok(_) => assert!(contents(&world.path(&name)) == expected, "bit flipped in byte {at}"),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind, Kind::Corrupt, "{error}");
                assert!(!world.path(&name).join(RECEIPT).exists());
                fs::write(&path, &good).unwrap();
                world.archive = world.reopened();
                world.produce(world.all(), &name).unwrap();
                assert!(contents(&world.path(&name)) == expected);
            }
        }
    }
    assert!(refused > 5, "{refused}");
}

/// A gap that matches is produced like a record; a message that looks like one stays a message.
#[test]
fn a_gap_is_a_line_of_its_own() {
    let mut world = world();
    let partition = Partition { topic: "t".into(), generation: 1, partition: 2 };
    let (span, reason) = (Span { from: 0, to: 3 }, GapReason::BeforeFirstCapture);
    let lost = Gap { span, reason, noticed_ms: 1_400_000_000_000 };
    let mut builder = BatchBuilder::new("gap".into());
    builder.gap(&partition, lost.clone()).unwrap();
    let published = gap::payload(&partition, &Gap { span: Span { from: 3, to: 4 }, ..lost }).unwrap();
    let payload = Some(published.as_bytes());
    let incoming = Incoming { key: None, headers: &[], payload, broker_time_ms: None };
    builder.push(&partition, 3, 3, &incoming).unwrap();
    let encoded = Encoded::new(builder.seal("default", 1_400_000_000_123).unwrap()).unwrap();
    let location = Location::Folder(world.dir.path().join("archive"));
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    world.files = vec![Arc::new(writer.archive(&encoded).unwrap().file)];
    let receipt = world.produce(world.first(2), "gap").unwrap();
    assert_eq!(receipt.types, [("custody.gap".to_owned(), 2)].into());
    let out = world.path("gap");
    assert_eq!(problems(&out), [""; 0]);
    let records = fs::read_to_string(out.join(RECORDS)).unwrap();
    let lines: Vec<serde_json::Value> =
        records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = "offsets 0 to 2 were lost: they were gone before the topic was first captured";
    assert_eq!((&lines[0]["gap"], &lines[0]["warnings"]), (&said.into(), &serde_json::json!([])));
    assert_eq!((&lines[1]["gap"], &lines[1]["warnings"][0]), (&().into(), &"type_unknown".into()));
    // A line that says otherwise does not follow from its bytes.
    let forged = records.replacen(said, "nothing was lost", 1);
    fs::write(out.join(RECORDS), forged).unwrap();
    let found = problems(&out).join("\n");
    assert!(found.contains("a member is not what key, headers and payload say"), "{found}");
}

/// A request for documents.
fn documents(format: Format, volume: Option<VolumeLimit>, with_records: bool) -> Request {
    let options = Options { volume, with_records, ..Options::default() };
    Request { format, options: Some(options), ..request() }
}

/// Every format: sound, equal to the byte when repeated with other threads, every record once in the
/// cross-reference, and every byte of it guarded by the receipt.
#[test]
fn documents_are_sound_and_repeatable() {
    let world = world();
    let limit = VolumeLimit { documents: Some(1), bytes: None };
    for (n, &format) in Format::ALL.iter().filter(|format| **format != Format::JsonLines).enumerate() {
        for (volume, with_records) in [(None, true), (Some(limit.clone()), false)] {
            let request = documents(format, volume.clone(), with_records);
            let names = ["a", "b"].map(|name| format!("{n}{name}{with_records}"));
            if [Format::Parquet, Format::Xlsx].contains(&format) && volume.is_some() {
                refused(world.write(world.all(), &names[0], &request, 1), "cannot be cut into volumes");
                assert!(!world.path(&names[0]).exists());
                continue;
            }
            let receipt = world.write(world.all(), &names[0], &request, 1).unwrap();
            world.write(world.all().into_iter().rev().collect(), &names[1], &request, 3).unwrap();
            let [one, other] = names.each_ref().map(|name| contents(&world.path(name)));
            assert!(one == other, "{format:?}");
            let dir = world.path(&names[0]);
            assert_eq!(problems(&dir), [""; 0], "{format:?}");
            assert_eq!(one.len(), receipt.files.len() + 1, "{format:?}");
            assert_eq!(
                one.iter().any(|(name, _)| name.starts_with("VOL002/")),
                volume.is_some(),
                "{format:?}"
            );
            let cross = fs::read_to_string(dir.join(CROSS_REFERENCE)).unwrap();
            let mut positions: Vec<_> =
                cross.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
            positions.sort_unstable();
            positions.dedup();
            // Six of them share a file, which has a number of its own.
            assert_eq!((positions.len(), cross.lines().count()), (48, 49 + 6), "{format:?}");
            for (name, bytes) in one.iter().filter(|(name, _)| name != RECEIPT) {
                fs::write(dir.join(name), [&bytes[..], b" "].concat()).unwrap();
                let found = problems(&dir);
                assert!(found.iter().any(|problem| problem.starts_with(&**name)), "{name}: {found:?}");
                fs::remove_file(dir.join(name)).unwrap();
                let found = problems(&dir);
                assert!(found.iter().any(|problem| problem.starts_with(&**name)), "{name}: {found:?}");
                fs::write(dir.join(name), bytes).unwrap();
            }
            fs::create_dir_all(dir.join("html/sub")).unwrap();
            fs::write(dir.join("html/sub/more"), "x").unwrap();
            let found = problems(&dir);
            assert!(found.iter().any(|problem| problem.contains("it is not in the receipt")), "{found:?}");
        }
    }
}

/// What version 1 wrote is verified for ever.
#[test]
fn a_production_of_version_1_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production.v1");
    for (name, bytes) in contents(&golden) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    assert_eq!(problems(dir.path()), [""; 0]);
    replace(dir.path(), RECORDS, "hello</b> 0", "hallo</b> 0");
    assert!(problems(dir.path()).iter().any(|problem| problem.contains("is not what was archived")));
}

/// What `verify.py` in a production says of it: its exit code and its lines; `None` without Python.
fn python(dir: &Path) -> Option<(i32, String)> {
    let out = std::process::Command::new("python3").arg(dir.join("verify.py")).arg(dir).output().ok()?;
    let said = [out.stdout, out.stderr].concat();
    Some((out.status.code().unwrap(), String::from_utf8(said).unwrap()))
}

/// Two checks that were written independently must agree, also of what is damaged.
#[test]
fn the_check_in_the_production_agrees() {
    let world = world();
    if python(&world.path("none")).is_none() {
        println!("skipped: python3 is not there");
        return;
    }
    let requests = [
        documents(Format::JsonLines, None, false),
        documents(Format::Rsmf, Some(VolumeLimit { documents: Some(2), bytes: None }), false),
        documents(Format::Html, None, true),
    ];
    for (n, request) in requests.iter().enumerate() {
        let name = n.to_string();
        let dir = world.path(&name);
        // A part of each batch, so that there is something to prove.
        let hits = world.all().into_iter().filter(|hit| hit.row % 3 == 1).collect();
        world.write(hits, &name, request, 2).unwrap();
        assert_eq!(problems(&dir), [""; 0]);
        let (code, said) = python(&dir).unwrap();
        assert_eq!(code, 0, "{said}");
        for (file, bytes) in contents(&dir) {
            for at in [bytes.len() / 3, bytes.len() / 2] {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                fs::write(dir.join(&file), &bad).unwrap();
                assert_ne!(problems(&dir), [""; 0], "{file}");
                // It is not its own judge, and what types there are only records tell.
                if file != "verify.py" && (file != RECEIPT || n != 1) {
                    let (code, said) = python(&dir).unwrap();
                    assert_eq!(code, 3, "{file} byte {at}: {said}");
                }
            }
            fs::write(dir.join(&file), &bytes).unwrap();
        }
    }
}

#[test]
fn a_signature_is_of_one_receipt_and_one_key() {
    let world = world();
    let [own, other] = ["a", "b"].map(|name| PrivateKey::generate(name).unwrap());
    let request = documents(Format::Html, None, false);
    let production = Production {
        archive: &world.archive,
        request: &request,
        through_version: 3,
        threads: NonZeroUsize::MIN,
        files: None,
        custodians: None,
        fonts: None,
        key: Some(&own),
    };
    let dir = world.path("signed");
    production.write(world.all(), &dir, &mut |_| {}).unwrap();
    let check = |key: Option<&PrivateKey>, expected: &[&str]| {
        let report = verify(&dir, key.map(PrivateKey::public)).unwrap();
        let found: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        report.signers
    };
    assert_eq!(check(Some(&own), &[]), ["a"]);
    assert_eq!(check(None, &[]), ["a"]);
    check(Some(&other), &["receipt.sig: it has no signature by b+"]);
    let good = fs::read_to_string(dir.join(SIGNATURE)).unwrap();
    // Somebody signs something else under the same receipt.
    fs::write(dir.join(SIGNATURE), custody_export::sign("something else\n", &[&own]).unwrap()).unwrap();
    check(Some(&own), &["receipt.sig: it signs something else than this receipt"]);
    // Or alters the receipt and cannot sign it.
    fs::write(dir.join(SIGNATURE), &good).unwrap();
    let receipt = fs::read_to_string(dir.join(RECEIPT)).unwrap();
    replace(&dir, RECEIPT, r#""exceptions":"#, r#""exceptions":1"#);
    check(Some(&own), &["receipt.sig: it signs something else than this receipt"]);
    fs::write(dir.join(RECEIPT), receipt).unwrap();
    fs::write(dir.join(SIGNATURE), "no note").unwrap();
    check(None, &["receipt.sig: not a signed note"]);
    fs::remove_file(dir.join(SIGNATURE)).unwrap();
    check(Some(&own), &["receipt.sig: it is missing"]);
    assert_eq!(check(None, &[]), [""; 0]);
}

/// What is redacted is in no file of any format, and the record is proven all the same.
#[test]
fn what_is_redacted_is_nowhere() {
    let world = world();
    let reason = "the order of the court".to_owned();
    let redactions = vec![
        Redaction {
            name: "greeting".into(),
            reason: reason.clone(),
            what: What::Pattern("hello|Bob".into()),
        },
        Redaction { name: "withheld".into(), reason, what: What::Records(vec!["t:1:0:4".into()]) },
    ];
    for (n, &format) in Format::ALL.iter().enumerate() {
        let mut request = documents(format, None, true);
        request.query = "what was said".into();
        request.query_canonical = "text:said".into();
        request.options =
            request.options.map(|options| Options { redactions: redactions.clone(), ..options });
        let (name, dir) = (n.to_string(), world.path(&n.to_string()));
        let receipt = world.write(world.first(8), &name, &request, 2).unwrap();
        assert_eq!(problems(&dir), [""; 0], "{format:?}");
        let counts: Vec<_> =
            receipt.redactions.iter().flatten().map(|(rule, told)| (rule.as_str(), told.count)).collect();
        assert_eq!(counts, [("greeting", 6), ("withheld", 1)], "{format:?}");
        let shown = |file: &str| !["verify.py", HOW_TO, RECEIPT].contains(&file);
        for (file, bytes) in contents(&dir).into_iter().filter(|(file, _)| shown(file)) {
            for word in ["hello", "Bob", "plan.pdf"] {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{format:?}: {word} is in {file}");
            }
        }
        if let Some((code, said)) = python(&dir) {
            assert_eq!(code, 0, "{said}");
        }
    }
}

/// Files are handed over with the messages that share them; one that is not there is told.
#[test]
fn files_are_handed_over_or_told_to_be_missing() {
    let world = world();
    let folder = world.path("files");
    fs::create_dir(&folder).unwrap();
    let mut request = documents(Format::Html, None, false);
    request.options.as_mut().unwrap().numbering = Numbering { prefix: "X".into(), width: 2, start: 5 };
    let production = Production {
        archive: &world.archive,
        request: &request,
        through_version: 3,
        threads: NonZeroUsize::MIN,
        files: Some(&folder),
        custodians: None,
        fonts: None,
        key: None,
    };
    let receipt = production.write(world.first(8), &world.path("out"), &mut |_| {}).unwrap();
    assert_eq!((receipt.exceptions, problems(&world.path("out"))), (Some(1), Vec::new()));
    let exceptions = fs::read_to_string(world.path("out").join(EXCEPTIONS)).unwrap();
    assert!(exceptions.contains("its content is not in the folder of files"), "{exceptions}");
    let cross = fs::read_to_string(world.path("out").join(CROSS_REFERENCE)).unwrap();
    assert_eq!(cross.lines().filter(|line| line.contains(",t:1:0:4,")).count(), 2, "{cross}");
    let nowhere = world.path("no files");
    let missing = Production { files: Some(&nowhere), ..production };
    refused(missing.write(Vec::new(), &world.path("b"), &mut |_| {}), "there is no folder of files");
}

/// The receipt names the fonts of a PDF, and the bytes are of these and no others.
#[test]
fn fonts_are_named_in_the_receipt() {
    let world = world();
    let fonts = world.path("fonts");
    fs::create_dir(&fonts).unwrap();
    fs::write(fonts.join("icons.ttf"), epaint_default_fonts::EMOJI_ICON).unwrap();
    let plain = documents(Format::Pdf, None, false);
    let mut request = plain.clone();
    request.options.as_mut().unwrap().fonts = font_files(&fonts).unwrap();
    let with = |request, fonts, name: &str| {
        let production = Production {
            archive: &world.archive,
            request,
            through_version: 3,
            threads: NonZeroUsize::MIN,
            files: None,
            fonts,
            custodians: None,
            key: None,
        };
        production.write(world.first(8), &world.path(name), &mut |_| {})
    };
    let receipt = with(&request, Some(fonts.as_path()), "a").unwrap();
    assert_eq!(problems(&world.path("a")), [""; 0]);
    let named = &receipt.request.options.unwrap().fonts;
    assert_eq!(named.iter().map(|font| font.name.as_str()).collect::<Vec<_>>(), ["icons.ttf"]);
    assert_ne!(receipt.production, with(&plain, None, "b").unwrap().production);
    refused(with(&request, None, "c"), "give the folder that has them");
    refused(with(&plain, Some(fonts.as_path()), "c"), "are not those that the request names");
    fs::write(fonts.join("more.txt"), "no font").unwrap();
    refused(with(&request, Some(fonts.as_path()), "c"), "is no font that can be used");
    let html = Request { format: Format::Html, ..request.clone() };
    refused(with(&html, Some(fonts.as_path()), "c"), "fonts are for the format pdf");
    assert!(!world.path("c").exists());
}
