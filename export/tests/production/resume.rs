//! Runs that are killed and started again.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use custody_archive::{BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
use custody_export::{Format, Options, Production, Progress, Request, VolumeLimit, verify};
use custody_schemas::{Incoming, Partition};

use super::{EVENT, World, contents, hit, request};

/// Documents of the archive: more than are rendered at once, three times.
const DOCUMENTS: i64 = 100;

/// A message of each of many conversations.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Folder(dir.path().join("archive"));
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let mut builder = BatchBuilder::new("b".into());
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    for offset in 0..DOCUMENTS {
        let payload = EVENT.replace("c-88", &format!("c-{offset:03}")).replace("ID", &offset.to_string());
        let incoming =
            Incoming { key: None, headers: &[], payload: Some(payload.as_bytes()), broker_time_ms: Some(0) };
        builder.push(&partition, offset, offset, &incoming).unwrap();
    }
    let batch = Encoded::new(builder.seal("default", 1_400_000_000_123).unwrap()).unwrap();
    let files = vec![Arc::new(writer.archive(&batch).unwrap().file)];
    World { archive: writer.reader(), dir, files }
}

fn asked(format: Format, volume: Option<u64>) -> Request {
    let options = Options {
        volume: volume.map(|documents| VolumeLimit { bytes: None, documents: Some(documents) }),
        with_records: true,
        ..Options::default()
    };
    Request { format, options: Some(options), ..request() }
}

impl World {
    /// Produces, or dies when so many times some documents were written; how many records were said to
    /// be written first of all.
    fn run(&self, request: &Request, name: &str, dies_after: usize) -> Option<u64> {
        let hits = (0..u64::try_from(DOCUMENTS).unwrap()).map(|row| hit(&self.files[0], row)).collect();
        let (mut first, mut times) = (None, 0);
        let mut progress = |step| {
            if let Progress::Writing(done, of) = step {
                assert!(done <= of);
                first.get_or_insert(done);
                times += 1;
                assert!(times < dies_after, "killed");
            }
        };
        let production = Production {
            archive: &self.archive,
            request,
            through_version: 1,
            threads: NonZeroUsize::MIN,
            files: None,
            custodians: None,
            fonts: None,
            key: None,
        };
        let run = AssertUnwindSafe(|| production.write(hits, &self.path(name), &mut progress).unwrap());
        let is_done = catch_unwind(run).is_ok();
        assert_eq!(is_done, self.path(name).join("receipt.json").exists());
        first
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn check(format: Format, volume: Option<u64>, grows: Option<&str>) {
    let world = world();
    let request = asked(format, volume);
    assert_eq!(world.run(&request, "good", usize::MAX), Some(32));
    let good = contents(&world.path("good"));
    for dies_after in 1..4 {
        let name = format!("killed {dies_after}");
        assert_eq!(world.run(&request, &name, dies_after), Some(32));
        let work = world.path(&name).join("production.part");
        // What was begun and is in no line of the journal.
        append(&work.join("journal.part"), "{\"documents\":");
        append(&work.join("cross-reference.csv"), "CUST");
        if let Some(grows) = grows {
            append(&work.join(grows), "half a line");
        }
        // Killed once more, when some more are written; then in peace.
        let there = 32 * dies_after as u64;
        assert_eq!(world.run(&request, &name, 2), Some(there));
        assert_eq!(world.run(&request, &name, usize::MAX), Some((there + 32).min(100)));
        assert!(contents(&world.path(&name)) == good, "{format:?} killed after {dies_after}");
        assert!(verify(&world.path(&name), None).unwrap().is_sound());
    }
}

#[test]
fn pages_go_on_where_they_were() {
    check(Format::Html, None, None);
}

#[test]
fn a_file_that_grows_goes_on_where_it_was() {
    check(Format::Csv, None, Some("records.csv"));
}

#[test]
fn volumes_go_on_where_they_were() {
    check(Format::Dat, Some(50), None);
}

#[test]
fn another_request_takes_nothing_over() {
    let world = world();
    let request = asked(Format::Html, None);
    let other = Request { why: "case 8".into(), ..request.clone() };
    world.run(&other, "good", usize::MAX);
    world.run(&request, "killed", 2);
    assert_eq!(world.run(&other, "killed", usize::MAX), Some(32));
    assert!(contents(&world.path("killed")) == contents(&world.path("good")));
}

#[test]
fn what_was_altered_meanwhile_is_made_anew() {
    let world = world();
    let request = asked(Format::Html, None);
    world.run(&request, "good", usize::MAX);
    world.run(&request, "killed", 2);
    fs::write(world.path("killed/production.part/html/CUST00000001.html"), "altered").unwrap();
    assert_eq!(world.run(&request, "killed", usize::MAX), Some(32));
    assert!(contents(&world.path("killed")) == contents(&world.path("good")));
}

/// A table is one file: it is begun anew.
#[test]
fn a_table_is_begun_anew() {
    let world = world();
    let request = asked(Format::Xlsx, None);
    world.run(&request, "good", usize::MAX);
    world.run(&request, "killed", 2);
    assert_eq!(world.run(&request, "killed", usize::MAX), Some(32));
    assert!(contents(&world.path("killed")) == contents(&world.path("good")));
}
