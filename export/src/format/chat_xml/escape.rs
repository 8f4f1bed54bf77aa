//! Texts as XML 1.0 can hold them.

use std::borrow::Cow;
use std::fmt::Write;

/// XML while it grows.
#[derive(Default)]
pub(super) struct Xml(pub(super) String);

impl Xml {
    /// Appends an attribute. Line ends and tabs are references, so that a parser does not make
    /// spaces of them; what XML cannot hold is U+FFFD. Gives how many characters that were.
    pub(super) fn attribute(&mut self, name: &str, value: &str) -> usize {
        let out = &mut self.0;
        let mut replaced = 0;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\t' => out.push_str("&#9;"),
                '\n' => out.push_str("&#10;"),
                '\r' => out.push_str("&#13;"),
                c if is_char(c) => out.push(c),
                _ => {
                    replaced += 1;
                    out.push('\u{fffd}');
                }
            }
        }
        out.push('"');
        replaced
    }
}

/// Whether XML 1.0 can hold it (section 2.2).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// A value in a processing instruction, which knows no references: all but letters, digits and some
/// signs that end nothing are `%XX`.
pub(super) fn pseudo(value: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    if value.bytes().all(is_plain) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(percent(value, is_plain))
}

fn percent(value: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// URIs (RFC 3986) of texts that need not be any.
pub(super) mod uri {
    use super::percent;

    /// One segment of a path.
    pub(in super::super) fn encoded(text: &str) -> String {
        percent(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    }

    /// An address as a reference: with its scheme if it has one, without anything that would
    /// give it another structure.
    pub(in super::super) fn reference(address: &str) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@+=;,!$&'()*".contains(&byte);
        let is_scheme = |text: &str| {
            let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
            begins && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        match address.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) => format!("{scheme}:{}", percent(rest, is_plain)),
            None => percent(address, is_plain),
        }
    }
}
