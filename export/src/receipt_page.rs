//! `RECEIPT.html`: what the receipt says, as a page for people.
//!
//! It is made from the receipt before `receipt.json` is written, which lists it like any other file:
//! so every byte of it is proven, and it cannot show its own hash or that of `receipt.json`. It has no
//! list of records, no script, and loads nothing. Tables are cut after some thousand rows, and say so.

mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::error::Error;
use crate::format::html::write::{block, inline, name};
use crate::format::html::{STYLE, style_hash};
use crate::key::PublicKey;
use crate::output::OutFile;
use crate::receipt::Receipt;
use crate::request::{Context, CustodianOptions, Format, Options, Selection, VolumeLimit};
use crate::{CROSS_REFERENCE, EXCEPTIONS, HOW_TO, RECEIPT_PAGE, RECORDS};

use tables::{batches, counted, files, redactions, types};

/// Beside the style of transcripts.
const OWN_STYLE: &str = include_str!("receipt_page/style.css");

/// What the page says and the receipt does not.
pub(crate) struct Beside<'b> {
    /// How many records of a batch are produced, by its id.
    pub(crate) produced: &'b BTreeMap<String, u64>,
    /// Records that are no hits.
    pub(crate) context: u64,
    /// What will sign.
    pub(crate) key: Option<&'b PublicKey>,
}

/// Writes the page into the folder where files are made, and lists it in the receipt.
pub(crate) fn add(receipt: &mut Receipt, work: &Path, beside: &Beside<'_>) -> Result<(), Error> {
    let mut file = OutFile::create(work, RECEIPT_PAGE)?;
    file.put(page(receipt, beside).as_bytes())?;
    let entry = file.finish()?;
    let at = receipt.files.partition_point(|file| file.name < entry.name);
    receipt.files.insert(at, entry);
    Ok(())
}

fn page(receipt: &Receipt, beside: &Beside<'_>) -> String {
    let mut out = String::with_capacity(64 << 10);
    head(&mut out, receipt);
    out.push_str("<body>\n<header>\n");
    title(&mut out, receipt);
    facts(&mut out, receipt);
    out.push_str("</header>\n<main>\n");
    query(&mut out, receipt);
    records(&mut out, receipt, beside.context);
    exceptions(&mut out, receipt);
    redactions(&mut out, receipt);
    batches(&mut out, receipt, beside.produced);
    files(&mut out, receipt);
    verifying(&mut out, beside.key);
    out.push_str("</main>\n<footer>\n");
    out.push_str(NOTES);
    out.push_str("</footer>\n</body>\n</html>\n");
    out
}

fn head(out: &mut String, receipt: &Receipt) {
    // 32 hexadecimal digits, which are safe in a string of CSS.
    let id = &receipt.production;
    let paper = format!(
        "@page{{@top-left{{content:\"Receipt of production {id}\"}}\
         @bottom-right{{content:counter(page) \" of \" counter(pages)}}}}"
    );
    let styles = [STYLE, OWN_STYLE, &paper];
    let hashes = styles.map(style_hash).join(" ");
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {hashes}; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>Receipt of production {id}</title>\n"
    );
    for style in styles {
        let _ = writeln!(out, "<style>{style}</style>");
    }
    out.push_str("</head>\n");
}

fn title(out: &mut String, receipt: &Receipt) {
    let Receipt { production, count, through_version, .. } = receipt;
    let _ = writeln!(
        out,
        "<p class=\"number\">Receipt of a production</p>\n<h1>Production <span class=\"id\">{production}</span></h1>\n\
         <p class=\"day\">{}, complete through version {through_version} of the archive</p>",
        counted(*count, "record", "records")
    );
}

