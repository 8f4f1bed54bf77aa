use proptest::prelude::*;

use super::*;

const HTML: Option<&str> = Some("text/html; charset=utf-8");

#[test]
fn plain_text() {
    for (content_type, body, expected) in [
        (None, "a <b> &amp; c", "a <b> &amp; c"),
        (Some("text/plain"), "1 < 2", "1 < 2"),
        (HTML, "I&apos;m here", "I'm here"),
        (HTML, "<p>one</p><p>two<br>three</p>", "one\ntwo\nthree\n"),
        (HTML, "a < b &amp;&amp; c > d", "a < b && c > d"),
        (HTML, "&#x41;&#66;&bogus;&", "AB&bogus;&"),
        (HTML, "&é;", "&é;"),
        (HTML, "unclosed <a", "unclosed <a"),
        (HTML, "&auml;&rarr;&#128;&copy 2013", "ä→€© 2013"),
        (HTML, "fo<b>o</b>bar<wbr>baz", "foobarbaz"),
        (HTML, "<tr><td>1<td>2</tr><hr>3<h2>4</h2>5", "1\n2\n3\n4\n5"),
        (HTML, r#"<b title="a > b" x='>'>bold</b>"#, "bold"),
        (HTML, "<B\nCLASS=x/>bold</B\t>", "bold"),
    ] {
        assert_eq!(plain(content_type, body), expected, "{body}");
    }
}

#[test]
fn what_is_never_shown() {
    for (body, expected) in [
        ("a<!-- x > y -->b", "ab"),
        ("a<!-->b<!--->c<!---->d<!-- --!>e<!----- x ---->f", "abcdef"),
        ("<!DOCTYPE html><?xml version='1.0'?></>a<![CDATA[x]]>b", "ab"),
        ("<head><title>t</title><style>p > a { }</style></head><body>shown</body>", "shown\n"),
        ("<script>if (a < b) '</b>'</SCRIPT >a", "a"),
        ("<script>x</scripted></script>a", "a"),
        // Without an end nothing is gone.
        ("<style>a<b>b</b>", "ab"),
        ("<!-- a <b>b</b>", "<!-- a b"),
        ("<a href=\"x>a<b>b</b>&amp;", "<a href=\"x>a<b>b</b>&"),
    ] {
        assert_eq!(plain(HTML, body), expected, "{body}");
    }
}

#[test]
fn links_pictures_and_mentions() {
    for (body, expected) in [
        ("<a href=\"https://x.example/\">link</a>.", "link (https://x.example/)."),
        ("<a href='https://x.example/?a=1&amp;copy=2'>link</a>", "link (https://x.example/?a=1&copy=2)"),
        ("<a href=\"https://x.example/\">x.example</a>", "x.example"),
        ("<a href=mailto:bob@x.example>bob@x.example</a>", "bob@x.example"),
        ("<a href=\"#top\">up</a><a href='JavaScript:x()'>do</a><a>no</a>", "updono"),
        ("a<a href=\"https://x.example/1\"><img src=1></a>b", "a (https://x.example/1)b"),
        ("<a href=u>one<a href=v>two</a></a>", "one (u)two (v)"),
        ("<a href=u>one", "one (u)"),
        (r#"hi <img alt=":zulip:" class="emoji" src="/z.png" title="zulip">"#, "hi :zulip:"),
        (r#"<emoji id="smile" alt="😀" title="Smile"></emoji>"#, "😀"),
        (r#"<customemoji alt="" title="party"></customemoji>"#, "party"),
        (r#"<span class="emoji emoji-1f604" title="smile">:smile:</span>"#, ":smile:"),
        (r#"<at id="0">Bob &amp; Co</at> hello"#, "Bob & Co hello"),
        (r#"see<attachment id="7"></attachment>end"#, "see\nend"),
        (r#"<span class="user-mention" data-user-id="5">@Bob</span>"#, "@Bob"),
    ] {
        assert_eq!(plain(HTML, body), expected, "{body}");
    }
}

#[test]
fn what_shows_a_range() {
    for (body, found, shown) in [
        ("<p>a &amp; b</p>", "a & b", &["a &amp; b"][..]),
        ("fo<b>o</b>bar", "foobar", &["fo", "o", "bar"]),
        ("fo<b>o</b>bar", "ob", &["o", "b"]),
        ("<a href=u>see</a> <b>it</b>", "see (u) it", &["see", " ", "it"]),
        ("<a href=u>see</a>", "u", &[]),
        ("one<br>two", "one\ntwo", &["one", "two"]),
        ("hi <img alt='red car'>!", "car", &["<img alt='red car'>"]),
        ("hi <img alt=red>!", "hi red!", &["hi <img alt=red>!"]),
        ("&auml;rger", "är", &["&auml;r"]),
    ] {
        let Plain { text, map } = plain_with_map(HTML, body);
        let at = text.find(found).unwrap();
        let pieces = map.shown(at..at + found.len());
        assert_eq!(pieces.iter().map(|piece| &body[piece.clone()]).collect::<Vec<_>>(), shown, "{body}");
        assert_eq!(map.shown(at..at), []);
        assert_eq!(map.shown(text.len()..text.len() + 1), []);
    }
    assert_eq!(plain_with_map(HTML, "").map.shown(0..9), []);
    assert_eq!(plain_with_map(HTML, "<b>").map.shown(0..9), []);
}

/// Beginnings without an end, as many as fit a large message: the time is that of one pass. Were it
/// not, this would take hours.
#[test]
fn many_beginnings_take_one_pass() {
    for piece in [
        "<",
        "<a ",
        "<a b='",
        "<!--",
        "<!-- --",
        "<!",
        "</",
        "<style>",
        "</style",
        "&",
        "&#",
        "<a href=x>",
        "-",
        "<!--->",
    ] {
        let body = format!("<!--{}", piece.repeat(1_000_000 / piece.len()));
        assert!(plain(HTML, &body).len() <= 2 * body.len(), "{piece}");
    }
}

/// What holds for every body.
fn check(body: &str) {
    let Plain { text, map } = plain_with_map(HTML, body);
    assert_eq!(text, plain(HTML, body));
    let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let shown = map.shown(0..text.len());
    assert!(shown.windows(2).all(|pair| pair[0].end < pair[1].start), "{body}: {shown:?}");
    let mut last = 0;
    for pair in boundaries.windows(2) {
        for piece in map.shown(pair[0]..pair[1]) {
            assert!(body.get(piece.clone()).is_some_and(|piece| !piece.is_empty()), "{body}: {piece:?}");
            assert!(shown.iter().any(|whole| whole.start <= piece.start && piece.end <= whole.end));
            assert!(last <= piece.start, "{body}: {piece:?} after {last}");
            last = piece.start;
        }
    }
    for (of, from) in map.copied().into_iter().filter(|(of, _)| !of.is_empty()) {
        assert_eq!(&text[of.clone()], &body[from.clone()]);
        assert_eq!(map.shown(of), [from]);
    }
}

proptest! {
    #[test]
    fn any_body(body in any::<String>()) {
        check(&body);
    }

    #[test]
    fn markup(pieces in prop::collection::vec(prop::sample::select(&[
        "<", ">", "&", ";", "#", "x41", "amp", "not", "notin;", "!", "--", "-->", "/", "a", "<a href=", "</a>",
        "\"", "'", "=", " ", "\n", "<p>", "<style>", "</style>", "<title", "<img alt=", "<br/>", "ü", "😀", "<!--",
        "<at id=\"0\">", "</at>", "https://x.example/", "&#0;", "\0",
    ][..]), 0..24)) {
        check(&pieces.concat());
    }

    /// What has no markup is as it was, and so are the ranges in it.
    #[test]
    fn no_markup(body in "[^<&]{0,40}", cuts in any::<[prop::sample::Index; 2]>()) {
        let Plain { text, map } = plain_with_map(HTML, &body);
        prop_assert!(matches!(text, Cow::Borrowed(same) if same == body));
        let mut cuts = cuts.map(|cut| cut.index(body.len() + 1));
        cuts.sort_unstable();
        let [from, to] = cuts;
        let expected: Vec<_> = Some(from..to).filter(|range| !range.is_empty()).into_iter().collect();
        prop_assert_eq!(map.shown(from..to), expected);
    }
}

#[test]
fn references_alone() {
    for (body, expected) in [
        ("a <b title='&#64;'>&amp; c", "a <b title='@'>& c"),
        ("&&amp;&x", "&&&x"),
        ("no markup", "no markup"),
        ("&copy=1&lt", "©=1<"),
    ] {
        assert_eq!(references_with_map(body).text, expected, "{body}");
    }
    let body = "<a href='mailto:bob&#64;x.example'>";
    let found = references_with_map(body);
    let at = found.text.find("bob@x").unwrap();
    assert_eq!(found.map.shown(at..at + 5), std::slice::from_ref(&(16..25)));
    assert_eq!(&body[16..25], "bob&#64;x");
}
