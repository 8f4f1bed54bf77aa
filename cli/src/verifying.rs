//! `custody verify`.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use custody_archive::{Choice, Journal, Progress, Sample, VerifySettings, verify_with};
use custody_export::{PublicKey, Report};
use custody_index::{IndexReport, verify_index_with};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use uuid::Uuid;

use crate::args::VerifyArgs;
use crate::failure::{Done, Failure};
use crate::open;
use crate::settings::Loaded;
use crate::show::one_line;
use crate::{out, outln};

/// Numbers up to this are the same for every reader of JSON.
const SEED_MAX: u64 = (1 << 53) - 1;

/// A report for people. A production may come from anybody: names and texts in it
/// are made harmless for the terminal.
fn text_of(dir: &Path, report: &Report, with_key: bool) -> String {
    let mut out: String =
        report.problems.iter().map(|problem| one_line(&problem.to_string()) + "\n").collect();
    if report.more > 0 {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "and {} more problems", report.more);
    }
    for signer in &report.signers {
        let checked = if with_key { "" } else { ", which was not checked: give its key with --key" };
        let _ = writeln!(out, "it says that it is signed by {}{checked}", one_line(signer));
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

/// A public key as it is printed, or the file that it is in.
fn public_key(text: &str) -> Result<PublicKey, Failure> {
    if Path::new(text).exists() { Ok(PublicKey::read(Path::new(text))?) } else { Ok(PublicKey::parse(text)?) }
}

/// `custody verify DIR`
pub fn production(dir: &Path, key: Option<&str>, as_json: bool) -> Done {
    let key = key.map(public_key).transpose()?;
    let report = custody_export::verify(dir, key.as_ref())?;
    if as_json {
        outln!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?);
    } else {
        out!("{}", text_of(dir, &report, key.is_some()));
    }
    if report.is_sound() {
        return Ok(());
    }
    Err(Failure::unsound(format!("{} is not as it was produced", dir.display())))
}

/// Shows how far it is.
struct Bar {
    bar: ProgressBar,
    of_files: bool,
}

impl Bar {
    fn new() -> Self {
        let bar = Bar { bar: ProgressBar::new(0), of_files: false };
        bar.style("reading the log {bar:30} {pos}/{len} commits, {eta} left");
        bar
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// Commits first, then files by their bytes.
    fn at(&mut self, at: Progress, what: &str) {
        if at.files_all == 0 {
            self.bar.set_length(at.commits_all);
            self.bar.set_position(at.commits);
            return;
        }
        if !self.of_files {
            self.of_files = true;
            self.bar.reset();
            self.style("{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left");
        }
        self.bar.set_message(format!("{what} {} of {}", at.files, at.files_all));
        self.bar.set_length(at.bytes_all);
        self.bar.set_position(at.bytes);
    }
}

/// What is asked for. Whoever names no seed gets one that nobody could foresee.
fn choice(args: &VerifyArgs) -> Result<Choice, Failure> {
    let sample = args.sample.map(|percent| {
        if percent > 0.0 && percent <= 100.0 {
            let seed = args.seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0 & SEED_MAX);
            return Ok(Sample { percent, seed });
        }
        Err(Failure::usage(format!("--sample {percent} is not above 0 and up to 100 percent")))
    });
    Ok(Choice { since: args.since, sample: sample.transpose()? })
}

