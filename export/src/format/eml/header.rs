//! Headers: folded, in ASCII, with nothing in them that could begin another one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::format::visible::line;

/// Characters of a line at most, where words allow it (RFC 5322, section 2.1.1; RFC 2047, section 2).
const LINE_MAX: usize = 76;
/// A word of ASCII that is longer is encoded, so that it can be folded; a hash is not.
const WORD_MAX: usize = 66;
/// Characters of a piece of a parameter: its name and number stand before it.
const PIECE_MAX: usize = 56;
/// `=?utf-8?B?` and `?=`.
const ENCODED_AROUND: usize = 12;

/// A header while it is written.
pub(super) struct Header<'o> {
    out: &'o mut Vec<u8>,
    column: usize,
    /// Nothing stands in it yet: a fold would leave its first line empty, which readers take for a
    /// space before the rest.
    is_empty: bool,
}

impl<'o> Header<'o> {
    /// Begins a header; `name` is one of ours.
    pub(super) fn new(out: &'o mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        Header { column: name.len() + 1, out, is_empty: true }
    }

    /// Ends it.
    pub(super) fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// Appends a word of visible ASCII after a space, on a new line where it would not fit.
    pub(super) fn word(&mut self, word: &str) {
        debug_assert!(word.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{word:?}");
        if self.column + 1 + word.len() > LINE_MAX && !self.is_empty && self.column > 0 {
            self.fold();
        }
        self.is_empty = false;
        self.out.push(b' ');
        self.out.extend_from_slice(word.as_bytes());
        self.column += 1 + word.len();
    }

    /// Appends what people wrote: as words where it is plain, else encoded as RFC 2047 says.
    pub(super) fn text(&mut self, text: &str) {
        let text = line(text);
        if is_plain(&text) {
            text.split(' ').for_each(|word| self.word(word));
        } else {
            self.encoded(&text);
        }
    }

    /// Appends a display name: words, a quoted string, or encoded.
    pub(super) fn phrase(&mut self, text: &str) {
        let text = line(text);
        let is_atoms =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_".contains(&byte));
        if is_plain(&text) && is_atoms(&text) {
            text.split(' ').for_each(|word| self.word(word));
            return;
        }
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        if is_plain(&text) && escaped.len() <= WORD_MAX {
            self.word(&format!("\"{escaped}\""));
        } else {
            self.encoded(&text);
        }
    }

    /// Appends encoded words, each of whole characters.
    fn encoded(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let room = LINE_MAX.saturating_sub(self.column + 1 + ENCODED_AROUND) / 4 * 3;
            let cut = (0..=room.min(rest.len())).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
            // Few bytes on the rest of a line are not worth a word of their own.
            if cut < rest.len() && cut < 12 && !self.is_empty {
                self.fold();
                continue;
            }
            self.word(&format!("=?utf-8?B?{}?=", STANDARD.encode(&rest[..cut])));
            rest = &rest[cut..];
        }
    }

    /// Appends a parameter with a value that people wrote: quoted, or in pieces as RFC 2231 says.
    pub(super) fn parameter(&mut self, name: &str, value: &str) {
        self.out.push(b';');
        (self.column, self.is_empty) = (self.column + 1, false);
        let value = line(value);
        if is_plain(&value) && value.len() <= WORD_MAX - 12 && !value.contains(['"', '\\', '%']) {
            return self.word(&format!("{name}=\"{value}\""));
        }
        let mut pieces = vec![String::from("utf-8''")];
        for byte in value.bytes() {
            let unit = if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            };
            match pieces.last_mut() {
                Some(piece) if piece.len() + unit.len() <= PIECE_MAX => piece.push_str(&unit),
                _ => pieces.push(unit),
            }
        }
        let count = pieces.len();
        for (n, piece) in pieces.iter().enumerate() {
            let section = if count == 1 { String::new() } else { format!("*{n}") };
            let end = if n + 1 == count { "" } else { ";" };
            self.word(&format!("{name}{section}*={piece}{end}"));
        }
    }

    fn fold(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
    }
}

