//! Rows of the archive, column by column: for the index, for leaf hashes, for
//! records.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use custody_schemas::hash::{Leaf, leaf_hash};
use custody_schemas::{Hash, Partition, Position};

use crate::columns::{STATUS_GAP, STATUS_QUARANTINED};
use crate::error::Error;
use crate::template::{
    CALL_NUMBERS, CALL_TEXTS, CALL_TIMES, FILE_TEXTS, Filler, Name, PARTY_TEXTS, TEXTS, Unfillable, Value,
};

impl Rows {
    pub(crate) fn new(path: String, batch: RecordBatch) -> Self {
        Rows { path, batch }
    }
}

/// Some rows of a file.
pub struct Rows {
    pub(crate) path: String,
    batch: RecordBatch,
}

/// What a party has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The sender, caller or actor.
    From,
    /// A recipient.
    To,
    /// Anyone else whom the event names.
    Other,
}

/// A party of a row, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct PartyRef<'a> {
    /// What it has to do with the event.
    pub relation: Relation,
    /// The word in the `relation` column.
    pub relation_word: &'a str,
    /// Its network.
    pub network: Option<&'a str>,
    /// Its address.
    pub address: Option<&'a str>,
    /// Its display name.
    pub name: Option<&'a str>,
    /// Its role.
    pub role: Option<&'a str>,
    /// `internal`, `federated`, `anonymous` or `system`.
    pub scope: Option<&'a str>,
}

/// What the index knows of a row.
#[derive(Debug, Clone)]
pub struct IndexRow<'a> {
    /// It could not be decoded.
    pub quarantined: bool,
    /// It is the row of a gap.
    pub gap: bool,
    /// The type's full name; empty when quarantined.
    pub kind: &'a str,
    /// When it happened, microseconds since 1970 UTC.
    pub time_us: Option<i64>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The conversation's id.
    pub conversation: Option<&'a str>,
    /// The conversation's title.
    pub title: Option<&'a str>,
    /// The text as it was sent.
    pub body: Option<&'a str>,
    /// Content type of the text.
    pub content_type: Option<&'a str>,
    /// Readable words of an event that is no message.
    pub detail: Option<&'a str>,
    /// The same for every delivery of one event.
    pub identity: u64,
    /// Everybody whom the event names.
    pub parties: Vec<PartyRef<'a>>,
}

pub(crate) fn text_at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn relation_of(word: &str) -> Relation {
    match word {
        "from" => Relation::From,
        "to" => Relation::To,
        _ => Relation::Other,
    }
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn column<T: Array + 'static>(&self, name: &str) -> Result<&T, Error> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<T>());
        column.ok_or_else(|| self.other_type(name))
    }

    fn other_type(&self, name: &str) -> Error {
        Error::corrupt(format!("{}: column {name} is missing or of another type", self.path))
    }

    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// These columns alone.
    pub(crate) fn only(&self, names: &[&str]) -> Result<RecordBatch, Error> {
        let schema = self.batch.schema_ref();
        let columns: Vec<usize> = names.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        self.batch.project(&columns).map_err(crate::rows::internal)
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, Error> {
        Ok(text_at(self.column::<StringArray>(name)?, row))
    }

    pub(crate) fn number(&self, name: &str, row: usize) -> Result<Option<i64>, Error> {
        let column = self.column::<Int64Array>(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn time(&self, name: &str, row: usize) -> Result<Option<i64>, Error> {
        let column = self.column::<TimestampMicrosecondArray>(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn structure(&self, name: &str, row: usize) -> Result<Option<&StructArray>, Error> {
        let column = self.column::<StructArray>(name)?;
        Ok(column.is_valid(row).then_some(column))
    }

    /// Where a row came from.
    pub(crate) fn position(&self, row: usize) -> Result<Position, Error> {
        let partition = Partition {
            topic: self.text("topic", row)?.unwrap_or_default().to_owned(),
            generation: self.column::<Int32Array>("generation")?.value(row),
            partition: self.column::<Int32Array>("partition")?.value(row),
        };
        Ok(Position { partition, offset: self.column::<Int64Array>("offset")?.value(row) })
    }

    /// Everybody whom a row names.
    pub(crate) fn parties(&self, row: usize) -> Result<Vec<PartyRef<'_>>, Error> {
        Ok(Parties::of(self)?.at(row).collect())
    }

    /// What the index needs of these rows; read with [`crate::Columns::Index`].
    pub fn index_rows(&self) -> Result<IndexRows<'_>, Error> {
        Ok(IndexRows {
            status: self.column("status")?,
            kind: self.column("type")?,
            time: self.column("event_time")?,
            tenant: self.column("tenant")?,
            conversation: self.column("conversation_id")?,
            title: self.column("title")?,
            body: self.column("body")?,
            content_type: self.column("content_type")?,
            detail: self.column("detail")?,
            identity: self.column("identity")?,
            parties: Parties::of(self)?,
        })
    }

    /// The columns that leaf hashes cover; read with [`crate::Columns::Leaves`].
    pub(crate) fn verbatim(&self) -> Result<Verbatim<'_>, Error> {
        let headers = self.column::<ListArray>("headers")?;
        let (names, values) = headers
            .values()
            .as_struct_opt()
            .and_then(|members| {
                Some((
                    members.columns().first()?.as_string_opt()?,
                    members.columns().get(1)?.as_binary_opt()?,
                ))
            })
            .ok_or_else(|| self.other_type("headers"))?;
        Ok(Verbatim {
            topic: self.column("topic")?,
            generation: self.column("generation")?,
            partition: self.column("partition")?,
            offset: self.column("offset")?,
            broker_time: self.column("broker_time")?,
            key: self.column("key")?,
            header_ends: headers,
            header_names: names,
            header_values: values,
            payload: self.column("payload")?,
            template: self.column("template")?,
            values: Values::of(self)?,
        })
    }
}

/// The columns that the index is made from, found once for many rows.
pub struct IndexRows<'a> {
    status: &'a StringArray,
    kind: &'a StringArray,
    time: &'a TimestampMicrosecondArray,
    tenant: &'a StringArray,
    conversation: &'a StringArray,
    title: &'a StringArray,
    body: &'a StringArray,
    content_type: &'a StringArray,
    detail: &'a StringArray,
    identity: &'a Int64Array,
    parties: Parties<'a>,
}

