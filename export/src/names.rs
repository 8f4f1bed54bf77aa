//! File names made of what people wrote.

use custody_schemas::Hash;

/// Bytes of a name at most: file systems accept 255, and a number is put before it.
const NAME_BYTES_MAX: usize = 120;

/// Names that Windows keeps for devices, whatever their extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A name that is one part of a path on every system, and looks like what it is: separators, what
/// Windows does not allow, controls and characters that reverse or hide others are `_`; a device's
/// name gets `_` before it; a long one is cut, with a hash of the whole and its extension at the end.
pub(crate) fn safe_name(name: &str) -> String {
    let mut safe: String = name.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    safe = safe.trim_matches([' ', '.']).to_owned();
    if safe.is_empty() {
        safe.push('_');
    }
    let stem = safe.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    if RESERVED.contains(&stem.as_str()) {
        safe.insert(0, '_');
    }
    if safe.len() > NAME_BYTES_MAX { shorten(&safe, name) } else { safe }
}

fn is_safe(c: char) -> bool {
    let hides = matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hides && !matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

fn shorten(safe: &str, whole: &str) -> String {
    let extension = safe.rsplit_once('.').map(|(_, extension)| extension);
    let extension = extension.filter(|e| e.len() <= 16).map(|e| format!(".{e}")).unwrap_or_default();
    let hash = &Hash::of(whole.as_bytes()).to_string()[..8];
    let room = NAME_BYTES_MAX - extension.len() - 1 - hash.len();
    let cut = (0..=room).rev().find(|at| safe.is_char_boundary(*at)).unwrap_or(0);
    format!("{}-{hash}{extension}", &safe[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(safe_name(name), expected, "{name:?}");
    }

    #[test]
    fn no_name_leaves_its_folder_or_lies() {
        check("plan.pdf", "plan.pdf");
        check("../../etc/passwd", "_.._etc_passwd");
        check("C:\\x", "C__x");
        check("..", "_");
        check("", "_");
        check(" . ", "_");
        check("CON", "_CON");
        check("nul.txt", "_nul.txt");
        check("con .txt", "_con .txt");
        check("console.txt", "console.txt");
        check("\u{202e}txt.exe", "_txt.exe");
        check("a\0b\nc", "a_b_c");
        check("漢字.doc", "漢字.doc");
        check("trailing. ", "trailing");
        let long = safe_name(&format!("{}.pdf", "ä".repeat(200)));
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with(".pdf"), "{long}");
        assert_ne!(long, safe_name(&format!("{}.pdf", "ä".repeat(201))));
    }
}
