//! What the loop needs of Kafka. A trait, because a simulated Kafka can do what a real one does
//! once a year.

use std::fmt;
use std::time::Duration;

use custody_schemas::TopicId;

use crate::error::Error;
use crate::kafka::Headers;

/// What a poll brought.
#[derive(Debug)]
pub enum Polled<M> {
    /// Nothing in time.
    Nothing,
    /// A message.
    Message(M),
    /// These partitions are ours now, and none else: find out where to go on.
    Assigned(Vec<(String, i32)>),
    /// No partition is ours any more.
    Revoked,
    /// An offset that we asked for is not in the log.
    OutOfRange,
    /// Messages could not be read. What comes behind them in their partition is not to be believed.
    Damaged(Damage),
    /// A topic of ours is not there: find out which, and whether it was made again.
    TopicGone,
}

/// Why messages cannot be read, as far as the client says. It does not say where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// They are not what their checksum says.
    Checksum,
    /// Their format or their compression is none that the client knows.
    Format,
    /// They cannot be decompressed, or to more than the client takes.
    Compression,
    /// No fetch is large enough for what they say of their size.
    Size,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Checksum => "are not what their checksum says",
            Damage::Format => "are in a format or a compression that this version does not know",
            Damage::Compression => "cannot be decompressed",
            Damage::Size => "are larger than any fetch",
        })
    }
}

impl Damage {
    /// What may be the matter beside a log that is damaged, and what helps then.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Damage::Checksum => "",
            Damage::Format => {
                "If a producer or Kafka is newer than this version, take a newer one; otherwise: "
            }
            Damage::Compression | Damage::Size => {
                "If they are large, without compression too, set --kafka-property receive.message.max.bytes=… to \
                 three times of that (100 MB unless it is set); otherwise: "
            }
        }
    }
}

/// A message, borrowed from its source.
pub trait Message {
    /// The topic's name.
    fn topic(&self) -> &str;
    /// The partition's number.
    fn partition(&self) -> i32;
    /// Its place in the partition.
    fn offset(&self) -> i64;
    /// The broker's or the producer's timestamp, milliseconds since 1970 UTC.
    fn broker_time_ms(&self) -> Option<i64>;
    /// The key.
    fn key(&self) -> Option<&[u8]>;
    /// The payload.
    fn payload(&self) -> Option<&[u8]>;
    /// The headers, in order.
    fn headers(&self) -> Headers<'_>;
}

/// A consumer of the topics that are archived. Nothing is taken for granted of it but this: within
/// a partition offsets rise, until `read_from` says otherwise.
pub trait Source {
    /// A message of it.
    type Message<'a>: Message
    where
        Self: 'a;

    /// Waits for something to happen.
    fn poll(&self, wait: Duration) -> Result<Polled<Self::Message<'_>>, Error>;

    /// The id of the topic's present life, as the broker says now; `None` from a broker that has none
    /// (before Kafka 2.8). A topic that was made again has another one, and none is ever used twice.
    ///
    /// # Errors
    ///
    /// `Gone` when there is no such topic, `Unavailable` when nobody answers.
    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, Error>;

    /// The first offset in the log and the one after its last.
    ///
    /// # Errors
    ///
    /// `Gone` when there is no such topic, `Unavailable` when nobody answers.
    fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error>;

    /// Why the first messages from an offset on cannot be read, asked for by themselves; `None` when they
    /// can be, or when nothing is there.
    ///
    /// # Errors
    ///
    /// `Unavailable` when nobody answers.
    fn damage(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<Damage>, Error>;

    /// Reads these partitions, and only these, from these offsets.
    fn read_from(&self, offsets: &[(String, i32, i64)]) -> Result<(), Error>;

    /// Stops fetching without leaving the group, or goes on.
    fn pause(&self, pause: bool);

    /// Kafka's own offsets, for lag dashboards only: never read by us.
    fn tell_offsets(&self, offsets: &[(String, i32, i64)]);
}