/// What is known of it in a few words each.
fn facts(out: &mut String, receipt: &Receipt) {
    let request = &receipt.request;
    out.push_str("<dl class=\"about\">\n");
    let mut fact = |what: &str, value: &str| {
        let _ = write!(out, "<div><dt>{what}</dt><dd>");
        name(out, value);
        out.push_str("</dd></div>\n");
    };
    fact("Asked for by", &request.who);
    fact("Reason", &request.why);
    let (format, about) = request.format.about();
    fact("Format", &format!("{format}: {about}"));
    if let Some(options) = &request.options {
        let has_documents = request.format != Format::JsonLines;
        fact("Numbers of documents", &numbering(options, has_documents));
        fact("Volumes", &volumes(options.volume.as_ref()));
        let beside = options.with_records || !has_documents;
        fact("Records as they were archived", if beside { RECORDS } else { "not included" });
    }
    fact("Time zone of dates and days", &request.zone);
    fact("Archive", &format!("complete through version {}", receipt.through_version));
    fact("Written by", &format!("Custody {}", receipt.custody_version));
    out.push_str("</dl>\n");
}

fn numbering(options: &Options, has_documents: bool) -> String {
    if !has_documents {
        return "none: this format has no documents".to_owned();
    }
    let digits = counted(u64::from(options.numbering.width), "digit", "digits");
    format!("from {} on, with at least {digits}", options.numbering.number(0))
}

fn volumes(limit: Option<&VolumeLimit>) -> String {
    let Some(limit) = limit else { return "one: the production itself".to_owned() };
    let documents = limit.documents.map(|count| counted(count, "document", "documents"));
    let bytes = limit.bytes.map(|count| counted(count, "byte", "bytes"));
    let limits: Vec<String> = documents.into_iter().chain(bytes).collect();
    format!("VOL001 and so on, each of at most {}", limits.join(" and "))
}

fn section(out: &mut String, id: &str, title: &str) {
    let _ = writeln!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>");
}

fn query(out: &mut String, receipt: &Receipt) {
    section(out, "query", "What was asked for");
    out.push_str("<dl class=\"texts\">\n");
    let mut text = |what: &str, text: &str| {
        let _ = write!(out, "<div><dt>{what}</dt><dd class=\"text\">");
        block(out, text);
        out.push_str("</dd></div>\n");
    };
    let request = &receipt.request;
    let options = request.options.as_ref();
    if let Some(positions) = options.and_then(|options| options.positions.as_ref()) {
        let Selection { count, sha256 } = positions;
        let count = counted(*count, "record that was", "records that were");
        text(
            "In place of a query",
            &format!("{count} named one by one; SHA-256 of their positions: {sha256}"),
        );
    } else {
        text("Query as typed", &request.query);
        text("Query as it was understood", &request.query_canonical);
    }
    if let Some(context) = options.and_then(|options| options.context) {
        text("Context", &around(context));
    }
    if let Some(custodians) = options.and_then(|options| options.custodians.as_ref()) {
        let CustodianOptions { register, source_sha256, first } = custodians;
        text(
            "Custodians are named by",
            &format!("register {register}, made from what has the SHA-256 {source_sha256}"),
        );
        if !first.is_empty() {
            text("Custodians who were asked for", &first.join("\n"));
        }
    }
    out.push_str("</dl>\n</section>\n");
}

/// What stands around hits, in words.
fn around(context: Context) -> String {
    match context {
        Context::Events(count) => {
            format!(
                "{} of its conversation before each hit, and as many after it",
                counted(count.into(), "event", "events")
            )
        }
        Context::Milliseconds(ms) => {
            let time = jiff::SignedDuration::from_millis(ms);
            format!("its conversation from {time:#} before each hit until {time:#} after it")
        }
        Context::Day => "its conversation on the day of each hit".to_owned(),
        Context::Conversation => "all of the conversations that hits are in".to_owned(),
    }
}

