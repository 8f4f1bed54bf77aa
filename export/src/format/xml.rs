//! Texts as XML 1.0 can hold them.

/// Appends an attribute, a space before it. Gives how many characters XML cannot hold; they are U+FFFD.
pub(crate) fn attribute(out: &mut String, name: &str, value: &str) -> usize {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    let replaced = escape(value, out);
    out.push('"');
    replaced
}

/// Appends a text as an attribute's value. Line ends and tabs are references: a reader would make
/// spaces of them. What XML 1.0 cannot hold (its `Char`, section 2.2) is U+FFFD, and counted.
///
/// Source: <https://www.w3.org/TR/xml/#charsets> and section 3.3.3.
pub(crate) fn escape(text: &str, out: &mut String) -> usize {
    let mut replaced = 0;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                replaced += 1;
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters() {
        let check = |text: &str, expected: &str, replaced: usize| {
            let mut out = String::new();
            assert_eq!((escape(text, &mut out), out.as_str()), (replaced, expected), "{text:?}");
        };
        check("a&<>\"'b", "a&amp;&lt;&gt;&quot;'b", 0);
        check("\t\r\n", "&#9;&#13;&#10;", 0);
        check("\0\u{7}\u{1f}\u{fffe}\u{ffff}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", 5);
        check("\u{7f}\u{85}\u{fffd}\u{10ffff}👍", "\u{7f}\u{85}\u{fffd}\u{10ffff}👍", 0);
    }

    #[test]
    fn an_attribute() {
        let mut out = "<a".to_owned();
        assert_eq!((attribute(&mut out, "b", "\"c\0"), out.as_str()), (1, "<a b=\"&quot;c\u{fffd}\""));
    }
}
