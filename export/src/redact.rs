//! Redaction: text that a production must not show is not in its records any more.
//!
//! Rules work on the bytes of a record before any format sees it, so no format can show what is gone.
//! A place that a rule matches becomes `[redacted: NAME]`, whose length says nothing of what was there.
//! The record's position and leaf hash stay those of the archive: that it is of its batch can be
//! proven, what it said cannot be read.
//!
//! Covered by patterns:
//! - every string of a JSON payload, in whatever escapes it is written, and every number as its text;
//!   where the contract has a number, `null` takes its place. Names of members too.
//! - what may be HTML (it holds `<` or `&`) as a browser shows it, so a match across tags is found;
//!   and with its character references decoded and its markup left, for attributes, comments, scripts
//! - a payload that is no JSON as text, and as the text of a JSON string where it has backslashes;
//!   bytes that are no UTF-8 stay, and part what is before them from what is after
//! - the key, names and values of headers
//!
//! Not covered: text that is encoded once more (base64, percent signs, compression, UTF-16, JSON within
//! a JSON string as far as its escapes go); a match that goes from one JSON value to the next; files
//! that a record refers to; what a person can tell from the rest. Names of members and words of the contract
//! (`"kind":"direct"`, types of events, times) stay whatever matches them: nobody wrote them. The row
//! of a gap is the archive's own, and stays. Ids and addresses are redacted like everything else: then
//! records that had different ones look alike. Ids of Skype's and Teams' conversations, which have the
//! form of e-mail addresses, are not taken for such.
//!
//! A rule of positions withholds whole records: every text that somebody wrote and everything that the
//! contract does not know becomes a block; parties, times and ids stay. A payload that is no JSON object
//! goes as a whole, and so does a key that is none of the ids.

mod addresses;
mod changed;
mod clean;
mod contract;
mod fold;
mod json;
mod numbers;
mod withhold;

use std::collections::BTreeMap;
use std::ops::Range;

use custody_schemas::Position;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::item::Shown;
use crate::settings::{
    REDACTION_NAME_BYTES_MAX, REDACTION_PATTERN_BYTES_MAX, REDACTION_PROGRAM_BYTES_MAX, REDACTION_RULES_MAX,
    REQUEST_TEXT_BYTES_MAX,
};
use addresses::Addresses;
use clean::Written;
use json::{Place, TokenKind};

/// What is to be redacted, under which name and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// Stands in place of what is gone: ASCII letters, digits, spaces, `.`, `_` and `-`.
    pub name: String,
    /// Why, for the receipt.
    pub reason: String,
    /// What.
    pub what: What,
}

/// What is to be redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Card numbers of 13 to 19 digits with their check digit (Luhn).
    Card,
    /// IBANs with their check digits (modulo 97), of the lengths that their countries have.
    Iban,
    /// US social security numbers with signs between their groups, without those that are never given.
    Ssn,
    /// E-mail addresses.
    Email,
    /// Phone numbers: international with `+` or `00`, North American, and with a trunk `0`.
    Phone,
    /// What a regular expression of the `regex` crate matches. It is searched for in time linear in
    /// the text; what is empty is no match.
    Pattern(String),
    /// Whole records, by position: `topic:generation:partition:offset`.
    Records(Vec<String>),
}

/// How often a rule redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The rule's name.
    pub rule: String,
    /// How many blocks it left; 0 for a withheld record in which there was no text.
    pub count: u64,
}

/// Redactions that can be applied.
#[derive(Debug)]
pub(crate) struct Rules {
    names: Vec<String>,
    patterns: Vec<(usize, Pattern)>,
    withheld: BTreeMap<Position, usize>,
    addresses: Addresses,
}

#[derive(Debug)]
enum Pattern {
    Card,
    Iban,
    Ssn,
    Email,
    Phone,
    Own(Regex),
}

