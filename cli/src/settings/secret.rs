//! What must never be printed or logged.

use std::borrow::Cow;

/// Stands for a hidden value; its length says nothing about the value's.
pub(super) const HIDDEN: &str = "********";

/// Parts of librdkafka property names whose values are secret. Wide on purpose: hiding a
/// harmless `ssl.key.location` costs a look into the file, showing a key costs the key.
const NAMES: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "token",
    "credential",
    "key.pem",
    "ssl.key",
    "private.key",
    "keystore",
    "jaas",
    "oauthbearer.config",
    "oauthbearer.assertion",
    "api.key",
];

/// The property's value, fit for print.
pub(super) fn property<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    let name = name.to_ascii_lowercase();
    if NAMES.iter().any(|part| name.contains(part)) || value.contains("PRIVATE KEY-----") {
        return Cow::Borrowed(HIDDEN);
    }
    urls(value)
}

/// The text with `user:password@` hidden in every URL in it.
pub(super) fn urls(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        masked.push_str(&without_user(part));
    }
    Cow::Owned(masked)
}

/// Takes what follows `://`. The last `@` counts, because a password may hold one, and
/// so may hold a `/` that someone forgot to escape: only a space, a comma or a quote, which end
/// a URL in running text, stop the search.
fn without_user(rest: &str) -> Cow<'_, str> {
    let end = rest.find([' ', ',', '"', '\'', '\n']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => Cow::Owned(format!("{HIDDEN}{}", &rest[at..])),
        None => Cow::Borrowed(rest),
    }
}
