//! `custody import`: publishes history to Kafka and says what was taken.

use std::path::{Path, PathBuf};

use custody_ingest::kafka::Producer;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Done, Failure};
use crate::import::{ImportReport, Lines, Outgoing, Simple, import_lines, import_skype, skype};
use crate::open;
use crate::settings::Loaded;

fn connect(loaded: &Loaded) -> Result<Producer, Failure> {
    open::require(loaded, &["kafka.brokers", "kafka.topics"])?;
    let kafka = &loaded.settings.kafka;
    let [topic] = kafka.topics.as_slice() else {
        return Err(Failure::usage(format!(
            "an import goes to one topic, not to {}: give one --topic",
            kafka.topics.len()
        )));
    };
    Ok(Producer::connect(&kafka.brokers, topic, &kafka.properties)?)
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} events, {per_sec}, {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn publish<'a>(
    producer: &'a Producer,
    bar: &'a ProgressBar,
) -> impl FnMut(Outgoing) -> Result<(), Failure> + 'a {
    move |outgoing| {
        producer.send(&outgoing.key, &outgoing.payload)?;
        bar.inc(1);
        Ok(())
    }
}

fn source_of(path: &Path) -> String {
    let name = path.file_name().map_or_else(|| "stdin".into(), |name| name.to_string_lossy());
    Simple::source_of(if path.as_os_str() == "-" { "stdin" } else { &name })
}

/// `custody import events FILE…`
pub fn events(loaded: &Loaded, files: &[PathBuf], tenant: &str) -> Done {
    let producer = connect(loaded)?;
    let mut refused = 0;
    for file in files {
        let mut lines =
            Lines::open(file).map_err(|e| Failure::failed(format!("cannot open {}: {e}", file.display())))?;
        let mut form = Simple::new(source_of(file), tenant);
        let bar = spinner();
        let report = import_lines(&mut lines, &mut form, &mut publish(&producer, &bar)).map_err(|e| {
            let cause = std::error::Error::source(&e).map(|source| format!(": {source}")).unwrap_or_default();
            let detail = match &e {
                crate::import::ImportError::Publish { error, .. } => format!(": {error}"),
                crate::import::ImportError::Read { .. } => cause,
            };
            Failure::failed(format!("{}: {e}{detail}", file.display()))
        })?;
        producer.flush()?;
        bar.finish_and_clear();
        print_report(file, &report);
        refused += report.refused_count;
    }
    println!("acknowledged by Kafka: {}", producer.acknowledged());
    if refused > 0 {
        return Err(Failure::failed(format!("{refused} lines were refused; everything else was published")));
    }
    Ok(())
}

/// `custody import skype-db FILE`
pub fn skype_db(loaded: &Loaded, file: &Path, tenant: &str) -> Done {
    let history = skype::read(file, &source_of(file), tenant).map_err(Failure::failed)?;
    let producer = connect(loaded)?;
    let bar = spinner();
    let report = import_skype(history, &mut publish(&producer, &bar))?;
    producer.flush()?;
    bar.finish_and_clear();
    print_report(file, &report);
    println!("acknowledged by Kafka: {}", producer.acknowledged());
    Ok(())
}

fn print_report(file: &Path, report: &ImportReport) {
    println!(
        "{}: {} events published, {} lines refused",
        file.display(),
        report.accepted,
        report.refused_count
    );
    for (kind, count) in &report.by_type {
        println!("  {count:>9}  {kind}");
    }
    for (line, reason) in &report.refused {
        eprintln!("{}:{line}: refused: {reason}", file.display());
    }
    let more = report.refused_count.saturating_sub(report.refused.len() as u64);
    if more > 0 {
        eprintln!("{}: and {more} more refused lines", file.display());
    }
}
