//! What Kafka says of topics: the id of the life that each is in (KIP-516), its partitions and ends.
//!
//! The client library does not wrap librdkafka's way to ask for an id.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use custody_schemas::TopicId;
use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_AdminOptions_set_broker,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_t, rd_kafka_DescribeTopics,
    rd_kafka_DescribeTopics_result_topics, rd_kafka_TopicCollection_destroy,
    rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicCollection_t, rd_kafka_TopicDescription_error,
    rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str, rd_kafka_Uuid_least_significant_bits,
    rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t, rd_kafka_error_code,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t, rd_kafka_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::{KafkaSettings, client, without_value};
use crate::error::{Error, Kind};
use crate::resume::Log;

/// How long the broker may take to say it. While it does, the loop reads nothing.
const ANSWER: Duration = Duration::from_secs(5);
/// The same for the ends of a log, without which nothing is read at all.
const ANSWER_ENDS: Duration = Duration::from_secs(15);

/// What librdkafka gave us to be freed, and what frees it.
struct Owned<T> {
    pointer: ptr::NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self, RDKafkaRespErr> {
        // It gives none when it cannot: for want of memory, or at its end.
        let pointer = ptr::NonNull::new(pointer).ok_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR__FAIL)?;
        Ok(Owned { pointer, free })
    }

    fn get(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the function whose counterpart `free` is, nobody else has it,
        // and it is freed here and nowhere else.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

fn failed(what: &str, topic: &str, code: RDKafkaErrorCode) -> Error {
    let kind = if is_gone(code) { Kind::Gone } else { Kind::Unavailable };
    Error::new(kind, format!("cannot ask Kafka for {what} of topic {topic:?}: {code}"))
}

fn is_gone(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
    )
}

/// The answer, waited for on a queue of its own: nothing of the consumer's comes through it.
fn describe(
    native: *mut rd_kafka_t,
    topic: &CStr,
    broker: i32,
) -> Result<Owned<rd_kafka_event_t>, RDKafkaRespErr> {
    let millis = i32::try_from(ANSWER.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `native` is the handle of a client that the caller borrows, so it lives until we return.
    let queue: Owned<rd_kafka_queue_t> =
        Owned::new(unsafe { rd_kafka_queue_new(native) }, rd_kafka_queue_destroy)?;
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: as above.
    let options: Owned<rd_kafka_AdminOptions_t> =
        Owned::new(unsafe { rd_kafka_AdminOptions_new(native, operation) }, rd_kafka_AdminOptions_destroy)?;
    let mut reason: [c_char; 128] = [0; 128];
    // SAFETY: the options are ours, and the place for the reason is as long as we say.
    let set = unsafe {
        rd_kafka_AdminOptions_set_request_timeout(options.get(), millis, reason.as_mut_ptr(), reason.len())
    };
    if set != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(set);
    }
    // SAFETY: as above. A broker that the client does not know is an error of the request.
    let set =
        unsafe { rd_kafka_AdminOptions_set_broker(options.get(), broker, reason.as_mut_ptr(), reason.len()) };
    if set != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(set);
    }
    let mut names = [topic.as_ptr()];
    // SAFETY: one name, a C string that the caller borrows; librdkafka copies it.
    let topics: Owned<rd_kafka_TopicCollection_t> = Owned::new(
        unsafe { rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) },
        rd_kafka_TopicCollection_destroy,
    )?;
    // SAFETY: all four live; librdkafka copies the topics and the options, and holds the queue by
    // itself until the answer, or that there is none in time, is on it.
    unsafe { rd_kafka_DescribeTopics(native, topics.get(), options.get(), queue.get()) };
    // SAFETY: the queue lives. The request has its own limit: ours is only for the case that it fails.
    let answer = unsafe { rd_kafka_queue_poll(queue.get(), millis.saturating_add(1_000)) };
    if answer.is_null() {
        return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT);
    }
    Owned::new(answer, rd_kafka_event_destroy)
}

fn read(answer: &Owned<rd_kafka_event_t>) -> Result<Option<TopicId>, RDKafkaRespErr> {
    // SAFETY: the event lives.
    let error = unsafe { rd_kafka_event_error(answer.get()) };
    if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(error);
    }
    // SAFETY: the event lives; for an event of another kind it is null, and what it is lives as long
    // as the event.
    let result = unsafe { rd_kafka_event_DescribeTopics_result(answer.get()) };
    if result.is_null() {
        return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG);
    }
    let mut count = 0;
    // SAFETY: the result lives, and the place for the count is ours.
    let topics = unsafe { rd_kafka_DescribeTopics_result_topics(result, &mut count) };
    if topics.is_null() || count != 1 {
        return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG);
    }
    // SAFETY: there is one, which lives as long as the event.
    let topic = unsafe { *topics };
    // SAFETY: as above; null stands for no error.
    let error = unsafe { rd_kafka_TopicDescription_error(topic) };
    // SAFETY: null is allowed, and what is not null lives as long as the event.
    let code = unsafe { rd_kafka_error_code(error) };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(code);
    }
    // SAFETY: the topic lives as long as the event, and so does its id.
    let id = unsafe { rd_kafka_TopicDescription_topic_id(topic) };
    if id.is_null() {
        return Ok(None);
    }
    // SAFETY: the id is there.
    let bits = unsafe { (rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id)) };
    if bits == (0, 0) {
        return Ok(None);
    }
    // SAFETY: the id is there; its text is a C string that lives as long as the id, or null.
    let text = unsafe { rd_kafka_Uuid_base64str(id) };
    if text.is_null() {
        return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG);
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) };
    let text = text.to_str().map_err(|_| RDKafkaRespErr::RD_KAFKA_RESP_ERR__BAD_MSG)?;
    Ok(Some(TopicId::from(text)))
}

