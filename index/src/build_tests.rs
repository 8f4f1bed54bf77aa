use super::*;
use crate::check::verify_index;
use crate::testing::{Memory, file_of, said, store};

fn settings() -> Settings {
    Settings { split_docs_max: 10, small_docs: 4, small_run_max: 3, manifests_kept: 3, ..Settings::default() }
}

struct World {
    dir: tempfile::TempDir,
    source: Memory,
}

impl World {
    fn new() -> World {
        World { dir: tempfile::tempdir().unwrap(), source: Memory::default() }
    }

    fn indexer(&self) -> Indexer<Memory> {
        Indexer::open(&store(self.dir.path()), self.source.clone(), settings()).unwrap()
    }

    fn say(&self, numbers: std::ops::Range<u64>) {
        self.source.say(numbers.map(|number| said(number, &format!("message {number}"))).collect());
    }

    fn manifest(&self) -> Manifest {
        Folder::new(&store(self.dir.path())).newest().unwrap().unwrap()
    }

    fn rewrite(&self, change: &dyn Fn(&mut Manifest)) {
        let mut manifest = self.manifest();
        manifest.number += 1;
        change(&mut manifest);
        assert!(Folder::new(&store(self.dir.path())).publish(&manifest).unwrap());
    }

    fn docs(&self) -> Vec<u64> {
        self.manifest().splits.iter().map(|split| split.docs).collect()
    }

    fn split_path(&self, at: usize) -> std::path::PathBuf {
        file_of(self.dir.path(), &self.manifest().splits[at])
    }

    fn split_files(&self) -> usize {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "split"))
            .count()
    }

    fn differences(&self) -> Vec<String> {
        let report = verify_index(&store(self.dir.path()), &self.source).unwrap();
        report.differences.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn commits_are_cut_into_splits() {
    let world = World::new();
    world.source.commit_files(vec![
        vec![(0, (0..6).map(|n| said(n, "a")).collect())],
        vec![(1, (6..12).map(|n| said(n, "b")).collect())],
    ]);
    world.say(12..14);
    world.source.commit_files(vec![]);
    world.say(14..40);
    let commits = world.source.commits_after(None).unwrap();
    let cut: Vec<_> =
        groups(&commits, &settings()).iter().map(|group| (group.files.len(), group.through)).collect();
    // The first commit is in two splits, and covered only by the second of them.
    assert_eq!(cut, [(1, None), (2, Some(2)), (1, Some(3))]);
    assert_eq!(groups(&[], &settings()), []);
}

#[test]
fn follows_the_archive() {
    let world = World::new();
    world.say(0..3);
    let mut indexer = world.indexer();
    assert!(indexer.rebuilding().unwrap().starts_with("there is no index in"));
    let done = indexer.catch_up().unwrap();
    assert_eq!((done.version, done.splits, done.docs), (Some(0), 1, 3));
    assert!(done.rebuilt.is_some());
    world.say(3..30);
    world.source.commit_files(vec![]);
    let done = indexer.catch_up().unwrap();
    assert_eq!((done.version, done.splits, done.docs, done.rebuilt), (Some(2), 1, 27, None));
    let number = world.manifest().number;
    assert_eq!(indexer.catch_up().unwrap().splits, 0);
    assert_eq!(world.manifest().number, number, "nothing new is not written");
    assert_eq!(world.indexer().rebuilding(), None);
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn small_splits_are_merged_and_old_ones_removed() {
    let world = World::new();
    let mut indexer = world.indexer();
    for n in 0..4 {
        world.say(2 * n..2 * n + 2);
        indexer.catch_up().unwrap();
    }
    assert_eq!(world.docs(), [8]);
    assert_eq!(world.differences(), Vec::<String>::new());
    for n in 4..8 {
        world.say(20 * n..20 * n + 20);
        indexer.catch_up().unwrap();
    }
    assert_eq!(world.docs(), [8, 20, 20, 20, 20]);
    assert_eq!(world.split_files(), 5, "the small ones are gone with their manifests");
    let commits: Vec<_> = world.source.commits_after(None).unwrap();
    assert_eq!(commits.len(), 8);

    // Built at once from nothing, the same records are in the same split.
    let merged = world.manifest().splits[0].id.clone();
    let other = World { dir: tempfile::tempdir().unwrap(), source: world.source.clone() };
    other.indexer().catch_up().unwrap();
    assert_eq!(other.manifest().splits[0].id, merged);
}

/// Damage that opening does not see must not be joined into a split with a good name.
#[test]
fn damaged_splits_are_not_joined() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[100] ^= 1,
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        },
        |bytes| {
            let end = bytes.len();
            bytes[end - 9..].fill(0);
        },
    ];
    for damage in damages {
        let world = World::new();
        let mut indexer = world.indexer();
        for n in 0..3 {
            world.say(2 * n..2 * n + 2);
            indexer.catch_up().unwrap();
        }
        let path = world.split_path(1);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        world.say(6..8);
        indexer.catch_up().unwrap();
        assert_eq!(world.docs(), [8]);
        assert_eq!(world.differences(), Vec::<String>::new());
    }
}

