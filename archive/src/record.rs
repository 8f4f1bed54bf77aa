//! One record, whole: as people, productions and auditors see it.

use arrow_array::{Int64Array, StringArray};
use custody_schemas::manifest::{Gap, Part};
use custody_schemas::{Hash, Incoming, Partition, Position, gap};
use serde::Serialize;

use crate::error::Error;
use crate::log::FileRef;
use crate::rows::is_check;
use crate::template::Filler;
use crate::view::{PartyRef, Rows, Verbatim, struct_number, struct_text, struct_time};

/// Somebody whom an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// `from`, `to`, `via`, `participant`, `on_behalf_of`, `referred_by` or `original_target`.
    pub relation: String,
    /// The network's word.
    pub network: Option<String>,
    /// The native address.
    pub address: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub scope: Option<String>,
}

impl From<PartyRef<'_>> for Party {
    fn from(party: PartyRef<'_>) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Party {
            relation: party.relation_word.to_owned(),
            network: own(party.network),
            address: own(party.address),
            name: own(party.name),
            role: own(party.role),
            scope: own(party.scope),
        }
    }
}

impl Party {
    /// Display name, else address.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.address.as_deref()).unwrap_or("?")
    }
}

/// A call's times and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The call's id.
    pub id: Option<String>,
    /// Media, comma separated.
    pub media: Option<String>,
    /// Microseconds since 1970 UTC.
    pub invite_time_us: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub answer_time_us: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub end_time_us: Option<i64>,
    /// From answer to end.
    pub duration_ms: Option<i64>,
    /// The SIP response code.
    pub response_code: Option<i64>,
    /// Why it ended.
    pub reason: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// The file's id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// SHA-256 of its content, as the gateway said.
    pub sha256: Option<String>,
}

/// Checks rows of a batch against what was archived.
pub(crate) struct Checks<'r> {
    verbatim: Verbatim<'r>,
    stored: &'r Int64Array,
    batches: &'r StringArray,
    file: &'r FileRef,
    filler: Filler,
}

/// A row that is what was archived.
pub(crate) struct Checked<'c> {
    pub(crate) position: Position,
    pub(crate) leaf: Hash,
    /// The offsets that were lost here; then there is a payload.
    pub(crate) lost: Option<&'c Gap>,
    pub(crate) headers: Vec<(&'c str, Option<&'c [u8]>)>,
    pub(crate) payload: Option<&'c [u8]>,
    key: Option<&'c [u8]>,
    broker_time_ms: Option<i64>,
}

impl Checked<'_> {
    /// As decoding takes it.
    pub(crate) fn incoming(&self) -> Incoming<'_> {
        Incoming {
            key: self.key,
            headers: &self.headers,
            payload: self.payload,
            broker_time_ms: self.broker_time_ms,
        }
    }
}

impl<'r> Checks<'r> {
    pub(crate) fn new(rows: &'r Rows, file: &'r FileRef) -> Result<Self, Error> {
        let (verbatim, stored, batches) = (rows.verbatim()?, rows.stored_checks()?, rows.batch_ids()?);
        Ok(Checks { verbatim, stored, batches, file, filler: Filler::default() })
    }

