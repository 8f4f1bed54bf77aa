//! The columns of tables: a record in a row, the same in CSV, XLSX and Parquet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use custody_schemas::event::{Call, Conversation, File, Message, Party, Text};
use custody_schemas::time::{time_text, time_us};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::describe::{describe, named};
use crate::document::{Attachment, Document};
use crate::item::Item;

/// What is between the values of a cell that has several.
pub(crate) const SEPARATOR: &str = "; ";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    /// Yes or no.
    Flag,
    Time,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'r> {
    Nothing,
    Text(Cow<'r, str>),
    Number(i64),
    Flag(bool),
    /// Microseconds since 1970 UTC.
    Time(i64),
}

/// A record, and the document that it is in.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    pub(crate) document: &'r Document<'r>,
    pub(crate) item: &'r Item<'r>,
    /// The numbers of its attachments.
    attachments: &'r str,
}

/// A column: what is in it, of each record.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) is: Type,
    pub(crate) of: for<'r> fn(Row<'r>) -> Cell<'r>,
}

/// Hands on the rows of a document, in their order; ends with the first that fails.
pub(crate) fn each_row<E>(
    document: &Document<'_>,
    mut then: impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let attachments = by_item(document);
    document.items.iter().enumerate().try_for_each(|(n, item)| {
        let numbers = attachments.get(&n).into_iter().flatten().map(|attachment| attachment.number.as_str());
        let attachments = joined(numbers);
        then(Row { document, item, attachments: &attachments })
    })
}

/// The attachments of each record that has some. `Document::attachments_of` looks through all of them
/// for each record.
pub(crate) fn by_item<'d>(document: &'d Document<'_>) -> BTreeMap<usize, Vec<&'d Attachment>> {
    let mut all: BTreeMap<usize, Vec<&Attachment>> = BTreeMap::new();
    for attachment in &document.attachments {
        all.entry(attachment.item).or_default().push(attachment);
    }
    all
}

/// A time in a zone, with its offset and microseconds: `2013-05-29T11:15:02.123000+02:00`. A time
/// that no calendar has is its microseconds since 1970 UTC.
pub(crate) fn local(us: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_microsecond(us) else { return format!("{us} µs after 1970") };
    let far = || time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string();
    near(us, 6, zone.to_offset(time)).unwrap_or_else(far)
}

/// The same, with so many digits of the second's fraction, in less time: every record has some. `None`
/// outside of the years 1 to 9999, and where the offset has seconds.
pub(crate) fn near(us: i64, digits: u8, offset: Offset) -> Option<String> {
    let (seconds, sign) = (offset.seconds(), if offset.seconds() < 0 { b'-' } else { b'+' });
    let minutes = seconds.unsigned_abs() / 60;
    let mut text = Vec::with_capacity(32);
    time_text(us.checked_add(i64::from(seconds) * 1_000_000)?, digits, &mut text)?;
    // It ends with the `Z` of UTC.
    text.pop();
    let two = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    text.push(sign);
    text.extend(two(minutes / 60));
    text.push(b':');
    text.extend(two(minutes % 60));
    String::from_utf8(text).ok().filter(|_| seconds % 60 == 0)
}

/// How long a call lasted, from its answer to its end, in milliseconds.
pub(crate) fn duration_ms(call: &Call<'_>) -> Option<i64> {
    let at = |time: &Option<Text<'_>>| time.as_deref().and_then(time_us);
    Some(at(&call.end_time)?.saturating_sub(at(&call.answer_time)?) / 1_000)
}

/// Texts in one cell.
pub(crate) fn joined<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().collect::<Vec<_>>().join(SEPARATOR)
}

/// Parties in one cell, with their addresses.
pub(crate) fn people<'p, 'a: 'p>(parties: impl IntoIterator<Item = &'p Party<'a>>) -> String {
    parties.into_iter().map(named).collect::<Vec<_>>().join(SEPARATOR)
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Nothing, |text| Cell::Text(Cow::Borrowed(text)))
}

