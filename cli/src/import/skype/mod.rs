//! A database of Skype 5 to 7 (`main.db`), read without writing to it.
//!
//! Each row of a table that holds history becomes an event; its columns go along in
//! `data.extra.row`, so that the mapping can be checked against them. The numbers of types and
//! states are those of the SkypeKit interface. A row that fits no type of the contract gets a
//! type of its own, such as `skype.message.type.21`.
//!
//! Skype wrote times in seconds since 1970 UTC. They are taken as they are: an impossible one
//! is the archive's to flag.

mod book;
mod calls;
mod db;
mod files;
mod messages;
#[cfg(test)]
mod tests;
mod xml;

use std::path::{Path, PathBuf};

use custody_schemas::event::{Conversation, Data, Event, Message, Party, Text};
use custody_schemas::kind::Kind;
use serde_json::{Map, Value};

use super::Outgoing;
use super::event::Draft;
use book::Book;
use db::{Database, Row};

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SkypeError {
    /// It cannot be opened, or is no SQLite database.
    #[error("{path}: cannot be read as an SQLite database: {error}", path = path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// It was copied while Skype was writing.
    #[error("{beside}: changes that are not in the database yet; open a copy of both with sqlite3 once", beside = beside.display())]
    Unfinished {
        /// The journal.
        beside: PathBuf,
    },
    /// It is a database of something else.
    #[error("{path}: not a Skype database: no table {}", missing.join(", "), path = path.display())]
    NotSkype {
        /// The database.
        path: PathBuf,
        /// Tables that every Skype database has.
        missing: Vec<&'static str>,
    },
    /// A table cannot be read.
    #[error("table {table}: {error}")]
    Read {
        /// The table.
        table: String,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// An event cannot be written.
    #[error("{0}")]
    Write(String),
}

/// What became of a table's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableCount {
    /// The table's name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Rows that are events of their own.
    pub mapped: u64,
    /// Rows that are part of another row's event: the members of a call, the text of an SMS.
    pub joined: u64,
    /// Rows that are in no event. It should be none.
    pub not_mapped: u64,
}

/// The history that a database holds.
#[derive(Debug)]
pub struct History {
    /// All events in the order of their times.
    pub events: Vec<Outgoing>,
    /// Tables of history.
    pub tables: Vec<TableCount>,
    /// Tables that were read for names and members: their rows.
    pub context: Vec<(&'static str, u64)>,
    /// Tables with rows that were not read: settings, devices and the like.
    pub unread: Vec<(String, u64)>,
}

/// Tables that every Skype database has.
const REQUIRED: [&str; 5] = ["Accounts", "Contacts", "Conversations", "Messages", "Participants"];
const HISTORY: [&str; 7] =
    ["Messages", "Calls", "CallMembers", "Transfers", "SMSes", "Voicemails", "VideoMessages"];
const CONTEXT: [&str; 5] = ["Accounts", "Contacts", "Conversations", "Participants", "Chats"];

/// Reads a whole database.
///
/// `source` is usually `//import/<file name>`.
pub fn read(path: &Path, source: &str, tenant: &str) -> Result<History, SkypeError> {
    let db = Database::open(path)?;
    let missing: Vec<_> = REQUIRED.into_iter().filter(|table| !db.tables().contains(*table)).collect();
    if !missing.is_empty() {
        return Err(SkypeError::NotSkype { path: path.to_owned(), missing });
    }
    let book = Book::read(&db)?;
    let mut found = Found::default();
    messages::read(&db, &book, &mut found)?;
    calls::read(&db, &book, &mut found)?;
    files::read(&db, &book, &mut found)?;
    found.events.sort_by_key(|event| event.at_s.unwrap_or(i64::MIN));
    let mut events = Vec::with_capacity(found.events.len());
    for (event, sequence) in found.events.into_iter().zip(1..) {
        let mut draft = event.draft;
        draft.event.source = source.into();
        draft.event.tenant = Some(tenant.into());
        draft.event.sequence = Some(sequence);
        events.push(draft.outgoing().map_err(SkypeError::Write)?);
    }
    let mut context = Vec::new();
    for table in CONTEXT.into_iter().filter(|table| db.tables().contains(*table)) {
        context.push((table, db.count(table)?));
    }
    let mut unread = Vec::new();
    for table in db.tables() {
        if !HISTORY.contains(&table.as_str()) && !CONTEXT.contains(&table.as_str()) {
            unread.push((table.clone(), db.count(table)?));
        }
    }
    unread.retain(|(_, rows)| *rows > 0);
    Ok(History { events, tables: found.tables, context, unread })
}

/// An event before it has a number.
struct Timed {
    at_s: Option<i64>,
    draft: Draft<'static>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    events: Vec<Timed>,
    tables: Vec<TableCount>,
}

impl Found {
    /// Notes a table's rows: how many are events, how many are part of another's.
    fn count(&mut self, table: &'static str, rows: usize, mapped: usize, joined: usize) {
        let not_mapped = rows.saturating_sub(mapped + joined) as u64;
        let (rows, mapped, joined) = (rows as u64, mapped as u64, joined as u64);
        self.tables.push(TableCount { table, rows, mapped, joined, not_mapped });
    }

