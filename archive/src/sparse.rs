//! Columns most of whose values are absent.

use arrow_array::StringArray;
use arrow_array::builder::StringBuilder;

/// A text column. Absent values are counted, and appended together when one comes that is there.
pub(crate) struct Texts {
    builder: StringBuilder,
    absent: usize,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Texts { builder: StringBuilder::new(), absent: 0 }
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
