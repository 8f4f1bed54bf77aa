//! Writing a production.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody_archive::{Archive, at_once};
use custody_schemas::Hash;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::custodians::Custodians;
use crate::cutting::{self, Cut, day_number};
use crate::document::{About, Attachment, Document};
use crate::error::Error;
use crate::evidence::{Collected, Evidence};
use crate::files::Files;
use crate::folder::Folder;
use crate::format::pdf::Pdf;
use crate::format::{Format, Rendered, Table};
use crate::formats::{self, Writer};
use crate::item::{Item, Shown, with_items};
use crate::journal::{Head, Journal, Step};
use crate::key::PrivateKey;
use crate::lists::{CrossReference, Exceptions};
use crate::note::sign;
use crate::output::{OutFile, Volumes, listed};
use crate::plan::{self, Hit, Run};
use crate::receipt::{FileEntry, RECEIPT_VERSION, RECORDS_BEGIN, RECORDS_END, Receipt, Redacted};
use crate::receipt_page::{self, Beside};
use crate::redact::{Redaction, Rules, apply};
use crate::request::{Options, Request, production_id};
use crate::settings::{FILES_MAX, RENDERED_AT_ONCE, RENDERED_BYTES, ROWS_PER_FETCH};
use crate::spill::{Key, Sorted, Spill};
use crate::thread::thread_of;
use crate::{HOW_TO, SIGNATURE, VERIFY_PY};

const VERIFY_PY_TEXT: &str = include_str!("verify.py");
const HOW_TO_TEXT: &str = include_str!("how_to_verify.txt");

/// What is being done, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Records read and proven, of so many.
    Reading(u64, u64),
    /// Records written in their format, of so many.
    Writing(u64, u64),
}

/// What a production is made of.
pub struct Production<'a> {
    /// Where the records are.
    pub archive: &'a Archive,
    /// What was asked for.
    pub request: &'a Request,
    /// The archive's version that the hits are complete through.
    pub through_version: u64,
    /// Threads that render documents; the bytes do not depend on it.
    pub threads: NonZeroUsize,
    /// A folder with the files that records refer to, each under its SHA-256 in hexadecimal or under
    /// its reference.
    pub files: Option<&'a Path>,
    /// Who custodians are: the register that the request's options name.
    pub custodians: Option<Arc<dyn Custodians>>,
    /// A folder with the fonts that the request names.
    pub fonts: Option<&'a Path>,
    /// What signs the receipt.
    pub key: Option<&'a PrivateKey>,
}

