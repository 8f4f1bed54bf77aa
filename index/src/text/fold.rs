//! Letters made equal: case, width, ligatures and, for finding, diacritics.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

/// How the characters of a run are cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Words that stand apart: the run is one token.
    Spaced,
    /// Scripts without spaces, such as Chinese, Japanese and Thai: each character is a token, a
    /// dictionary gives words beside them.
    Each,
}

pub(super) fn class(c: char) -> Class {
    if c.is_ascii() {
        return Class::Spaced;
    }
    // The signs that make a kana long or voiced belong to no script.
    if matches!(c, 'ー' | 'ｰ' | 'ﾞ' | 'ﾟ') {
        return Class::Each;
    }
    let script = |c| CodePointMapData::<Script>::new().get(c);
    let script = match script(c) {
        // Signs in circles and the like are what they hold.
        Script::Common => {
            let apart = DecomposingNormalizerBorrowed::new_nfkd();
            apart
                .normalize_iter(std::iter::once(c))
                .find(|c| c.is_alphanumeric())
                .map_or(Script::Common, script)
        }
        other => other,
    };
    match script {
        Script::Han
        | Script::Hiragana
        | Script::Katakana
        | Script::Bopomofo
        | Script::Thai
        | Script::Lao
        | Script::Khmer
        | Script::Myanmar => Class::Each,
        _ => Class::Spaced,
    }
}

pub(super) fn is_mark(c: char) -> bool {
    // No ASCII character is one, and most text is ASCII.
    !c.is_ascii()
        && matches!(
            CodePointMapData::<GeneralCategory>::new().get(c),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
        )
}

/// Characters that nobody sees, such as a soft hyphen: they neither end a word nor belong to it.
/// The space of no width is a space.
pub(super) fn is_unseen(c: char) -> bool {
    !c.is_ascii() && c != '\u{200b}' && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether the character is a picture of its own. The letters among them, such as those of blood
/// types, are cut as letters are.
pub(super) fn is_pictograph(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() && CodePointSetData::new::<ExtendedPictographic>().contains(c)
}

/// Two of these are a flag.
pub(super) fn is_flag_letter(c: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
}

/// The colour of a skin.
pub(super) fn is_skin(c: char) -> bool {
    ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
}

/// Says whether a character is shown as a picture or as text.
pub(super) fn is_presentation(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// As it was written, but for case, width and the ways that Unicode has to write one character.
pub(crate) fn written(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let apart = DecomposingNormalizerBorrowed::new_nfkd();
    // Folding may give what comes apart once more.
    let folded = CaseMapper::new().fold_string(&apart.normalize(text)).into_owned();
    let letters: String = apart.normalize(&folded).chars().filter(|c| is_letter(*c)).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&letters).into_owned()
}

fn is_letter(c: char) -> bool {
    !is_unseen(c) && (c.is_alphanumeric() || is_mark(c))
}

/// What a written form is found by: without diacritics.
pub(crate) fn folded(written: &str) -> String {
    if written.is_ascii() {
        return written.to_owned();
    }
    let mut out = String::with_capacity(written.len());
    let mut optional = false;
    for c in DecomposingNormalizerBorrowed::new_nfkd().normalize(written).chars() {
        if is_mark(c) {
            if !optional {
                out.push(c);
            }
            continue;
        }
        optional = has_optional_marks(c);
        match plain_letter(c) {
            Some(plain) => out.push_str(plain),
            None => out.push(c),
        }
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(&out).into_owned()
}

/// What a picture is found by: without the colour of a skin, unless that is all there is.
pub(crate) fn folded_picture(written: &str) -> String {
    if written.chars().all(is_skin) {
        return written.to_owned();
    }
    let rest: String = written.chars().filter(|c| !is_skin(*c)).collect();
    rest.trim_end_matches(JOINER).to_owned()
}

/// Whether the character may be part of a picture.
pub(crate) fn is_part_of_picture(c: char) -> bool {
    is_pictograph(c) || is_flag_letter(c) || is_follower(c)
}

/// Whether the character says more of the picture before it.
pub(super) fn is_follower(c: char) -> bool {
    is_skin(c) || is_presentation(c) || c == JOINER || ('\u{e0020}'..='\u{e007f}').contains(&c)
}

/// Makes one picture of two.
pub(super) const JOINER: char = '\u{200d}';

/// In these scripts people leave marks out, or set them, and mean the same word. In others,
/// such as Devanagari, they are vowels.
fn has_optional_marks(c: char) -> bool {
    matches!(
        CodePointMapData::<Script>::new().get(c),
        Script::Latin | Script::Greek | Script::Cyrillic | Script::Hebrew | Script::Arabic
    )
}

/// Letters with a stroke or joined, which Unicode does not take apart.
fn plain_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'ĸ' => "k",
        'ŋ' => "n",
        'ƶ' => "z",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_made_equal() {
        for (text, as_written, found_by) in [
            ("Janež", "janež", "janez"),
            ("JANEZ\u{30c}", "janež", "janez"),
            ("Straße", "strasse", "strasse"),
            ("Łódź", "łódź", "lodz"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ", "σισυφοσ"),
            ("İstanbul", "i\u{307}stanbul", "istanbul"),
            ("ﬁｎＡＬ", "final", "final"),
            ("Ærøskøbing", "ærøskøbing", "aeroskobing"),
            ("ё", "ё", "е"),
            ("שָׁלוֹם", "ש\u{5b8}\u{5c1}לו\u{5b9}ם", "שלום"),
            ("ｶﾞ", "ガ", "ガ"),
            ("हिन्दी", "हिन्दी", "हिन्दी"),
            ("co\u{ad}operate", "cooperate", "cooperate"),
        ] {
            assert_eq!(written(text), as_written, "{text}");
            assert_eq!(folded(&written(text)), found_by, "{text}");
        }
    }
}
