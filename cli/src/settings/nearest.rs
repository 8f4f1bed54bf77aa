//! "Did you mean": the known name nearest to one that nobody knows.

use super::keys::KEYS;

/// The key that this unknown name most likely means. `brokers` alone finds `kafka.brokers`.
pub(super) fn key(unknown: &str) -> Option<&'static str> {
    let spellings = KEYS.iter().flat_map(|key| [(key.name, key.name), (key.split().1, key.name)]);
    best(unknown, spellings.map(|(spelling, name)| (spelling.to_owned(), name)))
}

/// The environment variable that this unknown one most likely means. Finds
/// `CUSTODY_BROKERS` for `CUSTODY_KAFKA_BROKERS` too, which follows from the key's name.
pub(super) fn env(unknown: &str) -> Option<&'static str> {
    let derived = |name: &str| format!("CUSTODY_{}", name.replace('.', "_").to_ascii_uppercase());
    let spellings = KEYS.iter().flat_map(|key| [(key.env.to_owned(), key.env), (derived(key.name), key.env)]);
    best(unknown, spellings)
}

/// At most a third of the letters may differ, or the answer would be a guess.
fn best(unknown: &str, spellings: impl Iterator<Item = (String, &'static str)>) -> Option<&'static str> {
    // A prefix shared by all spellings would make everything look near.
    let bare = |text: &str| text.strip_prefix("CUSTODY_").unwrap_or(text).to_ascii_lowercase();
    let unknown = bare(unknown);
    let near = spellings.map(|(spelling, name)| (distance(&unknown, &bare(&spelling)), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= unknown.chars().count()).then_some(name)
}

/// Levenshtein, where swapping two neighbours counts as one mistake too.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut cost = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[i - 2][j - 2] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