impl Production<'_> {
    /// Writes the records of `hits` into the folder `out` and gives the receipt.
    ///
    /// `out` is made; one that exists must be empty or the rest of a killed run, which goes
    /// on where it was with documents, and is begun anew with what is one file.
    /// `hits` may come in any order and name a record twice. Each record is re-hashed when it is read:
    /// one that is not what was archived ends the production with an error, and the folder stays
    /// without a receipt.
    pub fn write(
        &self,
        hits: Vec<Hit>,
        out: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Receipt, Error> {
        let options = self.request.check()?;
        if options.custodians.is_some() != self.custodians.is_some() {
            return Err(Error::invalid(
                "custodians are named by a register that the request tells, or by none",
            ));
        }
        let zone = zone(&self.request.zone)?;
        let pdf = Pdf::new(self.fonts, &options.fonts)?;
        let writer = formats::of(self.request.format, &pdf);
        let is_evidence = matches!(writer, Writer::Evidence);
        let attached = Files::new(self.files)?;
        let runs = plan::runs(hits)?;
        let folder = Folder::begin(out)?;
        let work = folder.work();
        let mut files = vec![
            whole(&work, HOW_TO, HOW_TO_TEXT.as_bytes())?,
            whole(&work, VERIFY_PY, VERIFY_PY_TEXT.as_bytes())?,
        ];
        let mut pass = Pass {
            evidence: Evidence::begin(&work, is_evidence || options.with_records)?,
            spill: (!is_evidence).then(|| Spill::new(&work)),
            zone: &zone,
            rules: Rules::new(&options.redactions)?,
        };
        self.read(&runs, &mut pass, progress)?;
        let mut collected = pass.evidence.finish(self.archive)?;
        let production = self.id(&collected)?;
        files.extend(collected.records.take());
        let mut exceptions = 0;
        if let Some(spill) = pass.spill {
            let about = self.about(production.clone(), zone.clone());
            let head = Head { production: production.clone(), attached: attached.listed()? };
            let mut writing = Writing::begin(&folder, writer, options, &head)?;
            (writing.total, writing.attached) = (collected.count, attached);
            let written = writing.all(&spill.sorted()?, (&about, self.threads), progress)?;
            exceptions = written.exceptions;
            files.extend(written.files);
        }
        folder.forget_earlier()?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let receipt = self.receipt(production, &folder, collected, files, exceptions)?;
        folder.publish()?;
        tracing::info!(
            production = receipt.production,
            records = receipt.count,
            files = receipt.files.len(),
            through_version = receipt.through_version,
            folder = %out.display(),
            "production written"
        );
        Ok(receipt)
    }

    /// Fetches every record, in order of position.
    fn read(
        &self,
        runs: &[Run],
        pass: &mut Pass<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let total = runs.iter().map(|run| run.rows.len() as u64).sum();
        for run in runs {
            for chunk in run.rows.chunks(ROWS_PER_FETCH) {
                let rows: Vec<u64> = chunk.iter().map(|row| row.row).collect();
                let records = self.archive.fetch(&run.file, &rows)?;
                for (record, row) in records.into_iter().zip(chunk) {
                    pass.push(Shown::whole(record, row.deliveries, row.is_context), run, row.row)?;
                }
                progress(Progress::Reading(pass.evidence.len(), total));
            }
        }
        Ok(())
    }

    fn id(&self, collected: &Collected) -> Result<String, Error> {
        production_id(self.request, self.through_version, env!("CARGO_PKG_VERSION"), collected.digest)
    }

    fn about(&self, production: String, zone: TimeZone) -> About {
        let options = self.request.options.as_ref().and_then(|options| options.custodians.as_ref());
        let first = options.map(|custodians| custodians.first.clone()).unwrap_or_default();
        About {
            production,
            who: self.request.who.clone(),
            why: self.request.why.clone(),
            zone,
            zone_name: self.request.zone.clone(),
            through_version: self.through_version,
            custody_version: env!("CARGO_PKG_VERSION").to_owned(),
            custodians: self.custodians.clone().map(|by| (by, first)),
        }
    }

    fn receipt(
        &self,
        production: String,
        folder: &Folder,
        collected: Collected,
        files: Vec<FileEntry>,
        exceptions: u64,
    ) -> Result<Receipt, Error> {
        let Collected {
            count,
            deliveries,
            context,
            types,
            redactions,
            digest,
            batches,
            produced,
            entries,
            ..
        } = collected;
        let rules = self.request.options.iter().flat_map(|options| &options.redactions);
        let redacted = |rule: &Redaction| {
            let count = redactions.get(&rule.name).copied().unwrap_or(0);
            (rule.name.clone(), Redacted { count, reason: rule.reason.clone() })
        };
        let mut receipt = Receipt {
            format_version: RECEIPT_VERSION,
            production,
            custody_version: env!("CARGO_PKG_VERSION").to_owned(),
            request: self.request.clone(),
            through_version: self.through_version,
            count,
            deliveries,
            types,
            exceptions: Some(exceptions),
            redactions: Some(rules.map(redacted).collect()),
            digest,
            files,
            batches,
        };
        let beside = Beside { produced: &produced, context, key: self.key.map(PrivateKey::public) };
        receipt_page::add(&mut receipt, &folder.work(), &beside)?;
        let mut file = folder.receipt()?;
        file.put(receipt.head()?.as_bytes())?;
        file.put(RECORDS_BEGIN.as_bytes())?;
        entries.copy(&mut file)?;
        file.put(RECORDS_END.as_bytes())?;
        let FileEntry { sha256, .. } = file.finish()?;
        if let Some(key) = self.key {
            let note = sign(&signed_text(&receipt.production, sha256), &[key])?;
            whole(&folder.work(), SIGNATURE, note.as_bytes())?;
        }
        Ok(receipt)
    }
}

/// What a signature of a production is of.
pub(crate) fn signed_text(production: &str, receipt: Hash) -> String {
    format!("custody.production/v2\n{production}\n{}\n", STANDARD.encode(receipt.0))
}

fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|_| Error::invalid(format!("time zone {name:?} is not known")))
}

