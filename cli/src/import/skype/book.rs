//! Who is who, and who is in which conversation.

use std::collections::{BTreeMap, BTreeSet};

use custody_schemas::event::{Conversation, Party};

use super::db::{Database, Row};
use super::{SkypeError, conversation};

/// Names, conversations and their members.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The account that the database belongs to.
    pub(super) owner: String,
    names: BTreeMap<String, String>,
    conversations: BTreeMap<i64, Row>,
    chats: BTreeMap<String, Row>,
    members: BTreeMap<i64, BTreeSet<String>>,
}

/// `Chats.type` of SkypeKit's predecessor: a dialogue of two.
const CHAT_DIALOG: i64 = 2;
/// `Conversations.type`: a dialogue of two.
const CONVERSATION_DIALOG: i64 = 1;

impl Book {
    pub(super) fn read(db: &Database) -> Result<Book, SkypeError> {
        let mut book = Book::default();
        let mut name = |row: &Row, identity: Option<&str>| {
            let called =
                ["given_displayname", "displayname", "fullname"].iter().find_map(|column| row.text(column));
            if let (Some(identity), Some(called)) = (identity, called) {
                book.names.insert(identity.to_owned(), called.to_owned());
            }
        };
        let accounts = db.rows("Accounts")?;
        for row in db.rows("Contacts")? {
            name(&row, row.text("skypename").or(row.text("pstnnumber")));
        }
        for row in &accounts {
            name(row, row.text("skypename"));
        }
        book.owner = accounts.iter().find_map(|row| row.text("skypename")).unwrap_or_default().to_owned();
        for row in db.rows("Participants")? {
            if let (Some(convo), Some(identity)) = (row.int("convo_id"), row.text("identity")) {
                book.members.entry(convo).or_default().insert(identity.to_owned());
            }
        }
        for row in db.rows("Conversations")? {
            book.conversations.insert(row.id(), row);
        }
        for row in db.rows("Chats")? {
            if let Some(name) = row.text("name") {
                book.chats.insert(name.to_owned(), row);
            }
        }
        Ok(book)
    }

    /// Somebody on Skype, or a telephone number.
    pub(super) fn party(&self, identity: &str) -> Party<'static> {
        let digits = identity.strip_prefix('+').unwrap_or_default();
        let phone = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        Party {
            network: Some(if phone { "pstn" } else { "skype" }.into()),
            address: Some(identity.to_owned().into()),
            name: self.names.get(identity).cloned().map(Into::into),
            ..Party::default()
        }
    }

    /// The party with the name that a row gives it.
    pub(super) fn called(&self, identity: &str, name: Option<&str>) -> Party<'static> {
        let party = self.party(identity);
        Party { name: name.map(|name| name.to_owned().into()).or(party.name), ..party }
    }

    /// Conversation and members of a message: by the chat's name, else as [`Book::convo`].
    pub(super) fn place(&self, row: &Row) -> (Option<Conversation<'static>>, BTreeSet<String>) {
        let Some(name) = row.text("chatname") else {
            return row.int("convo_id").map_or((None, BTreeSet::new()), |id| {
                let (place, members) = self.convo(id);
                (Some(place), members)
            });
        };
        let Some(chat) = self.chats.get(name) else {
            let members = row.int("convo_id").map(|id| self.convo(id).1).unwrap_or_default();
            return (Some(conversation(name, members.len())), members);
        };
        let listed =
            ["participants", "activemembers", "posters"].iter().flat_map(|column| chat.words(column));
        let members: BTreeSet<_> = listed.chain(chat.text("dialog_partner")).map(str::to_owned).collect();
        let mut place = conversation(name, members.len());
        if chat.int("type") == Some(CHAT_DIALOG) {
            place.kind = Some("direct".into());
        }
        place.title = chat.text("topic").map(|topic| topic.to_owned().into());
        (Some(place), members)
    }

    /// A conversation by its number: its identity, or the number when it is not in the table.
    pub(super) fn convo(&self, id: i64) -> (Conversation<'static>, BTreeSet<String>) {
        let members = self.members.get(&id).cloned().unwrap_or_default();
        let row = self.conversations.get(&id);
        let number = id.to_string();
        let mut place =
            conversation(row.and_then(|row| row.text("identity")).unwrap_or(&number), members.len());
        if let Some(row) = row {
            let dialog = row.int("type") == Some(CONVERSATION_DIALOG);
            place.kind = Some(if dialog { "direct" } else { "group" }.into());
            let title = if dialog { None } else { row.text("meta_topic").or(row.text("displayname")) };
            place.title = title.map(|title| title.to_owned().into());
        }
        (place, members)
    }
}
