//! Characters that a reader cannot see, made visible.
//!
//! People's texts hold controls, characters that reverse the order of others, and characters of no
//! width. Shown as they are they would hide or forge what a transcript says. Everything here is
//! one pass over the text; what a person sees is `⟦U+202E⟧` in place of such a character.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// It can be shown as it is.
    Text(&'t str),
    /// A line ends: `\n` or `\r\n`.
    Break,
    /// A character that nobody would see.
    Mark(char),
}

/// Cuts a text into pieces, in their order.
pub(crate) fn pieces<'t>(text: &'t str, mut each: impl FnMut(Piece<'t>)) {
    if is_plain(text) {
        if !text.is_empty() {
            each(Piece::Text(text));
        }
        return;
    }
    let (mut from, mut before) = (0, None);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
        let after = || text[at + c.len_utf8()..].chars().next();
        let hidden = c == '\n' || (is_hidden(c) && !(is_joiner && joins(before) && joins(after())));
        before = Some(c);
        if !hidden {
            continue;
        }
        if from < at {
            each(Piece::Text(&text[from..at]));
        }
        from = at + c.len_utf8();
        let is_break = c == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some();
        if is_break {
            from += 1;
        }
        each(if is_break || c == '\n' { Piece::Break } else { Piece::Mark(c) });
    }
    if from < text.len() {
        each(Piece::Text(&text[from..]));
    }
}

/// Whether it is of visible ASCII, spaces and tabs alone, as most texts are.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') | (byte == b'\t')))
}

/// What stands in place of a character that nobody would see.
pub(crate) fn mark(c: char) -> String {
    format!("\u{27e6}U+{:04X}\u{27e7}", u32::from(c))
}

/// A text on one line: line breaks and tabs are marks as well.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    pieces(text, |piece| match piece {
        Piece::Text(text) if text.contains('\t') => out.push_str(&text.replace('\t', &mark('\t'))),
        Piece::Text(text) => out.push_str(text),
        Piece::Break => out.push_str(&mark('\n')),
        Piece::Mark(c) => out.push_str(&mark(c)),
    });
    out
}

/// Joiners between letters of scripts that join, or between emoji, shape what is seen.
fn joins(c: Option<char>) -> bool {
    c.is_some_and(|c| !c.is_ascii() && !is_hidden(c))
}

/// Is it a control, a format character, or one that no font shows? A tab is none of them.
fn is_hidden(c: char) -> bool {
    if c < '\u{7f}' {
        return c < ' ' && c != '\t';
    }
    // Of Unicode's Default_Ignorable_Code_Point all but the variation selectors of emoji, then Cc,
    // Co, noncharacters, and blanks that fonts draw as nothing.
    matches!(c,
        '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}'
        | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0d}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Is it a letter of a script that is written from right to left?
///
/// Source: the blocks of Unicode whose default Bidi_Class is R or AL (UAX 44, DerivedBidiClass).
pub(crate) fn is_right_to_left(c: char) -> bool {
    c >= '\u{590}'
        && matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::HOSTILE;

    fn check(text: &str, expected: &str) {
        let mut shown = String::new();
        pieces(text, |piece| match piece {
            Piece::Text(text) => shown.push_str(text),
            Piece::Break => shown.push('|'),
            Piece::Mark(c) => shown.push_str(&format!("<{:X}>", u32::from(c))),
        });
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn what_nobody_sees_is_marked() {
        check("", "");
        check("plain\ttab", "plain\ttab");
        check("a\nb\r\nc\rd\n", "a|b|c<D>d|");
        check("\r\r\n", "<D>|");
        check("nul \0 \u{7} \u{1b}[31m\u{7f}\u{85}", "nul <0> <7> <1B>[31m<7F><85>");
        check("\u{202e}txt\u{2066}\u{200b}\u{feff}", "<202E>txt<2066><200B><FEFF>");
        check("\u{fffe}\u{ffff}\u{fffd}\u{fdd0}\u{10ffff}", "<FFFE><FFFF>\u{fffd}<FDD0><10FFFF>");
        check("👩‍👩‍👧 ❤\u{fe0f} e\u{301}", "👩‍👩‍👧 ❤\u{fe0f} e\u{301}");
        check("می‌خواهم", "می‌خواهم");
        check("a\u{200d}b \u{200d}", "a<200D>b <200D>");
        check("é\u{200d}\u{200d}é", "é<200D><200D>é");
        check("漢字 ไทย ﷽ שלום", "漢字 ไทย ﷽ שלום");
        check("\u{e0041}\u{e001}", "<E0041><E001>");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(HOSTILE[6]), "a⟦U+000A⟧Bcc: eve@x.example⟦U+000A⟧⟦U+000A⟧body");
        for text in HOSTILE {
            assert!(!line(text).contains(char::is_control), "{text:?}");
        }
    }
}
