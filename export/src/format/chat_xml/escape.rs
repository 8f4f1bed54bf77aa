//! Texts as XML 1.0 can hold them.

use std::borrow::Cow;
use std::fmt::Write;

use crate::format::xml::attribute;

/// XML while it grows.
#[derive(Default)]
pub(super) struct Xml(pub(super) String);

impl Xml {
    /// Appends an attribute. Gives how many characters XML cannot hold; they are U+FFFD.
    pub(super) fn attribute(&mut self, name: &str, value: &str) -> usize {
        attribute(&mut self.0, name, value)
    }
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