fn whole(work: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, Error> {
    let mut file = OutFile::create(work, name)?;
    file.put(bytes)?;
    file.finish()
}

/// Where the records of the first pass go.
struct Pass<'z> {
    evidence: Evidence,
    /// For formats of documents.
    spill: Option<Spill>,
    zone: &'z TimeZone,
    rules: Rules,
}

impl Pass<'_> {
    fn push(&mut self, mut shown: Shown, run: &Run, row: u64) -> Result<(), Error> {
        // Before anything looks at it: what is taken out here, no format can show.
        let redacted = apply(&self.rules, &mut shown);
        let one = std::slice::from_ref(&shown);
        let described = with_items(one, |items| {
            let item = items.first()?;
            Some((item.kind.clone(), self.spill.is_some().then(|| key(item, self.zone))))
        });
        let (kind, key) = described.ok_or_else(|| Error::corrupt("a record that is none"))?;
        self.evidence.push(&shown, &kind, (&run.file, row), redacted)?;
        match (&mut self.spill, key) {
            (Some(spill), Some(key)) => spill.push(key, &shown),
            _ => Ok(()),
        }
    }
}

fn key(item: &Item<'_>, zone: &TimeZone) -> Key {
    let at_us = item.at_us();
    let day = Timestamp::from_microsecond(at_us).map(|at| at.to_zoned(zone.clone()).date());
    let day = day.map_or(if at_us < 0 { i32::MIN } else { i32::MAX }, day_number);
    Key { thread: thread_of(item).key, day, at_us, position: item.shown.position.clone() }
}

/// Where documents go.
enum Sink<'f> {
    Volumes(&'f dyn Format, Volumes<'f>, Journal),
    Table(Box<dyn Table>),
}

/// The second pass: documents, in order.
struct Writing<'w> {
    work: PathBuf,
    sink: Sink<'w>,
    options: &'w Options,
    exceptions: Exceptions,
    cross_reference: CrossReference,
    /// Numbers given.
    numbered: u64,
    attached: Files,
    /// Documents written, and their records.
    documents: u64,
    done: u64,
    total: u64,
}

/// A document that waits to be rendered.
struct Job {
    number: String,
    cut: Cut,
    attachments: Vec<Attachment>,
}

struct Written {
    files: Vec<FileEntry>,
    exceptions: u64,
}

impl<'w> Writing<'w> {
    /// Begins, or goes on with what a run that was killed wrote of the same production.
    fn begin(folder: &Folder, writer: Writer<'w>, options: &'w Options, head: &Head) -> Result<Self, Error> {
        let work = folder.work();
        let limit = options.volume.clone();
        let (sink, step) = match writer {
            Writer::Evidence => return Err(Error::invalid("this format has no documents")),
            Writer::Table(_) if limit.is_some() => {
                return Err(Error::invalid("this format is one table: it cannot be cut into volumes"));
            }
            Writer::Table(begin) => (Sink::Table(begin(&work)?), None),
            Writer::Documents(format) => {
                let (journal, taken) = Journal::begin(&work, folder.earlier().as_deref(), head)?;
                let volumes = match &taken {
                    Some(taken) => Volumes::resume(&work, format, limit, taken)?,
                    None => Volumes::begin(&work, format, limit)?,
                };
                (Sink::Volumes(format, volumes, journal), taken.map(|taken| taken.step))
            }
        };
        let (exceptions, cross_reference) = match &step {
            Some(step) => (Exceptions::resume(&work, step)?, CrossReference::resume(&work, step)?),
            None => (Exceptions::begin(&work)?, CrossReference::begin(&work)?),
        };
        let Step { documents, records, numbered, .. } = step.unwrap_or_default();
        folder.forget_earlier()?;
        Ok(Writing {
            work,
            sink,
            options,
            exceptions,
            cross_reference,
            numbered,
            attached: Files::default(),
            documents,
            done: records,
            total: 0,
        })
    }

