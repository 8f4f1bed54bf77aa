//! Which message a record is a version of.

use std::borrow::Cow;

use custody_schemas::kind::short_name;
use custody_schemas::{Hash, Kind};

use crate::source::Row;
use crate::text::{lower_case, lowered};

/// What a record does to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Sent,
    Edited,
    Deleted,
}

impl Change {
    /// By the type, which is compared as `type:` compares it.
    pub(crate) fn of(kind: &str) -> Option<Change> {
        match Kind::from_full(kind) {
            Some(Kind::MessageSent) => return Some(Change::Sent),
            Some(Kind::MessageEdited) => return Some(Change::Edited),
            Some(Kind::MessageDeleted) => return Some(Change::Deleted),
            // The short name of another type of the contract is in lower case, and another.
            Some(_) => return None,
            None => {}
        }
        let name = lower_case(&short_name(kind));
        [Change::Sent, Change::Edited, Change::Deleted]
            .into_iter()
            .find(|change| change.kind().short() == name)
    }

    fn kind(self) -> Kind {
        match self {
            Change::Sent => Kind::MessageSent,
            Change::Edited => Kind::MessageEdited,
            Change::Deleted => Kind::MessageDeleted,
        }
    }

    /// The short name of the type.
    pub(crate) fn short(self) -> &'static str {
        self.kind().short()
    }
}

/// What all versions of a message have in common, and no other record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Message<'a> {
    /// In lower case, as a tenant is compared; empty when absent.
    pub(crate) tenant: Cow<'a, str>,
    pub(crate) conversation: Cow<'a, str>,
    pub(crate) id: Cow<'a, str>,
}

impl<'a> Message<'a> {
    /// `None` for a record that is no version of a message or does not say of which.
    pub(crate) fn of(row: &Row<'a>) -> Option<Message<'a>> {
        let (conversation, id) = (row.conversation?, row.message_id?);
        if conversation.is_empty() || id.is_empty() {
            return None;
        }
        Change::of(row.kind)?;
        let tenant = lowered(row.tenant.unwrap_or_default());
        Some(Message { tenant, conversation: conversation.into(), id: id.into() })
    }

    pub(crate) fn into_owned(self) -> Message<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Message { tenant: owned(self.tenant), conversation: owned(self.conversation), id: owned(self.id) }
    }

    /// The beginning of the SHA-256 of all three, lengths first: no two messages are the same bytes.
    /// `bytes` is room for them.
    pub(crate) fn hash_in(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.clear();
        for part in [&self.tenant, &self.conversation, &self.id] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let [a, b, c, d, e, f, g, h, ..] = Hash::of(bytes).0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(kind: &'a str, tenant: Option<&'a str>, conversation: &'a str, id: &'a str) -> Row<'a> {
        let (conversation, message_id) = (Some(conversation), Some(id));
        Row { kind, tenant, conversation, message_id, ..Row::default() }
    }

    #[test]
    fn versions_of_a_message_are_known_by_its_ids() {
        let sent = row("federation.im.message.sent.v1", Some("Contoso"), "c", "m");
        let hash = |row: &Row<'_>| Message::of(row).map(|message| message.hash_in(&mut Vec::new()));
        for (other, same) in [
            (row("federation.im.message.edited.v1", Some("contoso"), "c", "m"), true),
            (row("IM.Message.Deleted", Some("CONTOSO"), "c", "m"), true),
            (row("federation.im.message.sent.v1", None, "c", "m"), false),
            (row("federation.im.message.sent.v1", Some("contoso"), "C", "m"), false),
            (row("federation.im.message.sent.v1", Some("contoso"), "c", "M"), false),
            (row("federation.im.message.sent.v1", Some("contoso"), "cm", ""), false),
            (row("federation.im.message.sent.v1", Some("contoso"), "", "m"), false),
            (row("federation.im.message.sent.v2", Some("contoso"), "c", "m"), false),
            (row("federation.im.message.reaction.v1", Some("contoso"), "c", "m"), false),
        ] {
            assert_eq!(Message::of(&other) == Message::of(&sent), same, "{other:?}");
            assert_eq!(hash(&other) == hash(&sent), same, "{other:?}");
        }
        // Where one part ends counts.
        let split = |conversation, id| hash(&row("federation.im.message.sent.v1", None, conversation, id));
        assert_ne!(split("ab", "c"), split("a", "bc"));
        // It is in splits, which are the same bytes for ever.
        assert_eq!(hash(&sent), Some(0x4b84_203e_6999_9901));
    }
}
