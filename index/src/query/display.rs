//! A query printed in its one canonical form, which reads back as the same query.

use std::fmt::{self, Display, Formatter, Write};

use custody_schemas::kind::short_name;
use jiff::Timestamp;

use super::ast::{Match, Query, Range, TimeRange, TypePattern};
use super::lex::is_bare;
use super::span::{How, Near, Span};
use super::term::Term;

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
            Query::Phrase(terms) => phrase(f, terms),
            Query::Near(near) => proximity(f, near),
            Query::From(pattern) => compared(f, "from", pattern.as_match()),
            Query::To(pattern) => compared(f, "to", pattern.as_match()),
            Query::Participant(pattern) => compared(f, "participant", pattern.as_match()),
            Query::Via(pattern) => compared(f, "via", pattern.as_match()),
            Query::Custodian(name) => filter(f, "custodian", name),
            Query::Department(name) => filter(f, "department", name),
            Query::Conversation(id) => compared(f, "conversation", id),
            Query::Type(TypePattern::Exact(name)) => type_name(f, name),
            Query::Type(TypePattern::Prefix(start)) => type_start(f, start),
            Query::Tenant(tenant) => compared(f, "tenant", tenant),
            Query::Network(network) => compared(f, "network", network),
            Query::Attribute(attribute, value) => compared(f, attribute.name(), value),
            Query::Duration(range) => duration(f, range),
            Query::Flag(flag) => write!(f, "is:{}", flag.name()),
            Query::Date(range) => date(f, "date", range),
            Query::Archived(range) => date(f, "archived", range),
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
fn word(f: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric());
    match term {
        Term::Plain(text) if !plain(text) => quoted(f, text),
        term if text_of(term).chars().all(is_bare) => unquoted(f, term),
        term => {
            f.write_char('"')?;
            unquoted(f, term)?;
            f.write_char('"')
        }
    }
}

fn text_of(term: &Term) -> &str {
    match term {
        Term::Plain(text) => text,
        Term::Written { written } => written,
        Term::Like { like } => like.as_str(),
        Term::Fuzzy { fuzzy, .. } => fuzzy,
        Term::Stem { stem, .. } => stem,
    }
}

fn unquoted(f: &mut Formatter<'_>, term: &Term) -> fmt::Result {
    match term {
        Term::Plain(text) => f.write_str(text),
        Term::Written { written } => write!(f, "={written}"),
        Term::Like { like } => f.write_str(like.as_str()),
        Term::Fuzzy { fuzzy, edits } => write!(f, "{fuzzy}~{edits}"),
        Term::Stem { stem, language } => write!(f, "{stem}%{}", language.code()),
    }
}

fn phrase(f: &mut Formatter<'_>, terms: &[Term]) -> fmt::Result {
    f.write_char('"')?;
    for (at, term) in terms.iter().enumerate() {
        if at > 0 {
            f.write_char(' ')?;
        }
        unquoted(f, term)?;
    }
    f.write_char('"')
}

fn proximity(f: &mut Formatter<'_>, near: &Near) -> fmt::Result {
    span(f, &near.left)?;
    match near.how {
        How::Either => write!(f, " w/{} ", near.within)?,
        How::Before => write!(f, " pre/{} ", near.within)?,
        How::Without => write!(f, " NOT w/{} ", near.within)?,
    }
    span(f, &near.right)
}

fn span(f: &mut Formatter<'_>, span: &Span) -> fmt::Result {
    match span {
        Span::Word(term) => word(f, term),
        Span::Phrase(terms) => phrase(f, terms),
        Span::Near(near) => {
            f.write_char('(')?;
            proximity(f, near)?;
            f.write_char(')')
        }
        Span::Or(parts) => {
            f.write_char('(')?;
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    f.write_str(" OR ")?;
                }
                match part {
                    // In no need of parentheses here.
                    Span::Near(near) => proximity(f, near)?,
                    other => self::span(f, other)?,
                }
            }
            f.write_char(')')
        }
    }
}

fn compared(f: &mut Formatter<'_>, field: &str, value: &Match) -> fmt::Result {
    match value {
        Match::Is(value) => filter(f, field, value),
        Match::Like { like } => write!(f, "{field}:{}", like.as_str()),
    }
}

/// In milliseconds as seconds and what is left of them.
fn duration(f: &mut Formatter<'_>, range: &Range) -> fmt::Result {
    // Read in whole seconds, so that both ends are.
    let seconds = |ms: i64| ms.div_euclid(1_000);
    match (range.from, range.to) {
        (Some(from), Some(to)) if to == from.saturating_add(999) => write!(f, "duration:{}", seconds(from)),
        (from, to) => {
            f.write_str("duration:")?;
            from.iter().try_for_each(|from| write!(f, "{}", seconds(*from)))?;
            f.write_str("..")?;
            to.iter().try_for_each(|to| write!(f, "{}", seconds(*to)))
        }
    }
}

fn filter(f: &mut Formatter<'_>, field: &str, value: &str) -> fmt::Result {
    write!(f, "{field}:")?;
    if !value.is_empty() && value.chars().all(|c| is_bare(c) && !matches!(c, '*' | '?')) {
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
fn date(f: &mut Formatter<'_>, field: &str, range: &TimeRange) -> fmt::Result {
    write!(f, "{field}:")?;
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
