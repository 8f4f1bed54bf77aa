//! A query printed in its one canonical form, which reads back as the same query.

use std::fmt::{self, Display, Formatter, Write};

use custody_schemas::kind::short_name;
use jiff::Timestamp;

use super::ast::{Flag, Query, TimeRange, TypePattern};
use super::lex::is_bare;

/// Reads back as the same query in any time zone. Only one within a few bytes
/// of the limit on length may print longer than it was written, and past it.
impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Query::All => f.write_str("*"),
            // No parsed query has these; what they mean is still well defined.
            Query::And(parts) if parts.is_empty() => f.write_str("*"),
            Query::Or(parts) if parts.is_empty() => f.write_str("NOT *"),
            Query::And(parts) => joined(f, parts, " AND ", |part| matches!(part, Query::Or(_))),
            Query::Or(parts) => joined(f, parts, " OR ", |_| false),
            Query::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner, matches!(**inner, Query::And(_) | Query::Or(_)))
            }
            Query::Word(term) => word(f, term),
            Query::Phrase(terms) => write!(f, "\"{}\"", terms.join(" ")),
            Query::From(pattern) => filter(f, "from", pattern.whole()),
            Query::To(pattern) => filter(f, "to", pattern.whole()),
            Query::Participant(pattern) => filter(f, "participant", pattern.whole()),
            Query::Conversation(id) => filter(f, "conversation", id),
            Query::Type(TypePattern::Exact(name)) => type_name(f, name),
            Query::Type(TypePattern::Prefix(start)) => type_start(f, start),
            Query::Tenant(tenant) => filter(f, "tenant", tenant),
            Query::Network(network) => filter(f, "network", network),
            Query::Flag(Flag::Quarantined) => f.write_str("is:quarantined"),
            Query::Flag(Flag::Ok) => f.write_str("is:ok"),
            Query::Flag(Flag::Gap) => f.write_str("is:gap"),
            Query::Date(range) => date(f, range),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Query], between: &str, grouped: fn(&Query) -> bool) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        operand(f, part, grouped(part))?;
    }
    Ok(())
}

fn operand(f: &mut Formatter<'_>, query: &Query, grouped: bool) -> fmt::Result {
    if grouped { write!(f, "({query})") } else { write!(f, "{query}") }
}

/// Terms are lower case, so none of them can be taken for an operator.
fn word(f: &mut Formatter<'_>, term: &str) -> fmt::Result {
    if term.chars().all(char::is_alphanumeric) { f.write_str(term) } else { quoted(f, term) }
}

fn filter(f: &mut Formatter<'_>, field: &str, value: &str) -> fmt::Result {
    write!(f, "{field}:")?;
    if !value.is_empty() && value.chars().all(|c| is_bare(c) && c != '*') {
        return f.write_str(value);
    }
    quoted(f, value)
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// A short name that looks like a full one would be shortened when read back,
/// white space around it would be trimmed, and an empty one is no value.
fn type_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    if short_name(name) == name && name.trim() == name && !name.is_empty() {
        return filter(f, "type", name);
    }
    filter(f, "type", &format!("federation.{name}.v1"))
}

/// A beginning that looks like one of a full name would be shortened as well.
fn type_start(f: &mut Formatter<'_>, start: &str) -> fmt::Result {
    let full = if start.starts_with("federation.") { "federation." } else { "" };
    write!(f, "type:{full}{start}*")
}

/// The end is printed inclusive, in milliseconds, as ranges are read.
fn date(f: &mut Formatter<'_>, range: &TimeRange) -> fmt::Result {
    f.write_str("date:")?;
    if let Some(from_ms) = range.from_ms {
        write!(f, "{:.3}", instant(from_ms))?;
    }
    f.write_str("..")?;
    match range.to_ms {
        Some(to_ms) => write!(f, "{:.3}", instant(to_ms.saturating_sub(1))),
        None => Ok(()),
    }
}

/// No parsed date is outside what can be printed.
fn instant(ms: i64) -> Timestamp {
    let nearest = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(nearest)
}
