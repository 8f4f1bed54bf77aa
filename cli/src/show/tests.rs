use super::*;

#[test]
fn hostile_text_is_made_visible() {
    for (text, expected) in [
        ("plain ü 😀", "plain ü 😀"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\u{202e}b", "a\\u{202e}b"),
        ("a\nb\tc\0", "a\nb\\u{9}c\\u{0}"),
    ] {
        assert_eq!(clean(text), expected);
    }
}

#[test]
fn texts_fit_their_columns() {
    for (text, columns, expected) in
        [("abc", 5, "abc  "), ("abcdef", 4, "abc…"), ("日本語", 4, "日… "), ("", 2, "  ")]
    {
        assert_eq!(fit(text, columns), expected);
    }
}

#[test]
fn times_in_a_zone() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    for (us, expected) in [
        (Some(1_369_818_902_123_000), "2013-05-29 11:15:02"),
        (None, "no time"),
        (Some(i64::MAX), "9223372036854775807 µs"),
    ] {
        assert_eq!(time(us, &zone, "%Y-%m-%d %H:%M:%S"), expected);
    }
}
