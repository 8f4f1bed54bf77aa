//! RFC 6962 hashes: the leaf of a record, the Merkle root of a batch, and that some leaves are of it.
//!
//! Source: RFC 6962 section 2.1, <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>.

mod each;
mod pieces;
mod proof;
mod tree;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

pub use each::hash_each;
pub use pieces::Pieces;
pub use proof::{ProofError, Prover, proof_of, root_of};
pub use tree::Tree;

/// A SHA-256 value; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits in lower case, as they are written: a hash has one text.
    pub fn from_hex(text: &str) -> Option<Hash> {
        let digits = text.as_bytes();
        if digits.len() != 64 || digits.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Hash(out))
    }

    /// Takes 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // One write: every record is listed with its hashes.
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Hash::from_hex(&text).ok_or_else(|| D::Error::custom("a hash is 64 hexadecimal digits in lower case"))
    }
}

/// What a leaf hash covers: the record exactly as Kafka handed it over.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Topic generation.
    pub generation: i32,
    /// Partition number.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The broker's timestamp, milliseconds since 1970 UTC; `None` when it gave none.
    pub broker_time_ms: Option<i64>,
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// SHA-256 of the message payload; `None` for a tombstone, which has none.
    pub payload: Option<Hash>,
}

/// The leaf hash of a record, version 1.
///
/// `SHA-256(0x00 || "custody.leaf.v1" || fields)` where each field is preceded
/// by its length as an unsigned 32-bit big-endian number, and a field that is
/// absent has the length `0xffffffff` and no bytes. Fields in order: topic;
/// generation, partition (4 bytes big-endian); offset, broker time (8 bytes
/// big-endian); key; the number of headers (4 bytes big-endian, no length),
/// then name and value of each; the SHA-256 of the payload. JSON is never canonicalised.
///
/// The payload's own hash stands in for it, so that a leaf can be proven where the payload
/// must not be shown (a redaction) or is no longer there (an erasure).
pub fn leaf_hash<'a, I>(leaf: Leaf<'_>, headers: I) -> Hash
where
    I: IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    I::IntoIter: ExactSizeIterator,
{
    let mut pieces = Pieces::default();
    write_leaf(leaf, headers, &mut |piece| pieces.push(piece));
    pieces.finish()
}

/// What the hash of a leaf is the SHA-256 of, piece by piece. Where there is a payload its hash is the
/// last 32 bytes.
#[inline(always)]
pub fn write_leaf<'a, I>(leaf: Leaf<'_>, headers: I, push: &mut impl FnMut(&[u8]))
where
    I: IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    I::IntoIter: ExactSizeIterator,
{
    let headers = headers.into_iter();
    push(b"\0custody.leaf.v1");
    write_field(Some(leaf.topic.as_bytes()), push);
    write_field(Some(&leaf.generation.to_be_bytes()), push);
    write_field(Some(&leaf.partition.to_be_bytes()), push);
    write_field(Some(&leaf.offset.to_be_bytes()), push);
    write_field(leaf.broker_time_ms.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]), push);
    write_field(leaf.key, push);
    push(&(headers.len() as u32).to_be_bytes());
    for (name, value) in headers {
        write_field(Some(name.as_bytes()), push);
        write_field(value, push);
    }
    write_field(leaf.payload.as_ref().map(|hash| &hash.0[..]), push);
}

#[inline(always)]
fn write_field(bytes: Option<&[u8]>, push: &mut impl FnMut(&[u8])) {
    match bytes {
        None => push(&[0xff; 4]),
        Some(bytes) => {
            // Kafka messages stay far below 4 GiB: the length always fits.
            push(&(bytes.len() as u32).to_be_bytes());
            push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_leaf() {
        let base = Leaf {
            topic: "t",
            generation: 1,
            partition: 2,
            offset: 3,
            broker_time_ms: Some(4),
            key: Some(b"k"),
            payload: Some(Hash::of(b"p")),
        };
        let none: [(&str, Option<&[u8]>); 0] = [];
        let mut seen = std::collections::BTreeSet::new();
        let variants = [
            base,
            Leaf { topic: "u", ..base },
            Leaf { generation: 2, ..base },
            Leaf { partition: 3, ..base },
            Leaf { offset: 4, ..base },
            Leaf { broker_time_ms: None, ..base },
            Leaf { key: None, ..base },
            Leaf { key: Some(b""), ..base },
            Leaf { payload: None, ..base },
            Leaf { payload: Some(Hash::of(b"")), ..base },
            // Moving a byte across a field border must show.
            Leaf { topic: "", key: Some(b"tk"), ..base },
        ];
        for leaf in variants {
            assert!(seen.insert(leaf_hash(leaf, none)), "{leaf:?}");
        }
        for headers in [vec![("a", None)], vec![("a", Some(&b""[..]))], vec![("", Some(&b"a"[..]))]] {
            assert!(seen.insert(leaf_hash(base, headers)));
        }
        // A golden value: this format is read for ever.
        assert_eq!(leaf_hash(base, [("h", Some(&b"v"[..]))]).to_string(), GOLDEN_LEAF);
    }

    const GOLDEN_LEAF: &str = "eccde172de069eb2ea20f496b201d8b19e0126d0f1a7f316316e3ceafbea4721";

    #[test]
    fn hex_round_trip() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(Hash::from_hex("zz"), None);
        assert_eq!(Hash::from_hex(&hash.to_string().to_uppercase()), None);
    }
}
