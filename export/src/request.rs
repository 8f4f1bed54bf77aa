//! What was asked for, by whom and why.

use std::collections::BTreeSet;

use custody_schemas::{Hash, Position};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::redact::Redaction;
use crate::settings::{NUMBER_PREFIX_MAX, NUMBER_WIDTH_MAX, REQUEST_TEXT_BYTES_MAX};

/// The format version of requests that this code writes. Version 1 has no options.
pub const REQUEST_VERSION: u32 = 2;

/// The form that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// A page for people, one a document.
    Html,
    /// The same for paper.
    Pdf,
    /// A mail (RFC 5322) a document.
    Eml,
    /// The same mails in one mailbox.
    Mbox,
    /// A row a record, for spreadsheets.
    Csv,
    /// A row a call: call detail records.
    Calls,
    /// Concordance load file with natives and texts.
    Dat,
    /// EDRM XML 1.2 load file with natives and texts.
    EdrmXml,
    /// RSMF 2.0, a file a document.
    Rsmf,
    /// A vCon of the IETF a document.
    Vcon,
    /// The compliance XML of Lync's Persistent Chat, a file a document.
    ChatXml,
    /// A row a record, as a workbook.
    Xlsx,
    /// A row a record, for engines.
    Parquet,
}

impl Format {
    /// Every form.
    pub const ALL: &'static [Format] = &[
        Format::JsonLines,
        Format::Html,
        Format::Pdf,
        Format::Eml,
        Format::Mbox,
        Format::Csv,
        Format::Calls,
        Format::Dat,
        Format::EdrmXml,
        Format::Rsmf,
        Format::Vcon,
        Format::ChatXml,
        Format::Xlsx,
        Format::Parquet,
    ];

    /// Its name on a command line, and what it is.
    pub const fn about(self) -> (&'static str, &'static str) {
        match self {
            Format::JsonLines => {
                ("jsonl", "one record a line with the bytes that were archived: the evidence itself")
            }
            Format::Html => ("html", "a page for people, one for each conversation and day"),
            Format::Pdf => ("pdf", "the same page as PDF, to read and to print"),
            Format::Eml => ("eml", "a mail for each conversation and day"),
            Format::Mbox => ("mbox", "the same mails in one mailbox"),
            Format::Csv => ("csv", "a row a record, for spreadsheets"),
            Format::Calls => ("calls", "call detail records: a row a call"),
            Format::Dat => ("dat", "Concordance load file with natives and texts"),
            Format::EdrmXml => ("edrm", "EDRM XML 1.2 load file with natives and texts"),
            Format::Rsmf => ("rsmf", "RSMF 2.0 for review tools, a file for each conversation and day"),
            Format::Vcon => ("vcon", "vCon of the IETF, a file for each conversation and day"),
            Format::ChatXml => {
                ("chat-xml", "compliance XML of Lync's Persistent Chat, a file for each of them")
            }
            Format::Xlsx => ("xlsx", "a row a record, as a workbook"),
            Format::Parquet => ("parquet", "a row a record, for engines"),
        }
    }
}

/// How a production is made, beside what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The numbers of documents and attachments.
    pub numbering: Numbering,
    /// When a volume is full; one volume without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeLimit>,
    /// `records.jsonl`, the records with the bytes that their hashes cover, stands beside another format.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_records: bool,
    /// What is taken out of the records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
    /// What is produced beside the hits; nothing without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// The records that were named one by one, in place of a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Selection>,
    /// What custodians are named by; nothing without a register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custodians: Option<CustodianOptions>,
    /// Fonts for what the built-in ones lack, in the order in which they are tried: a PDF's bytes depend on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fonts: Vec<FontFile>,
}

/// Which register of people custodians are named by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianOptions {
    /// Its number.
    pub register: u64,
    /// SHA-256 in hexadecimal of what it was made from.
    pub source_sha256: String,
    /// Those who were asked for stand before others in a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
}

/// What stands around hits in their conversations, and is produced with them as context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// So many events before each hit and as many after it.
    Events(u32),
    /// So many milliseconds before each hit and after it.
    Milliseconds(i64),
    /// The days of the request's zone that hits are on.
    Day,
    /// All of the conversation.
    Conversation,
}

/// Records that were named one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// How many were named, each counted once.
    pub count: u64,
    /// SHA-256 of their positions in order, each with a line feed behind it.
    pub sha256: Hash,
}

