//! `custody export` and `custody verify`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use custody_export::{Format, Hit, REQUEST_VERSION, Receipt, Report, Request};
use custody_index::{FoundRow, verify_index};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::ExportArgs;
use crate::asking;
use crate::failure::{Done, Failure};
use crate::open;
use crate::settings::Loaded;
use crate::show::one_line;
use crate::{out, outln};

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
    for (flag, text) in [("--who", &args.who), ("--why", &args.why)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{flag} is empty: the receipt says who asked, and why")));
        }
    }
    let zone = asking::zone(&args.zone)?;
    let query = asking::query(&args.query, &zone)?;
    let (archive, searcher) = asking::searcher(loaded)?;
    let found = searcher.positions(&query, None)?;
    let files: Vec<_> = found.files.into_iter().map(Arc::new).collect();
    let hit = |row: &FoundRow| Hit { file: files[row.file].clone(), row: row.row, deliveries: row.copies };
    let hits = found.rows.iter().map(hit).collect();
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
    outln!("verify it, with or without the archive: custody verify {}", args.out.display());
    Ok(())
}

/// A report for people. A production may come from anybody: names and texts in it
/// are made harmless for the terminal.
fn production(dir: &Path, report: &Report) -> String {
    let mut out: String =
        report.problems.iter().map(|problem| one_line(&problem.to_string()) + "\n").collect();
    if report.more > 0 {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "and {} more problems", report.more);
    }
    let problems = report.problems.len() as u64 + report.more;
    let _ = writeln!(out, "{}: {} records re-hashed, {problems} problems", dir.display(), report.records);
    if let Some(receipt) = report.receipt.as_ref().filter(|_| !report.members_compared) {
        let _ = writeln!(
            out,
            "what people read in it was not compared with the bytes: custody {} wrote it, and only that version can",
            one_line(&receipt.custody_version)
        );
    }
    out
}

/// `custody verify DIR`
pub fn verify_production(dir: &Path, as_json: bool) -> Done {
    let report = custody_export::verify(dir)?;
    if as_json {
        outln!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?);
    } else {
        out!("{}", production(dir, &report));
    }
    if report.is_sound() {
        return Ok(());
    }
    Err(Failure::unsound(format!("{} is not as it was produced", dir.display())))
}

/// `custody verify`
pub fn verify_archive(loaded: &Loaded, as_json: bool) -> Done {
    let archive = open::archive_to_verify(loaded)?;
    let store = open::index(loaded)?;
    let bar = bar("verifying files");
    let report = custody_archive::verify(&archive, &mut advance(&bar))?;
    bar.finish_and_clear();
    // What was found in the archive is told even if the index cannot be compared with it.
    let index = match store.exists() {
        Ok(true) => verify_index(&store, &archive).map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    let (index, failed) = match index {
        Ok(index) => (index, None),
        Err(error) => (None, Some(error)),
    };
    let differences = index.as_ref().map_or(0, |index| index.differences.len());
    if as_json {
        let text = serde_json::to_string_pretty(&json!({
            "archive": report,
            "index": index,
            "index_failed": failed.as_ref().map(ToString::to_string),
        }));
        outln!("{}", text.map_err(Failure::failed)?);
    } else {
        for problem in &report.problems {
            outln!("{}", one_line(&format!("{}: {}", problem.place, problem.what)));
        }
        if report.more > 0 {
            outln!("and {} more problems", report.more);
        }
        outln!(
            "archive: version {}, {} batches, {} files, {} records re-hashed ({} quarantined); {} offsets skipped, {} lost in {} gaps; {} problems",
            report.version,
            report.batches,
            report.files,
            report.records,
            report.quarantined,
            report.skipped,
            report.lost,
            report.gaps,
            report.problems.len() as u64 + report.more
        );
        if let Some(path) = report.unreferenced.first() {
            outln!(
                "{} files that no commit names, such as {}: writes that were cut short, or what is left of newest commits that were removed",
                report.unreferenced.len(),
                one_line(path)
            );
        }
        match (&index, &failed) {
            (None, Some(error)) => {
                outln!("index: it cannot be compared: {}", one_line(&error.to_string()));
            }
            (None, None) => {
                outln!("index: there is none at {}; it is built by the next search", store.shown(""))
            }
            (Some(index), _) => {
                for difference in &index.differences {
                    outln!("index: {}", one_line(&difference.to_string()));
                }
                let through =
                    index.through_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
                outln!(
                    "index: {} splits with {} records rebuilt and compared, complete through version {through}; {differences} differences",
                    index.splits,
                    index.docs
                );
            }
        }
    }
    match failed {
        _ if !report.problems.is_empty() || differences > 0 => {
            Err(Failure::unsound("the archive or its index is not as it was written"))
        }
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use custody_archive::{BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
    use custody_export::Problem;
    use custody_index::Indexer;
    use custody_schemas::{Incoming, Partition};

    use super::*;
    use crate::settings::{Inputs, Settings};

    #[test]
    fn a_hostile_production_cannot_draw_on_the_terminal() {
        let problem = |file: &str| Problem { file: file.into(), line: None, what: "it is odd".into() };
        let report = Report {
            problems: vec![problem("a\u{1b}[2J\nb"), problem("c")],
            records: 7,
            more: 3,
            ..Report::default()
        };
        let expected = "a\\u{1b}[2J b: it is odd\nc: it is odd\nand 3 more problems\nout: 7 records re-hashed, 5 problems\n";
        assert_eq!(production(Path::new("out"), &report), expected);
    }

    /// An archive of two batches and its index.
    fn archive(path: &Path) -> Loaded {
        let location = Location::Folder(path.to_owned());
        let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
        let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
        for offset in 0..2 {
            let mut builder = BatchBuilder::new(format!("b{offset}"));
            let incoming = Incoming { key: None, headers: &[], payload: Some(b"{}"), broker_time_ms: None };
            builder.push(&partition, offset, offset, &incoming).unwrap();
            writer.archive(&Encoded::new(builder.seal("default", 7).unwrap()).unwrap()).unwrap();
        }
        let settings = custody_index::Settings::default();
        let store = custody_index::IndexStore::folder(&path.join("_index")).unwrap();
        Indexer::open(&store, writer.reader(), settings).unwrap().catch_up().unwrap();
        let flags = vec![("archive.path".to_owned(), path.to_str().unwrap().to_owned())];
        Settings::load(Inputs { flags, ..Inputs::default() }).unwrap()
    }

    /// Damage is found, exit code 3, even where it keeps the index from being compared.
    #[test]
    fn damage_of_the_archive_is_told_whatever_the_index_says() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = archive(dir.path());
        verify_archive(&loaded, false).unwrap();
        let log = dir.path().join("_delta_log");
        let commit = log.join(format!("{:020}.json", 1));
        let good = fs::read_to_string(&commit).unwrap();
        for bad in
            [good.replacen("custody", "custodi", 1), good.replacen(r#"\"rows\":1"#, r#"\"rows\":9"#, 1)]
        {
            assert_ne!(bad, good);
            fs::write(&commit, bad).unwrap();
            for as_json in [false, true] {
                let failure = verify_archive(&loaded, as_json).unwrap_err();
                assert_eq!(
                    format!("{:?}", failure.exit_code()),
                    "ExitCode(unix_exit_status(3))",
                    "{failure}"
                );
            }
        }
    }
}
