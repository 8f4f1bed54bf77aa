//! The worker, the archive and the index in a world that goes wrong: see `tests/src/world`.
//!
//! In full, some minutes: `CUSTODY_WORLD_SHARE=1 CUSTODY_WORLD_SEEDS=500 cargo test --release -p
//! custody-tests --test all world:: -- --nocapture`
//!
//! - `CUSTODY_WORLD_SHARE=1` tries every operation with every fault, by default one in 7 (61 without
//!   optimization)
//! - `CUSTODY_WORLD_SEEDS=500` runs so many random histories, `SEED=…` one of them again

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use custody_tests::world::kafka::Place;
use custody_tests::world::rng::Rng;
use custody_tests::world::store::{FAULTS, Faults};
use custody_tests::world::{Settings, TOPIC, World};

pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn place(number: i32) -> Place {
    (TOPIC.to_owned(), number)
}

/// Messages that [`history`] leaves to be archived: one of 30 is compacted away before it is read.
pub(crate) const EVENTS: u64 = 29;

/// What every exhaustive run does: five batches in two partitions, checkpoints, splits, merges.
pub(crate) fn history(world: &mut World) {
    for round in 0..5 {
        for n in 0..6 {
            world.kafka.publish(&place(n % 2));
        }
        if round == 1 {
            world.kafka.mark(&place(0));
        }
        if round == 2 {
            let end = world.kafka.log(&place(1)).end();
            world.kafka.compact(&place(1), end - 1);
        }
        world.run(0);
        world.index();
        world.clock.advance(Duration::from_secs(20));
        world.compact();
    }
    if world.runs(0) {
        world.kill(0);
    }
}

/// Two workers in turns: each reads in the log what the other committed meanwhile.
fn in_turns(world: &mut World) {
    for round in 0..5 {
        (0..4).for_each(|n| world.kafka.publish(&place(n % 2)));
        let (worker, mut has) = (round % 2, false);
        for _ in 0..60 {
            has &= world.runs(worker);
            (0..2).for_each(|worker| _ = world.restart(worker));
            if !has {
                world.kafka.rebalance(&BTreeMap::from([(worker, world.kafka.places())]), false);
                has = true;
            }
            world.step(worker);
            world.commit(worker);
            world.clock.advance(Duration::from_millis(500));
            if world.is_archived() && world.waiting(worker) == 0 {
                break;
            }
        }
    }
    (0..2).for_each(|worker| world.kill(worker));
}

#[test]
fn a_world_without_faults_archives_everything() {
    let mut world = World::new(Settings::default(), 1);
    history(&mut world);
    world.settle();
    assert_eq!(world.archived_rows(), EVENTS);
    assert!(world.compacted > 1 && world.removed > 3, "{} {}", world.compacted, world.removed);
    assert!(world.checks > 10 && world.ended.is_empty(), "{} {:?}", world.checks, world.ended);
}

/// Whose store fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Whose {
    Worker,
    WorkerOfTwo,
    Index,
    Compactor,
}

impl Whose {
    /// A world, what happens in it, and how many events that leaves to be archived.
    fn world(self) -> (World, fn(&mut World), u64) {
        let workers = if self == Whose::WorkerOfTwo { 2 } else { 1 };
        let world = World::new(Settings { workers, ..Settings::default() }, 1);
        if workers == 2 { (world, in_turns, 20) } else { (world, history, EVENTS) }
    }
}

pub(crate) fn faults_of(world: &World, whose: Whose) -> Arc<Faults> {
    match whose {
        Whose::Worker | Whose::WorkerOfTwo => world.faults(0),
        Whose::Index => world.index_faults(),
        Whose::Compactor => world.compact_faults(),
    }
}

