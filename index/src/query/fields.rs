//! Filters: `field:value`.

use std::ops::Range;

use custody_schemas::kind::short_name;
use jiff::tz::TimeZone;

use super::ast::{Flag, Pattern, Query, TypePattern};
use super::dates;
use super::error::{SyntaxError, shown};
use super::lex::Value;
use super::nearest::nearest;
use crate::text::lower_case;

/// Every field with an example of its use.
const FIELDS: [(&str, &str); 9] = [
    ("from", "from:alice@contoso.example"),
    ("to", "to:@contoso.example"),
    ("participant", "participant:bob"),
    ("conversation", "conversation:c-88"),
    ("type", "type:call.*"),
    ("tenant", "tenant:contoso.example"),
    ("network", "network:skype"),
    ("is", "is:quarantined"),
    ("date", "date:2013-05-29..2013-06"),
];

/// What other systems call our fields.
const OTHER_NAMES: [(&str, &str); 16] = [
    ("sender", "from"),
    ("author", "from"),
    ("recipient", "to"),
    ("cc", "to"),
    ("user", "participant"),
    ("with", "participant"),
    ("custodian", "participant"),
    ("thread", "conversation"),
    ("chat", "conversation"),
    ("kind", "type"),
    ("domain", "tenant"),
    ("has", "is"),
    ("before", "date"),
    ("after", "date"),
    ("since", "date"),
    ("time", "date"),
];

const ADDRESS_SCHEMES: [&str; 7] = ["sip", "sips", "live", "tel", "xmpp", "mailto", "im"];

/// One filter. `span` covers the field and the value.
pub(super) fn filter(
    name: &str,
    value: &Value<'_>,
    span: Range<usize>,
    zone: &TimeZone,
) -> Result<Query, SyntaxError> {
    let field = name.to_ascii_lowercase();
    let Some((field, example)) = FIELDS.iter().find(|(known, _)| *known == field) else {
        return Err(unknown(&field, span));
    };
    if value.text.trim().is_empty() {
        let help = format!("write the value right after the colon: `{example}`");
        return Err(SyntaxError::new(span, format!("`{field}:` has no value")).help(help));
    }
    // `date` has no use for a star either, and says so better.
    if !value.quoted && value.text.contains('*') && !matches!(*field, "type" | "date" | "is") {
        let help = "a whole domain is `participant:@contoso.example`; a star in quotation marks is a star";
        return Err(SyntaxError::new(value.span.clone(), format!("`{field}:` takes no `*`")).help(help));
    }
    Ok(match *field {
        "from" => Query::From(Pattern::new(&value.text)),
        "to" => Query::To(Pattern::new(&value.text)),
        "participant" => Query::Participant(Pattern::new(&value.text)),
        "conversation" => Query::Conversation(value.text.to_string()),
        "tenant" => Query::Tenant(lower_case(value.text.trim())),
        "network" => Query::Network(lower_case(value.text.trim())),
        "type" => type_filter(value)?,
        "is" => Query::Flag(flag(value)?),
        _ => Query::Date(dates::range(value, zone)?),
    })
}

fn unknown(field: &str, span: Range<usize>) -> SyntaxError {
    let place = span.start..span.start + field.len();
    let error = SyntaxError::new(place, format!("there is no field {}", shown(field)));
    let quotes = "to search for the text itself, put it in quotation marks";
    if ADDRESS_SCHEMES.contains(&field) {
        return error.help(format!("an address is found by `participant:{field}:…`; {quotes}"));
    }
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == field).map(|(_, known)| *known);
    match other.or_else(|| nearest(field, FIELDS.iter().map(|(known, _)| *known))) {
        Some(known) => error.help(format!("did you mean `{known}:`? {quotes}")),
        None => error.help(format!("the fields are {}; {quotes}", FIELDS.map(|(known, _)| known).join(", "))),
    }
}

fn type_filter(value: &Value<'_>) -> Result<Query, SyntaxError> {
    let text = lower_case(value.text.trim());
    if value.quoted || !text.contains('*') {
        return Ok(Query::Type(TypePattern::Exact(short_name(&text).into_owned())));
    }
    if text == "*" {
        return Ok(Query::All);
    }
    let short = text.strip_prefix("federation.").unwrap_or(&text);
    match short.strip_suffix('*') {
        Some(start) if start.len() > 1 && start.ends_with('.') && !start.contains('*') => {
            Ok(Query::Type(TypePattern::Prefix(start.to_owned())))
        }
        _ => Err(SyntaxError::new(
            value.span.clone(),
            "a `*` stands for the last parts of a type, after a dot",
        )
        .help("for example `type:call.*`; `type:*` is every type")),
    }
}

fn flag(value: &Value<'_>) -> Result<Flag, SyntaxError> {
    let text = lower_case(value.text.trim());
    match text.as_str() {
        "quarantined" => Ok(Flag::Quarantined),
        "ok" => Ok(Flag::Ok),
        "gap" => Ok(Flag::Gap),
        _ => {
            let message = format!("a record is never {}", shown(&text));
            let error = SyntaxError::new(value.span.clone(), message);
            Err(match nearest(&text, ["quarantined", "ok", "gap"].into_iter()) {
                Some(known) => error.help(format!("did you mean `is:{known}`?")),
                None => error.help("write `is:quarantined`, `is:gap` or `is:ok`"),
            })
        }
    }
}