    /// Adds an event of a row. `told` are the columns that its data holds word for word.
    fn add(
        &mut self,
        origin: &Origin<'_>,
        name: Name<'_>,
        at_s: Option<i64>,
        data: Data<'static>,
        told: &[&str],
    ) {
        let time = at_s.and_then(|second| jiff::Timestamp::from_second(second).ok());
        let event = Event {
            specversion: "1.0".into(),
            id: format!("{}{}", origin.stem(), name.suffix).into(),
            kind: name.kind.to_owned().into(),
            time: time.map(|time| time.to_string().into()),
            datacontenttype: Some("application/json".into()),
            ..Event::default()
        };
        let mut extra = Map::new();
        extra.insert("table".into(), origin.table.into());
        extra.insert("row".into(), Value::Object(origin.row.without(told)));
        for (member, rows) in &origin.joined {
            let rows = rows.iter().map(|row| Value::Object(row.without(&[]))).collect();
            extra.insert((*member).into(), Value::Array(rows));
        }
        self.events.push(Timed { at_s, draft: Draft { event, data, extra } });
    }
}

/// The row that an event comes from.
struct Origin<'r> {
    table: &'static str,
    row: &'r Row,
    /// Rows of other tables that belong to it, by table.
    joined: Vec<(&'static str, Vec<&'r Row>)>,
}

impl<'r> Origin<'r> {
    fn new(table: &'static str, row: &'r Row) -> Self {
        Origin { table, row, joined: Vec::new() }
    }

    /// `skype:Messages:<guid>`, or with the row's id where there is none.
    fn stem(&self) -> String {
        match self.row.text("guid") {
            Some(guid) => format!("skype:{}:{guid}", self.table),
            None => format!("skype:{}:{}", self.table, self.row.id()),
        }
    }
}

/// An event's type, and what is added to its id when a row is several events.
#[derive(Debug, Clone, Copy)]
struct Name<'n> {
    kind: &'n str,
    suffix: &'n str,
}

impl Name<'static> {
    fn of(kind: Kind) -> Self {
        Name { kind: kind.full(), suffix: "" }
    }
}

fn plain(id: String, text: Option<String>) -> Message<'static> {
    let content_type = text.is_some().then(|| "text/plain".into());
    Message { id: Some(id.into()), content_type, text: text.map(Text::from), ..Message::default() }
}

fn conversation(id: &str, members: usize) -> Conversation<'static> {
    let kind = if members > 2 { "group" } else { "direct" };
    Conversation { id: Some(id.to_owned().into()), kind: Some(kind.into()), title: None }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn others<'b>(
    book: &Book,
    members: impl Iterator<Item = &'b String>,
    from: &str,
) -> Option<Vec<Party<'static>>> {
    some(members.filter(|member| *member != from).map(|member| book.party(member)).collect())
}
