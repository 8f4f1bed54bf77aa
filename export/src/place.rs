//! Where a record stands among all records of a production, as bytes that sort.

use custody_schemas::Position;

/// Where a record stands among all: bytes that sort as it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) bytes: Box<[u8]>,
    /// Bytes of what it belongs to and of its day.
    pub(crate) group: usize,
}

/// Bytes of a day.
const DAY: usize = 4;

impl Key {
    /// What a record belongs to; on which day of the production's zone, counted from 1970; at which time,
    /// in microseconds since 1970 UTC; and where in the archive.
    pub(crate) fn new(thread: &str, day: i32, at_us: i64, position: &Position) -> Self {
        let partition = &position.partition;
        let mut bytes = Vec::with_capacity(thread.len() + partition.topic.len() + 40);
        text(thread, &mut bytes);
        bytes.extend(ordered_i32(day));
        let group = bytes.len();
        bytes.extend(ordered_i64(at_us));
        text(&partition.topic, &mut bytes);
        bytes.extend(ordered_i32(partition.generation));
        bytes.extend(ordered_i32(partition.partition));
        bytes.extend(ordered_i64(position.offset));
        Key { bytes: bytes.into(), group }
    }

    /// The same of all records of a thread on a day, and of no others.
    pub(crate) fn group(&self) -> &[u8] {
        &self.bytes[..self.group]
    }

    /// Its day.
    pub(crate) fn day(&self) -> i32 {
        let day = self.group().last_chunk::<DAY>().copied().unwrap_or_default();
        (u32::from_be_bytes(day) ^ 1 << 31).cast_signed()
    }
}

/// Appends a text so that what begins with it sorts after it.
fn text(text: &str, out: &mut Vec<u8>) {
    for (n, piece) in text.split('\0').enumerate() {
        if n > 0 {
            out.extend([0, 0xff]);
        }
        out.extend_from_slice(piece.as_bytes());
    }
    out.extend([0, 0]);
}

fn ordered_i32(number: i32) -> [u8; 4] {
    (number.cast_unsigned() ^ 1 << 31).to_be_bytes()
}

fn ordered_i64(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use custody_schemas::Partition;

    use super::*;

    #[test]
    fn keys_sort_as_what_they_are_made_of() {
        let mut all = Vec::new();
        for thread in ["", "a", "a\0", "a\0\0", "a\0b", "a\u{1}", "ab", "b", "\u{ff}"] {
            for number in [i32::MIN, -1, 0, 7] {
                for at_us in [i64::MIN, -1, 0, i64::MAX] {
                    for (topic, offset) in [("t", 0), ("t", 1), ("t.u", 0)] {
                        let partition = Partition { topic: topic.into(), generation: 1, partition: number };
                        all.push((thread, number, at_us, Position { partition, offset }));
                    }
                }
            }
        }
        all.sort();
        let key = |(thread, day, at_us, position): &(&str, i32, i64, Position)| {
            let key = Key::new(thread, *day, *at_us, position);
            assert_eq!(key.day(), *day);
            key
        };
        for pair in all.windows(2) {
            let (a, b) = (key(&pair[0]), key(&pair[1]));
            assert!(a < b, "{pair:?}");
            let is_same = (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
            assert_eq!(a.group() == b.group(), is_same, "{pair:?}");
        }
    }
}
