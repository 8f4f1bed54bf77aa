//! The reference evaluator: slow, short, and right by reading it. The index is
//! tested against it.

use super::ast::{Flag, Query, TypePattern};
use crate::text::{lower_case, tokens};

/// What a query can ask of one record.
#[derive(Debug, Clone, Copy)]
pub struct Doc<'a> {
    /// Plain text: no markup.
    pub text: &'a str,
    /// [`address_terms`](crate::text::address_terms) of the sender.
    pub from_terms: &'a [String],
    /// The same of all recipients together.
    pub to_terms: &'a [String],
    /// The same of everybody else named: bridges, people who joined or left.
    pub other_terms: &'a [String],
    /// The conversation id.
    pub conversation: Option<&'a str>,
    /// [`short_name`](custody_schemas::kind::short_name) of the type.
    pub type_short: &'a str,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The networks of all parties.
    pub networks: &'a [String],
    /// Whether the record could not be decoded.
    pub quarantined: bool,
    /// Whether it is the row of a gap.
    pub gap: bool,
    /// When it happened, in milliseconds since 1970 UTC.
    pub time_ms: Option<i64>,
}

/// Whether the record matches the query.
pub fn matches(query: &Query, doc: &Doc<'_>) -> bool {
    match query {
        Query::All => true,
        Query::And(parts) => parts.iter().all(|part| matches(part, doc)),
        Query::Or(parts) => parts.iter().any(|part| matches(part, doc)),
        Query::Not(inner) => !matches(inner, doc),
        Query::Word(term) => tokens(doc.text).any(|token| token.term == *term),
        Query::Phrase(terms) => has_phrase(doc.text, terms),
        Query::From(pattern) => pattern.matches(doc.from_terms.iter()),
        Query::To(pattern) => pattern.matches(doc.to_terms.iter()),
        Query::Participant(pattern) => {
            pattern.matches(doc.from_terms.iter().chain(doc.to_terms).chain(doc.other_terms))
        }
        Query::Conversation(id) => doc.conversation == Some(id),
        Query::Type(TypePattern::Exact(name)) => lower_case(doc.type_short) == *name,
        Query::Type(TypePattern::Prefix(start)) => lower_case(doc.type_short).starts_with(start),
        Query::Tenant(tenant) => doc.tenant.is_some_and(|t| lower_case(t) == *tenant),
        Query::Network(network) => doc.networks.iter().any(|n| lower_case(n) == *network),
        Query::Flag(Flag::Quarantined) => doc.quarantined,
        Query::Flag(Flag::Gap) => doc.gap,
        Query::Flag(Flag::Ok) => !doc.quarantined && !doc.gap,
        Query::Date(range) => doc.time_ms.is_some_and(|time_ms| range.contains(time_ms)),
    }
}

fn has_phrase(text: &str, terms: &[String]) -> bool {
    let text: Vec<_> = tokens(text).map(|token| token.term).collect();
    !terms.is_empty() && text.windows(terms.len()).any(|run| run == terms)
}
