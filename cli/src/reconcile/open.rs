//! What nothing explains. Pure.

use std::fmt;

use custody_archive::{History, Session};
use custody_ingest::kafka::LogEnds;
use custody_schemas::{Span, TopicId};
use serde::Serialize;

use super::{LogAccount, Reconciled};

/// Something for which there is no recorded reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Unexplained {
    /// The archive's spans of a partition do not follow one another.
    Hole {
        /// `topic:generation:partition`.
        partition: String,
        /// Where one ends.
        from: i64,
        /// Where the next one begins.
        to: i64,
    },
    /// The archive has these offsets more than once.
    Twice {
        /// `topic:generation:partition`.
        partition: String,
        /// The first of them.
        from: i64,
        /// The offset after the last.
        to: i64,
    },
    /// Kafka has messages that the archive has not.
    NotArchived {
        /// `topic:generation:partition`.
        partition: String,
        /// The first of them.
        from: i64,
        /// The log's end.
        end: i64,
    },
    /// Kafka has deleted offsets that the archive has not, and no gap says so yet.
    Deleted {
        /// `topic:generation:partition`.
        partition: String,
        /// The archive's next offset.
        from: i64,
        /// The first offset that is left.
        low: i64,
    },
    /// Kafka's log ends before the archive: the topic was made again, or lost its end.
    Reset {
        /// `topic:generation:partition`.
        partition: String,
        /// The archive's next offset.
        next: i64,
        /// The log's end.
        end: i64,
    },
    /// Kafka has the topic in another life than the archive.
    MadeAgain {
        /// The topic.
        topic: String,
    },
    /// A source counted events that never came.
    Sequence {
        /// The source.
        source: String,
        /// The first number.
        from: i64,
        /// The number after the last.
        to: i64,
    },
    /// A source's numbers have too many holes to be a counter.
    Uncounted {
        /// The source.
        source: String,
    },
    /// An ended session carried more messages than were archived.
    SessionCount {
        /// The position of its end.
        position: String,
        /// What it says: of whoever began it, and of the others.
        claimed: [Option<i64>; 2],
        /// What there is.
        archived: [u64; 2],
    },
    /// The index does not cover the archive's newest version.
    IndexBehind {
        /// What it covers.
        through_version: u64,
        /// The archive's version.
        version: u64,
    },
    /// The index has another number of records than the archive.
    IndexCount {
        /// Records in the index.
        indexed: u64,
        /// Records in the archive.
        archived: u64,
    },
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unexplained::Hole { partition, from, to } => {
                write!(f, "{partition}: nothing accounts for offsets [{from}, {to}); run custody verify")
            }
            Unexplained::Twice { partition, from, to } => {
                write!(
                    f,
                    "{partition}: offsets [{from}, {to}) are archived more than once; run custody verify"
                )
            }
            Unexplained::NotArchived { partition, from, end } => write!(
                f,
                "{partition}: Kafka has messages from offset {from} to its end {end} that are not archived; is the worker running?"
            ),
            Unexplained::Deleted { partition, from, low } => write!(
                f,
                "{partition}: Kafka has deleted offsets [{from}, {low}) and no gap is recorded yet; the worker records it when it starts"
            ),
            Unexplained::Reset { partition, next, end } => write!(
                f,
                "{partition}: the archive stands at {next} but Kafka's log ends at {end}: the topic was made again, or lost its end"
            ),
            Unexplained::MadeAgain { topic } => write!(
                f,
                "topic {topic} was deleted and made again, and is not archived: see custody gap list"
            ),
            Unexplained::Sequence { source, from, to } => write!(
                f,
                "{source}: no event has its numbers {from} to {}; they were lost before Kafka, or not published yet",
                to - 1
            ),
            Unexplained::Uncounted { source } => {
                write!(f, "{source}: its numbers have too many holes to be a counter")
            }
            Unexplained::SessionCount { position, claimed: [from, to], archived: [has_from, has_to] } => {
                let said =
                    |count: &Option<i64>| count.map_or_else(|| "no number".to_owned(), |n| n.to_string());
                write!(
                    f,
                    "{position}: the session says {} and {} messages (of whoever began it, of the others); {has_from} and {has_to} are archived",
                    said(from),
                    said(to)
                )
            }
            Unexplained::IndexBehind { through_version, version } => write!(
                f,
                "the index is complete through version {through_version}, the archive is at {version}; is custody run or custody index running?"
            ),
            Unexplained::IndexCount { indexed, archived } => {
                write!(f, "the index has {indexed} records, the archive {archived}; run custody verify")
            }
        }
    }
}

