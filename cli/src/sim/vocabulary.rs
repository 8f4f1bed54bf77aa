//! As many words as people use, made of syllables: nobody has to list them.
//!
//! A dictionary of a few hundred words makes patterns and fuzzy words look cheaper than they are.
//! Here the commonest words are the shortest, as in any language (Zipf's law of abbreviation), and
//! many words are others with an ending, so that what begins alike is also about the same thing.

use std::collections::HashSet;

use super::rng::Rng;

/// Words: about as many as a large company writes in a year, without names and numbers.
pub(super) const WORDS: usize = 200_000;
/// Letters of a word.
pub(super) const LETTERS: std::ops::RangeInclusive<usize> = 2..=14;

/// One word in so many is an earlier one with an ending, per mille.
const ENDED_PER_MILLE: u64 = 400;
const ENDINGS: [&str; 10] = ["s", "ed", "ing", "er", "ly", "al", "ment", "able", "ness", "ion"];
/// The longest word that takes every ending.
const ENDED_LETTERS_MAX: usize = 10;

#[rustfmt::skip]
const STARTS: [&str; 36] = [
    "", "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w",
    "", "t", "s", "r", "n", "d", "st", "tr", "pr", "ch", "sh", "th", "br", "cl", "gr", "pl", "sp", "qu",
];
const VOWELS: [&str; 16] =
    ["a", "e", "i", "o", "u", "a", "e", "i", "o", "e", "ea", "ou", "ai", "io", "ee", "y"];
#[rustfmt::skip]
const ENDS: [&str; 20] =
    ["", "", "", "", "", "n", "r", "s", "t", "l", "m", "d", "c", "p", "nd", "nt", "st", "rt", "ck", "x"];

/// The words, the commonest first.
#[derive(Debug)]
pub(super) struct Vocabulary {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
    ranks: Ranks,
}

impl Vocabulary {
    /// Another seed makes other words.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut known: HashSet<String> = HashSet::with_capacity(WORDS);
        let mut words = Vocabulary {
            text: String::with_capacity(WORDS * 8),
            ends: Vec::with_capacity(WORDS),
            ranks: Ranks::new(WORDS),
        };
        while words.ends.len() < WORDS {
            let mut tried = 0;
            let word = loop {
                let word = words.another(&mut rng, tried);
                if LETTERS.contains(&word.len()) && known.insert(word.clone()) {
                    break word;
                }
                tried += 1;
            };
            words.text.push_str(&word);
            // 200,000 words of 14 letters are far from the end of the numbers.
            words.ends.push(words.text.len() as u32);
        }
        words
    }

    /// A word that may be known already: then a longer one is tried.
    fn another(&self, rng: &mut Rng, tried: usize) -> String {
        let rank = self.ends.len();
        if rank > 100 && rng.per_mille(ENDED_PER_MILLE) {
            let base = self.word(rng.index(rank));
            if base.len() <= ENDED_LETTERS_MAX {
                return [base, rng.pick(&ENDINGS)].concat();
            }
        }
        let (least, most) = match rank {
            0..40 => (2, 3),
            40..400 => (2, 5),
            400..6_000 => (4, 8),
            6_000..40_000 => (5, 10),
            _ => (5, 13),
        };
        let letters = rng.between(least, most) as usize + tried / 4;
        let mut word = String::with_capacity(letters + 4);
        while word.len() < letters {
            word.push_str(rng.pick(&STARTS));
            word.push_str(rng.pick(&VOWELS));
            word.push_str(rng.pick(&ENDS));
        }
        word.truncate(letters.min(*LETTERS.end()));
        word
    }

    /// The word of a rank; the commonest has rank 0.
    pub(super) fn word(&self, rank: usize) -> &str {
        let start = rank.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(rank).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// A word as often as its rank says.
    pub(super) fn any(&self, rng: &mut Rng) -> &str {
        self.word(self.ranks.any(rng))
    }
}

/// Ranks with Zipf's frequencies (exponent 1: the commonest of 200,000 words is each thirteenth), in
/// one step however many there are: Walker's alias method, in Vose's way (1991), in whole numbers.
#[derive(Debug)]
struct Ranks(Vec<Column>);

/// The lower part of a column stands for its own rank, the rest for another.
#[derive(Debug, Clone, Copy)]
struct Column {
    until: u32,
    other: u32,
}

impl Ranks {
    fn new(len: usize) -> Ranks {
        // Shares of 2^32, so that they fill as many columns of that height.
        let sum: f64 = (1..=len).map(|rank| 1.0 / rank as f64).sum();
        let height = f64::from(u32::MAX);
        let mut left: Vec<f64> = (1..=len).map(|rank| height * len as f64 / (rank as f64 * sum)).collect();
        let mut columns: Vec<Column> =
            (0..len as u32).map(|rank| Column { until: u32::MAX, other: rank }).collect();
        let (mut low, mut high): (Vec<usize>, Vec<usize>) = (0..len).partition(|rank| left[*rank] < height);
        while let (Some(small), Some(large)) = (low.pop(), high.last().copied()) {
            columns[small] = Column { until: left[small] as u32, other: large as u32 };
            left[large] -= height - left[small];
            if left[large] < height {
                low.extend(high.pop());
            }
        }
        Ranks(columns)
    }

    fn any(&self, rng: &mut Rng) -> usize {
        let drawn = rng.next();
        let at = (((drawn >> 32) * self.0.len() as u64) >> 32) as usize;
        self.0
            .get(at)
            .map_or(0, |column| if drawn as u32 <= column.until { at } else { column.other as usize })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_many_and_the_commonest_are_short() {
        let words = Vocabulary::new(1);
        let all: HashSet<&str> = (0..WORDS).map(|rank| words.word(rank)).collect();
        assert_eq!(all.len(), WORDS);
        assert!(
            all.iter()
                .all(|word| LETTERS.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()))
        );
        let letters = |ranks: std::ops::Range<usize>| {
            let count = ranks.len();
            ranks.map(|rank| words.word(rank).len()).sum::<usize>() as f64 / count as f64
        };
        let (first, last) = (letters(0..100), letters(100_000..WORDS));
        assert!(first < 4.0 && (7.0..11.0).contains(&last), "{first} letters, then {last}");
        // Families: nothing but an ending tells them apart.
        let ended =
            all.iter().filter(|word| word.strip_suffix('s').is_some_and(|base| all.contains(base))).count();
        assert!(ended > WORDS / 50, "{ended}");
        let other = Vocabulary::new(2);
        assert!((1_000..2_000).all(|rank| other.word(rank) != words.word(rank)));
    }

    #[test]
    fn frequencies_are_those_of_zipf() {
        let ranks = Ranks::new(WORDS);
        let (mut rng, drawn) = (Rng::new(5), 2_000_000_usize);
        let mut counts = vec![0_usize; WORDS];
        for _ in 0..drawn {
            counts[ranks.any(&mut rng)] += 1;
        }
        let sum: f64 = (1..=WORDS).map(|rank| 1.0 / rank as f64).sum();
        // A range has more draws than one word, and so is told exactly enough.
        for range in [0..1, 1..2, 9..20, 99..200, 999..2_000, 9_999..20_000, 100_000..WORDS] {
            let found = counts[range.clone()].iter().sum::<usize>() as f64 / drawn as f64;
            let expected = range.clone().map(|rank| 1.0 / (rank + 1) as f64).sum::<f64>() / sum;
            assert!((found / expected - 1.0).abs() < 0.05, "{range:?}: {found} instead of {expected}");
        }
    }
}
