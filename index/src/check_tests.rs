//! Damage in every file of a small index is named, or changes nothing that it says.
//!
//! `CUSTODY_SWEEP_FLIPS=1000` flips about so many bits of each file, by default 8.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use custody_archive::{Choice, Sample, VerifySettings};

use super::*;
use crate::build::Indexer;
use crate::manifest::Manifest;
use crate::settings::Settings;
use crate::testing::{Memory, said, store};

struct World {
    dir: tempfile::TempDir,
    source: Memory,
}

impl World {
    /// Some splits, some of them merged since, and an older manifest or two.
    fn new() -> World {
        let world = World { dir: tempfile::tempdir().unwrap(), source: Memory::default() };
        let settings = Settings {
            split_docs_max: 10,
            small_docs: 4,
            small_run_max: 3,
            manifests_kept: 3,
            ..Settings::default()
        };
        let mut indexer = Indexer::open(&store(world.dir.path()), world.source.clone(), settings).unwrap();
        for number in 0..5 {
            let first = number * 5;
            world.source.say((first..first + 5).map(|n| said(n, &format!("message {n}"))).collect());
            indexer.catch_up().unwrap();
        }
        world
    }

    fn report(&self, settings: &VerifySettings) -> Result<IndexReport, Error> {
        verify_index_with(&store(self.dir.path()), &self.source, settings, None, &mut |_| {})
    }

    fn manifest(&self) -> Manifest {
        Folder::new(&store(self.dir.path())).newest().unwrap().unwrap()
    }

    /// What a check says: differences, or why it cannot be made.
    fn told(&self) -> Vec<String> {
        match self.report(&VerifySettings::default()) {
            Ok(report) => report.differences.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        }
    }
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
    out.sort();
}

/// Ways to damage a file; `None` removes it.
fn damages(good: &[u8], neighbour: Option<&PathBuf>, flips: usize) -> Vec<(String, Option<Vec<u8>>)> {
    let mut damages = vec![
        ("deleted".to_owned(), None),
        ("emptied".to_owned(), Some(Vec::new())),
        ("cut".to_owned(), Some(good[..good.len() / 2].to_vec())),
        ("cut by a byte".to_owned(), Some(good[..good.len() - 1].to_vec())),
    ];
    damages.extend(
        neighbour.map(|other| ("replaced by its neighbour".to_owned(), Some(fs::read(other).unwrap()))),
    );
    for at in (0..good.len()).step_by((good.len() / flips).max(1)) {
        let mut bad = good.to_vec();
        bad[at] ^= 1 << (at % 8);
        damages.push((format!("bit flipped at {at}"), Some(bad)));
    }
    damages
}

#[test]
fn every_damage_is_named_or_changes_nothing() {
    let world = World::new();
    assert_eq!(world.told(), Vec::<String>::new());
    let newest = world.manifest();
    let newest_name = format!("{:020}.json", newest.number);
    let used: Vec<String> = newest.splits.iter().map(SplitMeta::file_name).collect();
    let mut all = Vec::new();
    files(world.dir.path(), &mut all);
    let name_of = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(used.len() > 1 && all.iter().any(|path| !used.contains(&name_of(path))), "{all:?}");
    let flips = std::env::var("CUSTODY_SWEEP_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let (mut tried, mut harmless) = (0, 0);
    for (at, path) in all.iter().enumerate() {
        let (good, name) = (fs::read(path).unwrap(), name_of(path));
        let neighbour = all[at + 1..].iter().find(|other| other.extension() == path.extension());
        // The newest manifest says most in the fewest bytes.
        let flips = if name == newest_name { flips * 10 } else { flips };
        for (what, bad) in damages(&good, neighbour, flips) {
            tried += 1;
            match &bad {
                None => fs::remove_file(path).unwrap(),
                Some(bad) => fs::write(path, bad).unwrap(),
            }
            let told = world.told();
            let split = name.strip_suffix(".split").unwrap_or(&name);
            // What the newest manifest says wrongly is told of what it says it about.
            let is_told = told.iter().any(|told| told.contains(split) || name == newest_name);
            // Only the newest manifest and its splits are ever read; an older one is the index again
            // where the newest is gone, and says itself through which version it is complete.
            let unread = name != newest_name && !used.contains(&name);
            let older = name == newest_name
                && bad.is_none()
                && world.report(&VerifySettings::default()).unwrap().through_version < newest.through_version;
            let same = bad.as_ref().is_some_and(|bad| {
                serde_json::from_slice::<Manifest>(bad).is_ok_and(|manifest| manifest == newest)
            });
            assert!(is_told || unread || older || same, "{name}: {what}: {told:?}");
            assert!(!unread || told.is_empty(), "{name}: {what}: {told:?}");
            harmless += u32::from(!is_told);
            fs::write(path, &good).unwrap();
        }
    }
    assert_eq!(world.told(), Vec::<String>::new());
    println!("{tried} damages, {} named, {harmless} that change nothing", tried - harmless);
}

/// The bytes of a split are those of its format version and of no other.
#[test]
fn a_manifest_of_another_split_format_is_named() {
    let world = World::new();
    let name = format!("manifest/{:020}.json", world.manifest().number);
    let text = fs::read_to_string(world.dir.path().join(&name)).unwrap();
    let said = format!("\"split_version\":{SPLIT_VERSION}");
    fs::write(world.dir.path().join(&name), text.replace(&said, "\"split_version\":0")).unwrap();
    assert!(world.told()[0].contains("splits of format 0"), "{:?}", world.told());
}

#[test]
fn what_is_told_does_not_depend_on_threads() {
    let world = World::new();
    let settings = |threads| VerifySettings {
        threads: NonZeroUsize::new(threads).unwrap(),
        ..VerifySettings::default()
    };
    for damaged in [false, true] {
        if damaged {
            for meta in world.manifest().splits {
                let path = world.dir.path().join(meta.file_name());
                let mut bytes = fs::read(&path).unwrap();
                bytes[9] ^= 4;
                fs::write(&path, bytes).unwrap();
            }
        }
        let alone = world.report(&settings(1)).unwrap();
        assert_eq!(alone.is_sound(), !damaged);
        for threads in [2, 8] {
            assert_eq!(world.report(&settings(threads)).unwrap(), alone);
        }
    }
}

#[test]
fn what_is_not_chosen_is_only_looked_at() {
    let world = World::new();
    let splits = world.manifest().splits;
    let choose =
        |since, sample| VerifySettings { choice: Choice { since, sample }, ..VerifySettings::default() };
    let last = splits.last().unwrap();
    let since = choose(Some(last.first_version.saturating_sub(1)), None);
    let report = world.report(&since).unwrap();
    assert_eq!((report.splits, report.splits_left_out, report.docs), (1, splits.len() as u64 - 1, last.docs));
    assert!(report.is_sound(), "{:?}", report.differences);
    let report = world.report(&choose(None, Some(Sample { percent: 1.0, seed: 1 }))).unwrap();
    assert_eq!((report.splits, report.splits_left_out), (1, splits.len() as u64 - 1));

    // What it covers is known of every split: one that is gone is missed, whatever was chosen.
    let path = world.dir.path().join(splits[0].file_name());
    let good = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(!world.report(&since).unwrap().is_sound());
    let mut bad = good.clone();
    bad[9] ^= 4;
    fs::write(&path, bad).unwrap();
    assert!(world.report(&since).unwrap().is_sound());
    assert!(!world.report(&choose(None, None)).unwrap().is_sound());
}
