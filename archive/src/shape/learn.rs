//! The row of a shape, found out by having a payload of it decoded.

use std::hash::BuildHasher;

use custody_schemas::Incoming;
use custody_schemas::decode::decode;
use custody_schemas::time::time_text;

use super::held::{Expected, Held};
use super::tree::Step;
use super::{Call, File, HOLES_MAX, Holes, Number, SHAPES_MAX, Shape, Shapes, Source, TRIED_MAX, Time};
use crate::row::{CallTexts, DETAIL, FileTexts, Made, Moment, Row, TEXTS, TYPE};
use crate::template::{
    CALL_NUMBERS, CALL_TEXTS, CALL_TIMES, FILE_TEXTS, Form, KEYS, Name, PARTY_TEXTS, Parsed,
    TEXTS as LETTERS, push_ascii, push_json, push_key,
};

/// How the texts begin that are filled into a template, and their numbers and times. A template that
/// has one of them is not learned: each must stand nowhere else.
const TEXT: &str = "what-stands-in-hole-";
const NUMBER: &str = "7205759403792";
const TIME: &str = "2001-09-09T01:4";
const NUMBER_FIRST: i64 = 720_575_940_379_200_000;
const TIME_FIRST_US: i64 = 1_000_000_000_000_000;

/// A hole and what is filled into it.
struct Hole {
    name: Name,
    form: Form,
    expected: Expected,
    text: String,
    number: i64,
}

impl Shapes {
    /// Learns the shape of a payload that has this template and this row. It is not of binary mode.
    pub(crate) fn learn(&mut self, template: &str, payload: &str, row: &Row<'_>) {
        let tried = self.hasher.hash_one((template, row.texts[TYPE]));
        if self.shapes.len() == SHAPES_MAX || self.tried.len() == TRIED_MAX || !self.tried.insert(tried) {
            return;
        }
        if let Some((shape, steps)) = learned(template, payload, row) {
            self.tree.add(steps, self.shapes.len());
            self.shapes.push(shape);
        }
    }
}

fn learned(template: &str, payload: &str, row: &Row<'_>) -> Option<(Shape, Vec<Step>)> {
    if [TEXT, NUMBER, TIME].iter().any(|begins| template.contains(begins)) {
        return None;
    }
    let (steps, holes) = taken_apart(template, row.text(TYPE))?;
    let filled = filled(&steps, &holes)?;
    let incoming =
        Incoming { key: None, headers: &[], payload: Some(filled.as_bytes()), broker_time_ms: None };
    let decoded = decode(&incoming).ok()?;
    let made = Made::of(&decoded);
    let shape = Learning { holes: &holes }.shape(template, row, &Row::of(&decoded, &made))?;
    // What was found out of another payload must hold for this one.
    let mut held: Holes<'_> = [Held::default(); HOLES_MAX];
    let texts = all_held(&steps, &holes, payload, &mut held)?;
    for ((hole, _), text) in shape.escaped.iter().zip(&texts) {
        held[*hole].text = text;
    }
    let mut detail = String::new();
    shape.compose(&held, &mut detail);
    (shape.row(&held, &detail) == *row).then_some((shape, steps))
}

/// A template, and the same with each column that a key may be.
fn templates_of(template: &str) -> [String; 1 + KEYS.len()] {
    let mut all = [(); 1 + KEYS.len()].map(|()| String::new());
    for (of, letter) in all[1..].iter_mut().zip(KEYS) {
        push_key(of, letter);
    }
    all.iter_mut().for_each(|of| of.push_str(template));
    all
}

/// The steps of a template whose type is this one.
fn taken_apart(template: &str, kind: &str) -> Option<(Vec<Step>, Vec<Hole>)> {
    let parsed = Parsed::of(template).ok()?;
    let (mut steps, mut holes, mut text) = (Vec::new(), Vec::new(), String::new());
    for (before, name, form, digits) in parsed.pieces() {
        text.push_str(before?);
        if name == Name::Row(b'y') {
            if form != Form::AsIs {
                return None;
            }
            text.push_str(kind);
            continue;
        }
        let hole = hole(holes.len(), name, form, digits)?;
        steps.push(Step { text: std::mem::take(&mut text), hole: Some(hole.expected) });
        holes.push(hole);
    }
    text.push_str(parsed.tail()?);
    steps.push(Step { text, hole: None });
    (holes.len() <= HOLES_MAX).then_some((steps, holes))
}