impl Selection {
    /// Of positions in any order; what is named twice counts once.
    pub fn of<'p>(positions: impl IntoIterator<Item = &'p Position>) -> Self {
        let positions: BTreeSet<&Position> = positions.into_iter().collect();
        let mut hasher = Sha256::new();
        positions.iter().for_each(|position| hasher.update(format!("{position}\n")));
        Selection { count: positions.len() as u64, sha256: Hash(hasher.finalize().into()) }
    }
}
/// A file with fonts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FontFile {
    /// Its name, without its folder.
    pub name: String,
    /// Of its bytes.
    pub sha256: Hash,
}

/// Numbers such as `CUST00000001`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbering {
    /// What each begins with: letters, digits, `-`, `_`, `.`; safe in a file's name.
    pub prefix: String,
    /// Digits at least.
    pub width: u32,
    /// The first.
    pub start: u64,
}

impl Default for Numbering {
    fn default() -> Self {
        Numbering { prefix: "CUST".to_owned(), width: 8, start: 1 }
    }
}

impl Numbering {
    /// The n-th number, counted from 0.
    pub(crate) fn number(&self, n: u64) -> String {
        let width = usize::try_from(self.width).unwrap_or(usize::MAX).min(NUMBER_WIDTH_MAX);
        format!("{}{:0width$}", self.prefix, self.start.saturating_add(n))
    }

    fn check(&self) -> Result<(), Error> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.prefix.len() > NUMBER_PREFIX_MAX
            || !self.prefix.chars().all(safe)
            || self.prefix.starts_with('.')
        {
            return Err(Error::invalid(format!(
                "the prefix of numbers {:?} may have at most {NUMBER_PREFIX_MAX} of the characters A-Z a-z 0-9 - _ . \
                 and must not begin with a dot",
                self.prefix
            )));
        }
        if !(1..=NUMBER_WIDTH_MAX).contains(&usize::try_from(self.width).unwrap_or(usize::MAX)) {
            return Err(Error::invalid(format!(
                "numbers have 1 to {NUMBER_WIDTH_MAX} digits, not {}",
                self.width
            )));
        }
        Ok(())
    }
}

/// How large a volume may grow. A document is never cut by it: one that is larger is a volume alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeLimit {
    /// Bytes of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Documents in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
}

/// A request for a production. It goes into the receipt as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Format version of this request.
    pub version: u32,
    /// The query as it was typed.
    pub query: String,
    /// The query as it was understood: every default and every date written out.
    pub query_canonical: String,
    /// The time zone that the query's dates are in, an IANA name.
    pub zone: String,
    /// Who asked.
    pub who: String,
    /// Why: a matter, a case, an order.
    pub why: String,
    /// The form of the records.
    pub format: Format,
    /// How it is made; absent in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,
}

impl Request {
    /// Refuses what no receipt should hold.
    pub(crate) fn check(&self) -> Result<&Options, Error> {
        if self.version != REQUEST_VERSION {
            return Err(Error::invalid(format!("request version {} is not known", self.version)));
        }
        let options = self.options.as_ref().ok_or_else(|| Error::invalid("the request has no options"))?;
        options.numbering.check()?;
        if !options.fonts.is_empty() && self.format != Format::Pdf {
            return Err(Error::invalid("fonts are for the format pdf: no other has any"));
        }
        let is_one_file = matches!(self.format, Format::JsonLines | Format::Xlsx | Format::Parquet);
        if options.volume.is_some() && is_one_file {
            return Err(Error::invalid("this format is one table: it cannot be cut into volumes"));
        }
        let texts = [
            ("query", &self.query),
            ("query_canonical", &self.query_canonical),
            ("zone", &self.zone),
            ("who", &self.who),
            ("why", &self.why),
        ];
        match texts.into_iter().find(|(_, text)| text.len() > REQUEST_TEXT_BYTES_MAX) {
            Some((name, text)) => Err(Error::invalid(format!(
                "the request's {name} has {} bytes; at most {REQUEST_TEXT_BYTES_MAX} are accepted",
                text.len()
            ))),
            None => Ok(options),
        }
    }
}

