//! A record as a production shows it: its bytes, and what they say.

use std::borrow::Cow;

use custody_archive::{Consumed, FileRef};
use custody_schemas::decode::{Decoded, Warning, decode};
use custody_schemas::event::{Data, Event, File, Party};
use custody_schemas::text::plain;
use custody_schemas::{Hash, Incoming, Kind, Position, gap};
use serde::{Deserialize, Serialize};

/// The type of a record that cannot be decoded.
pub(crate) const QUARANTINED: &str = "quarantined";

/// The bytes of a record that may be shown, and where they came from. What was redacted is not in
/// them any more, so no format can show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    #[serde(with = "packed_position")]
    pub(crate) position: Position,
    /// Of the record as it was archived, whatever was redacted.
    #[serde(with = "packed_hash")]
    pub(crate) leaf: Hash,
    pub(crate) batch: String,
    #[serde(with = "packed_hash")]
    pub(crate) batch_root: Hash,
    /// Milliseconds since 1970 UTC.
    pub(crate) archived_ms: i64,
    /// Milliseconds since 1970 UTC.
    pub(crate) broker_time_ms: Option<i64>,
    #[serde(with = "packed_bytes")]
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    #[serde(with = "packed_bytes")]
    pub(crate) payload: Option<Vec<u8>>,
    /// The archive says that it is the row of a gap.
    pub(crate) is_gap: bool,
    /// How many records that match are deliveries of its event, itself included.
    pub(crate) deliveries: u64,
    /// It is no hit: it stands near one.
    pub(crate) is_context: bool,
    /// How many places of it were redacted.
    pub(crate) redactions: u32,
}

impl Shown {
    /// All of a record of a batch.
    pub(crate) fn whole(record: Consumed, file: &FileRef, deliveries: u64, is_context: bool) -> Self {
        Shown {
            position: record.position,
            leaf: record.leaf,
            batch: file.manifest.batch.clone(),
            batch_root: file.manifest.root,
            archived_ms: file.manifest.archived_ms,
            broker_time_ms: record.broker_time_ms,
            key: record.key,
            headers: record.headers,
            payload: record.payload,
            is_gap: record.is_gap,
            deliveries,
            is_context,
            redactions: 0,
        }
    }

    /// Bytes that it takes in a temporary file at most: a number takes 10, and so does the length of a
    /// text or of a list.
    pub(crate) fn packed_bytes_max(&self) -> usize {
        let optional = |bytes: &Option<Vec<u8>>| 11 + bytes.as_ref().map_or(0, Vec::len);
        let header = |(name, value): &(String, Option<Vec<u8>>)| 10 + name.len() + optional(value);
        let headers = 10 + self.headers.iter().map(header).sum::<usize>();
        let texts = self.position.partition.topic.len() + self.batch.len();
        let (numbers, hashes, flags) = (8 * 10, 2 * 32, 3);
        numbers + hashes + flags + texts + headers + optional(&self.key) + optional(&self.payload)
    }
}

/// A position for temporary files, without the names of its members.
pub(crate) mod packed_position {
    use custody_schemas::{Partition, Position};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(position: &Position, to: S) -> Result<S::Ok, S::Error> {
        let Position { partition: Partition { topic, generation, partition }, offset } = position;
        (topic, generation, partition, offset).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Position, D::Error> {
        let (topic, generation, partition, offset) = Deserialize::deserialize(from)?;
        Ok(Position { partition: Partition { topic, generation, partition }, offset })
    }
}

/// A hash for temporary files, as its bytes.
mod packed_hash {
    use custody_schemas::Hash;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        hash.0.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        Deserialize::deserialize(from).map(Hash)
    }
}

/// Bytes for temporary files, at once and not one by one. The form is that of a list of them: the size
/// of a packed record decides where a document is cut, so it must stay as it is.
mod packed_bytes {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    struct Borrowed<'b>(&'b [u8]);

    impl Serialize for Borrowed<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_bytes(self.0)
        }
    }

    struct Owned(Vec<u8>);

    impl<'de> Deserialize<'de> for Owned {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Owned;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Owned, E> {
                    Ok(Owned(bytes.to_vec()))
                }
            }
            from.deserialize_bytes(Bytes)
        }
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Borrowed).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Owned>::deserialize(from)?.map(|bytes| bytes.0))
    }
}

/// Header names and values as decoding takes them.
type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

/// A record, decoded.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) shown: &'a Shown,
    /// The type's short name; [`QUARANTINED`] for what cannot be decoded.
    pub(crate) kind: String,
    /// `None` for what cannot be decoded.
    pub(crate) event: Option<Event<'a>>,
    /// Why it cannot be decoded.
    pub(crate) quarantined: Option<String>,
    /// What was lost, in words, for the row of a gap.
    pub(crate) gap: Option<String>,
    /// What is odd about it.
    pub(crate) warnings: Vec<Warning>,
    /// When it happened, microseconds since 1970 UTC.
    pub(crate) time_us: Option<i64>,
    nothing: Data<'a>,
}