fn hole(at: usize, name: Name, form: Form, digits: u8) -> Option<Hole> {
    let nth = i64::try_from(at).ok()?;
    let (expected, text, number) = match (name, form) {
        (Name::Row(b't') | Name::Call(b'v' | b'a' | b'e'), Form::AsIs) => {
            // A second for each: with up to 40 they begin alike.
            let us = TIME_FIRST_US + nth * 1_000_000;
            let mut text = Vec::new();
            time_text(us, digits, &mut text)?;
            (Expected::Time(digits), String::from_utf8(text).ok()?, us)
        }
        (Name::Row(b'q') | Name::Call(b'c' | b'f' | b't') | Name::File(b'z'), Form::AsIs) => {
            let number = NUMBER_FIRST + nth;
            (Expected::Number, number.to_string(), number)
        }
        // Of any payload they may be another value, whose text is not as we would write it.
        (Name::Call(b'd' | b'q'), _) => return None,
        (_, Form::AsIs) => (Expected::Plain, format!("{TEXT}{at}."), 0),
        // Escaped in either form, and in no other.
        (_, Form::Json) => {
            (Expected::Escaped { bare: name == Name::Row(b'd') }, format!("{TEXT}{at}.\"ü"), 0)
        }
        (_, Form::Ascii) => (Expected::Escaped { bare: false }, format!("{TEXT}{at}.\"ü"), 0),
    };
    Some(Hole { name, form, expected, text, number })
}

/// A payload of the shape.
fn filled(steps: &[Step], holes: &[Hole]) -> Option<String> {
    let mut out = Vec::new();
    for (nth, step) in steps.iter().enumerate() {
        out.extend_from_slice(step.text.as_bytes());
        match holes.get(nth) {
            Some(Hole { form: Form::AsIs, text, .. }) => out.extend_from_slice(text.as_bytes()),
            Some(Hole { form: Form::Json, text, .. }) => push_json(text, &mut out),
            Some(Hole { form: Form::Ascii, text, .. }) => push_ascii(text, &mut out),
            None => {}
        }
    }
    String::from_utf8(out).ok()
}

/// What is in the holes of a payload; the texts of those that are escaped.
fn all_held<'p>(
    steps: &[Step],
    holes: &[Hole],
    payload: &'p str,
    held: &mut Holes<'p>,
) -> Option<Vec<String>> {
    let (mut at, mut texts) = (0, Vec::new());
    for (nth, step) in steps.iter().enumerate() {
        payload.get(at..)?.starts_with(&step.text).then_some(())?;
        at += step.text.len();
        if let (Some(expected), Some(hole)) = (step.hole, holes.get(nth)) {
            at = expected.take(payload, at, &mut held[nth])?;
            if hole.form != Form::AsIs {
                texts.push(super::held::unescaped(held[nth].text, hole.form)?);
            }
        }
    }
    (at == payload.len()).then_some(texts)
}

/// Compares a row with that of the payload that was made: what is another text is a hole's.
struct Learning<'l> {
    holes: &'l [Hole],
}

