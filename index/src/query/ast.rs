//! What a query means, apart from how it was written and how it is run.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::glob::Glob;
use super::span::Near;
use super::term::Term;
use crate::schema::is_hashed;
use crate::text::{Kind, address_form, lower_case, tokens, words};

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
    /// The text has this word.
    Word(Term),
    /// The text has these words one after another.
    Phrase(Vec<Term>),
    /// The text has two things close to each other.
    Near(Box<Near>),
    /// Who it came from.
    From(Pattern),
    /// Who it went to.
    To(Pattern),
    /// Anybody who took part: senders, recipients and all others named.
    Participant(Pattern),
    /// The bridge that relayed it.
    Via(Pattern),
    /// One of the parties was this person's address when it happened. What those are, a register
    /// says: see [`people::resolve`](crate::people::resolve).
    Custodian(String),
    /// The same of everybody in a department.
    Department(String),
    /// The conversation with this id, case and all.
    Conversation(Match),
    /// The type of the event.
    Type(TypePattern),
    /// The tenant, a domain in lower case.
    Tenant(Match),
    /// A network that one of the parties is on, in lower case.
    Network(Match),
    /// Some other attribute of the record.
    Attribute(Attribute, Match),
    /// How long a call lasted, milliseconds from answer to end.
    Duration(Range),
    /// The state of the record.
    Flag(Flag),
    /// When it happened at the source; a record without a time matches no date.
    Date(TimeRange),
    /// When it was archived.
    Archived(TimeRange),
}

/// An attribute of a record, compared in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// The software that sent it; whole, or a word of it.
    Client,
    /// A file: its name, a word of the name, its id, or its SHA-256.
    File,
    /// What a call carried, or the media type of a file.
    Media,
    /// The response code of a call.
    Response,
    /// `internal`, `federated`, `anonymous` or `system`: what one of the parties is.
    Scope,
    /// The Kafka topic that it came from.
    Topic,
    /// Something that it holds: `file`, `link`, `reply`, `mention`.
    Has,
}

impl Attribute {
    /// All of them with their names in a query.
    pub(crate) const ALL: [(&'static str, Attribute); 7] = [
        ("client", Attribute::Client),
        ("file", Attribute::File),
        ("media", Attribute::Media),
        ("response", Attribute::Response),
        ("scope", Attribute::Scope),
        ("topic", Attribute::Topic),
        ("has", Attribute::Has),
    ];

    /// Its name in a query.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, attribute)| *attribute == self).map_or("", |(name, _)| name)
    }
}

/// What something is compared with: all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Match {
    /// It is this.
    Is(String),
    /// It is of this form.
    Like {
        /// The form.
        like: Glob,
    },
}

impl Match {
    /// Whether a value is meant.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Match::Is(is) => is == value,
            // Of what is too long to be a term only the hash is known.
            Match::Like { like } => !is_hashed(value) && like.matches(value),
        }
    }
}

impl From<&str> for Match {
    fn from(value: &str) -> Self {
        Match::Is(value.to_owned())
    }
}

impl From<String> for Match {
    fn from(value: String) -> Self {
        Match::Is(value)
    }
}

/// Numbers from one to another; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first inside.
    pub from: Option<i64>,
    /// The last inside.
    pub to: Option<i64>,
}

impl Range {
    /// Whether the number is inside.
    pub fn contains(&self, number: i64) -> bool {
        self.from.is_none_or(|from| from <= number) && self.to.is_none_or(|to| number <= to)
    }
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

    /// Whether a register of people has to say what is meant.
    pub fn names_people(&self) -> bool {
        match self {
            Query::And(parts) | Query::Or(parts) => parts.iter().any(Query::names_people),
            Query::Not(inner) => inner.names_people(),
            Query::Custodian(_) | Query::Department(_) => true,
            _ => false,
        }
    }

    /// Whether it asks for a flag anywhere.
    pub(crate) fn asks(&self, flag: Flag) -> bool {
        match self {
            Query::And(parts) | Query::Or(parts) => parts.iter().any(|part| part.asks(flag)),
            Query::Not(inner) => inner.asks(flag),
            Query::Flag(asked) => *asked == flag,
            _ => false,
        }
    }

    /// Words and phrases read as they would be today.
    fn read_anew(self) -> Query {
        let many = |parts: Vec<Query>| parts.into_iter().map(Query::read_anew).collect();
        let text = |terms: &[Term]| terms.iter().filter_map(Term::plain).collect::<Vec<_>>().join(" ");
        match self {
            Query::And(parts) => Query::and(many(parts)),
            Query::Or(parts) => Query::or(many(parts)),
            Query::Not(inner) => Query::negated(inner.read_anew()),
            Query::Word(term) => Query::text(&text(std::slice::from_ref(&term))).unwrap_or(Query::Word(term)),
            Query::Phrase(terms) => Query::text(&text(&terms)).unwrap_or(Query::Phrase(terms)),
            other => other,
        }
    }