fn owned<'r>(text: String) -> Cell<'r> {
    if text.is_empty() { Cell::Nothing } else { Cell::Text(Cow::Owned(text)) }
}

fn number<'r>(number: Option<i64>) -> Cell<'r> {
    number.map_or(Cell::Nothing, Cell::Number)
}

impl<'r> Row<'r> {
    fn conversation(self) -> Option<&'r Conversation<'r>> {
        self.item.data().conversation.as_ref()
    }

    fn title(self) -> Option<&'r str> {
        self.item.data().title.as_deref().or_else(|| self.conversation()?.title.as_deref())
    }

    fn from(self, of: fn(&'r Party<'r>) -> Option<&'r str>) -> Cell<'r> {
        text(self.item.from().and_then(of))
    }

    fn party(self, party: Option<&'r Party<'r>>) -> Cell<'r> {
        owned(party.map(named).unwrap_or_default())
    }

    fn message(self, of: fn(&'r Message<'r>) -> Option<&'r str>) -> Cell<'r> {
        text(self.item.data().message.as_ref().and_then(of))
    }

    fn file(self, of: fn(&'r File<'r>) -> Option<&'r str>) -> Cell<'r> {
        text(self.item.data().file.as_deref().and_then(of))
    }

    fn call(self) -> Option<&'r Call<'r>> {
        self.item.data().call.as_deref()
    }

    /// Where the time in the row is from.
    fn time_from(self) -> &'static str {
        match (self.item.time_us, self.item.shown.broker_time_ms) {
            (Some(_), _) => "event",
            (None, Some(_)) => "broker",
            (None, None) => "archive",
        }
    }
}