impl Learning<'_> {
    fn shape(&self, template: &str, row: &Row<'_>, made: &Row<'_>) -> Option<Shape> {
        let (mut texts, mut detail) = (Vec::with_capacity(16), Vec::new());
        for (column, (text, other)) in row.texts.into_iter().zip(made.texts).enumerate() {
            let mut source = self.text(text, other);
            if source.is_none() && column == DETAIL {
                detail = self.composed(other?);
                source = Some(Source::Composed);
            }
            texts.push(source?);
        }
        if row.parties.len() != made.parties.len() || row.kind != made.kind {
            return None;
        }
        let parties = row.parties.iter().zip(&made.parties);
        let shape = Shape {
            templates: templates_of(template),
            kind: row.kind,
            texts: texts.try_into().ok()?,
            detail,
            sequence: self.number(row.sequence, made.sequence)?,
            time: self.time(row.time, made.time)?,
            parties: parties.map(|(party, other)| self.texts(*party, *other)).collect::<Option<_>>()?,
            call: both(row.call.as_deref(), made.call.as_deref(), |call, other| self.call(call, other))?,
            file: both(row.file.as_deref(), made.file.as_deref(), |file, other| self.file(file, other))?,
            escaped: (self.holes.iter().enumerate())
                .filter(|(_, hole)| hole.form != Form::AsIs)
                .map(|(nth, hole)| (nth, hole.form))
                .collect(),
        };
        // A text that was looked for may have been found where it is not the column's.
        (self.holes.iter().enumerate()).all(|(nth, hole)| shape.has(hole.name, nth)).then_some(shape)
    }

    fn text(&self, text: Option<&str>, other: Option<&str>) -> Option<Source> {
        match (text, other) {
            (None, None) => Some(Source::Absent),
            (Some(text), Some(other)) => match self.holes.iter().position(|hole| hole.text == other) {
                Some(hole) => Some(Source::Hole(hole)),
                None => (text == other).then(|| Source::Fixed(text.to_owned())),
            },
            _ => None,
        }
    }

    fn texts<const N: usize>(
        &self,
        texts: [Option<&str>; N],
        others: [Option<&str>; N],
    ) -> Option<[Source; N]> {
        let sources = texts.into_iter().zip(others).map(|(text, other)| self.text(text, other));
        sources.collect::<Option<Vec<_>>>()?.try_into().ok()
    }

    fn number(&self, number: Option<i64>, other: Option<i64>) -> Option<Number> {
        match (number, other) {
            (None, None) => Some(Number::Absent),
            (Some(number), Some(other)) => {
                let is_it = |hole: &Hole| hole.number == other && other != 0;
                match self.holes.iter().position(is_it) {
                    Some(hole) => Some(Number::Hole(hole)),
                    None => (number == other).then_some(Number::Fixed(number)),
                }
            }
            _ => None,
        }
    }

    fn numbers<const N: usize>(&self, of: [Option<i64>; N], others: [Option<i64>; N]) -> Option<[Number; N]> {
        let numbers = of.into_iter().zip(others).map(|(number, other)| self.number(number, other));
        numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
    }

    fn time(&self, time: Moment<'_>, other: Moment<'_>) -> Option<Time> {
        Some(Time { text: self.text(time.text, other.text)?, us: self.number(time.us, other.us)? })
    }

    fn call(&self, call: &CallTexts<'_>, other: &CallTexts<'_>) -> Option<Call> {
        let times = call.times.into_iter().zip(other.times).map(|(time, other)| self.time(time, other));
        Some(Call {
            texts: self.texts(call.texts, other.texts)?,
            media: call.media.iter().map(|medium| medium.to_string().into()).collect(),
            times: times.collect::<Option<Vec<_>>>()?.try_into().ok()?,
            numbers: self.numbers(call.numbers, other.numbers)?,
        })
    }

    fn file(&self, file: &FileTexts<'_>, other: &FileTexts<'_>) -> Option<File> {
        Some(File { texts: self.texts(file.texts, other.texts)?, size: self.number(file.size, other.size)? })
    }

    /// The parts of a text in which holes' texts stand.
    fn composed(&self, mut text: &str) -> Vec<Source> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let found =
                self.holes.iter().enumerate().filter_map(|(nth, hole)| Some((text.find(&hole.text)?, nth)));
            let Some((at, hole)) = found.min() else {
                parts.push(Source::Fixed(text.to_owned()));
                break;
            };
            parts.push(Source::Fixed(text[..at].to_owned()));
            parts.push(Source::Hole(hole));
            text = &text[at + self.holes[hole].text.len()..];
        }
        parts
    }
}

fn both<T, U>(
    one: Option<&T>,
    other: Option<&T>,
    learn: impl FnOnce(&T, &T) -> Option<U>,
) -> Option<Option<U>> {
    match (one, other) {
        (None, None) => Some(None),
        (Some(one), Some(other)) => learn(one, other).map(Some),
        _ => None,
    }
}

impl Shape {
    /// Whether the value of this name is what is in this hole.
    fn has(&self, name: Name, hole: usize) -> bool {
        let text = |source: Option<&Source>| source == Some(&Source::Hole(hole));
        let number = |number: Option<&Number>| number == Some(&Number::Hole(hole));
        let time =
            |time: Option<&Time>| time == Some(&Time { text: Source::Hole(hole), us: Number::Hole(hole) });
        match name {
            Name::Row(b't') => time(Some(&self.time)),
            Name::Row(b'q') => number(Some(&self.sequence)),
            Name::Row(letter) => {
                let name = LETTERS.iter().find(|(of, _)| *of == letter).map(|(_, name)| *name);
                text(TEXTS.iter().position(|of| Some(*of) == name).and_then(|at| self.texts.get(at)))
            }
            Name::Party(nth, letter) => {
                let party = usize::try_from(nth).ok().and_then(|nth| self.parties.get(nth));
                // The relation is the first member.
                let member = PARTY_TEXTS.iter().position(|(of, _)| *of == letter);
                text(party.zip(member).and_then(|(party, member)| party.get(member + 1)))
            }
            Name::Call(letter) => {
                let Some(call) = &self.call else { return false };
                let [id, _, reason, diagnostics, quality] = &call.texts;
                let texts = CALL_TEXTS
                    .iter()
                    .zip([id, reason, diagnostics, quality])
                    .find(|((of, _), _)| *of == letter);
                let times = CALL_TIMES.iter().zip(&call.times).find(|((of, _), _)| *of == letter);
                let numbers = CALL_NUMBERS.iter().zip(&call.numbers).find(|((of, _), _)| *of == letter);
                text(texts.map(|(_, of)| of))
                    || time(times.map(|(_, of)| of))
                    || number(numbers.map(|(_, of)| of))
            }
            Name::File(b'z') => number(self.file.as_ref().map(|file| &file.size)),
            Name::File(letter) => {
                let Some(file) = &self.file else { return false };
                let texts = FILE_TEXTS.iter().zip(&file.texts).find(|((of, _), _)| *of == letter);
                text(texts.map(|(_, of)| of))
            }
        }
    }
}
