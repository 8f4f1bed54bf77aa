//! Single records of the archive, each proven.

use crate::error::Error;
use crate::groups::Input;
use crate::log::FileRef;
use crate::page::Unread;
use crate::read::{Archive, Columns, Reader, RowReader, damaged, given_up};
use crate::record::Record;
use crate::scattered::{End, select};

impl Archive {
    /// Single records of a batch by row number, ascending, from where it is now. Each is re-hashed:
    /// one that is not what was archived is an error, never an answer. What a record
    /// says is decoded anew from the bytes that the hash covers; the columns
    /// beside them, which no hash of its own covers, are not read.
    pub fn fetch(&self, file: &FileRef, rows: &[u64]) -> Result<Vec<Record>, Error> {
        let (file, input) = self.open_file(file)?;
        let fetched = self.fetch_from(&file, input, rows);
        if fetched.is_err() {
            // What is damaged may be so in memory only.
            self.scattered.forget(&file.path);
        }
        fetched
    }

    pub(crate) fn fetch_from(
        &self,
        file: &FileRef,
        input: Input,
        rows: &[u64],
    ) -> Result<Vec<Record>, Error> {
        let end = self.end(file, &input)?;
        let first_row = file.first_row.unwrap_or(0);
        let in_file: Vec<u64> = rows.iter().map(|row| first_row.saturating_add(*row)).collect();
        let records = match self.row_by_row(file, &end, &input, &in_file)? {
            Some(records) => records,
            None => self.of_groups(file, input, &in_file)?,
        };
        if records.len() != rows.len() {
            return Err(Error::corrupt(format!(
                "{}: {} of {} rows are there",
                file.path,
                records.len(),
                rows.len()
            )));
        }
        Ok(records)
    }

    /// Records by their rows in a file; `None` where it is not written as this archive writes.
    pub(crate) fn row_by_row(
        &self,
        file: &FileRef,
        end: &End,
        input: &Input,
        rows: &[u64],
    ) -> Result<Option<Vec<Record>>, Error> {
        let Some(mut reader) = self.scattered.rows(end, input) else { return Ok(None) };
        let mut records = Vec::with_capacity(rows.len());
        for (group, rows) in end.by_group(rows.iter().copied()) {
            for row in rows {
                let stored = match reader.read(group, row) {
                    Ok(stored) => stored,
                    Err(Unread::Otherwise) => return Ok(None),
                    Err(Unread::Damaged(how)) => {
                        return Err(given_up(&file.path, format!("row {row} of row group {group}: {how}")));
                    }
                    Err(Unread::Failed(error)) => return Err(damaged(&file.path, error)),
                };
                records.push(Record::read(stored, file)?);
            }
        }
        Ok(Some(records))
    }

    /// Records by their rows in a file, whoever wrote it.
    pub(crate) fn of_groups(&self, file: &FileRef, input: Input, rows: &[u64]) -> Result<Vec<Record>, Error> {
        let reader = self.selected(file, input, Columns::Leaves, select(rows))?;
        let mut records = Vec::with_capacity(rows.len());
        for rows in (RowReader { path: file.path.clone(), reader: Reader::File(Box::new(reader)) }) {
            Record::read_all(&rows?, file, &mut records)?;
        }
        Ok(records)
    }
}