/// Each operation of a run fails in each way: every run ends with every event archived once.
#[test]
fn every_operation_may_fail_in_every_way() {
    let share = number("CUSTODY_WORLD_SHARE", if cfg!(debug_assertions) { 61 } else { 7 });
    for whose in [Whose::Worker, Whose::WorkerOfTwo, Whose::Index, Whose::Compactor] {
        let (mut world, history, _) = whose.world();
        faults_of(&world, whose).record();
        history(&mut world);
        let names = faults_of(&world, whose).recorded();
        // Otherwise the run has not in it what is to fail.
        for part in ["_delta_log", "checkpoint", "retention_class"] {
            assert!(
                names.iter().any(|name| name.contains(part)),
                "{whose:?} does not touch {part}: {names:#?}"
            );
        }
        let (mut runs, mut ended) = (0, 0);
        for (at, name) in (0_u64..).zip(&names) {
            for (nth, fault) in (0_u64..).zip(FAULTS) {
                if !(at * FAULTS.len() as u64 + nth).is_multiple_of(share) {
                    continue;
                }
                let case = Case(format!("{whose:?}, operation {at}, {name}: {fault:?}"));
                let (mut world, history, events) = whose.world();
                world.checks_after_fault_only = true;
                faults_of(&world, whose).plan(at, fault);
                history(&mut world);
                world.settle();
                assert_eq!(world.archived_rows(), events);
                runs += 1;
                ended += world.ended.len();
                drop(case);
            }
        }
        println!(
            "{whose:?}: {} operations x {} faults, {runs} runs, {ended} workers ended",
            names.len(),
            FAULTS.len()
        );
    }
}

/// Says what was tried when a check fails.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case of {}", self.0);
        }
    }
}

/// Partitions move at every step, and those who lose them are not told.
#[test]
fn partitions_that_move_at_every_step() {
    for workers in [2, 3] {
        for seed in 0..number("CUSTODY_WORLD_MOVES", 2) {
            let _case = Case(format!("{workers} workers, seed {seed}"));
            let settings = Settings { partitions: 3, workers, ..Settings::default() };
            let mut world = World::new(settings, seed);
            let mut rng = Rng::new(seed);
            (0..workers).for_each(|worker| assert!(world.restart(worker)));
            for step in 0..60 {
                world.kafka.publish(&place(step % 3));
                let shares = shares(&world, &mut rng, workers);
                world.kafka.rebalance(&shares, false);
                let worker = rng.index(workers);
                world.restart(worker);
                world.step(worker);
                world.step(worker);
                if rng.one_in(2) {
                    world.commit(rng.index(workers));
                }
                world.clock.advance(Duration::from_millis(700));
            }
            world.settle();
            assert_eq!(world.archived_rows(), 60);
        }
    }
}

fn shares(world: &World, rng: &mut Rng, workers: usize) -> BTreeMap<usize, Vec<Place>> {
    let mut shares: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
    for place in world.kafka.places() {
        let owner = rng.index(workers);
        if world.runs(owner) {
            shares.entry(owner).or_default().push(place);
        }
    }
    shares
}

/// A worker sleeps with a sealed batch while its partitions are archived by another, wakes up and
/// commits: the fence refuses it.
#[test]
fn a_zombie_that_wakes_up_archives_nothing_twice() {
    for asleep_with_commit in [false, true] {
        let mut world = World::new(Settings { workers: 2, ..Settings::default() }, 3);
        (0..8).for_each(|n| world.kafka.publish(&place(n % 2)));
        assert!(world.restart(0) && world.restart(1));
        world.kafka.rebalance(&BTreeMap::from([(0, world.kafka.places())]), true);
        while world.waiting(0) == 0 {
            world.step(0);
            world.clock.advance(Duration::from_millis(100));
        }
        // Kafka gave it up.
        world.kafka.rebalance(&BTreeMap::from([(1, world.kafka.places())]), false);
        for _ in 0..20 {
            world.step(1);
            world.commit(1);
            world.clock.advance(Duration::from_secs(1));
        }
        world.clock.jump_ms(-3_600_000);
        if asleep_with_commit {
            world.commit(0);
        }
        (0..5).for_each(|_| world.step(0));
        world.settle();
        assert_eq!(world.archived_rows(), 8);
    }
}

/// A partition stands before a message that cannot be read, and the other goes on. Behind it nothing is
/// archived until it can be, or is gone, which is a gap.
#[test]
fn what_cannot_be_read_is_not_passed_over() {
    for mended in [true, false] {
        let mut world = World::new(Settings::default(), 5);
        (0..12).for_each(|n| world.kafka.publish(&place(n % 2)));
        world.kafka.damage(&place(0), 2);
        world.run(0);
        let next = |world: &World| [0, 1].map(|n| world.next_offsets().get(&place(n)).copied());
        assert_eq!(next(&world), [Some(2), Some(6)]);
        (0..6).for_each(|_| world.kafka.publish(&place(1)));
        world.run(0);
        assert_eq!(next(&world), [Some(2), Some(12)]);
        // Another worker finds out by itself.
        world.kill(0);
        world.run(0);
        assert_eq!(next(&world), [Some(2), Some(12)]);
        if mended {
            world.kafka.mend();
        } else {
            world.kafka.delete_before(&place(0), 3);
        }
        (0..2).for_each(|_| world.run(0));
        assert_eq!(next(&world), [Some(6), Some(12)]);
        world.settle();
        assert_eq!(world.archived_rows(), if mended { 18 } else { 17 });
        assert_eq!(world.ended, [""; 0]);
    }
}

