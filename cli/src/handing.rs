//! `custody export`.

use std::num::NonZeroUsize;
use std::sync::Arc;

use custody_export::{
    Hit, Numbering, Options, PrivateKey, Production, Progress, REQUEST_VERSION, Receipt, Redaction, Request,
    VolumeLimit, What, font_files,
};
use custody_index::FoundRow;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::ExportArgs;
use crate::asking;
use crate::failure::{Done, Failure};
use crate::outln;
use crate::settings::Loaded;

fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

fn advance(bar: &ProgressBar) -> impl FnMut(Progress) + '_ {
    |step| {
        let (what, done, of) = match step {
            Progress::Reading(done, of) => ("reading and proving", done, of),
            Progress::Writing(done, of) => ("writing", done, of),
        };
        bar.set_message(what);
        bar.set_length(of);
        bar.set_position(done);
    }
}

/// Produces; the receipt says what.
pub fn produce(loaded: &Loaded, args: &ExportArgs) -> Result<Receipt, Failure> {
    for (flag, text) in [("--who", &args.who), ("--why", &args.why)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{flag} is empty: the receipt says who asked, and why")));
        }
    }
    // Before anything takes long.
    let key = args.key.as_deref().map(PrivateKey::read).transpose()?;
    let options = options(args)?;
    let zone = asking::zone(&args.zone)?;
    let query = asking::query(loaded, &args.query, &zone)?;
    let (archive, searcher) = asking::searcher(loaded)?;
    let found = searcher.positions(&query, None)?;
    let files: Vec<_> = found.files.into_iter().map(Arc::new).collect();
    let hit = |row: &FoundRow| Hit {
        file: files[row.file].clone(),
        row: row.row,
        deliveries: row.copies,
        is_context: false,
    };
    let hits = found.rows.iter().map(hit).collect();
    let request = Request {
        version: REQUEST_VERSION,
        query: args.query.clone(),
        query_canonical: query.to_string(),
        zone: args.zone.clone(),
        who: args.who.clone(),
        why: args.why.clone(),
        format: args.format,
        options: Some(options),
    };
    let bar = bar("reading and proving");
    let through_version = found.through_version;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let production = Production {
        archive: &archive,
        request: &request,
        through_version,
        threads,
        files: args.files.as_deref(),
        fonts: args.fonts.as_deref(),
        key: key.as_ref(),
    };
    let receipt = production.write(hits, &args.out, &mut advance(&bar))?;
    bar.finish_and_clear();
    Ok(receipt)
}

/// What is to be taken out: the rules by name, and those of a file.
fn redactions(args: &ExportArgs) -> Result<Vec<Redaction>, Failure> {
    let built_in = |name: &String| {
        let what = match name.as_str() {
            "card" => What::Card,
            "iban" => What::Iban,
            "ssn" => What::Ssn,
            "email" => What::Email,
            _ => What::Phone,
        };
        Redaction { name: name.clone(), reason: args.why.clone(), what }
    };
    let mut all: Vec<Redaction> = args.redact.iter().map(built_in).collect();
    if let Some(path) = &args.redactions {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
        let more: Vec<Redaction> = serde_json::from_str(&text)
            .map_err(|e| Failure::usage(format!("{} is not a list of redactions: {e}", path.display())))?;
        all.extend(more);
    }
    Ok(all)
}

fn options(args: &ExportArgs) -> Result<Options, Failure> {
    let (documents, bytes) = (args.volume_documents, args.volume_bytes);
    Ok(Options {
        numbering: Numbering {
            prefix: args.bates_prefix.clone(),
            width: args.bates_width,
            start: args.bates_start,
        },
        volume: (documents.is_some() || bytes.is_some()).then_some(VolumeLimit { bytes, documents }),
        with_records: args.with_records,
        redactions: redactions(args)?,
        fonts: args.fonts.as_deref().map(font_files).transpose()?.unwrap_or_default(),
    })
}

/// `custody export`
pub fn export(loaded: &Loaded, args: &ExportArgs) -> Done {
    let receipt = produce(loaded, args)?;
    let again = receipt.deliveries - receipt.count;
    let again = if again > 0 {
        format!(" ({again} more deliveries of the same counted, not repeated)")
    } else {
        String::new()
    };
    outln!(
        "{} records{again} in {}, complete through version {}; production {}",
        receipt.count,
        args.out.display(),
        receipt.through_version,
        receipt.production
    );
    if let Some(exceptions) = receipt.exceptions.filter(|count| *count > 0) {
        outln!("{exceptions} exceptions: what is not as a reader expects is listed in exceptions.csv");
    }
    outln!("verify it, with or without the archive: custody verify {}", args.out.display());
    Ok(())
}
