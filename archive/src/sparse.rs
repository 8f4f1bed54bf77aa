//! Columns most of whose values are absent.

use arrow_array::StringArray;
use arrow_array::builder::{ArrayBuilder, StringBuilder};

/// A text column. Absent values are counted, and appended together when one comes that is there.
pub(crate) struct Texts {
    builder: StringBuilder,
    absent: usize,
}

/// What a column of texts or bytes takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Room {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
}

impl Texts {
    /// Empty, with room for what a column took that may be like it.
    pub(crate) fn new(room: Room) -> Self {
        Texts { builder: StringBuilder::with_capacity(room.values, room.bytes), absent: 0 }
    }

    pub(crate) fn room(&self) -> Room {
        Room { values: self.builder.len() + self.absent, bytes: self.builder.values_slice().len() }
    }

    pub(crate) fn push(&mut self, text: Option<&str>) {
        match text {
            None => self.absent += 1,
            Some(text) => {
                self.settle();
                self.builder.append_value(text);
            }
        }
    }

    fn settle(&mut self) {
        if self.absent > 0 {
            self.builder.append_nulls(self.absent);
            self.absent = 0;
        }
    }

    pub(crate) fn finish(&mut self) -> StringArray {
        self.settle();
        self.builder.finish()
    }
}