/// Everything that nothing explains.
pub(super) fn unexplained(found: &Reconciled, made_again: &[String]) -> Vec<Unexplained> {
    let mut open = Vec::new();
    for (partition, of) in &found.archive.partitions {
        spans(partition, &of.spans, &mut open);
    }
    open.extend(made_again.iter().map(|topic| Unexplained::MadeAgain { topic: topic.clone() }));
    kafka(found, made_again, &mut open);
    sources(found, &mut open);
    let sessions = found.sessions.iter().flat_map(|sessions| &sessions.all);
    open.extend(sessions.filter(|session| !session.adds_up()).map(session));
    index(found, &mut open);
    open
}

/// In the order in which they were archived.
fn spans(partition: &str, spans: &[Span], open: &mut Vec<Unexplained>) {
    let mut through = 0;
    for span in spans {
        let partition = partition.to_owned();
        if span.from > through {
            open.push(Unexplained::Hole { partition, from: through, to: span.from });
        } else if span.from < through {
            open.push(Unexplained::Twice { partition, from: span.from, to: span.to.min(through) });
        }
        through = through.max(span.to);
    }
}

/// What Kafka says of a log beside an archive that was read after it was asked. A worker goes on
/// meanwhile, so an archive that is past the log's end is only that when the log, asked `now`, still
/// ends before it. What was published meanwhile is not asked for.
pub(super) fn beside(began: LogEnds, now: &[LogEnds], next: i64) -> LogEnds {
    if next <= began.end {
        return began;
    }
    let same = |now: &&LogEnds| now.topic == began.topic && now.partition == began.partition;
    let end = now.iter().find(same).map_or(began.end, |now| now.end.min(next));
    LogEnds { end, ..began }
}

/// Whether Kafka has a topic in another life than the one that the archive is at.
pub(super) fn is_made_again(history: &History, topic: &str, now: Option<&TopicId>) -> bool {
    let life = history.generations.iter().rfind(|life| life.topic == topic);
    let archived = life.and_then(|life| life.topic_id.as_ref());
    archived.zip(now).is_some_and(|(archived, now)| archived != now)
}

fn kafka(found: &Reconciled, made_again: &[String], open: &mut Vec<Unexplained>) {
    // The offsets of another life say nothing of this one.
    let again = |log: &LogAccount| {
        let topic = log.partition.rsplitn(3, ':').nth(2);
        made_again.iter().any(|again| Some(again.as_str()) == topic)
    };
    for log in found.kafka.iter().flatten().filter(|log| !again(log)) {
        let partition = log.partition.clone();
        if log.end < log.next {
            open.push(Unexplained::Reset { partition, next: log.next, end: log.end });
            continue;
        }
        if log.low > log.next {
            let partition = partition.clone();
            open.push(Unexplained::Deleted { partition, from: log.next, low: log.low });
        }
        if let Some(from) = log.unarchived {
            open.push(Unexplained::NotArchived { partition, from, end: log.end });
        }
    }
}

fn sources(found: &Reconciled, open: &mut Vec<Unexplained>) {
    for (source, of) in &found.archive.sources {
        if of.numbers.is_none() && of.records > of.unnumbered || of.holes.is_none() {
            open.push(Unexplained::Uncounted { source: source.clone() });
        }
        open.extend(of.unexplained().map(|hole| Unexplained::Sequence {
            source: source.clone(),
            from: hole.from,
            to: hole.to,
        }));
    }
}

fn session(session: &Session) -> Unexplained {
    Unexplained::SessionCount {
        position: session.position.clone(),
        claimed: [session.claimed_from, session.claimed_to],
        archived: [session.archived_from, session.archived_to],
    }
}

fn index(found: &Reconciled, open: &mut Vec<Unexplained>) {
    let (Some(index), Some(version)) = (&found.index, found.archive.version) else { return };
    if index.through_version < version {
        open.push(Unexplained::IndexBehind { through_version: index.through_version, version });
    } else if index.through_version == version && index.records != found.archive.records {
        open.push(Unexplained::IndexCount { indexed: index.records, archived: found.archive.records });
    }
}