    /// The text as a word or, when it has several, as a phrase; `None`
    /// when it has none, and so nothing that could be found.
    pub fn text(text: &str) -> Option<Query> {
        let all: Vec<_> = tokens(text).collect();
        // A number in groups is looked for as a number.
        if let Some(joined) = all.iter().find(|token| token.kind == Kind::Joined) {
            let parts = |token: &&crate::text::Token<'_>| token.kind == Kind::Word;
            let (first, last) = (all.iter().find(parts), all.iter().rfind(parts));
            if first.is_some_and(|first| first.range.start == joined.range.start)
                && last.is_some_and(|last| last.range.end == joined.range.end)
            {
                return Some(Query::Word(Term::Plain(joined.term.to_string())));
            }
        }
        let words = all.into_iter().filter(|token| token.kind == Kind::Word);
        Query::words(words.map(|token| Term::Plain(token.term.into_owned())).collect())
    }

    /// Words one after another.
    pub(super) fn words(mut terms: Vec<Term>) -> Option<Query> {
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
/// a name and every one of its [`words`](Self::words) is among the terms; or,
/// as a form, when one term is of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Match", into = "Match")]
pub struct Pattern(Match);

impl Pattern {
    /// `value` as typed; trimmed and lower-cased here.
    pub fn new(value: &str) -> Pattern {
        Pattern(Match::Is(address_form(value)))
    }

    /// A form with `*` and `?`, as typed.
    pub fn like(form: &str) -> Pattern {
        Pattern(Match::Like { like: Glob::new(&lower_case(form.trim())) })
    }

    /// What is compared.
    pub fn as_match(&self) -> &Match {
        &self.0
    }

    /// One address term: an address, a domain such as `@contoso.example`, or a
    /// word of a name; for a form, the form.
    pub fn whole(&self) -> &str {
        match &self.0 {
            Match::Is(whole) => whole,
            Match::Like { like } => like.as_str(),
        }
    }

    /// The words to look for if this reads as a name that is not one term
    /// itself (`Bob Smith`, `O'Neil`); empty otherwise. An address is only ever
    /// looked up whole: `bob.smith` must not find Bob Smith.
    pub fn words(&self) -> Vec<Cow<'_, str>> {
        let Match::Is(whole) = &self.0 else { return Vec::new() };
        let spaced = whole.contains(char::is_whitespace) && !whole.contains(['@', ':']);
        let name = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-');
        if !spaced && !whole.chars().all(name) {
            return Vec::new();
        }
        let words: Vec<_> = words(whole).map(|token| token.term).collect();
        if *words == [whole.as_str()] { Vec::new() } else { words }
    }

    /// Whether a party with these terms is meant.
    pub fn matches<'t>(&self, terms: impl Iterator<Item = &'t String> + Clone) -> bool {
        let has = |word: &str| terms.clone().any(|term| term == word);
        let words = self.words();
        terms.clone().any(|term| self.0.matches(term))
            || (!words.is_empty() && words.iter().all(|word| has(word)))
    }
}

impl From<Match> for Pattern {
    fn from(value: Match) -> Self {
        match value {
            Match::Is(value) => Pattern::new(&value),
            Match::Like { like } => Pattern::like(like.as_str()),
        }
    }
}

impl From<Pattern> for Match {
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
    /// Is a version of a message that was edited.
    Edited,
    /// Is a version of a message that was deleted.
    Deleted,
    /// Is a delivery of an event that has more of them.
    Duplicate,
}

impl Flag {
    /// All of them with what follows `is:`.
    pub(crate) const ALL: [(&'static str, Flag); 6] = [
        ("quarantined", Flag::Quarantined),
        ("gap", Flag::Gap),
        ("ok", Flag::Ok),
        ("edited", Flag::Edited),
        ("deleted", Flag::Deleted),
        ("duplicate", Flag::Duplicate),
    ];

    /// What follows `is:`.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, flag)| *flag == self).map_or("", |(name, _)| name)
    }
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
    /// The first: whole words and phrases only. What it holds is a query of today.
    #[serde(rename = "1")]
    V1(Query),
    /// Wildcards, proximity, more fields.
    #[serde(rename = "2")]
    V2(Query),
}

impl From<Query> for StoredQuery {
    fn from(query: Query) -> Self {
        StoredQuery::V2(query)
    }
}

impl From<StoredQuery> for Query {
    fn from(stored: StoredQuery) -> Self {
        match stored {
            // Its words kept their diacritics, which are no longer part of a word.
            StoredQuery::V1(query) => query.read_anew(),
            StoredQuery::V2(query) => query,
        }
    }
}
