//! Columns of few values, each of them held once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::Int32Builder;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow_schema::DataType;
use foldhash::fast::FixedState;

use crate::error::Error;
use crate::rows::internal;

/// The Arrow type of such a column: in the file it is a text like any other.
pub(crate) fn kind() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// A text column. A template is several hundred bytes long, and thousands of rows have the same.
pub(crate) struct Repeated {
    keys: Int32Builder,
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, i32, FixedState>,
    /// By the number that the caller has for it.
    known: Vec<Option<i32>>,
}

impl Repeated {
    /// Empty, with room for so many rows.
    pub(crate) fn new(rows: usize) -> Self {
        Repeated {
            keys: Int32Builder::with_capacity(rows),
            texts: Vec::new(),
            places: HashMap::default(),
            known: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, text: Option<&str>) {
        let key = text.map(|text| self.key(text));
        self.keys.append_option(key);
    }

    /// The same of a text that the caller knows by a number, a small one.
    pub(crate) fn push_known(&mut self, number: usize, text: &str) {
        let key = match self.known.get(number) {
            Some(Some(key)) => *key,
            _ => {
                let key = self.key(text);
                if self.known.len() <= number {
                    self.known.resize(number + 1, None);
                }
                self.known[number] = Some(key);
                key
            }
        };
        self.keys.append_value(key);
    }

    fn key(&mut self, text: &str) -> i32 {
        if let Some(key) = self.places.get(text) {
            return *key;
        }
        // More than a key can say are refused when the column is made: there is no such text.
        let key = i32::try_from(self.texts.len()).unwrap_or(i32::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.places.insert(text, key);
        key
    }

    pub(crate) fn finish(&mut self) -> Result<ArrayRef, Error> {
        of(self.keys.finish(), &std::mem::take(&mut self.texts))
    }
}

/// The same text in every row.
pub(crate) fn same(text: &str, rows: usize) -> Result<ArrayRef, Error> {
    of(Int32Array::from_value(0, rows), &[text])
}

fn of<T: AsRef<str>>(keys: Int32Array, texts: &[T]) -> Result<ArrayRef, Error> {
    let texts = StringArray::from_iter_values(texts);
    let column = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts));
    Ok(Arc::new(column.map_err(internal)?))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn each_text_is_held_once() {
        let mut column = Repeated::new(0);
        column.push(Some("a"));
        column.push(None);
        column.push_known(2, "b");
        column.push_known(0, "a");
        column.push_known(2, "b");
        column.push(Some("b"));
        let column = column.finish().unwrap();
        let column = column.as_dictionary::<Int32Type>();
        assert_eq!(column.values().len(), 2);
        let texts: Vec<_> = column.downcast_dict::<StringArray>().unwrap().into_iter().collect();
        assert_eq!(texts, [Some("a"), None, Some("b"), Some("a"), Some("b"), Some("b")]);
    }

    #[test]
    fn a_text_in_every_row() {
        for rows in [0, 3] {
            let column = same("a", rows).unwrap();
            assert_eq!((column.len(), column.null_count(), column.data_type()), (rows, 0, &kind()));
        }
    }
}
