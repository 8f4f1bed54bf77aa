use std::sync::Arc;

use krilla::configure::{Accessibility, PdfVersion};
use proptest::prelude::*;

use super::draw::Shown;
use super::sheet::{LEFT, PAPER, RIGHT};
use super::text::{Paragraph, Style, Tone};
use super::*;
use crate::fixture::{ALICE, BOB, HOSTILE, event, hostile, sample, shown, with_document};
use crate::format::html::Html;
use crate::format::samples::{CONTENT, bytes};
use crate::item::Shown as Record;

const FILE: &str = "pdf/CUST00000001.pdf";

/// What is drawn, line by line.
fn drawn(pdf: &Pdf, records: &[Record]) -> (u32, Vec<Shown>) {
    with_document(records, |document| {
        let mut ty = Type::new(Fonts::new(&pdf.given).unwrap(), Memory::default());
        let transcript = Transcript::new(&document);
        let margins = page::margins(&mut ty, &document);
        let mut sheets = Sheets::counting(&margins);
        page::write(&mut sheets, &mut ty, &document, &transcript);
        let (pages, _) = sheets.finish(&mut ty);
        let drawing = Drawing::new(metadata(&document), SerializeSettings::default());
        let mut sheets = Sheets::drawing(&margins, pages, drawing);
        page::write(&mut sheets, &mut ty, &document, &transcript);
        let (again, drawing) = sheets.finish(&mut ty);
        assert_eq!(pages, again);
        (pages, drawing.unwrap().shown)
    })
}

/// Every line is on its page, and none is over another.
fn check_places(lines: &[Shown]) {
    for line in lines {
        let [left, top, right, bottom] = line.edges;
        // A blank at the end of a line may stand out; it is not seen.
        assert!(left > LEFT - 8.0 && right < RIGHT + 8.0, "{line:?}");
        assert!(top > 30.0 && bottom < PAPER.1 - 30.0, "{line:?}");
    }
    for (at, line) in lines.iter().enumerate() {
        for other in lines[at + 1..].iter().take_while(|other| other.page == line.page) {
            let [left, top, right, bottom] = line.edges;
            let [other_left, other_top, other_right, other_bottom] = other.edges;
            let apart = right <= other_left + 3.0
                || other_right <= left + 3.0
                || bottom <= other_top + 0.3
                || other_bottom <= top + 0.3;
            assert!(apart, "{line:?}\n{other:?}");
        }
    }
}

