//! `custody export` and `custody verify`.

use std::path::Path;
use std::sync::Arc;

use custody_export::{Format, Hit, REQUEST_VERSION, Receipt, Request};
use custody_index::verify_index;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::ExportArgs;
use crate::asking;
use crate::failure::{Done, Failure};
use crate::open;
use crate::settings::Loaded;

fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

fn advance(bar: &ProgressBar) -> impl FnMut(u64, u64) + '_ {
    |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    }
}

/// Produces; the receipt says what.
pub fn produce(loaded: &Loaded, args: &ExportArgs) -> Result<Receipt, Failure> {
    let zone = asking::zone(&args.zone)?;
    let query = asking::query(&args.query, &zone)?;
    let (archive, searcher) = asking::searcher(loaded)?;
    let found = searcher.positions(&query, None)?;
    let files: Vec<_> = found.files.into_iter().map(Arc::new).collect();
    let hits = found.rows.iter().map(|row| Hit { file: files[row.file].clone(), row: row.row }).collect();
    let request = Request {
        version: REQUEST_VERSION,
        query: args.query.clone(),
        query_canonical: query.to_string(),
        zone: args.zone.clone(),
        who: args.who.clone(),
        why: args.why.clone(),
        format: Format::JsonLines,
    };
    let bar = bar("producing");
    let receipt = custody_export::produce(
        &archive,
        hits,
        found.through_version,
        &request,
        &args.out,
        &mut advance(&bar),
    )?;
    bar.finish_and_clear();
    Ok(receipt)
}

/// `custody export`
pub fn export(loaded: &Loaded, args: &ExportArgs) -> Done {
    let receipt = produce(loaded, args)?;
    println!(
        "{} records in {}, complete through version {}; production {}",
        receipt.count,
        args.out.display(),
        receipt.through_version,
        receipt.production
    );
    println!("verify it, with or without the archive: custody verify {}", args.out.display());
    Ok(())
}

/// `custody verify DIR`
pub fn verify_production(dir: &Path, as_json: bool) -> Done {
    let report = custody_export::verify(dir)?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?);
    } else {
        for problem in &report.problems {
            println!("{problem}");
        }
        println!(
            "{}: {} records re-hashed, {} problems",
            dir.display(),
            report.records,
            report.problems.len()
        );
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(Failure::unsound(format!("{} is not as it was produced", dir.display())))
}

/// `custody verify`
pub fn verify_archive(loaded: &Loaded, as_json: bool) -> Done {
    let archive = open::archive(loaded)?;
    let index_path = open::index_path(loaded)?;
    let bar = bar("verifying files");
    let report = custody_archive::verify(&archive, &mut advance(&bar))?;
    bar.finish_and_clear();
    let index = if index_path.exists() { Some(verify_index(&index_path, &archive)?) } else { None };
    let differences = index.as_ref().map_or(0, |index| index.differences.len());
    if as_json {
        let text = serde_json::to_string_pretty(&json!({ "archive": report, "index": index }));
        println!("{}", text.map_err(Failure::failed)?);
    } else {
        for problem in &report.problems {
            println!("{}: {}", problem.place, problem.what);
        }
        println!(
            "archive: version {}, {} batches, {} files, {} records re-hashed ({} quarantined); {} offsets skipped, {} lost; {} problems",
            report.version,
            report.batches,
            report.files,
            report.records,
            report.quarantined,
            report.skipped,
            report.lost,
            report.problems.len()
        );
        match &index {
            None => {
                println!("index: there is none at {}; it is built by the next search", index_path.display())
            }
            Some(index) => {
                for difference in &index.differences {
                    println!("index: {difference}");
                }
                let through =
                    index.through_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
                println!(
                    "index: {} splits with {} records rebuilt and compared, complete through version {through}; {differences} differences",
                    index.splits, index.docs
                );
            }
        }
    }
    if report.problems.is_empty() && differences == 0 {
        return Ok(());
    }
    Err(Failure::unsound("the archive or its index is not as it was written"))
}