    /// Makes a row's leaf hash anew; one that differs from what was archived is an error.
    pub(crate) fn row(&mut self, row: usize) -> Result<Checked<'_>, Error> {
        let Checks { verbatim, stored, batches, filler, .. } = self;
        let file = self.file;
        let position = Position {
            partition: Partition {
                topic: verbatim.topic.value(row).to_owned(),
                generation: verbatim.generation.value(row),
                partition: verbatim.partition.value(row),
            },
            offset: verbatim.offset.value(row),
        };
        let is_here =
            |part: &&Part| part.partition == position.partition && part.span.contains(position.offset);
        let part = file.manifest.parts.iter().find(is_here);
        let altered = |position: &Position, why: &str| {
            Error::corrupt(format!("{}: record {position} is not what was archived: {why}", file.path))
        };
        let payload = verbatim.payload(row, filler).map_err(|e| altered(&position, &e.to_string()))?;
        let leaf = verbatim.leaf(row, payload);
        if !is_check(stored.value(row), &leaf) {
            return Err(altered(&position, "its leaf hash differs"));
        }
        if batches.value(row) != file.manifest.batch || part.is_none() {
            return Err(altered(&position, "it is of another batch than its file"));
        }
        let lost = part.and_then(|part| part.gap_at(position.offset));
        let headers = verbatim.headers(row).collect();
        let (key, broker_time_ms) = (verbatim.key(row), verbatim.broker_time_ms(row));
        let checked = Checked { position, leaf, lost, headers, payload, key, broker_time_ms };
        if let Some(lost) = lost
            && (payload.is_none()
                || gap::parse(&checked.position, &checked.incoming()).as_ref() != Some(lost))
        {
            return Err(altered(&checked.position, "its manifest says that its offset was lost"));
        }
        Ok(checked)
    }
}

/// One archived event, re-hashed when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its permanent address.
    pub position: Position,
    /// The batch that it was archived in.
    pub batch: String,
    /// The batch's Merkle root.
    pub batch_root: Hash,
    /// The file that it was read from.
    pub file: String,
    /// Its leaf hash, made anew from its bytes and equal to the stored one.
    pub leaf: Hash,
    /// The broker's timestamp, milliseconds since 1970 UTC.
    pub broker_time_ms: Option<i64>,
    /// When the batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: i64,
    /// Why it could not be decoded; `None` for a decoded record.
    pub quarantined: Option<String>,
    /// The offsets that were lost here, for the row of a gap: the manifest of its batch says so,
    /// never the row itself.
    pub gap: Option<Gap>,
    /// What is odd about it, words separated by commas.
    pub warnings: Option<String>,
    /// The same for every delivery of one event and for every capture of one message or call; `None`
    /// when it was not decoded.
    pub identity: Option<u64>,
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// Its number in the source.
    pub sequence: Option<i64>,
    /// The type's full name.
    pub kind: String,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The conversation's id.
    pub conversation: Option<String>,
    /// `direct`, `group` or `meeting`.
    pub conversation_kind: Option<String>,
    /// The conversation's title.
    pub title: Option<String>,
    /// Everybody whom the event names.
    pub parties: Vec<Party>,
    /// The sender's user agent.
    pub client: Option<String>,
    /// The message's id.
    pub message_id: Option<String>,
    /// The content type of `body`.
    pub content_type: Option<String>,
    /// The text as it was sent.
    pub body: Option<String>,
    /// Readable words of an event that is no message.
    pub detail: Option<String>,
    /// The call.
    pub call: Option<Call>,
    /// The file.
    pub shared_file: Option<File>,
    /// The message key, verbatim.
    pub key: Option<Vec<u8>>,
    /// The headers, verbatim.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The payload, verbatim.
    pub payload: Option<Vec<u8>>,
}

impl Record {
    /// Checks the rows' leaf hashes and decodes the rows from their bytes.
    pub(crate) fn read_all(rows: &Rows, file: &FileRef, out: &mut Vec<Record>) -> Result<(), Error> {
        let mut checks = Checks::new(rows, file)?;
        let mut positions = Vec::with_capacity(rows.len());
        let place = Partition { topic: String::new(), generation: 0, partition: 0 };
        let mut decoder = crate::rows::Rows::new(place, String::new());
        for row in 0..rows.len() {
            let checked = checks.row(row)?;
            match (checked.lost, checked.payload) {
                (Some(lost), Some(payload)) => {
                    let text = String::from_utf8_lossy(payload);
                    decoder.gap(&checked.position.partition, lost, &text);
                }
                _ => decoder.append(checked.position.offset, &checked.incoming(), None),
            }
            positions.push((checked.position, checked.leaf, checked.lost.cloned()));
        }
        let archived_us = file.manifest.archived_ms.saturating_mul(1_000);
        let decoded = Rows::new(file.path.clone(), decoder.finish(archived_us)?);
        for (row, (position, leaf, gap)) in positions.into_iter().enumerate() {
            let read = Record::read(&decoded, row, position, leaf, file)?;
            out.push(match gap {
                None => read,
                // The reason of a gap is no quarantine's.
                Some(gap) => Record { quarantined: None, gap: Some(gap), ..read },
            });
        }
        Ok(())
    }

