//! The two lists beside the documents.

use std::borrow::Cow;
use std::path::Path;

use crate::document::{Attachment, Content};
use crate::error::Error;
use crate::format::Exception;
use crate::format::csv::Table;
use crate::item::Shown;
use crate::journal::{Grown, Step};
use crate::output::OutFile;
use crate::receipt::FileEntry;
use crate::{CROSS_REFERENCE, EXCEPTIONS};

/// Rows of a list.
fn rows<'c, const N: usize>(rows: impl IntoIterator<Item = [&'c str; N]>) -> Result<Vec<u8>, Error> {
    let mut table = Table::new();
    for row in rows {
        table.row(row.into_iter().map(Cow::Borrowed))?;
    }
    table.finish()
}

/// What a reader would expect and does not get.
pub(crate) struct Exceptions {
    file: OutFile,
    count: u64,
}

impl Exceptions {
    pub(crate) fn begin(work: &Path) -> Result<Self, Error> {
        let mut file = OutFile::create(work, EXCEPTIONS)?;
        file.put(&rows([["number", "position", "what"]])?)?;
        Ok(Exceptions { file, count: 0 })
    }

    /// Goes on where a run that was killed was.
    pub(crate) fn resume(work: &Path, step: &Step) -> Result<Self, Error> {
        Ok(Exceptions { file: OutFile::resume(work, begun(step, EXCEPTIONS)?)?, count: step.exceptions })
    }

    /// What the journal says of it.
    pub(crate) fn note(&mut self, step: &mut Step) -> Result<(), Error> {
        step.exceptions = self.count;
        step.growing.push(Grown { in_volume: None, begun: self.file.so_far()? });
        Ok(())
    }

    fn push(&mut self, exception: &Exception) -> Result<(), Error> {
        self.count += 1;
        let position = exception.position.as_deref().unwrap_or_default();
        self.file.put(&rows([[exception.number.as_str(), position, exception.what.as_str()]])?)
    }

    /// What a format could not write, and files that are not here, unless the format told of them.
    pub(crate) fn of_document(
        &mut self,
        attachments: &[Attachment],
        told: &[Exception],
    ) -> Result<(), Error> {
        for attachment in attachments {
            if let Content::Missing(why) = &attachment.content
                && told.iter().all(|exception| exception.number != attachment.number)
            {
                let what = format!("the file {} is not here: {why}", attachment.name);
                self.push(&Exception { number: attachment.number.clone(), position: None, what })?;
            }
        }
        told.iter().try_for_each(|exception| self.push(exception))
    }

    /// How many there are.
    pub(crate) fn finish(self) -> Result<(u64, FileEntry), Error> {
        Ok((self.count, self.file.finish()?))
    }
}

/// Which record is in which document, in the order of the documents.
pub(crate) struct CrossReference(OutFile);

/// What it says of a document's records, and of its attachments after them: threads make it.
pub(crate) fn references(
    number: &str,
    shown: &[Shown],
    attachments: &[Attachment],
) -> Result<Vec<u8>, Error> {
    let records = shown.iter().map(|shown| (number, shown));
    let files = attachments.iter().filter_map(|file| Some((file.number.as_str(), shown.get(file.item)?)));
    let mut table = Table::new();
    for (number, shown) in records.chain(files) {
        let proof = [shown.position.to_string(), shown.leaf.to_string()].map(Cow::Owned);
        table.row([Cow::Borrowed(number)].into_iter().chain(proof))?;
    }
    table.finish()
}

impl CrossReference {
    pub(crate) fn begin(work: &Path) -> Result<Self, Error> {
        let mut file = OutFile::create(work, CROSS_REFERENCE)?;
        file.put(&rows([["number", "position", "leaf_hash"]])?)?;
        Ok(CrossReference(file))
    }

    /// Goes on where a run that was killed was.
    pub(crate) fn resume(work: &Path, step: &Step) -> Result<Self, Error> {
        Ok(CrossReference(OutFile::resume(work, begun(step, CROSS_REFERENCE)?)?))
    }

    /// What the journal says of it.
    pub(crate) fn note(&mut self, step: &mut Step) -> Result<(), Error> {
        step.growing.push(Grown { in_volume: None, begun: self.0.so_far()? });
        Ok(())
    }

    /// Adds what [`references`] made.
    pub(crate) fn append(&mut self, references: &[u8]) -> Result<(), Error> {
        self.0.put(references)
    }

    pub(crate) fn finish(self) -> Result<FileEntry, Error> {
        self.0.finish()
    }
}

/// What there is of a list.
fn begun<'s>(step: &'s Step, name: &str) -> Result<&'s FileEntry, Error> {
    let mut beside = step.growing.iter().filter(|grown| grown.in_volume.is_none()).map(|grown| &grown.begun);
    beside
        .find(|begun| begun.name == name)
        .ok_or_else(|| Error::corrupt(format!("the journal has no {name}")))
}
