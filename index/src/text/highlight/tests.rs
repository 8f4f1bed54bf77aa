use custody_schemas::text::plain;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::query::{Doc, matches, parse};
use crate::strategies;

const HTML: Option<&str> = Some("text/html");
/// Marks that no text has, and no word.
const BEGIN: char = '\u{e000}';
const END: char = '\u{e001}';

/// The body with what is highlighted between two marks.
fn with_marks(body: &str, ranges: &[Range<usize>]) -> String {
    let mut out = body.to_owned();
    for range in ranges.iter().rev() {
        out.insert(range.end, END);
        out.insert(range.start, BEGIN);
    }
    out
}

fn found(said: &Said<'_>, query: &str) -> Highlights {
    highlighted(said, &parse(query, &TimeZone::UTC).unwrap(), 80).1
}

#[test]
fn highlights_are_of_the_body_as_it_was_sent() {
    for (content_type, body, query, expected) in [
        (None, "the <b>Merger</b>", "merger", "the <b>[Merger]</b>"),
        (
            HTML,
            "<p title='merger'>the <b>Merger</b> &amp; more",
            "merger",
            "<p title='merger'>the <b>[Merger]</b> &amp; more",
        ),
        (HTML, "J&aacute;n<b>o</b>s &amp; Co", "\"janos co\"", "[J&aacute;n]<b>[o]</b>[s &amp; Co]"),
        (
            HTML,
            "<img alt='red car'> <a href='https://x.example'>there</a>",
            "red car x",
            "[<img alt='red car'>] <a href='https://x.example'>there</a>",
        ),
        (HTML, "<!-- fox --><style>fox</style>fox", "fox", "<!-- fox --><style>fox</style>[fox]"),
        // Only what takes part.
        (
            None,
            "acme a b c merger x x x x x x acme",
            "merger w/5 acme",
            "[acme] a b c [merger] x x x x x x acme",
        ),
        (None, "acme merger", "merger pre/5 acme", ""),
        (None, "acme merger x acme", "merger pre/5 acme", "acme [merger] x [acme]"),
        (None, "bank x river y y y bank", "bank NOT w/2 river", "bank x river y y y [bank]"),
        (None, "a b c", "a NOT b", "[a] b c"),
        (None, "a x b", "(a w/1 b) OR x", "a [x] b"),
        (None, "fax fox fix", "f?x w/1 fox", "[fax] [fox] [fix]"),
        (None, "a b a b c", "(a pre/1 b) pre/1 c", "a b [a] [b] [c]"),
        (None, "a b c", "\"a b\" OR \"b c\"", "[a b c]"),
        (None, "called +49 30 1234567", "+49301234567", "called +[49 30 1234567]"),
    ] {
        let highlights = found(&Said { content_type, body: Some(body), ..Said::default() }, query);
        let marked = with_marks(body, &highlights.body).replace(BEGIN, "[").replace(END, "]");
        assert_eq!(if highlights.body.is_empty() { "" } else { &marked }, expected, "{query} in {body}");
        assert!(!highlights.more);
    }
}

#[test]
fn other_parts_are_told_apart() {
    let said = Said { body: Some("a fox"), detail: Some("fox"), title: Some("dog"), ..Said::default() };
    let highlights = found(&said, "fox dog");
    assert_eq!((highlights.body.len(), highlights.body.first()), (1, Some(&(2..5))));
    assert_eq!(highlights.parts, [Part::Body, Part::Detail, Part::Title]);
    let only = Said { body: None, reason: Some("no JSON"), ..said };
    let highlights = found(&only, "json");
    assert_eq!((highlights.body, highlights.parts), (Vec::new(), vec![Part::Reason]));
}

