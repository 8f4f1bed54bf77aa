//! From lexemes to a [`Query`].
//!
//! ```text
//! query   = or
//! or      = and { "OR" and }
//! and     = not { [ "AND" ] not }
//! not     = ( "NOT" | "-" ) not | primary
//! primary = "(" or ")" | phrase | field ":" value | "*" | word
//! phrase  = '"' text '"'
//! value   = '"' text '"' | bare
//! field   = "from" | "to" | "participant" | "conversation" | "type"
//!         | "tenant" | "network" | "is" | "date"
//! ```
//!
//! `NOT` binds closest, then `AND`, then `OR`: `a OR b NOT c` is
//! `a OR (b AND (NOT c))`. Operators are upper case; `and` is a word. A `-`
//! excludes only where it touches what follows and nothing before it: `a-b`
//! is a phrase of two words. A bare word or value ends at white space, a
//! parenthesis or a quotation mark.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::ast::Query;
use super::error::{SyntaxError, shown};
use super::fields;
use super::lex::{Kind, Lexeme, lex};
use super::limits::{CLAUSES_MAX, DEPTH_MAX, QUERY_BYTES_MAX};

const QUOTE_HELP: &str = "to search for the text itself, put it in quotation marks";

/// Reads a query. Dates without an offset are in `zone`.
///
/// # Errors
/// The first thing that cannot be understood or is over a
/// [limit](super::limits), with its place.
pub fn parse(text: &str, zone: &TimeZone) -> Result<Query, SyntaxError> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("the query has {} bytes; {QUERY_BYTES_MAX} are allowed", text.len());
        return Err(SyntaxError::new(0..0, message));
    }
    let lexemes = lex(text)?;
    if lexemes.is_empty() {
        return Err(SyntaxError::new(0..0, "the query is empty").help("`*` finds every record"));
    }
    let mut parser = Parser { lexemes: &lexemes, next: 0, depth: 0, clauses: 0, end: text.len(), zone };
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
    zone: &'a TimeZone,
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
            return self.primary();
        }
        self.enter()?;
        self.next += 1;
        let inner = self.not()?;
        self.depth -= 1;
        Ok(Query::negated(inner))
    }

    fn primary(&mut self) -> Result<Query, SyntaxError> {
        let span = self.here();
        let query = match self.peek() {
            Some(Kind::Open) => return self.group(),
            Some(Kind::Word("*")) => Query::All,
            Some(Kind::Word(word)) => bare_word(word, span.clone())?,
            Some(Kind::Quoted(text)) => searchable(text, span.clone())?,
            Some(Kind::Field(name, value)) => fields::filter(name, value, span.clone(), self.zone)?,
            Some(Kind::And | Kind::Or | Kind::Not | Kind::Minus | Kind::Close) | None => {
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
        self.clauses += match query {
            Query::Phrase(words) => words.len(),
            Query::From(who) | Query::To(who) | Query::Participant(who) => who.words().len().max(1),
            _ => 1,
        };
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

/// Punctuation in a bare word is dropped like any other, except what means
/// something in other query languages: dropped in silence, it would change
/// what is found.
fn bare_word(word: &str, span: Range<usize>) -> Result<Query, SyntaxError> {
    if let Some(at) = word.find(['*', '~']) {
        let place = span.start + at..span.start + at + 1;
        let message = format!("`{}` has no meaning inside a word", &word[at..=at]);
        return Err(SyntaxError::new(place, message).help(QUOTE_HELP));
    }
    searchable(word, span)
}

fn searchable(text: &str, span: Range<usize>) -> Result<Query, SyntaxError> {
    Query::text(text).ok_or_else(|| {
        let message = format!("{} has no letter or digit to search for", shown(text));
        let error = SyntaxError::new(span, message);
        if text == "-" { error.help("a `-` that excludes touches what follows it: `-word`") } else { error }
    })
}
