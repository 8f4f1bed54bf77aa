//! The event contract as Rust types: what a gateway publishes.
//!
//! The same types write and read. Every text borrows from the payload where
//! JSON allows it. Members that the contract does not know are passed over here
//! and stay in the payload, which is archived verbatim.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A text, borrowed from the payload where it holds no escapes.
///
/// A type of its own because serde borrows a `Cow` only where it stands alone,
/// not inside an `Option`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text(Cow::Owned(text))
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a struct from an object alone: serde would read an array by the order of our fields, which
/// is no form of the contract.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! from_object {
    ($name:ident) => {
        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $name::deserialize(Object(deserializer))
            }
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $name::serialize(self, serializer)
            }
        }
    };
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
        pub struct $name<'a> {
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }
        from_object!($name);
    };
}

/// A CloudEvents 1.0 event of a federation gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Event<'a> {
    /// CloudEvents version: `1.0`.
    #[serde(borrow, default)]
    pub specversion: Text<'a>,
    /// With `source`, unique; a redelivery repeats both.
    #[serde(borrow, default)]
    pub id: Text<'a>,
    /// The gateway, as a URI reference.
    #[serde(borrow, default)]
    pub source: Text<'a>,
    /// The type's full name, such as `federation.im.message.sent.v1`.
    #[serde(borrow, default, rename = "type")]
    pub kind: Text<'a>,
    /// When it happened at the source: RFC 3339 with offset.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Text<'a>>,
    /// Whose gateway this is: a domain name.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Text<'a>>,
    /// Counts up by one per source; a hole is a loss before Kafka.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "sequence",
        serialize_with = "sequence_text"
    )]
    #[schemars(with = "Option<String>")]
    pub sequence: Option<i64>,
    /// `application/json`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<Text<'a>>,
    /// What happened.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Data<'a>>>,
}

from_object!(Event);

