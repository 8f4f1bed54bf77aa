//! Attributes of a record: small things that it is found by.

use crate::query::Attribute;
use crate::source::Row;
use crate::text::{lowered, words};

/// Hands every attribute of a record to `each`, in lower case; some more than once. `body` is the
/// plain text of the row's body.
pub(crate) fn attributes(
    row: &Row<'_>,
    body: Option<&str>,
    topic: Option<&str>,
    each: &mut dyn FnMut(Attribute, &str),
) {
    if let Some(client) = row.client {
        of_client(client, each);
    }
    for scope in row.parties.iter().filter_map(|party| party.scope) {
        of_scope(scope, each);
    }
    if let Some(topic) = topic {
        of_topic(topic, each);
    }
    of_record(row, body, each);
}

/// Those of a sender's software.
pub(crate) fn of_client(client: &str, each: &mut dyn FnMut(Attribute, &str)) {
    whole_and_words(Attribute::Client, client, each);
}

/// That of a party's scope.
pub(crate) fn of_scope(scope: &str, each: &mut dyn FnMut(Attribute, &str)) {
    each(Attribute::Scope, &lowered(scope.trim()));
}

/// That of a topic.
pub(crate) fn of_topic(topic: &str, each: &mut dyn FnMut(Attribute, &str)) {
    each(Attribute::Topic, &lowered(topic));
}

/// All others: those that are hardly the same from record to record.
pub(crate) fn of_record(row: &Row<'_>, body: Option<&str>, each: &mut dyn FnMut(Attribute, &str)) {
    if let Some(file) = &row.file {
        each(Attribute::Has, "file");
        if let Some(name) = file.name {
            whole_and_words(Attribute::File, name, each);
        }
        for text in [file.id, file.sha256].into_iter().flatten() {
            each(Attribute::File, &lowered(text.trim()));
        }
        if let Some(media_type) = file.media_type {
            each(Attribute::Media, &lowered(media_type.trim()));
        }
    }
    if let Some(call) = &row.call {
        for media in
            call.media.unwrap_or_default().split(',').map(str::trim).filter(|media| !media.is_empty())
        {
            each(Attribute::Media, &lowered(media));
        }
        if let Some(code) = call.response_code {
            each(Attribute::Response, &code.to_string());
        }
    }
    if row.in_reply_to.is_some() {
        each(Attribute::Has, "reply");
    }
    if row.body.is_some_and(has_link) {
        each(Attribute::Has, "link");
    }
    if body.is_some_and(has_mention) {
        each(Attribute::Has, "mention");
    }
}

fn whole_and_words(attribute: Attribute, text: &str, each: &mut dyn FnMut(Attribute, &str)) {
    each(attribute, &lowered(text.trim()));
    for word in words(text) {
        each(attribute, &word.term);
    }
}

/// An address of the web, be it in the markup.
fn has_link(body: &str) -> bool {
    // Both have a character that few texts have.
    let bytes = body.as_bytes();
    memchr::memchr_iter(b':', bytes).filter(|at| bytes[*at..].starts_with(b"://")).any(|at| {
        let before = &body[..at];
        ["http", "https", "ftp"].iter().any(|scheme| ends_with_ignoring_case(before, scheme))
    }) || memchr::memchr_iter(b'.', bytes).filter_map(|dot| dot.checked_sub(3)).any(|at| {
        body.get(at..at + 4).is_some_and(|text| text.eq_ignore_ascii_case("www."))
            && !body[..at].ends_with(char::is_alphanumeric)
            && body[at + 4..].starts_with(char::is_alphanumeric)
    })
}

fn ends_with_ignoring_case(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len());
    from.and_then(|from| text.get(from..)).is_some_and(|text| text.eq_ignore_ascii_case(end))
}

/// `@name` that is no part of an address.
fn has_mention(text: &str) -> bool {
    memchr::memchr_iter(b'@', text.as_bytes()).any(|at| {
        !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
            && text[at + 1..].starts_with(char::is_alphabetic)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_mentions() {
        for (text, link, mention) in [
            ("see https://contoso.example/x", true, false),
            ("see HTTP://contoso.example", true, false),
            ("www.contoso.example", true, false),
            ("awww. cute", false, false),
            ("<a href=\"https://x.example\">here</a>", true, false),
            ("sip://x", false, false),
            ("@alice look", false, true),
            ("alice@contoso.example", false, false),
            ("(@žiga)", false, true),
            ("at @ 5", false, false),
        ] {
            assert_eq!((has_link(text), has_mention(text)), (link, mention), "{text}");
        }
    }
}
