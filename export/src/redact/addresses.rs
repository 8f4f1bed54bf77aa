//! E-mail addresses and phone numbers, by their form.

use std::ops::Range;

use regex::Regex;

use crate::error::Error;

/// RFC 5322 addresses as people write them, in any script; a quoted local part and an address literal
/// as well. Backtracking is none of this engine's: it is linear in the text.
const EMAIL: &str =
    r#"(?:[\w.!#$%&'*+/=?^`{|}~-]+|"[^"\r\n]{1,64}")@(?:[\w-]+(?:\.[\w-]+)+|\[[0-9A-Za-z:.]+\])"#;
/// Ids of Skype's and Teams' conversations have the form of an address: to take them away would throw
/// all conversations together.
const CONVERSATIONS: [&str; 4] = ["thread.skype", "thread.v2", "thread.tacv2", "unq.gbl.spaces"];

/// Phone numbers, by how they begin.
const PHONES: [&str; 4] = [
    // + and a country: E.164 has 15 digits at most, a trunk 0 in brackets may be there as well.
    r"\+[ ]?\(?[1-9](?:[ ().\-/]{0,3}[0-9]){6,15}\b",
    // 00 and a country.
    r"00[ ]?[1-9](?:[ ().\-/]{0,3}[0-9]){7,14}\b",
    // North America.
    r"(?:1[ .\-]{1,3})?(?:\([2-9][0-9]{2}\)[ .\-]{0,3}|[2-9][0-9]{2}[ .\-/]{1,3})[2-9][0-9]{2}[ .\-]{1,3}[0-9]{4}\b",
    // A trunk 0, as most of Europe has it.
    r"\(?0[1-9][0-9]{0,4}\)?[ ./\-]{1,3}[0-9](?:[ .\-/]{0,3}[0-9]){4,10}\b",
];

/// The expressions, compiled.
#[derive(Debug)]
pub(super) struct Addresses {
    email: Regex,
    phones: Vec<Regex>,
    date: Regex,
}

impl Addresses {
    pub(super) fn new() -> Result<Self, Error> {
        let regex = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|e| Error::with(crate::Kind::Invalid, "a rule of ours is no pattern", e))
        };
        Ok(Addresses {
            email: regex(EMAIL)?,
            phones: PHONES.iter().map(|pattern| regex(pattern)).collect::<Result<_, _>>()?,
            date: regex(r"^\(?0?[0-9][./\-][0-9]{1,2}[./\-](?:[0-9]{4}|[0-9]{2}(?:$|[^0-9./\-]))")?,
        })
    }

    pub(super) fn emails(&self, text: &str, mut found: impl FnMut(Range<usize>)) {
        if !text.contains('@') {
            return;
        }
        for address in self.email.find_iter(text) {
            let domain = address.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
            if !CONVERSATIONS.contains(&domain) {
                // Of an attribute in single quotes only the value.
                let before = address.as_str().rfind("='").map_or(0, |at| at + 2);
                found(address.start() + before..address.end());
            }
        }
    }

    pub(super) fn phones(&self, text: &str, mut found: impl FnMut(Range<usize>)) {
        if text.bytes().filter(u8::is_ascii_digit).take(7).count() < 7 {
            return;
        }
        for (at, phone) in self.phones.iter().enumerate() {
            let mut from = 0;
            while let Some(number) = phone.find_at(text, from) {
                let digits = number.as_str().bytes().filter(u8::is_ascii_digit).count();
                let is = stands_alone(text, &number.range(), at)
                    && match at {
                        // Numbers that are filled up with zeros have no signs in them.
                        1 => digits >= 10 && (digits >= 12 || number.len() > digits),
                        3 => digits >= 8 && !self.date.is_match(number.as_str()),
                        _ => true,
                    };
                if is {
                    found(number.range());
                    from = number.end();
                } else {
                    // Behind the digits that it began with: a number may begin within what was none.
                    let begun = number.as_str().bytes().take_while(|b| b.is_ascii_digit()).count().max(1);
                    from = number.start() + begun;
                }
            }
        }
    }
}

/// It is no part of a longer number, of an id, of a date or of a sum: nobody groups the digits of those.
fn stands_alone(text: &str, number: &Range<usize>, which: usize) -> bool {
    let mut before = text[..number.start].chars().rev();
    match (before.next(), before.next()) {
        (Some(c), _) if which == 0 && c.is_numeric() => {
            !text[number.clone()].bytes().skip(1).all(|byte| byte.is_ascii_digit())
        }
        (Some(c), _) if which > 0 && c.is_alphanumeric() => false,
        (Some('.' | '-' | '/'), Some(c)) if which > 1 => !c.is_alphanumeric(),
        _ => true,
    }
}
