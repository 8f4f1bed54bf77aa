//! Rows put together from their values: where they came from, and their bytes as consumed.

use std::str;

use custody_schemas::{Partition, Position};

use super::Unread;
use super::fields::{
    BATCH, BROKER_TIME, FIELDS, FIELDS_LEN, GENERATION, HEADER_NAME, HEADER_VALUE, KEY, Kind, LEAF_CHECK,
    OFFSET, PARTITION, PAYLOAD, TEMPLATE, TOPIC, field_of,
};
use super::levels::{Entry, Levels};
use super::load::{Loaded, Pages, Source};
use crate::groups::Input;
use crate::record::{Header, Stored};
use crate::scattered::End;
use crate::template::{Filler, Name, Parsed, Unfillable, Value};

/// What every record has beside what fills its template. Without one it has a payload, and where that does
/// not say what the key is, a key.
const ALWAYS: [usize; 10] = [
    TOPIC,
    GENERATION,
    PARTITION,
    OFFSET,
    BATCH,
    BROKER_TIME,
    HEADER_NAME,
    HEADER_VALUE,
    TEMPLATE,
    LEAF_CHECK,
];

/// Reads single rows of a file.
pub(crate) struct RowReader<'f> {
    source: Source<'f>,
    filler: Filler,
    row: Row,
}

/// The pages that hold a row.
struct Row {
    group: usize,
    row: u64,
    /// By field, those that were needed until now.
    pages: Vec<Option<Loaded>>,
}

impl<'f> RowReader<'f> {
    /// `None` where a file is not written as this archive writes.
    pub(crate) fn new(end: &'f End, input: &'f Input, pages: &'f Pages) -> Option<Self> {
        let places = end.places.as_ref()?;
        let mut none = Vec::new();
        none.resize_with(FIELDS_LEN, || None);
        let row = Row { group: 0, row: 0, pages: none };
        let source = Source::new(end, places, input, pages);
        Some(RowReader { source, filler: Filler::default(), row })
    }

    /// A row of a row group.
    pub(crate) fn read(&mut self, group: usize, row: u64) -> Result<Stored<'_>, Unread> {
        let RowReader { source, filler, row: at } = self;
        if at.group != group {
            at.pages.iter_mut().for_each(|page| *page = None);
        }
        (at.group, at.row) = (group, row);
        for field in ALWAYS {
            at.load(source, field)?;
        }
        let template = at.text(TEMPLATE)?.map(|template| filler.parsed(template));
        let (key_name, filled) = match template {
            None => {
                at.load(source, PAYLOAD)?;
                (None, None)
            }
            Some(Err(unfillable)) => (None, Some(Err(unfillable))),
            Some(Ok((parsed, out))) => {
                for field in parsed.names().filter_map(field_of) {
                    at.load(source, field)?;
                }
                (parsed.key(), Some(at.fill(parsed, out)?))
            }
        };
        if key_name.is_none() {
            at.load(source, KEY)?;
        }
        let at = &*at;
        let partition = Partition {
            topic: at.text(TOPIC)?.unwrap_or_default().to_owned(),
            generation: at.small(GENERATION)?,
            partition: at.small(PARTITION)?,
        };
        Ok(Stored {
            position: Position { partition, offset: at.number(OFFSET)?.unwrap_or(0) },
            batch: at.text(BATCH)?.unwrap_or_default(),
            check: at.number(LEAF_CHECK)?.unwrap_or(0),
            broker_time_ms: at.number(BROKER_TIME)?.map(|us| us.div_euclid(1_000)),
            key: at.key(key_name)?,
            headers: at.headers()?,
            payload: match filled {
                Some(filled) => filled.map(Some),
                None => Ok(at.bytes(PAYLOAD)?),
            },
        })
    }
}

impl Row {
    fn load(&mut self, source: &Source<'_>, field: usize) -> Result<(), Unread> {
        let Some(place) = self.pages.get_mut(field) else { return Err(Unread::Otherwise) };
        let holds = |page: &Loaded| page.first <= self.row && self.row < page.end;
        if !place.as_ref().is_some_and(holds) {
            *place = Some(source.load(self.group, field, self.row)?);
        }
        Ok(())
    }

    /// A column's page, its levels, and the row's number in it.
    #[inline]
    fn page(&self, field: usize) -> Result<(&Loaded, &Levels, u32), Unread> {
        let loaded = self.pages.get(field).and_then(Option::as_ref).ok_or(Unread::Otherwise)?;
        let levels = loaded.page.levels.as_ref().ok_or(Unread::Otherwise)?;
        let row = u32::try_from(self.row.saturating_sub(loaded.first)).map_err(|_| Unread::Otherwise)?;
        Ok((loaded, levels, row))
    }