const fn column(name: &'static str, is: Type, of: for<'r> fn(Row<'r>) -> Cell<'r>) -> Column {
    Column { name, is, of }
}

use Type::{Flag, Number, Text as T, Time};

/// All of them, in their order.
pub(crate) static COLUMNS: [Column; 48] = [
    column("document", T, |row| text(Some(&row.document.number))),
    column("position", T, |row| owned(row.item.shown.position.to_string())),
    column("time", Time, |row| Cell::Time(row.item.at_us())),
    column("zone", T, |row| text(Some(&row.document.about.zone_name))),
    column("time_from", T, |row| text(Some(row.time_from()))),
    column("type", T, |row| text(Some(&row.item.kind))),
    column("conversation", T, |row| text(row.conversation().and_then(|c| c.id.as_deref()))),
    column("conversation_kind", T, |row| text(row.conversation().and_then(|c| c.kind.as_deref()))),
    column("title", T, |row| text(row.title())),
    column("from_name", T, |row| row.from(|party| party.name.as_deref())),
    column("from_address", T, |row| row.from(|party| party.address.as_deref())),
    column("from_network", T, |row| row.from(|party| party.network.as_deref())),
    column("from_scope", T, |row| row.from(|party| party.scope.as_deref())),
    column("to", T, |row| owned(people(row.item.to()))),
    column("via", T, |row| row.party(row.item.data().via.as_deref())),
    column("participant", T, |row| row.party(row.item.data().participant.as_deref())),
    column("action", T, |row| text(row.item.data().action.as_deref())),
    column("client", T, |row| text(row.item.data().client.as_deref())),
    column("text", T, |row| row.item.text().map_or(Cell::Nothing, Cell::Text)),
    column("what_happened", T, |row| owned(describe(row.item))),
    column("message_id", T, |row| text(row.item.message_id())),
    column("in_reply_to", T, |row| row.message(|message| message.in_reply_to.as_deref())),
    column("content_type", T, |row| row.message(|message| message.content_type.as_deref())),
    column("importance", T, |row| row.message(|message| message.importance.as_deref())),
    column("file_id", T, |row| row.file(|file| file.id.as_deref())),
    column("file_name", T, |row| row.file(|file| file.name.as_deref())),
    column("file_media_type", T, |row| row.file(|file| file.media_type.as_deref())),
    column("file_bytes", Number, |row| number(row.item.data().file.as_deref().and_then(|file| file.size))),
    column("file_sha256", T, |row| row.file(|file| file.sha256.as_deref())),
    column("attachments", T, |row| text(Some(row.attachments).filter(|numbers| !numbers.is_empty()))),
    column("call_id", T, |row| text(row.call().and_then(|call| call.id.as_deref()))),
    column("call_media", T, |row| {
        owned(joined(row.call().and_then(|call| call.media.as_ref()).into_iter().flatten().map(|m| &**m)))
    }),
    column("call_duration_ms", Number, |row| number(row.call().and_then(duration_ms))),
    column("id", T, |row| text(row.item.event.as_ref().map(|event| &*event.id))),
    column("source", T, |row| text(row.item.event.as_ref().map(|event| &*event.source))),
    column("sequence", Number, |row| number(row.item.event.as_ref().and_then(|event| event.sequence))),
    column("tenant", T, |row| text(row.item.event.as_ref().and_then(|event| event.tenant.as_deref()))),
    column("quarantined", T, |row| text(row.item.quarantined.as_deref())),
    column("gap", T, |row| text(row.item.gap.as_deref())),
    column("warnings", T, |row| owned(joined(row.item.warnings.iter().map(|warning| warning.word())))),
    column("copies", Number, |row| number(i64::try_from(row.item.shown.deliveries).ok())),
    column("context", Flag, |row| Cell::Flag(row.item.shown.is_context)),
    column("redactions", Number, |row| Cell::Number(row.item.shown.redactions.into())),
    column("broker_time", Time, |row| {
        row.item.shown.broker_time_ms.map_or(Cell::Nothing, |ms| Cell::Time(ms.saturating_mul(1_000)))
    }),
    column("archived_time", Time, |row| Cell::Time(row.item.shown.archived_ms.saturating_mul(1_000))),
    column("leaf_hash", T, |row| owned(row.item.shown.leaf.to_string())),
    column("batch", T, |row| text(Some(&row.item.shown.batch))),
    column("batch_root", T, |row| owned(row.item.shown.batch_root.to_string())),
];

impl<'r> Cell<'r> {
    /// As tables without types show it; times in a zone.
    pub(crate) fn shown(self, zone: &TimeZone) -> Cow<'r, str> {
        match self {
            Cell::Nothing => Cow::Borrowed(""),
            Cell::Text(text) => text,
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Flag(flag) => Cow::Borrowed(if flag { "yes" } else { "no" }),
            Cell::Time(us) => Cow::Owned(local(us, zone)),
        }
    }
}

/// The rows of a document, apart from it: threads make them, and a table takes them.
pub(crate) struct Rows {
    /// The document's number.
    pub(crate) number: String,
    /// Of every cell that has some, one after another.
    texts: String,
    /// Of every row one for each column.
    cells: Vec<Made>,
    /// Where the texts of each row begin.
    begins: Vec<usize>,
}

/// A cell, and where its text ends.
#[derive(Clone, Copy)]
enum Made {
    Nothing,
    Text(usize),
    Number(i64),
    Flag(bool),
    Time(i64, usize),
}

impl Rows {
    /// The rows of a document, in their order.
    pub(crate) fn of(document: &Document<'_>) -> Self {
        let rows = document.items.len();
        let mut made = Rows {
            number: document.number.clone(),
            texts: String::with_capacity(rows * 1_024),
            cells: Vec::with_capacity(rows * COLUMNS.len()),
            begins: Vec::with_capacity(rows),
        };
        let Ok(()) = each_row(document, |row| {
            made.begins.push(made.texts.len());
            for column in &COLUMNS {
                let cell = made.cell((column.of)(row), &document.about.zone);
                made.cells.push(cell);
            }
            Ok::<_, Infallible>(())
        });
        made
    }