#[test]
fn highlights_are_bounded_and_say_so() {
    let body = "fox dog ".repeat(2_000);
    for (query, ends) in [("fox", 999 * 8 + 3), ("fox w/1 dog", 499 * 8 + 7), ("f* NOT w/1 cat", 999 * 8 + 3)]
    {
        let highlights = found(&Said { body: Some(&body), title: Some("fox dog"), ..Said::default() }, query);
        assert_eq!((highlights.body.len(), highlights.more), (HIGHLIGHTS_MAX, true), "{query}");
        assert_eq!(highlights.body.last().map(|range| range.end), Some(ends), "{query}");
        assert_eq!(highlights.parts, [Part::Body, Part::Title], "{query}");
    }
    let body = "fox ".repeat(HIGHLIGHTS_MAX);
    let highlights = found(&Said { body: Some(&body), ..Said::default() }, "fox");
    assert_eq!((highlights.body.len(), highlights.more), (HIGHLIGHTS_MAX, false));
}

fn body() -> impl Strategy<Value = String> {
    let piece = select(
        &[
            "run",
            "Running",
            "ran",
            "recieve",
            "Jane&zcaron;",
            "janez",
            "na&iuml;ve",
            "x",
            "x",
            "y",
            "会議",
            "会",
            "東京都",
            "กาแฟ",
            "👍🏽",
            "+49 30 1234567",
            "colou<b>r</b>",
            "ber<wbr>g",
            "&amp;",
            "&",
            "<",
            "&nbsp;",
            "&#120;",
            "&bogus;",
            "<b>",
            "</b>",
            "<p>",
            "<br>",
            "<img alt='x run y'>",
            "<a href='zz'>",
            "</a>",
            "<!-- x -->",
            "<style>x</style>",
            "<p title='x'>",
            "e\u{301}",
            "&eacute",
        ][..],
    );
    let space = select(&["", " ", " ", " "][..]);
    prop::collection::vec((piece, space), 0..14)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, space)| [piece, space]).collect())
}

fn dense(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What stands between marks.
fn between(text: &str) -> String {
    let pieces = text.split(BEGIN).skip(1).map(|piece| piece.split(END).next().unwrap_or_default());
    pieces.collect::<Vec<_>>().join(" ")
}

fn check(content_type: Option<&str>, body: &str, query: &Query) -> Result<(), TestCaseError> {
    let said = Said { content_type, body: Some(body), title: Some("x run"), ..Said::default() };
    let (_, highlights) = highlighted(&said, query, 40);
    let mut end = 0;
    for range in &highlights.body {
        prop_assert!(end <= range.start && range.start < range.end && body.get(range.clone()).is_some());
        end = range.end;
    }
    // Marks inside of a tag would be gone, or the tag would be; inside of a reference they would end it.
    let text = plain(content_type, body);
    let marked = with_marks(body, &highlights.body);
    let marked = plain(content_type, &marked);
    prop_assert_eq!(dense(&marked.replace([BEGIN, END], "")), dense(&text));
    if !body.contains(['=']) {
        // Nothing is in attributes: what is marked is what matched, and nothing else.
        let words = Words::of(&text);
        let (hits, _) = Wanted::of(query).hits(&words, &(0..text.len()), HIGHLIGHTS_MAX);
        let matched: String = merged(&hits).into_iter().map(|range| &text[range]).collect();
        prop_assert_eq!(dense(&between(&marked)), dense(&matched));
    }
    // There is something to show exactly when the text is a match.
    let whole = said.text();
    prop_assert_eq!(!highlights.parts.is_empty(), matches(query, &Doc { text: &whole, ..Doc::default() }));
    Ok(())
}

fn of_text() -> impl Strategy<Value = Query> {
    strategies::queries().prop_filter("not of the text", |query| {
        matches!(query, Query::Word(_) | Query::Phrase(_) | Query::Near(_))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn highlights_cover_what_matched(body in body(), query in of_text(), html in any::<bool>()) {
        check(HTML.filter(|_| html), &body, &query)?;
    }

    #[test]
    fn any_body_has_whole_characters(body in any::<String>(), query in of_text(), html in any::<bool>()) {
        let said = Said { content_type: HTML.filter(|_| html), body: Some(&body), ..Said::default() };
        let (_, highlights) = highlighted(&said, &query, 40);
        for range in highlights.body {
            prop_assert!(body.get(range).is_some_and(|piece| !piece.is_empty()));
        }
    }
}
