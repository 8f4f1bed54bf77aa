//! Where in a text stands what a query asks for.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use super::Token;
use super::words::Words;
use crate::proximity::{Place, Placed};
use crate::query::{How, Near, Query, Span, Term};

/// A word or phrase that a query asks for, where it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// Bytes of the text.
    pub(super) range: Range<usize>,
    /// Which of the words and phrases of the query it is.
    pub(super) which: usize,
}

/// What a query asks a text for: not what is under `NOT`, which a match lacks.
pub(super) struct Wanted<'q> {
    /// Every word and phrase.
    phrases: Vec<&'q [Term]>,
    /// Those that count wherever they are.
    anywhere: Vec<usize>,
    /// Those that count in the right place.
    near: Vec<Asked>,
    /// By the first of their words that is looked up, which is so far from the first of all.
    by_word: HashMap<&'q str, Vec<(usize, u32)>>,
    /// Those whose words all stand for several.
    others: Vec<(usize, u32)>,
}

/// A [`Span`] of phrases that are known by number.
enum Asked {
    Each(usize),
    Or(Vec<Asked>),
    Near { left: Box<Asked>, right: Box<Asked>, within: u32, how: How },
}

impl<'q> Wanted<'q> {
    pub(super) fn of(query: &'q Query) -> Self {
        let mut wanted = Wanted {
            phrases: Vec::new(),
            anywhere: Vec::new(),
            near: Vec::new(),
            by_word: HashMap::new(),
            others: Vec::new(),
        };
        wanted.add(query, true);
        wanted
    }

    fn add(&mut self, query: &'q Query, wanted: bool) {
        match query {
            Query::And(parts) | Query::Or(parts) => parts.iter().for_each(|part| self.add(part, wanted)),
            Query::Not(inner) => self.add(inner, !wanted),
            Query::Word(term) if wanted => {
                let which = self.word(term);
                self.anywhere.push(which);
            }
            Query::Phrase(terms) if wanted => {
                let which = self.phrase(terms);
                self.anywhere.push(which);
            }
            Query::Near(near) if wanted => {
                let asked = self.asked_near(near);
                self.near.push(asked);
            }
            _ => {}
        }
    }

    fn word(&mut self, term: &'q Term) -> usize {
        let which = self.phrase(std::slice::from_ref(term));
        if term.is_any() {
            self.others.push((which, 0));
        }
        which
    }

    fn phrase(&mut self, terms: &'q [Term]) -> usize {
        let which = self.phrases.len();
        self.phrases.push(terms);
        let mut said = (0..).zip(terms).filter(|(_, term)| !term.is_any());
        // What can be looked up is rarer than what has to be tried.
        let known = said.clone().find_map(|(at, term)| Some((at, term.plain()?)));
        match (known, said.next()) {
            (Some((at, word)), _) => self.by_word.entry(word).or_default().push((which, at)),
            (None, Some((at, _))) => self.others.push((which, at)),
            // A phrase of nothing but any word at all has no place.
            (None, None) => {}
        }
        which
    }

    fn asked(&mut self, span: &'q Span) -> Asked {
        match span {
            Span::Word(term) => Asked::Each(self.word(term)),
            Span::Phrase(terms) => Asked::Each(self.phrase(terms)),
            Span::Or(parts) => Asked::Or(parts.iter().map(|part| self.asked(part)).collect()),
            Span::Near(near) => self.asked_near(near),
        }
    }

    fn asked_near(&mut self, near: &'q Near) -> Asked {
        let (left, right) = (self.asked(&near.left), self.asked(&near.right));
        Asked::Near { left: Box::new(left), right: Box::new(right), within: near.within, how: near.how }
    }

    /// The first `most` hits of some bytes of a text, in order, and whether there are more.
    pub(super) fn hits(&self, words: &Words<'_>, bytes: &Range<usize>, most: usize) -> (Vec<Hit>, bool) {
        if self.phrases.is_empty() {
            return (Vec::new(), false);
        }
        let mut places = self.places(words, bytes, most.saturating_add(1));
        let mut found: Vec<(Place, usize)> = Vec::new();
        let near = self.near.iter().map(|near| near.placed(&mut places)).collect::<Vec<_>>();
        for which in &self.anywhere {
            found.extend(places[*which].drain(..).map(|place| (place, *which)));
        }
        for near in near {
            let mut of_near = Vec::new();
            near.parts(|parts, next| {
                of_near.extend(parts.iter().map(|(which, place)| (*place, *which)));
                of_near.sort_unstable();
                of_near.dedup();
                // What comes later stands behind these.
                let certain = of_near.partition_point(|(place, _)| place.0 < next);
                if certain > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            found.append(&mut of_near);
        }
        found.sort_unstable();
        let more = found.len() > most;
        found.truncate(most);
        let hit = |(place, which): (Place, usize)| {
            Some(Hit { range: words.range(place.0, self.phrases[which])?, which })
        };
        let mut hits: Vec<Hit> = found.into_iter().filter_map(hit).collect();
        hits.sort_by_key(|hit| (hit.range.start, hit.range.end));
        (hits, more)
    }

    /// Where each phrase stands; of those that count anywhere, the first `most`.
    fn places(&self, words: &Words<'_>, bytes: &Range<usize>, most: usize) -> Vec<Vec<Place>> {
        let mut left: Vec<usize> = vec![usize::MAX; self.phrases.len()];
        self.anywhere.iter().for_each(|which| left[*which] = most);
        let mut places = vec![Vec::new(); self.phrases.len()];
        let inside =
            |here: &&[Token<'_>]| here.first().is_some_and(|token| bytes.contains(&token.range.start));
        for here in words.each().skip_while(|here| !inside(here)).take_while(inside) {
            let position = here[0].position;
            let known = here.iter().filter_map(|token| self.by_word.get(&*token.term)).flatten();
            for (which, at) in known.chain(&self.others) {
                let terms = self.phrases[*which];
                let Some(first) = position.checked_sub(*at).filter(|_| left[*which] > 0) else { continue };
                let last = u32::try_from(terms.len() - 1).unwrap_or(u32::MAX);
                let place = (first, first.saturating_add(last));
                // Two tokens of one position may have one term.
                if words.has(first, terms) && places[*which].last() != Some(&place) {
                    left[*which] -= 1;
                    places[*which].push(place);
                }
            }
        }
        places
    }
}

impl Asked {
    /// Takes the places of its phrases.
    fn placed(&self, places: &mut [Vec<Place>]) -> Placed {
        match self {
            Asked::Each(which) => Placed::Each(*which, std::mem::take(&mut places[*which])),
            Asked::Or(parts) => Placed::Or(parts.iter().map(|part| part.placed(places)).collect()),
            Asked::Near { left, right, within, how } => Placed::Near {
                left: Box::new(left.placed(places)),
                right: Box::new(right.placed(places)),
                within: *within,
                how: *how,
            },
        }
    }
}
