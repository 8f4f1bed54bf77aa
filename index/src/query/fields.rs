//! Filters: `field:value` and `field:(value, value)`.

use std::ops::Range;

use custody_schemas::kind::short_name;

use super::ast::{Attribute, Flag, Match, Pattern, Query, Range as Numbers, TypePattern};
use super::dates::{self, Clock};
use super::error::{SyntaxError, shown};
use super::glob::Glob;
use super::lex::Value;
use super::nearest::nearest;
use crate::text::lower_case;

/// Every field with an example of its use.
pub(super) const FIELDS: [(&str, &str); 23] = [
    ("from", "from:alice@contoso.example"),
    ("to", "to:@contoso.example"),
    ("participant", "participant:bob"),
    ("between", "between:(alice@contoso.example, bob@fabrikam.example)"),
    ("custodian", "custodian:\"Alice Archer\""),
    ("department", "department:Trading"),
    ("domain", "domain:contoso.example"),
    ("via", "via:bridge@contoso.example"),
    ("conversation", "conversation:c-88"),
    ("type", "type:call.*"),
    ("tenant", "tenant:contoso.example"),
    ("network", "network:skype"),
    ("scope", "scope:federated"),
    ("client", "client:skype"),
    ("file", "file:*.pdf"),
    ("media", "media:video"),
    ("has", "has:file"),
    ("is", "is:quarantined"),
    ("duration", "duration:60..3600"),
    ("response", "response:486"),
    ("topic", "topic:federation.events"),
    ("date", "date:2013-05-29..2013-06"),
    ("archived", "archived:today"),
];

/// What other systems call our fields.
const OTHER_NAMES: [(&str, &str); 18] = [
    ("sender", "from"),
    ("author", "from"),
    ("recipient", "to"),
    ("cc", "to"),
    ("user", "participant"),
    ("with", "participant"),
    ("thread", "conversation"),
    ("chat", "conversation"),
    ("kind", "type"),
    ("attachment", "file"),
    ("filename", "file"),
    ("bridge", "via"),
    ("before", "date"),
    ("after", "date"),
    ("since", "date"),
    ("time", "date"),
    ("sent", "date"),
    ("device", "client"),
];

const ADDRESS_SCHEMES: [&str; 7] = ["sip", "sips", "live", "tel", "xmpp", "mailto", "im"];

const SCOPES: [&str; 4] = ["internal", "federated", "anonymous", "system"];

/// What `has:` knows, with what else people call it.
const HELD: [(&str, &str); 6] = [
    ("file", "file"),
    ("attachment", "file"),
    ("link", "link"),
    ("url", "link"),
    ("reply", "reply"),
    ("mention", "mention"),
];

const QUOTES: &str = "to search for the text itself, put it in quotation marks";

