use super::*;
use crate::fixture::{HOSTILE, hostile, sample, with_document};
use crate::format::samples::{CONTENT, bytes, check_golden, for_readers};
use crate::format::visible::{Piece, pieces};

const PAGE: &str = "html/CUST00000001.html";

#[test]
fn the_page_is_as_it_was() {
    let (rendered, all) = bytes(&Html, &sample());
    check_golden("sample.html", &all[PAGE]);
    assert_eq!(all.keys().collect::<Vec<_>>(), [PAGE, "html/CUST00000001/CUST00000002-plan.pdf"]);
    assert_eq!(all["html/CUST00000001/CUST00000002-plan.pdf"], CONTENT);
    assert_eq!(rendered.exceptions, []);
    assert_eq!(bytes(&Html, &sample()).1, all);
    for_readers("html", &Html);
}

#[test]
fn files_that_are_missing_are_told() {
    let (rendered, all) = bytes(&Html, &hostile());
    let page = String::from_utf8(all[PAGE].clone()).unwrap();
    assert_eq!(rendered.exceptions.len(), HOSTILE.len() / 2);
    let expected = Exception {
        number: "CUST00000003".into(),
        position: Some("chat:1:0:1".into()),
        what: "the file is not in the HTML transcript: its content was never uploaded".into(),
    };
    assert_eq!(rendered.exceptions[0], expected);
    assert_eq!(page.matches("not in this production: its content was never uploaded").count(), 9);
    assert_eq!(page.matches("<a href=\"CUST00000001/").count(), 9);
    assert!(page.contains("<a href=\"CUST00000001/CUST00000018-_.._etc_passwd\">"));
    assert_eq!(all.len(), 10);
}

#[test]
fn hostile_texts_stay_texts() {
    let page = String::from_utf8(bytes(&Html, &hostile()).1[PAGE].clone()).unwrap();
    for bad in ["<script", "javascript:", "http://x.example\"", "\0", "\u{202e}", "\u{200b}", "\r"] {
        assert!(!page.contains(bad), "{bad:?}");
    }
    for text in HOSTILE.iter().filter(|text| !text.is_empty()) {
        let mut shown = String::from("lang=\"\">");
        pieces(text, |piece| match piece {
            Piece::Text(text) => {
                shown += &text
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;")
                    .replace('"', "&quot;")
                    .replace('\'', "&#39;");
            }
            Piece::Break => shown.push('\n'),
            Piece::Mark(c) => {
                shown += &format!("<span class=\"mark\">⟦U+{:04X}⟧</span>", u32::from(c));
            }
        });
        assert!(page.contains(&format!("{shown}</div>")), "{shown}");
    }
    assert!(page.contains("<p class=\"nothing\">(no text)</p>"));
}

#[test]
fn a_page_says_what_it_is() {
    let mut records = sample();
    records[3].redactions = 2;
    let check = |expected: &str| {
        let page = with_document(&records, |document| page(&document, Files::InTheMail(&BTreeSet::new())));
        assert!(page.contains(expected), "{expected}\n{page}");
    };
    check("<title>CUST00000001 Merger, 2013-05-29</title>");
    check("<time datetime=\"2013-05-29\">Wednesday, 29 May 2013</time>");
    check("<dt>Records</dt><dd>24, of which 1 context and no hits</dd>");
    check("<dt>Conversation</dt><dd>c-88 (direct)</dd>");
    check("<dt>Asked for by</dt><dd>dana@contoso.example</dd>");
    check("<dt>Reason</dt><dd>case 7</dd>");
    check("<dt>Production</dt><dd>0123456789abcdef0123456789abcdef</dd>");
    check(
        "<time datetime=\"2013-05-29T09:15:00.000+00:00\">09:15:00.000</time> <span class=\"offset\">+00:00",
    );
    check("<li class=\"message context\" id=\"r2\" data-position=\"chat:1:0:1\"");
    check("<span class=\"flag\">context, not a hit</span>");
    check("<span class=\"flag\">delivered 2 times</span>");
    check("<span class=\"flag\">2 redactions</span>");
    check("in answer to <a href=\"#r1\">record 1</a> of <bdi>Bob</bdi>");
    check(&format!("<td class=\"hash\">{}</td>", "05".repeat(32)));
}
