//! The little XML that Skype keeps in its texts.

/// The longest entity that is looked for: without a limit, a text of `&` alone would be
/// searched to its end for each of them.
const ENTITY_BYTES_MAX: usize = 32;

/// Replaces the entities of XML; what is no entity stays.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// Start tag and content of each element of that name; elements do not nest.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(&open) {
        rest = &rest[at + open.len()..];
        // `<file` is also how `<files` begins.
        if !rest.starts_with([' ', '>', '\t', '\n', '\r']) {
            continue;
        }
        let Some((tag, after)) = rest.split_once('>') else { break };
        let Some((content, after)) = after.split_once(&close) else { break };
        found.push((tag, content));
        rest = after;
    }
    found
}

/// The value of an attribute in a start tag.
pub(super) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = format!(" {name}=\"");
    let (_, after) = tag.split_once(&start)?;
    after.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities() {
        for (text, expected) in [
            ("a &lt; b &amp;&amp; c", "a < b && c"),
            ("&#65;&#x41;&#x1F600;", "AA😀"),
            ("&ü; &nbsp; &; & &#; &#xD800;", "&ü; &nbsp; &; & &#; &#xD800;"),
            ("&amp;lt;", "&lt;"),
        ] {
            assert_eq!(unescape(text), expected);
        }
        // The cost is that of the length.
        let many = "&".repeat(4 << 20) + ";";
        assert_eq!(unescape(&many), many);
    }
}
