//! What is chosen, at once, and after an interruption.

use std::fs;
use std::path::{Path, PathBuf};

use super::sweep_tests::{files, small_archive};
use super::*;
use crate::error::Kind;
use crate::store::{Location, S3Settings};

fn open(location: &Location) -> Archive {
    Archive::open_to_verify(location, &S3Settings::default()).unwrap()
}

fn settings(threads: usize) -> VerifySettings {
    VerifySettings { threads: NonZeroUsize::new(threads).unwrap(), ..VerifySettings::default() }
}

fn choose(since: Option<u64>, sample: Option<Sample>) -> VerifySettings {
    VerifySettings { choice: Choice { since, sample }, ..settings(2) }
}

fn run(location: &Location, settings: &VerifySettings, journal: Option<&Journal>) -> Report {
    verify_with(&open(location), settings, journal, &mut |_| {}).unwrap()
}

/// The data files: one that was compacted, and those of the batches 3 and 4, in this order.
fn data(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(&root.join("archive/retention_class=default"), &mut all);
    all.sort_by_key(|path| !path.to_string_lossy().contains("compacted-"));
    assert_eq!(all.len(), 3, "{all:?}");
    all
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn places(report: &Report) -> Vec<&str> {
    let mut places: Vec<_> = report.problems.iter().map(|problem| problem.place.as_str()).collect();
    places.dedup_by_key(|place| place.split(' ').next().unwrap().to_owned());
    places
}

#[test]
fn what_is_told_does_not_depend_on_threads_or_memory() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    for all_damaged in [false, true] {
        if all_damaged {
            data(root.path()).iter().for_each(|path| damage(path));
        }
        let alone = serde_json::to_value(run(&location, &settings(1), None)).unwrap();
        assert_eq!(alone["problems"].as_array().unwrap().is_empty(), !all_damaged);
        assert_eq!(alone["records"], if all_damaged { alone["records"].clone() } else { 30.into() });
        for threads in [2, 3, 8] {
            for bytes_max in [0, 1, 1 << 20] {
                let settings = VerifySettings { bytes_max, ..settings(threads) };
                assert_eq!(serde_json::to_value(run(&location, &settings, None)).unwrap(), alone);
            }
        }
    }
}

#[test]
fn progress_ends_with_everything_done() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let (mut seen, mut last) = (0, Progress::default());
    let report = verify_with(&open(&location), &settings(2), None, &mut |at| {
        assert!(at.files >= last.files && at.bytes >= last.bytes && at.commits >= last.commits);
        (seen, last) = (seen + 1, at);
    })
    .unwrap();
    assert_eq!((last.files, last.files_all, last.commits, last.commits_all), (3, 3, 7, 7));
    assert_eq!((last.bytes, last.bytes_all), (report.bytes, report.bytes));
    assert_eq!(seen, 10);
}

#[test]
fn only_what_was_added_since_is_hashed_and_the_log_is_checked_whole() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    // Version 4 compacted the batches of 1 to 3; 5 and 6 archived one each.
    for (since, files, records) in [(0, 3, 30), (3, 3, 30), (4, 2, 12), (5, 1, 6), (6, 0, 0), (99, 0, 0)] {
        let report = run(&location, &choose(Some(since), None), None);
        assert_eq!((report.files, report.records, report.files_left_out), (files, records, 3 - files));
        assert_eq!((report.batches, report.problems.len()), (5, 0));
    }
    let data = data(root.path());
    damage(&data[0]);
    assert_eq!(run(&location, &choose(Some(4), None), None).problems, []);
    assert_eq!(places(&run(&location, &choose(Some(3), None), None)).len(), 1);
    fs::remove_file(root.path().join("archive/_delta_log/00000000000000000002.json")).unwrap();
    assert!(places(&run(&location, &choose(Some(6), None), None)).contains(&"version 2"));
}

#[test]
fn a_sample_finds_what_is_in_it() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    damage(&data(root.path())[1]);
    let found = |seed| {
        let report = run(&location, &choose(None, Some(Sample { percent: 1.0, seed })), None);
        assert_eq!((report.files, report.files_left_out), (1, 2));
        report.problems.len()
    };
    let with: Vec<_> = (0..20).filter(|seed| found(*seed) > 0).collect();
    assert!(!with.is_empty() && with.len() < 20, "{with:?}");
    assert!(with.iter().all(|seed| found(*seed) > 0));
}

#[test]
fn a_run_that_was_cut_short_is_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let path = root.path().join("journal");
    let choice = Choice::default();
    let begin = || Journal::open(&path, &open(&location), choice);
    let data = data(root.path());
    let good = fs::read(&data[2]).unwrap();
    damage(&data[2]);
    let journal = begin().unwrap();
    assert!(!run(&location, &settings(1), Some(&journal)).problems.is_empty());
    // Killed in the middle of a line: a head, the first file, half of the second.
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3, "what is damaged is not in it: {text}");
    fs::write(&path, &text[..text.len() - 10]).unwrap();
    drop(journal);

    fs::write(&data[2], good).unwrap();
    let journal = begin().unwrap();
    let report = run(&location, &settings(2), Some(&journal));
    assert_eq!((report.files, report.files_before, report.records), (3, 1, 30));
    assert_eq!(report.problems, []);
    let journal = begin().unwrap();
    assert_eq!(run(&location, &settings(2), Some(&journal)).files_before, 3);
    journal.finish().unwrap();
    assert!(!path.exists());
    let journal = begin().unwrap();
    assert_eq!(run(&location, &settings(2), Some(&journal)).files_before, 0);
}

#[test]
fn a_journal_of_something_else_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let location = small_archive(root.path());
    let archive = open(&location);
    let path = root.path().join("journal");
    let since = |version| Choice { since: Some(version), sample: None };
    drop(Journal::open(&path, &archive, since(1)).unwrap());
    let begun = fs::read_to_string(&path).unwrap();
    let refused = |choice, says: &str| {
        let before = fs::read(&path).unwrap();
        let error = Journal::open(&path, &archive, choice).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.kind, Kind::Invalid);
        assert_eq!(fs::read(&path).unwrap(), before);
    };
    refused(since(2), "with other options");
    let other = tempfile::tempdir().unwrap();
    let stranger = open(&small_archive(other.path()));
    let error = Journal::open(&path, &stranger, since(1)).unwrap_err();
    assert!(error.to_string().contains("for another archive"), "{error}");
    for other in ["my thesis", "my thesis\n", "{}\n", "{\"a\":1}"] {
        fs::write(&path, other).unwrap();
        refused(since(1), "is no journal of custody verify");
    }
    fs::write(&path, format!("{begun}my thesis\n")).unwrap();
    refused(since(1), "is no journal of custody verify");
    // A head that was cut short is begun anew, and a sample keeps the seed that it was begun with.
    fs::write(&path, &begun[..begun.len() - 5]).unwrap();
    drop(Journal::open(&path, &archive, since(1)).unwrap());
    fs::remove_file(&path).unwrap();
    let sample = |seed| Choice { since: None, sample: Some(Sample { percent: 50.0, seed }) };
    drop(Journal::open(&path, &archive, sample(1)).unwrap());
    assert_eq!(Journal::open(&path, &archive, sample(2)).unwrap().choice(), sample(1));
}
