//! Which matches are deliveries of one event, in bounded memory. Such matches are rare: a bit for
//! each hashed identity tells the few that may have another delivery from those that have none,
//! and only they are held and compared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::docs::Docs;
use super::run::Run;
use crate::error::Error;

/// Bits for each match: so few matches share one by chance.
const BITS_EACH: u64 = 16;
/// What a match takes while it is held.
const HELD_BYTES: u64 = 16;

/// What matches, each event told from its further deliveries.
pub(super) struct Events {
    /// The first delivery of each event in the archive, by split.
    pub(super) firsts: Vec<Docs>,
    /// All others, by split.
    surplus: Vec<Docs>,
}

impl Events {
    /// Tells apart what matches. Holds about `held_max` matches at a time; goes through them again
    /// for each share of the identities when more may have other deliveries.
    pub(super) fn of(run: &Run<'_>, mut matches: Vec<Docs>, held_max: usize) -> Result<Events, Error> {
        let held_max = held_max.max(1);
        let mut surplus: Vec<Docs> = run.splits.iter().map(|split| Docs::none(split.footer.docs)).collect();
        let count: u64 = matches.iter().map(Docs::len).sum();
        if let Some(twice) = twice(run, &matches, count, held_max)? {
            let shares = if count <= held_max as u64 {
                1
            } else {
                let found = run.all(|at| {
                    let mut found = 0;
                    each_identity(run, at, &matches[at], |_, identity| {
                        found += u64::from(twice.has(identity));
                    })?;
                    Ok(found)
                })?;
                found.iter().sum::<u64>().div_ceil(held_max as u64).max(1)
            };
            for share in 0..shares {
                let wanted = |identity| identity % shares == share && twice.has(identity);
                surplus_of(run, &matches, held_max, wanted, &mut surplus)?;
            }
        }
        matches.iter_mut().zip(&surplus).for_each(|(matches, surplus)| matches.remove(surplus));
        Ok(Events { firsts: matches, surplus })
    }

    /// [`Events::of`], where only `repeated` may have other deliveries.
    pub(super) fn among(
        run: &Run<'_>,
        mut matches: Vec<Docs>,
        repeated: &[Arc<Docs>],
        held_max: usize,
    ) -> Result<Events, Error> {
        let among = matches.iter().zip(repeated).map(|(matches, repeated)| matches.and(repeated));
        let Events { surplus, .. } = Events::of(run, among.collect(), held_max)?;
        matches.iter_mut().zip(&surplus).for_each(|(matches, surplus)| matches.remove(surplus));
        Ok(Events { firsts: matches, surplus })
    }

    /// Events, each once.
    pub(super) fn total(&self) -> u64 {
        self.firsts.iter().map(Docs::len).sum()
    }

    /// Every delivery.
    pub(super) fn copies(&self) -> u64 {
        self.total() + self.surplus.iter().map(Docs::len).sum::<u64>()
    }

    /// How many further deliveries events have, by identity; those that have none are left out.
    /// Takes 24 bytes of memory for each that `wanted` lets pass.
    pub(super) fn further(
        &self,
        run: &Run<'_>,
        wanted: impl Fn(u64) -> bool + Sync,
    ) -> Result<HashMap<u64, u64>, Error> {
        let parts = run.all(|at| {
            let mut further: HashMap<u64, u64> = HashMap::new();
            each_identity(run, at, &self.surplus[at], |_, identity| {
                if wanted(identity) {
                    *further.entry(identity).or_default() += 1;
                }
            })?;
            Ok(further)
        })?;
        let mut all = HashMap::new();
        for (identity, further) in parts.into_iter().flatten() {
            *all.entry(identity).or_default() += further;
        }
        Ok(all)
    }
}

fn each_identity(run: &Run<'_>, at: usize, docs: &Docs, mut each: impl FnMut(u32, u64)) -> Result<(), Error> {
    let mut identities = Vec::new();
    docs.blocks(|block| {
        run.stop.check()?;
        run.splits[at].identities(block, &mut identities);
        block.iter().zip(&identities).for_each(|(doc, identity)| each(*doc, identity.unwrap_or_default()));
        Ok(())
    })
}