/// All text of the pages themselves, without blanks.
fn all(lines: &[Shown]) -> String {
    let body = lines
        .iter()
        .filter(|line| ![tags::Kind::Head, tags::Kind::Foot, tags::Kind::Again].contains(&line.kind));
    squeezed(&body.map(|line| line.text.as_str()).collect::<String>())
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn message(offset: i64, text: &str) -> Record {
    let text = serde_json::to_string(text).unwrap();
    let data = format!(
        r#"{{"conversation":{{"id":"c","title":"Merger"}},"from":{BOB},"to":[{ALICE}],"message":{{"id":"m{offset}","text":{text}}}}}"#
    );
    shown(offset, &event("im.message.sent", offset, &data))
}

/// A production of one document as PDF and as HTML, for readers that are not ours.
fn write_production(folder: &Path, records: &[Record]) {
    let pdf = Pdf::default();
    let (rendered, mut files) = bytes(&pdf, records);
    files.extend(bytes(&Html, records).1);
    let mut cross = String::from("number,position,leaf_hash\r\n");
    for record in records {
        cross += &format!("CUST00000001,{},{}\r\n", record.position, record.leaf);
    }
    let mut exceptions = String::from("number,position,what\r\n");
    for Exception { number, what, .. } in &rendered.exceptions {
        exceptions += &format!("{number},,\"{}\"\r\n", what.replace('"', "\"\""));
    }
    files.insert("cross-reference.csv".into(), cross.into_bytes());
    files.insert("exceptions.csv".into(), exceptions.into_bytes());
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Texts in many scripts.
fn scripts() -> Vec<Record> {
    let texts = [
        "Ελληνικά, Кириллица, Հայերեն, ქართული, Việt Nam, žluťoučký kůň, İstanbul",
        "שלום לכולם, המחיר הוא 12,50 € (לא כולל מע״מ). See https://example.com/a?b=c",
        "السلام عليكم ورحمة الله، السعر ١٢٫٥٠ دولار أو 12.50 USD",
        "Hello שלום and مرحبا in one line (שלום!), 3 + 4.",
        "漢字かな交じり文です。これは長い文章で、行の終わりで折り返されるはずです。한국어 문장도 있습니다. 中文的句子。",
        "ภาษาไทยไม่มีช่องว่างระหว่างคำ น้ำ ผู้ใหญ่ กี่",
        "हिन्दी में एक वाक्य, தமிழ், తెలుగు, বাংলা",
        "👍 😀 😂 ❤️ 🎉 🔥 ✅ ☎ 🏳️‍🌈 🤔 🧑‍🚀 ½ ² ™ … — “quotes” ‘x’ √ ∑ ≠ ≤ →",
        "https://example.com/a/very/long/path/that/goes/on/and/on/without/any/blank/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef?query=value&other=value",
        "tab\tseparated\tvalues\nand  two  blanks",
    ];
    (0..).zip(texts).map(|(n, text)| message(n, text)).collect()
}

#[test]
fn the_file_is_always_the_same() {
    let pdf = Pdf::default();
    let (rendered, all) = bytes(&pdf, &sample());
    assert_eq!(all.keys().collect::<Vec<_>>(), [FILE, "pdf/CUST00000001/CUST00000002-plan.pdf"]);
    assert_eq!(all["pdf/CUST00000001/CUST00000002-plan.pdf"], CONTENT);
    assert_eq!(rendered.exceptions, []);
    let file = &all[FILE];
    assert!(file.starts_with(b"%PDF-1.7\n") && file.ends_with(b"%%EOF"));
    for said in ["/CreationDate(D:20130529000000Z)", "<pdfaid:part>2<", "/Lang(en)", "/MarkInfo"] {
        assert!(file.windows(said.len()).any(|window| window == said.as_bytes()), "{said}");
    }
    // Whatever was written before.
    bytes(&pdf, &hostile());
    if let Some(folder) = std::env::var_os("CUSTODY_READERS_DIR") {
        for (name, records) in [("sample", sample()), ("hostile", hostile()), ("scripts", scripts())] {
            write_production(&Path::new(&folder).join("pdf").join(name), &records);
        }
    }
    assert!(bytes(&pdf, &sample()).1 == all);
    assert!(bytes(&Pdf::default(), &sample()).1 == all);
}

#[test]
fn the_pages_say_what_the_html_page_says() {
    let mut records = sample();
    records[3].redactions = 2;
    let (_, lines) = drawn(&Pdf::default(), &records);
    check_places(&lines);
    let text = all(&lines);
    let check = |expected: &str| assert!(text.contains(&squeezed(expected)), "{expected}\n{text}");
    check("Transcript CUST00000001 Merger Wednesday, 29 May 2013");
    check("Conversation c-88 (direct) Time zone UTC Records 24, of which 1 context and no hits");
    check("Asked for by dana@contoso.example Reason case 7");
    check("Production 0123456789abcdef0123456789abcdef");
    check("Name Network Address Scope Role Bob skype live:bob federated");
    check(
        "09:15:00.000 +00:00 Bob live:bob, skype, federated edited later Can we talk about the merger?Today.",
    );
    check("context, not a hit delivered 2 times");
    check("2 redactions");
    check("in answer to record 1 of Bob");
    check("Bob edited it; the new text: Can we talk?");
    check("record 1 chat:1:0:0 0000000000000000");
    check(&format!("6 chat:1:0:5 {} 1", "05".repeat(32)));
    check("SHA-256 over the leaf hashes of all records, in their order:");
    let heads = lines.iter().filter(|line| line.kind == tags::Kind::Head);
    let heads: Vec<_> = heads.map(|line| (line.page, line.text.as_str())).collect();
    assert_eq!(heads[..2], [(0, "Merger  ·  Bob, Alice Archer, Cid"), (0, "2013-05-29, UTC")]);
    assert_eq!(heads[4..], [(2, "Merger  ·  Bob, Alice Archer, Cid"), (2, "2013-05-29, UTC")]);
    for line in lines.iter().filter(|line| line.kind == tags::Kind::Foot && line.text.starts_with("Page")) {
        let pages = lines.iter().map(|line| line.page + 1).max().unwrap();
        assert_eq!(line.text, format!("Page {} of {pages}", line.page + 1));
    }
}

#[test]
fn hostile_texts_stay_on_their_lines() {
    let pdf = Pdf::default();
    let (_, lines) = drawn(&pdf, &hostile());
    check_places(&lines);
    let text = all(&lines);
    for expected in [
        "=HYPERLINK(\"http://x.example\",\"a\")",
        "<script>alert(1)</script> & \"quoted\" 'single' ]]> -->",
        "nul ⟦U+0000⟧ bell ⟦U+0007⟧ escape ⟦U+001B⟧[31m",
        "⟦U+202E⟧txt.exe⟦U+2066⟧⟦U+200B⟧⟦U+FEFF⟧",
        "漢字 ไทย 👩",
        "⟦U+FFFE⟧⟦U+FFFF⟧\u{fffd}",
        "line⟦U+2028⟧separator⟦U+0085⟧next",
    ] {
        assert!(text.contains(&squeezed(expected)), "{expected}\n{text}");
    }
    let (rendered, files) = bytes(&pdf, &hostile());
    assert_eq!(rendered.exceptions.len(), HOSTILE.len() / 2, "{:?}", rendered.exceptions);
    let expected = Exception {
        number: "CUST00000003".into(),
        position: Some("chat:1:0:1".into()),
        what: "the file is not in the PDF transcript: its content was never uploaded".into(),
    };
    assert_eq!(rendered.exceptions[0], expected);
    assert_eq!(files.len(), 10);
}

#[test]
fn what_no_font_has_is_written_by_its_number_and_told() {
    let records = [message(0, "a \u{1f9d1}\u{200d}\u{1f680} b \u{20000} \u{1f9d1}")];
    let pdf = Pdf::default();
    let (_, lines) = drawn(&pdf, &records);
    check_places(&lines);
    assert!(all(&lines).contains("a[U+1F9D1]\u{1f680}b[U+20000][U+1F9D1]"), "{}", all(&lines));
    let exception = Exception {
        number: "CUST00000001".into(),
        position: None,
        what: "no font has U+1F9D1, U+20000: they are written by number; --fonts gives a folder with fonts for them"
            .into(),
    };
    // Once, and each time.
    assert_eq!(bytes(&pdf, &records).0.exceptions, std::slice::from_ref(&exception));
    assert_eq!(bytes(&pdf, &records).0.exceptions, [exception]);
    let many: String = (0x2_0000..0x2_0040).filter_map(char::from_u32).collect();
    let told = &bytes(&pdf, &[message(0, &many)]).0.exceptions[0].what;
    assert!(told.contains("U+20031 and 14 more: they are"), "{told}");
}

#[test]
fn given_fonts_show_what_the_others_lack() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("icons.ttf"), epaint_default_fonts::EMOJI_ICON).unwrap();
    let files = font_files(dir.path()).unwrap();
    let pdf = Pdf::new(Some(dir.path()), &files).unwrap();
    let records = [message(0, "look \u{1f576}")];
    let (_, lines) = drawn(&pdf, &records);
    assert!(all(&lines).contains("look\u{1f576}"), "{}", all(&lines));
    assert_eq!(bytes(&pdf, &records).0.exceptions, []);
    assert_eq!(bytes(&Pdf::default(), &records).0.exceptions.len(), 1);
    let refused = |folder: Option<&Path>, asked: &[FontFile], expected: &str| {
        let Err(error) = Pdf::new(folder, asked) else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(None, &files, "the request names fonts, such as \"icons.ttf\"");
    refused(Some(dir.path()), &[], "are not those that the request names");
}

/// The words of each line from left to right, as they are set in a width.
fn set(paragraph: &Paragraph, width: f32) -> Vec<String> {
    let given = Given::default();
    let mut ty = Type::new(Fonts::new(&given).unwrap(), Memory::default());
    let mut lines = Vec::new();
    ty.set(paragraph, width, &mut |_, line| {
        let words = line.items.iter().flat_map(|item| &item.word.pieces).map(|piece| &*piece.text);
        lines.push(words.collect());
        assert!(line.shift + line.width <= width.max(10.0) + 0.1, "{lines:?}");
    });
    lines
}

const STYLE: Style = Style::new(face::Weight::Regular, 10.0, Tone::Ink);

fn check_set(fill: impl Fn(&mut Type<'_>, &mut Paragraph), width: f32, expected: &[&str]) {
    let given = Given::default();
    let mut ty = Type::new(Fonts::new(&given).unwrap(), Memory::default());
    let mut paragraph = Paragraph::new(13.0);
    fill(&mut ty, &mut paragraph);
    assert_eq!(set(&paragraph, width), expected);
}

#[test]
fn lines_break_where_they_may_and_where_they_must() {
    let inline =
        |text: &'static str| move |ty: &mut Type<'_>, into: &mut Paragraph| ty.inline(into, STYLE, text);
    check_set(inline(""), 100.0, &[""]);
    check_set(inline("one two three four"), 44.0, &["one two ", "three ", "four"]);
    check_set(inline("wwwwwwwwwwww iii"), 40.0, &["wwwww", "wwwww", "ww iii"]);
    check_set(inline("a                                        b"), 40.0, &["a ", "b"]);
    check_set(inline("漢字漢字"), 25.0, &["漢字", "漢字"]);
    // A mark stays with its letter.
    check_set(inline("e\u{301}e\u{301}e\u{301}e\u{301}"), 13.0, &["e\u{301}e\u{301}", "e\u{301}e\u{301}"]);
    // Nothing fits: one letter a line.
    check_set(inline("ww"), 1.0, &["w", "w"]);
}

#[test]
fn one_line_is_cut_where_it_does_not_fit() {
    let given = Given::default();
    let mut ty = Type::new(Fonts::new(&given).unwrap(), Memory::default());
    for (text, expected) in [
        ("short", "short"),
        ("a conversation with a long name", "a conversation …"),
        ("wwwwwwwwwwwwwwwwwwwwwwww", "wwwwwwwwwww…"),
        ("שלום עולם שלום עולם שלום עולם", "שלום עולם שלום …"),
    ] {
        let mut paragraph = Paragraph::new(12.0);
        ty.name(&mut paragraph, STYLE, text);
        let line = ty.set_one(&paragraph, 92.0);
        let words = line.items.iter().flat_map(|item| &item.word.pieces).map(|piece| &*piece.text);
        assert_eq!(words.collect::<String>(), expected);
        assert!(line.width <= 95.0, "{line:?}");
    }
}

#[test]
fn right_to_left_script_stays_where_it_is() {
    let inline =
        |text: &'static str| move |ty: &mut Type<'_>, into: &mut Paragraph| ty.inline(into, STYLE, text);
    check_set(inline("a שלום עולם, b"), 500.0, &["a עולם שלום, b"]);
    check_set(inline("שלום 12 עולם"), 500.0, &["שלום 12 עולם"]);
    check_set(
        |ty, into| {
            ty.name(into, STYLE, "משה");
            ty.inline(into, STYLE, " 12 called");
        },
        500.0,
        &["משה 12 called"],
    );
    // A text of its own goes the way of its first letter.
    let given = Given::default();
    let mut ty = Type::new(Fonts::new(&given).unwrap(), Memory::default());
    let mut seen = Vec::new();
    ty.lines(STYLE, 13.0, "שלום abc\nabc שלום", &mut |ty, line| {
        ty.set(line, 200.0, &mut |_, line| {
            let words = line.items.iter().flat_map(|item| &item.word.pieces).map(|piece| &*piece.text);
            seen.push((words.collect::<String>(), line.shift > 100.0));
        });
    });
    assert_eq!(seen, [("abc שלום".to_owned(), true), ("abc שלום".to_owned(), false)]);
}

#[test]
fn arabic_letters_join() {
    let given = Given::default();
    let mut ty = Type::new(Fonts::new(&given).unwrap(), Memory::default());
    let glyphs = |word: Arc<shape::Word>| -> Vec<u32> {
        word.pieces.iter().flat_map(|piece| &piece.glyphs).map(|glyph| glyph.id).collect()
    };
    let alone = glyphs(ty.word(face::Weight::Regular, true, "ب"));
    let joined = glyphs(ty.word(face::Weight::Regular, true, "ببب"));
    assert_eq!((alone.len(), joined.len()), (1, 3));
    assert!(joined.iter().all(|glyph| *glyph != alone[0]), "{alone:?} {joined:?}");
}

#[test]
fn marks_do_not_climb_over_other_lines() {
    let tower = format!("e{}", "\u{301}".repeat(30));
    let (_, lines) =
        drawn(&Pdf::default(), &[message(0, &tower), message(1, "g\u{32a}\u{32a}\u{32a}\u{32a}")]);
    check_places(&lines);
    assert_eq!(all(&lines).matches("⟦U+0301⟧").count(), 26);
}

#[test]
fn a_long_message_flows_over_pages() {
    let (blanks, none) = ("word and ".repeat(20_000), "x".repeat(200_000));
    let (pages, lines) = drawn(&Pdf::default(), &[message(0, &blanks), message(1, &none)]);
    assert!(pages > 70, "{pages}");
    let text = all(&lines);
    assert!(text.contains(&squeezed(&blanks)) && text.contains(&none));
    for line in &lines {
        assert!(line.edges[2] < RIGHT + 8.0 && line.edges[3] < PAPER.1 - 30.0, "{line:?}");
    }
}

/// A table goes on with its head on the next page, and names of any length do not stand over others.
#[test]
fn tables_are_cut_at_pages() {
    let many: Vec<Record> = (0..150)
        .map(|n| {
            let name = if n == 70 { "long ".repeat(2_000) } else { format!("person {n}") };
            let data = format!(
                r#"{{"conversation":{{"id":"c"}},"from":{{"network":"xmpp","address":"p{n}@y","name":"{name}"}},"message":{{"text":"-"}}}}"#
            );
            shown(n, &event("im.message.sent", n, &data))
        })
        .collect();
    let (pages, lines) = drawn(&Pdf::default(), &many);
    check_places(&lines);
    let again =
        lines.iter().filter(|line| line.kind == tags::Kind::Again && line.text == "Leaf hash").count();
    assert!(again >= 2 && pages > 10, "{again} {pages}");
    let text = all(&lines);
    for record in &many {
        assert!(text.contains(&record.leaf.to_string()), "{}", record.position);
    }
}

/// Tagged, with language, titles and bookmarks, as PDF/UA and the strictest PDF/A ask for it.
#[test]
fn the_file_is_accessible() {
    let form = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1);
    let form = form.with_archival_validator(Archival::A2_A).finish().unwrap();
    for records in [sample(), hostile()] {
        with_document(&records, |document| {
            let file = Pdf::default().file(&document, &[form, Configuration::default()]).unwrap();
            assert_eq!(file.not_as_asked, None);
        });
    }
}

#[test]
fn a_form_that_it_cannot_have_is_told() {
    let form = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1);
    let form = form.with_version(PdfVersion::Pdf14).finish().unwrap();
    with_document(&sample(), |document| {
        let file = Pdf::default().file(&document, &[form, Configuration::default()]).unwrap();
        assert!(file.not_as_asked.is_some_and(|why| !why.is_empty()) && file.bytes.starts_with(b"%PDF-1.7"));
        let Err(error) = Pdf::default().file(&document, &[form]) else { panic!("it is of that form") };
        assert!(error.to_string().starts_with("cannot write CUST00000001 as PDF: "), "{error}");
    });
}

