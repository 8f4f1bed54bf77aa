//! A record as it is decoded from the bytes that its hash covers.

use custody_schemas::decode::decode;
use custody_schemas::gap;
use custody_schemas::manifest::Gap;
use custody_schemas::time::time_us;

use super::{Call, Checked, File, Party, Record};
use crate::identity;
use crate::log::FileRef;
use crate::row::{
    BODY, CLIENT, CONTENT_TYPE, CONVERSATION, CONVERSATION_KIND, CallTexts, DETAIL, FileTexts, ID, MESSAGE,
    Made, PartyRow, Row, SOURCE, TENANT, TITLE, TYPE, WARNINGS,
};

impl Record {
    /// Decodes a row that was checked.
    pub(super) fn of(checked: Checked<'_>, file: &FileRef) -> Record {
        let blank = Record::undecoded(&checked, file);
        if let Some(lost) = checked.lost {
            return blank.of_gap(lost);
        }
        match decode(&checked.incoming()) {
            Err(reason) => Record { quarantined: Some(reason.0), ..blank },
            Ok(decoded) => {
                let made = Made::of(&decoded);
                blank.of_event(&Row::of(&decoded, &made), &checked)
            }
        }
    }

    fn undecoded(checked: &Checked<'_>, file: &FileRef) -> Record {
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Record {
            position: checked.position.clone(),
            batch: file.manifest.batch.clone(),
            batch_root: file.manifest.root,
            file: file.path.clone(),
            leaf: checked.leaf,
            broker_time_ms: checked.broker_time_ms,
            archived_ms: file.manifest.archived_ms,
            quarantined: None,
            gap: None,
            warnings: None,
            identity: None,
            id: String::new(),
            source: String::new(),
            sequence: None,
            kind: String::new(),
            time_us: None,
            tenant: None,
            conversation: None,
            conversation_kind: None,
            title: None,
            parties: Vec::new(),
            client: None,
            message_id: None,
            content_type: None,
            body: None,
            detail: None,
            call: None,
            shared_file: None,
            key: own(checked.key),
            headers: checked.headers.iter().map(|(name, value)| ((*name).to_owned(), own(*value))).collect(),
            payload: own(checked.payload),
        }
    }

    fn of_gap(self, lost: &Gap) -> Record {
        let partition = &self.position.partition;
        Record {
            id: gap::id(partition, lost.span),
            source: gap::SOURCE.to_owned(),
            kind: gap::KIND.to_owned(),
            time_us: gap::time(lost).as_deref().and_then(time_us),
            detail: Some(gap::detail(lost)),
            gap: Some(lost.clone()),
            ..self
        }
    }

    fn of_event(self, row: &Row<'_>, checked: &Checked<'_>) -> Record {
        let text = |column: usize| row.texts[column].map(str::to_owned);
        let identity = identity::of_event(row, checked.payload_hash);
        Record {
            warnings: text(WARNINGS),
            identity: Some(u64::from_be_bytes(identity.to_be_bytes())),
            id: row.text(ID).to_owned(),
            source: row.text(SOURCE).to_owned(),
            sequence: row.sequence,
            kind: row.text(TYPE).to_owned(),
            time_us: row.time.us,
            tenant: text(TENANT),
            conversation: text(CONVERSATION),
            conversation_kind: text(CONVERSATION_KIND),
            title: text(TITLE),
            parties: row.parties.iter().map(Party::of).collect(),
            client: text(CLIENT),
            message_id: text(MESSAGE),
            content_type: text(CONTENT_TYPE),
            body: text(BODY),
            detail: text(DETAIL),
            call: row.call.as_deref().map(Call::of),
            shared_file: row.file.as_deref().map(File::of),
            ..self
        }
    }
}

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

impl Party {
    fn of([relation, network, address, name, role, scope]: &PartyRow<'_>) -> Party {
        Party {
            relation: relation.unwrap_or_default().to_owned(),
            network: own(*network),
            address: own(*address),
            name: own(*name),
            role: own(*role),
            scope: own(*scope),
        }
    }
}

impl Call {
    fn of(call: &CallTexts<'_>) -> Call {
        let [id, media, reason, ..] = call.texts.map(own);
        let [invite_time_us, answer_time_us, end_time_us] = call.times.map(|time| time.us);
        let duration_us = answer_time_us.zip(end_time_us).map(|(answer, end)| end.saturating_sub(answer));
        Call {
            id,
            media,
            invite_time_us,
            answer_time_us,
            end_time_us,
            duration_ms: duration_us.map(|us| us / 1_000),
            response_code: call.numbers[0],
            reason,
        }
    }
}

impl File {
    fn of(file: &FileTexts<'_>) -> File {
        let [id, name, media_type, sha256, _] = file.texts.map(own);
        File { id, name, media_type, size: file.size, sha256 }
    }
}