    fn cell(&mut self, cell: Cell<'_>, zone: &TimeZone) -> Made {
        let mut end_of = |text: &str| {
            self.texts.push_str(text);
            self.texts.len()
        };
        match cell {
            Cell::Nothing => Made::Nothing,
            Cell::Text(text) => Made::Text(end_of(&text)),
            Cell::Number(number) => Made::Number(number),
            Cell::Flag(flag) => Made::Flag(flag),
            Cell::Time(us) => Made::Time(us, end_of(&local(us, zone))),
        }
    }

    /// The cells of a row, and of times how they are shown in the production's zone.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (Cell<'_>, &str)> {
        let mut from = self.begins[row];
        self.cells[row * COLUMNS.len()..][..COLUMNS.len()].iter().map(move |cell| {
            let mut text_to = |end: usize| &self.texts[std::mem::replace(&mut from, end)..end];
            match *cell {
                Made::Nothing => (Cell::Nothing, ""),
                Made::Text(end) => (Cell::Text(Cow::Borrowed(text_to(end))), ""),
                Made::Number(number) => (Cell::Number(number), ""),
                Made::Flag(flag) => (Cell::Flag(flag), ""),
                Made::Time(us, end) => (Cell::Time(us), text_to(end)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{hostile, sample, with_document};

    #[test]
    fn times_are_exact_and_have_their_offset() {
        let check = |us: i64, zone: &str, expected: &str| {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(local(us, &zone), expected, "{us}");
        };
        check(1_369_818_902_123_456, "UTC", "2013-05-29T09:15:02.123456+00:00");
        check(1_369_818_902_123_000, "Europe/Berlin", "2013-05-29T11:15:02.123000+02:00");
        check(-1, "UTC", "1969-12-31T23:59:59.999999+00:00");
        // Both sides of the hour that a night in October has twice.
        check(1_382_832_000_000_000, "Europe/Berlin", "2013-10-27T02:00:00.000000+02:00");
        check(1_382_835_600_000_000, "Europe/Berlin", "2013-10-27T02:00:00.000000+01:00");
        check(i64::MAX, "UTC", "9223372036854775807 µs after 1970");
        check(0, "Africa/Monrovia", "1969-12-31T23:15:30.000000-00:44:30");
        check(0, "America/St_Johns", "1969-12-31T20:30:00.000000-03:30");
    }

    #[test]
    fn times_are_those_of_the_library() {
        for zone in ["UTC", "Europe/Berlin", "Africa/Monrovia", "America/St_Johns", "Asia/Kolkata"] {
            let zone = TimeZone::get(zone).unwrap();
            for us in [0, -1, 1, 1_369_818_902_123_456, -63_000_000_000_000_000, 253_402_207_200_000_000] {
                let zoned = Timestamp::from_microsecond(us).unwrap().to_zoned(zone.clone());
                let expected = zoned.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string();
                assert_eq!(local(us, &zone), expected);
            }
        }
    }

    #[test]
    fn rows_apart_are_those_of_the_document() {
        with_document(&[sample(), hostile()].concat(), |document| {
            let (apart, mut n) = (Rows::of(&document), 0);
            let zone = &document.about.zone;
            let Ok(()) = each_row(&document, |row| {
                let expected = COLUMNS.iter().map(|column| (column.of)(row));
                for (cell, (made, time)) in expected.zip(apart.row(n)) {
                    assert_eq!(cell, made);
                    assert!(!matches!(cell, Cell::Time(_)) || cell.shown(zone) == time);
                }
                n += 1;
                Ok::<_, Infallible>(())
            });
            assert_eq!((apart.begins.len(), apart.row(0).count()), (n, COLUMNS.len()));
        });
    }

    #[test]
    fn columns_have_one_name_each() {
        let mut names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
