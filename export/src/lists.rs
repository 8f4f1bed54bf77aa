//! The two lists beside the documents.

use std::path::Path;

use crate::document::{Attachment, Content};
use crate::error::{Error, Kind};
use crate::format::Exception;
use crate::format::csv::harmless;
use crate::item::Shown;
use crate::journal::{Grown, Step};
use crate::output::OutFile;
use crate::receipt::FileEntry;
use crate::{CROSS_REFERENCE, EXCEPTIONS};

/// A file of comma-separated values (RFC 4180, UTF-8).
struct Csv(csv::Writer<OutFile>);

impl Csv {
    fn begin<const N: usize>(work: &Path, name: &str, header: [&str; N]) -> Result<Self, Error> {
        let file = OutFile::create(work, name)?;
        let mut csv = Csv(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file));
        csv.row(header)?;
        Ok(csv)
    }

    fn resume(work: &Path, begun: &FileEntry) -> Result<Self, Error> {
        let file = OutFile::resume(work, begun)?;
        Ok(Csv(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file)))
    }

    /// What there is of it so far.
    fn so_far(&mut self) -> Result<Grown, Error> {
        self.0.flush().map_err(|e| self.0.get_ref().failed(e))?;
        Ok(Grown { in_volume: None, begun: self.0.get_ref().so_far() })
    }

    fn row<const N: usize>(&mut self, cells: [&str; N]) -> Result<(), Error> {
        let cells = cells.map(|cell| harmless(cell.into()));
        let written = self.0.write_record(cells.iter().map(|cell| cell.as_bytes()));
        written.map_err(|e| self.0.get_ref().failed(e.into()))
    }

    fn finish(mut self) -> Result<FileEntry, Error> {
        self.0.flush().map_err(|e| self.0.get_ref().failed(e))?;
        match self.0.into_inner() {
            Ok(file) => file.finish(),
            Err(error) => Err(Error::new(Kind::Retry, format!("cannot write a list: {error}"))),
        }
    }
}

/// What a reader would expect and does not get.
pub(crate) struct Exceptions {
    csv: Csv,
    count: u64,
}

impl Exceptions {
    pub(crate) fn begin(work: &Path) -> Result<Self, Error> {
        Ok(Exceptions { csv: Csv::begin(work, EXCEPTIONS, ["number", "position", "what"])?, count: 0 })
    }

    /// Goes on where a run that was killed was.
    pub(crate) fn resume(work: &Path, step: &Step) -> Result<Self, Error> {
        Ok(Exceptions { csv: Csv::resume(work, begun(step, EXCEPTIONS)?)?, count: step.exceptions })
    }

    /// What the journal says of it.
    pub(crate) fn note(&mut self, step: &mut Step) -> Result<(), Error> {
        step.exceptions = self.count;
        step.growing.push(self.csv.so_far()?);
        Ok(())
    }

    fn push(&mut self, exception: &Exception) -> Result<(), Error> {
        self.count += 1;
        let position = exception.position.as_deref().unwrap_or_default();
        self.csv.row([exception.number.as_str(), position, exception.what.as_str()])
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
        Ok((self.count, self.csv.finish()?))
    }
}

/// Which record is in which document, in the order of the documents.
pub(crate) struct CrossReference(Csv);

impl CrossReference {
    pub(crate) fn begin(work: &Path) -> Result<Self, Error> {
        Ok(CrossReference(Csv::begin(work, CROSS_REFERENCE, ["number", "position", "leaf_hash"])?))
    }

    /// Goes on where a run that was killed was.
    pub(crate) fn resume(work: &Path, step: &Step) -> Result<Self, Error> {
        Ok(CrossReference(Csv::resume(work, begun(step, CROSS_REFERENCE)?)?))
    }

    /// What the journal says of it.
    pub(crate) fn note(&mut self, step: &mut Step) -> Result<(), Error> {
        step.growing.push(self.0.so_far()?);
        Ok(())
    }

    pub(crate) fn push(&mut self, number: &str, shown: &Shown) -> Result<(), Error> {
        self.0.row([number, &shown.position.to_string(), &shown.leaf.to_string()])
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
