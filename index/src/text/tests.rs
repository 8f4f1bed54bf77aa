use proptest::prelude::*;

use super::*;
use crate::query::parse;

fn terms(text: &str) -> Vec<String> {
    words(text).map(|token| token.term.into_owned()).collect()
}

#[test]
fn text_is_cut_into_words() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        (" .,;", &[]),
        ("Can we talk?", &["can", "we", "talk"]),
        ("I'm a-b_c 10:30", &["i", "m", "a", "b", "c", "10", "30"]),
        ("ÄRGER Straße", &["arger", "strasse"]),
        ("co\u{ad}op ﬁ x\u{200b}y", &["coop", "fi", "x", "y"]),
        ("Ja\u{301}n e\u{301}", &["jan", "e"]),
        (
            "see report_v2.pdf at https://x.example/a?b=1",
            &["see", "report", "v2", "pdf", "at", "https", "x", "example", "a", "b", "1"],
        ),
        ("ok👍🏽👨‍👩‍👧🇩🇪!", &["ok", "👍", "👨‍👩‍👧", "🇩🇪"]),
        ("type 🅰️ or Ⓜ🅱", &["type", "🅰", "or", "m🅱"]),
        ("ดีชา", &["ดี", "ช", "า"]),
        ("㆒ਵ㊀", &["一", "ਵ", "一"]),
        ("한국어 회의", &["한국어", "회의"]),
        ("ΟΔΟΣ οδος", &["οδοσ", "οδοσ"]),
        ("İstanbul", &["istanbul"]),
        ("会議 x", &["会", "議", "x"]),
        ("A会ｶﾞb", &["a", "会", "ガ", "b"]),
        ("a\u{0}b", &["a", "b"]),
    ];
    for (text, expected) in cases {
        assert_eq!(terms(text), *expected, "{text}");
    }
}

#[test]
fn long_runs_are_cut_not_dropped() {
    for (letter, each) in [("a", 255), ("É", 255), ("Ⱥ", 85), ("ж", 127)] {
        let text = letter.repeat(300);
        let found = terms(&text);
        assert!(found.iter().all(|term| term.len() <= TERM_BYTES_MAX));
        assert_eq!(found[0].chars().count(), each);
        assert_eq!(found.concat().chars().count(), 300);
    }
}

#[test]
fn more_is_found_beside_words() {
    let beside = |text: &str| {
        let beside = tokens(text).filter(|token| token.kind != Kind::Word);
        beside
            .map(|token| {
                (
                    token.position,
                    token.kind,
                    text[token.range.clone()].to_owned(),
                    token.term.replace(['\u{1}', '\u{2}'], "|"),
                )
            })
            .collect::<Vec<_>>()
    };
    let of = |position, kind, text: &str, term: &str| (position, kind, text.to_owned(), term.to_owned());
    for (text, expected) in [
        ("call +49 (30) 123-456 now", vec![of(1, Kind::Joined, "49 (30) 123-456", "4930123456")]),
        ("+4930123456", vec![]),
        ("12 34 56", vec![]),
        ("4111 1111 1111 1111", vec![of(0, Kind::Joined, "4111 1111 1111 1111", "4111111111111111")]),
        ("1234567 12345678 123456789", vec![]),
        ("1234567 x12", vec![]),
        ("a Janež", vec![of(1, Kind::Variant, "Janež", "janez|janež")]),
        ("東京都に", vec![of(0, Kind::Compound, "東京", "|東京")]),
        ("ชาวโลก", vec![of(0, Kind::Compound, "ชาว", "|ชาว"), of(3, Kind::Compound, "โลก", "|โลก")]),
        ("👍🏽", vec![of(0, Kind::Variant, "👍🏽", "👍|👍🏽")]),
    ] {
        assert_eq!(beside(text), expected, "{text}");
    }
}

#[test]
fn no_term_is_too_long_for_the_index() {
    let marks = "\u{301}".repeat(40_000);
    for letter in ["e", "会", "के", "👍"] {
        let text = format!("{letter}{marks} x");
        let all: Vec<_> = tokens(&text).collect();
        assert!(all.iter().all(|token| token.term.len() <= 2 * TERM_BYTES_MAX + 1), "{letter}");
        assert_eq!(all.last().map(|token| &*token.term), Some("x"), "{letter}");
    }
}

#[test]
fn parts_stand_far_apart() {
    let text = joined(["a b", "c"]);
    let positions: Vec<u32> = tokens(&text).map(|token| token.position).collect();
    assert_eq!(positions, [0, 1, 2 + PART_GAP]);
}

#[test]
fn one_buffer_serves_all_tokens() {
    let text = format!("Can WE talk about {} the Merger", "X".repeat(600));
    let mut lower = String::with_capacity(text.len());
    let buffer = (lower.as_ptr(), lower.capacity());
    for _ in 0..2 {
        each_term(&text, &mut lower, |_, _| {});
        assert_eq!((lower.as_ptr(), lower.capacity()), buffer);
    }
}

