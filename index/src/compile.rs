//! From a query to what Tantivy runs. Only our own syntax tree gets here.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, EmptyQuery, Occur, PhraseQuery, Query as Compiled, RangeQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::error::Error;
use crate::guard::Guarded;
use crate::known::any_of;
use crate::query::{Flag, Glob, Match, Pattern, Query, Span, Term as Wanted, TypePattern};
use crate::schema::{
    Fields, GAP, KIND_START_BYTES_MAX, QUARANTINED, attribute_start, attribute_term, kind_start, kind_term,
    raw_term,
};
use crate::search::Marks;
use crate::spans::{FormQuery, PlacesQuery, StartQuery};
use crate::split::{Known, OpenSplit};
use crate::stop::Stop;

/// What the scores are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scoring {
    /// Nothing: the cheaper way.
    Unused,
    /// Order: BM25 of the words and phrases. No filter makes a hit better.
    Relevance,
}

/// Compiles a query for one split, of a search that gives up when it has to; without a split, only to
/// see whether it can be. `marks` are of all splits that it is run on.
///
/// # Errors
///
/// `Invalid` for a beginning of a type that is too long, and for people of whom nobody said who
/// they are.
pub(crate) fn compile(
    query: &Query,
    fields: &Fields,
    split: Option<&OpenSplit>,
    scoring: Scoring,
    marks: &Marks,
    stop: &Stop,
) -> Result<Box<dyn Compiled>, Error> {
    Compiler { fields, split, scoring, marks, stop }.query(query)
}

struct Compiler<'f> {
    fields: &'f Fields,
    split: Option<&'f OpenSplit>,
    scoring: Scoring,
    marks: &'f Marks,
    stop: &'f Stop,
}

