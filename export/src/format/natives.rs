//! The files that load files refer to: for each document its records and its text, for each
//! attachment its content or what stands for it. A document and its attachments are a family.

use custody_schemas::{Hash, hash::Tree};
use serde::Serialize;

use crate::describe::describe;
use crate::document::{Attachment, Content, Document};
use crate::error::Error;
use crate::format::csv::BOM;
use crate::format::plain_text::{one_line, plain_text};
use crate::format::{Body, Exception, NewFile, Rendered};
use crate::item::Item;
use crate::line;

/// Where natives are.
const NATIVES: &str = "NATIVES";
/// Where texts are.
const TEXT: &str = "TEXT";

/// A file beside a load file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Referred {
    /// Relative to the volume, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// SHA-256; `None` for a content whose hash nobody said.
    pub(crate) sha256: Option<String>,
}

/// A document or an attachment, as load files know it.
#[derive(Debug)]
pub(crate) struct Member<'d> {
    pub(crate) number: &'d str,
    /// `None` for the document itself.
    pub(crate) attachment: Option<&'d Attachment>,
    pub(crate) native: Referred,
    pub(crate) text: Option<Referred>,
}

/// The members of a document's family, itself first; their files and what is missing are added to `rendered`.
pub(crate) fn family<'d>(
    document: &'d Document<'_>,
    rendered: &mut Rendered,
) -> Result<Vec<Member<'d>>, Error> {
    let mut add = |path: String, bytes: Vec<u8>| {
        let sha256 = Some(Hash::of(&bytes).to_string());
        let referred = Referred { path: path.clone(), bytes: bytes.len() as u64, sha256 };
        rendered.files.push(NewFile { path, body: Body::Bytes(bytes) });
        referred
    };
    let native = add(format!("{NATIVES}/{}.json", document.number), records(document)?);
    let text = add(format!("{TEXT}/{}.txt", document.number), lines(&plain_text(document)));
    let mut members = vec![Member { number: &document.number, attachment: None, native, text: Some(text) }];
    for attachment in &document.attachments {
        members.push(of_attachment(document, attachment, rendered));
    }
    Ok(members)
}

fn of_attachment<'d>(
    document: &Document<'_>,
    attachment: &'d Attachment,
    rendered: &mut Rendered,
) -> Member<'d> {
    let number = attachment.number.as_str();
    let (native, text) = match &attachment.content {
        Content::Here { path, bytes } => {
            let to = format!("{NATIVES}/{number}{}", extension(&attachment.name));
            rendered.files.push(NewFile { path: to.clone(), body: Body::Copy(path.clone()) });
            (Referred { path: to, bytes: *bytes, sha256: attachment.sha256.clone() }, None)
        }
        Content::Missing(why) => {
            let bytes = lines(&placeholder(attachment, why));
            let sha256 = Some(Hash::of(&bytes).to_string());
            let mut add = |folder: &str, bytes: Vec<u8>| {
                let path = format!("{folder}/{number}.txt");
                let referred =
                    Referred { path: path.clone(), bytes: bytes.len() as u64, sha256: sha256.clone() };
                rendered.files.push(NewFile { path, body: Body::Bytes(bytes) });
                referred
            };
            let referred = (add(NATIVES, bytes.clone()), Some(add(TEXT, bytes)));
            let position = document.items.get(attachment.item).map(|item| item.shown.position.to_string());
            let what = format!("the file {:?} is not here: {why}", attachment.name);
            rendered.exceptions.push(Exception { number: number.to_owned(), position, what });
            referred
        }
    };
    Member { number, attachment: Some(attachment), native, text }
}

/// `.pdf`: what programs tell kinds of files by, if it is short and plain.
fn extension(name: &str) -> String {
    let plain = |e: &&str| !e.is_empty() && e.len() <= 16 && e.bytes().all(|b| b.is_ascii_alphanumeric());
    match name.rsplit_once('.').map(|(_, extension)| extension).filter(plain) {
        Some(extension) => format!(".{}", extension.to_ascii_lowercase()),
        None => ".bin".to_owned(),
    }
}

fn placeholder(attachment: &Attachment, why: &str) -> String {
    let said = |text: Option<&str>| one_line(text.unwrap_or("(not said)")).into_owned();
    format!(
        "This file is not here: {}\nName: {}\nType: {}\nSHA-256: {}\n",
        one_line(why),
        one_line(&attachment.name),
        said(attachment.media_type.as_deref()),
        said(attachment.sha256.as_deref())
    )
}

/// Text as Windows programs take it: with a byte order mark, and lines ended by CR and LF.
fn lines(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    out.extend_from_slice(BOM.as_bytes());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line.as_bytes()),
        }
    }
    out
}

/// RFC 6962 tree hash of the leaf hashes of a document's records, in their order.
pub(crate) fn leaf_digest(document: &Document<'_>) -> Hash {
    let mut tree = Tree::default();
    document.items.iter().for_each(|item| tree.push(item.shown.leaf));
    tree.root()
}

/// All records as a JSON array, one a line: what a production's record has, and how it is shown here.
fn records(document: &Document<'_>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(1_024 * document.items.len());
    out.extend_from_slice(b"[\n");
    for (n, item) in document.items.iter().enumerate() {
        if n > 0 {
            out.truncate(out.len() - 1);
            out.extend_from_slice(b",\n");
        }
        record(item, &mut out).map_err(|failed| Error::json("a record", failed))?;
    }
    out.extend_from_slice(b"]\n");
    Ok(out)
}

/// How a record is shown here.
#[derive(Serialize)]
struct How {
    deliveries: u64,
    is_context: bool,
    redactions: u32,
    what_happened: String,
}

fn record(item: &Item<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let shown = item.shown;
    let begin = How {
        deliveries: shown.deliveries,
        is_context: shown.is_context,
        redactions: shown.redactions,
        what_happened: describe(item),
    };
    serde_json::to_writer(&mut *out, &begin)?;
    // Both are objects: the second goes on where the first ends.
    out.truncate(out.len() - 1);
    let at = out.len();
    line::write(item, out)?;
    out[at] = b',';
    Ok(())
}
