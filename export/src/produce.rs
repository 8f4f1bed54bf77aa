//! Writing a production.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody_archive::Archive;
use custody_schemas::Hash;
use jiff::tz::TimeZone;

use crate::custodians::Custodians;
use crate::document::About;
use crate::error::Error;
use crate::evidence::{Collected, Evidence};
use crate::files::Files;
use crate::folder::Folder;
use crate::format::pdf::Pdf;
use crate::formats::{self, Writer};
use crate::journal::Head;
use crate::key::PrivateKey;
use crate::note::sign;
use crate::output::OutFile;
use crate::plan::{self, Hit};
use crate::reading::Pass;
use crate::receipt::{FileEntry, RECEIPT_VERSION, RECORDS_BEGIN, RECORDS_END, Receipt, Redacted};
use crate::receipt_page::{self, Beside};
use crate::redact::{Redaction, Rules};
use crate::request::{Request, production_id};
use crate::spill::Spill;
use crate::writing::{Making, Writing};
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
    /// Threads that prove and decode records and render documents; the bytes do not depend on it.
    pub threads: NonZeroUsize,
    /// A folder with the files that records refer to, each under its SHA-256 in hexadecimal or under
    /// its reference.
    pub files: Option<&'a Path>,
    /// A folder with the fonts that the request names.
    pub fonts: Option<&'a Path>,
    /// Who custodians are: the register that the request's options name.
    pub custodians: Option<Arc<dyn Custodians>>,
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
        let rules = Rules::new(&options.redactions)?;
        let runs = plan::runs(hits)?;
        // Whatever is wrong with the request is said before there is a folder.
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
            rules,
        };
        pass.read(self.archive, &runs, self.threads, progress)?;
        let mut collected = pass.evidence.finish(self.archive, &runs, self.threads)?;
        let (produced, context) = plan::produced(&runs);
        drop(runs);
        let production = self.id(&collected)?;
        files.extend(collected.records.take());
        let mut exceptions = 0;
        if let Some(spill) = pass.spill {
            let about = self.about(production.clone(), zone.clone());
            let head = Head { production: production.clone(), attached: attached.listed()? };
            let making = Making { options, about: &about, attached: &attached };
            let writing = Writing::begin(&folder, making, writer, &head, collected.count)?;
            let written = writing.all(&spill.sorted()?, self.threads, progress)?;
            exceptions = written.exceptions;
            files.extend(written.files);
        }
        folder.forget_earlier()?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let beside = Beside { produced: &produced, context, key: self.key.map(PrivateKey::public) };
        let receipt = self.receipt(production, &folder, collected, (files, exceptions), &beside)?;
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
        (files, exceptions): (Vec<FileEntry>, u64),
        beside: &Beside<'_>,
    ) -> Result<Receipt, Error> {
        let Collected { count, deliveries, types, redactions, digest, batches, entries, .. } = collected;
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
        receipt_page::add(&mut receipt, &folder.work(), beside)?;
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
