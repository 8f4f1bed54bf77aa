//! Takes what rules match out of a text, however it is written there.

use std::ops::Range;

use custody_schemas::text::{plain_with_map, references_with_map};

use super::Rules;
use super::changed::Changed;
use super::json::unescaped;

/// After so many passes a text goes as a whole: an expression may match what stands around a block, and
/// again what then stands around the next.
const PASSES_MAX: usize = 4;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Between the quotes of a JSON string.
    Json,
    /// As it is; what looks like an escape of JSON may be one, too.
    Plain,
}

/// A piece of a text that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    range: Range<usize>,
    /// A block of this rule takes its place; without one, another piece of the same match has it.
    rule: Option<usize>,
}

/// What a pass over a text found.
#[derive(Debug, Default)]
struct Found {
    cuts: Vec<Cut>,
    /// A rule that matches what has no place of its own in the text, such as a line that a tag begins.
    placeless: Option<usize>,
}

impl Rules {
    /// The text without what rules match, `None` when nothing does; counts blocks by rule.
    pub(super) fn clean(&self, raw: &str, written: Written, counts: &mut [u64]) -> Option<String> {
        let mut text: Option<String> = None;
        for _ in 0..PASSES_MAX {
            let now = text.as_deref().unwrap_or(raw);
            let found = self.find(now, written);
            match found.placeless {
                _ if !found.cuts.is_empty() => text = Some(self.cut(now, found.cuts, counts)),
                Some(rule) => return Some(self.block_of(rule, counts)),
                None => return text,
            }
        }
        match self.first(text.as_deref().unwrap_or(raw), written) {
            Some(rule) => Some(self.block_of(rule, counts)),
            None => text,
        }
    }

    /// The first rule that matches a text.
    pub(super) fn first(&self, text: &str, written: Written) -> Option<usize> {
        let found = self.find(text, written);
        found.cuts.iter().filter_map(|cut| cut.rule).chain(found.placeless).min()
    }

    fn block_of(&self, rule: usize, counts: &mut [u64]) -> String {
        counts[rule] += 1;
        self.block(rule)
    }

    /// Everything that rules match in any reading of a text.
    fn find(&self, raw: &str, written: Written) -> Found {
        let mut found = Found::default();
        if written == Written::Plain {
            self.find_in(&Changed::same(raw), &mut found);
        }
        if written == Written::Json || raw.contains('\\') {
            self.find_in(&unescaped(raw), &mut found);
        }
        found
    }

    /// A text as it is and, where it may be HTML, as a browser shows it and with its references decoded.
    fn find_in(&self, text: &Changed<'_>, found: &mut Found) {
        self.matches(&text.text, &mut |range, rule| {
            found.cuts.push(Cut { range: text.back(&range), rule: Some(rule) });
        });
        if !text.text.contains(['<', '&']) {
            return;
        }
        let views = [plain_with_map(Some("text/html"), &text.text), references_with_map(&text.text)];
        for view in views {
            self.matches(&view.text, &mut |range, rule| {
                let mut pieces = view.map.shown(range).into_iter();
                match pieces.next() {
                    None => found.placeless = Some(found.placeless.map_or(rule, |first| first.min(rule))),
                    Some(first) => found.cuts.push(Cut { range: text.back(&first), rule: Some(rule) }),
                }
                found.cuts.extend(pieces.map(|piece| Cut { range: text.back(&piece), rule: None }));
            });
        }
    }

    /// The text with blocks where pieces were; where several meet, the rule that comes first names one.
    fn cut(&self, text: &str, mut cuts: Vec<Cut>, counts: &mut [u64]) -> String {
        cuts.sort_by_key(|cut| cut.range.start);
        let mut merged: Vec<Cut> = Vec::with_capacity(cuts.len());
        for cut in cuts {
            match merged.last_mut() {
                Some(last) if cut.range.start < last.range.end => {
                    last.range.end = last.range.end.max(cut.range.end);
                    last.rule = [last.rule, cut.rule].into_iter().flatten().min();
                }
                _ => merged.push(cut),
            }
        }
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for cut in merged {
            out.push_str(&text[at..cut.range.start]);
            if let Some(rule) = cut.rule {
                out.push_str(&self.block_of(rule, counts));
            }
            at = cut.range.end;
        }
        out.push_str(&text[at..]);
        out
    }
}
