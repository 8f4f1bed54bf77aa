use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::utc;
use crate::query::{Flag, Pattern, Query, TimeRange, TypePattern, parse};

/// Pieces that meet each other in all the wrong ways.
const PIECES: &[&str] = &[
    "a",
    "B-c",
    "AND",
    "OR",
    "NOT",
    "-",
    "(",
    ")",
    "\"",
    "\\",
    "“",
    "from:",
    "to:x",
    "type:",
    "call.*",
    "*",
    "~",
    ":",
    "date:",
    "2013",
    "..",
    "-05",
    "T09:15",
    "Z",
    "is:ok",
    " ",
    " ",
    "İ",
    "ς",
    "conversation:",
    "\u{0}",
    "会議",
    "federation.",
    ".v1",
    " w/5 ",
    " pre/2 ",
    "*",
    "?",
    "~1",
    "%",
    "%de",
    "=",
    "between:",
    "file:",
    "has:link",
    "duration:1m..",
    ",",
    "/",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

fn leaf() -> impl Strategy<Value = Query> {
    // As a quoted value is read: without white space around it.
    let value = any::<String>().prop_map(|v| v.trim().to_owned()).prop_filter("empty", |v| !v.is_empty());
    let range =
        (any::<bool>(), -10_000_000_000_000..10_000_000_000_000_i64, prop::option::of(1..10_i64.pow(12)));
    prop_oneof![
        Just(Query::All),
        any::<String>().prop_map(|text| Query::text(&text).unwrap_or(Query::All)),
        "[a-zA-Z' -]{1,12}".prop_map(|text| Query::text(&text).unwrap_or(Query::All)),
        value.clone().prop_map(|v| Query::From(Pattern::new(&v))),
        value.clone().prop_map(|v| Query::Participant(Pattern::new(&v))),
        value.clone().prop_map(|id| Query::Conversation(id.into())),
        "[a-z.]{1,9}".prop_map(|v| Query::To(Pattern::new(&v))),
        "(federation\\.)?[a-z]{1,9}(\\.v1)?".prop_map(|v| Query::Type(TypePattern::Exact(v))),
        "[a-z]{1,9}\\.".prop_map(|v| Query::Type(TypePattern::Prefix(v))),
        "[a-z.*()]{1,9}".prop_map(|tenant| Query::Tenant(tenant.into())),
        select(Flag::ALL.map(|(_, flag)| flag).to_vec()).prop_map(Query::Flag),
        range.prop_map(|(open, from, length)| Query::Date(TimeRange {
            from_ms: (!open || length.is_none()).then_some(from),
            to_ms: length.map(|length| from + length),
        })),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    leaf().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::and),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::or),
            inner.prop_map(Query::negated),
        ]
    })
}

fn never_panics(text: &str) -> Result<(), TestCaseError> {
    match utc(text) {
        Ok(query) => {
            let printed = query.to_string();
            prop_assert_eq!(utc(&printed), Ok(query), "{}", printed);
        }
        Err(error) => {
            prop_assert!(text.get(error.at..error.at + error.len).is_some(), "{:?}", error);
            prop_assert!(error.render(text).lines().count() <= 4);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        never_panics(&text)?;
    }

    #[test]
    fn what_people_type_is_read_or_refused(text in crate::strategies::typed()) {
        never_panics(&text)?;
    }

    #[test]
    fn any_pieces_are_read_or_refused(text in pieces()) {
        never_panics(&text)?;
    }

    #[test]
    fn what_is_printed_reads_back(query in query()) {
        let printed = query.to_string();
        let zone = TimeZone::get("Pacific/Apia").unwrap();
        prop_assert_eq!(parse(&printed, &zone), Ok(query), "{}", printed);
    }
}

/// What a fuzzer starts from, and what it ever found.
#[test]
fn the_corpus_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/query");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        never_panics(&String::from_utf8_lossy(&bytes)).unwrap();
        read += 1;
    }
    assert!(read >= 20, "{read} texts");
}
