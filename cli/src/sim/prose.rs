//! Messages of a large vocabulary: as long as people's, with names, numbers, addresses and links.

use super::rng::Rng;
use super::talk::{Body, Talk, amount, number};
use super::vocabulary::Vocabulary;
use super::words::{FIRST, LAST};

/// The others are the sentences of a small simulation: "ok", "Lunch at 12:30?".
const PROSE_PER_MILLE: u64 = 850;
const HTML_PER_MILLE: u64 = 30;
/// Words of a message, in how many of a thousand: half have at most eight, one in a thousand is a
/// document that somebody pasted.
const LENGTHS: [(u64, u64, u64); 6] =
    [(330, 1, 4), (430, 5, 12), (190, 13, 28), (40, 29, 70), (9, 71, 200), (1, 201, 1_500)];

/// The words of a simulation, and how messages are made of them.
#[derive(Debug)]
pub(super) struct Prose {
    words: Vocabulary,
}

impl Prose {
    pub(super) fn new(seed: u64) -> Self {
        Prose { words: Vocabulary::new(seed) }
    }

    /// A message, unless it is to be one of the few sentences.
    pub(super) fn message(&self, talk: &Talk, rng: &mut Rng) -> Option<Body> {
        if !rng.per_mille(PROSE_PER_MILLE) {
            return None;
        }
        let html = rng.per_mille(HTML_PER_MILLE);
        let words = length(rng);
        let mut text = String::with_capacity(8 * words as usize + 16);
        text.push_str(if html { "<p>" } else { "" });
        let mut left = words;
        while left > 0 {
            let sentence = rng.between(4, 16).min(left);
            left -= sentence;
            self.sentence(sentence, talk, rng, html, &mut text);
            if left > 0 {
                text.push(' ');
            }
        }
        text.push_str(if html { "</p>" } else { "" });
        Some(Body { text, content_type: if html { "text/html" } else { "text/plain" } })
    }

    fn sentence(&self, words: u64, talk: &Talk, rng: &mut Rng, html: bool, out: &mut String) {
        let start = out.len();
        for nth in 0..words {
            if nth > 0 {
                out.push_str(if rng.below(12) == 0 { ", " } else { " " });
            }
            let bold = html && rng.below(10) == 0;
            out.push_str(if bold { "<b>" } else { "" });
            self.word(talk, rng, out);
            out.push_str(if bold { "</b>" } else { "" });
        }
        // Chats are written in small letters as often as not.
        if rng.per_mille(500)
            && let Some(first) = out.get_mut(start..start + 1)
        {
            first.make_ascii_uppercase();
        }
        out.push_str(rng.pick(&["", "", "", ".", ".", ".", ".", "?", "!", "..."]));
    }

    /// One word, or what stands in its place.
    fn word(&self, talk: &Talk, rng: &mut Rng, out: &mut String) {
        match rng.below(1_000) {
            0..905 => out.push_str(self.words.any(rng)),
            905..945 => talk.word(rng, out),
            945..970 => out.push_str(rng.pick(&FIRST).1),
            970..976 => out.push_str(rng.pick(&LAST).1),
            976..984 => number(rng.between(1, 3_000), out),
            984..988 => amount(rng, out),
            // Numbers of orders and files: nearly every one is new.
            988..992 => number(1_000_000 + rng.below(90_000_000), out),
            992..995 => self.address(rng, out),
            995..998 => self.link(rng, out),
            _ => self.mention(rng, out),
        }
    }

    fn address(&self, rng: &mut Rng, out: &mut String) {
        out.push_str(rng.pick(&FIRST).0);
        out.push('.');
        out.push_str(rng.pick(&LAST).0);
        out.push('@');
        out.push_str(self.words.any(rng));
        out.push_str(rng.pick(&[".example", ".example", ".test"]));
    }

    fn link(&self, rng: &mut Rng, out: &mut String) {
        out.push_str("https://");
        out.push_str(rng.pick(&["files", "www", "wiki", "mail"]));
        out.push_str(rng.pick(&[".contoso.example/", ".fabrikam.example/", ".northwind.example/"]));
        out.push_str(self.words.any(rng));
        out.push('/');
        out.push_str(self.words.any(rng));
        out.push_str("?id=");
        number(rng.below(10_000_000), out);
    }

    fn mention(&self, rng: &mut Rng, out: &mut String) {
        out.push('@');
        out.push_str(rng.pick(&FIRST).0);
        out.push('.');
        out.push_str(rng.pick(&LAST).0);
    }
}

fn length(rng: &mut Rng) -> u64 {
    let mut drawn = rng.below(1_000);
    for (of_thousand, least, most) in LENGTHS {
        match drawn.checked_sub(of_thousand) {
            Some(rest) => drawn = rest,
            None => return rng.between(least, most),
        }
    }
    1
}
