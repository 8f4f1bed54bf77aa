//! Signed notes: a text with lines of signatures after it.
//!
//! Source: <https://c2sp.org/signed-note>. Only Ed25519 signatures are made and checked; those of other
//! keys are passed over, as they have to be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::key::{PrivateKey, PublicKey, check_name};
use crate::settings::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// What a signature's line begins with: an em dash and a space.
const BEGIN: &str = "\u{2014} ";

/// A note that was read. What it says counts for nothing before [`Note::signed_by`] was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<Signature<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature<'a> {
    name: &'a str,
    hash: [u8; 4],
    bytes: Vec<u8>,
}

/// Whether a key signed a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It did.
    Yes,
    /// No signature says that it is the key's.
    No,
    /// One says that it is, and is not: the note is to be rejected, whoever else signed it.
    Falsely,
}

/// A note of this text, which ends with a newline, with a signature of each key.
///
/// # Errors
/// Of kind `Invalid` for a text that no note can have, and for more keys than a note may have.
pub fn sign(text: &str, keys: &[&PrivateKey]) -> Result<String, Error> {
    if !text.ends_with('\n') {
        return Err(Error::invalid("the text of a note ends with a newline"));
    }
    let mut note = format!("{text}\n");
    for key in keys {
        let (public, signature) = (key.public(), key.sign(text));
        let bytes: Vec<u8> = public.hash().into_iter().chain(signature).collect();
        note += &format!("{BEGIN}{} {}\n", public.name(), STANDARD.encode(bytes));
    }
    // A text may be too long, or hold what no note may: what is written can be read.
    Note::parse(&note)?;
    Ok(note)
}

impl<'a> Note<'a> {
    /// Reads a note; a line of it that is not as it must be is an error.
    ///
    /// # Errors
    /// Of kind `Invalid`.
    pub fn parse(note: &'a str) -> Result<Self, Error> {
        let no_note = |why: &str| Error::invalid(format!("not a signed note: {why}"));
        if note.len() > NOTE_BYTES_MAX {
            return Err(no_note("it is too long"));
        }
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(no_note("it holds control characters"));
        }
        // The last empty line parts the text from the signatures.
        let at = note.rfind("\n\n").ok_or_else(|| no_note("no empty line parts text and signatures"))?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or_else(|| no_note("its last line has no end"))?;
        if lines.split('\n').count() > NOTE_SIGNATURES_MAX {
            return Err(no_note("it has too many signatures"));
        }
        let signatures: Option<Vec<_>> = lines.split('\n').map(Signature::parse).collect();
        let signatures = signatures.ok_or_else(|| no_note("a signature's line is damaged"))?;
        Ok(Note { text, signatures })
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The names that signatures say they are of, in their order.
    pub fn signers(&self) -> impl Iterator<Item = &'a str> {
        self.signatures.iter().map(|signature| signature.name)
    }

    /// Whether this key signed it.
    pub fn signed_by(&self, key: &PublicKey) -> Signed {
        let hash = key.hash();
        let of_key = |signature: &&Signature<'_>| signature.name == key.name() && signature.hash == hash;
        let mut signed = Signed::No;
        for signature in self.signatures.iter().filter(of_key) {
            if !key.verifies(self.text, &signature.bytes) {
                return Signed::Falsely;
            }
            signed = Signed::Yes;
        }
        signed
    }
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(BEGIN)?.split_once(' ')?;
        check_name(name).ok()?;
        let decoded = STANDARD.decode(signature).ok()?;
        let (hash, bytes) = decoded.split_first_chunk::<4>()?;
        (!bytes.is_empty()).then(|| Signature { name, hash: *hash, bytes: bytes.to_vec() })
    }
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
