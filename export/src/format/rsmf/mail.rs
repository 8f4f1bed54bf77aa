//! A mail as bytes: headers that cannot be broken out of, and base64.
//!
//! Source: RFC 5322 (folding, addresses), RFC 2047 (encoded words), RFC 2045 (base64).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_schemas::Hash;

use crate::document::Person;
use crate::settings::RSMF_NAME_CHARS_MAX;

/// RFC 5322 wants lines of at most 78.
const LINE_CHARS: usize = 78;
/// Bytes of text in an encoded word: 45 are 60 characters, and 12 around them make 72 of the 75 allowed.
const WORD_BYTES: usize = 45;
/// Octets of a local part, RFC 5321.
const LOCAL_PART_BYTES_MAX: usize = 64;

/// Appends a header unless it is empty. Its value may be any text: controls and line ends become spaces, and what is
/// not plain ASCII, or looks like an encoded word, is encoded.
pub(super) fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = clean(value);
    // RFC 2047 knows no encoded word of nothing, and RFC 5322 no line of spaces.
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if is_plain(&value) {
        fold(out, name.len() + 2, &value);
    } else {
        encoded(out, &value);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a header of addresses; nothing if there are none.
pub(super) fn addresses(out: &mut Vec<u8>, name: &str, people: &[&Person]) {
    for (n, person) in people.iter().enumerate() {
        out.extend_from_slice(if n == 0 { name.as_bytes() } else { b"," });
        out.extend_from_slice(if n == 0 { b": " } else { b"\r\n " });
        let display = clean(&cut(person.label()));
        if is_plain(&display) && display.len() < LINE_CHARS {
            out.push(b'"');
            for byte in display.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        } else {
            encoded(out, &display);
        }
        out.extend_from_slice(b"\r\n <");
        out.extend_from_slice(address(person).as_bytes());
        out.push(b'>');
    }
    if !people.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
}

/// A person's address where it is one of mail's form, without its scheme; else one at a domain that
/// never exists, `NATIVE@NETWORK.invalid`, in which all but letters and digits are percent-encoded.
pub(super) fn address(person: &Person) -> String {
    let native = person.address.as_deref().unwrap_or_default();
    let bare =
        ["sip:", "sips:", "mailto:", "xmpp:", "im:"].iter().find_map(|scheme| native.strip_prefix(scheme));
    let bare = bare.unwrap_or(native);
    if bare.split_once('@').is_some_and(|(local, domain)| is_dot_atom(local) && is_domain(domain)) {
        return bare.to_owned();
    }
    let network = person.network.as_deref().unwrap_or_default();
    let network: String = network.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let network = if network.is_empty() { "unknown".to_owned() } else { network.to_lowercase() };
    let named = if native.is_empty() { person.label() } else { native };
    let mut local = String::new();
    for byte in named.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => local.push(char::from(byte)),
            _ => local += &format!("%{byte:02X}"),
        }
    }
    if local.len() > LOCAL_PART_BYTES_MAX {
        local.truncate(LOCAL_PART_BYTES_MAX - 17);
        local = format!("{local}-{}", &Hash::of(named.as_bytes()).to_string()[..16]);
    }
    format!("{local}@{network}.invalid")
}

fn is_dot_atom(text: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.len() <= LOCAL_PART_BYTES_MAX
        && text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A text as a header shows it, cut where it is longer than people's names and titles are.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(RSMF_NAME_CHARS_MAX) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// Without anything that could end a line.
fn clean(value: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    value.chars().map(|c| if breaks(c) { ' ' } else { c }).collect()
}

/// Whether a header can hold it as it is: no word too long for a line, no space that gets lost.
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !value.contains("=?")
        && value.trim() == value
        && !value.is_empty()
        && value.split(' ').all(|word| word.len() < LINE_CHARS)
}

/// Breaks lines before single spaces; `column` characters are in the line already.
fn fold(out: &mut Vec<u8>, mut column: usize, value: &str) {
    let mut before = "";
    for word in value.split(' ') {
        // A line of nothing but spaces would not be a header's.
        if !before.is_empty() && !word.is_empty() && column + 1 + word.len() > LINE_CHARS {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(word.as_bytes());
        column += before.len() + word.len();
        before = " ";
    }
}

/// Encoded words of whole characters, each on a line of its own.
fn encoded(out: &mut Vec<u8>, value: &str) {
    let mut rest = value;
    loop {
        let mut end = rest.len().min(WORD_BYTES);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        out.extend_from_slice(b"=?UTF-8?B?");
        out.extend_from_slice(STANDARD.encode(&rest[..end]).as_bytes());
        out.extend_from_slice(b"?=");
        rest = &rest[end..];
        if rest.is_empty() {
            return;
        }
        out.extend_from_slice(b"\r\n ");
    }
}

/// Appends bytes as lines of base64.
pub(super) fn base64_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(57) * 78);
    let mut line = String::with_capacity(76);
    for chunk in bytes.chunks(57) {
        line.clear();
        STANDARD.encode_string(chunk, &mut line);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