impl<'a> IndexRows<'a> {
    /// One row.
    pub fn row(&self, row: usize) -> IndexRow<'a> {
        IndexRow {
            quarantined: text_at(self.status, row) == Some(STATUS_QUARANTINED),
            gap: text_at(self.status, row) == Some(STATUS_GAP),
            kind: text_at(self.kind, row).unwrap_or(""),
            time_us: self.time.is_valid(row).then(|| self.time.value(row)),
            tenant: text_at(self.tenant, row),
            conversation: text_at(self.conversation, row),
            title: text_at(self.title, row),
            body: text_at(self.body, row),
            content_type: text_at(self.content_type, row),
            detail: text_at(self.detail, row),
            identity: u64::from_be_bytes(self.identity.value(row).to_be_bytes()),
            parties: self.parties.at(row).collect(),
        }
    }
}

/// The parties column.
struct Parties<'a> {
    list: &'a ListArray,
    members: [&'a StringArray; 6],
}

impl<'a> Parties<'a> {
    fn of(rows: &'a Rows) -> Result<Self, Error> {
        let list = rows.column::<ListArray>("parties")?;
        let members = list.values().as_struct_opt().map(StructArray::columns).unwrap_or_default();
        let texts: Vec<&StringArray> = members.iter().filter_map(|column| column.as_string_opt()).collect();
        let members = texts.try_into().map_err(|_| rows.other_type("parties"))?;
        Ok(Parties { list, members })
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let ends = self.list.value_offsets();
        // Offsets of a list column are never negative.
        usize::try_from(ends[row]).unwrap_or(0)..usize::try_from(ends[row + 1]).unwrap_or(0)
    }

    fn at(&self, row: usize) -> impl Iterator<Item = PartyRef<'a>> + use<'a> {
        let [relation, network, address, name, role, scope] = self.members;
        self.range(row).map(move |at| {
            let word = text_at(relation, at).unwrap_or("");
            PartyRef {
                relation: relation_of(word),
                relation_word: word,
                network: text_at(network, at),
                address: text_at(address, at),
                name: text_at(name, at),
                role: text_at(role, at),
                scope: text_at(scope, at),
            }
        })
    }
}

/// The values that templates are filled with.
struct Values<'a> {
    /// By letter.
    texts: [Option<&'a StringArray>; 26],
    time: &'a TimestampMicrosecondArray,
    sequence: &'a Int64Array,
    parties: Parties<'a>,
    call: &'a StructArray,
    file: &'a StructArray,
}

