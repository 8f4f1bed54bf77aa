//! Rows of the archive, column by column: for leaf hashes, for records.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Int32Array, Int64Array, ListArray, RecordBatch, StringViewArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::Field;
use custody_schemas::hash::{Leaf, write_leaf};
use custody_schemas::{Hash, Partition, Position};

use crate::error::Error;
use crate::hashing::{Ends, Hashing};
use crate::template::{
    CALL_NUMBERS, CALL_TEXTS, CALL_TIMES, FILE_TEXTS, Filler, Name, PARTY_TEXTS, TEXTS, Unfillable, Value,
    key_of,
};

impl Rows {
    /// Texts and bytes are views, as [`GroupReader`](crate::groups::GroupReader) reads them.
    pub(crate) fn new(path: String, batch: RecordBatch) -> Self {
        Rows { path, batch }
    }

    /// Of rows as they are written.
    #[cfg(test)]
    pub(crate) fn written(batch: &RecordBatch) -> Self {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let viewed = columns.map(|(field, column)| {
            let (_, in_file) = crate::columns::SCHEMA.fields().find(field.name()).unwrap();
            let kind = crate::groups::viewed(in_file).data_type().clone();
            (field.name(), arrow_cast::cast(column, &kind).unwrap())
        });
        Rows::new("file".to_owned(), RecordBatch::try_from_iter(viewed).unwrap())
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

/// A struct column with some of its members alone.
fn members(whole: &StructArray, wanted: impl Fn(&Field) -> bool) -> Result<StructArray, Error> {
    let kept = whole.fields().iter().zip(whole.columns()).filter(|(field, _)| wanted(field));
    let (fields, columns): (Vec<_>, Vec<_>) =
        kept.map(|(field, column)| (field.clone(), column.clone())).unzip();
    StructArray::try_new(fields.into(), columns, whole.nulls().cloned()).map_err(crate::rows::internal)
}

#[inline]
pub(crate) fn text_at(column: &StringViewArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// So many rows are fetched from memory together.
pub(crate) const TOUCHED: usize = 64;

/// Has the processor fetch what some rows have in a column. Whoever goes from row to row through dozens of
/// columns waits for memory in each of them, one after another: more columns than the processor can foresee.
/// Asked for all at once they come together.
#[inline]
pub(crate) fn touch<T: ArrowNativeType>(column: &[T], rows: &Range<usize>) {
    let line = 64 / size_of::<T>();
    let rows = column.get(rows.clone()).unwrap_or_default();
    std::hint::black_box(rows.iter().step_by(line).fold(0, |all, value| all ^ value.as_usize()));
}

/// The entries of a list column that some rows have.
fn range_of(list: &ListArray, rows: &Range<usize>) -> Range<usize> {
    // Offsets of a list column are never negative.
    let end = |row: usize| list.value_offsets().get(row).map_or(0, |end| usize::try_from(*end).unwrap_or(0));
    end(rows.start)..end(rows.end)
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

    pub(crate) fn other_type(&self, name: &str) -> Error {
        Error::corrupt(format!("{}: column {name} is missing or of another type", self.path))
    }

    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// These columns alone, and of a struct the members alone that are named after a dot.
    pub(crate) fn only(&self, names: &[&str]) -> Result<RecordBatch, Error> {
        let mut kept: Vec<(&str, ArrayRef)> = Vec::with_capacity(names.len());
        for name in names {
            let (of, member) = name.split_once('.').unwrap_or((name, ""));
            if kept.last().is_some_and(|(last, _)| *last == of) {
                continue;
            }
            let Some(column) = self.batch.column_by_name(of) else { continue };
            match column.as_struct_opt() {
                Some(whole) if !member.is_empty() => {
                    let named = |field: &Field| {
                        names.iter().any(|name| name.split_once('.') == Some((of, field.name())))
                    };
                    kept.push((of, Arc::new(members(whole, named)?)));
                }
                _ => kept.push((of, Arc::clone(column))),
            }
        }
        RecordBatch::try_from_iter_with_nullable(kept.into_iter().map(|(name, column)| (name, column, true)))
            .map_err(crate::rows::internal)
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, Error> {
        Ok(text_at(self.column::<StringViewArray>(name)?, row))
    }

    pub(crate) fn number(&self, name: &str, row: usize) -> Result<Option<i64>, Error> {
        let column = self.column::<Int64Array>(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
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

    /// The columns that leaf hashes cover; read with [`crate::Columns::Leaves`].
    pub(crate) fn verbatim(&self) -> Result<Verbatim<'_>, Error> {
        let headers = self.column::<ListArray>("headers")?;
        let (names, values) = headers
            .values()
            .as_struct_opt()
            .and_then(|members| {
                Some((
                    members.columns().first()?.as_string_view_opt()?,
                    members.columns().get(1)?.as_binary_view_opt()?,
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

/// The parties column.
pub(crate) struct Parties<'a> {
    list: &'a ListArray,
    members: [&'a StringViewArray; 6],
}

impl<'a> Parties<'a> {
    pub(crate) fn of(rows: &'a Rows) -> Result<Self, Error> {
        let list = rows.column::<ListArray>("parties")?;
        let members = list.values().as_struct_opt().map(StructArray::columns).unwrap_or_default();
        let texts: Vec<&StringViewArray> =
            members.iter().filter_map(|column| column.as_string_view_opt()).collect();
        let members = texts.try_into().map_err(|_| rows.other_type("parties"))?;
        Ok(Parties { list, members })
    }

    fn range(&self, row: usize) -> Range<usize> {
        let ends = self.list.value_offsets();
        // Offsets of a list column are never negative.
        usize::try_from(ends[row]).unwrap_or(0)..usize::try_from(ends[row + 1]).unwrap_or(0)
    }

    /// See [`touch`].
    pub(crate) fn touch(&self, rows: &Range<usize>) {
        let entries = range_of(self.list, rows);
        self.members.iter().for_each(|column| touch(column.views(), &entries));
    }

    pub(crate) fn at(&self, row: usize) -> impl Iterator<Item = PartyRef<'a>> + use<'a> {
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
    texts: [Option<&'a StringViewArray>; 26],
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

    #[inline]
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
    text_at(column.column_by_name(name)?.as_string_view_opt()?, row).map(Value::Text)
}

/// The bytes as consumed, and where they came from.
pub(crate) struct Verbatim<'a> {
    pub(crate) topic: &'a StringViewArray,
    pub(crate) generation: &'a Int32Array,
    pub(crate) partition: &'a Int32Array,
    pub(crate) offset: &'a Int64Array,
    broker_time: &'a TimestampMicrosecondArray,
    key: &'a BinaryViewArray,
    header_ends: &'a ListArray,
    header_names: &'a StringViewArray,
    header_values: &'a BinaryViewArray,
    payload: &'a BinaryViewArray,
    template: &'a StringViewArray,
    values: Values<'a>,
}

fn bytes_at(column: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}

impl<'a> Verbatim<'a> {
    pub(crate) fn broker_time_ms(&self, row: usize) -> Option<i64> {
        self.broker_time.is_valid(row).then(|| self.broker_time.value(row).div_euclid(1_000))
    }

    /// The key as consumed.
    pub(crate) fn key(&self, row: usize) -> Result<Option<&'a [u8]>, Unfillable> {
        let Some(name) = text_at(self.template, row).and_then(key_of) else {
            return Ok(bytes_at(self.key, row));
        };
        match self.values.value(row, name) {
            Some(Value::Text(text)) => Ok(Some(text.as_bytes())),
            Some(Value::Time(_) | Value::Number(_)) | None => Err(Unfillable),
        }
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

    fn leaf_of(&self, row: usize, key: Option<&'a [u8]>, payload: Option<Hash>) -> Leaf<'a> {
        Leaf {
            topic: self.topic.value(row),
            generation: self.generation.value(row),
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            broker_time_ms: self.broker_time_ms(row),
            key,
            payload,
        }
    }

    /// See [`touch`].
    fn touch(&self, rows: &Range<usize>) {
        let values = &self.values;
        values.texts.iter().flatten().for_each(|column| touch(column.views(), rows));
        values.parties.touch(rows);
        touch(values.time.values(), rows);
        touch(values.sequence.values(), rows);
        touch(self.offset.values(), rows);
        touch(self.broker_time.values(), rows);
        touch(self.template.views(), rows);
        [self.key, self.payload].iter().for_each(|column| touch(column.views(), rows));
        let headers = range_of(self.header_ends, rows);
        touch(self.header_names.views(), &headers);
        touch(self.header_values.views(), &headers);
    }

    /// The leaf hashes of all rows, made anew, in order: sooner than each alone.
    pub(crate) fn leaves(&self, filler: &mut Filler) -> Vec<Result<Hash, Unfillable>> {
        let (mut hashing, mut filled) = (Hashing::default(), Vec::new());
        let mut leaves = Vec::with_capacity(self.offset.len());
        for row in 0..self.offset.len() {
            if row.is_multiple_of(TOUCHED) {
                self.touch(&(row..self.offset.len().min(row + TOUCHED)));
            }
            let whole = self.key(row).and_then(|key| Ok((key, self.payload(row, filler)?)));
            filled.push(whole.map(|(key, payload)| {
                let payload = payload.map(|text| hashing.payload(text));
                hashing.text(payload, |payload, out| {
                    let leaf = self.leaf_of(row, key, payload);
                    write_leaf(leaf, self.headers(row), &mut |piece| out.extend_from_slice(piece));
                    Ends::WithPayload
                });
            }));
            if hashing.is_full() || row + 1 == self.offset.len() {
                let mut made = hashing.take().iter().copied();
                leaves.extend(
                    filled.drain(..).map(|filled| filled.and_then(|()| made.next().ok_or(Unfillable))),
                );
            }
        }
        leaves
    }
}

impl Rows {
    /// The beginnings of the leaf hashes as they were stored.
    pub(crate) fn stored_checks(&self) -> Result<&Int64Array, Error> {
        self.column("leaf_check")
    }

    pub(crate) fn batch_ids(&self) -> Result<&StringViewArray, Error> {
        self.column("batch")
    }
}

pub(crate) fn struct_text(column: &StructArray, name: &str, row: usize) -> Option<String> {
    let member = column.column_by_name(name)?.as_string_view_opt()?;
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