#[test]
fn what_is_damaged_is_built_anew_and_said() {
    type Damage = (&'static str, fn(&World));
    let damages: [Damage; 5] = [
        ("is missing", |world| std::fs::remove_file(world.split_path(0)).unwrap()),
        ("bytes instead of", |world| std::fs::write(world.split_path(0), "short").unwrap()),
        ("cannot be read", |world| {
            let number = world.manifest().number;
            std::fs::write(world.dir.path().join(format!("manifest/{number:020}.json")), "{").unwrap();
        }),
        ("there is no index", |world| {
            std::fs::remove_dir_all(world.dir.path().join("manifest")).unwrap();
        }),
        ("the archive is at 1", |world| world.source.truncate(2)),
    ];
    for (reason, damage) in damages {
        let world = World::new();
        world.say(0..3);
        world.say(3..30);
        world.say(30..60);
        world.indexer().catch_up().unwrap();
        damage(&world);
        let done = world.indexer().catch_up().unwrap();
        assert!(done.rebuilt.as_ref().is_some_and(|said| said.contains(reason)), "{done:?}");
        assert_eq!(world.differences(), Vec::<String>::new(), "{reason}");
        assert_eq!(world.indexer().catch_up().unwrap().rebuilt, None);
    }
}

#[test]
fn an_index_of_a_later_custody_is_left_alone() {
    let world = World::new();
    world.say(0..3);
    world.indexer().catch_up().unwrap();
    let path = world.dir.path().join(format!("manifest/{:020}.json", world.manifest().number + 1));
    std::fs::write(&path, r#"{"version":9,"split_version":1,"else":[]}"#).unwrap();
    let error = Indexer::open(&store(world.dir.path()), world.source.clone(), settings()).err().unwrap();
    assert_eq!(error.kind, Kind::Newer);
}

/// As a worker does it: who lost too often in a row is told to try again.
fn caught_up(indexer: &mut Indexer<Memory>) {
    for pause_ms in 0..200 {
        match indexer.catch_up() {
            Ok(_) => return,
            Err(error) if error.kind == Kind::Retry => {
                std::thread::sleep(std::time::Duration::from_millis(pause_ms))
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the others never let this indexer write");
}

#[test]
fn two_indexers_make_one_index() {
    let world = World::new();
    world.say(0..3);
    let (mut one, mut two) = (world.indexer(), world.indexer());
    one.catch_up().unwrap();
    two.catch_up().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut indexer = world.indexer();
                for n in 0..10 {
                    world.say(100 * n..100 * n + 2);
                    caught_up(&mut indexer);
                }
            });
        }
    });
    one.catch_up().unwrap();
    assert_eq!(world.manifest().through_version, Some(40));
    assert_eq!(world.docs().iter().sum::<u64>(), 3 + 80);
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn every_difference_is_named() {
    let world = World::new();
    world.say(0..3);
    world.say(3..30);
    world.indexer().catch_up().unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
    let [first, second] = [0, 1].map(|at| world.manifest().splits[at].id.clone());

    // One bit, anywhere in a split.
    let path = world.split_path(1);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let said = world.differences();
        assert_eq!(said[0], format!("split {second}: its SHA-256 is not its id"), "byte {at}");
    }
    std::fs::write(&path, whole).unwrap();

    // The archive has other rows than the index was made from.
    world.source.tamper("v0-0.parquet", |rows| rows[1].body = Some("something else".to_owned()));
    assert_eq!(world.differences(), [format!("split {first}: built from the archive it is another one")]);
    world.source.tamper("v0-0.parquet", |rows| rows[1].body = Some("message 1".to_owned()));

    world.rewrite(&|manifest| manifest.splits.reverse());
    assert_eq!(world.differences(), ["its splits are not in the order of the archive's batches"]);
    world.rewrite(&|manifest| manifest.splits.reverse());
    assert_eq!(world.differences(), Vec::<String>::new());

    world.rewrite(&|manifest| drop(manifest.splits.remove(0)));
    assert_eq!(world.differences(), ["v0-0.parquet: version 0 added it, no split has it"]);
    world.rewrite(&|manifest| manifest.splits.push(manifest.splits[0].clone()));
    assert!(
        world.differences().contains(&format!("split {second}: v1-0.parquet: split {second} has it too"))
    );
    world.rewrite(&|manifest| {
        manifest.splits.truncate(1);
        manifest.splits[0].time_ms_max = Some(7);
        manifest.through_version = Some(0);
    });
    let said = world.differences();
    assert_eq!(said[0], format!("split {second}: the manifest describes another one"));
    assert!(
        said.contains(&format!("split {second}: v1-0.parquet: no commit that the index covers added it"))
    );
}

