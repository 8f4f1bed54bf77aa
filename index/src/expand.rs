//! Which terms of a split a word of a query, or a form, stands for.

use std::cell::RefCell;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy_fst::Automaton;

use crate::query::{Glob, Language, Term};
use crate::schema::stands_for_another;
use crate::stop::{Bounded, Stop, Walk};
use crate::text::{VARIANT, WORD};
use crate::vocabulary::Vocabulary;

/// Looking a word up takes as long as going through so many. Few where tests have few.
const LOOKED_UP: usize = if cfg!(test) { 2 } else { 16 };

/// The terms of a word.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    /// Where any of these is, the word is,
    pub(crate) plus: Vec<TermInfo>,
    /// except at the places of these.
    pub(crate) minus: Vec<TermInfo>,
}

/// The terms that a word stands for, in the order of the dictionary. `words` are those of the split,
/// where they may be remembered.
pub(crate) fn expand(
    term: &Term,
    index: &InvertedIndexReader,
    words: Option<&Vocabulary>,
    stop: &Stop,
) -> tantivy::Result<Expanded> {
    let mut out = Expanded::default();
    match term {
        Term::Plain(term) => out.plus.extend(index.terms().get(term)?),
        Term::Written { written } => {
            match Term::variant(written) {
                Some(variant) => out.plus.extend(index.terms().get(variant)?),
                None => {
                    out.plus.extend(index.terms().get(written)?);
                    // Those that are written in another way and found by this.
                    let start = format!("{written}{VARIANT}");
                    each_from(index, &start, stop, &mut |_, info| out.minus.push(info.clone()))?;
                }
            }
            out.plus.extend(index.terms().get(format!("{WORD}{written}"))?);
        }
        Term::Like { like } => out.plus = words_like(like, index, words, stop)?,
        Term::Fuzzy { fuzzy, edits } => {
            let dfa = LevenshteinAutomatonBuilder::new(*edits, true).build_dfa(fuzzy);
            let edits = Edits { dfa, walk: RefCell::new(Bounded::new(stop.clone())) };
            let mut found = index.terms().search(&edits).into_stream()?;
            while found.advance() {
                if is_word(found.key()) {
                    out.plus.push(found.value().clone());
                }
            }
            edits.check()?;
        }
        Term::Stem { stem, language } => out.plus = same_stem(stem, *language, index, words, stop)?,
    }
    Ok(out)
}

/// The terms of a form that begin with `start`, which is no part of it.
pub(crate) fn of_form(
    form: &Glob,
    start: &str,
    index: &InvertedIndexReader,
    stop: &Stop,
) -> tantivy::Result<Vec<TermInfo>> {
    let (mut out, suffix) = (Vec::new(), form.suffix().as_bytes());
    each_from(index, &format!("{start}{}", form.prefix()), stop, &mut |key, info| {
        // Most terms of a large dictionary end otherwise, which is soon seen.
        if !key.ends_with(suffix) {
            return;
        }
        let text = key.get(start.len()..).and_then(|key| std::str::from_utf8(key).ok());
        if is_word(key) && text.is_some_and(|text| !stands_for_another(text) && form.matches(text)) {
            out.push(info.clone());
        }
    })?;
    Ok(out)
}

/// The terms that begin with `start`.
pub(crate) fn starting(
    start: &str,
    index: &InvertedIndexReader,
    stop: &Stop,
) -> tantivy::Result<Vec<TermInfo>> {
    let mut out = Vec::new();
    each_from(index, start, stop, &mut |_, info| out.push(info.clone()))?;
    Ok(out)
}

/// The terms of the words of a form. Without a beginning it may be any word: then it is worth
/// remembering them all.
fn words_like(
    form: &Glob,
    index: &InvertedIndexReader,
    words: Option<&Vocabulary>,
    stop: &Stop,
) -> tantivy::Result<Vec<TermInfo>> {
    let list = match words {
        Some(words) if form.prefix().is_empty() => words.made(index, stop)?,
        words => words.and_then(Vocabulary::known),
    };
    let (mut out, mut walk) = (Vec::new(), Walk::new(stop));
    let few = index.terms().num_terms() / LOOKED_UP;
    let mut found = |word: &str| {
        out.push(word.to_owned());
        out.len() <= few
    };
    match list {
        Some(list) if list.like(form, &mut walk, &mut found)? => looked_up(&out, index),
        _ => of_form(form, "", index, stop),
    }
}

/// The terms of words.
fn looked_up(words: &[String], index: &InvertedIndexReader) -> tantivy::Result<Vec<TermInfo>> {
    let infos = words.iter().map(|word| Ok(index.terms().get(word)?));
    Ok(infos.collect::<tantivy::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A stem begins as its words do: with the same letter at least.
fn same_stem(
    word: &str,
    language: Language,
    index: &InvertedIndexReader,
    words: Option<&Vocabulary>,
    stop: &Stop,
) -> tantivy::Result<Vec<TermInfo>> {
    let stem = language.stem(word);
    let first: String = word.chars().take(1).collect();
    if let Some(list) = words.and_then(Vocabulary::known) {
        let mut same = Vec::new();
        list.starting(&first, &mut Walk::new(stop), |word| {
            if language.stem(word) == stem {
                same.push(word.to_owned());
            }
            true
        })?;
        return looked_up(&same, index);
    }
    let mut out = Vec::new();
    each_from(index, &first, stop, &mut |key, info| {
        let text = std::str::from_utf8(key).ok();
        if is_word(key) && text.is_some_and(|text| language.stem(text) == stem) {
            out.push(info.clone());
        }
    })?;
    Ok(out)
}

/// Terms that stand beside words are none.
pub(crate) fn is_word(key: &[u8]) -> bool {
    !key.iter().any(|byte| matches!(char::from(*byte), VARIANT | WORD))
}

/// Every term that begins so, for as long as the search goes on.
fn each_from(
    index: &InvertedIndexReader,
    start: &str,
    stop: &Stop,
    each: &mut dyn FnMut(&[u8], &TermInfo),
) -> tantivy::Result<()> {
    let mut range = index.terms().range().ge(start);
    if let Some(end) = after(start.as_bytes()) {
        range = range.lt(end);
    }
    let (mut found, mut walk) = (range.into_stream()?, Walk::new(stop));
    while found.advance() {
        walk.step()?;
        each(found.key(), found.value());
    }
    Ok(())
}

/// The first text behind all that begin so; none behind the last.
fn after(start: &[u8]) -> Option<Vec<u8>> {
    let last = start.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = start[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Words at most so many edits away. A search that gives up finds no more of them.
struct Edits {
    dfa: DFA,
    walk: RefCell<Bounded>,
}

impl Edits {
    /// Whether all were found.
    fn check(&self) -> tantivy::Result<()> {
        self.walk.borrow().check()
    }
}

impl Automaton for &Edits {
    type State = u32;

    fn start(&self) -> u32 {
        self.dfa.initial_state()
    }

    fn is_match(&self, state: &u32) -> bool {
        matches!(self.dfa.distance(*state), Distance::Exact(_))
    }

    fn can_match(&self, state: &u32) -> bool {
        *state != SINK_STATE && !self.walk.borrow_mut().ends(1)
    }

    fn accept(&self, state: &u32, byte: u8) -> u32 {
        self.dfa.transition(*state, byte)
    }
}
