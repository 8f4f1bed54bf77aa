//! Columns that hold lists and structs, growing: parties, calls, files.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, Fields};

use crate::columns::{CALL, FILE, PARTY};
use crate::error::Error;
use crate::row::{CallTexts, FileTexts, PartyRow};
use crate::rows::internal;
use crate::sparse::{Room, Texts};

pub(crate) fn time_builder() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

/// A list-of-struct column, built from its parts.
pub(crate) struct Lists {
    ends: Vec<i32>,
    len: i32,
    texts: [Texts; 6],
}

impl Lists {
    pub(crate) fn new(rows: usize, texts: [Room; 6]) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Lists { ends, len: 0, texts: texts.map(Texts::new) }
    }

    /// What the parties take now.
    pub(crate) fn room(&self) -> [Room; 6] {
        self.texts.each_ref().map(Texts::room)
    }

    pub(crate) fn party(&mut self, party: &PartyRow<'_>) {
        for (column, text) in self.texts.iter_mut().zip(party) {
            column.push(*text);
        }
        // More than an offset can say are refused when the column is made.
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.len);
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef, Error> {
        let columns = self.texts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        list_of(PARTY.clone(), columns, self.ends)
    }
}

pub(crate) fn list_of(fields: Fields, columns: Vec<ArrayRef>, ends: Vec<i32>) -> Result<ArrayRef, Error> {
    let element = Arc::new(arrow_schema::Field::new("element", DataType::Struct(fields.clone()), true));
    let values = StructArray::try_new(fields, columns, None).map_err(internal)?;
    let list = ListArray::try_new(element, OffsetBuffer::new(ends.into()), Arc::new(values), None);
    Ok(Arc::new(list.map_err(internal)?))
}

pub(crate) struct Calls {
    present: NullBufferBuilder,
    /// Rows without a call since the last one with.
    absent: usize,
    id: StringBuilder,
    media: StringBuilder,
    times: [TimestampMicrosecondBuilder; 3],
    numbers: [Int64Builder; 4],
    reason: StringBuilder,
    diagnostics: StringBuilder,
    quality: StringBuilder,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Calls {
            present: NullBufferBuilder::new(0),
            absent: 0,
            id: StringBuilder::new(),
            media: StringBuilder::new(),
            times: [time_builder(), time_builder(), time_builder()],
            numbers: [Int64Builder::new(), Int64Builder::new(), Int64Builder::new(), Int64Builder::new()],
            reason: StringBuilder::new(),
            diagnostics: StringBuilder::new(),
            quality: StringBuilder::new(),
        }
    }

    pub(crate) fn append(&mut self, call: Option<&CallTexts<'_>>) {
        let Some(call) = call else {
            self.absent += 1;
            return;
        };
        self.settle();
        self.present.append_non_null();
        let texts =
            [&mut self.id, &mut self.media, &mut self.reason, &mut self.diagnostics, &mut self.quality];
        for (column, text) in texts.into_iter().zip(call.texts) {
            column.append_option(text);
        }
        for (column, time) in self.times.iter_mut().zip(call.times) {
            column.append_option(time.us);
        }
        let [_, answer, end] = call.times.map(|time| time.us);
        let duration = answer.zip(end).map(|(answer, end)| end.saturating_sub(answer) / 1_000);
        for (column, value) in self.numbers.iter_mut().zip([duration].into_iter().chain(call.numbers)) {
            column.append_option(value);
        }
    }

    fn settle(&mut self) {
        let absent = std::mem::take(&mut self.absent);
        if absent == 0 {
            return;
        }
        self.present.append_n_nulls(absent);
        self.times.iter_mut().for_each(|column| column.append_nulls(absent));
        self.numbers.iter_mut().for_each(|column| column.append_nulls(absent));
        for column in
            [&mut self.id, &mut self.media, &mut self.reason, &mut self.diagnostics, &mut self.quality]
        {
            column.append_nulls(absent);
        }
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef, Error> {
        self.settle();
        let [invite, answer, end] = self.times.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [duration, code, from, to] =
            self.numbers.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.media.finish()),
            invite,
            answer,
            end,
            duration,
            code,
            Arc::new(self.reason.finish()),
            Arc::new(self.diagnostics.finish()),
            from,
            to,
            Arc::new(self.quality.finish()),
        ];
        Ok(Arc::new(StructArray::try_new(CALL.clone(), columns, self.present.finish()).map_err(internal)?))
    }
}

pub(crate) struct Files {
    present: NullBufferBuilder,
    /// Rows without a file since the last one with.
    absent: usize,
    texts: [StringBuilder; 5],
    size: Int64Builder,
}

impl Files {
    pub(crate) fn new() -> Self {
        Files {
            present: NullBufferBuilder::new(0),
            absent: 0,
            texts: [(); 5].map(|()| StringBuilder::new()),
            size: Int64Builder::new(),
        }
    }

    pub(crate) fn append(&mut self, file: Option<&FileTexts<'_>>) {
        let Some(file) = file else {
            self.absent += 1;
            return;
        };
        self.settle();
        self.present.append_non_null();
        for (column, text) in self.texts.iter_mut().zip(file.texts) {
            column.append_option(text);
        }
        self.size.append_option(file.size);
    }

    fn settle(&mut self) {
        let absent = std::mem::take(&mut self.absent);
        if absent > 0 {
            self.present.append_n_nulls(absent);
            self.texts.iter_mut().for_each(|column| column.append_nulls(absent));
            self.size.append_nulls(absent);
        }
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef, Error> {
        self.settle();
        let [id, name, media_type, sha256, reference] =
            self.texts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let columns = vec![id, name, media_type, Arc::new(self.size.finish()) as ArrayRef, sha256, reference];
        Ok(Arc::new(StructArray::try_new(FILE.clone(), columns, self.present.finish()).map_err(internal)?))
    }
}
