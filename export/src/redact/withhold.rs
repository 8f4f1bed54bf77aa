//! A record of which only who, when and which is left.

use std::borrow::Cow;

use crate::item::Shown;

use super::contract::{Member, attribute, is_number, member};
use super::json::{Place, TokenKind, is_json, tokens, unescaped};

/// Takes every text somebody wrote out of a record and puts the block there; how many times.
pub(super) fn withhold(shown: &mut Shown, block: &str) -> u64 {
    let is_binary = shown.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("ce_specversion"));
    let mut kept = Kept { key: shown.key.as_deref(), is_key: false };
    for (_, value) in shown.headers.iter().filter(|(name, _)| is_attribute(name)) {
        kept.see(value.as_deref().unwrap_or_default());
    }
    let mut count = 0;
    let payload = shown.payload.as_deref().unwrap_or_default();
    let text = std::str::from_utf8(payload).ok().filter(|text| text.trim_start().starts_with('{'));
    let written = match text.filter(|text| is_json(text.as_bytes())) {
        Some(json) => members(json, if is_binary { "data." } else { "" }, block, &mut kept, &mut count),
        None if payload.is_empty() || payload == block.as_bytes() => None,
        // Whatever it is, nothing of it is known to be no text.
        None => {
            count += 1;
            Some(block.to_owned())
        }
    };
    let keeps_key = kept.is_key;
    if let Some(written) = written {
        shown.payload = Some(written.into_bytes());
    }
    count + key_and_headers(shown, keeps_key, block)
}

/// Whether the key is one of the ids that stay.
struct Kept<'a> {
    key: Option<&'a [u8]>,
    is_key: bool,
}

impl Kept<'_> {
    fn see(&mut self, value: &[u8]) {
        self.is_key |= self.key == Some(value);
    }
}

fn is_attribute(header: &str) -> bool {
    header.eq_ignore_ascii_case("content-type")
        || attribute(header).is_some_and(|name| member(&name) == Member::Kept)
}

fn key_and_headers(shown: &mut Shown, keeps_key: bool, block: &str) -> u64 {
    let mut count = 0;
    if let Some(key) =
        shown.key.as_mut().filter(|key| !keeps_key && !key.is_empty() && key != &block.as_bytes())
    {
        *key = block.as_bytes().to_vec();
        count += 1;
    }
    for (name, value) in shown.headers.iter_mut().filter(|(name, _)| !is_attribute(name)) {
        if name != block {
            block.clone_into(name);
            count += 1;
        }
        if let Some(value) = value.as_mut().filter(|value| !value.is_empty() && value != &block.as_bytes()) {
            *value = block.as_bytes().to_vec();
            count += 1;
        }
    }
    count
}

/// The event without what somebody wrote; `None` when there was nothing.
fn members(json: &str, above: &str, block: &str, kept: &mut Kept<'_>, count: &mut u64) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    let mut place = Place::default();
    let mut at = 0;
    // How deep what is being left out began, and how deep it is now.
    let mut within: Option<usize> = None;
    let quoted = format!("\"{block}\"");
    for token in tokens(json) {
        if let Some(depth) = within {
            place.pass(json, &token);
            if place.depth() == depth {
                within = None;
                at = token.range.end;
            }
            continue;
        }
        if token.kind == TokenKind::Name {
            place.pass(json, &token);
            let name: Cow<'_, str> = unescaped(&json[token.range.clone()]).text;
            if member(&format!("{above}{}", place.path())) == Member::Unknown && name != block {
                out.push_str(&json[at..token.range.start]);
                out.push_str(block);
                at = token.range.end;
                *count += 1;
            }
            continue;
        }
        let raw = &json[token.range.clone()];
        let path = place.path();
        let of = if place.depth() == 0 { Member::Holds } else { member(&format!("{above}{path}")) };
        let (is_text, opens) = (token.kind == TokenKind::Text, token.kind == TokenKind::Open);
        let says = match token.kind {
            TokenKind::Close => false,
            TokenKind::Open => of == Member::Unknown || of == Member::Written,
            // A value where the contract has members is no value of the contract.
            _ => of != Member::Kept && raw != "null" && !(is_text && (raw.is_empty() || raw == block)),
        };
        if says {
            let from = token.range.start - usize::from(is_text);
            out.push_str(&json[at..from]);
            out.push_str(if is_number(place.name()) { "null" } else { &quoted });
            at = token.range.end + usize::from(is_text);
            *count += 1;
            within = opens.then_some(place.depth());
        } else if is_text {
            kept.see(unescaped(raw).text.as_bytes());
        }
        place.pass(json, &token);
    }
    out.push_str(&json[at..]);
    (*count > 0).then_some(out)
}
