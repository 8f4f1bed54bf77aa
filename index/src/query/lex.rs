//! From characters to lexemes, each with its place in the query.

use std::borrow::Cow;
use std::ops::Range;

use winnow::combinator::{alt, eof, not, opt, preceded, repeat};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, none_of, one_of, take_while};

use super::error::SyntaxError;

type Input<'a> = LocatingSlice<&'a str>;

/// What word processors make of `"`. A phrase opened by one of these may be
/// closed by any of these; one opened by `"` only by `"`.
const TYPOGRAPHIC: [char; 3] = ['“', '”', '„'];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lexeme<'a> {
    pub kind: Kind<'a>,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A `-` that touches what it excludes.
    Minus,
    Word(&'a str),
    Quoted(Cow<'a, str>),
    /// `w/5` and `pre/5`: how the words around it stand to each other.
    Near(&'a str),
    Field(&'a str, Vec<Value<'a>>),
}

/// What stands after the colon, one of several in a list; empty when nothing does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value<'a> {
    pub text: Cow<'a, str>,
    pub quoted: bool,
    pub span: Range<usize>,
}

/// Whether a value can be written without quotes.
pub(super) fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '"') && !TYPOGRAPHIC.contains(&c)
}

/// All lexemes of a query.
pub(super) fn lex(text: &str) -> Result<Vec<Lexeme<'_>>, SyntaxError> {
    let spaced = preceded(space, lexeme.with_span()).map(|(kind, span)| Lexeme { kind, span });
    let mut input = LocatingSlice::new(text);
    (repeat(0.., spaced), space, eof)
        .map(|(lexemes, _, _): (Vec<_>, _, _)| lexemes)
        .parse_next(&mut input)
        .map_err(|error| error.into_inner().unwrap_or_else(|_| SyntaxError::from_input(&input)))
}

fn space<'a>(input: &mut Input<'a>) -> ModalResult<&'a str, SyntaxError> {
    take_while(0.., char::is_whitespace).parse_next(input)
}

fn lexeme<'a>(input: &mut Input<'a>) -> ModalResult<Kind<'a>, SyntaxError> {
    alt((
        '('.value(Kind::Open),
        ')'.value(Kind::Close),
        ('-', not(end_of_word)).value(Kind::Minus),
        quoted.map(Kind::Quoted),
        field,
        bare.map(word),
    ))
    .parse_next(input)
}

fn end_of_word(input: &mut Input<'_>) -> ModalResult<(), SyntaxError> {
    alt((eof.void(), one_of(char::is_whitespace).void())).parse_next(input)
}

fn word(text: &str) -> Kind<'_> {
    match text {
        "AND" => Kind::And,
        "OR" => Kind::Or,
        "NOT" => Kind::Not,
        _ if is_near(text) => Kind::Near(text),
        _ => Kind::Word(text),
    }
}

fn is_near(text: &str) -> bool {
    let Some((name, distance)) = text.split_once('/') else { return false };
    let digits = !distance.is_empty() && distance.bytes().all(|b| b.is_ascii_digit());
    digits && (name.eq_ignore_ascii_case("w") || name.eq_ignore_ascii_case("pre"))
}

fn bare<'a>(input: &mut Input<'a>) -> ModalResult<&'a str, SyntaxError> {
    take_while(1.., is_bare).parse_next(input)
}

fn field<'a>(input: &mut Input<'a>) -> ModalResult<Kind<'a>, SyntaxError> {
    let name = take_while(1.., |c: char| c.is_ascii_alphabetic() || c == '_');
    let (name, _) = (name, ':').parse_next(input)?;
    let values = alt((list, value.map(|value| vec![value]))).parse_next(input)?;
    Ok(Kind::Field(name, values))
}

fn value<'a>(input: &mut Input<'a>) -> ModalResult<Value<'a>, SyntaxError> {
    let bare = opt(bare).map(|text| (Cow::Borrowed(text.unwrap_or_default()), false));
    let ((text, quoted), span) =
        alt((quoted.map(|text| (text, true)), bare)).with_span().parse_next(input)?;
    Ok(Value { text, quoted, span })
}

/// `(one, another, "a third")`. Commas may be left out, and `OR` may stand for them.
fn list<'a>(input: &mut Input<'a>) -> ModalResult<Vec<Value<'a>>, SyntaxError> {
    let at = input.current_token_start();
    '('.parse_next(input)?;
    let item = |c: char| is_bare(c) && c != ',';
    let mut values = Vec::new();
    loop {
        take_while(0.., |c: char| c.is_whitespace() || c == ',').void().parse_next(input)?;
        if opt(')').parse_next(input)?.is_some() {
            return Ok(values);
        }
        let bare = take_while(1.., item).map(|text| (Cow::Borrowed(text), false));
        let found = opt(alt((quoted.map(|text| (text, true)), bare)).with_span()).parse_next(input)?;
        match found {
            Some(((text, false), _)) if text == "OR" => {}
            Some(((text, quoted), span)) => values.push(Value { text, quoted, span }),
            None => {
                let error = match opt(any).parse_next(input)? {
                    None => SyntaxError::new(at..at + 1, "this list is never closed"),
                    Some(_) => SyntaxError::new(at..at + 1, "a list holds values alone, no groups")
                        .help("for example `from:(alice, \"Bob Smith\")`"),
                };
                return Err(ErrMode::Cut(error));
            }
        }
    }
}

fn quoted<'a>(input: &mut Input<'a>) -> ModalResult<Cow<'a, str>, SyntaxError> {
    let at = input.current_token_start();
    let open = one_of(|c| c == '"' || TYPOGRAPHIC.contains(&c)).parse_next(input)?;
    let closes = move |c: char| if open == '"' { c == '"' } else { TYPOGRAPHIC.contains(&c) };
    let escaped = ('\\', one_of(['"', '\\'])).void();
    let inner = repeat::<_, _, (), _, _>(0.., alt((escaped, none_of(closes).void()))).take();
    let (inner, close) = (inner, opt(any)).parse_next(input)?;
    if close.is_none() {
        let error = SyntaxError::new(at..at + open.len_utf8(), "this quotation mark is never closed");
        return Err(ErrMode::Cut(error));
    }
    Ok(unescaped(inner))
}

/// A backslash makes the next quotation mark or backslash an ordinary
/// character; before anything else it is one itself.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next_if(|c| matches!(c, '"' | '\\')) } else { None };
        out.push(escaped.unwrap_or(c));
    }
    Cow::Owned(out)
}

impl<'a> ParserError<Input<'a>> for SyntaxError {
    type Inner = Self;

    /// Every character starts some lexeme, so this is never shown.
    fn from_input(input: &Input<'a>) -> Self {
        let at = input.current_token_start();
        SyntaxError::new(at..at, "this cannot be read")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