#[test]
fn a_party_is_found_by_its_terms() {
    let cases: &[(&str, Option<&str>, &[&str])] = &[
        ("live:bob", Some("Bob"), &["live:bob", "bob"]),
        (
            "sip:Alice@Contoso.example",
            Some("Alice O'Neil"),
            &["sip:alice@contoso.example", "alice@contoso.example", "@contoso.example", "alice", "o", "neil"],
        ),
        (
            "sip:a@b.example:5061;tag=1",
            None,
            &["sip:a@b.example:5061;tag=1", "a@b.example:5061;tag=1", "a@b.example:5061", "@b.example"],
        ),
        ("bob@x.example/Home", None, &["bob@x.example/home", "bob@x.example", "@x.example"]),
        ("@alice:matrix.example", None, &["@alice:matrix.example", "@matrix.example"]),
        ("+4930123456", None, &["+4930123456"]),
        ("tel:+4930123456", None, &["tel:+4930123456", "+4930123456"]),
        ("notaschemeatall:x", None, &["notaschemeatall:x"]),
        ("sip:a@[::1]:5060", None, &["sip:a@[::1]:5060", "a@[::1]:5060", "@[::1]:5060"]),
        ("live:", None, &["live:"]),
        (" ", Some(""), &[]),
    ];
    for (address, name, expected) in cases {
        let mut out = Vec::new();
        address_terms(address, *name, &mut out);
        address_terms(address, *name, &mut out);
        assert_eq!(out, *expected, "{address}");
    }
}

#[test]
fn a_name_of_many_words_has_each_once() {
    let many: Vec<String> = (0..50_000).map(|n| format!("w{n}")).collect();
    let name = format!("{0} {0}", many.join(" "));
    let mut out = Vec::new();
    address_terms("live:bob", Some(&name), &mut out);
    assert_eq!((&*out[0], &*out[1], &out[2..]), ("live:bob", "bob", &many[..]));
}

fn shown(text: &str, query: &crate::query::Query, width: usize) -> Snippet {
    highlighted(&Said { body: Some(text), ..Said::default() }, query, width).0
}

/// Highlights are shown in brackets.
fn marked(text: &str, query: &str, width: usize) -> String {
    let query = parse(query, &jiff::tz::TimeZone::UTC).unwrap();
    let found = shown(text, &query, width);
    let mut out = found.text.clone();
    for range in found.highlights.iter().rev() {
        out.insert(range.end, ']');
        out.insert(range.start, '[');
    }
    out
}

#[test]
fn snippets_show_why() {
    let long =
        format!("{} about the merger of two companies {}", "so it went ".repeat(20), "and on ".repeat(20));
    let far = format!("alpha {} alpha beta end", "x ".repeat(100));
    let cases = [
        ("Can we talk about the Merger?", "merger", 80, "Can we talk about the [Merger]?"),
        ("Can we talk", "\"we TALK\" -can", 80, "Can [we talk]"),
        ("a b c", "\"a b\" OR \"b c\"", 80, "[a b c]"),
        ("a b", "NOT (a OR NOT b)", 80, "a [b]"),
        ("a\r\n\tb\u{1b}[0m", "b", 80, "a [b]\u{fffd}[0m"),
        ("", "a", 80, ""),
        (&long, "merger", 30, "…the [merger] of two…"),
        (&long, "nothing", 30, "so it went so it went so it…"),
        (&far, "alpha beta", 40, "…x x x x x x x x x x x [alpha] [beta] end"),
        (&"a".repeat(300), "b", 20, "aaaaaaaaaaaaaaaaaa…"),
    ];
    for (text, query, width, expected) in cases {
        assert_eq!(marked(text, query, width), expected, "{query} in {text}");
    }
}

proptest! {
    #[test]
    fn the_tokenizer_gives_the_same_tokens(text in any::<String>(), more in "[a-zA-Z ÄßΣİ.]{0,600}", odd in "[a-c0-3 \\-()+ž\u{301}\u{ad}會東京都にｶﾞกาสวัดี👍🏽🇩🇪\u{200d}\u{fe0f}Ⱥﬁ½\u{1e}]{0,60}") {
        for text in [text, more, odd] {
            let (mut all, mut lower) = (Vec::new(), String::new());
            each_term(&text, &mut lower, |term, position| all.push((term.to_owned(), position)));
            let mut all = all.into_iter();
            let (mut end, mut next) = (0, 0);
            for token in tokens(&text) {
                prop_assert_eq!(all.next(), Some((token.term.clone().into_owned(), token.position)));
                prop_assert!(text.get(token.range.clone()).is_some_and(|text| !text.is_empty()));
                if token.kind == Kind::Word {
                    prop_assert!(token.position >= next && token.range.start >= end.min(token.range.start));
                    (end, next) = (token.range.end, token.position + 1);
                    // What a query prints, it finds.
                    prop_assert_eq!(terms(&token.term), vec![token.term.into_owned()]);
                }
            }
            prop_assert_eq!(all.next(), None);
        }
    }

    #[test]
    fn snippets_fit_and_mark_what_was_asked(text in "[a-c \n\u{1b}é会]{0,300}", width in 0..60_usize) {
        let query = parse("a OR \"b c\" OR cab", &jiff::tz::TimeZone::UTC).unwrap();
        let found = shown(&text, &query, width);
        prop_assert!(found.text.chars().count() <= width.max(16));
        prop_assert!(!found.text.contains(char::is_control));
        let mut end = 0;
        for range in found.highlights {
            prop_assert!(end <= range.start && range.start < range.end);
            prop_assert!(found.text.get(range.clone()).is_some());
            end = range.end;
        }
    }

    #[test]
    fn an_address_finds_itself(address in any::<String>(), name in prop::option::of(any::<String>())) {
        let mut out = Vec::new();
        address_terms(&address, name.as_deref(), &mut out);
        let pattern = crate::query::Pattern::new(&address);
        prop_assert!(pattern.whole().is_empty() || pattern.matches(out.iter()));
    }
}
