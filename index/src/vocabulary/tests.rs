use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::expand::is_word;
use crate::query::Glob;

fn list(terms: &BTreeSet<String>) -> List {
    let mut making = Making::with_room(1);
    assert!((0..).zip(terms).all(|(ord, term)| making.add(ord, term.as_bytes())));
    making.made().0
}

fn index() -> Index {
    Index::create_in_ram(Fields::new().schema)
}

/// Terms among which are neighbours, words of every length, variants and words of dictionaries.
fn terms() -> impl Strategy<Value = BTreeSet<String>> {
    let letters = prop::collection::vec(select(&["a", "b", "c", "ž", "会", "9"][..]), 1..5);
    let word = letters.prop_map(|letters| letters.concat());
    let term =
        (word, select(&["", "", "", "\u{1}a", "\u{1}ž", "\u{2}"][..])).prop_map(|(word, also)| match also {
            "\u{2}" => format!("\u{2}{word}"),
            also => format!("{word}{also}"),
        });
    prop::collection::btree_set(term, 0..60)
}

fn form() -> impl Strategy<Value = Glob> {
    let parts =
        prop::collection::vec(select(&["a", "b", "ab", "c", "ž", "会", "9", "*", "*", "?", " "][..]), 0..6);
    parts.prop_map(|parts| Glob::new(&parts.concat()))
}

proptest! {
    #[test]
    fn finds_what_the_dictionary_has(terms in terms(), form in form(), start in "[ab9ž]{0,2}") {
        let list = list(&terms);
        let stop = Stop::new(None, None);
        let words = |wanted: &dyn Fn(&str) -> bool, most: usize| {
            let there = terms.iter().filter(|term| is_word(term.as_bytes()) && wanted(term));
            there.take(most).cloned().collect::<Vec<_>>()
        };
        for most in [1, 3, usize::MAX] {
            let mut found = Vec::new();
            let mut each = |word: &str| {
                found.push(word.to_owned());
                found.len() < most
            };
            let whole = list.like(&form, &mut Walk::new(&stop), &mut each).unwrap();
            prop_assert_eq!(whole, found.len() < most);
            prop_assert_eq!(found, words(&|word| form.matches(word), most));
            let mut found = Vec::new();
            let mut each = |word: &str| {
                found.push(word.to_owned());
                found.len() < most
            };
            let whole = list.starting(&start, &mut Walk::new(&stop), &mut each).unwrap();
            prop_assert_eq!(whole, found.len() < most);
            prop_assert_eq!(found, words(&|word| word.starts_with(&start), most));
        }
    }
}

#[test]
fn what_would_be_found_elsewhere_is_not_remembered() {
    for (terms, last) in [
        (&[(0, "a"), (1, "b")][..], true),
        (&[(0, "a"), (2, "b")][..], false),
        (&[(1, "a")][..], false),
        (&[(0, "")][..], false),
        (&[(0, "a"), (1, "b c")][..], false),
    ] {
        let mut making = Making::with_room(1);
        let added: Vec<bool> = terms.iter().map(|(ord, term)| making.add(*ord, term.as_bytes())).collect();
        assert_eq!(added.last(), Some(&last), "{terms:?}");
    }
}

/// Which of some splits of four words each are remembered after they were asked for in this order.
fn check(bytes_max: usize, asked: &str, expected: &str) {
    let all = Vocabularies::new(bytes_max);
    let words: BTreeSet<String> = ["a", "b", "c", "d"].map(String::from).into();
    for split in asked.chars() {
        let words_of = all.of(&split.to_string(), &index());
        let mut state = all.locked();
        if state.known(&split.to_string()).is_none()
            && let Some(mut reserved) = words_of.reserve(&mut state, 4)
        {
            drop(state);
            let list = list(&words);
            if list.bytes() <= reserved.bytes || reserved.more(list.bytes() - reserved.bytes) {
                reserved.keep(list);
            }
        }
    }
    let state = all.locked();
    let mut known: Vec<&str> = state.known.keys().map(|split| &**split).collect();
    known.sort_unstable();
    assert_eq!(known.concat(), expected, "{asked}");
    assert!(state.bytes <= bytes_max && state.bytes == known.len() * list(&words).bytes());
}

#[test]
fn what_is_asked_for_again_stays() {
    let each = list(&["a", "b", "c", "d"].map(String::from).into()).bytes();
    check(0, "ababab", "");
    check(each - 1, "aaa", "");
    check(each, "aaa", "a");
    check(3 * each, "abc", "abc");
    // Of four there is room for two, and those two stay.
    check(2 * each, "abcdabcdabcd", "ab");
    // Asked for again while the first was not.
    check(2 * each, "abcc", "bc");
    check(2 * each, "abcdcd", "cd");
    check(2 * each, "abcac", "ac");
}

#[test]
fn room_is_given_back_and_one_search_makes_it() {
    let all = Vocabularies::new(100);
    let words = all.of("a", &index());
    let first = { words.reserve(&mut all.locked(), 10) };
    assert!(first.is_some() && all.locked().bytes == 20);
    // Another search walks through the dictionary meanwhile.
    assert!(all.locked().known("a").is_some_and(|known| known.list.is_none()));
    assert!(words.known().is_none());
    drop(first);
    let held = || {
        let state = all.locked();
        (state.bytes, state.known.len())
    };
    assert_eq!(held(), (0, 0));
    // What cannot be remembered is not tried again.
    let mut again = { words.reserve(&mut all.locked(), 10) }.unwrap();
    assert!(!again.more(100));
    drop(again);
    assert_eq!(held(), (0, 0));
    assert!(words.reserve(&mut all.locked(), 10).is_none());
}
