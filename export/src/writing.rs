//! The second pass: documents, in order.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::cutting::{self, Cut};
use crate::document::{About, Attachment, Document};
use crate::error::Error;
use crate::files::Files;
use crate::folder::Folder;
use crate::format::columns::Rows;
use crate::format::{Exception, Format, Table};
use crate::formats::Writer;
use crate::in_order::in_order;
use crate::item::{Item, Shown, with_items};
use crate::journal::{Head, Journal, Step};
use crate::lists::{CrossReference, Exceptions, references};
use crate::output::{Hashed, Volumes, listed};
use crate::produce::Progress;
use crate::receipt::FileEntry;
use crate::request::Options;
use crate::settings::{FILES_MAX, RENDERED_AHEAD_BYTES, RENDERED_AT_ONCE, RENDERED_BYTES};
use crate::spill::Sorted;
use crate::thread::{thread_of, title_of};

/// Where documents go.
enum Sink<'f> {
    Volumes(&'f dyn Format, Box<Volumes<'f>>, Journal),
    Table(Box<dyn Table>),
}

impl Sink<'_> {
    /// Writes what a document became; what could not be written as it is.
    fn write(&mut self, what: What, shown: &[Shown]) -> Result<Vec<Exception>, Error> {
        match (self, what) {
            (Sink::Volumes(_, volumes, _), What::Files(mut files)) => {
                let told = std::mem::take(&mut files.rendered.exceptions);
                volumes.write(files)?;
                Ok(told)
            }
            (Sink::Table(table), What::Rows(rows)) => table.push(&rows, shown),
            _ => Err(Error::corrupt("a document of another kind than its format")),
        }
    }
}

/// A document that waits to be made.
struct Job {
    /// Its number, counted from 0; those of its attachments follow.
    number: u64,
    cut: Cut,
}

/// Cuts documents, some at a time.
struct Jobs<C> {
    cuts: C,
    /// Numbers given.
    numbered: u64,
}

impl<C: Iterator<Item = Result<Cut, Error>>> Jobs<C> {
    /// Some documents, and the bytes of their records.
    fn next(&mut self) -> Option<Result<(Vec<Job>, u64), Error>> {
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while jobs.len() < RENDERED_AT_ONCE && bytes < RENDERED_BYTES {
            let cut = match self.cuts.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(cut)) => cut,
            };
            bytes += cut.bytes;
            let number = self.numbered;
            self.numbered += 1 + cut.files;
            if self.numbered > FILES_MAX {
                return Some(Err(Error::invalid(format!(
                    "a production may hold {FILES_MAX} documents and attachments: ask for less at once"
                ))));
            }
            jobs.push(Job { number, cut });
        }
        (!jobs.is_empty()).then_some(Ok((jobs, bytes)))
    }
}

/// A document that was made.
struct Made {
    attachments: Vec<Attachment>,
    /// How many records it has.
    records: u64,
    /// What `cross-reference.csv` says of them.
    references: Vec<u8>,
    what: What,
    /// The records themselves, where a table takes them.
    shown: Vec<Shown>,
}

/// What a document became.
enum What {
    Files(Hashed),
    Rows(Rows),
}

/// What documents are made with.
pub(crate) struct Making<'m> {
    pub(crate) options: &'m Options,
    pub(crate) about: &'m About,
    pub(crate) attached: &'m Files,
}

impl Making<'_> {
    /// Makes a document; without a format it is for a table.
    fn made(&self, job: Job, format: Option<&dyn Format>) -> Result<Made, Error> {
        let Job { number: first, mut cut } = job;
        let mut numbers = (first..).map(|n| self.options.numbering.number(n));
        let mut next = || numbers.next().unwrap_or_default();
        let (number, shown) = (next(), cut.unpack()?);
        let (attachments, what) = with_items(&shown, |items| {
            let mut attachments = self.attached.attachments(items, &mut next)?;
            let then = |document: &Document<'_>| match format {
                Some(format) => Ok(What::Files(Hashed::of(format.render(document)?))),
                None => Ok(What::Rows(Rows::of(document))),
            };
            let what = with_document(&number, &cut, self.about, items, &mut attachments, then)?;
            Ok::<_, Error>((attachments, what))
        })?;
        let (records, references) = (shown.len() as u64, references(&number, &shown, &attachments)?);
        let shown = if matches!(what, What::Rows(_)) { shown } else { Vec::new() };
        Ok(Made { attachments, records, references, what, shown })
    }
}