impl Compiler<'_> {
    fn query(&self, query: &Query) -> Result<Box<dyn Compiled>, Error> {
        let fields = self.fields;
        Ok(match query {
            Query::All => self.filter(Box::new(AllQuery)),
            Query::And(parts) => self.and(parts)?,
            Query::Or(parts) => self.or(parts)?,
            Query::Not(inner) => self.all_but(vec![], vec![self.query(inner)?]),
            Query::Word(term) => self.word(term),
            Query::Phrase(terms) => self.phrase(terms),
            Query::Near(near) => self.places(Span::Near(near.clone())),
            Query::From(pattern) | Query::To(pattern) | Query::Participant(pattern) | Query::Via(pattern) => {
                self.party(pattern, asked_of(query))?
            }
            Query::Custodian(name) | Query::Department(name) => {
                return Err(Error::invalid(format!("no register of people says who {name:?} is")));
            }
            Query::Conversation(id) => self.whole(fields.conversation, id),
            Query::Type(TypePattern::Exact(name)) => self.raw(fields.kind, &kind_term(name)),
            Query::Type(TypePattern::Prefix(start)) => match kind_start(start) {
                Some(start) => {
                    self.filter(Box::new(StartQuery { field: fields.kind, start, stop: self.stop.clone() }))
                }
                None => {
                    let message =
                        format!("types cannot be searched by more than {KIND_START_BYTES_MAX} bytes");
                    return Err(Error::invalid(message));
                }
            },
            Query::Tenant(tenant) => self.whole(fields.tenant, tenant),
            Query::Network(network) => self.whole(fields.network, network),
            Query::Attribute(attribute, Match::Is(value)) => {
                self.raw(fields.attribute, &attribute_term(*attribute, value))
            }
            Query::Attribute(attribute, Match::Like { like }) => {
                let start = attribute_start(*attribute);
                self.filter(Box::new(self.form(fields.attribute, start, like)))
            }
            Query::Duration(range) => {
                self.numbers(fields.duration, range.from, range.to.map(|to| to.saturating_add(1)))
            }
            Query::Flag(Flag::Quarantined) => self.raw(fields.flag, QUARANTINED),
            Query::Flag(Flag::Gap) => self.raw(fields.flag, GAP),
            Query::Flag(Flag::Ok) => {
                let others = [QUARANTINED, GAP].map(|flag| self.raw(fields.flag, flag));
                self.all_but(vec![], others.into())
            }
            Query::Flag(flag @ (Flag::Edited | Flag::Deleted | Flag::Duplicate)) => {
                self.filter(self.marks.query(*flag)?)
            }
            Query::Date(range) => self.numbers(fields.time, range.from_ms, range.to_ms),
            Query::Archived(range) => self.numbers(fields.archived, range.from_ms, range.to_ms),
        })
    }

    fn filter(&self, query: Box<dyn Compiled>) -> Box<dyn Compiled> {
        match self.scoring {
            Scoring::Unused => query,
            Scoring::Relevance => Box::new(ConstScoreQuery::new(query, 0.0)),
        }
    }

    fn raw(&self, field: Field, term: &str) -> Box<dyn Compiled> {
        let term = Term::from_field_text(field, term);
        self.filter(Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
    }

    /// All of a value.
    fn whole(&self, field: Field, value: &Match) -> Box<dyn Compiled> {
        match value {
            Match::Is(value) => self.raw(field, &raw_term(value)),
            Match::Like { like } => self.filter(Box::new(self.form(field, "", like))),
        }
    }

    fn form(&self, field: Field, start: &'static str, form: &Glob) -> FormQuery {
        FormQuery { field, start, form: form.clone(), stop: self.stop.clone() }
    }

    /// See [`Pattern`]: one form, or every word of a name, in any of the fields.
    fn party(&self, pattern: &Pattern, of: &[usize]) -> Result<Box<dyn Compiled>, Error> {
        let whole = self.any_of(self.known(pattern.as_match(), of)?);
        let words = pattern.words();
        if words.is_empty() {
            return Ok(whole);
        }
        let word = |word| Ok(self.any_of(self.known(&Match::Is(String::from(word)), of)?));
        let words = words.into_iter().map(word).collect::<Result<_, Error>>()?;
        Ok(or(vec![whole, self.all_but(words, vec![])]))
    }

    /// The terms of the parties with a form in some of the fields of parties.
    fn known(&self, form: &Match, of: &[usize]) -> Result<Vec<Known>, Error> {
        let Some(OpenSplit { forms, .. }) = self.split else { return Ok(Vec::new()) };
        let mut known = match form {
            Match::Is(form) => forms.exact(form)?,
            Match::Like { like } => forms.like(like, self.stop)?,
        };
        known.retain(|known| of.contains(&known.field));
        Ok(known)
    }

    fn any_of(&self, mut known: Vec<Known>) -> Box<dyn Compiled> {
        known.sort_unstable();
        known.dedup();
        let fields = self.fields.parties();
        let terms = known.into_iter().map(|known| (fields[known.field], known.ord)).collect();
        self.filter(any_of(terms, self.stop))
    }

    /// Parties that are only looked up are one set, be they the hundreds of a department.
    fn or(&self, parts: &[Query]) -> Result<Box<dyn Compiled>, Error> {
        let (mut known, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Query::From(pattern)
                | Query::To(pattern)
                | Query::Participant(pattern)
                | Query::Via(pattern)
                    if pattern.words().is_empty() =>
                {
                    known.extend(self.known(pattern.as_match(), asked_of(part))?);
                }
                part => others.push(self.query(part)?),
            }
        }
        if !known.is_empty() {
            others.push(self.any_of(known));
        }
        Ok(or(others))
    }

    /// Half-open.
    fn numbers(&self, field: Field, from: Option<i64>, to: Option<i64>) -> Box<dyn Compiled> {
        let from = from.unwrap_or(i64::MIN);
        if to.is_some_and(|to| to <= from) {
            return Box::new(EmptyQuery);
        }
        let term = |number| Term::from_field_i64(field, number);
        let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(term(to)));
        self.filter(Box::new(RangeQuery::new(Bound::Included(term(from)), to)))
    }

    fn word(&self, term: &Wanted) -> Box<dyn Compiled> {
        match term.plain() {
            Some(term) => word(self.fields.text, term),
            None => self.places(Span::Word(term.clone())),
        }
    }

    fn phrase(&self, terms: &[Wanted]) -> Box<dyn Compiled> {
        match terms.iter().map(Wanted::plain).collect::<Option<Vec<_>>>().as_deref() {
            Some([]) => Box::new(EmptyQuery),
            Some([term]) => word(self.fields.text, term),
            Some(terms) => {
                let terms = terms.iter().map(|term| Term::from_field_text(self.fields.text, term));
                Box::new(PhraseQuery::new(terms.collect()))
            }
            None => self.places(Span::Phrase(terms.to_vec())),
        }
    }

    fn places(&self, span: Span) -> Box<dyn Compiled> {
        let words = self.split.and_then(|split| split.words.clone());
        Box::new(PlacesQuery { field: self.fields.text, span, words, stop: self.stop.clone() })
    }

    /// What is negated is excluded from the rest, not intersected with it.
    fn and(&self, parts: &[Query]) -> Result<Box<dyn Compiled>, Error> {
        let (mut musts, mut nots) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Query::Not(inner) => nots.push(self.query(inner)?),
                part => musts.push(self.query(part)?),
            }
        }
        Ok(self.all_but(musts, nots))
    }

    fn all_but(&self, mut musts: Vec<Box<dyn Compiled>>, nots: Vec<Box<dyn Compiled>>) -> Box<dyn Compiled> {
        if musts.is_empty() {
            musts.push(self.filter(Box::new(AllQuery)));
        }
        let musts = musts.into_iter().map(|query| (Occur::Must, query));
        let nots =
            nots.into_iter().map(|query| (Occur::MustNot, Box::new(Guarded(query)) as Box<dyn Compiled>));
        Box::new(BooleanQuery::new(musts.chain(nots).collect()))
    }
}

/// Which of [`Fields::parties`] a query asks, if it asks of parties.
fn asked_of(query: &Query) -> &'static [usize] {
    match query {
        Query::From(_) => &[0],
        Query::To(_) => &[1],
        Query::Participant(_) => &[0, 1, 2],
        Query::Via(_) => &[3],
        _ => &[],
    }
}

fn or(mut parts: Vec<Box<dyn Compiled>>) -> Box<dyn Compiled> {
    match parts.len() {
        0 => Box::new(EmptyQuery),
        1 => parts.remove(0),
        _ => Box::new(BooleanQuery::union(parts)),
    }
}

fn word(field: Field, term: &str) -> Box<dyn Compiled> {
    Box::new(TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs))
}
