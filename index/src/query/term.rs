//! Which words one word of a query stands for.

use std::borrow::Cow;

use frostem::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};

use super::glob::Glob;
use crate::text::{Kind, Token, VARIANT, WORD, folded, folded_picture, is_part_of_picture, variant, words};

/// The most edits of a fuzzy word.
pub const EDITS_MAX: u8 = 2;

/// A word of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Term {
    /// This word, however it is written.
    Plain(String),
    /// This word, written with exactly these diacritics; case does not matter.
    Written {
        /// As it was written, in lower case.
        written: String,
    },
    /// Every word of this form.
    Like {
        /// The form.
        like: Glob,
    },
    /// Every word that a few edits make of this one: a letter added, left out, replaced, or
    /// two neighbours exchanged.
    Fuzzy {
        /// The word.
        fuzzy: String,
        /// At most so many.
        edits: u8,
    },
    /// Every word with the same stem.
    Stem {
        /// A word that has it.
        stem: String,
        /// The language whose rules count.
        language: Language,
    },
}

impl Term {
    /// Whether it stands for any word at all.
    pub(crate) fn is_any(&self) -> bool {
        matches!(self, Term::Like { like } if like.is_any())
    }

    /// Whether it is looked up rather than looked for among all words.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self {
            Term::Plain(term) => Some(term),
            _ => None,
        }
    }

    /// What stands for it among the tokens at one position.
    pub(crate) fn among<'t, 'a>(&self, here: &'t [Token<'a>]) -> Option<&'t Token<'a>> {
        let of = |kind| here.iter().find(|token| token.kind == kind).map_or("", |token| &*token.term);
        let variant = of(Kind::Variant).split_once(VARIANT).map(|(_, written)| written);
        let as_written = variant.unwrap_or(of(Kind::Word));
        here.iter().find(|token| self.is(token, as_written))
    }

    /// Whether a token is meant. `as_written` is the form of the word at its position.
    fn is(&self, token: &Token<'_>, as_written: &str) -> bool {
        let word = matches!(token.kind, Kind::Word);
        match self {
            Term::Plain(term) => (word || token.kind == Kind::Joined) && token.term == *term,
            Term::Written { written } => {
                (word && as_written == written)
                    || (token.kind == Kind::Compound && token.term.strip_prefix(WORD) == Some(written))
            }
            Term::Like { like } => (word || token.kind == Kind::Joined) && like.matches(&token.term),
            Term::Fuzzy { fuzzy, edits } => word && distance_within(fuzzy, &token.term, *edits),
            Term::Stem { stem, language } => word && language.stem(stem) == language.stem(&token.term),
        }
    }

    /// The term that the index has for a written form with diacritics.
    pub(crate) fn variant(written: &str) -> Option<String> {
        let picture = written.chars().any(is_part_of_picture);
        let found_by = if picture { folded_picture(written) } else { folded(written) };
        (found_by != written).then(|| variant(&found_by, written))
    }
}

/// A language whose words can be searched by their stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Language {
    Da,
    De,
    En,
    Es,
    Fi,
    Fr,
    It,
    Nl,
    No,
    Pl,
    Pt,
    Ru,
    Sv,
}

impl Language {
    /// All of them with their ISO 639-1 codes.
    pub(crate) const ALL: [(&'static str, Language); 13] = [
        ("da", Language::Da),
        ("de", Language::De),
        ("en", Language::En),
        ("es", Language::Es),
        ("fi", Language::Fi),
        ("fr", Language::Fr),
        ("it", Language::It),
        ("nl", Language::Nl),
        ("no", Language::No),
        ("pl", Language::Pl),
        ("pt", Language::Pt),
        ("ru", Language::Ru),
        ("sv", Language::Sv),
    ];

    /// The ISO 639-1 code.
    pub fn code(self) -> &'static str {
        Self::ALL.iter().find(|(_, language)| *language == self).map_or("en", |(code, _)| code)
    }

    pub(crate) fn of_code(code: &str) -> Option<Language> {
        Self::ALL.iter().find(|(known, _)| *known == code).map(|(_, language)| *language)
    }

    /// What words that belong together begin with.
    pub(crate) fn stem(self, word: &str) -> Cow<'_, str> {
        let algorithm = match self {
            Language::Da => Algorithm::Danish,
            Language::De => Algorithm::German,
            Language::En => Algorithm::English,
            Language::Es => Algorithm::Spanish,
            Language::Fi => Algorithm::Finnish,
            Language::Fr => Algorithm::French,
            Language::It => Algorithm::Italian,
            Language::Nl => Algorithm::Dutch,
            Language::No => Algorithm::Norwegian,
            Language::Pl => Algorithm::Polish,
            Language::Pt => Algorithm::Portuguese,
            Language::Ru => Algorithm::Russian,
            Language::Sv => Algorithm::Swedish,
        };
        Stemmer::new(algorithm).stem(word)
    }
}

/// Whether so many edits make one word of the other, of which no letter is edited twice.
pub(crate) fn distance_within(one: &str, other: &str, edits: u8) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let most = usize::from(edits);
    if one.len().abs_diff(other.len()) > most {
        return false;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=other.len()).collect());
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = last[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()] <= most
}

/// The only word of a text.
pub(super) fn only_word(text: &str) -> Option<String> {
    let mut all = words(text);
    let word = all.next()?.term.into_owned();
    all.next().is_none().then_some(word)
}
