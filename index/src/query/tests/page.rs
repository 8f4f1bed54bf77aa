//! Every example of the page about searching.

use super::utc;
use crate::query::{Doc, matches};

const PAGE: &str = include_str!("../../../../docs/search.md");

/// What stands between two of these marks.
fn between(text: &str, open: char, close: char) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((inside, after)) = after.split_once(close) else { break };
        out.push(inside);
        rest = after;
    }
    out
}

fn said(text: &str) -> Doc<'_> {
    Doc { text, type_short: "im.message.sent", ..Doc::default() }
}

#[test]
fn the_page_is_true() {
    let (mut queries, mut answers, mut kind) = (0, 0, "");
    for line in PAGE.lines().filter(|line| line.starts_with('|')) {
        if line.starts_with("| query") {
            kind = line;
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        for text in between(cells[0], '`', '`') {
            let query = utc(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
            queries += 1;
            if !kind.contains("but not") {
                continue;
            }
            for (cell, expected) in cells[1..].iter().zip([true, false]) {
                for said_text in between(cell, '"', '"') {
                    assert_eq!(matches(&query, &said(said_text)), expected, "{text} in {said_text}");
                    answers += 1;
                }
            }
        }
    }
    assert!(queries > 70 && answers > 80, "{queries} queries, {answers} answers");
}
