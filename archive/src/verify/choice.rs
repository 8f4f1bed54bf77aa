//! Which files are hashed, where not all are.

use custody_schemas::Hash;
use serde::{Deserialize, Serialize};

/// What is chosen of an archive, or of an index. Everything, if nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Only what was added after this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Only a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// A random part that can be drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How much, above 0 and up to 100; at least one file, if there is any.
    pub percent: f64,
    /// Equal seeds choose the same files.
    pub seed: u64,
}

impl Choice {
    /// What is chosen, in the order that it came in. `named` gives the version that added it and a
    /// name that no other has.
    pub fn of<T>(&self, mut all: Vec<T>, named: impl Fn(&T) -> (u64, &str)) -> Vec<T> {
        all.retain(|one| self.since.is_none_or(|since| named(one).0 > since));
        let Some(sample) = self.sample else { return all };
        let mut drawn: Vec<(Hash, usize)> =
            all.iter().enumerate().map(|(at, one)| (sample.lot(named(one).1), at)).collect();
        drawn.sort_unstable();
        drawn.truncate(sample.size(all.len()));
        let mut taken = vec![false; all.len()];
        drawn.into_iter().for_each(|(_, at)| taken[at] = true);
        let mut taken = taken.into_iter();
        all.retain(|_| taken.next() == Some(true));
        all
    }
}

impl Sample {
    fn lot(&self, name: &str) -> Hash {
        Hash::of(format!("{} {name}", self.seed).as_bytes())
    }

    fn size(&self, all: usize) -> usize {
        // Rounded up, so that something is drawn of anything.
        let size = (all as f64 * self.percent / 100.0).ceil();
        (size as usize).min(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_of_the_size_asked_for_and_the_same_for_a_seed() {
        let all: Vec<(u64, String)> = (0..1_000).map(|n| (n, format!("file-{n}"))).collect();
        let of = |since, percent, seed| {
            let choice = Choice { since, sample: Some(Sample { percent, seed }) };
            choice.of(all.clone(), |(version, name)| (*version, name))
        };
        for (since, percent, expected) in
            [(None, 100.0, 1_000), (None, 5.0, 50), (None, 0.01, 1), (Some(899), 5.0, 5), (Some(999), 5.0, 0)]
        {
            let drawn = of(since, percent, 7);
            assert_eq!(drawn.len(), expected, "{since:?} {percent}");
            assert!(drawn.is_sorted() && drawn.iter().all(|(version, _)| since.is_none_or(|s| *version > s)));
            assert_eq!(drawn, of(since, percent, 7));
        }
        assert_ne!(of(None, 5.0, 7), of(None, 5.0, 8));
        // A larger part holds the smaller one.
        let large = of(None, 10.0, 7);
        assert!(of(None, 5.0, 7).iter().all(|one| large.contains(one)));
    }
}
