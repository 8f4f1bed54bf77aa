//! Records are what the archive's columns say: these are made of the same events by other code.

use arrow_array::{Array, StructArray, TimestampMicrosecondArray};
use custody_schemas::{Hash, Partition, Position};

use super::*;
use crate::template::Filler;
use crate::view::{PartyRef, struct_number, struct_text, struct_time};

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

/// What [`Record::read_all`] gives, by way of the archive's columns.
pub(crate) fn by_columns(rows: &Rows, file: &FileRef) -> Result<Vec<Record>, Error> {
    let mut checks = Checks::new(rows, file)?;
    let mut positions = Vec::with_capacity(rows.len());
    let place = Partition { topic: String::new(), generation: 0, partition: 0 };
    let mut decoder = crate::rows::Rows::new(place, String::new(), &Default::default());
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
    let decoded = Rows::written(&decoder.finish(archived_us)?);
    let mut records = Vec::new();
    for (row, (position, leaf, gap)) in positions.into_iter().enumerate() {
        let read = of_columns(&decoded, row, position, leaf, file)?;
        records.push(match gap {
            None => read,
            // The reason of a gap is no quarantine's.
            Some(gap) => Record { quarantined: None, gap: Some(gap), ..read },
        });
    }
    Ok(records)
}

fn of_columns(
    rows: &Rows,
    row: usize,
    position: Position,
    leaf: Hash,
    file: &FileRef,
) -> Result<Record, Error> {
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
        time_us: time(rows, row)?,
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
        key: verbatim.key(row).unwrap().map(<[u8]>::to_vec),
        headers: verbatim
            .headers(row)
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
        payload,
    })
}

fn time(rows: &Rows, row: usize) -> Result<Option<i64>, Error> {
    let column = rows.column::<TimestampMicrosecondArray>("event_time")?;
    Ok(column.is_valid(row).then(|| column.value(row)))
}

fn structure<'r>(rows: &'r Rows, name: &str, row: usize) -> Result<Option<&'r StructArray>, Error> {
    let column = rows.column::<StructArray>(name)?;
    Ok(column.is_valid(row).then_some(column))
}

fn call(rows: &Rows, row: usize) -> Result<Option<Call>, Error> {
    Ok(structure(rows, "call", row)?.map(|call| Call {
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
    Ok(structure(rows, "file", row)?.map(|file| File {
        id: struct_text(file, "id", row),
        name: struct_text(file, "name", row),
        media_type: struct_text(file, "media_type", row),
        size: struct_number(file, "size", row),
        sha256: struct_text(file, "sha256", row),
    }))
}