fn ids(world: &World) -> Vec<String> {
    world.manifest().splits.into_iter().map(|split| split.id).collect()
}

#[test]
fn splits_follow_batches_that_are_moved() {
    let world = World::new();
    let mut indexer = world.indexer();
    for n in 0..3 {
        world.say(10 * n..10 * n + 10);
    }
    indexer.catch_up().unwrap();
    let before = ids(&world);
    assert_eq!(world.docs(), [10, 10, 10]);
    let version = world.source.compact(0..2);
    // What the index names is gone, and is no difference: it says where it was at its version.
    assert!(!world.differences().is_empty(), "this memory removes at once");
    let done = indexer.catch_up().unwrap();
    assert_eq!((done.version, done.relocated, done.splits, done.docs), (Some(version), 2, 0, 0));
    let after = ids(&world);
    assert!(before[0] != after[0] && before[1] != after[1] && before[2] == after[2]);
    assert_eq!(world.differences(), Vec::<String>::new());
    // Built from nothing the splits are the same, byte for byte.
    let other = World { dir: tempfile::tempdir().unwrap(), source: world.source.clone() };
    other.indexer().catch_up().unwrap();
    assert_eq!(ids(&other), after);
    // Nothing is due twice.
    assert_eq!(indexer.catch_up().unwrap().relocated, 0);
}

