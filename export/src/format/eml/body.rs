//! Bodies as mail carries them: quoted-printable and base64 of RFC 2045.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line, its line end not counted (RFC 2045, section 6.7).
const LINE_MAX: usize = 76;
/// Bytes that fill a line of base64.
const LINE_BYTES: usize = LINE_MAX / 4 * 3;

/// The transfer encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Stays readable: for texts of mostly ASCII.
    QuotedPrintable,
    /// Smaller for all others.
    Base64,
}

impl Encoding {
    /// The one that is smaller.
    pub(super) fn of(text: &str) -> Self {
        let escaped = text.bytes().filter(|byte| !byte.is_ascii() || *byte == b'=').count();
        if escaped * 6 > text.len() { Encoding::Base64 } else { Encoding::QuotedPrintable }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::QuotedPrintable => "quoted-printable",
            Encoding::Base64 => "base64",
        }
    }

    /// Appends a text whose lines end with `\n`; they will end with CRLF. Ends a line.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Encoding::QuotedPrintable => quoted_printable(text, out),
            Encoding::Base64 => base64(text.replace('\n', "\r\n").as_bytes(), out),
        }
    }
}

/// Appends bytes as lines of base64.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let mut line = String::with_capacity(LINE_MAX);
    for chunk in bytes.chunks(LINE_BYTES) {
        line.clear();
        STANDARD.encode_string(chunk, &mut line);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn quoted_printable(text: &str, out: &mut Vec<u8>) {
    for line in text.split_inclusive('\n') {
        let is_whole = line.ends_with('\n');
        quoted_line(line.strip_suffix('\n').unwrap_or(line).as_bytes(), out);
        // Without its line end the text goes on in the boundary's line: a soft break keeps it exact.
        out.extend_from_slice(if is_whole { b"\r\n" } else { b"=\r\n" });
    }
}

/// Bytes that stand for themselves; spaces and tabs not at the end of a line.
const LITERAL: [bool; 256] = {
    let mut literal = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        literal[byte as usize] = byte != b'=';
        byte += 1;
    }
    literal[b'\t' as usize] = true;
    literal
};

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    // A mailbox would change such a line, and a server end the mail with a dot.
    let guard = line.starts_with(b"From ") || line == b".";
    let end = line.len() - usize::from(matches!(line.last(), Some(b' ' | b'\t')));
    let is_literal = |at: usize| at < end && LITERAL[usize::from(line[at])] && !(guard && at == 0);
    let (mut at, mut column) = (0, 0);
    while at < line.len() {
        // The last column is for the soft break's `=`.
        let room = (at + LINE_MAX - 1 - column).min(line.len());
        let literal = (at..room).find(|at| !is_literal(*at)).unwrap_or(room);
        out.extend_from_slice(&line[at..literal]);
        column += literal - at;
        at = literal;
        if at == line.len() {
            break;
        }
        let width = if is_literal(at) { 1 } else { 3 };
        if column + width > LINE_MAX - 1 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if width == 3 {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let byte = line[at];
            out.extend([b'=', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            (at, column) = (at + 1, column + 3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, encoding: Encoding, expected: &str) {
        let mut out = Vec::new();
        encoding.write(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
    }

    #[test]
    fn texts_are_encoded() {
        let check = |text: &str, expected: &str| check(text, Encoding::QuotedPrintable, expected);
        check("", "");
        check("a\n", "a\r\n");
        check("a", "a=\r\n");
        check("a = \t\n", "a =3D =09\r\n");
        check(" \n", "=20\r\n");
        check("From me\n>From\nFrom\n.\n..\n", "=46rom me\r\n>From\r\nFrom\r\n=2E\r\n..\r\n");
        check("é\0\r\n", "=C3=A9=00=0D\r\n");
        let long = "x".repeat(75);
        check(&format!("{long}\n"), &format!("{long}\r\n"));
        check(&format!("{long}x\n"), &format!("{long}=\r\nx\r\n"));
        check(&format!("{}é\n", "x".repeat(73)), &format!("{}=\r\n=C3=A9\r\n", "x".repeat(73)));
    }

    #[test]
    fn the_smaller_encoding_is_taken() {
        assert_eq!(Encoding::of("plain = é text of some length, mostly"), Encoding::QuotedPrintable);
        assert_eq!(Encoding::of("漢字"), Encoding::Base64);
        assert_eq!(Encoding::of(""), Encoding::QuotedPrintable);
        check("漢\n", Encoding::Base64, "5ryiDQo=\r\n");
        let line = "eHh4".repeat(19);
        check(&"x".repeat(58), Encoding::Base64, &format!("{line}\r\neA==\r\n"));
    }
}