/// One filter. `span` covers the field and the values.
pub(super) fn filter(
    name: &str,
    values: &[Value<'_>],
    span: Range<usize>,
    clock: &Clock<'_>,
) -> Result<Query, SyntaxError> {
    let field = name.to_ascii_lowercase();
    let Some((field, example)) = FIELDS.iter().find(|(known, _)| *known == field) else {
        return Err(unknown(&field, span));
    };
    if values.is_empty() || values.iter().any(|value| value.text.trim().is_empty()) {
        let help = format!("write the value right after the colon: `{example}`");
        return Err(SyntaxError::new(span, format!("`{field}:` has no value")).help(help));
    }
    if *field == "between" {
        return between(values, span);
    }
    let any = values.iter().map(|value| one(field, value, clock)).collect::<Result<_, _>>()?;
    Ok(Query::or(any))
}

/// All of them take part, and it came from one of them.
fn between(values: &[Value<'_>], span: Range<usize>) -> Result<Query, SyntaxError> {
    if values.len() < 2 {
        let error = SyntaxError::new(span, "`between:` needs two people or more");
        return Err(error.help("for example `between:(alice@contoso.example, bob@fabrikam.example)`"));
    }
    let people: Vec<Pattern> = values.iter().map(pattern).collect();
    let sender = Query::or(people.iter().cloned().map(Query::From).collect());
    Ok(Query::and(people.into_iter().map(Query::Participant).chain([sender]).collect()))
}

fn one(field: &str, value: &Value<'_>, clock: &Clock<'_>) -> Result<Query, SyntaxError> {
    Ok(match field {
        "from" => Query::From(pattern(value)),
        "to" => Query::To(pattern(value)),
        "participant" => Query::Participant(pattern(value)),
        "via" => Query::Via(pattern(value)),
        "custodian" => Query::Custodian(value.text.trim().to_owned()),
        "department" => Query::Department(value.text.trim().to_owned()),
        "domain" => Query::Participant(domain(value)),
        "conversation" => Query::Conversation(compared(value, |text| text.to_owned())),
        "tenant" => Query::Tenant(compared(value, lower)),
        "network" => Query::Network(compared(value, lower)),
        "type" => type_filter(value)?,
        "is" => Query::Flag(flag(value)?),
        "duration" => Query::Duration(duration(value)?),
        "date" => Query::Date(dates::range(value, clock)?),
        "archived" => Query::Archived(dates::range(value, clock)?),
        "scope" => known(Attribute::Scope, value, &SCOPES.map(|scope| (scope, scope)))?,
        "has" => known(Attribute::Has, value, &HELD)?,
        "response" => Query::Attribute(Attribute::Response, response(value)?),
        _ => {
            let attribute = Attribute::ALL.iter().find(|(name, _)| *name == field);
            let attribute = attribute.map_or(Attribute::Topic, |(_, attribute)| *attribute);
            Query::Attribute(attribute, compared(value, lower))
        }
    })
}

fn lower(text: &str) -> String {
    lower_case(text.trim())
}

/// A star in quotation marks is a star.
fn compared(value: &Value<'_>, normal: fn(&str) -> String) -> Match {
    let text = normal(&value.text);
    if !value.quoted && text.contains(['*', '?']) {
        return Match::Like { like: Glob::new(&text) };
    }
    Match::Is(text)
}

fn pattern(value: &Value<'_>) -> Pattern {
    match compared(value, lower) {
        Match::Is(_) => Pattern::new(&value.text),
        Match::Like { like } => Pattern::like(like.as_str()),
    }
}

fn domain(value: &Value<'_>) -> Pattern {
    let at = |text: &str| format!("@{}", text.trim_start_matches('@'));
    match compared(value, lower) {
        Match::Is(domain) => Pattern::new(&at(&domain)),
        Match::Like { like } => Pattern::like(&at(like.as_str())),
    }
}

fn unknown(field: &str, span: Range<usize>) -> SyntaxError {
    let place = span.start..span.start + field.len();
    let error = SyntaxError::new(place, format!("there is no field {}", shown(field)));
    if ADDRESS_SCHEMES.contains(&field) {
        return error.help(format!("an address is found by `participant:{field}:…`; {QUOTES}"));
    }
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == field).map(|(_, known)| *known);
    match other.or_else(|| nearest(field, FIELDS.iter().map(|(known, _)| *known))) {
        Some(known) => error.help(format!("did you mean `{known}:`? {QUOTES}")),
        None => error.help(format!("the fields are {}; {QUOTES}", FIELDS.map(|(known, _)| known).join(", "))),
    }
}

fn type_filter(value: &Value<'_>) -> Result<Query, SyntaxError> {
    let text = lower(&value.text);
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
    let text = lower(&value.text);
    if let Some((_, flag)) = Flag::ALL.iter().find(|(name, _)| *name == text) {
        return Ok(*flag);
    }
    let message = format!("a record is never {}", shown(&text));
    let error = SyntaxError::new(value.span.clone(), message);
    Err(match nearest(&text, Flag::ALL.iter().map(|(name, _)| *name)) {
        Some(known) => error.help(format!("did you mean `is:{known}`?")),
        None => {
            let all = Flag::ALL.map(|(name, _)| format!("`is:{name}`"));
            error.help(format!("write one of {}", all.join(", ")))
        }
    })
}

/// One of a few words.
fn known(attribute: Attribute, value: &Value<'_>, words: &[(&str, &str)]) -> Result<Query, SyntaxError> {
    let (text, name) = (lower(&value.text), attribute.name());
    if let Some((_, word)) = words.iter().find(|(known, _)| *known == text) {
        return Ok(Query::Attribute(attribute, Match::Is((*word).to_owned())));
    }
    let error = SyntaxError::new(value.span.clone(), format!("`{name}:` is never {}", shown(&text)));
    let all = || words.iter().map(|(known, _)| format!("`{name}:{known}`")).collect::<Vec<_>>().join(", ");
    Err(match nearest(&text, words.iter().map(|(known, _)| *known)) {
        Some(near) => error.help(format!("did you mean `{name}:{near}`?")),
        None => error.help(format!("write one of {}", all())),
    })
}

fn response(value: &Value<'_>) -> Result<Match, SyntaxError> {
    let text = lower(&value.text);
    if text.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '?' | '-')) {
        return Ok(compared(value, lower));
    }
    let error = SyntaxError::new(value.span.clone(), format!("{} is no response code", shown(&text)));
    Err(error.help("for example `response:486`, or `response:4*` for all that begin so"))
}

/// Seconds, or numbers with `s`, `m` and `h`: `90`, `1m30s`, `1h..`.
fn duration(value: &Value<'_>) -> Result<Numbers, SyntaxError> {
    let text = lower(&value.text);
    let wrong = |message: String| {
        let error = SyntaxError::new(value.span.clone(), message);
        error.help("for example `duration:90`, `duration:1m..`, `duration:30s..1h30m`")
    };
    let ms = |text: &str| milliseconds(text).ok_or_else(|| wrong(format!("{} is no duration", shown(text))));
    let Some((first, last)) = text.split_once("..") else {
        // A second lasts until the next.
        let from = ms(&text)?;
        return Ok(Numbers { from: Some(from), to: Some(from.saturating_add(999)) });
    };
    let end = |text: &str| (!text.is_empty()).then(|| ms(text)).transpose();
    let (from, to) = (end(first)?, end(last)?);
    match (from, to) {
        (None, None) => Err(wrong("this range has neither start nor end".to_owned())),
        (Some(from), Some(to)) if from > to => Err(wrong("this range ends before it starts".to_owned())),
        _ => Ok(Numbers { from, to }),
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    let (mut sum, mut rest) = (0_i64, text);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].bytes().next() {
            Some(b'h') => 3_600_000,
            Some(b'm') => 60_000,
            Some(b's') | None => 1_000,
            Some(_) => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = rest[digits..].get(1..).unwrap_or_default();
    }
    Some(sum)
}
