//! JSON as it was sent, on several lines: order, repeated members and the digits
//! of numbers stay, because what is shown is evidence.

use serde::de::IgnoredAny;

/// Deeper levels are not indented further: a payload of brackets alone would
/// otherwise become quadratically long.
const INDENT_LEVELS_MAX: usize = 32;

/// The text with line breaks and indents between its tokens; `None` when it is
/// not JSON.
pub(crate) fn pretty(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut rest) = (0_usize, text.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = token(rest, first);
        let (token, after) = rest.split_at(length);
        rest = after.trim_start();
        let empty = matches!(first, '{' | '[') && rest.starts_with(['}', ']']);
        let closes = matches!(first, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
            if !out.ends_with(['{', '[']) {
                line(&mut out, depth);
            }
        }
        out.push_str(token);
        match first {
            '{' | '[' => {
                depth += 1;
                if !empty {
                    line(&mut out, depth);
                }
            }
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    Some(out)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth.min(INDENT_LEVELS_MAX)));
}

/// How long the token is that the text, which is JSON, begins with.
fn token(text: &str, first: char) -> usize {
    match first {
        '"' => string(text.as_bytes()),
        '{' | '}' | '[' | ']' | ',' | ':' => 1,
        _ => text.find([',', ':', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(text.len()),
    }
}

fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}