fn records(out: &mut String, receipt: &Receipt, context: u64) {
    section(out, "records", "Records");
    let Receipt { count, deliveries, digest, .. } = receipt;
    let _ = writeln!(
        out,
        "<p>{} in this production. {} matched the query: an event that arrived more than once is produced once, \
         and each time it arrived is counted.</p>\n\
         <p>Digest of all records, the Merkle tree hash of RFC 6962: <span class=\"hash\">{digest}</span></p>",
        counted(*count, "record is", "records are"),
        counted(*deliveries, "delivery", "deliveries")
    );
    if context > 0 {
        let _ = writeln!(
            out,
            "<p>{} no hit and stand{} near one: marked as context everywhere, and not counted as a delivery.</p>",
            counted(context, "of them is", "of them are"),
            if context == 1 { "s" } else { "" }
        );
    }
    types(out, receipt);
    out.push_str("</section>\n");
}

fn exceptions(out: &mut String, receipt: &Receipt) {
    section(out, "exceptions", "Exceptions");
    match receipt.exceptions.unwrap_or(0) {
        0 => out.push_str("<p>There are none: everything was produced as it was asked for.</p>\n"),
        count => {
            let _ = writeln!(
                out,
                "<p>{} not be produced as asked for, such as a file that was never uploaded. \
                 <a href=\"{EXCEPTIONS}\">{EXCEPTIONS}</a> names each with its reason.</p>",
                counted(count, "thing could", "things could")
            );
        }
    }
    if receipt.request.format != Format::JsonLines {
        let _ = writeln!(
            out,
            "<p>Which record is in which document is in <a href=\"{CROSS_REFERENCE}\">{CROSS_REFERENCE}</a>.</p>"
        );
    }
    out.push_str("</section>\n");
}

fn verifying(out: &mut String, key: Option<&PublicKey>) {
    section(out, "verify", "How to verify it");
    match key {
        Some(key) => {
            let [a, b, c, d] = key.hash();
            out.push_str("<p>It was signed with the key <code>");
            inline(out, key.name());
            let _ = writeln!(
                out,
                "+{a:02x}{b:02x}{c:02x}{d:02x}</code>. The whole key is not on this page, for whoever can alter a page \
                 can alter a key in it: use the public key that you were given another way than with the \
                 production. It begins with these characters, and stands for KEY below.</p>"
            );
        }
        None => out.push_str(
            "<p>It was not signed when it was written. Then the folder is proven against itself only: compare \
             the digest above with what you were told another way, and leave <code>--key KEY</code> out below.</p>\n",
        ),
    }
    let _ = writeln!(out, "{HOW} <a href=\"{HOW_TO}\">{HOW_TO}</a>.</li>\n</ol>\n</section>");
}

/// The ways to check a production; a link to the last of them follows.
const HOW: &str = "<p>None of these needs a network, or the archive. Run them in the folder of this page:</p>\n\
<ol class=\"steps\">\n\
<li>With Custody: <code>custody verify . --key KEY</code></li>\n\
<li>With Python 3.9, and its package <code>cryptography</code> or <code>pynacl</code> for the signature: \
<code>python3 verify.py . --key KEY</code>. Whoever can alter a production can alter the program in it: read it \
first, or take it from Custody&#39;s source.</li>\n\
<li>By hand: <code>sha256sum FILE</code> must give what stands in the table of files. How each of the other hashes \
is made is told in";

/// What the page is, and what it is not.
const NOTES: &str = "<p>This page says what <code>receipt.json</code> says, without its list of records: of each \
record its position in Kafka, its leaf hash, its batch and its row in the batch stand there alone. The page was made \
before <code>receipt.json</code>, which lists it with its SHA-256 like every other file; so it can show neither its \
own hash nor that of <code>receipt.json</code>. Should the two differ, <code>receipt.json</code> counts.</p>\n\
<p>A signed receipt proves that nothing was altered, added or removed since it was written. It does not prove that the \
query was the right one. A character that nobody would see is shown by its number, such as \
<span class=\"mark\">\u{27e6}U+202E\u{27e7}</span>.</p>\n";
