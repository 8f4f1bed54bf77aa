//! librdkafka: the only module that knows it.

mod announcer;
mod embedded;
mod ends;
mod headers;
mod logs;
mod look;
mod producer;
mod reader;
mod source;
mod topics;

pub(crate) use announcer::Announcer;
pub use embedded::Embedded;
pub(crate) use ends::Ends;
pub use headers::{Header, Headers};
pub use logs::{LogEnds, Logs};
pub(crate) use look::Look;
pub use producer::Producer;
pub use reader::{Message, Reader};
pub use source::{Consumed, Consumer};
pub use topics::{Looked, Topics};

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::{Error, Kind};
use crate::source::Damage;

/// How to reach Kafka.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Bootstrap servers, comma separated.
    pub brokers: String,
    /// Topics to archive.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Most bytes that librdkafka holds fetched ahead.
    pub queue_bytes_max: u64,
    /// Any other librdkafka property, passed through.
    pub properties: BTreeMap<String, String>,
}

fn client(brokers: &str, properties: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "custody");
    for (name, value) in properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", brokers);
    // Errors reach us as values; the library's own log would repeat them.
    config.set_log_level(RDKafkaLogLevel::Critical);
    config
}

/// Whether messages were there and could not be read. Of some librdkafka says so once and goes on behind them:
/// their offsets would count as ones that hold nothing.
fn damage(error: &KafkaError) -> Option<Damage> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::BadMessage => Some(Damage::Checksum),
        RDKafkaErrorCode::NotImplemented => Some(Damage::Format),
        RDKafkaErrorCode::BadCompression => Some(Damage::Compression),
        RDKafkaErrorCode::MessageSizeTooLarge => Some(Damage::Size),
        _ => None,
    }
}

/// Whether librdkafka knows every property and takes its value. Nothing is connected.
pub fn check(settings: &KafkaSettings) -> Result<(), Error> {
    let made = client(&settings.brokers, &settings.properties).create_native_config();
    made.map(|_| ())
        .map_err(|e| Error::new(Kind::Invalid, format!("kafka.properties: {}", without_value(&e))))
}

/// What is wrong with a property, without its value: a misspelled one may be a password.
fn without_value(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, what, name, _) if what.contains(name.as_str()) => what.clone(),
        KafkaError::ClientConfig(_, what, name, _) => format!("{name}: {what}"),
        other => other.to_string(),
    }
}

/// What librdkafka told us of its connections, apart from any call.
#[derive(Clone, Default)]
struct ClientErrors {
    /// A broker answered and will not have us: trying again does not help.
    refused: Option<String>,
    last: Option<String>,
}

impl ClientErrors {
    fn note(&mut self, error: &KafkaError, reason: &str) {
        let text = format!("{reason} ({error})");
        tracing::debug!(error = %text, "kafka client");
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => self.refused = Some(text),
            // Follows from the errors before it, which say why.
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.last.get_or_insert(text);
            }
            _ => self.last = Some(text),
        }
    }

    /// Why `call`, the first on a new connection, failed.
    fn explain(&self, brokers: &str, call: &KafkaError) -> Error {
        if let Some(reason) = &self.refused {
            return refused(brokers, reason);
        }
        let last = self.last.as_ref().map(|last| format!("; last error: {last}")).unwrap_or_default();
        let message = format!(
            "no Kafka broker answers at {brokers}: {call}{last}; check kafka.brokers, the network and the credentials"
        );
        Error::new(Kind::Unavailable, message)
    }
}

fn refused(brokers: &str, reason: &str) -> Error {
    let message =
        format!("Kafka at {brokers} refuses us: {reason}; check the credentials and what they are allowed");
    Error::new(Kind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_checked_without_a_broker() {
        let with = |name: &str, value: &str| KafkaSettings {
            brokers: "nobody.example:9092".into(),
            topics: vec!["t".into()],
            group: "g".into(),
            queue_bytes_max: 1 << 20,
            properties: [(name.to_owned(), value.to_owned())].into(),
        };
        check(&with("fetch.min.bytes", "7")).unwrap();
        for (name, value) in [("bogus.prop", "1"), ("fetch.min.bytes", "many")] {
            let error = check(&with(name, value)).unwrap_err();
            assert!(error.kind == Kind::Invalid && error.to_string().contains(name), "{error}");
        }
        // Misspelled, and a password.
        let text = check(&with("sasl.pasword", "s3cr3t")).unwrap_err().to_string();
        assert!(text.contains("sasl.pasword") && !text.contains("s3cr3t"), "{text}");
    }
}