/// Hands on the document of some records, with its attachments.
fn with_document<R>(
    number: &str,
    cut: &Cut,
    about: &About,
    items: &[Item<'_>],
    attachments: &mut Vec<Attachment>,
    then: impl FnOnce(&Document<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    // The last title is what people knew the conversation by in the end.
    let titled = items.iter().rev().find(|item| title_of(item).is_some());
    let Some(thread) = titled.or(items.last()).map(thread_of) else {
        return Err(Error::corrupt("a document without a record"));
    };
    let Cut { day, part, parts, .. } = *cut;
    let mut document = Document::new(number.to_owned(), about, &thread, day, (part, parts), items);
    document.attachments = std::mem::take(attachments);
    let done = then(&document);
    *attachments = document.attachments;
    done
}

/// What the second pass leaves behind.
pub(crate) struct Written {
    pub(crate) files: Vec<FileEntry>,
    pub(crate) exceptions: u64,
}

/// The second pass.
pub(crate) struct Writing<'w> {
    work: PathBuf,
    making: Making<'w>,
    sink: Sink<'w>,
    exceptions: Exceptions,
    cross_reference: CrossReference,
    /// What is written: nothing, or what a run that was killed wrote.
    step: Step,
    total: u64,
}

impl<'w> Writing<'w> {
    /// Begins, or goes on with what a run that was killed wrote of the same production. `total` is how
    /// many records come.
    pub(crate) fn begin(
        folder: &Folder,
        making: Making<'w>,
        writer: Writer<'w>,
        head: &Head,
        total: u64,
    ) -> Result<Self, Error> {
        let (work, limit) = (folder.work(), making.options.volume.clone());
        let (sink, step) = match writer {
            Writer::Evidence => return Err(Error::invalid("this format has no documents")),
            Writer::Table(begin) => (Sink::Table(begin(&work)?), None),
            Writer::Documents(format) => {
                let (journal, taken) = Journal::begin(&work, folder.earlier().as_deref(), head)?;
                let volumes = match &taken {
                    Some(taken) => Volumes::resume(&work, format, limit, taken)?,
                    None => Volumes::begin(&work, format, limit)?,
                };
                (Sink::Volumes(format, Box::new(volumes), journal), taken.map(|taken| taken.step))
            }
        };
        let (exceptions, cross_reference) = match &step {
            Some(step) => (Exceptions::resume(&work, step)?, CrossReference::resume(&work, step)?),
            None => (Exceptions::begin(&work)?, CrossReference::begin(&work)?),
        };
        folder.forget_earlier()?;
        let step = step.unwrap_or_default();
        Ok(Writing { work, making, sink, exceptions, cross_reference, step, total })
    }

    /// Makes every document of the records, by several threads, and writes them in their order.
    pub(crate) fn all(
        self,
        sorted: &Sorted,
        threads: NonZeroUsize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Written, Error> {
        let Writing { work, making, mut sink, mut exceptions, mut cross_reference, mut step, total } = self;
        if step.records > 0 {
            progress(Progress::Writing(step.records, total));
        }
        let parts = cutting::parts(sorted)?;
        let mut there = step.documents;
        let cuts = cutting::documents(sorted, &parts)?.filter(|cut| {
            let is_there = there > 0 && cut.is_ok();
            there -= u64::from(is_there);
            !is_there
        });
        let mut jobs = Jobs { cuts, numbered: step.numbered };
        let format = match &sink {
            Sink::Volumes(format, ..) => Some(*format),
            Sink::Table(_) => None,
        };
        let made = |jobs: Vec<Job>| -> Result<Vec<Made>, Error> {
            jobs.into_iter().map(|job| making.made(job, format)).collect()
        };
        let write = |documents: Vec<Made>| {
            for Made { attachments, records, references, what, shown } in documents {
                let told = sink.write(what, &shown)?;
                exceptions.of_document(&attachments, &told)?;
                cross_reference.append(&references)?;
                step.documents += 1;
                step.records += records;
                step.numbered += 1 + attachments.len() as u64;
            }
            if let Sink::Volumes(_, volumes, journal) = &mut sink {
                step.growing.clear();
                volumes.note(&mut step)?;
                exceptions.note(&mut step)?;
                cross_reference.note(&mut step)?;
                journal.push(&step)?;
            }
            progress(Progress::Writing(step.records, total));
            Ok(())
        };
        in_order(threads, RENDERED_AHEAD_BYTES, || jobs.next(), made, write)?;
        let (exceptions, entry) = exceptions.finish()?;
        let mut files = match sink {
            Sink::Volumes(_, volumes, _) => volumes.finish()?,
            Sink::Table(table) => {
                table.finish()?.iter().map(|path| listed(&work, path)).collect::<Result<_, _>>()?
            }
        };
        files.extend([entry, cross_reference.finish()?]);
        Ok(Written { files, exceptions })
    }
}
