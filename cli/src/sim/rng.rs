//! Random numbers without a library: the same seed gives the same stream everywhere, for ever.

/// SplitMix64 (Steele, Lea and Flood 2014): one word of state, passes BigCrush.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Rng(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }

    /// From 0 to `n - 1`; 0 for an `n` of 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `n` cases of a thousand.
    pub(super) fn per_mille(&mut self, n: u64) -> bool {
        self.below(1_000) < n
    }

    /// One of a fixed list.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, list: &[T; N]) -> T {
        list[self.index(N)]
    }
}

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A word that depends on both; for ids and for facts about a user that need no memory.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    scramble(scramble(a ^ STEP).wrapping_add(b).wrapping_mul(STEP))
}

/// Ranks with Zipf's frequencies: rank r comes up in proportion to 1 / (r + 1).
#[derive(Debug)]
pub(super) struct Zipf(Vec<u64>);

impl Zipf {
    pub(super) fn new(len: usize) -> Self {
        let mut sum = 0;
        Zipf(
            (1..=len as u64)
                .map(|rank| {
                    sum += 1_000_000 / rank;
                    sum
                })
                .collect(),
        )
    }

    pub(super) fn rank(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.0.last().copied().unwrap_or(0));
        self.0.partition_point(|&sum| sum <= at)
    }
}