/// Can it stand in a header as it is? Nothing that a reader would decode, trim or join.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !text.contains("=?")
        && text.split(' ').all(|word| !word.is_empty() && word.len() <= WORD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::HOSTILE;

    fn check(write: impl Fn(&mut Header<'_>), expected: &str) {
        let mut out = Vec::new();
        let mut header = Header::new(&mut out, "Subject");
        write(&mut header);
        header.end();
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn texts_stay_in_their_header() {
        check(|h| h.text("Merger, 2013-05-29"), "Subject: Merger, 2013-05-29\r\n");
        check(|h| h.text("é"), "Subject: =?utf-8?B?w6k=?=\r\n");
        check(|h| h.text(" a"), "Subject: =?utf-8?B?IGE=?=\r\n");
        check(|h| h.text("=?utf-8?q?a?="), "Subject: =?utf-8?B?PT91dGYtOD9xP2E/PQ==?=\r\n");
        let injected = "Subject: =?utf-8?B?YeKfplUrMDAwQeKfp0JjYzogYkB44p+mVSswMDBB4p+n?=\r\n";
        check(|h| h.text("a\nBcc: b@x\r\n"), injected);
        let words = ["word"; 20].join(" ");
        let folded = format!("Subject: {}\r\n {}\r\n", ["word"; 13].join(" "), ["word"; 7].join(" "));
        check(|h| h.text(&words), &folded);
        check(
            |h| h.text(&"é".repeat(40)),
            &format!(
                "Subject: =?utf-8?B?{}?=\r\n =?utf-8?B?{}?=\r\n",
                STANDARD.encode("é".repeat(19)),
                STANDARD.encode("é".repeat(21))
            ),
        );
    }

    #[test]
    fn names_are_quoted() {
        check(|h| h.phrase("Alice Archer"), "Subject: Alice Archer\r\n");
        check(|h| h.phrase("Bob (skype: live:bob)"), "Subject: \"Bob (skype: live:bob)\"\r\n");
        check(|h| h.phrase("a\"b\\c"), "Subject: \"a\\\"b\\\\c\"\r\n");
        check(|h| h.phrase("é"), "Subject: =?utf-8?B?w6k=?=\r\n");
    }

    #[test]
    fn parameters_are_cut_as_2231_says() {
        check(|h| h.parameter("filename", "plan.pdf"), "Subject:; filename=\"plan.pdf\"\r\n");
        check(|h| h.parameter("filename", "é.pdf"), "Subject:; filename*=utf-8''%C3%A9.pdf\r\n");
        let (first, second) = ("%C3%A9".repeat(8), "%C3%A9".repeat(3));
        let expected = format!("Subject:;\r\n filename*0*=utf-8''{first};\r\n filename*1*={second}\r\n");
        check(|h| h.parameter("filename", &"é".repeat(11)), &expected);
    }

    #[test]
    fn no_line_is_long_or_another_header() {
        for text in HOSTILE.iter().map(|text| text.to_string()).chain([
            HOSTILE.concat(),
            "x".repeat(999),
            "\"".repeat(60),
        ]) {
            type Write = for<'h> fn(&mut Header<'h>, &str);
            let all: [Write; 3] =
                [|h, text| h.text(text), |h, text| h.phrase(text), |h, text| h.parameter("n", text)];
            for write in all {
                let mut out = Vec::new();
                let mut header = Header::new(&mut out, "X-Custody-Conversation");
                write(&mut header, &text);
                header.end();
                let written = String::from_utf8(out).unwrap();
                for (n, line) in written.strip_suffix("\r\n").unwrap().split("\r\n").enumerate() {
                    // A word that cannot be cut stands beside the name.
                    let max = if n == 0 { LINE_MAX + WORD_MAX } else { LINE_MAX };
                    assert!(line.len() <= max, "{line}");
                    assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line:?}");
                    assert!(n == 0 || (line.starts_with(' ') && !line.trim().is_empty()), "{written:?}");
                }
            }
        }
    }
}
