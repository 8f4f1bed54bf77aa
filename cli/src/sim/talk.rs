//! Sentences: templates filled with words of Zipf's frequencies.

use super::Wording;
use super::prose::Prose;
use super::rng::{Rng, Zipf};
use super::words::{ADJECTIVES, COMPANIES, DAYS, FIRST, FIXED, NOUNS, SENTENCES, VERBS};

/// The frequencies, computed once.
#[derive(Debug)]
pub(super) struct Talk {
    sentences: Zipf,
    nouns: Zipf,
    verbs: Zipf,
    adjectives: Zipf,
    companies: Zipf,
    days: Zipf,
    prose: Option<Prose>,
}

/// A message's text and its media type.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) content_type: &'static str,
}

/// One message in so many is a sentence that a demonstration searches for.
const FIXED_ONE_IN: u64 = 3_000;
const HTML_PER_MILLE: u64 = 30;

impl Talk {
    pub(super) fn new(wording: Wording) -> Self {
        Talk {
            sentences: Zipf::new(SENTENCES.len() + FLATTEN),
            nouns: Zipf::new(NOUNS.len()),
            verbs: Zipf::new(VERBS.len()),
            adjectives: Zipf::new(ADJECTIVES.len()),
            companies: Zipf::new(COMPANIES.len()),
            days: Zipf::new(DAYS.len()),
            prose: match wording {
                Wording::Sentences => None,
                Wording::Vocabulary { seed } => Some(Prose::new(seed)),
            },
        }
    }

    /// A chat message.
    pub(super) fn message(&self, rng: &mut Rng) -> Body {
        let prose = self.prose.as_ref().and_then(|prose| prose.message(self, rng));
        prose.unwrap_or_else(|| self.sentences(rng))
    }

    /// Mostly one sentence, at times a paragraph.
    fn sentences(&self, rng: &mut Rng) -> Body {
        if rng.below(FIXED_ONE_IN) == 0 {
            return Body { text: rng.pick(&FIXED).to_owned(), content_type: "text/plain" };
        }
        let sentences = match rng.below(100) {
            0..72 => 1,
            72..92 => 2,
            92..98 => 3,
            _ => rng.between(4, 9),
        };
        let html = rng.per_mille(HTML_PER_MILLE);
        let mut text = String::with_capacity(64 * sentences as usize);
        if html {
            text.push_str("<p>");
        }
        for n in 0..sentences {
            if n > 0 {
                text.push(' ');
            }
            self.sentence(rng, html, &mut text);
        }
        if html {
            text.push_str("</p>");
        }
        Body { text, content_type: if html { "text/html" } else { "text/plain" } }
    }

    /// The title of a group or the stem of a file's name: an adjective and a noun.
    pub(super) fn title(&self, rng: &mut Rng) -> String {
        let mut title = format!("{} {}", self.adjective(rng), self.noun(rng));
        if let Some(first) = title.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        title
    }

    /// A word of the sentences.
    pub(super) fn word(&self, rng: &mut Rng, out: &mut String) {
        out.push_str(match rng.below(3) {
            0 => self.noun(rng),
            1 => VERBS[self.verbs.rank(rng)],
            _ => self.adjective(rng),
        });
    }

    fn noun(&self, rng: &mut Rng) -> &'static str {
        NOUNS[self.nouns.rank(rng)]
    }

    fn adjective(&self, rng: &mut Rng) -> &'static str {
        ADJECTIVES[self.adjectives.rank(rng)]
    }

    fn sentence(&self, rng: &mut Rng, html: bool, out: &mut String) {
        // The head of Zipf's law is cut off: nobody says "ok" every third time.
        let rank = self.sentences.rank(rng);
        let template = match rank.checked_sub(FLATTEN) {
            Some(rank) => SENTENCES[rank],
            None => SENTENCES[rng.index(SENTENCES.len())],
        };
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            self.fill(name, rng, html, out);
            rest = after;
        }
        out.push_str(rest);
    }

    fn fill(&self, name: &str, rng: &mut Rng, html: bool, out: &mut String) {
        match name {
            "n" if html => {
                out.push_str("<b>");
                out.push_str(self.noun(rng));
                out.push_str("</b>");
            }
            "n" => out.push_str(self.noun(rng)),
            "v" => out.push_str(VERBS[self.verbs.rank(rng)]),
            "a" => out.push_str(self.adjective(rng)),
            "p" => out.push_str(rng.pick(&FIRST).1),
            "d" => out.push_str(DAYS[self.days.rank(rng)]),
            "c" => out.push_str(COMPANIES[self.companies.rank(rng)]),
            "i" => number(2_013_000_000 + rng.below(1_000_000), out),
            "m" => amount(rng, out),
            _ => {
                number(rng.between(8, 18), out);
                out.push_str(rng.pick(&[":00", ":15", ":30", ":45"]));
            }
        }
    }
}

/// Ranks of Zipf's law that stand for "any sentence".
const FLATTEN: usize = 3;

pub(super) fn amount(rng: &mut Rng, out: &mut String) {
    number(rng.between(1, 999), out);
    out.push_str(rng.pick(&["", ",000", ",500", " million"]));
    out.push_str(rng.pick(&[" EUR", " USD", " GBP", " €"]));
}

/// Decimal digits, without the machinery of `format!`.
pub(super) fn number(mut n: u64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|&digit| char::from(digit)));
}