/// Characters that shape, reverse, join, stand over others, or are none.
const ODD: &[char] = &[
    ' ',
    '\t',
    '\n',
    '\0',
    '-',
    '/',
    '(',
    ')',
    '0',
    '9',
    'a',
    'W',
    '\u{a0}',
    '\u{ad}',
    '\u{301}',
    '\u{32a}',
    'ש',
    'מ',
    'ب',
    'ل',
    'ا',
    '\u{64e}',
    '١',
    '\u{200c}',
    '\u{200d}',
    '\u{200f}',
    '\u{202e}',
    '\u{2067}',
    '\u{2069}',
    '\u{fe0f}',
    'ก',
    '\u{e31}',
    '\u{e33}',
    'क',
    '\u{93f}',
    '\u{94d}',
    '漢',
    '한',
    '\u{1100}',
    '\u{1161}',
    '\u{3000}',
    '\u{fdfd}',
    '👍',
    '\u{1f3fd}',
    '🏳',
    '\u{1f1e9}',
    '\u{20000}',
    '\u{e000}',
    '\u{fffd}',
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Whatever people write, a page has all of it, on its lines, and the file keeps its form.
    #[test]
    fn any_text_is_written(
        chars in proptest::collection::vec(prop_oneof![4 => proptest::sample::select(ODD), 1 => any::<char>()], 1..120)
    ) {
        let text: String = chars.into_iter().collect();
        let records = [message(0, &text)];
        let pdf = Pdf::default();
        let (_, lines) = drawn(&pdf, &records);
        check_places(&lines);
        with_document(&records, |document| {
            let file = pdf.file(&document, &forms().unwrap()).unwrap();
            assert_eq!(file.not_as_asked, None);
            assert!(file.bytes == pdf.file(&document, &forms().unwrap()).unwrap().bytes);
        });
    }
}