    fn read(rows: &Rows, row: usize, position: Position, leaf: Hash, file: &FileRef) -> Result<Self, Error> {
        let verbatim = rows.verbatim()?;
        let mut filler = Filler::default();
        let payload = verbatim.payload(row, &mut filler).map_err(|e| Error::corrupt(e.to_string()))?;
        let payload = payload.map(<[u8]>::to_vec);
        let text = |name: &str| Ok::<_, Error>(rows.text(name, row)?.map(str::to_owned));
        let quarantined = text("reason")?;
        Ok(Record {
            position,
            batch: file.manifest.batch.clone(),
            batch_root: file.manifest.root,
            file: file.path.clone(),
            leaf,
            broker_time_ms: verbatim.broker_time_ms(row),
            archived_ms: file.manifest.archived_ms,
            // What an undecoded record has depends on where it was archived.
            identity: rows
                .number("identity", row)?
                .filter(|_| quarantined.is_none())
                .map(|identity| u64::from_be_bytes(identity.to_be_bytes())),
            quarantined,
            gap: None,
            warnings: text("warnings")?,
            id: text("id")?.unwrap_or_default(),
            source: text("source")?.unwrap_or_default(),
            sequence: rows.number("sequence", row)?,
            kind: text("type")?.unwrap_or_default(),
            time_us: rows.time("event_time", row)?,
            tenant: text("tenant")?,
            conversation: text("conversation_id")?,
            conversation_kind: text("conversation_kind")?,
            title: text("title")?,
            parties: rows.parties(row)?.into_iter().map(Party::from).collect(),
            client: text("client")?,
            message_id: text("message_id")?,
            content_type: text("content_type")?,
            body: text("body")?,
            detail: text("detail")?,
            call: call(rows, row)?,
            shared_file: shared_file(rows, row)?,
            key: verbatim.key(row).map(<[u8]>::to_vec),
            headers: verbatim
                .headers(row)
                .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
            payload,
        })
    }

    /// The parties with this relation.
    pub fn related<'a>(&'a self, relation: &'a str) -> impl Iterator<Item = &'a Party> {
        self.parties.iter().filter(move |party| party.relation == relation)
    }

    /// Who did it.
    pub fn sender(&self) -> Option<&Party> {
        self.related("from").next()
    }

    /// The type's short name; `quarantined` for a record that was not decoded.
    pub fn short_type(&self) -> std::borrow::Cow<'_, str> {
        match self.quarantined {
            Some(_) => "quarantined".into(),
            None => custody_schemas::kind::short_name(&self.kind),
        }
    }
}

fn call(rows: &Rows, row: usize) -> Result<Option<Call>, Error> {
    Ok(rows.structure("call", row)?.map(|call| Call {
        id: struct_text(call, "id", row),
        media: struct_text(call, "media", row),
        invite_time_us: struct_time(call, "invite_time", row),
        answer_time_us: struct_time(call, "answer_time", row),
        end_time_us: struct_time(call, "end_time", row),
        duration_ms: struct_number(call, "duration_ms", row),
        response_code: struct_number(call, "response_code", row),
        reason: struct_text(call, "reason", row),
    }))
}

fn shared_file(rows: &Rows, row: usize) -> Result<Option<File>, Error> {
    Ok(rows.structure("file", row)?.map(|file| File {
        id: struct_text(file, "id", row),
        name: struct_text(file, "name", row),
        media_type: struct_text(file, "media_type", row),
        size: struct_number(file, "size", row),
        sha256: struct_text(file, "sha256", row),
    }))
}