/// A topic as Kafka has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The id of its present life; `None` from a broker that has none to tell.
    pub id: Option<TopicId>,
    /// Each partition's log.
    pub logs: BTreeMap<i32, Log>,
}

/// Asks Kafka of topics, and reads nothing.
pub struct Topics {
    consumer: BaseConsumer,
    /// Whom to ask: the leader of each topic's first partition. It answers the fetches of it, so what
    /// it knows of the topic is not older than what was read.
    leaders: Mutex<BTreeMap<String, i32>>,
}

impl Topics {
    /// Sets up a connection; the first question opens it.
    ///
    /// # Errors
    ///
    /// `Invalid` for properties that librdkafka does not know.
    pub fn connect(settings: &KafkaSettings) -> Result<Self, Error> {
        let consumer: BaseConsumer =
            client(&settings.brokers, &settings.properties).create().map_err(|e| {
                Error::new(Kind::Invalid, format!("cannot set up the Kafka client: {}", without_value(&e)))
            })?;
        Ok(Topics { consumer, leaders: Mutex::default() })
    }

    /// A topic's id and the ends of its partitions; `None` when there is no such topic.
    ///
    /// # Errors
    ///
    /// `Unavailable` when no broker answers.
    pub fn look(&self, topic: &str) -> Result<Option<Looked>, Error> {
        match self.look_once(topic) {
            Err(error) if error.kind == Kind::Gone => Ok(None),
            other => other.map(Some),
        }
    }

    fn look_once(&self, topic: &str) -> Result<Looked, Error> {
        let id = self.topic_id(topic)?;
        let mut logs = BTreeMap::new();
        for (number, _) in self.partitions(topic)? {
            let (low, end) = self.ends(topic, number)?;
            logs.insert(number, Log { low, end });
        }
        Ok(Looked { id, logs })
    }

    /// The id of a topic; `None` from a broker that has none to tell.
    pub(super) fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, Error> {
        let name = CString::new(topic)
            .map_err(|_| Error::new(Kind::Invalid, format!("topic {topic:?}: no name has a NUL")))?;
        let leaders = || self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = leaders().get(topic).copied();
        let leader = match known {
            Some(leader) => leader,
            None => self.leader(topic)?,
        };
        let answer = describe(self.consumer.client().native_ptr(), &name, leader);
        let found = answer.and_then(|answer| read(&answer));
        match &found {
            Ok(_) => leaders().insert(topic.to_owned(), leader),
            // Another may lead it by now.
            Err(_) => leaders().remove(topic),
        };
        found.map_err(|code| failed("the id", topic, code.into()))
    }

    fn leader(&self, topic: &str) -> Result<i32, Error> {
        let leader =
            self.partitions(topic)?.into_iter().map(|(_, leader)| leader).find(|leader| *leader >= 0);
        leader.ok_or_else(|| failed("the leader", topic, RDKafkaErrorCode::LeaderNotAvailable))
    }

    /// The numbers of a topic's partitions and their leaders.
    fn partitions(&self, topic: &str) -> Result<Vec<(i32, i32)>, Error> {
        let what = "the partitions";
        let code = |e: KafkaError| e.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let metadata =
            self.consumer.fetch_metadata(Some(topic), ANSWER).map_err(|e| failed(what, topic, code(e)))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Err(failed(what, topic, RDKafkaErrorCode::UnknownTopic));
        };
        match found.error() {
            Some(error) => Err(failed(what, topic, error.into())),
            None => Ok(found.partitions().iter().map(|found| (found.id(), found.leader())).collect()),
        }
    }

    /// The ends of a partition's log: its first offset and the one after its last.
    pub(super) fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        self.consumer.fetch_watermarks(topic, partition, ANSWER_ENDS).map_err(|e| {
            let kind =
                if e.rdkafka_error_code().is_some_and(is_gone) { Kind::Gone } else { Kind::Unavailable };
            Error::new(kind, format!("cannot ask Kafka for the offsets of {topic} {partition}: {e}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Embedded, Producer};

    fn topics(brokers: String) -> Topics {
        let settings = KafkaSettings {
            brokers,
            topics: Vec::new(),
            group: "g".into(),
            queue_bytes_max: 1 << 20,
            properties: BTreeMap::new(),
        };
        Topics::connect(&settings).unwrap()
    }

    /// Many times over: what is not freed on the way would show under a memory checker.
    #[test]
    fn a_topic_has_one_id_and_another_topic_another() {
        let embedded = Embedded::start("t", 2).unwrap();
        embedded.create_topic("u", 1).unwrap();
        let producer = Producer::connect(&embedded.brokers(), "u", &BTreeMap::new()).unwrap();
        (0..3).for_each(|_| producer.send(b"k", b"{}").unwrap());
        producer.flush().unwrap();
        let topics = topics(embedded.brokers());
        let found = topics.look("t").unwrap().unwrap();
        assert!(found.id.is_some());
        assert_eq!(found.logs.len(), 2);
        for _ in 0..20 {
            assert_eq!(topics.look("t").unwrap().as_ref(), Some(&found));
        }
        let other = topics.look("u").unwrap().unwrap();
        assert_ne!(other.id, found.id);
        assert_eq!(other.logs, [(0, Log { low: 0, end: 3 })].into());
    }

    #[test]
    fn a_topic_that_is_not_there_is_gone() {
        let embedded = Embedded::start("t", 1).unwrap();
        let topics = topics(embedded.brokers());
        let error = topics.topic_id("nowhere").unwrap_err();
        assert_eq!(error.kind, Kind::Gone, "{error}");
        assert!(topics.look("nowhere").unwrap().is_none());
        assert_eq!(topics.topic_id("a\0b").unwrap_err().kind, Kind::Invalid);
    }
}
