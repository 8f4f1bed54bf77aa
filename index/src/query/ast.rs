//! What a query means, apart from how it was written and how it is run.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::text::{address_form, tokens};

/// A query over records.
///
/// A parsed one is normal: no `And` directly in an `And` nor `Or` in an `Or`,
/// none of them with fewer than two parts, no `Not` directly in a `Not`; words
/// are single tokens and phrases have at least two; whatever is compared
/// without regard to case is in lower case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Every record.
    All,
    /// All of these.
    And(Vec<Query>),
    /// At least one of these.
    Or(Vec<Query>),
    /// The records that do not match.
    Not(Box<Query>),
    /// The text has this token.
    Word(String),
    /// The text has these tokens one after another.
    Phrase(Vec<String>),
    /// Who it came from.
    From(Pattern),
    /// Who it went to.
    To(Pattern),
    /// Anybody who took part: senders, recipients and all others named.
    Participant(Pattern),
    /// The conversation with exactly this id, case and all.
    Conversation(String),
    /// The type of the event.
    Type(TypePattern),
    /// The tenant, a domain in lower case.
    Tenant(String),
    /// A network that one of the parties is on, in lower case.
    Network(String),
    /// The state of the record.
    Flag(Flag),
    /// When it happened at the source; a record without a time matches no date.
    Date(TimeRange),
}

impl Query {
    /// All of `parts`, in normal form.
    pub fn and(parts: Vec<Query>) -> Query {
        let flat = parts.into_iter().flat_map(|part| match part {
            Query::And(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Query::And)
    }

    /// At least one of `parts`, in normal form.
    pub fn or(parts: Vec<Query>) -> Query {
        let flat = parts.into_iter().flat_map(|part| match part {
            Query::Or(inner) => inner,
            other => vec![other],
        });
        single(flat.collect()).unwrap_or_else(Query::Or)
    }

    /// What `inner` does not match, in normal form.
    pub fn negated(inner: Query) -> Query {
        match inner {
            Query::Not(inner) => *inner,
            other => Query::Not(Box::new(other)),
        }
    }

    /// The text as a word or, when it has several tokens, as a phrase; `None`
    /// when it has none, and so nothing that could be found.
    pub fn text(text: &str) -> Option<Query> {
        let mut terms: Vec<String> = tokens(text).map(|token| token.term.into_owned()).collect();
        match terms.len() {
            0 => None,
            1 => terms.pop().map(Query::Word),
            _ => Some(Query::Phrase(terms)),
        }
    }
}

fn single(mut parts: Vec<Query>) -> Result<Query, Vec<Query>> {
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => {
            parts.push(last);
            Err(parts)
        }
        None => Err(parts),
    }
}

/// What a party is looked up by, compared without regard to case with the
/// terms that [`address_terms`](crate::text::address_terms) gives.
///
/// It matches when one term equals [`whole`](Self::whole), or when it reads as
/// a name and every one of its [`words`](Self::words) is among the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern(String);

impl Pattern {
    /// `value` as typed; trimmed and lower-cased here.
    pub fn new(value: &str) -> Pattern {
        Pattern(address_form(value))
    }

    /// One address term: an address, a domain such as `@contoso.example`, or a
    /// word of a name.
    pub fn whole(&self) -> &str {
        &self.0
    }

    /// The words to look for if this reads as a name that is not one term
    /// itself (`Bob Smith`, `O'Neil`); empty otherwise. An address is only ever
    /// looked up whole: `bob.smith` must not find Bob Smith.
    pub fn words(&self) -> Vec<Cow<'_, str>> {
        let spaced = self.0.contains(char::is_whitespace) && !self.0.contains(['@', ':']);
        let name = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-');
        if !spaced && !self.0.chars().all(name) {
            return Vec::new();
        }
        let words: Vec<_> = tokens(&self.0).map(|token| token.term).collect();
        if *words == [self.whole()] { Vec::new() } else { words }
    }

    /// Whether a party with these terms is meant.
    pub fn matches<'t>(&self, terms: impl Iterator<Item = &'t String> + Clone) -> bool {
        let has = |word: &str| terms.clone().any(|term| term == word);
        let words = self.words();
        has(&self.0) || (!words.is_empty() && words.iter().all(|word| has(word)))
    }
}

impl From<String> for Pattern {
    fn from(value: String) -> Self {
        Pattern::new(&value)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

/// Short type names in lower case, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypePattern {
    /// This type, known to the contract or not.
    Exact(String),
    /// Every type whose short name starts so; ends in a dot: `call.`.
    Prefix(String),
}

/// A state of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Could not be decoded.
    Quarantined,
    /// Was decoded.
    Ok,
    /// Is no record: the row of a gap, which says what was lost.
    Gap,
}

/// Half-open, in milliseconds since 1970 UTC; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first millisecond inside.
    pub from_ms: Option<i64>,
    /// The first millisecond past the end.
    pub to_ms: Option<i64>,
}

impl TimeRange {
    /// Whether the instant is inside.
    pub fn contains(&self, time_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= time_ms) && self.to_ms.is_none_or(|to| time_ms < to)
    }
}

/// A query as it is stored: in a matter, a ledger entry, a production. Each
/// version is read forever; writing takes the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "version", content = "query")]
pub enum StoredQuery {
    /// The first.
    #[serde(rename = "1")]
    V1(Query),
}

impl From<Query> for StoredQuery {
    fn from(query: Query) -> Self {
        StoredQuery::V1(query)
    }
}

impl From<StoredQuery> for Query {
    fn from(stored: StoredQuery) -> Self {
        match stored {
            StoredQuery::V1(query) => query,
        }
    }
}
