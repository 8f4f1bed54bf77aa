//! The reference evaluator: slow, short, and right by reading it. The index is
//! tested against it.

use std::collections::BTreeSet;

use super::ast::{Attribute, Flag, Query, TypePattern};
use super::span::{How, Near, Span};
use super::term::Term;
use crate::text::{Words, lower_case};

/// What a query can ask of one record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doc<'a> {
    /// Plain text: no markup.
    pub text: &'a str,
    /// [`address_terms`](crate::text::address_terms) of the sender.
    pub from_terms: &'a [String],
    /// The same of all recipients together.
    pub to_terms: &'a [String],
    /// The same of everybody else named: bridges, people who joined or left.
    pub other_terms: &'a [String],
    /// The same of the bridge that relayed it.
    pub via_terms: &'a [String],
    /// The conversation id.
    pub conversation: Option<&'a str>,
    /// [`short_name`](custody_schemas::kind::short_name) of the type.
    pub type_short: &'a str,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The networks of all parties.
    pub networks: &'a [String],
    /// Everything else that it is found by.
    pub attributes: &'a [(Attribute, String)],
    /// Whether the record could not be decoded.
    pub quarantined: bool,
    /// Whether it is the row of a gap.
    pub gap: bool,
    /// Whether it is a version of a message that was edited.
    pub edited: bool,
    /// Whether it is a version of a message that was deleted.
    pub deleted: bool,
    /// Whether its event has another delivery or capture.
    pub duplicate: bool,
    /// When it happened, in milliseconds since 1970 UTC.
    pub time_ms: Option<i64>,
    /// When it was archived.
    pub archived_ms: Option<i64>,
    /// How long a call lasted.
    pub duration_ms: Option<i64>,
}

/// Whether the record matches the query.
pub fn matches(query: &Query, doc: &Doc<'_>) -> bool {
    match query {
        Query::All => true,
        Query::And(parts) => parts.iter().all(|part| matches(part, doc)),
        Query::Or(parts) => parts.iter().any(|part| matches(part, doc)),
        Query::Not(inner) => !matches(inner, doc),
        Query::Word(term) => !places_of_word(&Words::of(doc.text), term).is_empty(),
        Query::Phrase(terms) => !places_of_phrase(&Words::of(doc.text), terms).is_empty(),
        Query::Near(near) => !places_near(&Words::of(doc.text), near).is_empty(),
        Query::From(pattern) => pattern.matches(doc.from_terms.iter()),
        Query::To(pattern) => pattern.matches(doc.to_terms.iter()),
        Query::Participant(pattern) => {
            pattern.matches(doc.from_terms.iter().chain(doc.to_terms).chain(doc.other_terms))
        }
        Query::Via(pattern) => pattern.matches(doc.via_terms.iter()),
        // Nobody said who that is.
        Query::Custodian(_) | Query::Department(_) => false,
        Query::Conversation(id) => doc.conversation.is_some_and(|conversation| id.matches(conversation)),
        Query::Type(TypePattern::Exact(name)) => lower_case(doc.type_short) == *name,
        Query::Type(TypePattern::Prefix(start)) => lower_case(doc.type_short).starts_with(start),
        Query::Tenant(tenant) => doc.tenant.is_some_and(|t| tenant.matches(&lower_case(t))),
        Query::Network(network) => doc.networks.iter().any(|n| network.matches(&lower_case(n))),
        Query::Attribute(attribute, wanted) => {
            doc.attributes.iter().any(|(of, value)| of == attribute && wanted.matches(value))
        }
        Query::Duration(range) => doc.duration_ms.is_some_and(|ms| range.contains(ms)),
        Query::Flag(Flag::Quarantined) => doc.quarantined,
        Query::Flag(Flag::Gap) => doc.gap,
        Query::Flag(Flag::Ok) => !doc.quarantined && !doc.gap,
        Query::Flag(Flag::Edited) => doc.edited,
        Query::Flag(Flag::Deleted) => doc.deleted,
        Query::Flag(Flag::Duplicate) => doc.duplicate,
        Query::Date(range) => doc.time_ms.is_some_and(|time_ms| range.contains(time_ms)),
        Query::Archived(range) => doc.archived_ms.is_some_and(|ms| range.contains(ms)),
    }
}

/// From the first word to the last.
type Places = BTreeSet<(u32, u32)>;

fn places(words: &Words<'_>, span: &Span) -> Places {
    match span {
        Span::Word(term) => places_of_word(words, term),
        Span::Phrase(terms) => places_of_phrase(words, terms),
        Span::Or(parts) => parts.iter().flat_map(|part| places(words, part)).collect(),
        Span::Near(near) => places_near(words, near),
    }
}

fn places_of_word(words: &Words<'_>, term: &Term) -> Places {
    let all = words.each().filter(|here| term.among(here).is_some());
    all.map(|here| (here[0].position, here[0].position)).collect()
}

/// Any word at all is a place that nothing is asked of; a phrase of nothing else has none.
fn places_of_phrase(words: &Words<'_>, terms: &[Term]) -> Places {
    let Some(last) = u32::try_from(terms.len()).ok().and_then(|count| count.checked_sub(1)) else {
        return Places::new();
    };
    if terms.iter().all(Term::is_any) {
        return Places::new();
    }
    let is_here = |first: &u32| words.has(*first, terms);
    let firsts =
        words.each().flat_map(|here| (0..=last).filter_map(|before| here[0].position.checked_sub(before)));
    firsts.filter(is_here).map(|first| (first, first + last)).collect()
}

fn places_near(words: &Words<'_>, near: &Near) -> Places {
    let (left, right) = (places(words, &near.left), places(words, &near.right));
    let behind = |one: &(u32, u32), other: &(u32, u32)| other.0 > one.1 && other.0 - one.1 <= near.within;
    let overlap = |one: &(u32, u32), other: &(u32, u32)| one.0 <= other.1 && other.0 <= one.1;
    if near.how == How::Without {
        let close = |l: &(u32, u32)| right.iter().any(|r| overlap(l, r) || behind(l, r) || behind(r, l));
        return left.into_iter().filter(|l| !close(l)).collect();
    }
    let mut out = Places::new();
    for l in &left {
        for r in &right {
            if behind(l, r) {
                out.insert((l.0, r.1));
            }
            if near.how == How::Either && behind(r, l) {
                out.insert((r.0, l.1));
            }
        }
    }
    out
}
