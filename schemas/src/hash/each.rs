//! SHA-256 of many texts, two at a time.
//!
//! The instructions that processors have for SHA-256 wait for one another: a round needs the one before
//! it. With a second text beside the first one the time of one is nearly that of both. Which texts are
//! hashed beside each other changes nothing of what comes out.

use super::Hash;

/// The hash of each text, in order, behind what is in `out`.
pub fn hash_each(texts: &[&[u8]], out: &mut Vec<Hash>) {
    #[cfg(target_arch = "x86_64")]
    if x86::is_able() {
        return x86::hash_each(texts, out);
    }
    out.extend(texts.iter().map(|text| Hash::of(text)));
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![allow(unsafe_code)]

    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
        _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
        _mm_shuffle_epi32,
    };

    use crate::hash::Hash;

    const BLOCK: usize = 64;
    /// Words of a text's length in bits, at its end.
    const LENGTH: usize = 8;

    /// FIPS 180-4, section 4.2.2.
    const K: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];
    /// Section 5.3.3.
    const START: [u32; 8] =
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// Whether the processor has the instructions.
    pub(super) fn is_able() -> bool {
        is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1")
    }

    /// See the module; only where [`is_able`].
    pub(super) fn hash_each(texts: &[&[u8]], out: &mut Vec<Hash>) {
        assert!(is_able());
        // SAFETY: the processor has what the function is compiled for.
        unsafe { by_two(texts, out) }
    }

    /// The words a, b, e, f and c, d, g, h of a hash that is being made, as the instructions take them.
    #[derive(Clone, Copy)]
    struct State([__m128i; 2]);

    /// A text, the blocks that are left of it, and its end with the padding.
    struct Lane<'t> {
        /// Its number; `None` when there is no text.
        number: Option<usize>,
        whole: &'t [[u8; BLOCK]],
        end: [[u8; BLOCK]; 2],
        /// Of the blocks at the end those that are used, and those that are done.
        end_blocks: usize,
        end_done: usize,
    }

    impl<'t> Lane<'t> {
        const IDLE: Lane<'static> =
            Lane { number: None, whole: &[], end: [[0; BLOCK]; 2], end_blocks: 0, end_done: 0 };

        /// Takes up the next text, in place: there are several for each record.
        fn begin(&mut self, number: usize, text: &'t [u8]) {
            let (whole, rest) = text.as_chunks::<BLOCK>();
            (self.number, self.whole) = (Some(number), whole);
            self.end = [[0; BLOCK]; 2];
            let end = self.end.as_flattened_mut();
            end[..rest.len()].copy_from_slice(rest);
            end[rest.len()] = 0x80;
            self.end_blocks = 1 + usize::from(rest.len() + 1 + LENGTH > BLOCK);
            self.end_done = 0;
            let bits = (text.len() as u64) << 3;
            let place = self.end_blocks * BLOCK - LENGTH;
            end[place..place + LENGTH].copy_from_slice(&bits.to_be_bytes());
        }

        /// Blocks that follow one another in memory.
        fn blocks(&self) -> &[[u8; BLOCK]] {
            if self.whole.is_empty() { &self.end[self.end_done..self.end_blocks] } else { self.whole }
        }

        fn is_done(&self) -> bool {
            self.blocks().is_empty()
        }

        fn advance(&mut self, blocks: usize) {
            if self.whole.is_empty() {
                self.end_done += blocks;
            } else {
                self.whole = &self.whole[blocks..];
            }
        }
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn by_two(texts: &[&[u8]], out: &mut Vec<Hash>) {
        let first = out.len();
        out.resize(first + texts.len(), Hash([0; 32]));
        let out = &mut out[first..];
        let mut next = texts.iter().enumerate();
        let mut lanes = [Lane::IDLE; 2];
        let mut states = [start(); 2];
        loop {
            for (lane, state) in lanes.iter_mut().zip(&mut states) {
                if !lane.is_done() {
                    continue;
                }
                if let Some(number) = lane.number.take() {
                    out[number] = finish(*state);
                }
                if let Some((number, text)) = next.next() {
                    lane.begin(number, text);
                    *state = start();
                }
            }
            let [one, other] = [lanes[0].blocks(), lanes[1].blocks()];
            let blocks = match (one.len(), other.len()) {
                (0, 0) => return,
                (0, blocks) => {
                    let [_, state] = &mut states;
                    compress(std::array::from_mut(state), [other]);
                    blocks
                }
                (blocks, 0) => {
                    let [state, _] = &mut states;
                    compress(std::array::from_mut(state), [one]);
                    blocks
                }
                (some, others) => {
                    let blocks = some.min(others);
                    compress(&mut states, [&one[..blocks], &other[..blocks]]);
                    blocks
                }
            };
            lanes.iter_mut().filter(|lane| !lane.is_done()).for_each(|lane| lane.advance(blocks));
        }
    }

    #[target_feature(enable = "sse2")]
    fn words(a: u32, b: u32, c: u32, d: u32) -> __m128i {
        let [a, b, c, d] = [a, b, c, d].map(u32::cast_signed);
        _mm_set_epi32(a, b, c, d)
    }

    #[target_feature(enable = "sse2")]
    fn start() -> State {
        let [a, b, c, d, e, f, g, h] = START;
        State([words(a, b, e, f), words(c, d, g, h)])
    }

    #[target_feature(enable = "sse4.1")]
    fn finish(State([abef, cdgh]): State) -> Hash {
        let words = [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ];
        let mut hash = [0; 32];
        for (place, word) in hash.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_be_bytes();
        }
        Hash(hash)
    }

    /// Four words of a text, which are big-endian.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        let [low, high] = bytes.as_chunks().0 else { return words(0, 0, 0, 0) };
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        _mm_shuffle_epi8(_mm_set_epi64x(i64::from_le_bytes(*high), i64::from_le_bytes(*low)), swap)
    }

    /// As many blocks of each text as there are of the first; those of the others are as many.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn compress<const N: usize>(states: &mut [State; N], texts: [&[[u8; BLOCK]]; N]) {
        let mut states_now = *states;
        for at in 0..texts[0].len() {
            let before = states_now;
            let mut words = [[words(0, 0, 0, 0); 4]; N];
            for (words, text) in words.iter_mut().zip(texts) {
                for (four, bytes) in words.iter_mut().zip(text[at].as_chunks().0) {
                    *four = load(bytes);
                }
            }
            // Four rounds at a time.
            for (four, k) in K.as_chunks::<4>().0.iter().enumerate() {
                let [k0, k1, k2, k3] = k.map(u32::cast_signed);
                let k = _mm_set_epi32(k3, k2, k1, k0);
                for (State([abef, cdgh]), words) in states_now.iter_mut().zip(&mut words) {
                    let [w0, w1, w2, w3] = *words;
                    let sum = _mm_add_epi32(w0, k);
                    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
                    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(sum));
                    let mut new = w0;
                    if four < 12 {
                        let part = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                        new = _mm_sha256msg2_epu32(part, w3);
                    }
                    *words = [w1, w2, w3, new];
                }
            }
            for (State(now), State(before)) in states_now.iter_mut().zip(before) {
                for (now, before) in now.iter_mut().zip(before) {
                    *now = _mm_add_epi32(*now, before);
                }
            }
        }
        *states = states_now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(texts: &[Vec<u8>]) {
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let mut out = vec![Hash::of(b"before")];
        hash_each(&texts, &mut out);
        let expected: Vec<Hash> =
            [&b"before"[..]].into_iter().chain(texts.iter().copied()).map(Hash::of).collect();
        assert_eq!(out, expected);
    }

    /// Around every border of a block and of its padding, beside a text of another length.
    #[test]
    fn every_length_is_hashed() {
        for length in 0..300 {
            let text: Vec<u8> = (0..length).map(|n| (n * 7 + length) as u8).collect();
            check(std::slice::from_ref(&text));
            check(&[text.clone(), vec![1; 100], text, Vec::new()]);
        }
        check(&[]);
    }

    proptest! {
        #[test]
        fn texts_are_hashed_each_alone(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..20)
        ) {
            check(&texts);
        }
    }
}
