//! From lexemes to a [`Query`].
//!
//! ```text
//! query   = or
//! or      = and { "OR" and }
//! and     = not { [ "AND" ] not }
//! not     = ( "NOT" | "-" ) not | near
//! near    = primary { [ "NOT" ] ( "w/" n | "pre/" n ) primary }
//! primary = "(" or ")" | phrase | field ":" ( value | "(" value { "," value } ")" ) | "*" | word
//! phrase  = '"' text '"'
//! value   = '"' text '"' | bare
//! ```
//!
//! Proximity binds closest, then `NOT`, then `AND`, then `OR`: `a OR b NOT c w/5 d` is
//! `a OR (b AND (NOT (c w/5 d)))`. Operators are upper case; `and` is a word. A `-`
//! excludes only where it touches what follows and nothing before it: `a-b`
//! is a phrase of two words. A bare word or value ends at white space, a
//! parenthesis or a quotation mark.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ast::Query;
use super::dates::Clock;
use super::error::SyntaxError;
use super::fields;
use super::lex::{Kind, Lexeme, lex};
use super::limits::{CLAUSES_MAX, DEPTH_MAX, QUERY_BYTES_MAX};
use super::span::{DISTANCE_MAX, How, Near, Span};
use super::words;

/// Reads a query. Dates without an offset are in `zone`; `last 30 days` ends now.
///
/// # Errors
/// The first thing that cannot be understood or is over a
/// [limit](super::limits), with its place.
pub fn parse(text: &str, zone: &TimeZone) -> Result<Query, SyntaxError> {
    parse_at(text, zone, Timestamp::now())
}

/// The same at some other time.
///
/// # Errors
/// As [`parse`].
pub fn parse_at(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Query, SyntaxError> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("the query has {} bytes; {QUERY_BYTES_MAX} are allowed", text.len());
        return Err(SyntaxError::new(0..0, message));
    }
    let lexemes = lex(text)?;
    if lexemes.is_empty() {
        return Err(SyntaxError::new(0..0, "the query is empty").help("`*` finds every record"));
    }
    let mut parser = Parser {
        lexemes: &lexemes,
        next: 0,
        depth: 0,
        clauses: 0,
        end: text.len(),
        clock: Clock { zone, now },
    };
    let query = parser.or()?;
    match parser.peek() {
        None => Ok(query),
        Some(_) => Err(SyntaxError::new(parser.here(), "this closes a parenthesis that was never opened")),
    }
}