/// The id of a production, made from all that decides its bytes: 32 hexadecimal
/// digits, the first half of
/// `SHA-256("custody.production.v1" || 0x00 || request as JSON || 0x00 ||
/// through_version in decimal || 0x00 || custody_version || 0x00 || digest of the
/// records in hexadecimal)`.
pub(crate) fn production_id(
    request: &Request,
    through_version: u64,
    custody_version: &str,
    digest: Hash,
) -> Result<String, Error> {
    let json = serde_json::to_string(request).map_err(|e| Error::json("a request", e))?;
    let mut hasher = Sha256::new();
    hasher.update(b"custody.production.v1");
    for part in [json.as_str(), &through_version.to_string(), custody_version, &digest.to_string()] {
        hasher.update([0]);
        hasher.update(part);
    }
    let mut id = Hash(hasher.finalize().into()).to_string();
    id.truncate(32);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest form: it must be read for ever.
    const GOLDEN_V1: &str = r#"{"version":1,"query":"merger","query_canonical":"text:merger","zone":"Europe/Berlin","who":"dana@contoso.example","why":"case 7","format":"json_lines"}"#;

    const GOLDEN_V2: &str = r#"{"version":2,"query":"merger","query_canonical":"text:merger","zone":"Europe/Berlin","who":"dana@contoso.example","why":"case 7","format":"json_lines","options":{"numbering":{"prefix":"ABC","width":6,"start":1},"volume":{"documents":100},"with_records":true}}"#;

    #[test]
    fn numbers_are_as_wide_as_asked_and_wider_when_they_must() {
        let numbering = Numbering { prefix: "A-".into(), width: 3, start: 998 };
        assert_eq!([0, 1, 2].map(|n| numbering.number(n)), ["A-998", "A-999", "A-1000"]);
    }

    #[test]
    fn a_selection_is_the_same_in_any_order() {
        let at = |offset: i64| -> Position { format!("chat:1:0:{offset}").parse().unwrap() };
        let (nine, ten) = (at(9), at(10));
        let selection = Selection::of([&ten, &nine, &ten]);
        assert_eq!(selection, Selection { count: 2, sha256: Hash::of(b"chat:1:0:9\nchat:1:0:10\n") });
    }

    #[test]
    fn golden_v1() {
        let request: Request = serde_json::from_str(GOLDEN_V1).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), GOLDEN_V1);
        let digest = Hash([1; 32]);
        let id = production_id(&request, 7, "0.1.0", digest).unwrap();
        assert_eq!(id, GOLDEN_ID);
        let others = [
            production_id(&request, 8, "0.1.0", digest),
            production_id(&request, 7, "0.1.1", digest),
            production_id(&request, 7, "0.1.0", Hash([2; 32])),
            production_id(&Request { why: "case 8".into(), ..request.clone() }, 7, "0.1.0", digest),
        ];
        others.into_iter().for_each(|other| assert_ne!(other.unwrap(), id));
    }

    const GOLDEN_ID: &str = "58df1cfae6049e17c320e2ba77e1f4ce";

    #[test]
    fn what_no_receipt_should_hold_is_refused() {
        let old: Request = serde_json::from_str(GOLDEN_V1).unwrap();
        let good: Request = serde_json::from_str(GOLDEN_V2).unwrap();
        assert_eq!(serde_json::to_string(&good).unwrap(), GOLDEN_V2);
        let in_volumes = good.clone();
        let good = Request { format: Format::Dat, ..good };
        assert!(good.check().is_ok());
        let long = "x".repeat(REQUEST_TEXT_BYTES_MAX + 1);
        let numbered = |prefix: &str, width| {
            let numbering = Numbering { prefix: prefix.into(), width, start: 1 };
            Request { options: Some(Options { numbering, ..Options::default() }), ..good.clone() }
        };
        let mut fonts_without_pdf = numbered("A", 8);
        fonts_without_pdf.options.as_mut().unwrap().fonts =
            vec![FontFile { name: "a.ttf".into(), sha256: Hash([1; 32]) }];
        let with_pdf = Request { format: Format::Pdf, ..fonts_without_pdf.clone() };
        assert!(with_pdf.check().is_ok());
        for (bad, expected) in [
            (old, "request version 1"),
            (Request { version: 3, ..good.clone() }, "request version 3"),
            (numbered("../x", 8), "the prefix of numbers"),
            (numbered("A", 0), "numbers have 1 to"),
            (Request { why: long, ..good.clone() }, "the request's why has 65537 bytes"),
            (fonts_without_pdf, "fonts are for the format pdf"),
            (in_volumes.clone(), "cannot be cut into volumes"),
            (Request { format: Format::Xlsx, ..in_volumes }, "cannot be cut into volumes"),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
