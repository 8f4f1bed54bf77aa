//! Where a record came from, and half-open ranges of offsets.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One partition of one generation of a topic. A topic that was deleted and
/// made again starts a new generation, so that a position is never used twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Partition {
    /// The Kafka topic's name.
    pub topic: String,
    /// Counts the lives of the topic, from 1.
    pub generation: i32,
    /// The Kafka partition number.
    pub partition: i32,
}

impl Partition {
    /// The Delta `txn` application id under which the archive keeps the next
    /// offset of this partition.
    pub fn app_id(&self) -> String {
        format!("custody:{self}")
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.topic, self.generation, self.partition)
    }
}

/// The permanent address of a record: `topic:generation:partition:offset`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Topic, generation and partition.
    #[serde(flatten)]
    pub partition: Partition,
    /// The Kafka offset.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// A text that is not a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPosition(String);

impl fmt::Display for NotAPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a position; write topic:generation:partition:offset, such as federation.events:1:0:42",
            self.0
        )
    }
}

impl std::error::Error for NotAPosition {}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let fail = || NotAPosition(text.to_owned());
        // Kafka topic names hold no colon, so splitting from the right is exact.
        let mut parts = text.rsplitn(4, ':');
        let mut next = || parts.next().ok_or_else(fail);
        let offset = next()?.parse::<i64>().map_err(|_| fail())?;
        let partition = next()?.parse::<i32>().map_err(|_| fail())?;
        let generation = next()?.parse::<i32>().map_err(|_| fail())?;
        let topic = next()?.to_owned();
        if topic.is_empty() || offset < 0 || partition < 0 || generation < 1 {
            return Err(fail());
        }
        Ok(Position { partition: Partition { topic, generation, partition }, offset })
    }
}

/// Half-open range of offsets `[from, to)` of one partition. `to` is the next
/// offset to read, never the last one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First offset covered.
    pub from: i64,
    /// The offset after the last one covered.
    pub to: i64,
}

impl Span {
    /// `[from, to)`; `None` when it would run backwards or start below zero.
    pub fn new(from: i64, to: i64) -> Option<Self> {
        (from >= 0 && from <= to).then_some(Span { from, to })
    }

    /// How many offsets are covered.
    pub fn len(self) -> u64 {
        self.to.saturating_sub(self.from).max(0).unsigned_abs()
    }

    /// Covers nothing.
    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// Does it cover this offset?
    pub fn contains(self, offset: i64) -> bool {
        self.from <= offset && offset < self.to
    }

    /// The union with the span that follows without a hole.
    pub fn then(self, next: Span) -> Option<Span> {
        (self.to == next.from).then_some(Span { from: self.from, to: next.to })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn position_text() {
        for (text, ok) in [
            ("federation.events:1:0:42", true),
            ("t:1:0:0", true),
            ("t:0:0:0", false),
            ("t:1:-1:0", false),
            ("t:1:0:-1", false),
            ("t:1:0", false),
            (":1:0:0", false),
            ("t:1:0:x", false),
            ("", false),
        ] {
            let parsed = text.parse::<Position>();
            assert_eq!(parsed.is_ok(), ok, "{text}");
            if let Ok(position) = parsed {
                assert_eq!(position.to_string(), text);
            }
        }
    }

    proptest! {
        #[test]
        fn spans_chain(a in 0i64..1_000, b in 0i64..1_000, c in 0i64..1_000) {
            let mut at = [a, b, c];
            at.sort_unstable();
            let (first, second) = (Span::new(at[0], at[1]).unwrap(), Span::new(at[1], at[2]).unwrap());
            let whole = first.then(second).unwrap();
            prop_assert_eq!(whole.len(), first.len() + second.len());
            for offset in 0..1_000 {
                prop_assert_eq!(whole.contains(offset), first.contains(offset) || second.contains(offset));
                prop_assert!(!(first.contains(offset) && second.contains(offset)));
            }
            prop_assert_eq!(first.is_empty(), first.from == first.to);
        }
    }
}
