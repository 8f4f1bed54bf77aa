//! A transcript as PDF: the same as the HTML page, for paper and for files.
//!
//! Text is text, in the order in which it is read, and tagged; the fonts are in the file. What people wrote
//! stays on its line: what nobody would see is shown, and what no font can show is written as its number.

mod draw;
mod face;
mod folder;
mod ink;
mod lines;
mod page;
mod pixels;
mod record;
mod shape;
mod sheet;
mod tags;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use krilla::SerializeSettings;
use krilla::configure::{Archival, Configuration, ConfigurationBuilder};
use krilla::error::KrillaError;
use krilla::metadata::{DateTime, Metadata};

use crate::document::{Content, Document};
use crate::error::{Error, Kind};
use crate::format::html::file_path;
use crate::format::transcript::Transcript;
use crate::format::visible::line;
use crate::format::{Body, Exception, Format, NewFile, Rendered};
use crate::request::FontFile;
use crate::settings::{PDF_MISSING_MAX, PDF_TITLE_CHARS_MAX};

use draw::Drawing;
use face::{Fonts, Given};
use folder::Folder;
pub use folder::font_files;
use shape::{Memory, Type};
use sheet::Sheets;

/// `pdf/NUMBER.pdf`, with its attachments in `pdf/NUMBER/`.
#[derive(Default)]
pub(crate) struct Pdf {
    given: Given,
    /// What threads shaped before.
    memories: Mutex<Vec<Memory>>,
}

impl Pdf {
    /// With the fonts of a folder, if there is one; they must be those that were asked for.
    pub(crate) fn new(folder: Option<&Path>, asked: &[FontFile]) -> Result<Self, Error> {
        let Some(folder) = folder else {
            return match asked {
                [] => Ok(Pdf::default()),
                [first, ..] => Err(Error::invalid(format!(
                    "the request names fonts, such as {:?}: give the folder that has them",
                    first.name
                ))),
            };
        };
        let Folder { files, faces } = Folder::read(folder)?;
        if files != asked {
            return Err(Error::invalid(format!(
                "the fonts in {} are not those that the request names",
                folder.display()
            )));
        }
        Ok(Pdf { given: Given::new(faces), ..Pdf::default() })
    }

    /// The file of a document, as the first of some forms that it can have.
    fn file(&self, document: &Document<'_>, forms: &[Configuration]) -> Result<File, Error> {
        let fonts =
            Fonts::new(&self.given).ok_or_else(|| Error::corrupt("a built-in font cannot be read"))?;
        let memory = self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut ty = Type::new(fonts, memory.unwrap_or_default());
        let transcript = Transcript::new(document);
        let margins = page::margins(&mut ty, document);
        let mut sheets = Sheets::counting(&margins);
        page::write(&mut sheets, &mut ty, document, &transcript);
        let (pages, _) = sheets.finish(&mut ty);
        let mut failed = None;
        for form in forms {
            let settings = SerializeSettings { configuration: *form, ..SerializeSettings::default() };
            let mut sheets = Sheets::drawing(&margins, pages, Drawing::new(metadata(document), settings));
            page::write(&mut sheets, &mut ty, document, &transcript);
            let Some(drawing) = sheets.finish(&mut ty).1 else { break };
            match drawing.finish() {
                Ok(bytes) => {
                    let Type { memory, missing, .. } = ty;
                    self.memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
                    return Ok(File { bytes, missing, not_as_asked: failed });
                }
                Err(error) => failed = Some(why(&error)),
            }
        }
        let what = format!("cannot write {} as PDF", document.number);
        Err(Error::with(Kind::Invalid, what, failed.unwrap_or_default()))
    }
}

/// What a document became.
struct File {
    bytes: Vec<u8>,
    /// Characters that no font has.
    missing: BTreeSet<char>,
    /// Why it is not of the first form.
    not_as_asked: Option<String>,
}

/// The form for archives, in which it will look the same for ever, and the form without promises.
fn forms() -> Result<[Configuration; 2], Error> {
    let archive = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U).finish();
    let archive = archive.map_err(|_| Error::corrupt("PDF/A-2u is not known"))?;
    Ok([archive, Configuration::default()])
}

fn why(error: &KrillaError) -> String {
    match error {
        KrillaError::Validation(errors) => {
            errors.first().map_or_else(String::new, |(error, _)| format!("{error:?}"))
        }
        other => other.to_string(),
    }
}

/// What the file says of itself. An archive wants a date of it: it is the document's day, and of no clock.
fn metadata(document: &Document<'_>) -> Metadata {
    let title: String = document.title().chars().take(PDF_TITLE_CHARS_MAX).collect();
    let number = |n: i8| u8::try_from(n).unwrap_or_default();
    let day = DateTime::new(u16::try_from(document.day.year()).unwrap_or_default());
    let day = day.month(number(document.day.month())).day(number(document.day.day())).utc_offset_hour(0);
    Metadata::new()
        .title(line(&format!("{} {title}", document.number)))
        .creation_date(day)
        .language("en".to_owned())
        .creator(format!("Custody {}", document.about.custody_version))
}

impl Format for Pdf {
    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let number = &document.number;
        let File { bytes, missing, not_as_asked } = self.file(document, &forms()?)?;
        let mut rendered = Rendered::file(format!("pdf/{number}.pdf"), bytes);
        for attachment in &document.attachments {
            match &attachment.content {
                Content::Here { path, .. } => rendered.files.push(NewFile {
                    path: format!("pdf/{}", file_path(number, &attachment.number, &attachment.name)),
                    body: Body::Copy(path.clone()),
                }),
                Content::Missing(why) => rendered.exceptions.push(Exception {
                    number: attachment.number.clone(),
                    position: document.items.get(attachment.item).map(|i| i.shown.position.to_string()),
                    what: format!("the file is not in the PDF transcript: {why}"),
                }),
            }
        }
        let missing = (!missing.is_empty()).then(|| without_font(&missing));
        let form =
            not_as_asked.map(|why| format!("the PDF is not of the form for archives (PDF/A-2u): {why}"));
        for what in missing.into_iter().chain(form) {
            rendered.exceptions.push(Exception { number: number.clone(), position: None, what });
        }
        Ok(rendered)
    }
}

/// What is told of characters that are written by their number.
fn without_font(missing: &BTreeSet<char>) -> String {
    let named: Vec<String> =
        missing.iter().take(PDF_MISSING_MAX).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    let more = match missing.len().saturating_sub(PDF_MISSING_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "no font has {}{more}: they are written by number; --fonts gives a folder with fonts for them",
        named.join(", ")
    )
}
