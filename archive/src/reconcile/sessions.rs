//! What ended calls and sessions claim to have carried, and what of it was archived.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{Array, Int64Array, StringViewArray, StructArray, TimestampMicrosecondArray};
use custody_schemas::Kind;
use serde::Serialize;

use crate::error::Error;
use crate::view::{Relation, Rows, struct_number, struct_text, struct_time, text_at};

/// An ended call or session that says how many messages it carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The position of its end.
    pub position: String,
    /// The call's id.
    pub call: Option<String>,
    /// The conversation.
    pub conversation: String,
    /// Messages of whoever began it, as the gateway counted.
    pub claimed_from: Option<i64>,
    /// Messages of everybody else.
    pub claimed_to: Option<i64>,
    /// Messages of whoever began it in the conversation, from its invitation to its end.
    pub archived_from: u64,
    /// Messages of everybody else.
    pub archived_to: u64,
    #[serde(skip)]
    from: Option<String>,
    #[serde(skip)]
    invite_us: i64,
    #[serde(skip)]
    end_us: i64,
    /// Deliveries of one message count once.
    #[serde(skip)]
    seen: BTreeSet<i64>,
}

impl Session {
    /// Whether no fewer messages were archived than were claimed. There may be more: of the same
    /// conversation, at the same time, and beside the session.
    pub fn adds_up(&self) -> bool {
        let enough = |claimed: Option<i64>, archived: u64| {
            claimed.is_none_or(|claimed| u64::try_from(claimed).is_ok_and(|claimed| claimed <= archived))
        };
        enough(self.claimed_from, self.archived_from) && enough(self.claimed_to, self.archived_to)
    }
}

/// So many sessions are looked at; more are counted.
const SESSIONS_MAX: usize = 500_000;

/// Sessions, by their conversations.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: Vec<Session>,
    by_conversation: BTreeMap<String, Vec<usize>>,
    /// Sessions with claims beyond those that are looked at.
    pub(super) more: u64,
    /// Ends of calls that were delivered more than once.
    ends: BTreeSet<i64>,
}

fn from_of(rows: &Rows, row: usize) -> Result<Option<String>, Error> {
    let from = rows.parties(row)?.into_iter().find(|party| party.relation == Relation::From);
    Ok(from.and_then(|party| party.address).map(str::to_owned))
}

impl Claims {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn into_all(self) -> Vec<Session> {
        self.all
    }

    /// First pass: the claims in these rows.
    pub(super) fn claims(&mut self, rows: &Rows) -> Result<(), Error> {
        let kinds = rows.column::<StringViewArray>("type")?;
        let calls = rows.column::<StructArray>("call")?;
        for row in 0..rows.len() {
            if text_at(kinds, row) != Some(Kind::CallEnded.full()) || calls.is_null(row) {
                continue;
            }
            let claimed_from = struct_number(calls, "from_message_count", row);
            let claimed_to = struct_number(calls, "to_message_count", row);
            let conversation = rows.text("conversation_id", row)?;
            let (Some(conversation), true) = (conversation, claimed_from.is_some() || claimed_to.is_some())
            else {
                continue;
            };
            let again = rows.number("identity", row)?.is_some_and(|identity| !self.ends.insert(identity));
            if again {
                continue;
            }
            if self.all.len() == SESSIONS_MAX {
                self.more += 1;
                continue;
            }
            self.by_conversation.entry(conversation.to_owned()).or_default().push(self.all.len());
            self.all.push(Session {
                position: rows.position(row)?.to_string(),
                call: struct_text(calls, "id", row),
                conversation: conversation.to_owned(),
                claimed_from,
                claimed_to,
                archived_from: 0,
                archived_to: 0,
                from: from_of(rows, row)?,
                invite_us: struct_time(calls, "invite_time", row).unwrap_or(i64::MIN),
                end_us: struct_time(calls, "end_time", row).unwrap_or(i64::MAX),
                seen: BTreeSet::new(),
            });
        }
        Ok(())
    }

    /// Second pass: the messages in these rows that belong to a session.
    pub(super) fn messages(&mut self, rows: &Rows) -> Result<(), Error> {
        let kinds = rows.column::<StringViewArray>("type")?;
        let conversations = rows.column::<StringViewArray>("conversation_id")?;
        let times = rows.column::<TimestampMicrosecondArray>("event_time")?;
        let identities = rows.column::<Int64Array>("identity")?;
        for row in 0..rows.len() {
            if text_at(kinds, row) != Some(Kind::MessageSent.full()) || times.is_null(row) {
                continue;
            }
            let conversation = text_at(conversations, row).unwrap_or("");
            let Some(sessions) = self.by_conversation.get(conversation) else { continue };
            let (time, from) = (times.value(row), from_of(rows, row)?);
            for at in sessions {
                let session = &mut self.all[*at];
                let within = session.invite_us <= time && time <= session.end_us;
                if !within || !session.seen.insert(identities.value(row)) {
                    continue;
                }
                if from == session.from {
                    session.archived_from += 1;
                } else {
                    session.archived_to += 1;
                }
            }
        }
        Ok(())
    }
}
