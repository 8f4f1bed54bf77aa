//! The columns of a file that a record may need, by number.

use std::collections::HashMap;
use std::sync::LazyLock;

use parquet::basic::Type;
use parquet::schema::types::SchemaDescriptor;

use crate::template::{CALL_NUMBERS, CALL_TEXTS, CALL_TIMES, FILE_TEXTS, Name, PARTY_TEXTS, TEXTS};

/// What values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bytes,
    Text,
    Small,
    Number,
    Time,
}

impl Kind {
    fn physical(self) -> Type {
        match self {
            Kind::Bytes | Kind::Text => Type::BYTE_ARRAY,
            Kind::Small => Type::INT32,
            Kind::Number | Kind::Time => Type::INT64,
        }
    }

    /// Bytes of a number.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Kind::Bytes | Kind::Text => None,
            Kind::Small => Some(4),
            Kind::Number | Kind::Time => Some(8),
        }
    }
}

/// What may be absent around a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nesting {
    /// It alone.
    Row,
    /// It, or the structure that it is in.
    Member,
    /// It, the structure that it is in as an entry of a list, or the list.
    Listed,
}

impl Nesting {
    /// The definition level of a value.
    pub(super) fn definition(self) -> u32 {
        match self {
            Nesting::Row => 1,
            Nesting::Member => 2,
            Nesting::Listed => 4,
        }
    }
}

/// A column.
pub(super) struct Field {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) nesting: Nesting,
}

pub(super) const TOPIC: usize = 0;
pub(super) const GENERATION: usize = 1;
pub(super) const PARTITION: usize = 2;
pub(super) const OFFSET: usize = 3;
pub(super) const BATCH: usize = 4;
pub(super) const BROKER_TIME: usize = 5;
pub(super) const KEY: usize = 6;
pub(super) const HEADER_NAME: usize = 7;
pub(super) const HEADER_VALUE: usize = 8;
pub(super) const TEMPLATE: usize = 9;
pub(super) const PAYLOAD: usize = 10;
pub(super) const LEAF_CHECK: usize = 11;
const EVENT_TIME: usize = 12;
const SEQUENCE: usize = 13;
const ROW_TEXTS: usize = 14;
const PARTIES: usize = ROW_TEXTS + TEXTS.len();
const CALLS: usize = PARTIES + PARTY_TEXTS.len();
const CALLS_TIMES: usize = CALLS + CALL_TEXTS.len();
const CALLS_NUMBERS: usize = CALLS_TIMES + CALL_TIMES.len();
const FILES: usize = CALLS_NUMBERS + CALL_NUMBERS.len();
const SIZE: usize = FILES + FILE_TEXTS.len();
/// How many there are.
pub(super) const FIELDS_LEN: usize = SIZE + 1;

/// In the order of their numbers.
pub(super) static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let field = |path: &str, kind, nesting| Field { path: path.to_owned(), kind, nesting };
    let row = |path, kind| field(path, kind, Nesting::Row);
    let mut fields = vec![
        row("topic", Kind::Text),
        row("generation", Kind::Small),
        row("partition", Kind::Small),
        row("offset", Kind::Number),
        row("batch", Kind::Text),
        row("broker_time", Kind::Time),
        row("key", Kind::Bytes),
        field("headers.list.element.name", Kind::Text, Nesting::Listed),
        field("headers.list.element.value", Kind::Bytes, Nesting::Listed),
        row("template", Kind::Text),
        row("payload", Kind::Bytes),
        row("leaf_check", Kind::Number),
        row("event_time", Kind::Time),
        row("sequence", Kind::Number),
    ];
    let mut add = |of: &[(u8, &str)], within: &str, kind, nesting| {
        fields.extend(of.iter().map(|(_, name)| field(&format!("{within}{name}"), kind, nesting)));
    };
    add(&TEXTS, "", Kind::Text, Nesting::Row);
    add(&PARTY_TEXTS, "parties.list.element.", Kind::Text, Nesting::Listed);
    add(&CALL_TEXTS, "call.", Kind::Text, Nesting::Member);
    add(&CALL_TIMES, "call.", Kind::Time, Nesting::Member);
    add(&CALL_NUMBERS, "call.", Kind::Number, Nesting::Member);
    add(&FILE_TEXTS, "file.", Kind::Text, Nesting::Member);
    add(&[(b'z', "size")], "file.", Kind::Number, Nesting::Member);
    fields
});

/// The column that fills a hole; `None` when there is no such.
pub(super) fn field_of(name: Name) -> Option<usize> {
    let among = |of: &[(u8, &str)], letter| of.iter().position(|(named, _)| *named == letter);
    match name {
        Name::Row(b't') => Some(EVENT_TIME),
        Name::Row(b'q') => Some(SEQUENCE),
        Name::Row(letter) => among(&TEXTS, letter).map(|nth| ROW_TEXTS + nth),
        Name::Party(_, letter) => among(&PARTY_TEXTS, letter).map(|nth| PARTIES + nth),
        Name::Call(letter) => {
            let text = among(&CALL_TEXTS, letter).map(|nth| CALLS + nth);
            let time = || among(&CALL_TIMES, letter).map(|nth| CALLS_TIMES + nth);
            let number = || among(&CALL_NUMBERS, letter).map(|nth| CALLS_NUMBERS + nth);
            text.or_else(time).or_else(number)
        }
        Name::File(b'z') => Some(SIZE),
        Name::File(letter) => among(&FILE_TEXTS, letter).map(|nth| FILES + nth),
    }
}

/// Which columns of a file they are.
pub(super) struct Layout(Vec<usize>);

impl Layout {
    /// `None` where one is missing or another than this archive writes.
    pub(super) fn of(schema: &SchemaDescriptor) -> Option<Layout> {
        let columns: HashMap<String, usize> =
            schema.columns().iter().enumerate().map(|(at, column)| (column.path().string(), at)).collect();
        let column = |field: &Field| {
            let at = *columns.get(&field.path)?;
            let column = schema.column(at);
            let is_ours = column.physical_type() == field.kind.physical()
                && u32::try_from(column.max_def_level()) == Ok(field.nesting.definition())
                && column.max_rep_level() == i16::from(field.nesting == Nesting::Listed);
            is_ours.then_some(at)
        };
        FIELDS.iter().map(column).collect::<Option<Vec<_>>>().map(Layout)
    }

    /// The column of a field.
    pub(super) fn column(&self, field: usize) -> usize {
        self.0[field]
    }
}
