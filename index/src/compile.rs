//! From a query to what Tantivy runs. Only our own syntax tree gets here.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, EmptyQuery, Occur, PhraseQuery, Query as Compiled, RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::error::Error;
use crate::query::{Flag, Pattern, Query, TimeRange, TypePattern};
use crate::schema::{Fields, QUARANTINED, kind_exact, kind_prefix, raw_term};

/// Compiles a query.
///
/// # Errors
///
/// `Invalid` for a beginning of a type that is not indexed so deep.
pub(crate) fn compile(query: &Query, fields: &Fields) -> Result<Box<dyn Compiled>, Error> {
    Ok(match query {
        Query::All => unscored(Box::new(AllQuery)),
        Query::And(parts) => and(parts, fields)?,
        Query::Or(parts) => or(parts.iter().map(|part| compile(part, fields)).collect::<Result<_, _>>()?),
        Query::Not(inner) => all_but(vec![], vec![compile(inner, fields)?]),
        Query::Word(term) => word(fields.text, term),
        Query::Phrase(terms) => phrase(fields.text, terms),
        Query::From(pattern) => party(pattern, &[fields.from]),
        Query::To(pattern) => party(pattern, &[fields.to]),
        Query::Participant(pattern) => party(pattern, &[fields.from, fields.to, fields.other]),
        Query::Conversation(id) => raw(fields.conversation, &raw_term(id)),
        Query::Type(TypePattern::Exact(name)) => raw(fields.kind, &kind_exact(name)),
        Query::Type(TypePattern::Prefix(start)) => match kind_prefix(start) {
            Some(term) => raw(fields.kind, &term),
            None => return Err(Error::invalid("types cannot be searched by so many parts of a name")),
        },
        Query::Tenant(tenant) => raw(fields.tenant, &raw_term(tenant)),
        Query::Network(network) => raw(fields.network, &raw_term(network)),
        Query::Flag(Flag::Quarantined) => raw(fields.flag, QUARANTINED),
        Query::Flag(Flag::Ok) => all_but(vec![], vec![raw(fields.flag, QUARANTINED)]),
        Query::Date(range) => date(fields.time, range),
    })
}

/// Only words and phrases make one hit better than another.
fn unscored(query: Box<dyn Compiled>) -> Box<dyn Compiled> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}

fn raw(field: Field, term: &str) -> Box<dyn Compiled> {
    let term = Term::from_field_text(field, term);
    unscored(Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
}

fn word(field: Field, term: &str) -> Box<dyn Compiled> {
    Box::new(TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs))
}

fn phrase(field: Field, terms: &[String]) -> Box<dyn Compiled> {
    match terms {
        [] => Box::new(EmptyQuery),
        [term] => word(field, term),
        terms => {
            Box::new(PhraseQuery::new(terms.iter().map(|term| Term::from_field_text(field, term)).collect()))
        }
    }
}

/// See [`Pattern`]: one term, or every word of a name, in any of the fields.
fn party(pattern: &Pattern, fields: &[Field]) -> Box<dyn Compiled> {
    let anywhere = |term: &str| or(fields.iter().map(|field| raw(*field, term)).collect());
    let whole = anywhere(pattern.whole());
    let words = pattern.words();
    if words.is_empty() {
        return whole;
    }
    let every = all_but(words.iter().map(|word| anywhere(word)).collect(), vec![]);
    or(vec![whole, every])
}

fn date(field: Field, range: &TimeRange) -> Box<dyn Compiled> {
    let from = range.from_ms.unwrap_or(i64::MIN);
    if range.to_ms.is_some_and(|to| to <= from) {
        return Box::new(EmptyQuery);
    }
    let term = |ms| Term::from_field_i64(field, ms);
    let to = range.to_ms.map_or(Bound::Unbounded, |to| Bound::Excluded(term(to)));
    unscored(Box::new(RangeQuery::new(Bound::Included(term(from)), to)))
}

/// What is negated is excluded from the rest, not intersected with it.
fn and(parts: &[Query], fields: &Fields) -> Result<Box<dyn Compiled>, Error> {
    let (mut musts, mut nots) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Query::Not(inner) => nots.push(compile(inner, fields)?),
            part => musts.push(compile(part, fields)?),
        }
    }
    Ok(all_but(musts, nots))
}

fn or(mut parts: Vec<Box<dyn Compiled>>) -> Box<dyn Compiled> {
    match parts.len() {
        0 => Box::new(EmptyQuery),
        1 => parts.remove(0),
        _ => Box::new(BooleanQuery::union(parts)),
    }
}

fn all_but(mut musts: Vec<Box<dyn Compiled>>, nots: Vec<Box<dyn Compiled>>) -> Box<dyn Compiled> {
    if musts.is_empty() {
        musts.push(unscored(Box::new(AllQuery)));
    }
    let musts = musts.into_iter().map(|query| (Occur::Must, query));
    let nots = nots.into_iter().map(|query| (Occur::MustNot, query));
    Box::new(BooleanQuery::new(musts.chain(nots).collect()))
}
