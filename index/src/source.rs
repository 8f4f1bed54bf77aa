//! Where records come from: the archive, or a test's memory.

use std::iter::repeat_n;

use custody_archive::{Archive, CallRow, Columns, FileRef, FileRow, Relation};
use custody_schemas::manifest::Manifest;

use crate::error::Error;
use crate::text::Said;

/// What the index needs of an archive. Everything blocks; several threads may ask at once.
pub trait Source: Sync {
    /// A record as it is shown.
    type Record: Send;

    /// The newest version there is.
    fn newest(&self) -> Result<u64, Error>;

    /// The commits after a version, all of them for `None`; in order of version.
    fn commits_after(&self, version: Option<u64>) -> Result<Vec<Added>, Error>;

    /// Hands every row of some batches to `each`, in order. They follow one another in one file.
    fn rows(
        &self,
        batches: &[(u64, FileRef)],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// The records of a batch at `rows`, which ascend, in that order; each proved unaltered.
    fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Self::Record>, Error>;

    /// The text that a search found the record by.
    fn said(record: &Self::Record) -> Said<'_>;

    /// The conversation id.
    fn conversation(record: &Self::Record) -> Option<&str>;
}

/// What one commit did to the archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The version that it made.
    pub version: u64,
    /// The batches that it archived, none for a commit that only changed the table.
    pub files: Vec<FileRef>,
    /// Batches of earlier versions that it moved, with these versions.
    pub moved: Vec<(u64, FileRef)>,
}

/// What is indexed of one record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row<'a> {
    /// It could not be decoded.
    pub quarantined: bool,
    /// It is the row of a gap.
    pub gap: bool,
    /// Why it could not be decoded, or why the records of a gap are missing.
    pub reason: Option<&'a str>,
    /// The type's full name; empty when there is none.
    pub kind: &'a str,
    /// When it happened, milliseconds since 1970 UTC.
    pub time_ms: Option<i64>,
    /// When its batch was sealed, milliseconds since 1970 UTC.
    pub archived_ms: Option<i64>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The conversation id.
    pub conversation: Option<&'a str>,
    /// The sender's user agent.
    pub client: Option<&'a str>,
    /// The message's id.
    pub message_id: Option<&'a str>,
    /// The id of the message that it answers.
    pub in_reply_to: Option<&'a str>,
    /// The body as it was sent.
    pub body: Option<&'a str>,
    /// The body's content type.
    pub content_type: Option<&'a str>,
    /// Words of an event that is no message.
    pub detail: Option<&'a str>,
    /// The title of the conversation.
    pub title: Option<&'a str>,
    /// Equal for deliveries of one event and for nothing else.
    pub identity: u64,
    /// The call, of an event of one.
    pub call: Option<CallRow<'a>>,
    /// The file, of an event of one.
    pub file: Option<FileRow<'a>>,
    /// Everybody named.
    pub parties: Vec<Party<'a>>,
}

/// Somebody named in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party<'a> {
    /// Sender, recipient, or somebody else.
    pub relation: Relation,
    /// The network.
    pub network: Option<&'a str>,
    /// The address.
    pub address: Option<&'a str>,
    /// The display name.
    pub name: Option<&'a str>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub scope: Option<&'a str>,
    /// It is no person but the bridge that the event came through.
    pub via: bool,
}

/// The topic of each row of a batch, in order.
pub(crate) fn topics(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let rows = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    manifest.parts.iter().flat_map(move |part| repeat_n(part.partition.topic.as_str(), rows(part.rows)))
}

impl Source for Archive {
    type Record = custody_archive::Record;

    fn newest(&self) -> Result<u64, Error> {
        Ok(self.refresh()?)
    }

    fn commits_after(&self, version: Option<u64>) -> Result<Vec<Added>, Error> {
        let commits = Archive::commits_after(self, version)?;
        let added = commits.into_iter().map(|commit| Added {
            version: commit.version,
            moved: commit.moved().collect(),
            files: commit.files,
        });
        Ok(added.collect())
    }

    fn rows(
        &self,
        batches: &[(u64, FileRef)],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some((_, first)) = batches.first() else { return Ok(()) };
        let rows = batches.iter().map(|(_, file)| file.manifest.rows).sum();
        for rows in self.read_on(first, rows, Columns::Index)? {
            let rows = rows?;
            let columns = rows.index_rows()?;
            // One list serves all rows.
            let mut parties = Vec::new();
            for (row, named) in columns.each() {
                parties.extend(named.map(|party| Party {
                    relation: party.relation,
                    network: party.network,
                    address: party.address,
                    name: party.name,
                    scope: party.scope,
                    via: party.relation_word == "via",
                }));
                let row = Row {
                    quarantined: row.quarantined,
                    gap: row.gap,
                    reason: row.reason,
                    kind: row.kind,
                    time_ms: row.time_us.map(|us| us.div_euclid(1_000)),
                    archived_ms: row.archived_ms,
                    tenant: row.tenant,
                    conversation: row.conversation,
                    client: row.client,
                    message_id: row.message_id,
                    in_reply_to: row.in_reply_to,
                    body: row.body,
                    content_type: row.content_type,
                    detail: row.detail,
                    title: row.title,
                    identity: row.identity,
                    call: row.call,
                    file: row.file,
                    parties,
                };
                each(&row)?;
                parties = row.parties;
                parties.clear();
            }
        }
        Ok(())
    }

    fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Self::Record>, Error> {
        Ok(Archive::fetch(self, file, rows)?)
    }

    fn conversation(record: &Self::Record) -> Option<&str> {
        record.conversation.as_deref()
    }

    fn said(record: &Self::Record) -> Said<'_> {
        let gap = record.gap.as_ref().map(|gap| gap.reason.word());
        Said {
            content_type: record.content_type.as_deref(),
            body: record.body.as_deref(),
            detail: record.detail.as_deref(),
            title: record.title.as_deref(),
            reason: record.quarantined.as_deref().or(gap),
        }
    }
}
