//! Hashes of records that come one after another, many at once.

use custody_schemas::Hash;
use custody_schemas::hash::hash_each;

/// As many texts are hashed at once, and about as many bytes of payloads or of texts: what is copied stays in
/// the processor's first cache.
const TEXTS: usize = 64;
const BYTES: usize = 12 << 10;
/// Room that is kept for the next ones. A text may be as long as a message.
const ROOM: usize = 64 << 10;
/// A payload as long as this is not copied: hashed alone it loses little.
const LONG: usize = 4 << 10;

/// Texts, each of which may end with the hash of a payload that is not known yet.
#[derive(Default)]
pub(crate) struct Hashing {
    payloads: Texts,
    texts: Texts,
    /// Of each text the payload whose hash is missing at its end.
    ends: Vec<Option<usize>>,
    payload_hashes: Vec<Hash>,
    hashes: Vec<Hash>,
}

/// The hash of a payload.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PayloadHash {
    Known(Hash),
    /// By its number among those that wait.
    Waiting(usize),
}

impl Hashing {
    pub(crate) fn payload(&mut self, payload: &[u8]) -> PayloadHash {
        if payload.len() >= LONG {
            return PayloadHash::Known(Hash::of(payload));
        }
        self.payloads.push(|out| out.extend_from_slice(payload));
        PayloadHash::Waiting(self.payloads.ends.len() - 1)
    }

    /// Adds a text, which is written with the hash of a payload as its last 32 bytes: with the one that
    /// the writer is given. `payload` is `None` for a text that ends otherwise.
    pub(crate) fn text(
        &mut self,
        payload: Option<PayloadHash>,
        write: impl FnOnce(Option<Hash>, &mut Vec<u8>) -> Ends,
    ) {
        let (given, waiting) = match payload {
            None => (None, None),
            Some(PayloadHash::Known(hash)) => (Some(hash), None),
            Some(PayloadHash::Waiting(number)) => (Some(Hash([0; 32])), Some(number)),
        };
        let mut ends = Ends::Otherwise;
        self.texts.push(|out| ends = write(given, out));
        self.ends.push(waiting.filter(|_| ends == Ends::WithPayload));
    }

    /// Time to take what there is.
    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= TEXTS || self.payloads.bytes.len() >= BYTES || self.texts.bytes.len() >= 2 * BYTES
    }

    /// The hashes of all texts, in order. Then there are none.
    pub(crate) fn take(&mut self) -> &[Hash] {
        self.payload_hashes.clear();
        hash_each(&self.payloads.all(), &mut self.payload_hashes);
        self.payloads.clear();
        for (payload, text) in self.ends.drain(..).zip(&self.texts.ends) {
            if let Some(payload) = payload {
                let Hash(hash) = self.payload_hashes[payload];
                self.texts.bytes[text - hash.len()..*text].copy_from_slice(&hash);
            }
        }
        self.hashes.clear();
        hash_each(&self.texts.all(), &mut self.hashes);
        self.texts.clear();
        &self.hashes
    }
}

/// How a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// With the hash that its writer was given.
    WithPayload,
    Otherwise,
}

/// One behind another.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    fn all(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ROOM);
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_the_hashes_of_their_payloads() {
        let mut hashing = Hashing::default();
        for round in 0..3u8 {
            let payloads = [vec![round; 10], vec![1; LONG], Vec::new(), vec![2; LONG - 1]];
            let mut expected = Vec::new();
            for (number, payload) in payloads.iter().enumerate() {
                let hash = hashing.payload(payload);
                let start = vec![number as u8; 5 * number];
                hashing.text(Some(hash), |hash, out| {
                    out.extend(&start);
                    out.extend(hash.unwrap().0);
                    Ends::WithPayload
                });
                expected.push(Hash::of(&[&start[..], &Hash::of(payload).0].concat()));
                hashing.text(Some(hash), |_, out| {
                    out.extend([7; 40]);
                    Ends::Otherwise
                });
                expected.push(Hash::of(&[7; 40]));
                hashing.text(None, |hash, _| {
                    assert_eq!(hash, None);
                    Ends::Otherwise
                });
                expected.push(Hash::of(b""));
            }
            assert_eq!(hashing.take(), expected);
            assert_eq!(hashing.take(), []);
        }
    }

    #[test]
    fn it_is_full_by_bytes_and_by_texts() {
        let mut hashing = Hashing::default();
        for _ in 0..BYTES / 1_024 {
            assert!(!hashing.is_full());
            hashing.payload(&[0; 1_024]);
        }
        assert!(hashing.is_full());
        hashing.take();
        hashing.text(None, |_, out| {
            out.resize(10 << 20, 0);
            Ends::Otherwise
        });
        assert!(hashing.is_full());
        hashing.take();
        assert!(hashing.texts.bytes.capacity() <= ROOM);
        for _ in 0..TEXTS {
            assert!(!hashing.is_full());
            hashing.text(None, |_, _| Ends::Otherwise);
        }
        assert!(hashing.is_full());
    }
}