/// Decodes records and hands them on, in their order.
pub(crate) fn with_items<R>(shown: &[Shown], then: impl FnOnce(&[Item<'_>]) -> R) -> R {
    let headers: Vec<Headers<'_>> = shown
        .iter()
        .map(|shown| shown.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect())
        .collect();
    let items: Vec<_> =
        shown.iter().zip(&headers).map(|(shown, headers)| Item::new(shown, headers)).collect();
    then(&items)
}

impl<'a> Item<'a> {
    fn new(shown: &'a Shown, headers: &'a Headers<'a>) -> Self {
        let incoming = Incoming {
            key: shown.key.as_deref(),
            headers,
            payload: shown.payload.as_deref(),
            broker_time_ms: shown.broker_time_ms,
        };
        let lost = shown.is_gap.then(|| gap::parse(&shown.position, &incoming)).flatten();
        let decoded = decode(&incoming);
        let kind = decoded.as_ref().map_or(Cow::Borrowed(QUARANTINED), Decoded::short_type).into_owned();
        let item = Item {
            shown,
            kind,
            event: None,
            quarantined: None,
            gap: lost.as_ref().map(gap::detail),
            warnings: Vec::new(),
            time_us: None,
            nothing: Data::default(),
        };
        match decoded {
            Err(reason) => Item { quarantined: Some(reason.0), ..item },
            Ok(decoded) => Item {
                event: Some(decoded.event),
                time_us: decoded.time_us,
                // The type of a gap is not of the contract, and need not be.
                warnings: if item.gap.is_some() { Vec::new() } else { decoded.warnings },
                ..item
            },
        }
    }

    /// The type, if it is of the contract.
    pub(crate) fn contract(&self) -> Option<Kind> {
        Kind::from_full(&self.event.as_ref()?.kind)
    }

    /// The file that it shares: an attachment of its document.
    pub(crate) fn shared_file(&self) -> Option<&File<'a>> {
        self.data().file.as_deref().filter(|_| self.contract() == Some(Kind::FileShared))
    }

    /// What happened; nothing for what cannot be decoded.
    pub(crate) fn data(&self) -> &Data<'a> {
        self.event.as_ref().and_then(|event| event.data.as_deref()).unwrap_or(&self.nothing)
    }

    /// Where it stands in time, microseconds since 1970 UTC: when it happened, else when the broker
    /// had it, else when it was archived.
    pub(crate) fn at_us(&self) -> i64 {
        let broker_us = || self.shown.broker_time_ms.map(|ms| ms.saturating_mul(1_000));
        self.time_us.or_else(broker_us).unwrap_or_else(|| self.shown.archived_ms.saturating_mul(1_000))
    }

    /// Who did it.
    pub(crate) fn from(&self) -> Option<&Party<'a>> {
        self.data().from.as_ref()
    }

    /// To whom.
    pub(crate) fn to(&self) -> &[Party<'a>] {
        self.data().to.as_deref().unwrap_or_default()
    }

    /// The id of the message that it is, or is about.
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.data().message.as_ref()?.id.as_deref()
    }

    /// The text that somebody wrote, as it was sent, with its content type.
    pub(crate) fn body(&self) -> Option<(Option<&str>, &str)> {
        let data = self.data();
        let message = data.message.as_ref();
        let body = message.and_then(|message| message.text.as_deref());
        match body {
            Some(body) => Some((message.and_then(|message| message.content_type.as_deref()), body)),
            None => data.contact.as_ref()?.text.as_deref().map(|text| (None, text)),
        }
    }

    /// The same without markup.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        self.body().map(|(content_type, body)| plain(content_type, body))
    }
}

#[cfg(test)]
mod tests {
    use custody_schemas::Partition;

    use super::*;
    use crate::fixture::{hostile, sample, shown};

    /// The size decides where documents are cut: another one would change what was once produced.
    #[test]
    fn a_packed_record_has_the_size_that_it_always_had() {
        for record in sample().into_iter().chain(hostile()) {
            let packed = postcard::to_stdvec(&record).unwrap();
            assert_eq!(postcard::from_bytes::<Shown>(&packed).unwrap(), record);
            assert!(packed.len() <= record.packed_bytes_max());
            let (key, payload) = (record.key.as_ref().unwrap(), record.payload.as_ref().unwrap());
            // Each is its length and its bytes, as a list has them.
            for bytes in [postcard::to_stdvec(key).unwrap(), postcard::to_stdvec(payload).unwrap()] {
                assert!(packed.windows(bytes.len()).any(|window| window == bytes));
            }
        }
        let one = shown(7, "{}");
        assert_eq!(postcard::to_stdvec(&one).unwrap().len(), 148);
        let none = Shown { key: None, payload: None, headers: Vec::new(), ..one.clone() };
        assert_eq!(postcard::to_stdvec(&none).unwrap().len(), 97);
        let most = Shown {
            position: Position {
                partition: Partition { topic: "t".repeat(249), generation: i32::MIN, partition: i32::MIN },
                offset: i64::MIN,
            },
            archived_ms: i64::MIN,
            broker_time_ms: Some(i64::MIN),
            deliveries: u64::MAX,
            redactions: u32::MAX,
            headers: vec![(String::new(), Some(vec![255; 300])), ("x".repeat(300), None)],
            ..one
        };
        assert!(postcard::to_stdvec(&most).unwrap().len() <= most.packed_bytes_max());
    }
}