    fn place(&self, field: usize) -> Result<Option<(&Loaded, u32)>, Unread> {
        let (loaded, levels, row) = self.page(field)?;
        Ok(levels.value(&loaded.page.bytes, row)?.map(|value| (loaded, value)))
    }

    fn bytes(&self, field: usize) -> Result<Option<&[u8]>, Unread> {
        self.place(field)?.map(|(loaded, value)| loaded.bytes(value)).transpose()
    }

    fn text(&self, field: usize) -> Result<Option<&str>, Unread> {
        self.place(field)?.map(|(loaded, value)| loaded.text(value)).transpose()
    }

    fn number(&self, field: usize) -> Result<Option<i64>, Unread> {
        self.place(field)?.map(|(loaded, value)| loaded.number(value)).transpose()
    }

    fn small(&self, field: usize) -> Result<i32, Unread> {
        i32::try_from(self.number(field)?.unwrap_or(0)).map_err(|_| Unread::Otherwise)
    }

    fn headers(&self) -> Result<Vec<Header<'_>>, Unread> {
        let (names, name_levels, row) = self.page(HEADER_NAME)?;
        let (values, value_levels, row_of_values) = self.page(HEADER_VALUE)?;
        let entries = name_levels.entries(&names.page.bytes, row)?;
        let of_values = value_levels.entries(&values.page.bytes, row_of_values)?;
        let mut headers = Vec::new();
        if entries.len() != of_values.len() {
            return Err(Unread::Damaged("its headers have not a value each"));
        }
        for (name, value) in entries.zip(of_values) {
            let name = match name_levels.entry(&names.page.bytes, name)? {
                Entry::None => continue,
                Entry::Null => "",
                Entry::Value(name) => names.text(name)?,
            };
            let value = match value_levels.entry(&values.page.bytes, value)? {
                Entry::None | Entry::Null => None,
                Entry::Value(value) => Some(values.bytes(value)?),
            };
            headers.push((name, value));
        }
        Ok(headers)
    }

    /// The key: a text of another column, or the bytes of its own.
    fn key(&self, name: Option<Name>) -> Result<Result<Option<&[u8]>, Unfillable>, Unread> {
        let Some(name) = name else { return self.bytes(KEY).map(Ok) };
        Ok(match self.value(name)? {
            Some(Value::Text(text)) => Ok(Some(text.as_bytes())),
            Some(Value::Time(_) | Value::Number(_)) | None => Err(Unfillable),
        })
    }

    /// What fills a hole.
    fn value(&self, name: Name) -> Result<Option<Value<'_>>, Unread> {
        let Some(field) = field_of(name) else { return Ok(None) };
        let place = match name {
            Name::Party(nth, _) => self.entry(field, nth)?,
            Name::Row(_) | Name::Call(_) | Name::File(_) => self.place(field)?,
        };
        let Some((loaded, value)) = place else { return Ok(None) };
        Ok(match FIELDS.get(field).map(|field| field.kind) {
            Some(Kind::Text) => Some(Value::Text(loaded.text(value)?)),
            Some(Kind::Time) => Some(Value::Time(loaded.number(value)?)),
            Some(Kind::Number) => Some(Value::Number(loaded.number(value)?)),
            Some(Kind::Bytes | Kind::Small) | None => None,
        })
    }

    /// The n-th entry of a list.
    fn entry(&self, field: usize, nth: u32) -> Result<Option<(&Loaded, u32)>, Unread> {
        let (loaded, levels, row) = self.page(field)?;
        let bytes = &loaded.page.bytes;
        let entries = levels.entries(bytes, row)?;
        let at = entries.start.checked_add(nth).filter(|at| *at < entries.end);
        Ok(match at.map(|at| levels.entry(bytes, at)).transpose()? {
            Some(Entry::Value(value)) => Some((loaded, value)),
            Some(Entry::None | Entry::Null) | None => None,
        })
    }

    fn fill<'o>(
        &self,
        template: &Parsed,
        out: &'o mut Vec<u8>,
    ) -> Result<Result<&'o [u8], Unfillable>, Unread> {
        let mut unread = None;
        let value = |name| {
            self.value(name).unwrap_or_else(|error| {
                unread = Some(error);
                None
            })
        };
        out.clear();
        let filled = template.fill(value, out);
        match unread {
            Some(error) => Err(error),
            None => Ok(filled.map(|()| &**out)),
        }
    }
}

impl Loaded {
    fn bytes(&self, value: u32) -> Result<&[u8], Unread> {
        self.page.bytes_of(self.dictionary.as_deref(), value)
    }

    fn text(&self, value: u32) -> Result<&str, Unread> {
        str::from_utf8(self.bytes(value)?).map_err(|_| Unread::Damaged("a text is not UTF-8"))
    }

    fn number(&self, value: u32) -> Result<i64, Unread> {
        self.page.number_of(self.dictionary.as_deref(), value)
    }
}
