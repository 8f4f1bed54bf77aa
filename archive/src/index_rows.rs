//! Rows of the archive as the index reads them: borrowed, nothing read that it has no use for.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, StringViewArray, StructArray, TimestampMicrosecondArray};

use crate::columns::{STATUS_GAP, STATUS_QUARANTINED};
use crate::error::Error;
use crate::view::{Parties, PartyRef, Rows, TOUCHED, text_at, touch};

/// What the index is made from; of a struct the members after the dot alone. Members of one struct
/// stand together.
pub(crate) const INDEX_COLUMNS: [&str; 24] = [
    "archived_time",
    "status",
    "reason",
    "type",
    "event_time",
    "tenant",
    "conversation_id",
    "title",
    "parties",
    "client",
    "message_id",
    "in_reply_to",
    "content_type",
    "body",
    "detail",
    "call.id",
    "call.media",
    "call.duration_ms",
    "call.response_code",
    "file.id",
    "file.name",
    "file.media_type",
    "file.sha256",
    "identity",
];

/// The call of a row, borrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallRow<'a> {
    /// The call's id.
    pub id: Option<&'a str>,
    /// Media, comma separated.
    pub media: Option<&'a str>,
    /// From answer to end.
    pub duration_ms: Option<i64>,
    /// The SIP response code.
    pub response_code: Option<i64>,
}

/// The file of a row, borrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileRow<'a> {
    /// The file's id.
    pub id: Option<&'a str>,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its media type.
    pub media_type: Option<&'a str>,
    /// SHA-256 of its content, as the gateway said.
    pub sha256: Option<&'a str>,
}

/// What the index knows of a row.
#[derive(Debug, Clone)]
pub struct IndexRow<'a> {
    /// It could not be decoded.
    pub quarantined: bool,
    /// It is the row of a gap.
    pub gap: bool,
    /// Why it could not be decoded, or why the records of a gap are missing.
    pub reason: Option<&'a str>,
    /// The type's full name; empty when quarantined.
    pub kind: &'a str,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// When its batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: Option<i64>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The conversation's id.
    pub conversation: Option<&'a str>,
    /// The conversation's title.
    pub title: Option<&'a str>,
    /// The sender's user agent.
    pub client: Option<&'a str>,
    /// The message's id.
    pub message_id: Option<&'a str>,
    /// The id of the message that it answers.
    pub in_reply_to: Option<&'a str>,
    /// The text as it was sent.
    pub body: Option<&'a str>,
    /// Content type of the text.
    pub content_type: Option<&'a str>,
    /// Readable words of an event that is no message.
    pub detail: Option<&'a str>,
    /// The call, of an event of one.
    pub call: Option<CallRow<'a>>,
    /// The file, of an event of one.
    pub file: Option<FileRow<'a>>,
    /// The same for every delivery of one event and for every capture of one message or call.
    pub identity: u64,
}

impl Rows {
    /// What the index needs of these rows; read with [`crate::Columns::Index`].
    pub fn index_rows(&self) -> Result<IndexRows<'_>, Error> {
        Ok(IndexRows {
            archived: self.column("archived_time")?,
            status: self.column("status")?,
            reason: self.column("reason")?,
            kind: self.column("type")?,
            time: self.column("event_time")?,
            tenant: self.column("tenant")?,
            conversation: self.column("conversation_id")?,
            title: self.column("title")?,
            client: self.column("client")?,
            message_id: self.column("message_id")?,
            in_reply_to: self.column("in_reply_to")?,
            body: self.column("body")?,
            content_type: self.column("content_type")?,
            detail: self.column("detail")?,
            calls: Calls::of(self)?,
            files: Files::of(self)?,
            identity: self.column("identity")?,
            parties: Parties::of(self)?,
        })
    }

    fn text_member(&self, column: &str, name: &str) -> Result<&StringViewArray, Error> {
        let member = self.column::<StructArray>(column)?.column_by_name(name);
        let member = member.and_then(|member| member.as_string_view_opt());
        member.ok_or_else(|| self.other_type(&format!("{column}.{name}")))
    }

    fn number_member(&self, column: &str, name: &str) -> Result<&Int64Array, Error> {
        let member = self.column::<StructArray>(column)?.column_by_name(name);
        let member = member.and_then(|member| member.as_primitive_opt::<Int64Type>());
        member.ok_or_else(|| self.other_type(&format!("{column}.{name}")))
    }
}