struct Parser<'a> {
    lexemes: &'a [Lexeme<'a>],
    next: usize,
    depth: usize,
    clauses: usize,
    /// The length of the query, in bytes.
    end: usize,
    clock: Clock<'a>,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Query, SyntaxError> {
        let mut parts = vec![self.and()?];
        while self.take(&Kind::Or) {
            parts.push(self.and()?);
        }
        Ok(Query::or(parts))
    }

    fn and(&mut self) -> Result<Query, SyntaxError> {
        let mut parts = vec![self.not()?];
        loop {
            match self.peek() {
                Some(Kind::And) => self.next += 1,
                None | Some(Kind::Or | Kind::Close) => return Ok(Query::and(parts)),
                Some(_) => {}
            }
            parts.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Query, SyntaxError> {
        if !matches!(self.peek(), Some(Kind::Not | Kind::Minus)) {
            return self.near();
        }
        self.enter()?;
        self.next += 1;
        let inner = self.not()?;
        self.depth -= 1;
        Ok(Query::negated(inner))
    }

    fn near(&mut self) -> Result<Query, SyntaxError> {
        let mut left = self.primary()?;
        let mut levels = 0;
        while let Some((how, within, span)) = self.proximity()? {
            // One of many in a row holds all those before it.
            self.enter()?;
            levels += 1;
            let right = self.primary()?;
            left = self.close(left, right, how, within, &span)?;
        }
        self.depth -= levels;
        Ok(left)
    }

    /// `w/5`, `pre/5` or `NOT w/5`, if that comes next.
    fn proximity(&mut self) -> Result<Option<(How, u32, Range<usize>)>, SyntaxError> {
        let without = self.peek() == Some(&Kind::Not);
        let at = self.next + usize::from(without);
        let Some(Lexeme { kind: Kind::Near(text), span }) = self.lexemes.get(at) else { return Ok(None) };
        let (name, digits) = text.split_once('/').unwrap_or((text, ""));
        let within = digits.parse().ok().filter(|within| (1..=DISTANCE_MAX).contains(within));
        let within = within.ok_or_else(|| {
            SyntaxError::new(span.clone(), format!("words are 1 to {DISTANCE_MAX} words apart"))
                .help("neighbours are `w/1`")
        })?;
        let how = match (without, name.eq_ignore_ascii_case("pre")) {
            (false, false) => How::Either,
            (false, true) => How::Before,
            (true, false) => How::Without,
            (true, true) => {
                let error = SyntaxError::new(span.clone(), "`NOT` goes with `w/`, not with `pre/`");
                return Err(error.help("for example `apple NOT w/3 pie`"));
            }
        };
        self.next = at + 1;
        Ok(Some((how, within, span.clone())))
    }

    /// Two things close to each other. What has to be close to all of several things has to be
    /// close to each of them.
    fn close(
        &mut self,
        left: Query,
        right: Query,
        how: How,
        within: u32,
        at: &Range<usize>,
    ) -> Result<Query, SyntaxError> {
        match (left, right) {
            (Query::And(parts), right) => {
                let each = parts.into_iter().map(|left| self.close(left, right.clone(), how, within, at));
                Ok(Query::and(each.collect::<Result<_, _>>()?))
            }
            (left, Query::And(parts)) if how != How::Without => {
                let each = parts.into_iter().map(|right| self.close(left.clone(), right, how, within, at));
                Ok(Query::and(each.collect::<Result<_, _>>()?))
            }
            (left, right) => {
                let near = Near { left: places(left, at)?, right: places(right, at)?, within, how };
                let query = Query::Near(Box::new(near));
                self.count(&query, at.clone())?;
                Ok(query)
            }
        }
    }

    fn primary(&mut self) -> Result<Query, SyntaxError> {
        let span = self.here();
        let query = match self.peek() {
            Some(Kind::Open) => return self.group(),
            Some(Kind::Word("*")) => Query::All,
            Some(Kind::Word(word)) => words::query(word, false, span.clone())?,
            Some(Kind::Quoted(text)) => words::query(text, true, span.clone())?,
            Some(Kind::Field(name, values)) => fields::filter(name, values, span.clone(), &self.clock)?,
            Some(Kind::And | Kind::Or | Kind::Not | Kind::Minus | Kind::Close | Kind::Near(_)) | None => {
                return Err(self.operand_missing());
            }
        };
        self.next += 1;
        self.count(&query, span)?;
        Ok(query)
    }

    fn group(&mut self) -> Result<Query, SyntaxError> {
        let open = self.here();
        self.enter()?;
        self.next += 1;
        if self.peek().is_none() {
            return Err(unclosed(open));
        }
        let inner = self.or()?;
        if !self.take(&Kind::Close) {
            return Err(unclosed(open));
        }
        self.depth -= 1;
        Ok(inner)
    }

    /// Every recursion passes here first.
    fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return Ok(());
        }
        Err(SyntaxError::new(self.here(), format!("the query is nested deeper than {DEPTH_MAX} levels")))
    }

    fn count(&mut self, query: &Query, span: Range<usize>) -> Result<(), SyntaxError> {
        self.clauses = self.clauses.saturating_add(clauses(query));
        if self.clauses <= CLAUSES_MAX {
            return Ok(());
        }
        Err(SyntaxError::new(span, format!("the query has more than {CLAUSES_MAX} words and filters")))
    }

    /// Called where an operand must stand and none does.
    fn operand_missing(&self) -> SyntaxError {
        let previous = self.next.checked_sub(1).map(|at| &self.lexemes[at]);
        match (previous, self.peek()) {
            (_, Some(Kind::And)) => SyntaxError::new(self.here(), "`AND` needs something to its left"),
            (_, Some(Kind::Near(_))) => SyntaxError::new(self.here(), "this needs something to its left")
                .help("a text that looks so is found in quotation marks"),
            (_, Some(Kind::Or)) => SyntaxError::new(self.here(), "`OR` needs something to its left"),
            (Some(Lexeme { kind: Kind::Open, span }), _) => {
                SyntaxError::new(span.start..self.here().end, "there is nothing between these parentheses")
            }
            (Some(operator), _) => {
                SyntaxError::new(operator.span.clone(), "this needs something to its right")
            }
            (None, _) => SyntaxError::new(self.here(), "this closes a parenthesis that was never opened"),
        }
    }

    fn peek(&self) -> Option<&'a Kind<'a>> {
        self.lexemes.get(self.next).map(|lexeme| &lexeme.kind)
    }

    fn take(&mut self, kind: &Kind<'_>) -> bool {
        let found = self.peek() == Some(kind);
        self.next += usize::from(found);
        found
    }

    fn here(&self) -> Range<usize> {
        self.lexemes.get(self.next).map_or(self.end..self.end, |lexeme| lexeme.span.clone())
    }
}

fn unclosed(open: Range<usize>) -> SyntaxError {
    SyntaxError::new(open, "this parenthesis is never closed")
}

/// What a query costs: each word and filter in it.
fn clauses(query: &Query) -> usize {
    match query {
        Query::And(parts) | Query::Or(parts) => parts.iter().map(clauses).sum(),
        Query::Not(inner) => clauses(inner),
        Query::Phrase(words) => words.len(),
        Query::Near(near) => near.left.terms() + near.right.terms(),
        Query::From(who) | Query::To(who) | Query::Participant(who) | Query::Via(who) => {
            who.words().len().max(1)
        }
        _ => 1,
    }
}

/// A query as what has places in a text.
fn places(query: Query, at: &Range<usize>) -> Result<Span, SyntaxError> {
    match query {
        Query::Word(term) => Ok(Span::Word(term)),
        Query::Phrase(terms) => Ok(Span::Phrase(terms)),
        Query::Near(near) => Ok(Span::Near(near)),
        Query::Or(parts) => {
            Ok(Span::Or(parts.into_iter().map(|part| places(part, at)).collect::<Result<_, _>>()?))
        }
        _ => {
            let error =
                SyntaxError::new(at.clone(), "words and phrases stand close to each other, nothing else");
            Err(error.help("`AND` and filters go outside: `(merger w/5 acme) AND from:bob`"))
        }
    }
}