/// What one history did: the same for the same seed.
fn simulate(seed: u64, actions: u64) -> (World, Vec<String>) {
    let settings = Settings { partitions: 3, workers: 3, ..Settings::default() };
    let mut world = World::new(settings, seed);
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut done = Vec::new();
    world.kafka.be_wild();
    for _ in 0..actions {
        let action = act(&mut world, &mut rng);
        done.push(format!("{action}, {:?}", world.next_offsets()));
    }
    world.settle();
    (world, done)
}

fn act(world: &mut World, rng: &mut Rng) -> String {
    let worker = rng.index(world.settings.workers);
    let at = place(i32::try_from(rng.below(3)).unwrap());
    let what = rng.below(100);
    match what {
        0..25 => (0..=rng.below(4)).for_each(|_| world.kafka.publish(&at)),
        25..32 => drop(world.restart(worker)),
        32..60 => (0..=rng.below(3)).for_each(|_| world.step(worker)),
        60..70 => drop(world.commit(worker)),
        70..74 => drop(world.index()),
        74 => drop(world.compact()),
        75..80 => {
            let shares = shares(world, rng, world.settings.workers);
            world.kafka.rebalance(&shares, rng.one_in(2));
        }
        80 => world.kill(worker),
        81 => world.finish(worker),
        82 => world.power_failure(),
        83..88 => world.faults(worker).plan(rng.below(15), FAULTS[rng.index(FAULTS.len())]),
        88 => world.compact_faults().plan(rng.below(30), FAULTS[rng.index(FAULTS.len())]),
        89 => world.index_faults().plan(rng.below(30), FAULTS[rng.index(FAULTS.len())]),
        90..95 => world.clock.advance(Duration::from_millis(rng.below(4_000))),
        95 => world.clock.jump_ms(rng.below(200_000_000).cast_signed() - 100_000_000),
        96 if rng.one_in(3) => world.kafka.make_again(),
        96 if rng.one_in(2) => world.accept(),
        96 => world.kafka.mark(&at),
        97 if rng.one_in(2) => world.kafka.damage(&at, rng.below(30).cast_signed()),
        97 if rng.one_in(3) => world.kafka.mend(),
        97 | 98 => world.kafka.compact(&at, rng.below(30).cast_signed()),
        _ => {
            let end = world.kafka.log(&at).end().unsigned_abs();
            world.kafka.delete_before(&at, rng.below(end + 1).cast_signed());
        }
    }
    format!("{what} worker {worker} partition {}", at.1)
}

/// Random histories of all of it. `SEED=…` repeats one.
#[test]
fn whatever_happens_nothing_is_lost() {
    let actions = number("CUSTODY_WORLD_ACTIONS", 150);
    let seeds: Vec<u64> = match std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..number("CUSTODY_WORLD_SEEDS", if cfg!(debug_assertions) { 3 } else { 40 })).collect(),
    };
    let (mut checks, mut ended, mut rows) = (0, 0, 0);
    for seed in &seeds {
        let _case = Case(format!("SEED={seed} CUSTODY_WORLD_ACTIONS={actions}"));
        let (world, _) = simulate(*seed, actions);
        checks += world.checks;
        ended += world.ended.len();
        rows += world.archived_rows();
    }
    println!(
        "{} histories of {actions} actions: {checks} checks, {ended} workers ended by themselves, {rows} records",
        seeds.len()
    );
}

/// Without this a seed could not be replayed.
#[test]
fn the_same_seed_is_the_same_history() {
    let [(one, first), (other, second)] = [(); 2].map(|()| simulate(7, 80));
    assert_eq!(first, second);
    assert_eq!(one.files(), other.files());
    let (_, different) = simulate(8, 80);
    assert_ne!(first, different);
}
