//! Which life of a topic: the id that Kafka gives each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kafka's id of a topic, as its tools print it (KIP-516,
/// <https://cwiki.apache.org/confluence/display/KAFKA/KIP-516%3A+Topic+Identifiers>). A topic that
/// is deleted and made again gets another one, and none is ever used twice; that is all we know of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(String);

impl From<&str> for TopicId {
    fn from(text: &str) -> Self {
        TopicId(text.to_owned())
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