fn named(names: &[(u8, &'static str)], letter: u8) -> Option<&'static str> {
    names.iter().find(|(of, _)| *of == letter).map(|(_, name)| *name)
}

impl<'a> Values<'a> {
    fn of(rows: &'a Rows) -> Result<Self, Error> {
        let mut texts = [None; 26];
        for (letter, name) in TEXTS {
            texts[usize::from(letter - b'a')] = Some(rows.column(name)?);
        }
        Ok(Values {
            texts,
            time: rows.column("event_time")?,
            sequence: rows.column("sequence")?,
            parties: Parties::of(rows)?,
            call: rows.column("call")?,
            file: rows.column("file")?,
        })
    }

    fn value(&self, row: usize, name: Name) -> Option<Value<'a>> {
        match name {
            Name::Row(b't') => self.time.is_valid(row).then(|| Value::Time(self.time.value(row))),
            Name::Row(b'q') => self.sequence.is_valid(row).then(|| Value::Number(self.sequence.value(row))),
            Name::Row(letter) => {
                let column = *self.texts.get(usize::from(letter.checked_sub(b'a')?))?;
                text_at(column?, row).map(Value::Text)
            }
            Name::Party(number, letter) => {
                let range = self.parties.range(row);
                let at =
                    range.start.checked_add(usize::try_from(number).ok()?).filter(|at| *at < range.end)?;
                let member = PARTY_TEXTS.iter().position(|(of, _)| *of == letter)?;
                // The relation is the first member.
                text_at(self.parties.members[member + 1], at).map(Value::Text)
            }
            Name::Call(letter) => {
                let text = || struct_value(self.call, named(&CALL_TEXTS, letter)?, row);
                let time = || struct_time(self.call, named(&CALL_TIMES, letter)?, row).map(Value::Time);
                let number =
                    || struct_number(self.call, named(&CALL_NUMBERS, letter)?, row).map(Value::Number);
                text().or_else(time).or_else(number)
            }
            Name::File(b'z') => struct_number(self.file, "size", row).map(Value::Number),
            Name::File(letter) => struct_value(self.file, named(&FILE_TEXTS, letter)?, row),
        }
    }
}

fn struct_value<'a>(column: &'a StructArray, name: &str, row: usize) -> Option<Value<'a>> {
    text_at(column.column_by_name(name)?.as_string_opt::<i32>()?, row).map(Value::Text)
}

/// The bytes as consumed, and where they came from.
pub(crate) struct Verbatim<'a> {
    pub(crate) topic: &'a StringArray,
    pub(crate) generation: &'a Int32Array,
    pub(crate) partition: &'a Int32Array,
    pub(crate) offset: &'a Int64Array,
    broker_time: &'a TimestampMicrosecondArray,
    key: &'a BinaryArray,
    header_ends: &'a ListArray,
    header_names: &'a StringArray,
    header_values: &'a BinaryArray,
    payload: &'a BinaryArray,
    template: &'a StringArray,
    values: Values<'a>,
}

fn bytes_at(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}

impl<'a> Verbatim<'a> {
    pub(crate) fn broker_time_ms(&self, row: usize) -> Option<i64> {
        self.broker_time.is_valid(row).then(|| self.broker_time.value(row).div_euclid(1_000))
    }

    pub(crate) fn key(&self, row: usize) -> Option<&'a [u8]> {
        bytes_at(self.key, row)
    }

    /// The payload as consumed.
    pub(crate) fn payload<'s>(
        &self,
        row: usize,
        filler: &'s mut Filler,
    ) -> Result<Option<&'s [u8]>, Unfillable>
    where
        'a: 's,
    {
        match text_at(self.template, row) {
            None => Ok(bytes_at(self.payload, row)),
            Some(template) => filler.fill(template, |name| self.values.value(row, name)).map(Some),
        }
    }

    pub(crate) fn headers(
        &self,
        row: usize,
    ) -> impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let ends = self.header_ends.value_offsets();
        let range = usize::try_from(ends[row]).unwrap_or(0)..usize::try_from(ends[row + 1]).unwrap_or(0);
        let (names, values) = (self.header_names, self.header_values);
        range.map(move |at| (names.value(at), bytes_at(values, at)))
    }

    /// The leaf hash of a row with this payload, made anew.
    pub(crate) fn leaf(&self, row: usize, payload: Option<&[u8]>) -> Hash {
        let leaf = Leaf {
            topic: self.topic.value(row),
            generation: self.generation.value(row),
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            broker_time_ms: self.broker_time_ms(row),
            key: self.key(row),
            payload: payload.map(Hash::of),
        };
        leaf_hash(leaf, self.headers(row))
    }
}

impl Rows {
    /// The beginnings of the leaf hashes as they were stored.
    pub(crate) fn stored_checks(&self) -> Result<&Int64Array, Error> {
        self.column("leaf_check")
    }

    pub(crate) fn batch_ids(&self) -> Result<&StringArray, Error> {
        self.column("batch")
    }
}

pub(crate) fn struct_text(column: &StructArray, name: &str, row: usize) -> Option<String> {
    let member = column.column_by_name(name)?.as_string_opt::<i32>()?;
    text_at(member, row).map(str::to_owned)
}

pub(crate) fn struct_number(column: &StructArray, name: &str, row: usize) -> Option<i64> {
    let member = column.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    member.is_valid(row).then(|| member.value(row))
}

pub(crate) fn struct_time(column: &StructArray, name: &str, row: usize) -> Option<i64> {
    let member = column.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    member.is_valid(row).then(|| member.value(row))
}