/// The columns that the index is made from, found once for many rows.
pub struct IndexRows<'a> {
    archived: &'a TimestampMicrosecondArray,
    status: &'a StringViewArray,
    reason: &'a StringViewArray,
    kind: &'a StringViewArray,
    time: &'a TimestampMicrosecondArray,
    tenant: &'a StringViewArray,
    conversation: &'a StringViewArray,
    title: &'a StringViewArray,
    client: &'a StringViewArray,
    message_id: &'a StringViewArray,
    in_reply_to: &'a StringViewArray,
    body: &'a StringViewArray,
    content_type: &'a StringViewArray,
    detail: &'a StringViewArray,
    calls: Calls<'a>,
    files: Files<'a>,
    identity: &'a Int64Array,
    parties: Parties<'a>,
}

impl<'a> IndexRows<'a> {
    /// Every row, in order, with everybody whom its event names.
    pub fn each(&self) -> impl Iterator<Item = (IndexRow<'a>, impl Iterator<Item = PartyRef<'a>>)> {
        (0..self.identity.len()).map(|row| {
            if row.is_multiple_of(TOUCHED) {
                self.touch(&(row..self.identity.len().min(row + TOUCHED)));
            }
            (self.row(row), self.parties(row))
        })
    }

    /// See [`touch`].
    fn touch(&self, rows: &Range<usize>) {
        for column in [
            self.status,
            self.reason,
            self.kind,
            self.tenant,
            self.conversation,
            self.title,
            self.client,
            self.message_id,
            self.in_reply_to,
            self.body,
            self.content_type,
            self.detail,
        ] {
            touch(column.views(), rows);
        }
        touch(self.archived.values(), rows);
        touch(self.time.values(), rows);
        touch(self.identity.values(), rows);
        self.parties.touch(rows);
    }

    /// One row.
    pub fn row(&self, row: usize) -> IndexRow<'a> {
        let time = |column: &TimestampMicrosecondArray| column.is_valid(row).then(|| column.value(row));
        IndexRow {
            quarantined: text_at(self.status, row) == Some(STATUS_QUARANTINED),
            gap: text_at(self.status, row) == Some(STATUS_GAP),
            reason: text_at(self.reason, row),
            kind: text_at(self.kind, row).unwrap_or(""),
            time_us: time(self.time),
            archived_ms: time(self.archived).map(|us| us.div_euclid(1_000)),
            tenant: text_at(self.tenant, row),
            conversation: text_at(self.conversation, row),
            title: text_at(self.title, row),
            client: text_at(self.client, row),
            message_id: text_at(self.message_id, row),
            in_reply_to: text_at(self.in_reply_to, row),
            body: text_at(self.body, row),
            content_type: text_at(self.content_type, row),
            detail: text_at(self.detail, row),
            call: self.calls.at(row),
            file: self.files.at(row),
            identity: u64::from_be_bytes(self.identity.value(row).to_be_bytes()),
        }
    }

    /// Everybody whom the event of a row names.
    pub fn parties(&self, row: usize) -> impl Iterator<Item = PartyRef<'a>> {
        self.parties.at(row)
    }
}

/// The members of the call column that the index has a use for.
struct Calls<'a> {
    whole: &'a StructArray,
    id: &'a StringViewArray,
    media: &'a StringViewArray,
    duration_ms: &'a Int64Array,
    response_code: &'a Int64Array,
}

impl<'a> Calls<'a> {
    fn of(rows: &'a Rows) -> Result<Self, Error> {
        Ok(Calls {
            whole: rows.column("call")?,
            id: rows.text_member("call", "id")?,
            media: rows.text_member("call", "media")?,
            duration_ms: rows.number_member("call", "duration_ms")?,
            response_code: rows.number_member("call", "response_code")?,
        })
    }

    fn at(&self, row: usize) -> Option<CallRow<'a>> {
        let number = |column: &Int64Array| column.is_valid(row).then(|| column.value(row));
        self.whole.is_valid(row).then(|| CallRow {
            id: text_at(self.id, row),
            media: text_at(self.media, row),
            duration_ms: number(self.duration_ms),
            response_code: number(self.response_code),
        })
    }
}

/// The members of the file column that the index has a use for.
struct Files<'a> {
    whole: &'a StructArray,
    texts: [&'a StringViewArray; 4],
}

impl<'a> Files<'a> {
    fn of(rows: &'a Rows) -> Result<Self, Error> {
        let text = |name| rows.text_member("file", name);
        let texts = [text("id")?, text("name")?, text("media_type")?, text("sha256")?];
        Ok(Files { whole: rows.column("file")?, texts })
    }

    fn at(&self, row: usize) -> Option<FileRow<'a>> {
        let [id, name, media_type, sha256] = self.texts.map(|column| text_at(column, row));
        self.whole.is_valid(row).then_some(FileRow { id, name, media_type, sha256 })
    }
}