impl Rules {
    /// Checks and compiles redactions.
    ///
    /// # Errors
    /// Of kind `Invalid`, naming the redaction: a name that cannot stand in a text or is there twice, no
    /// reason, an expression that is none, is too large, matches nothing at all, or matches blocks.
    pub(crate) fn new(redactions: &[Redaction]) -> Result<Self, Error> {
        if redactions.len() > REDACTION_RULES_MAX {
            return Err(Error::invalid(format!("more than {REDACTION_RULES_MAX} redactions")));
        }
        let mut rules = Rules {
            names: redactions.iter().map(|redaction| redaction.name.clone()).collect(),
            patterns: Vec::new(),
            withheld: BTreeMap::new(),
            addresses: Addresses::new()?,
        };
        for (at, redaction) in redactions.iter().enumerate() {
            let name = &redaction.name;
            let refuse = |why: String| Error::invalid(format!("redaction {name:?}: {why}"));
            check_words(redaction).map_err(refuse)?;
            if rules.names[..at].contains(name) {
                return Err(refuse("there are two of this name".into()));
            }
            let pattern = match &redaction.what {
                What::Card => Pattern::Card,
                What::Iban => Pattern::Iban,
                What::Ssn => Pattern::Ssn,
                What::Email => Pattern::Email,
                What::Phone => Pattern::Phone,
                What::Pattern(pattern) => Pattern::Own(compiled(pattern).map_err(refuse)?),
                What::Records(positions) => {
                    // The first that names a record names its blocks.
                    for position in positions {
                        let position = position.parse::<Position>().map_err(|e| refuse(e.to_string()))?;
                        rules.withheld.entry(position).or_insert(at);
                    }
                    continue;
                }
            };
            rules.patterns.push((at, pattern));
        }
        // Otherwise blocks would be redacted in turn, without end.
        for at in 0..rules.names.len() {
            let block = rules.block(at);
            if let Some(rule) = rules.first(&block, Written::Plain) {
                let name = &rules.names[rule];
                return Err(Error::invalid(format!(
                    "redaction {name:?} matches {block:?}, which stands for what is gone"
                )));
            }
        }
        Ok(rules)
    }

    fn block(&self, rule: usize) -> String {
        format!("[redacted: {}]", self.names[rule])
    }

    /// What rules match in a text as it stands.
    fn matches(&self, text: &str, found: &mut dyn FnMut(Range<usize>, usize)) {
        if self.patterns.is_empty() || text.is_empty() {
            return;
        }
        let folded = fold::folded(text);
        for (at, pattern) in &self.patterns {
            let known = |range: Range<usize>| found(folded.back(&range), *at);
            match pattern {
                Pattern::Card => numbers::cards(&folded.text, known),
                Pattern::Iban => numbers::ibans(&folded.text, known),
                Pattern::Ssn => numbers::ssns(&folded.text, known),
                Pattern::Email => self.addresses.emails(&folded.text, known),
                Pattern::Phone => self.addresses.phones(&folded.text, known),
                Pattern::Own(regex) => {
                    let matches = regex.find_iter(text).map(|matched| matched.range());
                    matches.filter(|range| !range.is_empty()).for_each(|range| found(range, *at));
                }
            }
        }
    }
}

