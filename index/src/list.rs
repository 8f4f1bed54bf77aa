//! Several texts as one: each after a character whose number is its length.

/// Appends a text to a list.
pub(crate) fn push_term(list: &mut String, term: &str) {
    // Terms are cut or hashed long before the numbers that are no characters.
    let length = u32::try_from(term.len()).ok().and_then(char::from_u32);
    debug_assert!(length.is_some(), "a term of {} bytes", term.len());
    if let Some(length) = length {
        list.push(length);
        list.push_str(term);
    }
}

/// The texts of a list.
pub(crate) fn terms(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let length = rest.chars().next()?;
        let (term, after) = rest.get(length.len_utf8()..)?.split_at_checked(length as usize)?;
        rest = after;
        Some(term)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_back_whatever_they_hold() {
        let long = "ž".repeat(512);
        let all = ["a", "", "\u{1}b", "sip:x@y.example", &long, "\u{0}\u{400}", "a"];
        let mut list = String::new();
        for term in all {
            push_term(&mut list, term);
        }
        assert_eq!(terms(&list).collect::<Vec<_>>(), all);
    }
}
