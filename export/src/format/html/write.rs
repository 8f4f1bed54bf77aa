//! Text as HTML: nothing that people wrote becomes markup or reverses what stands around it.

use std::fmt::Write as _;

use crate::format::visible::{Piece, is_right_to_left, pieces};

/// Appends a text with its line breaks, for an element that keeps white space.
pub(crate) fn block(out: &mut String, text: &str) {
    pieces(text, |piece| match piece {
        Piece::Text(text) => escape(out, text),
        Piece::Break => out.push('\n'),
        Piece::Mark(c) => mark(out, c),
    });
}

/// Appends a text on one line. Runs of right-to-left script are isolated, so that a name in the middle
/// of a sentence does not change the order of the rest.
pub(crate) fn inline(out: &mut String, text: &str) {
    pieces(text, |piece| match piece {
        Piece::Text(text) => isolated(out, text),
        Piece::Break => mark(out, '\n'),
        Piece::Mark(c) => mark(out, c),
    });
}

/// Appends a name or an address, isolated whole.
pub(crate) fn name(out: &mut String, text: &str) {
    out.push_str("<bdi>");
    inline(out, text);
    out.push_str("</bdi>");
}

/// Appends a text where no markup can be: in an attribute, or in the page's title.
pub(crate) fn bare(out: &mut String, text: &str) {
    pieces(text, |piece| match piece {
        Piece::Text(text) => escape(out, text),
        Piece::Break => out.push_str(&crate::format::visible::mark('\n')),
        Piece::Mark(c) => out.push_str(&crate::format::visible::mark(c)),
    });
}

/// Appends a relative path as a link has it: all but letters, digits, `-`, `.`, `_` and `/` is
/// percent-encoded.
pub(crate) fn href(out: &mut String, path: &str) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn mark(out: &mut String, c: char) {
    let _ = write!(out, "<span class=\"mark\">\u{27e6}U+{:04X}\u{27e7}</span>", u32::from(c));
}

fn isolated(out: &mut String, text: &str) {
    if text.is_ascii() {
        return escape(out, text);
    }
    let mut rest = text;
    while let Some(from) = rest.find(is_right_to_left) {
        escape(out, &rest[..from]);
        rest = &rest[from..];
        // Up to the last such letter before a letter of another script.
        let end = rest.find(|c: char| c.is_alphanumeric() && !is_right_to_left(c)).unwrap_or(rest.len());
        let last = rest[..end].char_indices().rfind(|(_, c)| is_right_to_left(*c));
        let cut = last.map_or(end, |(at, c)| at + c.len_utf8());
        out.push_str("<bdi dir=\"rtl\">");
        escape(out, &rest[..cut]);
        out.push_str("</bdi>");
        rest = &rest[cut..];
    }
    escape(out, rest);
}

fn escape(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(entity);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::HOSTILE;

    fn check(write: fn(&mut String, &str), text: &str, expected: &str) {
        let mut out = String::new();
        write(&mut out, text);
        assert_eq!(out, expected, "{text:?}");
    }

    #[test]
    fn nothing_that_people_wrote_is_markup() {
        let shown =
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot; &#39;single&#39; ]]&gt; --&gt;";
        check(block, HOSTILE[8], shown);
        check(inline, HOSTILE[8], shown);
        check(bare, HOSTILE[8], shown);
        check(block, "a\r\nb\0", "a\nb<span class=\"mark\">⟦U+0000⟧</span>");
        check(inline, "a\nb", "a<span class=\"mark\">⟦U+000A⟧</span>b");
        check(bare, "a\n\u{202e}b", "a⟦U+000A⟧⟦U+202E⟧b");
        check(href, "N/a b\"é%", "N/a%20b%22%C3%A9%25");
    }

    #[test]
    fn right_to_left_script_stays_where_it_is() {
        check(inline, "a שלום עולם, b", "a <bdi dir=\"rtl\">שלום עולם</bdi>, b");
        check(inline, "שלום 12 עולם", "<bdi dir=\"rtl\">שלום</bdi> 12 <bdi dir=\"rtl\">עולם</bdi>");
        check(inline, "no", "no");
        check(name, "محمد", "<bdi><bdi dir=\"rtl\">محمد</bdi></bdi>");
    }
}
