//! The known word that a mistyped one was meant to be.

/// The nearest of `known`, if it is near enough to be worth a question: one
/// that starts with `word`, or else one at most two edits away.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    // A long word is near none of ours, and the distance costs its length.
    if word.len() > 32 {
        return None;
    }
    let starting = known.clone().find(|k| word.len() >= 3 && k.starts_with(word));
    let near = known.map(|k| (distance(word, k), k)).filter(|(d, k)| *d <= 2 && *d < k.len().min(word.len()));
    starting.or_else(|| near.min_by_key(|(d, _)| *d).map(|(_, k)| k))
}

/// Levenshtein distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
