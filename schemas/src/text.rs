//! The plain text of a body: what a person reads and a search finds.

use std::borrow::Cow;

/// The readable text of a body of this content type. HTML loses its tags and
/// has its entities decoded; anything else is taken as it is.
pub fn plain<'a>(content_type: Option<&str>, body: &'a str) -> Cow<'a, str> {
    let html =
        content_type.is_some_and(|t| t.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html")));
    if html && body.contains(['<', '&']) { Cow::Owned(html_text(body)) } else { Cow::Borrowed(body) }
}

fn html_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        rest = if from.starts_with('<') { tag(from, &mut out) } else { entity(from, &mut out) };
    }
    out.push_str(rest);
    out
}

/// Takes a tag off; one that separates text leaves a line break. A `<` that
/// opens no tag is text.
fn tag<'a>(from: &'a str, out: &mut String) -> &'a str {
    let opens = from[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    let Some(end) = from.find('>').filter(|_| opens) else {
        out.push('<');
        return &from[1..];
    };
    let name = from[1..end].trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
    const BLOCKS: [&str; 9] = ["br", "p", "div", "li", "tr", "td", "blockquote", "h1", "pre"];
    if BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block)) && !out.is_empty() && !out.ends_with('\n')
    {
        out.push('\n');
    }
    &from[end + 1..]
}

fn entity<'a>(from: &'a str, out: &mut String) -> &'a str {
    // The longest entity that we decode is `&#x10FFFF;`.
    let end = from.bytes().take(12).position(|b| b == b';');
    let decoded = end.and_then(|end| Some((named(&from[1..end])?, end)));
    match decoded {
        Some((c, end)) => {
            out.push(c);
            &from[end + 1..]
        }
        None => {
            out.push('&');
            &from[1..]
        }
    }
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "euro" => '€',
        "copy" => '©',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text() {
        let html = Some("text/html; charset=utf-8");
        for (content_type, body, expected) in [
            (None, "a <b> &amp; c", "a <b> &amp; c"),
            (Some("text/plain"), "1 < 2", "1 < 2"),
            (html, "I&apos;m here", "I'm here"),
            (html, "<p>one</p><p>two<br>three</p>", "one\ntwo\nthree\n"),
            (html, "a < b &amp;&amp; c > d", "a < b && c > d"),
            (html, "&#x41;&#66;&bogus;&", "AB&bogus;&"),
            (html, "<a href=\"https://x.example/\">link</a>", "link"),
            (html, "&é;", "&é;"),
            (html, "unclosed <a", "unclosed <a"),
        ] {
            assert_eq!(plain(content_type, body), expected, "{body}");
        }
    }
}
