use super::*;
use crate::key::tests::{PRIVATE_TEXT, PUBLIC_TEXT};

const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
/// The example of Go's `sumdb/note`.
const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn peter() -> PublicKey {
    PublicKey::parse(PUBLIC_TEXT).unwrap()
}

#[test]
fn a_note_of_others() {
    let key = PrivateKey::parse(PRIVATE_TEXT).unwrap();
    assert_eq!(sign(TEXT, &[&key]).unwrap(), NOTE);
    let note = Note::parse(NOTE).unwrap();
    assert_eq!(note.text(), TEXT);
    assert_eq!(note.signers().collect::<Vec<_>>(), ["PeterNeumann"]);
    assert_eq!(note.signed_by(&peter()), Signed::Yes);
}

#[test]
fn who_signed() {
    let peter_key = PrivateKey::parse(PRIVATE_TEXT).unwrap();
    let (one, other) =
        (PrivateKey::from_seed("x", &[1; 32]).unwrap(), PrivateKey::from_seed("x", &[2; 32]).unwrap());
    let text = "a\n\nb\n";
    let note = sign(text, &[&peter_key, &one]).unwrap();
    let check = |note: &str, key: &PublicKey, expected: Signed| {
        assert_eq!(Note::parse(note).unwrap().signed_by(key), expected, "{note}");
    };
    assert_eq!(Note::parse(&note).unwrap().text(), text);
    check(&note, &peter(), Signed::Yes);
    check(&note, one.public(), Signed::Yes);
    // The same name, and another key.
    check(&note, other.public(), Signed::No);
    let changed = note.replace("b\n", "c\n");
    check(&changed, &peter(), Signed::Falsely);
    check(&changed, other.public(), Signed::No);
    // Another's signature under the key's own hash; one good signature does not make up for it.
    let hash: Vec<u8> = one.public().hash().into_iter().chain(other.sign(text)).collect();
    let forged = format!("{note}\u{2014} x {}\n", STANDARD.encode(hash));
    check(&forged, one.public(), Signed::Falsely);
    check(&forged, &peter(), Signed::Yes);
    // Signatures of other kinds are passed over.
    let longer = format!("{note}\u{2014} witness {}\n", STANDARD.encode([7; 300]));
    check(&longer, &peter(), Signed::Yes);
}

#[test]
fn what_is_no_note_is_refused() {
    let line = &NOTE[TEXT.len() + 1..];
    for (note, why) in [
        (String::new(), "no empty line"),
        (TEXT.to_owned(), "no empty line"),
        (format!("{TEXT}{line}"), "no empty line"),
        (format!("{TEXT}\n"), "its last line has no end"),
        (NOTE.trim_end().to_owned(), "its last line has no end"),
        (format!("{NOTE}\n"), "its last line has no end"),
        (format!("{NOTE}more\n"), "a signature's line is damaged"),
        (NOTE.replace('\u{2014}', "-"), "a signature's line is damaged"),
        (NOTE.replace("PeterNeumann ", "Peter Neumann "), "a signature's line is damaged"),
        (NOTE.replace("PeterNeumann", "Peter+Neumann"), "a signature's line is damaged"),
        (NOTE.replace("JnAM=", "JnAM"), "a signature's line is damaged"),
        (NOTE.replace("JnAM=", "JnAN="), "a signature's line is damaged"),
        (format!("{TEXT}\n\u{2014} x AAAAAA==\n"), "a signature's line is damaged"),
        (NOTE.replace("think", "th\tink"), "control characters"),
        (NOTE.replace(".\n\n", ".\r\n\n"), "control characters"),
        (format!("{TEXT}\n{}", line.repeat(101)), "too many signatures"),
        (format!("{}{NOTE}", "x".repeat(NOTE_BYTES_MAX)), "too long"),
    ] {
        let refused = Note::parse(&note).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}: {note}");
    }
    let key = PrivateKey::parse(PRIVATE_TEXT).unwrap();
    assert!(sign("a", &[&key]).unwrap_err().to_string().contains("ends with a newline"));
    assert!(sign("a\n", &[]).unwrap_err().to_string().contains("no end"));
    assert!(sign("a\tb\n", &[&key]).unwrap_err().to_string().contains("control characters"));
}