record! {
    /// What happened. Which members a type has, the contract's table says.
    // What few events have is boxed: most are messages, and stay small while they are read.
    Data {
        /// The conversation that it happened in.
        conversation: Conversation<'a>,
        /// Who did it.
        from: Party<'a>,
        /// To whom.
        to: Vec<Party<'a>>,
        /// A bridge that relayed it.
        via: Box<Party<'a>>,
        /// User agent of the sender.
        client: Text<'a>,
        /// The message sent, edited, deleted, reacted to or received.
        message: Message<'a>,
        /// The reaction to a message.
        reaction: Reaction<'a>,
        /// Delivery or reading of a message.
        receipt: Receipt<'a>,
        /// The file shared or fetched.
        file: Box<File<'a>>,
        /// The call.
        call: Box<Call<'a>>,
        /// Who joined or left.
        participant: Box<Party<'a>>,
        /// `joined` or `left`.
        action: Text<'a>,
        /// The conversation's new title.
        title: Text<'a>,
        /// A search of the directory.
        search: Search<'a>,
        /// The contact request's text.
        contact: Contact<'a>,
        /// The policy that was changed.
        policy: Box<Policy<'a>>,
        /// The gateway itself.
        gateway: Gateway<'a>,
        /// An interval in which recording was not possible.
        outage: Outage<'a>,
    }
}
record! {
    /// A conversation.
    Conversation {
        /// The conversation's id.
        id: Text<'a>,
        /// `direct`, `group` or `meeting`.
        kind: Text<'a>,
        /// Its title.
        title: Text<'a>,
    }
}
record! {
    /// Somebody, at the address that their own network uses.
    Party {
        /// `skype`, `lync`, `teams`, `sip`, `xmpp`, `matrix`, `irc`, `pstn` and so on.
        network: Text<'a>,
        /// The native address, not rewritten.
        address: Text<'a>,
        /// Display name.
        name: Text<'a>,
        /// Role in the conversation.
        role: Text<'a>,
        /// `internal`, `federated`, `anonymous` or `system`.
        scope: Text<'a>,
    }
}
record! {
    /// An instant message.
    Message {
        /// The message's id.
        id: Text<'a>,
        /// `text/plain` or `text/html`.
        content_type: Text<'a>,
        /// The text.
        text: Text<'a>,
        /// Id of the message that it answers.
        in_reply_to: Text<'a>,
        /// Such as `high`.
        importance: Text<'a>,
    }
}
record! {
    /// A reaction to a message.
    Reaction {
        /// An emoji or a name.
        value: Text<'a>,
        /// `added` or `removed`.
        action: Text<'a>,
    }
}
record! {
    /// A receipt of a message.
    Receipt {
        /// `delivered` or `read`.
        status: Text<'a>,
    }
}
record! {
    /// A file.
    File {
        /// The file's id.
        id: Text<'a>,
        /// Its name.
        name: Text<'a>,
        /// Its media type.
        media_type: Text<'a>,
        /// Its size in bytes.
        size: i64,
        /// SHA-256 of its content, hexadecimal.
        sha256: Text<'a>,
        /// Where the content is kept.
        #[serde(rename = "ref")]
        reference: Text<'a>,
    }
}
record! {
    /// A call; with `call.ended`, its call detail record.
    Call {
        /// The call's id.
        id: Text<'a>,
        /// `audio`, `video`, `screen`.
        media: Vec<Text<'a>>,
        /// On whose behalf it was made.
        on_behalf_of: Value,
        /// Who transferred or forwarded it.
        referred_by: Value,
        /// Whom it was meant for at first.
        original_target: Value,
        /// RFC 3339.
        invite_time: Text<'a>,
        /// RFC 3339.
        answer_time: Text<'a>,
        /// RFC 3339.
        end_time: Text<'a>,
        /// The SIP response code.
        response_code: i64,
        /// Why it ended.
        reason: Text<'a>,
        /// Diagnostics of the servers.
        diagnostics: Value,
        /// Messages that the caller sent in the session.
        from_message_count: i64,
        /// Messages that the called party sent in the session.
        to_message_count: i64,
        /// Quality by medium.
        quality: Vec<Quality<'a>>,
    }
}
record! {
    /// Quality of one medium of a call.
    Quality {
        /// `audio`, `video` or `screen`.
        media: Text<'a>,
        /// The codec's name.
        codec: Text<'a>,
        /// Jitter in milliseconds.
        jitter_ms: f64,
        /// Lost packets in per cent.
        loss_pct: f64,
        /// Round trip in milliseconds.
        round_trip_ms: f64,
        /// Mean opinion score, 1 to 5.
        mos: f64,
    }
}
record! {
    /// A search of the directory.
    Search {
        /// What was looked for.
        query: Text<'a>,
        /// `email` or `name`.
        kind: Text<'a>,
        /// How many people were found.
        result_count: i64,
    }
}
record! {
    /// A contact request or its answer.
    Contact {
        /// The words sent with it.
        text: Text<'a>,
    }
}
record! {
    /// A change of federation policy.
    Policy {
        /// `tenant`, `domain` or `user`.
        scope: Text<'a>,
        /// Which tenant, domain or user.
        target: Text<'a>,
        /// The setting's name.
        setting: Text<'a>,
        /// Its value before.
        old: Value,
        /// Its value after.
        new: Value,
    }
}
record! {
    /// The gateway.
    Gateway {
        /// Its software version.
        version: Text<'a>,
    }
}
record! {
    /// An interval in which the gateway could not record.
    Outage {
        /// RFC 3339.
        from: Text<'a>,
        /// RFC 3339; absent while it lasts.
        to: Text<'a>,
        /// Why.
        reason: Text<'a>,
    }
}

/// `sequence` is an integer or a text that holds one; another text is kept in
/// the payload only.
fn sequence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Number;
    impl Visitor<'_> for Number {
        type Value = Option<i64>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer or a text")
        }
        fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
            Ok(Some(n))
        }
        fn visit_u64<E: de::Error>(self, n: u64) -> Result<Self::Value, E> {
            Ok(i64::try_from(n).ok())
        }
        // A number that no sequence can be: it stays in the payload.
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.parse().ok())
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Number)
}

fn sequence_text<S: Serializer>(number: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}
