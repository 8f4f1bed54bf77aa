//! Card numbers, IBANs and US social security numbers, by their check digits and rules. All of them
//! look through folded text in one pass.

use std::ops::Range;

/// Signs between the groups of a number, at most.
const BETWEEN_MAX: usize = 3;
/// Letters that may be written right before or after a number, as in `Visa4111…`.
const LETTERS_MAX: usize = 20;

/// Digits without anything between them.
#[derive(Debug, Clone)]
struct Group {
    range: Range<usize>,
    /// What is between it and the group before it, when that is little enough to make one number.
    joined: Option<Range<usize>>,
}

fn groups(text: &str) -> Vec<Group> {
    let bytes = text.as_bytes();
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let from = at + found;
        at = from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let between = groups.last().map(|last| last.range.end..from);
        let joins = |between: &Range<usize>| {
            between.len() <= BETWEEN_MAX && bytes[between.clone()].iter().all(|b| is_between(*b))
        };
        groups.push(Group { range: from..at, joined: between.filter(joins) });
    }
    groups
}

fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'-' | b'.')
}

/// The number does not go on before this place. Letters may stand there, but no digits before them:
/// that is an id or a hash.
fn begins(text: &str, at: usize) -> bool {
    !is_tied(text[..at].bytes().rev())
}

fn ends(text: &str, at: usize) -> bool {
    !is_tied(text[at..].bytes())
}

fn is_tied(beside: impl Iterator<Item = u8>) -> bool {
    let letters_and_next =
        beside.enumerate().find(|(at, byte)| *at == LETTERS_MAX || !byte.is_ascii_alphabetic());
    letters_and_next.is_some_and(|(_, byte)| byte.is_ascii_alphanumeric())
}

/// Card numbers: 13 to 19 digits with a Luhn check digit (ISO/IEC 7812), in groups or not.
pub(super) fn cards(text: &str, mut found: impl FnMut(Range<usize>)) {
    let groups = groups(text);
    // Every group may begin one: what is before it may be a number of another kind.
    for (at, first) in groups.iter().enumerate() {
        if begins(text, first.range.start)
            && let Some(end) = card_end(text, &groups[at..])
        {
            found(first.range.start..end);
        }
    }
}

/// Where the longest card number ends that begins with the first of these groups.
fn card_end(text: &str, groups: &[Group]) -> Option<usize> {
    let (mut digits, mut longest) = (Vec::new(), None);
    for (at, group) in groups.iter().enumerate() {
        if at > 0 && group.joined.is_none() || digits.len() + group.range.len() > 19 {
            break;
        }
        digits.extend(text[group.range.clone()].bytes().map(|b| b - b'0'));
        if is_card(&digits) && ends(text, group.range.end) {
            longest = Some(group.range.end);
        }
    }
    longest
}

fn is_card(digits: &[u8]) -> bool {
    // No card begins with 0, and with 1 only those of 15 digits: times in milliseconds do.
    let issued = match digits.first() {
        None | Some(0) => false,
        Some(1) => digits.len() == 15,
        Some(_) => (13..=19).contains(&digits.len()),
    };
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum =
        digits.iter().rev().enumerate().fold(0_u32, |sum, (at, digit)| {
            sum + u32::from(if at % 2 == 1 { doubled(*digit) } else { *digit })
        });
    issued && sum % 10 == 0
}

/// US social security numbers, `123-45-6789` with hyphens, spaces or dots. Areas 000, 666 and from 900
/// on, group 00 and serial 0000 are none (<https://www.ssa.gov/employer/randomization.html>).
pub(super) fn ssns(text: &str, mut found: impl FnMut(Range<usize>)) {
    let groups = groups(text);
    let mut at = 0;
    while let Some([area, group, serial]) = groups.get(at..at + 3) {
        let lengths = [area, group, serial].map(|group| group.range.len());
        let next = groups.get(at + 3);
        let apart = |group: Option<&Group>| {
            group.and_then(|group| group.joined.as_ref()).is_none_or(|r| &text[r.clone()] != "-")
        };
        let is = lengths == [3, 2, 4]
            && [group, serial]
                .iter()
                .all(|group| group.joined.as_ref().is_some_and(|joined| joined.len() == 1))
            && apart(Some(area))
            && apart(next)
            && begins(text, area.range.start)
            && ends(text, serial.range.end)
            && is_ssn(&text[area.range.clone()], &text[group.range.clone()], &text[serial.range.clone()]);
        if is {
            found(area.range.start..serial.range.end);
        }
        at += if is { 3 } else { 1 };
    }
}

fn is_ssn(area: &str, group: &str, serial: &str) -> bool {
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// Countries of the IBAN registry (SWIFT, release 99) and how many characters an IBAN has there.
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
    DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 \
    IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 \
    NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 \
    TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// IBANs (ISO 13616): a country, its length, and 1 modulo 97; in groups or not, upper or lower case.
pub(super) fn ibans(text: &str, mut found: impl FnMut(Range<usize>)) {
    let mut at = 0;
    while at + 4 <= text.len() {
        let end = iban_end(text.as_bytes(), at);
        match end.filter(|end| begins(text, at) && ends(text, *end)) {
            Some(end) => {
                found(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the IBAN ends that begins here.
fn iban_end(bytes: &[u8], from: usize) -> Option<usize> {
    let [a, b, c, d] = bytes.get(from..from + 4)?.try_into().ok()?;
    if ![a, b].iter().all(u8::is_ascii_alphabetic) || ![c, d].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let entry = IBANS.split_whitespace().find(|entry| entry.as_bytes().starts_with(&country))?;
    let length: usize = entry[2..].parse().ok()?;
    let (mut characters, mut at, mut between) = (Vec::with_capacity(length), from, 0);
    while characters.len() < length {
        let byte = *bytes.get(at)?;
        at += 1;
        if byte.is_ascii_alphanumeric() {
            characters.push(byte.to_ascii_uppercase());
            between = 0;
        } else {
            between += 1;
            if !is_between(byte) || between > BETWEEN_MAX {
                return None;
            }
        }
    }
    characters.rotate_left(4);
    let remainder = characters.iter().try_fold(0_u32, |sum, c| {
        let value = char::from(*c).to_digit(36)?;
        Some((sum * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    (remainder == Some(1)).then_some(at)
}