fn check_words(redaction: &Redaction) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
    let name = &redaction.name;
    if name.trim() != name
        || name.is_empty()
        || name.len() > REDACTION_NAME_BYTES_MAX
        || !name.chars().all(plain)
    {
        return Err(format!(
            "a name is 1 to {REDACTION_NAME_BYTES_MAX} ASCII letters, digits, spaces, points, hyphens or underscores"
        ));
    }
    if redaction.reason.trim().is_empty() {
        return Err("it has no reason: the receipt says why".into());
    }
    if redaction.reason.len() > REQUEST_TEXT_BYTES_MAX {
        return Err(format!("its reason is longer than {REQUEST_TEXT_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > REDACTION_PATTERN_BYTES_MAX {
        return Err(format!("its expression is longer than {REDACTION_PATTERN_BYTES_MAX} bytes"));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(REDACTION_PROGRAM_BYTES_MAX).dfa_size_limit(REDACTION_PROGRAM_BYTES_MAX);
    let regex = builder.build().map_err(|e| format!("its expression is none: {e}"))?;
    if regex.is_match("") {
        return Err("its expression matches where nothing is".into());
    }
    Ok(regex)
}

/// Takes out of a record what rules say, and says how often each did.
pub(crate) fn apply(rules: &Rules, shown: &mut Shown) -> Vec<Applied> {
    // The archive wrote the row of a gap.
    if shown.is_gap {
        return Vec::new();
    }
    let mut counts = vec![0; rules.names.len()];
    let withheld = rules.withheld.get(&shown.position).copied();
    if let Some(rule) = withheld {
        counts[rule] += withhold::withhold(shown, &rules.block(rule));
    }
    if !rules.patterns.is_empty() {
        rules.redact(shown, &mut counts);
    }
    let total: u64 = counts.iter().sum();
    shown.redactions = shown.redactions.saturating_add(u32::try_from(total).unwrap_or(u32::MAX));
    let applied = counts.into_iter().enumerate().filter(|(at, count)| *count > 0 || withheld == Some(*at));
    applied.map(|(at, count)| Applied { rule: rules.names[at].clone(), count }).collect()
}

impl Rules {
    /// Takes out what patterns match.
    fn redact(&self, shown: &mut Shown, counts: &mut [u64]) {
        for (name, value) in &mut shown.headers {
            let attribute = contract::attribute(name).unwrap_or_else(|| name.to_ascii_lowercase());
            if let Some(bytes) = value
                && !std::str::from_utf8(bytes).is_ok_and(|value| contract::is_word(&attribute, value))
                && let Some(clean) = self.clean_bytes(bytes, counts)
            {
                *bytes = clean;
            }
            if !contract::is_name(name)
                && let Some(clean) = self.clean(name, Written::Plain, counts)
            {
                *name = clean;
            }
        }
        if let Some(key) = &mut shown.key
            && let Some(clean) = self.clean_bytes(key, counts)
        {
            *key = clean;
        }
        if let Some(payload) = &mut shown.payload {
            let json = std::str::from_utf8(payload).ok().filter(|text| json::is_json(text.as_bytes()));
            let clean = match json {
                Some(json) => self.clean_json(json, counts).map(String::into_bytes),
                None => self.clean_bytes(payload, counts),
            };
            if let Some(clean) = clean {
                *payload = clean;
            }
        }
    }

    /// The same bytes but for what patterns match; `None` when they match nothing.
    fn clean_bytes(&self, bytes: &[u8], counts: &mut [u64]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut is_clean = true;
        for chunk in bytes.utf8_chunks() {
            match self.clean(chunk.valid(), Written::Plain, counts) {
                Some(clean) => {
                    is_clean = false;
                    out.extend_from_slice(clean.as_bytes());
                }
                None => out.extend_from_slice(chunk.valid().as_bytes()),
            }
            out.extend_from_slice(chunk.invalid());
        }
        (!is_clean).then_some(out)
    }

    /// The same JSON but for what patterns match; `None` when they match nothing.
    fn clean_json(&self, json: &str, counts: &mut [u64]) -> Option<String> {
        let mut out: Option<String> = None;
        let (mut place, mut at) = (Place::default(), 0);
        for token in json::tokens(json) {
            place.pass(json, &token);
            let raw = &json[token.range.clone()];
            let clean = match token.kind {
                TokenKind::Name if contract::is_name(place.name()) => None,
                TokenKind::Text if contract::is_word(place.name(), raw) => None,
                TokenKind::Name | TokenKind::Text => self.clean(raw, Written::Json, counts),
                TokenKind::Number => self.first(raw, Written::Plain).map(|rule| {
                    counts[rule] += 1;
                    if contract::is_number(place.name()) {
                        "null".into()
                    } else {
                        format!("\"{}\"", self.block(rule))
                    }
                }),
                TokenKind::Word | TokenKind::Open | TokenKind::Close => None,
            };
            if let Some(clean) = clean {
                let out = out.get_or_insert_default();
                out.push_str(&json[at..token.range.start]);
                out.push_str(&clean);
                at = token.range.end;
            }
        }
        if let Some(out) = &mut out {
            out.push_str(&json[at..]);
        }
        out
    }
}

#[cfg(test)]
mod tests;