/// What an identity is known by in a filter.
pub(super) fn hash_of(identity: u64, seed: u64) -> u64 {
    // Odd, so that no identity is lost.
    let once = (identity ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (once ^ once >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Its bits in one word.
pub(super) fn bits_of(hash: u64) -> u64 {
    let bit = |nth: u32| 1 << (hash >> (6 * nth) & 63);
    bit(0) | bit(1) | bit(2) | bit(3)
}

/// A filter of identities: it lets pass what was added, and little else. Each is a few bits of one
/// word, so that asking reads one place of memory.
pub(super) struct Filter {
    words: Vec<AtomicU64>,
    /// What is left of a hash.
    shift: u32,
    /// What meets in one filter parts in one of another seed.
    seed: u64,
}

impl Filter {
    /// Of at least so many bits; a power of two.
    pub(super) fn new(bits: u64, seed: u64) -> Filter {
        let words = (bits / 64).clamp(2, 1 << 34).next_power_of_two();
        let shift = 64 - words.trailing_zeros();
        Filter { words: (0..words).map(|_| AtomicU64::new(0)).collect(), shift, seed }
    }

    fn place(&self, identity: u64) -> (&AtomicU64, u64) {
        let hash = hash_of(identity, self.seed);
        // The shift leaves as many as there are.
        (&self.words[(hash >> self.shift) as usize], bits_of(hash))
    }

    pub(super) fn has(&self, identity: u64) -> bool {
        let (word, bits) = self.place(identity);
        word.load(Ordering::Relaxed) & bits == bits
    }

    /// Whether it may have been there already.
    pub(super) fn add(&self, identity: u64) -> bool {
        let (word, bits) = self.place(identity);
        let there = |word: u64| word & bits == bits;
        there(word.load(Ordering::Relaxed)) || there(word.fetch_or(bits, Ordering::Relaxed))
    }
}

/// The identities that more than one match may have; `None` when each has its own.
fn twice(run: &Run<'_>, matches: &[Docs], count: u64, held_max: usize) -> Result<Option<Filter>, Error> {
    if count < 2 {
        return Ok(None);
    }
    let most = (held_max as u64).saturating_mul(HELD_BYTES * 8);
    let bits = count.saturating_mul(BITS_EACH).min(most);
    let (seen, twice) = (Filter::new(bits, 0), Filter::new(bits / 8, 1));
    let met = run.all(|at| {
        let mut met = false;
        each_identity(run, at, &matches[at], |_, identity| {
            if seen.add(identity) {
                twice.add(identity);
                met = true;
            }
        })?;
        Ok(met)
    })?;
    Ok(met.contains(&true).then_some(twice))
}

/// A match that may have other deliveries, ordered as the archive within its identity.
type Held = (u64, u32, u32);

/// Adds to `surplus` all but the first delivery of each identity that `wanted` lets pass.
fn surplus_of(
    run: &Run<'_>,
    matches: &[Docs],
    held_max: usize,
    wanted: impl Fn(u64) -> bool + Sync,
    surplus: &mut [Docs],
) -> Result<(), Error> {
    let order: Vec<usize> = (0..run.splits.len()).collect();
    let mut held: Vec<Held> = Vec::new();
    let mut fold_at = held_max.saturating_mul(2);
    let work = |at: usize| {
        let mut found = Vec::new();
        each_identity(run, at, &matches[at], |doc, identity| {
            if wanted(identity) {
                found.push((identity, at as u32, doc));
            }
        })?;
        Ok(found)
    };
    run.each(&order, work, |_, found| {
        held.extend(found);
        // Deliveries of few events could be many: they are folded on the way.
        if held.len() > fold_at {
            fold(&mut held, surplus);
            fold_at = fold_at.max(held.len().saturating_mul(2));
        }
    })?;
    run.stop.check()?;
    leave_single_out(&mut held);
    fold(&mut held, surplus);
    Ok(())
}

/// Most of what is held met by chance alone, and does not meet again: that spares sorting it.
fn leave_single_out(held: &mut Vec<Held>) {
    let bits = (held.len() as u64).saturating_mul(BITS_EACH);
    let (seen, twice) = (Filter::new(bits, 2), Filter::new(bits, 3));
    for (identity, _, _) in held.iter() {
        if seen.add(*identity) {
            twice.add(*identity);
        }
    }
    held.retain(|(identity, _, _)| twice.has(*identity));
}

/// Keeps the first of each identity.
fn fold(held: &mut Vec<Held>, surplus: &mut [Docs]) {
    held.sort_unstable();
    let mut out: Vec<Vec<u32>> = vec![Vec::new(); surplus.len()];
    held.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            out[next.1 as usize].push(next.2);
        }
        same
    });
    surplus.iter_mut().zip(&out).filter(|(_, out)| !out.is_empty()).for_each(|(docs, out)| docs.add(out));
}