    fn all(
        mut self,
        sorted: &Sorted,
        with: (&About, NonZeroUsize),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Written, Error> {
        let parts = cutting::parts(sorted)?;
        let (mut jobs, mut bytes, mut there) = (Vec::new(), 0, self.documents);
        cutting::documents(sorted, &parts, |cut| {
            if there > 0 {
                there -= 1;
                return Ok(());
            }
            bytes += cut.bytes;
            jobs.push(self.job(cut)?);
            if jobs.len() < RENDERED_AT_ONCE && bytes < RENDERED_BYTES {
                return Ok(());
            }
            bytes = 0;
            self.some(std::mem::take(&mut jobs), with, progress)
        })?;
        self.some(jobs, with, progress)?;
        let (exceptions, entry) = self.exceptions.finish()?;
        let mut files = match self.sink {
            Sink::Volumes(_, volumes, _) => volumes.finish()?,
            Sink::Table(table) => {
                table.finish()?.iter().map(|path| listed(&self.work, path)).collect::<Result<_, _>>()?
            }
        };
        files.extend([entry, self.cross_reference.finish()?]);
        Ok(Written { files, exceptions })
    }

    /// A document and its attachments, numbered.
    fn job(&mut self, cut: Cut) -> Result<Job, Error> {
        let mut next = || {
            self.numbered += 1;
            self.options.numbering.number(self.numbered - 1)
        };
        let number = next();
        let attachments = with_items(&cut.shown, |items| self.attached.attachments(items, &mut next))?;
        match self.numbered {
            0..=FILES_MAX => Ok(Job { number, cut, attachments }),
            _ => Err(Error::invalid(format!(
                "a production may hold {FILES_MAX} documents and attachments: ask for less at once"
            ))),
        }
    }

    /// Writes some documents, in their order.
    fn some(
        &mut self,
        jobs: Vec<Job>,
        (about, threads): (&About, NonZeroUsize),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        match &mut self.sink {
            Sink::Volumes(format, volumes, _) => {
                for (job, mut document) in rendered(&jobs, about, *format, threads)? {
                    let told = std::mem::take(&mut document.exceptions);
                    self.exceptions.of_document(&job.attachments, &told)?;
                    volumes.write(document)?;
                }
            }
            Sink::Table(table) => {
                for job in &jobs {
                    let told = with_document(job, about, |document| table.push(document))?;
                    self.exceptions.of_document(&job.attachments, &told)?;
                }
            }
        }
        for Job { number, cut, attachments } in &jobs {
            cut.shown.iter().try_for_each(|shown| self.cross_reference.push(number, shown))?;
            attachments
                .iter()
                .try_for_each(|file| self.cross_reference.push(&file.number, &cut.shown[file.item]))?;
            self.documents += 1;
            self.done += cut.shown.len() as u64;
        }
        if let Sink::Volumes(_, volumes, journal) = &mut self.sink {
            let (documents, records, numbered) = (self.documents, self.done, self.numbered);
            let mut step = Step { documents, records, numbered, ..Step::default() };
            volumes.note(&mut step)?;
            self.exceptions.note(&mut step)?;
            self.cross_reference.note(&mut step)?;
            journal.push(&step)?;
        }
        progress(Progress::Writing(self.done, self.total));
        Ok(())
    }
}

/// Documents rendered by several threads, in their order.
fn rendered<'j>(
    jobs: &'j [Job],
    about: &About,
    format: &dyn Format,
    threads: NonZeroUsize,
) -> Result<impl Iterator<Item = (&'j Job, Rendered)>, Error> {
    let waiting = Mutex::new(jobs.iter().enumerate());
    let next = || {
        let (at, job) = waiting.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        let rendered = with_document(job, about, |document| format.render(document));
        Some(rendered.map(|rendered| (at, rendered)))
    };
    let mut all: Vec<Option<Rendered>> = jobs.iter().map(|_| None).collect();
    at_once(threads, next, |(at, document)| all[at] = Some(document))?;
    Ok(jobs.iter().zip(all.into_iter().flatten()))
}

fn with_document<R>(
    job: &Job,
    about: &About,
    then: impl FnOnce(&Document<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    with_items(&job.cut.shown, |items| {
        // The last title is what people knew the conversation by in the end.
        let titled = items.iter().rev().map(thread_of).find(|thread| thread.title.is_some());
        let Some(thread) = titled.or_else(|| items.last().map(thread_of)) else {
            return Err(Error::corrupt("a document without a record"));
        };
        let Cut { day, part, parts, .. } = job.cut;
        let mut document = Document::new(job.number.clone(), about, &thread, day, (part, parts), items);
        document.attachments.clone_from(&job.attachments);
        then(&document)
    })
}