/// `custody verify`
pub fn archive(loaded: &Loaded, args: &VerifyArgs) -> Done {
    let choice = choice(args)?;
    let archive = open::archive_to_verify(loaded)?;
    let store = open::index(loaded)?;
    let journal = args.resume.as_deref().map(|path| Journal::open(path, &archive, choice)).transpose()?;
    let choice = journal.as_ref().map_or(choice, Journal::choice);
    if let (Some(asked), Some(Sample { seed, .. })) = (args.seed, choice.sample)
        && asked != seed
    {
        return Err(Failure::usage(format!("the run that is gone on with was begun with --seed {seed}")));
    }
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.threads.unwrap_or_else(cores);
    let settings = VerifySettings { choice, threads, ..VerifySettings::default() };
    let mut bar = Bar::new();
    let report = verify_with(&archive, &settings, journal.as_ref(), &mut |at| bar.at(at, "verifying file"))?;
    // What was found in the archive is told even if the index cannot be compared with it.
    let index = match store.exists() {
        Ok(true) => verify_index_with(&store, &archive, &settings, journal.as_ref(), &mut |at| {
            bar.at(at, "comparing split");
        })
        .map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    bar.bar.finish_and_clear();
    let (index, failed) = match index {
        Ok(index) => (index, None),
        Err(error) => (None, Some(error)),
    };
    if args.json {
        let text = serde_json::to_string_pretty(&json!({
            "archive": report,
            "index": index,
            "index_failed": failed.as_ref().map(ToString::to_string),
        }));
        outln!("{}", text.map_err(Failure::failed)?);
    } else {
        out!("{}", text_of_archive(&report));
        match (&index, &failed) {
            (None, Some(error)) => outln!("index: it cannot be compared: {}", one_line(&error.to_string())),
            (None, None) => {
                outln!("index: there is none at {}; it is built by the next search", store.shown(""));
            }
            (Some(index), _) => out!("{}", text_of_index(index)),
        }
    }
    if let Some(error) = failed.filter(|_| report.problems.is_empty()) {
        return Err(error.into());
    }
    journal.map(Journal::finish).transpose()?;
    if !report.problems.is_empty() || index.is_some_and(|index| !index.is_sound()) {
        return Err(Failure::unsound("the archive or its index is not as it was written"));
    }
    Ok(())
}

fn text_of_archive(report: &custody_archive::Report) -> String {
    let mut out = String::new();
    for problem in &report.problems {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{}", one_line(&format!("{}: {}", problem.place, problem.what)));
    }
    if report.more > 0 {
        let _ = writeln!(out, "and {} more problems", report.more);
    }
    let _ = writeln!(
        out,
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
    if report.files_left_out > 0 {
        let since = report.choice.since.map(|version| format!("added until version {version}"));
        let sample = report
            .choice
            .sample
            .map(|Sample { percent, seed }| format!("outside a sample of {percent} % with seed {seed}"));
        let why: Vec<_> = since.into_iter().chain(sample).collect();
        let _ = writeln!(out, "not hashed: {} files, {}", report.files_left_out, why.join(", or "));
    }
    if report.files_before > 0 {
        let _ = writeln!(
            out,
            "{} of the files were hashed by the run that was gone on with",
            report.files_before
        );
    }
    if let Some(path) = report.unreferenced.first() {
        let _ = writeln!(
            out,
            "{} files that no commit names, such as {}: writes that were cut short, or what is left of newest commits that were removed",
            report.unreferenced.len(),
            one_line(path)
        );
    }
    out
}

fn text_of_index(index: &IndexReport) -> String {
    let mut out = String::new();
    for difference in &index.differences {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "index: {}", one_line(&difference.to_string()));
    }
    let through = index.through_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let _ = writeln!(
        out,
        "index: {} splits with {} records rebuilt and compared, complete through version {through}; {} differences",
        index.splits,
        index.docs,
        index.differences.len()
    );
    if index.splits_left_out > 0 {
        let _ = writeln!(
            out,
            "index: {} splits were not chosen: only what they cover was looked at",
            index.splits_left_out
        );
    }
    if index.splits_before > 0 {
        let _ = writeln!(
            out,
            "index: {} of the splits were compared by the run that was gone on with",
            index.splits_before
        );
    }
    out
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
        assert_eq!(text_of(Path::new("out"), &report, false), expected);
    }

    /// An archive of two batches and its index.
    fn made(path: &Path) -> Loaded {
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
        let loaded = made(dir.path());
        archive(&loaded, &VerifyArgs::default()).unwrap();
        let log = dir.path().join("_delta_log");
        let commit = log.join(format!("{:020}.json", 1));
        let good = fs::read_to_string(&commit).unwrap();
        for bad in
            [good.replacen("custody", "custodi", 1), good.replacen(r#"\"rows\":1"#, r#"\"rows\":9"#, 1)]
        {
            assert_ne!(bad, good);
            fs::write(&commit, bad).unwrap();
            for as_json in [false, true] {
                let failure =
                    archive(&loaded, &VerifyArgs { json: as_json, ..VerifyArgs::default() }).unwrap_err();
                assert_eq!(
                    format!("{:?}", failure.exit_code()),
                    "ExitCode(unix_exit_status(3))",
                    "{failure}"
                );
            }
        }
    }

    fn code(done: Done) -> String {
        done.map_or_else(|failure| format!("{:?} {failure}", failure.exit_code()), |()| "0".to_owned())
    }

    #[test]
    fn what_is_chosen_and_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = made(&dir.path().join("archive"));
        let resume = dir.path().join("journal");
        let args =
            |sample, seed| VerifyArgs { sample, seed, resume: Some(resume.clone()), ..VerifyArgs::default() };
        for percent in [0.0, -1.0, 100.5, f64::NAN] {
            let code = code(archive(&loaded, &args(Some(percent), None)));
            assert!(code.contains("unix_exit_status(2)") && code.contains("--sample"), "{code}");
        }
        assert!(!resume.exists(), "what is refused begins nothing");
        archive(&loaded, &args(Some(50.0), Some(7))).unwrap();
        assert!(!resume.exists(), "what came to its end leaves nothing");

        // A run that was cut short, with another seed than is asked for now.
        let found = open::archive_to_verify(&loaded).unwrap();
        let sample = Some(Sample { percent: 50.0, seed: 7 });
        drop(Journal::open(&resume, &found, Choice { since: None, sample }).unwrap());
        let said = code(archive(&loaded, &args(Some(50.0), Some(8))));
        assert!(said.contains("--seed 7"), "{said}");
        let said = code(archive(&loaded, &args(None, None)));
        assert!(said.contains("with other options"), "{said}");
        archive(&loaded, &args(Some(50.0), None)).unwrap();
        assert!(!resume.exists());
    }

    #[test]
    fn what_was_left_out_is_told() {
        let choice = Choice { since: Some(3), sample: Some(Sample { percent: 2.5, seed: 9 }) };
        let report =
            custody_archive::Report { choice, files_left_out: 4, files_before: 1, ..Default::default() };
        let told = text_of_archive(&report);
        let expected = "not hashed: 4 files, added until version 3, or outside a sample of 2.5 % with seed 9\n1 of the files were hashed by the run that was gone on with\n";
        assert!(told.ends_with(expected), "{told}");
    }
}