/// Nobody waits for them any more: one split of them is smaller, and is opened once.
#[test]
fn splits_of_compacted_batches_are_joined() {
    let world = World::new();
    let settings = Settings { split_docs_max: 40, small_docs: 20, small_run_max: 32, ..settings() };
    let indexer = || Indexer::open(&store(world.dir.path()), world.source.clone(), settings.clone()).unwrap();
    for n in 0..6 {
        world.say(10 * n..10 * n + 10);
        indexer().catch_up().unwrap();
    }
    assert_eq!(world.docs(), [10; 6]);
    world.source.compact(0..5);
    // Also by an indexer that was not there when they were moved.
    let done = indexer().catch_up().unwrap();
    assert_eq!((done.relocated, done.merged), (5, 1));
    assert_eq!(world.docs(), [40, 10, 10]);
    assert_eq!(world.differences(), Vec::<String>::new());
    assert_eq!(indexer().catch_up().unwrap().merged, 0);
    // What was written before manifests told it is no difference.
    world.rewrite(&|manifest| manifest.splits.iter_mut().for_each(|split| split.compacted = false));
    assert_eq!(world.differences(), Vec::<String>::new());
    world.rewrite(&|manifest| manifest.splits[2].compacted = true);
    let [said] = &world.differences()[..] else { panic!("{:?}", world.differences()) };
    assert!(said.ends_with("the manifest describes another one"), "{said}");
}

/// Moved again, and by a commit that comes with new batches which another moves at once.
#[test]
fn moves_of_moves_and_of_what_is_new() {
    let world = World::new();
    let mut indexer = world.indexer();
    for n in 0..3 {
        world.say(2 * n..2 * n + 2);
    }
    world.source.commit_files(vec![vec![(3, vec![])]]);
    indexer.catch_up().unwrap();
    world.source.compact(0..2);
    for n in 3..5 {
        world.say(2 * n..2 * n + 2);
    }
    world.source.compact(0..4);
    world.source.compact(5..7);
    let done = indexer.catch_up().unwrap();
    assert_eq!((done.docs, done.relocated), (4, 1));
    assert_eq!(world.differences(), Vec::<String>::new());
    let other = World { dir: tempfile::tempdir().unwrap(), source: world.source.clone() };
    other.indexer().catch_up().unwrap();
    assert_eq!(other.differences(), Vec::<String>::new());
    for n in 5..9 {
        world.say(2 * n..2 * n + 2);
        indexer.catch_up().unwrap();
        other.indexer().catch_up().unwrap();
    }
    assert_eq!(world.docs().iter().sum::<u64>(), 18);
    assert_eq!(world.differences(), Vec::<String>::new());
    assert_eq!(other.differences(), Vec::<String>::new());
}

#[test]
fn a_damaged_split_is_not_taken_along() {
    for at in [100, usize::MAX] {
        let world = World::new();
        let mut indexer = world.indexer();
        for n in 0..2 {
            world.say(10 * n..10 * n + 10);
        }
        indexer.catch_up().unwrap();
        let path = world.split_path(1);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        world.source.compact(0..2);
        indexer.catch_up().unwrap();
        assert_eq!(world.docs(), [10, 10]);
        assert_eq!(world.differences(), Vec::<String>::new());
    }
}

#[test]
fn a_place_that_no_commit_gave_is_named() {
    let world = World::new();
    world.say(0..10);
    world.say(10..20);
    world.indexer().catch_up().unwrap();
    let batches = |commits: Vec<Added>| -> Vec<_> { expected_places(commits, &world) };
    assert_eq!(batches(world.source.commits_after(None).unwrap()), [1, 1]);
    world.source.compact(0..2);
    assert_eq!(batches(world.source.commits_after(None).unwrap()), [2, 2]);
    let stale = world.manifest();
    world.indexer().catch_up().unwrap();
    // The archive as it was before: its files are elsewhere than the index says.
    world.source.truncate(2);
    let said = world.differences();
    assert!(
        said.iter().any(|said| said.contains("is not what version 0 archived, or not where")),
        "{said:?}"
    );
    assert_eq!(stale.splits.len(), 2);
}

fn expected_places(commits: Vec<Added>, world: &World) -> Vec<usize> {
    let through = world.manifest().through_version;
    crate::coverage::expected(commits, through).iter().map(|batch| batch.places.len()).collect()
}
